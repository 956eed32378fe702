"""The page on stopping a run and going on with it, done as it says."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from unfreeze.core.event_log import EVENTS_FILE, read_events

PhotoFolder = Callable[..., Path]

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "stop-and-resume.md").read_text(encoding="utf-8")
RUN = Path("runs/photos")  # on the page
SMALL = ("--rounds", "1", "--strategies", "none", "--size", "32", "--engine", "torch")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="no such signals")]


def blocks(language: str) -> list[str]:
    """The blocks of a language on the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def wait_for_a_score(process: subprocess.Popen[str], events: Path) -> None:
    """Until a strategy was measured, or nothing comes any more."""
    while process.poll() is None:
        if events.exists() and any(event["event"] == "strategy measured" for event in read_events(events)):
            return
        time.sleep(0.01)


def test_a_run_is_stopped_and_continued_as_the_page_says(
    tmp_path: Path, photo_folder: PhotoFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit codes, the last line, the files of an unfinished and of a finished run, and the scores from Python."""
    photo_folder("ants", "bees")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNFREEZE_CACHE", str(tmp_path / "cache"))
    unfinished = set(re.findall(r"^\| `([\w.]+)/?` \| (?!the)", PAGE.partition("its folder holds")[2], re.MULTILINE))
    started = [sys.executable, "-m", "unfreeze", "run", "photos", "--out", str(RUN), *SMALL]
    process = subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wait_for_a_score(process, RUN / EVENTS_FILE)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 143
    assert output.splitlines()[-1] == blocks("text")[0].strip()
    assert unfinished == {"plan.json", "state", "lock", "events.jsonl"}
    written = {"report.html", "classes.csv", "confusion.csv"}
    assert {path.name for path in RUN.iterdir()} - {"model"} == {*unfinished, "stopped.json", *written}

    resume = next(block for block in blocks("bash") if "--resume" in block)
    subprocess.run(
        [sys.executable, "-m", *shlex.split(resume)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    assert {path.name for path in RUN.iterdir()} == {
        *("run.json", *written, "model", "events.jsonl", "neighbours.safetensors")
    }
    reading = next(block for block in blocks("python") if "read_events" in block)
    exec(compile(reading, "stop-and-resume.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed if line.startswith(("stopped", "done"))] == ["stopped", "done"]
    assert sum("softmax on the last codes 1 " in line for line in printed) == 2
