"""How long a user waits before anything happens: ``python benchmarks/startup.py --panel PANEL``.

Wall time of whole processes, started again for every repeat: `unfreeze --help`, `unfreeze codes` on a folder of eight
photos with an empty store, the network converted and its engine chosen already, and `unfreeze predict` of one photo by
a model that was used before. `codes` is more than the time to the first decoded image: it decodes all, runs the network
and writes the codes. The time to the first decoded image lies between its phase `start` and `start` + `decode`.

A row is appended to `results.jsonl`; one that is there already for this commit is not measured again.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from panel import code_version, is_there, keep

REPEATS = 5


def spread(values: list[float]) -> dict[str, Any]:
    """Median and range, seconds."""
    return {"median": round(statistics.median(values), 3), "range": [round(min(values), 3), round(max(values), 3)]}


def few_photos(source: Path, folder: Path) -> Path:
    """A folder with the first four photos of each of two classes."""
    for of_class in sorted((source / "train").iterdir())[:2]:
        place = folder / "photos" / of_class.name
        place.mkdir(parents=True)
        for photo in sorted(of_class.iterdir())[:4]:
            shutil.copy(photo, place)
    return folder / "photos"


def help_seconds() -> float:
    """Of the whole process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "unfreeze", "--help"], check=True, capture_output=True)
    return time.perf_counter() - started


def codes_seconds(photos: Path, cache: Path) -> tuple[float, dict[str, float]]:
    """Of the whole process, and its own phases."""
    shutil.rmtree(cache / "codes", ignore_errors=True)
    command = [sys.executable, "-m", "unfreeze", "codes", str(photos), "--json", "--out"]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        done = subprocess.run(
            [*command, f"{folder}/codes.parquet"],
            check=True,
            capture_output=True,
            env={**os.environ, "UNFREEZE_CACHE": str(cache)},
        )
        return time.perf_counter() - started, json.loads(done.stdout)["phases"]


def predict_seconds(model: Path, photo: Path, cache: Path) -> float:
    """Of the whole process."""
    command = [sys.executable, "-m", "unfreeze", "predict", str(model), str(photo)]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "UNFREEZE_CACHE": str(cache)})
    return time.perf_counter() - started


def trained(photos: Path, model: Path, cache: Path) -> Path:
    """A model: the head alone."""
    command = [sys.executable, "-m", "unfreeze", "tune", str(photos), "--unfreeze", "head", "--out", str(model)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "UNFREEZE_CACHE": str(cache)})
    return model


def measure(source: Path) -> dict[str, Any]:
    """Everything, after one of each that does not count."""
    with tempfile.TemporaryDirectory() as name:
        photos, cache = few_photos(source, Path(name)), Path(name) / "cache"
        help_seconds(), codes_seconds(photos, cache)
        model, photo = trained(photos, Path(name) / "model", cache), next(photos.rglob("*.jpg"))
        predict_seconds(model, photo, cache)
        helps = [help_seconds() for _ in range(REPEATS)]
        runs = [codes_seconds(photos, cache) for _ in range(REPEATS)]
        predictions = [predict_seconds(model, photo, cache) for _ in range(REPEATS)]
    return {
        "help": spread(helps),
        "start": spread([phases["start"] for _, phases in runs]),
        "start and decode": spread([phases["start"] + phases["decode"] for _, phases in runs]),
        "whole process": spread([whole for whole, _ in runs]),
        "predict": spread(predictions),
    }


def main() -> None:
    """Measure unless it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    asked = parser.parse_args()
    key = {"measure": "start-up", "code": code_version(), "cores": len(os.sched_getaffinity(0))}
    if is_there(key):
        return
    keep({**key, **measure(asked.panel / "hymenoptera")})


if __name__ == "__main__":
    main()
