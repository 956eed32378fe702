"""Standard output of a command: one table for people or one JSON document for programs, and nothing else.

While a command works, file descriptor 1 points at standard error, so that whatever a library prints cannot get between
a program and its document.
"""

import contextlib
import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, final

from unfreeze.core.wording import printable

if TYPE_CHECKING:
    from rich.console import RenderableType


class ReaderGoneError(Exception):
    """Nobody reads standard output any more (``unfreeze … | head``)."""


@final
class Output:
    """Where a command's result goes.

    Args:
        descriptor: An open file descriptor.
        as_json: Whether a program reads it.
    """

    def __init__(self, descriptor: int, *, as_json: bool) -> None:
        self._descriptor = descriptor
        self.as_json = as_json

    def document(self, document: Any) -> None:
        """Write the one JSON document, a record or plain data, if a program asked for it."""
        if self.as_json:
            from unfreeze.core.records import plain

            self._write(json_text(plain(document)))

    def line(self, text: str = "") -> None:
        """Write one line for people, wrapped to the terminal's width."""
        if self.as_json:
            return
        from rich.text import Text

        self._show(Text(printable(text)))

    def text(self, text: str) -> None:
        """Write text for programs as it is, such as rows of CSV."""
        self._write(text)

    def table(self, table: "RenderableType") -> None:
        """Write a table for people."""
        if not self.as_json:
            self._show(table)

    def _show(self, what: "RenderableType") -> None:
        from unfreeze.report.table import PIPE_WIDTH, rendered

        terminal = os.isatty(self._descriptor)
        width = shutil.get_terminal_size((100, 24)).columns if terminal else PIPE_WIDTH
        self._write(rendered(what, width=width, colour=terminal))

    def _write(self, text: str) -> None:
        data = text.encode(sys.stdout.encoding or "utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except BrokenPipeError:
            raise ReaderGoneError from None


def json_text(document: Any) -> str:
    """A document as ASCII JSON; what is no number (NaN, infinity) becomes null, as JSON has no word for it."""
    return json.dumps(_without_nan(document), ensure_ascii=True, indent=1, allow_nan=False) + "\n"


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return value


@contextlib.contextmanager
def result_output(*, as_json: bool) -> Iterator[Output]:
    """Keep standard output for the result, and send all other printing to standard error.

    Args:
        as_json: Whether a program reads the result.

    Yields:
        Where the result goes.
    """
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        yield Output(ours, as_json=as_json)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        os.dup2(ours, 1)
        os.close(ours)
