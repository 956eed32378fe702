"""Progress on standard error: bars on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import TextIO, final

from unfreeze.core.progress import Advance, Progress
from unfreeze.core.wording import count, duration, printable, rate, where

SECONDS_BETWEEN_LINES = 10.0


@final
class Lines:
    """One line when a phase begins to take long, one when it ends; for logs, pipes and continuous integration.

    Args:
        stream: Where the lines go.
        clock: Seconds, increasing.
    """

    def __init__(self, stream: TextIO | StringIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock

    @contextmanager
    def phase(self, name: str, *, total: int, unit: str) -> Iterator[Advance]:
        """Print where the phase stands every ten seconds, and what it took once it is through."""
        started = last = self._clock()
        done = 0

        def advance(more: int) -> None:
            nonlocal done, last
            done += more
            now = self._clock()
            if now - last >= SECONDS_BETWEEN_LINES:
                last = now
                self.say(f"{name}: {where(done, total=total, unit=unit, seconds=now - started)}")

        yield advance
        seconds = self._clock() - started
        speed = f", {rate(done / seconds, unit)}" if done and seconds >= 0.1 else ""
        self.say(f"{name}: {count(done, unit)} in {duration(seconds)}{speed}")

    def say(self, line: str) -> None:
        """Print one line."""
        with contextlib.suppress(BrokenPipeError, ValueError):  # nobody reads any more: no reason to stop the work
            self._stream.write(printable(line) + "\n")
            self._stream.flush()


def progress_on(stream: TextIO) -> Progress:
    """Bars if `stream` is a terminal, else lines."""
    if stream.isatty():
        # Bars need rich, whose import costs more than the rest of the command line.
        from unfreeze.cli.bars import Bars

        return Bars(stream)
    return Lines(stream)


def progress_on_stderr() -> Progress:
    """Progress for a command."""
    return progress_on(sys.stderr)
