"""`events.jsonl`: what happens in a run, a line an event, so that another process can follow it."""

from dataclasses import fields
from typing import Any

from unfreeze.core.events import KINDS, Event
from unfreeze.core.records import plain


def event_json(event: Event, *, seconds: float) -> dict[str, Any]:
    """An event as `events.jsonl` has it.

    Args:
        event: Any.
        seconds: When it happened, since 1970.

    Returns:
        Plain data: ``time``, ``event`` (its kind), then its attributes; `docs/reference/events.md` lists them.
    """
    attributes = {each.name: plain(getattr(event, each.name)) for each in fields(event)}
    return {"time": round(seconds, 3), "event": KINDS[type(event)], **attributes}
