"""What a piece of work takes: wall time, processor time, memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psutil

from unfreeze.core.records import Cost


@dataclass
class Usage:
    """What a piece of work took; filled when it ends."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


@contextmanager
def metered() -> Iterator[Usage]:
    """Measure wall time, processor time (children included) and the peak of resident memory."""
    usage, started, used = Usage(), time.perf_counter(), _cpu_seconds()
    try:
        yield usage
    finally:
        usage.seconds = round(time.perf_counter() - started, 3)
        usage.cpu_seconds = round(_cpu_seconds() - used, 3)
        usage.peak_bytes = peak_memory()


def added(cost: Cost, usage: Usage) -> Cost:
    """A cost with what one more piece of work took."""
    return replace(
        cost,
        seconds=round(cost.seconds + usage.seconds, 3),
        cpu_seconds=round(cost.cpu_seconds + usage.cpu_seconds, 3),
        peak_bytes=max(cost.peak_bytes, usage.peak_bytes),
    )


def _cpu_seconds() -> float:
    """Of this process and of those of its children that live or were waited for."""
    me = psutil.Process()
    own = me.cpu_times()
    total = own.user + own.system + getattr(own, "children_user", 0.0) + getattr(own, "children_system", 0.0)
    for child in me.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue  # it has just ended, and is in the children's sum of its parent
        total += times.user + times.system
    return float(total)


def peak_memory() -> int:
    """The largest resident memory of this process so far, bytes; where the system keeps no peak, today's."""
    memory = psutil.Process().memory_info()
    try:
        import resource
    except ImportError:  # Windows
        return int(getattr(memory, "peak_wset", memory.rss))
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(largest if psutil.MACOS else 1024 * largest)
