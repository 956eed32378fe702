"""`events.jsonl`: written while a run goes on, read by another process."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from unfreeze.core.event_log import EVENTS_FILE, EventLog, event_json, read_events
from unfreeze.core.events import (
    KINDS,
    Event,
    Finished,
    Noticed,
    PhaseAdvanced,
    PhaseBegun,
    PhaseEnded,
    Said,
    StrategyMeasured,
)
from unfreeze.core.findings import finding
from unfreeze.core.progress import Progress
from unfreeze.core.strategies import HEAD

EXAMPLES: tuple[Event, ...] = (
    PhaseBegun(phase=1, name="codes", total=3, unit="image"),
    PhaseAdvanced(phase=1, done=2),
    PhaseEnded(phase=1, done=3, completed=True),
    StrategyMeasured(strategy=HEAD, name="head", splits=1, metric="log-loss", score=0.25),
    Said(sentence="caf\u00e9 \udcff\n"),
    Noticed(finding=finding("UF105", "Small.", images=["a.png"])),
    Finished(picked=HEAD, model="model", stopped=False),
)


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now


@pytest.fixture
def clock() -> Hands:
    """Shows a thousand seconds."""
    return Hands()


@pytest.fixture
def followed(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """What a reader has by now."""
    return lambda: list(read_events(tmp_path / EVENTS_FILE))


@pytest.mark.parametrize("event", EXAMPLES, ids=[KINDS[type(event)] for event in EXAMPLES])
def test_an_event_is_plain_data(event: Event) -> None:
    """JSON holds its time, its kind and each of its attributes, and nothing else."""
    found = json.loads(json.dumps(event_json(event, seconds=1.23456)))

    assert list(found) == ["time", "event", *(each.name for each in fields(event))]
    assert (found["time"], found["event"]) == (1.235, KINDS[type(event)])


def test_a_strategy_is_its_key_and_a_finding_is_whole() -> None:
    """As in run.json."""
    *_, measured, _, noticed, finished = (event_json(event, seconds=0.0) for event in EXAMPLES)

    assert measured["strategy"] == finished["picked"] == "head"
    assert (noticed["finding"]["code"], noticed["finding"]["images"]) == ("UF105", ["a.png"])


def test_a_number_that_json_does_not_have_is_null() -> None:
    """A log-loss may be infinite."""
    event = StrategyMeasured(strategy=HEAD, name="head", splits=1, metric="log-loss", score=float("inf"))

    assert event_json(event, seconds=0.0)["score"] is None


def test_lines_are_there_at_once_and_ascii(tmp_path: Path) -> None:
    """After each event the file has one more whole line of ASCII, whatever the event holds."""
    log = EventLog(tmp_path)

    for number, event in enumerate(EXAMPLES[3:], start=1):
        log(event)
        text = (tmp_path / EVENTS_FILE).read_bytes()
        assert text.endswith(b"\n")
        assert len(text.decode("ascii").splitlines()) == number
    log.close()


def test_many_steps_are_five_lines_a_second(
    tmp_path: Path, clock: Hands, followed: Callable[[], list[dict[str, Any]]]
) -> None:
    """Of a thousand steps in two seconds ten or eleven are written, the last one among them, before the phase's end."""
    log = EventLog(tmp_path, clock=clock)
    with Progress(log).phase("train", total=1000, unit="image") as advance:
        for _ in range(1000):
            clock.now += 0.002
            advance(1)

    steps = [event["done"] for event in followed() if event["event"] == "phase advanced"]
    assert 10 <= len(steps) <= 11
    assert (steps[-1], followed()[-1]["event"]) == (1000, "phase ended")


def test_a_step_that_waits_is_written_with_the_next_event(
    tmp_path: Path, clock: Hands, followed: Callable[[], list[dict[str, Any]]]
) -> None:
    """Another phase's event brings it, with the time at which it happened."""
    log = EventLog(tmp_path, clock=clock)
    for event, later in (
        (PhaseBegun(phase=1, name="whole", total=2, unit="fit"), 0.1),
        (PhaseAdvanced(phase=1, done=1), 9.0),
        (Said(sentence="hello"), 0.0),
    ):
        log(event)
        clock.now += later

    assert [(event["event"], event["time"]) for event in followed()] == [
        ("phase begun", 1000.0),
        ("phase advanced", 1000.1),
        ("said", 1009.1),
    ]


def test_a_run_that_is_taken_up_again_appends(tmp_path: Path, followed: Callable[[], list[dict[str, Any]]]) -> None:
    """What the first process wrote stays, and half a line that it left when it was killed spoils none that follows."""
    for sentence in ("one", "two"):
        log = EventLog(tmp_path)
        log(Said(sentence=sentence))
        log.close()
        with (tmp_path / EVENTS_FILE).open("ab") as file:
            file.write(b'{"time": 1')

    assert [event["sentence"] for event in followed()] == ["one", "two"]


def test_a_disk_that_refuses_ends_the_log_and_not_the_work(tmp_path: Path) -> None:
    """No folder to write into: nothing is raised, and nothing is tried again."""
    log = EventLog(tmp_path / "gone")
    log(Said(sentence="one"))
    (tmp_path / "gone").mkdir()
    log(Said(sentence="two"))
    log.close()

    assert list((tmp_path / "gone").iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_full_disk_ends_the_log_and_not_the_work(tmp_path: Path) -> None:
    """Of a device that is always full nothing is heard."""
    (tmp_path / EVENTS_FILE).symlink_to("/dev/full")
    log = EventLog(tmp_path)

    log(Said(sentence="one"))
    log.close()
