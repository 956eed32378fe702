"""The reference pages, entry by entry, against the records, the signatures, the errors and the help."""

import importlib.util
import inspect
import re
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import unfreeze
from unfreeze.cli.manual import EXIT_CODES
from unfreeze.core import errors
from unfreeze.core.cards import Card
from unfreeze.core.facts import GainForecast
from unfreeze.core.records import SCHEMA, Audit, Comparison, Confirmation, Cost, DepthPoint, ImageCounts, LearningCurve, LearningCurves, Outcome, RunRecord, Screened, Settling, SplitRecord, Winner
from unfreeze.core.settings import StudySettings
from unfreeze.core.plans import Augmentation
from unfreeze.core.plans import Plan, Rule

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
# What trainings add to their plan in a record.
BESIDE_THE_PLAN = {"chosen_inside", "seconds_per_image", "candidates", "forecast"}


def sections(page: str, *, level: int = 2) -> dict[str, str]:
    """Text below each heading of a level, up to the next one of that level or above."""
    parts = re.split(rf"^(#{{1,{level}}}) (.+)$", (REFERENCE / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    return {title: text for marks, title, text in found if len(marks) == level}


def names_in_first_column(text: str) -> set[str]:
    """What the rows of tables name, as code, in their first cell."""
    cells = re.findall(r"^\| (`[^|]+?) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize(
    ("section", "record"),
    [
        ("The document", RunRecord),
        ("command", StudySettings),
        ("images", ImageCounts),
        ("network", Card),
        ("splits", SplitRecord),
        ("depth_curve", DepthPoint),
        ("learning_curve", LearningCurves),
        ("A learning curve", LearningCurve),
        ("strategies", Outcome),
        ("cost", Cost),
        ("confirmation", Confirmation),
        ("audit", Audit),
        ("comparisons", Comparison),
        ("settling", Settling),
        ("winner", Winner),
        ("screening", Screened),
        ("gain_forecasts", GainForecast),
    ],
)
def test_each_part_of_the_run_record_has_its_table(section: str, record: type) -> None:
    """The table of a part names exactly the fields that the part has."""
    documented = names_in_first_column(sections("run-json.md")[section])

    assert documented == {field.name for field in fields(record)}


def test_each_setting_of_a_plan_is_documented() -> None:
    """The table of a strategy's settings names what a plan holds and what a training adds to it."""
    text = sections("run-json.md")["settings"]

    assert names_in_first_column(text) == {field.name for field in fields(Plan)} | BESIDE_THE_PLAN
    assert [
        field.name for kind in (Rule, Augmentation) for field in fields(kind) if f"`{field.name}`" not in text
    ] == []


def test_the_schema_is_named() -> None:
    """The page describes the schema that is written now."""
    assert f"**Schema: `{SCHEMA}`.**" in (REFERENCE / "run-json.md").read_text(encoding="utf-8")


def test_each_public_name_has_a_section_of_its_own() -> None:
    """The page of Python names has one section per public name, and none for anything else."""
    titles = {re.sub(r"`", "", title) for title in sections("python.md", level=3)}

    assert titles == set(unfreeze.__all__)


@pytest.mark.parametrize("name", [name for name in unfreeze.__all__ if name != "__version__"])
def test_each_argument_of_a_public_name_is_named(name: str) -> None:
    """The section of a function or class names its arguments; a record may point at the page of run.json instead."""
    text = sections("python.md", level=3)[f"`{name}`"]
    if "run-json.md" in text and is_dataclass(getattr(unfreeze, name)):
        text += (REFERENCE / "run-json.md").read_text(encoding="utf-8")
    if name == "UnfreezeError":
        return
    arguments = list(inspect.signature(getattr(unfreeze, name)).parameters)

    assert [argument for argument in arguments if not re.search(rf"\b{argument}\b", text)] == []


def test_each_error_stands_beside_its_exit_code() -> None:
    """The table of exit codes has a row for each code, and the errors that name their own code stand in that row."""
    rows = dict(re.findall(r"^\| (\d+) \| (.*)$", sections("errors.md")["Exit codes"], re.MULTILINE))
    classes = [thing for thing in vars(errors).values() if inspect.isclass(thing) and "exit_code" in vars(thing)]

    assert set(rows) == set(re.findall(r"^ *(\d+) ", EXIT_CODES, re.MULTILINE))
    assert [kind.__name__ for kind in classes if f"`{kind.__name__}`" not in rows[str(kind.exit_code)]] == []


def test_each_reason_and_note_of_the_decoder_is_documented() -> None:
    """Each reason and note in the code of the decoder has a row; a format's name in it is an example."""
    sources = [ROOT / "src" / "unfreeze" / "data" / f"{name}.py" for name in ("decoder", "decoding", "decoder_pool")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    hyphenated = re.findall(r'"([a-z]+(?:-[a-z]+)+)\b', text)
    codes = {*hyphenated, *re.findall(r'errno\.E\w+: "([a-z-]+)"', text), "truncated", "corrupt-png", "png-variant"}
    page = (REFERENCE / "errors.md").read_text(encoding="utf-8")

    assert len(codes) > 15
    assert sorted(code for code in codes if f"`{code}" not in page) == []


def paste_help() -> ModuleType:
    """The script that pastes help, as a module."""
    path = ROOT / "docs" / "paste_help.py"
    spec = importlib.util.spec_from_file_location("paste_help", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pasted_help_is_current_to_the_letter() -> None:
    """With the version of typer that the page names, pasting the help again changes nothing."""
    script = paste_help()
    page = script.PAGE.read_text(encoding="utf-8")
    if script.set_by(page) != version("typer"):
        pytest.skip(f"the page was set by typer {script.set_by(page)}; test_reference compares what is ours in it")

    assert script.with_current_help(page) == page, "run python docs/paste_help.py"
