"""The records of the example run."""

import pytest

from example_run import run_record
from unfreeze.core.run_record import RunRecord


@pytest.fixture
def record() -> RunRecord:
    """What a whole run leaves behind."""
    return run_record()


@pytest.fixture
def interrupted_record() -> RunRecord:
    """What a run leaves behind after Ctrl-C during the first trial."""
    return run_record(interrupted=True)
