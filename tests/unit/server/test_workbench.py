"""The workbench without its server: what it reads of a run's log, and what becomes of runs."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import pytest

from unfreeze import __version__
from unfreeze.core.run_folder import LOCK, is_worked_in, owned_run, plan_run
from unfreeze.core.settings import StudySettings
from unfreeze.server.problems import ProblemError
from unfreeze.server.workbench import events
from unfreeze.server.workbench.children import Child
from unfreeze.server.workbench.events import Line, lines_from, message, newest, stream
from unfreeze.server.workbench.runs import Runs

SENTENCE = "photos has one class only, 'red'. A classifier needs the images of at least two."


def said(number: int) -> dict[str, Any]:
    """An event."""
    return {"time": float(number), "event": "said", "sentence": str(number)}


def advanced(phase: int, done: int) -> dict[str, Any]:
    """Another one."""
    return {"time": 1.0, "event": "phase advanced", "phase": phase, "done": done}


def written(path: Path, *found: dict[str, Any], rest: str = "") -> None:
    """Append events to a log, and half a line."""
    with path.open("a") as file:
        file.write("".join(f"{json.dumps(event)}\n" for event in found) + rest)


def test_a_log_is_read_on_from_where_it_was_left(tmp_path: Path) -> None:
    """Half a line waits for its end, or is passed over if a killed process left it; no log is an empty one."""
    log = tmp_path / "events.jsonl"
    nothing = lines_from(log, 0)
    written(log, said(1), said(2), rest='{"time": 3')
    first, place = lines_from(log, 0)
    written(log, rest="\n")
    written(log, said(4))
    second, end = lines_from(log, place)

    assert nothing == ([], 0)
    assert [line.event for line in first] == [said(1), said(2)]
    assert [line.event for line in second] == [said(4)]
    assert lines_from(log, first[0].end)[0] == [first[1], *second]
    assert end == log.stat().st_size
    assert lines_from(log, 10 * end)[0] == [*first, *second]  # of another log: from its beginning


def test_of_steps_that_nobody_sees_the_last_is_told() -> None:
    """Steps of one phase with nothing between them; what lies between them, or is of another phase, is told."""
    found = [advanced(1, 1), advanced(1, 2), advanced(2, 1), advanced(2, 5), said(1), advanced(2, 6)]
    lines = [Line(place, event) for place, event in enumerate(found)]

    assert [line.end for line in newest(lines)] == [1, 3, 4, 5]
    assert newest([]) == []


@pytest.mark.parametrize(
    ("strategy", "plain"), [("unfreeze-2", "last 2 blocks"), ("softmax-last", "linear, last layer"), ("new", "a name")]
)
def test_strategies_are_told_by_the_names_of_the_terminal(strategy: str, plain: str) -> None:
    """One that is unknown, of another version, by the name that it gave itself."""
    event = {"event": "strategy measured", "strategy": strategy, "name": "a name"}

    first, second = message(Line(7, event)).decode().strip().split("\n")

    assert first == "id: 7"
    assert json.loads(second.removeprefix("data: "))["plain"] == plain


def test_a_run_is_followed_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written between two looks is told, the last of it too, and then that it is over."""
    monkeypatch.setattr(events, "_LOOK_SECONDS", 0.001)
    log, looks = tmp_path / "events.jsonl", iter(range(1, 100))

    def is_over() -> bool:
        look = next(looks)
        if look <= 3:
            written(log, said(look))
        return look >= 3

    async def told() -> list[bytes]:
        return [part async for part in stream(log, 0, is_over=is_over, is_ending=lambda: False)]

    parts = b"".join(asyncio.run(told())).split(b"\n\n")

    assert [json.loads(part.split(b"data: ")[1]) for part in parts[:-2]] == [said(1), said(2), said(3)]
    assert parts[-2:] == [b"event: over\ndata: {}", b""]


@final
class Scripted:
    """A command that does nothing, and ends when it is told to."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments, self.is_alive, self.sentence = list(arguments), True, ""

    def stop(self) -> None:
        """As `Child.stop`."""
        self.is_alive = False

    def fail(self, sentence: str) -> None:
        """End with an error."""
        self.is_alive, self.sentence = False, sentence

    def kill(self) -> None:
        """As `Child.kill`."""
        self.is_alive = False

    def wait(self, seconds: float | None = None) -> bool:
        """As `Child.wait`."""
        return not self.is_alive


@final
class Commands:
    """Begins scripted ones in place of commands."""

    def __init__(self) -> None:
        self.begun: list[Scripted] = []

    def __call__(self, arguments: Sequence[str]) -> Scripted:
        """Begin one."""
        self.begun.append(Scripted(arguments))
        return self.begun[-1]


def test_a_run_that_fails_says_why_and_leaves_no_folder(tmp_path: Path) -> None:
    """As long as the workbench lives it stands in the list; another one may begin."""
    commands = Commands()
    found = Runs(tmp_path / "runs", commands)
    name = found.start(StudySettings(source=tmp_path / "photos"))
    folder = tmp_path / "runs" / name
    with owned_run(folder, None) as run:
        run.discard()
        running = found.entry(name).state
    commands.begun[0].fail(SENTENCE)

    assert (running, commands.begun[0].arguments[:3]) == ("running", ["run", "--resume", str(folder)])
    assert [(run.state, run.said) for run in found.entries()] == [("failed", SENTENCE)]
    assert not folder.exists()
    assert found.start(StudySettings(source=tmp_path / "photos")) == name


def test_runs_go_one_after_the_other(tmp_path: Path) -> None:
    """While one is under way no other begins or goes on; one that was broken off goes on as it was begun."""
    found, settings = Runs(tmp_path, Commands()), StudySettings(source=tmp_path / "photos", margin=3.0)
    first = found.start(settings)
    with pytest.raises(ProblemError, match="under way already"):
        found.start(settings)
    found.stop(first)
    state = found.entry(first).state
    found.resume(first)

    assert state == "unfinished"
    assert found.entry(first).command == f"unfreeze run {tmp_path / 'photos'} --margin 3"
    with pytest.raises(ProblemError, match="under way already"):
        found.resume(first)
    with pytest.raises(ProblemError, match="no such run"):
        found.entry("another")


def test_a_run_of_another_process_is_seen_and_left_alone(tmp_path: Path) -> None:
    """It is under way, and neither stopped nor gone on with from here."""
    commands = Commands()
    found, folder = Runs(tmp_path, commands), tmp_path / "typed"
    folder.mkdir()
    plan_run(folder, StudySettings(source=tmp_path / "photos"))
    with owned_run(folder, None):
        entry = found.entry("typed")
        with pytest.raises(ProblemError, match="not under way in this workbench"):
            found.stop("typed")
        with pytest.raises(ProblemError, match="cannot go on"):
            found.resume("typed")

    assert (entry.state, entry.is_ours) == ("running", False)
    assert found.entry("typed").state == "unfinished"
    assert commands.begun == []


def test_a_run_that_is_planned_begins_like_any_other(tmp_path: Path) -> None:
    """Whoever continues it is its first process and has the settings; whether somebody works in the folder is seen."""
    settings = StudySettings(source=tmp_path / "photos", strategies=("1",), budget_seconds=None)
    plan_run(tmp_path, settings)
    before = is_worked_in(tmp_path)
    with owned_run(tmp_path, None) as run:
        during = is_worked_in(tmp_path)

    assert (run.settings, run.lives) == (settings, 1)
    assert (before, during, is_worked_in(tmp_path)) == (False, True, False)
    assert (tmp_path / LOCK).exists()


def test_a_command_says_what_it_printed_or_why_it_failed(tmp_path: Path) -> None:
    """Its output is kept where it is wanted, its last sentence where it fails."""
    done = Child(["version", "--json"], keeps_output=True)
    failed = Child(["inspect", str(tmp_path / "nowhere")])
    done.wait()
    failed.wait()

    assert (done.last_line, failed.last_line) == ("", f"unfreeze: {failed.sentence}")
    assert (done.exit_code, done.sentence, json.loads(done.output)["unfreeze"]) == (0, "", __version__)
    assert failed.sentence == f"There is no folder or list {tmp_path / 'nowhere'}. Check the spelling."
    done.stop()  # of no effect
