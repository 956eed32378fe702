"""Accuracy on a panel of image sets: what a run measures on each, one row a set and seed.

    python benchmarks/panel.py --panel PANEL --sets hymenoptera,trashnet --seeds 0,1,2 --budget 15m

PANEL holds a folder a set with a `list.csv` (path, label, split, group). Rows are appended to `results.jsonl` beside
this file; a set and seed that is there already (same budget and version of the code) is not run again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unfreeze.core.strategies import parse_strategy

RESULTS = Path(__file__).parent / "results.jsonl"
DRAWS = RESULTS.with_name("draws.jsonl")  # of draws.py: every study by itself
STEPS = RESULTS.with_name("steps.jsonl")  # of steps.py: every study by itself
MEASURE = "panel"


def code_version() -> str:
    """Commit of the code that is measured."""
    command = ["git", "-C", str(RESULTS.parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def rows(results: Path = RESULTS) -> list[dict[str, Any]]:
    """What has been measured before."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def is_there(key: dict[str, Any], results: Path = RESULTS) -> bool:
    """Whether a row with all of this has been measured before."""
    return any(key.items() <= row.items() for row in rows(results))


def keep(row: dict[str, Any], *, to: Path = RESULTS, shown: Iterable[str] | None = None) -> None:
    """Append a row to the results, with its date, and print it, or what of it is to be shown."""
    row = {**row, "date": datetime.now(UTC).isoformat(timespec="seconds")}
    with to.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row if shown is None else {name: row[name] for name in shown}), flush=True)


def measure(source: Path, *, seed: int, budget: str) -> dict[str, Any]:
    """One `unfreeze run`, as a user would start it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "unfreeze", "run", str(source), "--json"]
        options = ["--seed", str(seed), "--budget", budget, "--out", str(Path(folder) / "run")]
        started = time.perf_counter()
        done = subprocess.run([*command, *options], stdout=subprocess.PIPE, text=True, check=True)
        return {**summary(json.loads(done.stdout)), "wall_seconds": round(time.perf_counter() - started, 1)}


def label(strategy: str) -> str:
    """What rows call a strategy, of which a document gives the key."""
    return parse_strategy(strategy).label


def summary(record: dict[str, Any]) -> dict[str, Any]:
    """What the table needs of a run record."""
    by_name = {label(s["strategy"]): s for s in record["strategies"]}
    confirmed = {name: s["confirmation"] for name, s in by_name.items() if s["confirmation"]}
    last, picked = confirmed["softmax on the last codes"], confirmed[label(record["picked"])]
    tap = by_name["softmax on the best tap"]["tap"]
    pairs = zip(confirmed["head"]["predictions"], last["predictions"], strict=True)
    return {
        "test_images": len(record["test_images"]),
        "last_codes": last["accuracy"],
        "chosen_tap": tap,
        "at_chosen_tap": confirmed["softmax on the best tap"]["accuracy"],
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
        "metric": record["metric"],
        "picked": label(record["picked"]),
        "picked_accuracy": picked["accuracy"],
        "picked_balanced": picked["balanced_accuracy"],
        "codes": record["codes"],
        "run_seconds": round(record["seconds"], 1),
        "versions": record["versions"],
    }


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default="hymenoptera,trashnet,omniglot,magtile,eurosat,cifar10")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--budget", default="15m")
    asked = parser.parse_args()
    code = code_version()
    for seed in map(int, asked.seeds.split(",")):
        for name in asked.sets.split(","):
            key = {"measure": MEASURE, "set": name, "seed": seed, "budget": asked.budget, "code": code}
            if is_there(key):
                continue
            found = measure(asked.panel / name / "list.csv", seed=seed, budget=asked.budget)
            shown = ("set", "seed", "last_codes", "at_chosen_tap", "picked", "picked_accuracy")
            keep({**key, **found}, shown=shown)


if __name__ == "__main__":
    main()
