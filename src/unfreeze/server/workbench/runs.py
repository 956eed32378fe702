"""The runs of a workbench: those that it starts, and all others in the same folder."""

import shlex
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Final, Literal, final

from unfreeze.core.errors import InputError
from unfreeze.core.event_log import EVENTS_FILE, read_events
from unfreeze.core.files import new_folder
from unfreeze.core.run_folder import PLAN, is_worked_in, plan_run, read_plan, run_name
from unfreeze.core.run_record import RUN_FILE, STOPPED_FILE, RunRecord, read_run
from unfreeze.core.settings import StudySettings
from unfreeze.core.wording import printable, score
from unfreeze.report.command_line import command_line
from unfreeze.server.problems import ProblemError
from unfreeze.server.workbench.children import Child, Command
from unfreeze.workflows.reports import REPORT, answer

State = Literal["running", "finished", "stopped", "unfinished", "failed"]
MOST_RUNS: Final = 200  # that are listed, the newest first
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class RunEntry:
    """A run in a list.

    Attributes:
        name: Of its folder.
        state: running; finished; stopped, with results so far; unfinished, without any; failed.
        is_ours: Whether this workbench runs it, and can stop it.
        source: Name of the folder of photos.
        begun: Seconds since 1970.
        budget_seconds: What it may take; None for as long as it takes, and where that is not known.
        answer: Sentences of its answer; empty where there is none yet.
        picked: The strategy that was picked; empty without one.
        score: Of that strategy, with its unit; empty without one.
        said: Why it failed; else empty.
        has_report: Whether it has a report.
        model: Where its model is, as a command takes it; empty without one.
        command: What starts the same run from a command line; empty where that is not known.
    """

    name: str
    state: State
    is_ours: bool = False
    source: str = ""
    begun: float = 0.0
    budget_seconds: float | None = None
    answer: tuple[str, ...] = ()
    picked: str = ""
    score: str = ""
    said: str = ""
    has_report: bool = False
    model: str = ""
    command: str = ""


@final
class Runs:
    """Runs in a folder; its methods may be called from any thread.

    Args:
        folder: Of all runs, as a command line would name it; made with the first one.
        begin: Begins the command that stands behind ``unfreeze``.
    """

    def __init__(self, folder: Path, begin: Callable[[Sequence[str]], Command] = Child) -> None:
        self.folder, self._command = folder, begin
        self._lock = threading.Lock()
        self._children: dict[str, Command] = {}
        self._failed: dict[str, RunEntry] = {}
        self._records: dict[str, tuple[tuple[int, int], RunRecord]] = {}

    def start(self, settings: StudySettings) -> str:
        """Begin a run in a process of its own.

        Args:
            settings: What is asked.

        Returns:
            Its name.

        Raises:
            ProblemError: Another run is under way.
            OutputError: Its folder cannot be written.
        """
        with self._lock:
            self._check_free()
            folder = new_folder(self.folder, run_name(settings.source))
            plan_run(folder, settings)
            self._begin(folder.name)
            return folder.name

    def resume(self, name: str) -> None:
        """Go on with a run that was stopped or killed.

        Raises:
            ProblemError: There is no such run, it cannot go on, or another one is under way.
        """
        with self._lock:
            self._check_free()
            if self._state(name) not in {"stopped", "unfinished"}:
                detail = "This run cannot go on: only one that was stopped or broken off can; start a new one."
                raise ProblemError(HTTPStatus.CONFLICT, "not-to-continue", detail)
            self._begin(name)

    def stop(self, name: str) -> None:
        """Ask a run to stop; what there is by then is kept.

        Raises:
            ProblemError: It is not under way, or not ours.
        """
        with self._lock:
            child = self._children.get(name)
            if child is None or not child.is_alive:
                detail = "This run is not under way in this workbench; where it was started, Ctrl-C stops it."
                raise ProblemError(HTTPStatus.CONFLICT, "not-under-way", detail)
            child.stop()

    def is_under_way(self, name: str) -> bool:
        """Whether somebody works at a run."""
        with self._lock:
            return self._state(name) == "running"

    def path(self, name: str) -> Path:
        """The folder of a run.

        Raises:
            ProblemError: There is no such run.
        """
        with self._lock:
            if self._state(name) is None:
                raise _unknown()
            return self.folder / name

    def entry(self, name: str) -> RunEntry:
        """A run, with its answer.

        Raises:
            ProblemError: There is no such run.
        """
        with self._lock:
            found = self._entry(name)
        if found is None:
            raise _unknown()
        return found

    def entries(self) -> tuple[RunEntry, ...]:
        """All runs, the newest first."""
        with self._lock:
            names = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
            found = [self._entry(name) for name in names | self._failed.keys()]
        return tuple(sorted(filter(None, found), key=lambda run: run.begun, reverse=True)[:MOST_RUNS])

    def under_way(self) -> list[str]:
        """Names of the runs of ours that somebody works at."""
        with self._lock:
            return [name for name, child in self._children.items() if child.is_alive]

    def close(self, *, hurries: Callable[[], bool]) -> None:
        """Stop what is under way, and wait for it.

        Args:
            hurries: Whether not to wait any longer: then it is killed, and can be continued all the same.
        """
        with self._lock:
            children = list(self._children.values())
            for child in children:
                child.stop()
            for child in children:
                while not child.wait(_LOOK_SECONDS):
                    if hurries():
                        child.kill()

    def _begin(self, name: str) -> None:
        self._failed.pop(name, None)
        self._children[name] = self._command(["run", "--resume", str(self.folder / name), "--json", "--quiet"])

    def _check_free(self) -> None:
        for name in self._children:
            if self._state(name) == "running":
                detail = "A run is under way already, and a second one would slow both; wait for it or stop it first."
                raise ProblemError(HTTPStatus.CONFLICT, "busy-with-a-run", detail)

    def _state(self, name: str) -> State | None:
        """Where a run stands; None if there is none of this name."""
        child = self._children.get(name)
        if child is not None and child.is_alive:
            return "running"
        if child is not None:
            self._settle(name, child)
        folder = self.folder / name
        if not _is_plain(name) or folder.is_symlink() or not folder.is_dir():
            return "failed" if name in self._failed else None
        if (folder / RUN_FILE).is_file():
            return "finished"
        if (folder / PLAN).is_file():
            if is_worked_in(folder):
                return "running"
            return "stopped" if (folder / STOPPED_FILE).is_file() else "unfinished"
        return "failed" if name in self._failed else None

    def _settle(self, name: str, child: Command) -> None:
        """Note how a process of ours has ended; what it has left empty goes."""
        child.wait()
        del self._children[name]
        if child.sentence:
            self._failed[name] = RunEntry(name=name, state="failed", begun=time.time(), said=printable(child.sentence))
            with suppress(OSError):
                (self.folder / name).rmdir()  # refuses a folder that holds anything

    def _entry(self, name: str) -> RunEntry | None:
        state, folder = self._state(name), self.folder / name
        if state is None:
            return None
        if state == "failed":
            return self._failed[name]
        if state in {"finished", "stopped"}:
            try:
                return replace(_of_record(self._record(folder), folder, state), said=self._why(name))
            except InputError as error:
                return RunEntry(name=name, state="failed", begun=_begun(folder), said=printable(str(error)))
        plan = read_plan(folder)
        return RunEntry(
            name=name,
            state=state,
            is_ours=name in self._children,
            source=printable(plan.settings.source.name) if plan else "",
            begun=_begun(folder),
            budget_seconds=plan.settings.budget_seconds if plan else None,
            command=printable(command_line(plan.settings)) if plan else "",
            said=self._why(name),
        )

    def _why(self, name: str) -> str:
        """Why a run that could go on did not; empty if nothing is known of that."""
        return self._failed[name].said if name in self._failed else ""

    def _record(self, folder: Path) -> RunRecord:
        """The record of a run, read once as long as it stays what it is."""
        path = folder / RUN_FILE
        found = (path if path.is_file() else folder / STOPPED_FILE).stat()
        version = found.st_mtime_ns, found.st_size
        known = self._records.get(folder.name)
        if known is None or known[0] != version:
            known = self._records[folder.name] = version, read_run(folder)
        return known[1]


def _of_record(record: RunRecord, folder: Path, state: State) -> RunEntry:
    picked = record.outcome_of(record.picked)
    return RunEntry(
        name=folder.name,
        state=state,
        source=printable(record.command.source.name or str(record.command.source)),
        begun=_begun(folder),
        budget_seconds=record.budget_seconds,
        answer=tuple(map(printable, answer(record, folder))),
        picked=picked.strategy.plain if picked else "",
        score=score(picked.score(record.metric), record.metric) if picked else "",
        has_report=(folder / REPORT).is_file(),
        model=shlex.quote(str(folder / record.model)) if record.model else "",
        command=printable(command_line(record.command)),
    )


def _begun(folder: Path) -> float:
    """When a run began: of its first event, or of its folder."""
    with suppress(OSError):
        for event in read_events(folder / EVENTS_FILE):
            if isinstance(event.get("time"), (int, float)):
                return float(event["time"])
    with suppress(OSError):
        return folder.stat().st_mtime
    return 0.0


def _is_plain(name: str) -> bool:
    """Whether a name is that of a folder in this one, which is not hidden and can be said in JSON."""
    return Path(name).name == name and name.isprintable() and not name.startswith(".")


def _unknown() -> ProblemError:
    return ProblemError(
        HTTPStatus.NOT_FOUND, "no-run", "There is no such run; the list of runs has all that there are."
    )
