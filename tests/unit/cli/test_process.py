"""What the process of a command is set to."""

import os
import platform
import subprocess
import sys

import pytest

# A block of 80 MB is written and given back three times; how many pages did the kernel have to hand out each time?
PAGES = """
import resource, sys
import numpy as np
from unfreeze.cli.process import settle_process

def handed_out():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(20_000_000, np.float32)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1] == "settled":
    settle_process()
print(*[handed_out() for _ in range(3)])
"""
SPINNING = "import os; from unfreeze.cli.process import settle_process; settle_process(); print(os.environ.get('{}'))"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_memory_that_was_given_back_is_used_again() -> None:
    """The second block costs no page; without the setting every block costs as many as the first."""
    pages = {side: [int(part) for part in run(PAGES, side).split()] for side in ("settled", "as it comes")}

    assert max(pages["settled"][1:]) < pages["settled"][0] / 10
    assert min(pages["as it comes"]) > pages["as it comes"][0] / 2


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "7"), ("OMP_WAIT_POLICY", "active")])
def test_how_threads_wait_is_left_to_a_user_who_says_it(name: str, value: str) -> None:
    """What is set beforehand stays, and nothing is set beside it."""
    assert run(SPINNING.format(name), **{name: value}) == value
    assert run(SPINNING.format("GOMP_SPINCOUNT"), OMP_WAIT_POLICY="active") == "None"
    assert int(run(SPINNING.format("GOMP_SPINCOUNT"))) < 300_000


def run(code: str, *arguments: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_", "MALLOC_"))}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, env={**plain, **environment}, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX closes them")
@pytest.mark.parametrize("closed", ["1", "2", "1 2", "0 1 2"])
def test_closed_streams_are_no_fault(closed: str) -> None:
    """A command that was started without standard output, error or input does its work and ends with 0."""
    closing = " ".join(f"{number}>&-" for number in closed.split())
    command = f'"{sys.executable}" -m unfreeze version {closing}'

    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
