"""What a run has decided and measured so far, on disk: so that a run that was stopped or killed can be continued.

Every entry is a file of its own, which appears whole or not at all. What is there is read back and never made again.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, final, runtime_checkable

from unfreeze.core.files import disk_errors_explained, sha256_of_json, write_bytes
from unfreeze.core.records import plain

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Value = TypeVar("Value")

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@runtime_checkable
class Journal(Protocol):
    """Keeps plain values under names: lower-case letters, digits and hyphens."""

    def knows(self, name: str) -> bool:
        """Whether a value is kept under `name`."""
        ...

    def kept(self, name: str, kind: Any) -> Any:
        """The value of this type that is kept under `name`; None if there is none."""
        ...

    def keep(self, name: str, value: Any) -> None:
        """Keep a value, in place of an older one."""
        ...


def once(journal: Journal, name: str, kind: Any, make: Callable[[], Value]) -> Value:
    """The value that is kept under `name`; if there is none, the one that `make` gives, which is kept from then on.

    Args:
        journal: Of the run.
        name: Of the value.
        kind: Its type: dataclasses, tuples, numbers and text; not None.
        make: Gives it.

    Returns:
        The value.
    """
    value: Value | None = journal.kept(name, kind)
    if value is None:
        value = make()
        journal.keep(name, value)
    return value


@final
class NoJournal:
    """Keeps nothing: of work that cannot be continued."""

    def knows(self, name: str) -> bool:  # noqa: ARG002
        """No."""
        return False

    def kept(self, name: str, kind: Any) -> Any:  # noqa: ARG002
        """Nothing."""
        return None

    def keep(self, name: str, value: Any) -> None:
        """Not even this."""


NO_JOURNAL = NoJournal()


@final
class MemoryJournal:
    """Keeps values as long as the process lives: what another process has decided, or a test.

    Args:
        values: What is known from the start, by name.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def knows(self, name: str) -> bool:
        """As `Journal.knows`."""
        return name in self._values

    def kept(self, name: str, kind: Any) -> Any:  # noqa: ARG002 - it is what was kept
        """As `Journal.kept`."""
        return self._values.get(name)

    def keep(self, name: str, value: Any) -> None:
        """As `Journal.keep`."""
        self._values[name] = value


@final
class FileJournal:
    """A folder with a file for every entry.

    A file that is damaged counts as none. Every entry knows when it was made, and the first time that another life of
    the run reads it back sets the clock to that time: so whatever is decided by time is decided as it was.

    Args:
        folder: Made where missing.
        elapsed: Seconds since the run began, without those in which nobody worked at it.
        turn_to: Called with what `elapsed` was when an earlier life made an entry that is read back.
    """

    def __init__(self, folder: Path, *, elapsed: Callable[[], float], turn_to: Callable[[float], None]) -> None:
        self._folder, self._elapsed, self._turn_to = folder, elapsed, turn_to
        self._of_this_life: set[str] = set()  # what was made or read back in it: time has gone on since
        with disk_errors_explained(folder):
            folder.mkdir(exist_ok=True)

    def knows(self, name: str) -> bool:
        """As `Journal.knows`."""
        return self._entry(name) is not None

    def kept(self, name: str, kind: Any) -> Any:
        """As `Journal.kept`."""
        from pydantic import ValidationError

        entry = self._entry(name)
        if entry is None:
            return None
        try:
            value = _adapter(kind).validate_json(json.dumps(entry["value"]))
        except ValidationError:  # of another kind, so not ours
            return None
        if name not in self._of_this_life:
            self._of_this_life.add(name)
            self._turn_to(entry["elapsed"])
        return value

    def keep(self, name: str, value: Any) -> None:
        """As `Journal.keep`.

        Raises:
            DiskFullError: No space is left.
            OutputError: The folder cannot be written.
        """
        self._of_this_life.add(name)
        entry = json.loads(json.dumps({"value": plain(value), "elapsed": round(self._elapsed(), 3)}))
        write_bytes(self._path(name), json.dumps({**entry, "sha256": sha256_of_json(entry)}).encode())

    def _entry(self, name: str) -> dict[str, Any] | None:
        try:
            entry: dict[str, Any] = json.loads(self._path(name).read_bytes())
            whole = entry.pop("sha256") == sha256_of_json(entry) and isinstance(entry["elapsed"], (int, float))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return entry if whole else None

    def _path(self, name: str) -> Path:
        assert _NAME.fullmatch(name), name  # noqa: S101 - names are ours
        return self._folder / f"{name}.json"


@cache
def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
