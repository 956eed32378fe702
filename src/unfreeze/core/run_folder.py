"""The folder of a run: who works in it, and whether what an earlier process began there can be continued.

It holds `plan.json` (what was asked) and `state/` (what was decided and measured) as long as the run is not finished,
then `run.json`. A folder with a `run.json` is never touched.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from unfreeze.core.errors import OutputError
from unfreeze.core.event_log import EVENTS_FILE
from unfreeze.core.file_names import LIST_SUFFIXES, SHARD_SUFFIXES, absolute, scheme_of
from unfreeze.core.files import NO_FOLLOW, disk_errors_explained, make_folder, sha256_of_json, sync_folder, write_json
from unfreeze.core.journal import FileJournal
from unfreeze.core.leftovers import TEMPORARY_PREFIX, paths_in, remove
from unfreeze.core.records import plain
from unfreeze.core.reservations import lock_now, sweep_beside
from unfreeze.core.run_record import CLASSES_FILE, CONFUSION_FILE, RUN_FILE, STOPPED_FILE
from unfreeze.core.settings import StudySettings
from unfreeze.core.versions import versions

if TYPE_CHECKING:
    from pydantic import TypeAdapter

RUNS = Path("unfreeze-runs")  # where runs go whose place nobody chose
PLAN, STATE, LOCK, MODEL = "plan.json", "state", "lock", "model"
Schema = Literal["unfreeze.plan/1"]


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """What `plan.json` holds.

    Attributes:
        schema: Name and version of the document.
        settings: What was asked.
        versions: Of unfreeze, Python and the libraries that move numbers.
        begun_in: The folder that the user stood in: paths that were given start from there.
        lives: How many processes have worked at it; 0 of a run that is only planned.
    """

    schema: Schema = "unfreeze.plan/1"
    settings: StudySettings
    versions: dict[str, str]
    begun_in: str
    lives: int = 1


@final
class RunFolder:
    """A folder that this process works in, and no other one.

    Attributes:
        path: Of the folder.
        settings: What was asked.
        lives: How many processes have worked at the run, this one included.
    """

    def __init__(self, path: Path, plan: RunPlan) -> None:
        self.path = path
        self.settings, self.lives = plan.settings, plan.lives

    @property
    def stopped_record(self) -> Path:
        """The record of what there was when the run was stopped last."""
        return self.path / STOPPED_FILE

    def journal(self, *, elapsed: Callable[[], float], turn_to: Callable[[float], None]) -> FileJournal:
        """What was decided and measured so far; arguments as for `FileJournal`."""
        return FileJournal(self.path / STATE, elapsed=elapsed, turn_to=turn_to)

    def clear_results(self) -> None:
        """Take away what a stopped run left for the user: it comes anew at the end."""
        if self.stopped_record.exists():
            shutil.rmtree(self.path / MODEL, ignore_errors=True)
            for name in ("report.html", CLASSES_FILE, CONFUSION_FILE, STOPPED_FILE):
                (self.path / name).unlink(missing_ok=True)

    def finish(self) -> None:
        """Take away what only an unfinished run needs."""
        for name in (PLAN, STOPPED_FILE, LOCK):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.path / STATE, ignore_errors=True)

    def discard(self) -> None:
        """Take away everything of a run that came to nothing."""
        self.finish()
        (self.path / EVENTS_FILE).unlink(missing_ok=True)


def run_name(source: Path) -> str:
    """A plain folder name for runs on `source`: its own name without what file systems or shells dislike."""
    resolved = absolute(Path(source))
    stem = resolved.stem if resolved.suffix.lower() in (*LIST_SUFFIXES, *SHARD_SUFFIXES) else resolved.name
    return re.sub(r"[^\w.-]+", "-", stem, flags=re.ASCII).strip("-.")[:60] or "photos"


def plan_run(folder: Path, settings: StudySettings) -> None:
    """Note in an empty folder what is asked of a run that has not begun: whoever continues it, begins it.

    Args:
        folder: There, and empty.
        settings: What is asked.

    Raises:
        OutputError: The folder cannot be written.
    """
    with disk_errors_explained(folder):
        _write_plan(folder, RunPlan(settings=settings, versions=versions(), begun_in=str(Path.cwd()), lives=0))


def is_worked_in(folder: Path) -> bool:
    """Whether a process works at the run in a folder now."""
    try:
        with (folder / LOCK).open("rb") as file:
            return not lock_now(file.fileno())
    except OSError:
        return False


@contextlib.contextmanager
def owned_run(folder: Path, settings: StudySettings | None) -> Iterator[RunFolder]:
    """Begin a run in a folder, or continue the one that was begun there.

    Args:
        folder: New, empty, or that of a run that was not finished.
        settings: What is asked; None for whatever was asked when it was begun.

    Yields:
        The folder, in which nobody else works until this ends.

    Raises:
        OutputError: The folder cannot be written, holds something else, belongs to a process that lives, or was begun
            with other settings or versions.
    """
    check_run_folder(folder, settings)
    with disk_errors_explained(folder):
        make_folder(folder)
    with _only_here(folder):
        _sweep(folder)
        plan = _plan_of(folder, settings)
        _write_plan(folder, plan)
        run = RunFolder(folder, plan)
        run.clear_results()
        yield run


def check_run_folder(folder: Path, settings: StudySettings | None) -> None:
    """Refuse a folder that `owned_run` would refuse, but for one that somebody works in; arguments as there."""
    with disk_errors_explained(folder):
        if not folder.exists() and not folder.is_symlink():
            if settings is None:
                msg = f"There is no run in {folder}. Give the folder of a run that was stopped."
                raise OutputError(msg)
            return
        if not folder.is_dir():
            msg = f"{folder} is no folder. Choose another place with --out."
            raise OutputError(msg)
        if (folder / RUN_FILE).exists():
            msg = f"{folder} holds a finished run, which is never touched. Choose another place with --out."
            raise OutputError(msg)
        begun = read_plan(folder)
        if begun is None:
            _refuse_strangers(folder, settings)
        elif (reason := _difference(begun, settings)) is not None:
            msg = f"The run in {folder} cannot be continued: {reason}. Choose another place with --out to begin anew."
            raise OutputError(msg)


def _refuse_strangers(folder: Path, settings: StudySettings | None) -> None:
    if settings is None:
        msg = f"There is no run in {folder} that could be continued: {PLAN} is missing or damaged."
        raise OutputError(msg)
    if any(path.name != LOCK and not path.name.startswith(TEMPORARY_PREFIX) for path in folder.iterdir()):
        msg = f"{folder} is not empty, and results are never overwritten. Choose another place with --out."
        raise OutputError(msg)


def read_plan(folder: Path) -> RunPlan | None:
    """The plan of a run that was not finished; None if there is none, or if it is damaged."""
    from pydantic import ValidationError

    try:
        document = json.loads((folder / PLAN).read_bytes())
        if document["sha256"] != sha256_of_json(document["plan"]):
            return None
        return _adapter().validate_json(json.dumps(document["plan"]))
    except (OSError, ValueError, LookupError, TypeError, RecursionError, ValidationError):
        return None


def can_be_continued(folder: Path, settings: StudySettings) -> bool:
    """Whether a folder holds an unfinished run with these settings that nobody works at."""
    if (folder / RUN_FILE).exists():
        return False
    begun = read_plan(folder)
    if begun is None or _difference(begun, settings) is not None:
        return False
    try:
        with _only_here(folder):
            return True
    except OutputError:
        return False


def _write_plan(folder: Path, plan: RunPlan) -> None:
    write_json(folder / PLAN, {"plan": plain(plan), "sha256": sha256_of_json(plain(plan))})


def _plan_of(folder: Path, settings: StudySettings | None) -> RunPlan:
    begun = read_plan(folder)
    if begun is not None:
        return replace(begun, lives=begun.lives + 1)
    assert settings is not None, folder  # noqa: S101 - checked before
    return RunPlan(settings=settings, versions=versions(), begun_in=str(Path.cwd()))


def _difference(begun: RunPlan, settings: StudySettings | None) -> str | None:
    """What keeps a run from being continued, in words; None if nothing does."""
    asked = begun.settings if settings is None else settings
    ours, theirs = plain(asked), plain(begun.settings)
    for name, value in theirs.items():
        if ours[name] != value:
            return f"it was begun with {name} {_shown(value)}, not {_shown(ours[name])}"
    now = versions()
    for name, version in begun.versions.items():
        if now.get(name) != version:
            return f"it was begun with {name} {version}, and here is {now.get(name)}"
    paths = [path for path in (asked.source, asked.test, asked.weights) if path is not None]
    given = [path for path in paths if not path.is_absolute() and not scheme_of(path)]
    if given and Path.cwd() != Path(begun.begun_in):
        return f"it was begun in the folder {begun.begun_in}, from where {given[0]} is meant; go there first"
    return None


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(map(str, value.values()))
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


@contextlib.contextmanager
def _only_here(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; the system lets go of it when the process ends, however it ends."""
    with disk_errors_explained(folder):  # of the lock alone: what fails inside the block speaks for itself
        file = os.fdopen(os.open(folder / LOCK, os.O_RDWR | os.O_APPEND | os.O_CREAT | NO_FOLLOW, 0o666), "a+b")
    with file:
        if not lock_now(file.fileno()):
            owner = (folder / LOCK).read_bytes().decode(errors="replace") or "?"
            msg = f"Another process ({owner}) works in {folder}. Wait for it, or choose another place with --out."
            raise OutputError(msg)
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield


def _sweep(folder: Path) -> None:
    """Remove what a process left half written that was killed here."""
    sweep_beside(folder)
    for path in [*paths_in(folder), *paths_in(folder / STATE), *paths_in(folder / MODEL)]:
        if path.name.startswith(TEMPORARY_PREFIX):
            remove(path)
    sync_folder(folder)


@cache
def _adapter() -> "TypeAdapter[RunPlan]":
    from pydantic import TypeAdapter

    return TypeAdapter(RunPlan)
