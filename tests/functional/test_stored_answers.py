"""The answers of forty runs of every kind, read back from their run.json."""

import re
from collections import Counter
from pathlib import Path

import pytest

from drawn_runs import kinds_of_runs
from unfreeze.core.files import write_json
from unfreeze.core.run_record import RunRecord, read_run

RUNS = dict(kinds_of_runs())
USE = ("Use the model in ", "Do not rely on this model (", "There is no model")
UNFREEZING = ("Unfreezing ", "It is not clear yet whether unfreezing", "Whether unfreezing ")
# What cannot both be said of one thing.
CONTRADICTIONS = (
    (r"^Unfreezing is worth it", r"^Unfreezing is not"),
    (r"^Unfreezing is worth it", r"not clear yet whether unfreezing"),
    (r"^Use the model", r"There is no model"),
    (r"^Use the model", r"Do not rely"),
    (r"Reading all layers .* gains \d", r"[Rr]eading all layers .* (gains nothing|is open|does as well)"),
    (r"An earlier layer serves better", r"No single earlier layer"),
    (r"agree, as they should", r"which is better is open|beats a linear|does no better than a linear"),
    (r"Your own test folder contradicts", r"^On your own test folder it gets"),
)


@pytest.fixture(params=RUNS, ids=str)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> RunRecord:
    """A run, as it is read back from the disk."""
    write_json(tmp_path / "run.json", RUNS[request.param].to_json())
    return read_run(tmp_path)


def test_an_answer_is_short_and_says_nothing_twice(stored: RunRecord) -> None:
    """The two sentences first, ten at most, of 160 words together, none twice."""
    use, unfreezing, *rest = stored.verdict

    assert use.startswith(USE)
    assert unfreezing.startswith(UNFREEZING)
    assert len(rest) <= 8
    assert len(" ".join(stored.verdict).split()) <= 160
    assert max(Counter(stored.verdict).values()) == 1


def test_an_answer_contradicts_nothing(stored: RunRecord) -> None:
    """No two sentences deny each other, no number is negative, and one split is not called many."""
    text = " ".join(stored.verdict)

    for yes, no in CONTRADICTIONS:
        assert not (_is_said(yes, stored) and _is_said(no, stored))
    assert not re.search(r"(?<![\d\w])-\d|\bcosts? (\w+ ){0,2}-", text)
    assert "enough splits" not in text
    assert len(stored.splits) != 1 or "held back" not in text or "measured: once" in text


def _is_said(pattern: str, record: RunRecord) -> bool:
    return any(re.search(pattern, sentence) for sentence in record.verdict)


def test_all_kinds_are_there() -> None:
    """Forty runs, with and without a pick, of every metric, stopped, contradicted, and of one split."""
    records = RUNS.values()

    assert len(RUNS) == 40
    assert {record.metric for record in records} == {"accuracy", "balanced accuracy", "log-loss"}
    assert {record.picked is None for record in records} == {True, False}
    assert {record.interrupted for record in records} == {True, False}
    assert {1, 2, 5, 10} <= {len(record.splits) for record in records}
    assert any(found.code == "UF131" for record in records for found in record.findings)
    assert len({record.verdict[1].split("“")[0] for record in records}) >= 5
