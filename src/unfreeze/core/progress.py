"""How long work says where it stands: a protocol, and the silent one for programs."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, final, runtime_checkable

Advance = Callable[[int], None]


def ignore(done: int) -> None:
    """An `Advance` for work that is too short to need one."""


@runtime_checkable
class Progress(Protocol):
    """Somewhere to say where the work stands; a terminal, a browser or nowhere."""

    def phase(self, name: str, *, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Open a phase of `total` units; the value is called with the number of units just done."""
        ...

    def say(self, line: str) -> None:
        """Print one line beside the bar."""
        ...


@final
class Silent:
    """Says nothing."""

    @contextmanager
    def phase(self, name: str, *, total: int, unit: str) -> Iterator[Advance]:  # noqa: ARG002
        """Open a phase and ignore it."""
        yield ignore

    def say(self, line: str) -> None:
        """Ignore the line."""


SILENT = Silent()
