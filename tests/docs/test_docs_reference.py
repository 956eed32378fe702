"""The reference pages, entry by entry, against the records, the signatures, the errors and the help."""

import importlib.util
import inspect
import json
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
from unfreeze.core.class_table import ClassTable
from unfreeze.core.events import KINDS as EVENT_KINDS
from unfreeze.core.facts import Facts, Prediction, RuleRecord, Similarity
from unfreeze.core.findings import KINDS, Finding
from unfreeze.core.photo_checks import LabelCheck, Regained, Suspect
from unfreeze.core.plans import (
    Arithmetic,
    Augmentation,
    Plan,
    ProbeSettings,
    Rule,
    Timed,
    TrainingSettings,
)
from unfreeze.core.records import (
    Abstaining,
    Answered,
    Audit,
    Calibration,
    ClassScores,
    CodeCounts,
    Comparison,
    Confirmation,
    Cost,
    DepthPoint,
    Duplicate,
    FolderStep,
    ImageCounts,
    LearningCurve,
    LearningCurves,
    ModelCost,
    Outcome,
    Reliability,
    ReliabilityBin,
    Screened,
    ScreenedResize,
    SetAside,
    Settling,
    SplitRecord,
    TimeForecast,
    Winner,
)
from unfreeze.core.run_record import HASH, SCHEMA, RunRecord, run_schema
from unfreeze.core.seeing import ClassNeighbours, CodeMap, HeatMap, Looks
from unfreeze.core.settings import EngineSettings, StudySettings
from unfreeze.core.strategies import FULL, HEAD, SCRATCH, SOFTMAX_ON_BEST, SOFTMAX_ON_LAST, SVM_ON_BEST, SVM_ON_LAST
from unfreeze.core.strategies import unfreeze as unfreeze_blocks

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
# The parts of run.json, by the heading of their section.
PARTS: dict[str, type] = {
    "The document": RunRecord,
    "command": StudySettings,
    "request": EngineSettings,
    "images": ImageCounts,
    "set_aside": SetAside,
    "duplicates": Duplicate,
    "findings": Finding,
    "facts": Facts,
    "similarity": Similarity,
    "rule": RuleRecord,
    "prediction": Prediction,
    "network": Card,
    "splits": SplitRecord,
    "by_class": ClassTable,
    "label_check": LabelCheck,
    "suspects": Suspect,
    "regained": Regained,
    "code_map": CodeMap,
    "neighbours": ClassNeighbours,
    "looks": Looks,
    "maps": HeatMap,
    "A class": ClassScores,
    "depth_curve": DepthPoint,
    "codes": CodeCounts,
    "learning_curve": LearningCurves,
    "A learning curve": LearningCurve,
    "strategies": Outcome,
    "cost": Cost,
    "model_cost": ModelCost,
    "calibration": Calibration,
    "abstaining": Abstaining,
    "answered": Answered,
    "reliability": Reliability,
    "A bin": ReliabilityBin,
    "confirmation": Confirmation,
    "folder_step": FolderStep,
    "Settings of a probe": ProbeSettings,
    "Settings of a training": TrainingSettings,
    "plan": Plan,
    "rules": Rule,
    "augmentation": Augmentation,
    "arithmetic": Arithmetic,
    "timed": Timed,
    "audit": Audit,
    "comparisons": Comparison,
    "settling": Settling,
    "winner": Winner,
    "screening": Screened,
    "resizing": ScreenedResize,
    "forecasts": TimeForecast,
}


def sections(page: str, *, level: int = 2) -> dict[str, str]:
    """Text below each heading of a level, up to the next one of that level or above."""
    parts = re.split(rf"^(#{{1,{level}}}) (.+)$", (REFERENCE / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    return {title: text for marks, title, text in found if len(marks) == level}


def names_in_first_column(text: str) -> set[str]:
    """What the rows of tables name, as code, in their first cell."""
    cells = re.findall(r"^\| (`[^|]+?) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize(("section", "record"), PARTS.items(), ids=PARTS)
def test_each_part_of_the_run_record_has_its_table(section: str, record: type) -> None:
    """The table of a part names exactly the fields that the part has; the whole document has its hash as well."""
    documented = names_in_first_column(sections("run-json.md")[section])

    assert documented == {field.name for field in fields(record)} | ({HASH} if record is RunRecord else set())


def test_no_part_of_the_run_record_is_without_a_table() -> None:
    """Every record that the schema of run.json is made of has a section, but for intervals, which are pairs."""
    assert {"RunRecord", *run_schema()["$defs"]} - {"Interval"} == {record.__name__ for record in PARTS.values()}


def test_each_key_of_a_strategy_is_documented() -> None:
    """The page says what strategies are called in documents."""
    text = (REFERENCE / "run-json.md").read_text(encoding="utf-8")
    known = (SOFTMAX_ON_LAST, SVM_ON_LAST, SOFTMAX_ON_BEST, SVM_ON_BEST, HEAD, FULL, SCRATCH, unfreeze_blocks(2))

    assert [strategy.key for strategy in known if f"`{strategy.key}`" not in text] == []


def test_the_published_schema_is_current() -> None:
    """With the version of pydantic that the file names, writing the schema again changes nothing."""
    script = docs_script("write_schema")
    published = script.FILE.read_text(encoding="utf-8")
    assert json.loads(published)["properties"]["schema"]["const"] == SCHEMA
    if script.set_by(published) != version("pydantic"):
        pytest.skip(f"the schema was written with pydantic {script.set_by(published)}")

    assert published == script.current_schema(), "run python docs/write_schema.py"


def test_each_code_of_a_finding_has_its_section() -> None:
    """The page of findings has a section per code, with its title, and none for anything else."""
    titles = list(sections("findings.md"))

    assert titles == [f"{code}: {title}" for code, (_, title) in KINDS.items()]


@pytest.mark.parametrize(("code", "severity", "title"), [(code, *kind) for code, kind in KINDS.items()], ids=KINDS)
def test_the_section_of_a_finding_says_what_one_wants_to_know(code: str, severity: str, title: str) -> None:
    """Severity; how it is detected, by a function that is there; why it matters; what to do."""
    text = sections("findings.md")[f"{code}: {title}"]
    places = re.findall(r"\(`(\w+)` in\s+`([\w/.]+)`", text)

    assert f"**{severity.capitalize()}.** *How it is detected:*" in text
    assert "*Why it matters:*" in text
    assert "*What to do:*" in text
    assert places
    for function, module in places:
        assert f"def {function}(" in (ROOT / "src" / "unfreeze" / module).read_text(encoding="utf-8")


def test_each_kind_of_event_has_its_section() -> None:
    """The page of events has a section per kind, and none for anything else but what all have."""
    assert list(sections("events.md")) == ["Every event", *EVENT_KINDS.values()]


@pytest.mark.parametrize(("event", "kind"), EVENT_KINDS.items(), ids=EVENT_KINDS.values())
def test_each_attribute_of_an_event_is_documented(event: type, kind: str) -> None:
    """The table of a kind names exactly the attributes that its class has."""
    assert names_in_first_column(sections("events.md")[kind]) == {field.name for field in fields(event)}


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
    sources = [
        ROOT / "src" / "unfreeze" / "images" / f"{name}.py"
        for name in ("channel", "decoder", "decoding", "pool", "refusals")
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    hyphenated = re.findall(r'"([a-z]+(?:-[a-z]+)+)\b', text)
    codes = {*hyphenated, *re.findall(r'errno\.E\w+: "([a-z-]+)"', text), "truncated", "corrupt-png", "png-variant"}
    page = (REFERENCE / "errors.md").read_text(encoding="utf-8")

    assert len(codes) > 15
    assert sorted(code for code in codes if f"`{code}" not in page) == []


def docs_script(name: str) -> ModuleType:
    """A script that keeps the pages current, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_pasted_help_is_current_to_the_letter() -> None:
    """With the version of typer that the page names, pasting the help again changes nothing."""
    script = docs_script("paste_help")
    page = script.PAGE.read_text(encoding="utf-8")
    if script.set_by(page) != version("typer"):
        pytest.skip(f"the page was set by typer {script.set_by(page)}; test_pasted_help compares what is ours in it")

    assert script.with_current_help(page) == page, "run python docs/paste_help.py"
