"""Commands of ours in processes of their own: they can be stopped, and take nothing of the server's memory."""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol, final, runtime_checkable

from unfreeze.core.interrupts import SIGNALLED, SIGNALS

_KEPT_LINES: Final = 200  # of standard error
_OPENING: Final = "unfreeze: "  # of the sentence with which a command fails
_SECRETS: Final = frozenset({"UNFREEZE_TOKEN"})
STOPPED: Final = frozenset({0, *(SIGNALLED + number for number in SIGNALS), -signal.SIGTERM})


@runtime_checkable
class Command(Protocol):
    """A command that runs, or has ended."""

    @property
    def is_alive(self) -> bool:
        """Whether it still works."""
        ...

    @property
    def sentence(self) -> str:
        """Why it failed, as it says it to its user; empty if it did not, or was stopped."""
        ...

    def stop(self) -> None:
        """Ask it to end, which keeps what is finished; one that has ended is left alone."""
        ...

    def kill(self) -> None:
        """End it at once; what is in its journal is kept all the same."""
        ...

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended.

        Args:
            seconds: At most so long; None for as long as it takes.

        Returns:
            Whether it has.
        """
        ...


@final
class Child:
    """A command in a process of its own.

    It has a session of its own, so that a Ctrl-C in the server's terminal does not reach it: who stops it decides when.

    Args:
        arguments: What stands behind ``unfreeze``.
        keeps_output: Whether what it prints on standard output is wanted.
    """

    def __init__(self, arguments: Sequence[str], *, keeps_output: bool = False) -> None:
        # -P: a file called unfreeze.py in the user's folder is none of ours.
        command = [sys.executable, "-P", "-m", "unfreeze", *arguments]
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if keeps_output else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if name not in _SECRETS},
            start_new_session=True,
        )
        self._said: deque[bytes] = deque(maxlen=_KEPT_LINES)
        self._output = b""
        streams = [self._read_said, self._read_output] if keeps_output else [self._read_said]
        self._readers = [threading.Thread(target=reader, daemon=True) for reader in streams]
        for reader in self._readers:
            reader.start()

    @property
    def is_alive(self) -> bool:
        """As `Command.is_alive`."""
        return self._process.poll() is None

    def stop(self) -> None:
        """As `Command.stop`."""
        self._process.terminate()

    def kill(self) -> None:
        """As `Command.kill`."""
        self._process.kill()

    def wait(self, seconds: float | None = None) -> bool:
        """As `Command.wait`."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        for reader in self._readers:
            reader.join()
        return True

    @property
    def exit_code(self) -> int:
        """Of one that has ended; of one that a signal ended, its number with a minus."""
        code = self._process.poll()
        assert code is not None, "it still works"  # noqa: S101 - ours
        return code

    @property
    def output(self) -> bytes:
        """What it printed, once it has ended."""
        return self._output

    @property
    def last_line(self) -> str:
        """What it said last on standard error, where lines say how far it is; empty if nothing."""
        said = list(self._said)
        return said[-1].decode("utf-8", "replace").strip() if said else ""

    @property
    def sentence(self) -> str:
        """As `Command.sentence`."""
        if self.exit_code in STOPPED:
            return ""
        text = b"".join(self._said).decode("utf-8", "replace")
        _, opening, sentence = f"\n{text}".rpartition(f"\n{_OPENING}")
        if opening:
            return " ".join(sentence.split())
        return f"The command ended with exit code {self.exit_code} and said nothing; try it once more."

    def _read_said(self) -> None:
        stream = self._process.stderr
        assert stream is not None  # noqa: S101 - a pipe
        with stream:
            self._said.extend(stream)

    def _read_output(self) -> None:
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 - a pipe
        with stream:
            self._output = stream.read()
