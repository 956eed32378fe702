"""Two runs, compared from their records alone."""

import shlex
from pathlib import Path

from unfreeze.advisor.two_runs import compare_runs
from unfreeze.core.documents import CompareRecord
from unfreeze.core.errors import InputError
from unfreeze.core.run_folder import PLAN
from unfreeze.core.run_record import RUN_FILE, RunRecord, read_run


def compare(first: Path, second: Path) -> CompareRecord:
    """Compare what two finished runs picked; see `advisor.two_runs.compare_runs`.

    Args:
        first: Folder of a run, or its run.json: what is compared against.
        second: What is asked about.

    Returns:
        The comparison.

    Raises:
        InputError: A run is not finished or cannot be read, their classes differ, or they have no image in common.
    """
    return compare_runs(_finished(first), _finished(second), names=(str(first), str(second)))


def _finished(run: Path) -> RunRecord:
    if run.is_dir() and not (run / RUN_FILE).exists() and (run / PLAN).exists():
        msg = f"The run {run} is not finished. Go on with it: unfreeze run --resume {shlex.quote(str(run))}"
        raise InputError(msg)
    return read_run(run)
