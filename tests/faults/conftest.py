"""Where faults are tried."""

import sys
from collections.abc import Iterator

import pytest

from faultlab.lab import Lab
from faultlab.warm import COMPILER, Warm


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Commands in forks of one process, with a shim between them and the disk."""
    if sys.platform != "linux" or COMPILER is None:
        pytest.skip("needs Linux and a C compiler")
    work = tmp_path_factory.mktemp("lab")
    with Warm(work / "warm") as warm:
        yield Lab(warm, work / "lab")
