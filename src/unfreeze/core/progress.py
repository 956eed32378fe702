"""Where work says what happens, and learns that it should stop."""

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import final

from unfreeze.core.events import Event, Listener, Noticed, PhaseAdvanced, PhaseBegun, PhaseEnded, Said
from unfreeze.core.findings import Finding
from unfreeze.core.stop import Stop

Advance = Callable[[int], None]


def ignore(done: int) -> None:
    """An `Advance` for work that is too short to need one."""


@final
class Progress:
    """Tells listeners what happens, one event at a time, from whatever thread; and looks at the stop.

    Args:
        listeners: Called with every event, in order. One that raises ends the work.
        stop: What every phase and every `advance` looks at; one that nobody sets if None.
    """

    def __init__(self, *listeners: Listener, stop: Stop | None = None) -> None:
        self._listeners = listeners
        self._numbers = count(1)
        self._one_at_a_time = threading.RLock()
        self.stop = stop or Stop()

    def also(self, *listeners: Listener) -> "Progress":
        """The same, with more listeners."""
        more = copy.copy(self)  # with the same numbers of phases, the same lock, the same stop
        more._listeners = (*self._listeners, *listeners)
        return more

    def tell(self, event: Event) -> None:
        """Tell all listeners of an event."""
        with self._one_at_a_time:
            for listener in self._listeners:
                listener(event)

    @contextmanager
    def phase(self, name: str, *, total: int, unit: str) -> Iterator[Advance]:
        """Tell of a phase as long as the block lasts.

        Args:
            name: For people.
            total: Units that it has; 0 if that is not known.
            unit: What is counted, in the singular.

        Yields:
            To be called with the number of units just done.

        Raises:
            StoppedError: Somebody wants the work to stop; the same holds for what is yielded.
        """
        self.stop.check()
        number, done, completed = next(self._numbers), 0, False
        self.tell(PhaseBegun(phase=number, name=name, total=total, unit=unit))

        def advance(more: int) -> None:
            nonlocal done
            with self._one_at_a_time:
                done += more
                if more:
                    self.tell(PhaseAdvanced(phase=number, done=done))
            self.stop.check()

        try:
            yield advance
            completed = True
        finally:
            self.tell(PhaseEnded(phase=number, done=done, completed=completed))

    def checkpoint(self, done: int = 0) -> None:  # noqa: ARG002 - an `Advance`
        """Look at the stop and count nothing: the `Advance` of work that no phase counts, and that may take seconds.

        Raises:
            StoppedError: Somebody wants the work to stop.
        """
        self.stop.check()

    def say(self, sentence: str) -> None:
        """Tell of a sentence."""
        self.tell(Said(sentence=sentence))

    def notice(self, finding: Finding) -> None:
        """Tell of a finding."""
        self.tell(Noticed(finding=finding))


SILENT = Progress()
