"""The documents of the example run."""

from typing import Any

import pytest

from example_run import run_record


@pytest.fixture
def document() -> dict[str, Any]:
    """What run.json holds after a whole run."""
    return run_record().to_json()


@pytest.fixture
def interrupted_document() -> dict[str, Any]:
    """What run.json holds after Ctrl-C during the first trial."""
    return run_record(interrupted=True).to_json()
