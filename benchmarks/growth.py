"""How time and memory grow with the number of images: `unfreeze probe` on the first N images of a set, codes empty.

    python benchmarks/growth.py --panel PANEL --set cifar10 --sizes 1000,2000,4000,8000

Also the time from the start of the process to the end of the start-up, and the largest memory of the process. Rows that
are there already (same version of the code) are not run again.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from panel import code_version, is_there, keep

MEASURE = "growth"


def subset(source: Path, size: int, target: Path) -> Path:
    """A list of every k-th image of another list, `size` in all, with absolute paths."""
    with source.open(newline="") as file:
        every = list(csv.DictReader(file))
    chosen = [every[place * len(every) // size] for place in range(size)]
    with target.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "label", "split"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**row, "path": str((source.parent / row["path"]).resolve())} for row in chosen)
    return target


def measure(source: Path, cache: Path) -> dict[str, Any]:
    """One `unfreeze probe`, its store of codes empty."""
    shutil.rmtree(cache / "codes", ignore_errors=True)
    command = [sys.executable, "-m", "unfreeze", "probe", str(source), "--json"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "UNFREEZE_CACHE": str(cache)},
    )
    assert process.stdout is not None
    said = json.loads(process.stdout.read())
    _, _, used = os.wait4(process.pid, 0)
    phases = said["phases"]
    return {
        "images": said["images"]["used"],
        "start": phases["start"],
        "codes_seconds": round(phases["decode"] + phases["prefix"], 3),
        "probes_seconds": phases["probes"],
        "peak_mib": round(used.ru_maxrss / 1024),
    }


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--set", default="cifar10")
    parser.add_argument("--sizes", default="1000,2000,4000,8000")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        cache = Path(work) / "cache"
        measure(subset(asked.panel / asked.set / "list.csv", 100, Path(work) / "list.csv"), cache)  # converts once
        for size in map(int, asked.sizes.split(",")):
            cores = len(os.sched_getaffinity(0))
            key = {"measure": MEASURE, "set": asked.set, "size": size, "code": code_version(), "cores": cores}
            if is_there(key):
                continue
            keep({**key, **measure(subset(asked.panel / asked.set / "list.csv", size, Path(work) / "list.csv"), cache)})


if __name__ == "__main__":
    main()
