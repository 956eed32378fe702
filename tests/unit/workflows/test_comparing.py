"""Two runs, compared from their folders."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from example_run import run_record
from unfreeze.core.errors import InputError
from unfreeze.core.strategies import unfreeze
from unfreeze.workflows.comparing import compare


def written(folder: Path, *, predictions: int | None = None) -> Path:
    """The folder of a run, in which the picked strategy may always answer the same class."""
    record = run_record()
    if predictions is not None:
        strategies = tuple(
            replace(one, predictions=tuple((predictions,) * len(split) for split in one.predictions))
            if one.strategy == record.picked
            else one
            for one in record.strategies
        )
        record = replace(record, strategies=strategies)
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(record.to_json()), encoding="utf-8")
    return folder


def test_a_run_does_not_differ_from_itself(tmp_path: Path) -> None:
    """Given as a folder or as its run.json, the difference is 0, and more images could still show one."""
    folder = written(tmp_path / "a")

    found = compare(folder, folder / "run.json")

    assert found.difference == 0
    assert found.interval.low < 0 < found.interval.high
    assert (found.first.run, found.second.run) == (str(folder), str(folder / "run.json"))
    assert (found.first.picked, found.second.picked) == (unfreeze(2), unfreeze(2))
    assert found.same_splits


def test_what_was_picked_is_compared(tmp_path: Path) -> None:
    """Other strategies than the picked one do not matter: all images right against those of one class."""
    right, constant = written(tmp_path / "a"), written(tmp_path / "b", predictions=0)
    record = run_record()
    picked = record.outcome_of(record.picked)
    assert picked is not None
    shares = [
        [
            [float(guess == record.train_labels[place]) for place, guess in zip(split.test, guesses, strict=True)]
            for split, guesses in zip(record.splits, predictions, strict=True)
        ]
        for predictions in (picked.predictions, tuple((0,) * len(split.test) for split in record.splits))
    ]
    before, after = (sum(map(sum, share)) / sum(map(len, share)) for share in shares)

    assert compare(right, constant).difference == pytest.approx(after - before)


def test_an_unfinished_run_is_said_with_the_command_that_goes_on(tmp_path: Path) -> None:
    """A folder with a plan and no run.json; the name is in quotes where a shell needs them."""
    whole, begun = written(tmp_path / "a"), tmp_path / "my run"
    begun.mkdir()
    (begun / "plan.json").write_text("{}")

    with pytest.raises(InputError) as caught:
        compare(whole, begun)

    assert str(caught.value) == (f"The run {begun} is not finished. Go on with it: unfreeze run --resume '{begun}'")
