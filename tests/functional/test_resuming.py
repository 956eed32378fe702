"""Runs that are killed or stopped in the middle, and go on: as in a user's shell."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from timeless import TIME, without_times
from unfreeze.core.event_log import read_events

pytestmark = pytest.mark.slow

CLASS_FILES = ("classes.csv", "confusion.csv")
OPTIONS = ("--size", "64", "--rounds", "1", "--epochs", "1", "--strategies", "1", "--max-bad", "0")
Event = dict[str, Any]
Moment = Callable[[Event], bool]


def is_phase(name: str) -> Moment:
    """When a phase begins."""
    return lambda event: event["event"] == "phase begun" and event["name"] == name


def is_measured(strategy: str, splits: int) -> Moment:
    """When a strategy has been measured on so many splits."""
    return lambda event: (
        (event["event"], event.get("strategy"), event.get("splits"))
        == (
            "strategy measured",
            strategy,
            splits,
        )
    )


MOMENTS = {
    "the codes": is_phase("codes"),
    "training": is_measured("unfreeze-1", 2),
    "the delivery": is_phase("predict"),
}


def measured_in(folder: Path) -> dict[tuple[str, int], float]:
    """By strategy and split: what measuring it took, as the disk has it."""
    found = {}
    for path in (folder / "state").glob("*-on-split-?.json"):
        strategy, _, split = path.stem.partition("-on-split-")
        found[strategy, int(split)] = json.loads(path.read_text())["value"]["outcome"]["seconds"]
    return found


class Shell:
    """Commands of a user on one set of photos; whatever is kept between runs is copied from a first run."""

    def __init__(self, photos: Path, folder: Path) -> None:
        self.photos, self.folder = photos, folder
        self.environment = {**os.environ, "OMP_NUM_THREADS": "1", "UNFREEZE_CACHE": str(folder / "cache")}

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Begin a run."""
        return subprocess.Popen(
            [sys.executable, "-m", "unfreeze", "run", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.folder,
        )

    def finish(self, *arguments: object) -> str:
        """A run from its beginning to its end; what it printed."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return output

    def until(self, process: subprocess.Popen[str], out: Path, moment: Moment) -> None:
        """Follow a run by its events until something happens, as another process may."""
        events = out / "events.jsonl"
        while not (events.exists() and any(map(moment, read_events(events)))):
            assert process.poll() is None, "it ended before"
            time.sleep(0.02)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Thirty photos of two classes that are not always told apart."""
    folder, rng = tmp_path_factory.mktemp("shell"), np.random.default_rng(0)
    for channel, label in enumerate(("red", "green")):
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(15):
            pixels = rng.integers(0, 160, (40, 40, 3)) + rng.integers(0, 60, 3)
            pixels[:, :, channel] += 12
            photo = Image.fromarray(pixels.astype(np.uint8))
            photo.save(folder / "photos" / label / f"{number:03}.png")
    return Shell(folder / "photos", folder)


@pytest.fixture(scope="module")
def straight(shell: Shell) -> Any:
    """The record of a run that nobody disturbed; codes are made anew by the others."""
    shell.finish(shell.photos, "--out", "straight", *OPTIONS)
    return json.loads((shell.folder / "straight" / "run.json").read_text())


@pytest.fixture
def forgotten(shell: Shell, straight: Any) -> None:
    """The codes of earlier runs are gone; how training computes fastest, which the clock chose, stays."""
    codes = shell.folder / "cache" / "codes"
    codes.rename(shell.folder / f"codes-{time.monotonic_ns()}")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_killed_and_continued_has_an_equal_record(
    shell: Shell, straight: Any, forgotten: None, moment: str
) -> None:
    """Whenever it is killed, nothing that was measured is measured again, and a watcher has seen every score."""
    out = shell.folder / f"killed-in-{moment.replace(' ', '-')}"
    process = shell.start(shell.photos, "--out", out, *OPTIONS)
    shell.until(process, out, MOMENTS[moment])
    process.kill()
    process.communicate()
    measured = measured_in(out)
    assert not (out / "run.json").exists()

    shell.finish("--resume", out)
    record = json.loads((out / "run.json").read_text())
    costs = {outcome["strategy"]: outcome["cost"]["split_seconds"] for outcome in record["strategies"]}
    scores = {event["strategy"] for event in read_events(out / "events.jsonl") if event["event"] == "strategy measured"}

    assert without_times(record) == without_times(straight)
    assert (record["resumed"], straight["resumed"]) == (1, 0)
    assert {key: costs[key[0]][key[1]] for key in measured} == measured
    assert scores == set(costs)
    assert {path.name for path in out.iterdir()} == {
        *("run.json", "report.html", *CLASS_FILES, "model", "events.jsonl", "neighbours.safetensors")
    }


@pytest.mark.usefixtures("usual_signals")
def test_every_signal_stops_a_run_alike_and_it_goes_on(shell: Shell, straight: Any) -> None:
    """Ctrl-C, SIGTERM and SIGHUP leave the same files and words, and each run ends as if nobody had stopped it."""
    stopped: dict[int, tuple[set[str], str, str]] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        out = Path(f"stopped-{number:02}")
        process = shell.start(shell.photos, "--out", out, *OPTIONS)
        shell.until(process, shell.folder / out, is_measured("unfreeze-1", 1))
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 128 + number, errors
        files = {path.name for path in (shell.folder / out).iterdir()}
        _, table, words = output.split("\n\n", 2)
        stopped[number] = files, TIME.sub("TIME", words).replace(str(out), "OUT"), errors
        assert json.loads((shell.folder / out / "stopped.json").read_text())["interrupted"]
        assert f"Go on with: unfreeze run --resume {out}\n" in output
        assert "last block" in table

    files, words, _ = stopped[signal.SIGINT]
    assert files == {"plan.json", "state", "lock", "stopped.json", "report.html", *CLASS_FILES, "model", "events.jsonl"}
    assert all((found[0], len(found[1].splitlines())) == (files, len(words.splitlines())) for found in stopped.values())
    assert all("Stopping after the current step" in found[2] for found in stopped.values())

    out = Path(f"stopped-{signal.SIGHUP:02}")
    shell.finish(shell.photos, "--out", out, *OPTIONS)  # the same command, too
    record = json.loads((shell.folder / out / "run.json").read_text())
    assert without_times(record) == without_times({**straight, "codes": record["codes"]})
    assert not (shell.folder / out / "stopped.json").exists()


def test_what_cannot_be_continued_is_refused_in_a_sentence(shell: Shell, straight: Any) -> None:
    """A finished run, other settings, other photos, options beside --resume: exit code 2, and nothing is touched."""
    process = shell.start("--resume", "straight")
    assert "holds a finished run, which is never touched" in process.communicate()[1]
    process = shell.start(shell.photos, "--resume", "straight", "--seed", "1")
    assert "Leave out --seed, SOURCE." in process.communicate()[1]
    process = shell.start()
    assert "SOURCE is missing" in process.communicate()[1]

    begun = shell.start(shell.photos, "--out", "changed", *OPTIONS)
    shell.until(begun, shell.folder / "changed", is_measured("head", 1))
    process = shell.start("--resume", "changed")
    assert f"Another process ({begun.pid}) works in changed." in process.communicate()[1]
    begun.kill()
    begun.communicate()
    process = shell.start(shell.photos, "--out", "changed", *OPTIONS, "--seed", "1")
    assert "it was begun with seed 0, not 1" in process.communicate()[1]
    photo = shell.photos / "red" / "000.png"
    photo.rename(photo.with_name("moved.png"))
    try:
        process = shell.start("--resume", "changed")
        errors = process.communicate()[1]
    finally:
        photo.with_name("moved.png").rename(photo)
    assert "The images of" in errors
    assert "are not those that the run was begun with" in errors
    assert process.returncode == 2
