"""`events.jsonl`: what happens in a run, a line an event, so that another process can follow it."""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from io import FileIO
from pathlib import Path
from typing import Any, final

from unfreeze.core.events import KINDS, Event, PhaseAdvanced, PhaseBegun, PhaseEnded
from unfreeze.core.records import plain

EVENTS_FILE = "events.jsonl"
SECONDS_BETWEEN_ADVANCES = 0.2  # of a phase: a batch may take a millisecond, and nobody reads a thousand lines a second


def event_json(event: Event, *, seconds: float) -> dict[str, Any]:
    """An event as `events.jsonl` has it.

    Args:
        event: Any.
        seconds: When it happened, since 1970.

    Returns:
        Plain data: ``time``, ``event`` (its kind), then its attributes; `docs/reference/events.md` lists them. A number
        that JSON does not have is None.
    """
    attributes = {each.name: _finite(plain(getattr(event, each.name))) for each in fields(event)}
    return {"time": round(seconds, 3), "event": KINDS[type(event)], **attributes}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@final
class EventLog:
    """A listener that appends every event to `events.jsonl`, at once and as a whole line.

    Of a phase that advances often, five steps a second are written, and always its last one. The log is there for
    whoever watches: a disk that refuses it ends the log, and not the work.

    Args:
        folder: Of the run. The file is made with the first event, or gets longer if the run is taken up again.
        clock: Seconds since 1970.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / EVENTS_FILE
        self._clock = clock
        self._file: FileIO | None = None
        self._refused = False
        self._written: dict[int, float] = {}  # by phase, when it was last written that it advanced
        self._waiting: dict[int, tuple[float, PhaseAdvanced]] = {}

    def __call__(self, event: Event) -> None:
        """Write an event, or have it wait for the next one of its phase."""
        now = self._clock()
        if isinstance(event, PhaseAdvanced):
            self._waiting[event.phase] = now, event
        elif isinstance(event, PhaseBegun):
            self._written[event.phase] = now
        elif isinstance(event, PhaseEnded):
            self._write_waiting(event.phase)
            self._written.pop(event.phase, None)
        for phase in [phase for phase in self._waiting if self._is_due(phase, now)]:
            self._write_waiting(phase)
        if not isinstance(event, PhaseAdvanced):
            self._write(event, now)

    def close(self) -> None:
        """Write what waits, and close the file; an event that comes later opens it again."""
        for phase in list(self._waiting):
            self._write_waiting(phase)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _is_due(self, phase: int, now: float) -> bool:
        passed = now - self._written.get(phase, -math.inf)
        return passed >= SECONDS_BETWEEN_ADVANCES or passed < 0  # the clock was set back

    def _write_waiting(self, phase: int) -> None:
        if phase in self._waiting:
            moment, event = self._waiting.pop(phase)
            self._written[phase] = moment
            self._write(event, moment)

    def _write(self, event: Event, moment: float) -> None:
        if self._refused:
            return
        line = json.dumps(event_json(event, seconds=moment), ensure_ascii=True).encode("ascii") + b"\n"
        try:
            if self._file is None:
                self._file = _opened(self._path)
            self._refused = self._file.write(line) != len(line)
        except OSError:
            self._refused = True


def _opened(path: Path) -> FileIO:
    """The file, at the beginning of a line: a process that was killed may have left half of one."""
    file = path.open("ab+", buffering=0)
    if file.tell():
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            file.write(b"\n")
    return file


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """What happened in a run, also while it goes on.

    Args:
        path: `events.jsonl`.

    Yields:
        One event a line, as `event_json` gives it; half a line is passed over: the last one while it is written, or
        one that a killed process left.
    """
    with path.open("rb") as file:
        for line in file:
            try:
                found = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found
