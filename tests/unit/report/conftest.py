"""The records of the example run."""

from dataclasses import replace

import pytest

from example_run import run_record
from unfreeze.core.run_record import RunRecord
from unfreeze.core.strategies import HEAD


@pytest.fixture
def record() -> RunRecord:
    """What a whole run leaves behind."""
    return run_record()


@pytest.fixture
def interrupted_record() -> RunRecord:
    """What a run leaves behind after Ctrl-C during the first trial."""
    return run_record(interrupted=True)


@pytest.fixture
def record_with_a_lucky_split() -> RunRecord:
    """The same, of which the head alone was measured on a single split, and was right there about everything."""
    whole = run_record()
    lucky = replace(whole.outcome_of(HEAD), splits=1, accuracy=1.0, interval=None)  # type: ignore[type-var]
    return replace(whole, strategies=tuple(lucky if one.strategy == HEAD else one for one in whole.strategies))
