"""Accuracy on a panel of image sets: what a run measures on each, one row a set and seed.

    python benchmarks/panel.py --panel PANEL --sets hymenoptera,trashnet --seeds 0,1,2 --budget 15m

PANEL holds a folder a set with a `list.csv` (path, label, split, group). Rows are appended to `results.jsonl` beside
this file; a set and seed that is there already (same budget, same protocol) is not run again. With `--busy` another
program keeps one core busy meanwhile.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from unfreeze.core.strategies import parse_strategy

RESULTS = Path(__file__).parent / "results.jsonl"
DRAWS = RESULTS.with_name("draws.jsonl")  # of draws.py: every study by itself
MEASURE = "panel"
# How a run measures; in every row of what a run says or picks. Another way of making splits or intervals is another
# protocol, whose rows do not count as measured. Rows from before rounds of folds have none.
PROTOCOL = "folds"


def code_version() -> str:
    """Commit of the code that is measured."""
    command = ["git", "-C", str(RESULTS.parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def rows(results: Path = RESULTS) -> list[dict[str, Any]]:
    """What has been measured before."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def is_there(key: dict[str, Any], results: Path = RESULTS) -> bool:
    """Whether a row with all of this has been measured before; one that does not say so is of a quiet machine."""
    return any(key.items() <= {"busy": False, **row}.items() for row in rows(results))


def of_today(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of today's protocol; while there are none, those of earlier ones."""
    every = list(found)
    return [row for row in every if row.get("protocol") == PROTOCOL] or every


def keep(row: dict[str, Any], *, to: Path = RESULTS, shown: Iterable[str] | None = None) -> None:
    """Append a row to the results, with its date, and print it, or what of it is to be shown."""
    row = {**row, "date": datetime.now(UTC).isoformat(timespec="seconds")}
    with to.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row if shown is None else {name: row[name] for name in shown}), flush=True)


def measure(source: Path, *, seed: int, budget: str, out: Path | None = None) -> dict[str, Any]:
    """One `unfreeze run`, as a user would start it, with nothing kept of earlier ones; `out` keeps its folder."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "unfreeze", "run", str(source), "--json"]
        options = ["--seed", str(seed), "--budget", budget, "--out", str(out or Path(folder) / "run")]
        started = time.perf_counter()
        environment = {**os.environ, "UNFREEZE_CACHE": str(Path(folder) / "cache")}
        done = subprocess.run([*command, *options], stdout=subprocess.PIPE, text=True, check=True, env=environment)
        return {**summary(json.loads(done.stdout)), "wall_seconds": round(time.perf_counter() - started, 1)}


@contextmanager
def busy() -> Iterator[None]:
    """Beside a program that keeps one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def label(strategy: str) -> str:
    """What rows call a strategy, of which a document gives the key."""
    return parse_strategy(strategy).label


def summary(record: dict[str, Any]) -> dict[str, Any]:
    """What the table needs of a run record."""
    by_name = {label(s["strategy"]): s for s in record["strategies"]}
    confirmed = {name: s["confirmation"] for name, s in by_name.items() if s["confirmation"]}
    names = ("softmax on the last codes", "softmax on the best tap", "linear on all taps", "head")
    last, best, joined, head = (confirmed.get(name) for name in names)  # those for which there was no time are missing
    picked, tap = confirmed[label(record["picked"])], by_name["softmax on the best tap"]["tap"]
    pairs = zip(head["predictions"], last["predictions"], strict=True) if head and last else ()
    return {
        "test_images": len(record["test_images"]),
        "last_codes": last and last["accuracy"],
        "chosen_tap": tap,
        "at_chosen_tap": best and best["accuracy"],
        "all_taps": joined and joined["accuracy"],
        "depth_curve": {p["tap"]: round(p["accuracy"], 4) for p in record["depth_curve"] if p["loss"] == "softmax"},
        "head_disagreements": sum(a != b for a, b in pairs),
        "strategies": {
            name: {
                "accuracy": s["accuracy"],
                "balanced_accuracy": s["balanced_accuracy"],
                "splits": s["splits"],
                "seconds": round(s["cost"]["seconds"], 1),
                "status": s["status"],
                "note": s["note"],
            }
            for name, s in by_name.items()
        },
        "steps": [{k: v for k, v in c.items() if k != "settling"} for c in record["comparisons"]],
        "decisions": decisions(record),
        "metric": record["metric"],
        "picked": label(record["picked"]),
        "picked_accuracy": picked["accuracy"],
        "picked_balanced": picked["balanced_accuracy"],
        "codes": record["codes"],
        "run_seconds": round(record["seconds"], 1),
        "versions": record["versions"],
    }


def decisions(record: dict[str, Any]) -> dict[str, Any]:
    """How many steps were asked and decided, and how many an ideal interval would decide.

    An ideal interval is that of a study that knows nothing but its images' differences: without anything for training
    sets, seeds, and images that were not seen; too sure, and so what no honest one can reach.
    """
    asked = [step for step in record["comparisons"] if step["answer"] != "same"]
    decided = [step for step in asked if step["answer"] != "cannot tell"]
    trained = [step for step in asked if step["first"] == "head" and step["second"].startswith(("unfreeze", "full"))]
    answers = {step["answer"] for step in trained}
    enough = "no" if "worth it" in answers else "cannot tell" if "cannot tell" in answers else "yes"
    return {
        "asked": len(asked),
        "decided": len(decided),
        "ideally": sum(ideally_decided(step, record) for step in asked),
        "step_one_is_enough": enough if trained else None,
        "head_to_two_blocks": next((s["answer"] for s in trained if s["second"] == "unfreeze-2"), None),
    }


def ideally_decided(step: dict[str, Any], record: dict[str, Any]) -> bool:
    """Whether the margin is further from the difference than 1.96 standard errors of the images alone."""
    if record["metric"] != "accuracy":
        return bool(step["answer"] != "cannot tell")
    labels = np.array(record["train_labels"])
    sides = [
        next(s["predictions"] for s in record["strategies"] if s["strategy"] == step[side])
        for side in ("first", "second")
    ]
    total, times = np.zeros(len(labels)), np.zeros(len(labels))
    for split, before, after in zip(record["splits"], *sides, strict=False):
        test = np.array(split["test"])
        total[test] += (np.array(after) == labels[test]).astype(int) - (np.array(before) == labels[test])
        times[test] += 1
    each = total[times > 0] / times[times > 0]
    error = float(each.std(ddof=1)) / len(each) ** 0.5
    return bool(abs(float(each.mean()) - record["margin"]) > 1.96 * error)


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default="hymenoptera,trashnet,omniglot,magtile,eurosat,cifar10")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--budget", default="15m")
    parser.add_argument("--busy", action="store_true", help="beside a program that keeps one core busy")
    parser.add_argument("--runs", type=Path, help="folder that keeps the runs, to be read and looked at")
    asked = parser.parse_args()
    code = code_version()
    for seed in map(int, asked.seeds.split(",")):
        for name in asked.sets.split(","):
            key = {"measure": MEASURE, "set": name, "seed": seed, "budget": asked.budget, "protocol": PROTOCOL}
            key["busy"] = asked.busy
            if is_there(key):
                continue
            out = asked.runs and asked.runs / f"{name}-{asked.budget}-{seed}{'-busy' * asked.busy}"
            with busy() if asked.busy else nullcontext():
                found = measure(asked.panel / name / "list.csv", seed=seed, budget=asked.budget, out=out)
            shown = ("set", "seed", "last_codes", "at_chosen_tap", "picked", "picked_accuracy", "decisions")
            keep({**key, "code": code, **found}, shown=shown)


if __name__ == "__main__":
    main()
