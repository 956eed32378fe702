"""Run records from JSON: strict, and one sentence for what cannot be read."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from example_run import HEAD_TRAINED, STRATEGIES, probed, run_record, trained
from unfreeze.core.errors import InputError
from unfreeze.core.plans import RECIPES, ProbeSettings, TrainingSettings
from unfreeze.core.records import Settling
from unfreeze.core.run_record import RunRecord, read_run, run_schema
from unfreeze.core.settings import EngineSettings, StudySettings
from unfreeze.core.strategies import FULL, SCRATCH, unfreeze

Document = dict[str, Any]
WAYS: dict[str, Document] = {
    "whole": {},
    "interrupted": {"interrupted": True},
    "log-loss": {"metric": "log-loss"},
    "balanced accuracy": {"metric": "balanced accuracy"},
    "without a test folder": {"test_folder": False},
    "screened": {"screened": True},
    "interrupted and screened": {"interrupted": True, "test_folder": False, "screened": True},
}
SETTINGS: dict[str, ProbeSettings | TrainingSettings | None] = {
    "none": None,
    "softmax": probed("softmax"),
    "svm": probed("svm"),
    "head": HEAD_TRAINED,
    "blocks": trained(2),
    "whole network": replace(trained(2), plan=replace(trained(2).plan, strategy=FULL, batchnorm="learning")),
    "strong augmentation": replace(trained(2), plan=replace(trained(2).plan, augmentation=RECIPES["strong"])),
    "scratch": TrainingSettings(plan=replace(trained(2).plan, strategy=SCRATCH, balanced=True, averaging=2.5)),
    "rates that were halved": trained(2, halvings=3),
}
COMMANDS = (
    StudySettings(source=Path("photos")),
    StudySettings(source=Path("a.csv"), backbone=("lite0", "resnet18"), size="auto", strategies=()),
    StudySettings(source=Path(), size=(224, 96), strategies=("scratch", 3), metric="log-loss", margin=2),
    StudySettings(source=Path("/p"), size=96, weights=Path("w.pth"), request=EngineSettings("openvino", "int8")),
    StudySettings(source=Path("/p"), augment="none", metric="balanced accuracy", max_bad=0.5, seed=2**40),
)


def reloaded(record: RunRecord) -> RunRecord:
    """The record after a way through a file's text."""
    return RunRecord.from_json(json.loads(json.dumps(record.to_json())))


def with_settings(settings: ProbeSettings | TrainingSettings | None) -> RunRecord:
    """The example with these settings in what it picked."""
    strategies = tuple(
        replace(outcome, settings=settings) if outcome.strategy == unfreeze(2) else outcome for outcome in STRATEGIES
    )
    return replace(run_record(), strategies=strategies)


@pytest.fixture
def document() -> Document:
    """What run.json holds after a whole run."""
    return run_record(screened=True).to_json()


def refusal(document: object, **name: str) -> str:
    """What is said of a document that cannot be read: one line, and no sentence that ends twice."""
    with pytest.raises(InputError) as caught:
        RunRecord.from_json(document, **name)
    text = str(caught.value)
    assert "\n" not in text
    assert ".." not in text
    assert text.endswith(".")
    return text


@pytest.mark.parametrize("way", WAYS)
def test_a_record_comes_back_as_it_was(way: str) -> None:
    """What was written is read back equal, of every kind of run, with strangers' names in it."""
    record = run_record(**WAYS[way])

    assert reloaded(record) == record
    assert RunRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_of_every_kind_come_back(kind: str) -> None:
    """A probe's settings stay a probe's, a training's a training's, whatever its plan."""
    record = with_settings(SETTINGS[kind])

    assert reloaded(record) == record


@pytest.mark.parametrize("command", COMMANDS, ids=[str(command.source) for command in COMMANDS])
def test_what_was_asked_comes_back(command: StudySettings) -> None:
    """One network or several, a size, sizes or auto, words and numbers for strategies, and paths as paths."""
    found = reloaded(replace(run_record(), command=command)).command

    assert found == command
    assert isinstance(found.source, Path)


@pytest.mark.parametrize("kind", ["few", "splits", "images", "beyond", "dropped"])
def test_what_would_settle_a_step_comes_back(kind: Any) -> None:
    """Each kind, and the range of images of the one that has it."""
    low, high = (300, 500) if kind == "images" else (None, None)
    record = run_record()
    step = replace(record.comparisons[0], settling=Settling(kind=kind, low=low, high=high), worse=None, better=None)

    found = reloaded(replace(record, comparisons=(step,)))

    assert found.comparisons == (step,)


def changed(document: Document, path: tuple[str | int, ...], value: object) -> Document:
    """The document with another value at a place."""
    copy: Document = json.loads(json.dumps(document))
    inside: Any = copy
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    "path", [("colour",), ("strategies", 0, "colour"), ("facts", "similarity", "colour"), ("command", "colour")]
)
def test_an_unknown_field_is_refused(document: Document, path: tuple[str | int, ...]) -> None:
    """At any depth: the sentence names the place and says what to do."""
    said = refusal(changed(document, path, "red"))

    assert said.startswith("run.json is damaged, or not what unfreeze wrote: ")
    assert ".".join(map(str, path)) in said
    assert said.endswith("Run again, or restore the file.")


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("seconds",), "long", "seconds: "),
        (("margin",), "0.01", "margin: "),
        (("seed",), 1.5, "seed: "),
        (("interrupted",), 1, "interrupted: "),
        (("metric",), "luck", "metric: "),
        (("classes",), "ants", "classes: "),
        (("classes",), ["ants", 3], "classes.1: "),
        (("strategies", 2, "status"), "lost", "strategies.2.status: "),
        (("winner", "interval"), [0.1], "winner.interval"),
        (("network", "mean"), [0.5, 0.5], "network.mean"),
        (("images", "found"), 3, "images: "),
    ],
)
def test_a_value_of_another_type_is_refused(
    document: Document, path: tuple[str | int, ...], value: object, named: str
) -> None:
    """Text is no number, a fraction no count, two numbers no triple, counts add up; the place is named in our words."""
    said = refusal(changed(document, path, value))

    assert f"not what unfreeze wrote: {named}" in said
    assert "Input should" not in said  # the words of a library
    assert said.endswith("Run again, or restore the file.")


def test_a_word_that_is_no_strategy_is_refused(document: Document) -> None:
    """The sentence names the place and what was found there."""
    said = refusal(changed(document, ("picked",), "unfreeze-0"))

    assert "not what unfreeze wrote: picked: strategy takes head, a number of blocks" in said
    assert said.endswith("Got 'unfreeze-0' instead. Run again, or restore the file.")


@pytest.mark.parametrize("name", ["verdict", "splits", "facts", "seconds"])
def test_a_missing_field_is_named(document: Document, name: str) -> None:
    """A record without a part that every record has is damaged."""
    del document[name]

    said = refusal(document)

    assert f"{name}: it is missing" in said
    assert said.endswith("Run again, or restore the file.")


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (
            "unfreeze.run/10",
            "run.json was written by a newer unfreeze (schema unfreeze.run/10, this one reads unfreeze.run/9). "
            "Update unfreeze.",
        ),
        (
            "unfreeze.run/11",
            "run.json was written by a newer unfreeze (schema unfreeze.run/11, this one reads unfreeze.run/9). "
            "Update unfreeze.",
        ),
        (
            "unfreeze.run/3",
            "run.json was written by an older unfreeze (schema unfreeze.run/3, this one reads unfreeze.run/9). "
            "Run again.",
        ),
    ],
)
def test_another_version_is_told_from_damage(document: Document, schema: str, said: str) -> None:
    """Whatever else is in it, a newer record asks for an update and an older one for a new run."""
    assert refusal({**document, "schema": schema}) == said
    assert refusal({"schema": schema, "colour": "red"}) == said


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"schema": "unfreeze.inspect/2"}, "'unfreeze.inspect/2'"),
        ({"schema": "unfreeze.run/x"}, "'unfreeze.run/x'"),
        ({"schema": "unfreeze.run/"}, "'unfreeze.run/'"),
        ({"schema": 3}, "3"),
        ({}, "None"),
        ([], "None"),
        (None, "None"),
        ("unfreeze.run/9", "None"),
    ],
)
def test_another_document_is_no_record_of_a_run(given: object, found: str) -> None:
    """The sentence says which schema was found, which one was wanted, and what to give instead."""
    assert refusal(given, name="x/run.json") == (
        f"x/run.json is no record of a run: its schema is {found}, wanted 'unfreeze.run/9'. Give a run's folder."
    )


def test_a_run_is_read_from_its_folder_or_its_file(tmp_path: Path) -> None:
    """Either gives the record that was written."""
    record = run_record()
    (tmp_path / "run.json").write_text(json.dumps(record.to_json()), encoding="utf-8")

    assert read_run(tmp_path) == record
    assert read_run(tmp_path / "run.json") == record


def test_a_folder_without_a_finished_run_is_named(tmp_path: Path) -> None:
    """An empty folder, and one that is not there, hold no run."""
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError) as caught:
            read_run(folder)
        assert str(caught.value).startswith(f"There is no finished run in {folder}: ")
        assert str(caught.value).endswith("cannot be read (No such file or directory). Give a run's folder.")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"no json", b'{"schema": "unfreeze.run/9"'])
def test_a_file_that_is_no_json_is_damaged(tmp_path: Path, content: bytes) -> None:
    """Half a file, an empty one and bytes that are no text are named with what to do."""
    path = tmp_path / "run.json"
    path.write_bytes(content)

    with pytest.raises(InputError) as caught:
        read_run(tmp_path)

    assert str(caught.value).startswith(f"{path} is damaged: it is no JSON (")
    assert str(caught.value).endswith("). Run again, or restore the file.")


@pytest.mark.parametrize("content", ["[" * 200_000, json.dumps({"schema": "unfreeze.run/" + "9" * 5000})])
def test_a_file_made_to_break_its_reader_is_refused_like_any_other(tmp_path: Path, content: str) -> None:
    """Lists in lists without end and a version of thousands of digits are the user's to mend, not a traceback."""
    (tmp_path / "run.json").write_text(content)

    with pytest.raises(InputError):
        read_run(tmp_path)


def test_a_damaged_record_is_named_by_its_path(tmp_path: Path) -> None:
    """Whoever has several runs reads which of them is meant."""
    (tmp_path / "run.json").write_text('{"schema": "unfreeze.run/9"}')

    with pytest.raises(InputError) as caught:
        read_run(tmp_path)

    assert str(caught.value).startswith(f"{tmp_path / 'run.json'} is damaged, or not what unfreeze wrote: ")


class Checker:
    """As much of JSON Schema as `run_schema` uses, by its specification; an unknown word is an error."""

    KNOWN = frozenset(
        {"$defs", "$ref", "additionalProperties", "anyOf", "const", "default", "description", "enum", "format"}
        | {"items", "maxItems", "minItems", "prefixItems", "properties", "required", "title", "type"}
    )
    TYPES: ClassVar[dict[str, Callable[[Any], bool]]] = {
        "object": lambda value: isinstance(value, dict),
        "array": lambda value: isinstance(value, list),
        "string": lambda value: isinstance(value, str),
        "boolean": lambda value: isinstance(value, bool),
        "null": lambda value: value is None,
        "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
        "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    }

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema

    def wrong(self, value: Any, schema: Any = None, at: str = "") -> Iterator[str]:
        """Places where a value is not what the schema says."""
        schema = self.schema if schema is None else schema
        assert set(schema) <= self.KNOWN, set(schema) - self.KNOWN
        if "$ref" in schema:
            yield from self.wrong(value, self.schema["$defs"][schema["$ref"].removeprefix("#/$defs/")], at)
        if "type" in schema and not self.TYPES[schema["type"]](value):
            yield f"{at}: no {schema['type']}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{at}: not in enum"
        if "const" in schema and value != schema["const"]:
            yield f"{at}: not {schema['const']}"
        if "anyOf" in schema and all(list(self.wrong(value, one, at)) for one in schema["anyOf"]):
            yield f"{at}: none of anyOf"
        if isinstance(value, dict):
            yield from self._wrong_in_object(value, schema, at)
        if isinstance(value, list):
            yield from self._wrong_in_list(value, schema, at)

    def _wrong_in_object(self, value: dict[str, Any], schema: dict[str, Any], at: str) -> Iterator[str]:
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        yield from (f"{at}.{name}: missing" for name in schema.get("required", []) if name not in value)
        for name, item in value.items():
            if name in properties:
                yield from self.wrong(item, properties[name], f"{at}.{name}")
            elif others is False:
                yield f"{at}.{name}: unknown"
            elif others is not True:
                yield from self.wrong(item, others, f"{at}.{name}")

    def _wrong_in_list(self, value: list[Any], schema: dict[str, Any], at: str) -> Iterator[str]:
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{at}: length {len(value)}"
        first = schema.get("prefixItems", [])
        for place, item in enumerate(value):
            part = first[place] if place < len(first) else schema.get("items", {})
            yield from self.wrong(item, part, f"{at}.{place}")


def test_a_record_that_was_changed_is_refused(document: Document) -> None:
    """A digit that became another one is as good a number as before: only the hash tells."""
    assert document["seconds"] == 485.0

    said = refusal({**document, "seconds": 485.5})

    assert said == "run.json was changed since it was written: its sha256 is another. Run again, or restore the file."


@pytest.mark.parametrize("way", WAYS)
def test_the_schema_accepts_what_is_written(way: str) -> None:
    """Whoever reads run.json by its JSON Schema reads every kind of run."""
    assert list(Checker(run_schema()).wrong(run_record(**WAYS[way]).to_json())) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("colour",), "red"),
        (("schema",), "unfreeze.run/2"),
        (("seconds",), "long"),
        (("metric",), "luck"),
        (("strategies", 0, "colour"), "red"),
        (("strategies", 5, "settings", "plan", "rules", 0), {"pattern": ".*"}),
        (("winner", "interval"), [0.1]),
        (("facts", "similarity", "value"), "high"),
    ],
)
def test_the_schema_refuses_what_is_not_written(document: Document, path: tuple[str | int, ...], value: object) -> None:
    """Unknown fields, other types, other words and other lengths, at any depth."""
    assert list(Checker(run_schema()).wrong(changed(document, path, value))) != []


def test_the_schema_asks_for_every_part_without_a_default() -> None:
    """What is missing in a document is missing by its schema too, whichever required part it is."""
    schema = run_schema()

    assert {"verdict", "strategies", "facts", "command", "splits"} <= set(schema["required"])
    assert {"screening", "learning_curve", "test_looks"}.isdisjoint(schema["required"])
    assert list(Checker(schema).wrong({})) == [f".{name}: missing" for name in schema["required"]]
