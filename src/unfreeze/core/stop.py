"""A request to stop, which anybody may make and all work looks at: Ctrl-C, a signal, a button, a test."""

from typing import final

from unfreeze.core.errors import StoppedError

INTERRUPTED = 130  # exit code; as of a program that Ctrl-C ended


@final
class Stop:
    """Set from any thread; whoever works looks at it between two steps.

    Work that catches `StoppedError`, to keep and deliver what there is, accepts the request: it goes on undisturbed
    until another one comes.

    Plain attributes, no lock: a signal's handler asks between any two steps of the thread that it interrupts, which may
    hold the lock.
    """

    def __init__(self) -> None:
        self._asked = False
        self.exit_code = INTERRUPTED
        self.was_requested = False

    @property
    def is_requested(self) -> bool:
        """Whether somebody wants the work to stop, and nobody has accepted that yet."""
        return self._asked

    def request(self, *, exit_code: int = INTERRUPTED) -> None:
        """Ask the work to stop.

        Args:
            exit_code: With which the process should end, if it is a command's; the first request decides.
        """
        if not self.was_requested:
            self.exit_code = exit_code
        self.was_requested = True
        self._asked = True

    def check(self) -> None:
        """Go on, unless somebody wants the work to stop.

        Raises:
            StoppedError: Somebody does.
        """
        if self._asked:
            raise StoppedError(self.exit_code)

    def accept(self) -> None:
        """The work has stopped, and what follows is to be finished."""
        self._asked = False
