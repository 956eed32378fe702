"""What a piece of work takes."""

import subprocess
import sys
import time

import pytest

from unfreeze.core.metering import Usage, added, metered, peak_memory
from unfreeze.core.records import Cost


def spin(seconds: float) -> None:
    """Use a core for so long."""
    started = time.process_time()
    while time.process_time() - started < seconds:
        pass


def test_waiting_costs_wall_time_and_no_processor_time() -> None:
    """A sleep is in the one and not in the other, and work is in both."""
    with metered() as waited:
        time.sleep(0.2)
    with metered() as worked:
        spin(0.2)

    assert waited.seconds >= 0.2
    assert waited.cpu_seconds < 0.1
    assert 0.15 <= worked.cpu_seconds <= worked.seconds + 0.1


def test_children_count() -> None:
    """Processor time of a child that was waited for is that of the work."""
    code = "import time\nwhile time.process_time() < 0.5: pass"
    with metered() as usage:
        subprocess.run([sys.executable, "-c", code], check=True)

    assert usage.cpu_seconds >= 0.4


def test_work_that_fails_is_metered_too() -> None:
    """An exception does not lose what was used until then."""
    seen = []

    def fail() -> None:
        with metered() as usage:
            seen.append(usage)
            time.sleep(0.05)
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert seen[0].seconds >= 0.05


def test_a_cost_grows_by_what_was_used() -> None:
    """Times add up, of memory the largest counts, and the seconds of splits and of the refit are left alone."""
    cost = Cost(seconds=1.5, cpu_seconds=2.0, peak_bytes=700, split_seconds=(1.5,), refit_seconds=0.3)

    assert added(cost, Usage(seconds=0.25, cpu_seconds=0.5, peak_bytes=300)) == Cost(
        seconds=1.75, cpu_seconds=2.5, peak_bytes=700, split_seconds=(1.5,), refit_seconds=0.3
    )
    assert added(cost, Usage(peak_bytes=900)).peak_bytes == 900


def test_the_peak_is_in_bytes_and_never_falls() -> None:
    """Fifty megabytes that were written and given back are in the peak for good."""
    before = peak_memory()
    block = bytearray(50_000_000)
    block[::4096] = b"x" * len(block[::4096])
    held = peak_memory()
    del block

    assert held >= max(before, 50_000_000)
    assert peak_memory() >= held
