"""Does a run that is killed and continued end as one that nobody disturbed? And how soon does a stopped one end?

    python benchmarks/kills.py --panel PANEL --set hymenoptera --kills 20

One run with a fixed plan is left alone. Then as many are killed (SIGKILL) at random moments between their first image
and their last file, half of them twice, and continued with `unfreeze run --resume`: their records should be equal, but
for times, memory and `resumed`, and no split that was on disk should be measured again. Codes are made anew by each;
how training computes fastest, which the clock chooses once per machine, is the same for all. After that one run each is
stopped by Ctrl-C, SIGTERM and SIGHUP in the middle of training, and the seconds until its process is gone are taken.
Rows are appended to `results.jsonl`; what is there already (same commit and seed) is not done again.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from panel import code_version, is_there, keep

from unfreeze.core.event_log import read_events

MEASURE = "kills"
OPTIONS = ("--size", "64", "--rounds", "1", "--epochs", "2", "--strategies", "2")
TIMES = {"sha256", "cost", "phases", "seconds", "seconds_an_image", "timed", "forecast_seconds", "resumed"}
TIME = re.compile(r"(\d+ min )?\d[\d.,]* (ms|s|min|h|GB|MB)\b")


def without_times(value: Any) -> Any:
    """A record but for what the clock and the process decide; times in sentences are one word."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return TIME.sub("TIME", value) if isinstance(value, str) else value


def start(source: Path, out: Path, cache: Path, *, resume: bool = False) -> subprocess.Popen[str]:
    """Begin a run, or go on with it."""
    what = ["--resume", str(out)] if resume else [str(source), "--out", str(out), *OPTIONS]
    return subprocess.Popen(
        [sys.executable, "-m", "unfreeze", "run", *what],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "UNFREEZE_CACHE": str(cache)},
        preexec_fn=usual_signals,  # noqa: PLW1509 - no thread has been started here
    )


def usual_signals() -> None:
    """A shell's background job, which this may be, passes over Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def finished(process: subprocess.Popen[str], out: Path) -> Any:
    """The record of a run that is left alone now."""
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return json.loads((out / "run.json").read_text())


def on_disk(out: Path) -> dict[tuple[str, int], float]:
    """By strategy and split: what measuring it took, as the disk has it."""
    found = {}
    for path in (out / "state").glob("*-on-split-?.json"):
        strategy, _, split = path.stem.rpartition("-on-split-")
        found[strategy, int(split)] = json.loads(path.read_text())["value"]["outcome"]["seconds"]
    return found


def kill_and_continue(source: Path, folder: Path, moments: list[float]) -> tuple[Any, dict[tuple[str, int], float]]:
    """The record of a run that is killed at these moments, seconds after each start; what was on disk by then."""
    out, cache, known = folder / "run", folder / "cache", dict[tuple[str, int], float]()
    process = start(source, out, cache)
    for moment in moments:
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        if (out / "run.json").exists():
            return json.loads((out / "run.json").read_text()), known
        known |= on_disk(out)
        process = start(source, out, cache, resume=(out / "plan.json").exists())
    return finished(process, out), known


def measure_kills(source: Path, folder: Path, *, kills: int, seed: int) -> dict[str, Any]:
    """All of them."""
    warm = folder / "warm"
    # Each in a folder of its own: runs that lie beside each other count how often they look at a test folder.
    finished(start(source, folder / "first" / "run", warm), folder / "first" / "run")
    shutil.rmtree(warm / "codes")
    shutil.copytree(warm, folder / "straight-cache")
    begun = time.perf_counter()
    alone = folder / "straight" / "run"
    straight = finished(start(source, alone, folder / "straight-cache"), alone)
    whole, rng = time.perf_counter() - begun, random.Random(seed)
    equal, twice, kept, done = 0, 0, 0, 0
    while done < kills:
        here = folder / f"kill-{done}"
        shutil.copytree(warm, here / "cache")
        moments = [rng.uniform(0.1, 1.0) * whole for _ in range(1 + done % 2)]
        record, known = kill_and_continue(source, here, moments)
        costs = {one["strategy"]: one["cost"]["split_seconds"] for one in record["strategies"]}
        again = sum(costs[strategy][split] != seconds for (strategy, split), seconds in known.items())
        differing = [key for key in straight if without_times(record[key]) != without_times(straight[key])]
        same = not set(differing) - TIMES
        equal, twice, kept, done = equal + same, twice + again, kept + len(known), done + 1
        print(f"kill {done}: after {moments}: equal {same} {differing}, {len(known)} splits on disk, {again} again")
        shutil.rmtree(here)
    found = {"equal": equal, "splits_on_disk": kept, "splits_measured_again": twice}
    return {"straight_seconds": round(whole, 1), **found}


def measure_stops(source: Path, folder: Path) -> dict[str, float]:
    """Seconds from a signal in the middle of training to the end of the process."""
    found = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        out = folder / f"stop-{number:02}"
        process = start(source, out, folder / "warm")
        events = out / "events.jsonl"
        while not (events.exists() and any(is_in_training(event) for event in read_events(events))):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        begun = time.perf_counter()
        process.send_signal(number)
        process.wait()
        found[signal.Signals(number).name] = round(time.perf_counter() - begun, 2)
        assert (out / "stopped.json").exists()
    return found


def is_in_training(event: dict[str, Any]) -> bool:
    """Whether blocks train: one split of them has been measured, so the next one goes on."""
    return event["event"] == "strategy measured" and event["strategy"] == "unfreeze-2"


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--set", default="hymenoptera")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    source = asked.panel / asked.set / "list.csv"
    key = {"measure": MEASURE, "set": asked.set, "seed": asked.seed, "kills": asked.kills, "code": code_version()}
    if is_there(key):
        return
    with tempfile.TemporaryDirectory() as name:
        found = measure_kills(source, Path(name), kills=asked.kills, seed=asked.seed)
        keep({**key, **found, "stop_to_exit_seconds": measure_stops(source, Path(name))})


if __name__ == "__main__":
    main()
