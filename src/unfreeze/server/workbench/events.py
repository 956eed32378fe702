"""A run's `events.jsonl` as server-sent events, from wherever a browser has read it last."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from unfreeze.core.errors import InputError
from unfreeze.core.strategies import parse_strategy

MEDIA_TYPE: Final = "text/event-stream"
_LOOK_SECONDS: Final = 0.25
_SILENT_SECONDS: Final = 15.0  # after which something is sent that says nothing: else what lies between may hang up
_MOST_BYTES: Final = 4_000_000  # that are read at a time


@dataclass(frozen=True)
class Line:
    """An event of a log.

    Attributes:
        end: Where the next one begins, bytes.
        event: As `core.event_log.event_json` gives it.
    """

    end: int
    event: dict[str, Any]

    @property
    def advances(self) -> Any:
        """The phase that it says advances; None if it says something else."""
        return self.event.get("phase") if self.event.get("event") == "phase advanced" else None


def lines_from(path: Path, start: int) -> tuple[list[Line], int]:
    """The whole lines of a log from some place on.

    Args:
        path: Of the log; one that is not there yet is empty.
        start: Where to begin, bytes; the beginning if it lies beyond the end, which is then that of another log.

    Returns:
        Its events, and where to read on. What is no event is passed over.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            place = file.seek(start if start <= size else 0)
            data = file.read(_MOST_BYTES)
    except OSError:
        return [], start
    found, whole = [], data[: data.rfind(b"\n") + 1]
    for text in whole.splitlines(keepends=True):
        place += len(text)
        try:
            event = json.loads(text)
        except ValueError:  # half a line, that a killed process left
            continue
        if isinstance(event, dict):
            found.append(Line(place, event))
    return found, place


def newest(lines: Sequence[Line]) -> list[Line]:
    """Of a phase that advances again and again with nothing between, the last step alone: nobody sees the others."""
    found: list[Line] = []
    for line in lines:
        if found and line.advances is not None and line.advances == found[-1].advances:
            found.pop()
        found.append(line)
    return found


def message(line: Line) -> bytes:
    """An event as a browser reads it: it says where it ended when it comes back."""
    return f"id: {line.end}\ndata: {json.dumps(_for_people(line.event), ensure_ascii=True)}\n\n".encode("ascii")


def _for_people(event: dict[str, Any]) -> dict[str, Any]:
    """With what a strategy is called on a terminal, where the event is about one: ``plain``."""
    if event.get("event") != "strategy measured":
        return event
    try:
        return {**event, "plain": parse_strategy(str(event.get("strategy"))).plain}
    except InputError:  # of another version of unfreeze
        return {**event, "plain": str(event.get("name"))}


async def stream(
    path: Path, start: int, *, is_over: Callable[[], bool], is_ending: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Everything that happens in a run, as it happens.

    Args:
        path: Of its log.
        start: As for `lines_from`.
        is_over: Whether nobody works at the run any more; may block for a moment.
        is_ending: Whether the server ends.

    Yields:
        Messages; the last one is of the kind ``over``, unless the server ends.
    """
    said = time.monotonic()
    while not is_ending():
        over = await asyncio.to_thread(is_over)  # before reading: what is written until then is read
        lines, after = await asyncio.to_thread(lines_from, path, start)
        if lines:
            said = time.monotonic()
            yield b"".join(message(line) for line in newest(lines))
        elif time.monotonic() - said > _SILENT_SECONDS:
            said = time.monotonic()
            yield b": still here\n\n"
        if over and after == start:
            yield b"event: over\ndata: {}\n\n"
            return
        if after == start:
            await asyncio.sleep(_LOOK_SECONDS)
        start = after
