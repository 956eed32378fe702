"""A place that a command will write to is its own while it works."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from unfreeze.core.errors import OutputError
from unfreeze.core.reservations import reserved

HOLD = """
import sys
from pathlib import Path
from unfreeze.core.reservations import reserved
with reserved(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(place: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that keeps the place."""
    command = [sys.executable, "-c", HOLD, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        yield other
        other.kill()


def test_the_second_is_told(tmp_path: Path) -> None:
    """While another process keeps a place, asking for it is an error that says so; a place beside it is free."""
    place = tmp_path / "codes.parquet"
    with held(place):
        with pytest.raises(OutputError, match="Another process writes to"), reserved(place):
            pass
        with reserved(tmp_path / "other.parquet"):
            pass
    with reserved(place):  # which a killed process keeps no more
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    """Where no lock can be made, the work goes on: the place is checked again when the result is put there."""
    with reserved(tmp_path / "nowhere" / "codes.parquet"):
        pass


def test_locks_of_the_dead_go(tmp_path: Path) -> None:
    """A lock that a killed process left is removed by whoever writes beside it next."""
    with held(tmp_path / "a"):
        pass
    assert len(list(tmp_path.iterdir())) == 1

    with reserved(tmp_path / "b"):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
