"""How long the phases of a piece of work take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add what the block takes to its phase, without what it adds to other phases; an exception ends it too.

    Args:
        seconds: Wall time by phase.
        name: Of the phase.
    """
    begun, noted = time.perf_counter(), sum(seconds.values())
    try:
        yield
    finally:
        taken = time.perf_counter() - begun - (sum(seconds.values()) - noted)
        seconds[name] = round(seconds.get(name, 0.0) + taken, 3)
