"""Progress on standard error: bars on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from typing import TextIO, final

from unfreeze.cli.sentences import Sentences
from unfreeze.core.events import Event, PhaseAdvanced, PhaseBegun, PhaseEnded
from unfreeze.core.progress import Progress
from unfreeze.core.wording import count, duration, printable, rate, where

SECONDS_BETWEEN_LINES = 10.0


@dataclass
class _Phase:
    begun: PhaseBegun
    started: float
    last: float  # when its last line was printed


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
        self._phases: dict[int, _Phase] = {}
        self._sentences = Sentences()

    def __call__(self, event: Event) -> None:
        """Print where a phase stands every ten seconds, what it took once it is through, and all sentences."""
        if isinstance(event, PhaseBegun):
            now = self._clock()
            self._phases[event.phase] = _Phase(event, started=now, last=now)
        elif isinstance(event, PhaseAdvanced):
            self._advanced(self._phases[event.phase], event.done)
        elif isinstance(event, PhaseEnded):
            phase = self._phases.pop(event.phase)
            if event.completed:
                self._completed(phase, event.done)
        elif sentence := self._sentences.of(event):
            self._print(sentence)

    def _advanced(self, phase: _Phase, done: int) -> None:
        now = self._clock()
        if now - phase.last >= SECONDS_BETWEEN_LINES:
            phase.last = now
            begun = phase.begun
            stands = where(done, total=begun.total, unit=begun.unit, seconds=now - phase.started)
            self._print(f"{begun.name}: {stands}")

    def _completed(self, phase: _Phase, done: int) -> None:
        name, unit, seconds = phase.begun.name, phase.begun.unit, self._clock() - phase.started
        speed = f", {rate(done / seconds, unit)}" if done and seconds >= 0.1 else ""
        self._print(f"{name}: {count(done, unit)} in {duration(seconds)}{speed}")

    def _print(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads any more: no reason to stop the work
            self._stream.write(printable(line) + "\n")
            self._stream.flush()


def progress_on(stream: TextIO) -> Progress:
    """Bars if `stream` is a terminal, else lines."""
    if stream.isatty():
        # Bars need rich, whose import costs more than the rest of the command line.
        from unfreeze.cli.bars import Bars

        return Progress(Bars(stream))
    return Progress(Lines(stream))


def progress_on_stderr() -> Progress:
    """Progress for a command."""
    return progress_on(sys.stderr)
