"""Run records as plain data."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from example_run import FOLDER_STEP, HOSTILE, STRATEGIES, run_record, run_results
from unfreeze.advisor.details import details
from unfreeze.advisor.verdict import verdict
from unfreeze.core.records import Audit, Duplicate, ImageCounts, Interval, SetAside, plain
from unfreeze.core.run_record import HASH, SCHEMA, RunRecord, RunResults
from unfreeze.core.strategies import FULL, HEAD, SCRATCH, unfreeze

BYTES = b"caf\xe9.jpg"  # Latin-1, and so no UTF-8
NAME = BYTES.decode("utf-8", "surrogateescape")


def leaves(value: Any) -> list[Any]:
    """Everything in a document that is neither an object nor a list."""
    if isinstance(value, dict):
        return [*value, *(leaf for item in value.values() for leaf in leaves(item))]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("how", [{}, {"interrupted": True}, {"metric": "log-loss"}, {"screened": True}])
def test_a_document_is_json_and_nothing_else(how: dict[str, Any]) -> None:
    """What is written is the same after a way through text: no tuple, no dataclass, no strategy, no path."""
    document = run_record(**how).to_json()

    assert json.loads(json.dumps(document)) == document
    assert {type(leaf) for leaf in leaves(document)} <= {str, int, float, bool, type(None)}


def test_a_document_begins_with_its_schema_and_has_every_field() -> None:
    """Who reads the file sees first what it is; each field of a record is there under its own name."""
    document = run_record().to_json()

    assert next(iter(document.items())) == ("schema", "unfreeze.run/9")
    assert SCHEMA == "unfreeze.run/9"
    assert set(document) == {field.name for field in fields(RunRecord)} | {HASH}


def test_strategies_are_keys_and_intervals_pairs_in_a_document() -> None:
    """Everywhere in it: what was picked, steps, curves, plans and the step on the user's own folder."""
    document = run_record().to_json()

    assert document["picked"] == "unfreeze-2"
    assert [outcome["strategy"] for outcome in document["strategies"]] == [
        "softmax-last",
        "svm-last",
        "softmax-best",
        "head",
        "unfreeze-1",
        "unfreeze-2",
        "unfreeze-4",
        "full",
    ]
    assert document["strategies"][5]["settings"]["plan"]["strategy"] == "unfreeze-2"
    assert document["folder_step"]["interval"] == list(FOLDER_STEP.interval) == [0.011, 0.073]
    assert document["learning_curve"]["fine_tuning"]["strategy"] == "unfreeze-2"
    assert document["winner"]["interval"] == [0.889, 0.939]


def test_a_record_is_its_results_and_a_verdict() -> None:
    """Nothing of the results is lost or changed on the way into the record."""
    results = run_results(screened=True)
    record = RunRecord.of(results, verdict=("It is so.",), details=("Since it is.",))

    assert record.verdict == ("It is so.",)
    for field in fields(RunResults):
        assert getattr(record, field.name) is getattr(results, field.name)


def test_a_loaded_record_gives_the_verdict_that_stands_in_it() -> None:
    """The sentences can be written again from the file alone."""
    record = RunRecord.from_json(json.loads(json.dumps(run_record().to_json())))

    assert verdict(record) == record.verdict
    assert details(record) == record.details


def test_what_a_strategy_gave_is_found_by_its_identity() -> None:
    """Each of the eight strategies is found, what was not tried or is none is not."""
    record = run_record()

    assert [record.outcome_of(outcome.strategy) for outcome in STRATEGIES] == list(STRATEGIES)
    assert record.outcome_of(SCRATCH) is None
    assert record.outcome_of(None) is None


def test_an_outcome_has_its_score_in_every_metric() -> None:
    """Accuracies as fractions, log-loss as a loss, None where there is none; measured is what has predictions."""
    softmax, svm, *_, full = STRATEGIES

    assert [softmax.score(metric) for metric in ("accuracy", "balanced accuracy")] == pytest.approx([0.878, 0.873])
    assert softmax.score("log-loss") == pytest.approx(0.244)
    assert svm.score("log-loss") is None
    assert (softmax.measured, full.measured) == (True, False)
    assert (full.name, full.kind) == ("full", "full")


def test_counts_of_images_add_up() -> None:
    """A file that is nowhere would be our own mistake."""
    ImageCounts(found=9, used=1, set_aside=2, duplicates_removed=1, skipped=5)
    assert ImageCounts.of(used=1, skipped={"one reason": 2, "another": 3}).found == 6
    with pytest.raises(AssertionError):
        ImageCounts(found=5, used=1, set_aside=2, duplicates_removed=1, skipped=0)


@pytest.mark.parametrize("broken", [None, "frozen_unchanged", "codes_agree", "optimizer_matches"])
def test_an_audit_passes_if_every_check_held(broken: str | None) -> None:
    """One broken promise is enough to fail it."""
    held = Audit(
        frozen_tensors=3, frozen_unchanged=True, codes_difference=0.0, codes_agree=True, optimizer_matches=True
    )

    assert (replace(held, **{broken: False}) if broken else held).passed == (broken is None)


def test_plain_data_has_no_types_of_ours() -> None:
    """Strategies become keys, tuples and intervals lists, paths text, keys of dictionaries text, and numbers stay."""
    assert plain({"a": (unfreeze(3), HEAD, FULL), 2: Interval(0.25, 0.5)}) == {
        "a": ["unfreeze-3", "head", "full"],
        "2": [0.25, 0.5],
    }
    assert plain(Path("/photos/a.jpg")) == "/photos/a.jpg"
    assert plain([None, True, 3, 0.5, ("x", ())]) == [None, True, 3, 0.5, ["x", []]]
    assert plain(Duplicate(name="a", same_as="b", why="same pixels")) == {
        "name": "a",
        "same_as": "b",
        "why": "same pixels",
    }


def test_a_byte_that_is_no_text_becomes_an_escape() -> None:
    """In values, keys, paths and parts of dataclasses alike; UTF-8 can write what comes of it."""
    shown = "caf\\udce9.jpg"

    assert plain(NAME) == plain(Path(NAME)) == shown
    assert plain({NAME: [NAME]}) == {shown: [shown]}
    assert plain(SetAside(name=NAME, reason="truncated"))["name"] == shown


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_every_name_can_be_written_and_honest_ones_stay(name: str) -> None:
    """Whatever bytes a file is called by, UTF-8 can write its name in a document; text is not touched."""
    shown = plain(name)

    assert shown.encode("utf-8").decode("utf-8") == shown
    if not any("\ud800" <= character <= "\udfff" for character in name):
        assert shown == name


def test_strangers_names_come_back_and_undecodable_ones_as_their_escape() -> None:
    """Markup and terminal escapes are kept as they are, since who prints a record makes them harmless."""
    record = run_record()
    odd = replace(record, set_aside=(SetAside(name=NAME, reason="truncated"),), train_groups=(NAME, *("",) * 399))

    assert RunRecord.from_json(record.to_json()).classes == ("ants", HOSTILE)
    loaded = RunRecord.from_json(odd.to_json())
    assert loaded.set_aside[0].name == loaded.train_groups[0] == "caf\\udce9.jpg"
    assert replace(loaded, set_aside=odd.set_aside, train_groups=odd.train_groups) == odd
