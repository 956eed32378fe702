"""How memory grows with the number of images: `unfreeze codes` on generated ones, with a tiny network, codes empty.

    python benchmarks/memory.py --sizes 10000,30000,100000

The images are PNG files of 8 x 8 random pixels in 100 class folders; a file takes one block of the disk, 4 KiB as a
rule, so that a million take 4.3 GB, and their codes (1,384 numbers at twelve taps) 5 GB in the store and as much in the
file that is written, which is removed with the rest.

`peak_mib` is the largest resident memory of the command as the system counts it. Nearly half of it are the libraries'
own files, some of which are touched only as the process ends, which could hide a growth: `anonymous_mib`, the largest
memory that is no file's, shows it. That and the largest decoder are looked at ten times a second. Rows that are there
already (same version of the code) are not measured again.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from panel import code_version, is_there, keep
from PIL import Image

MEASURE = "memory"
CLASSES = 100
NETWORK = "test_efficientnet"  # of timm, for tests: 0.4 million parameters
MIB = 2**20


def add_images(folder: Path, numbers: Sequence[int]) -> None:
    """Write one image a number; no two are the same."""
    for label in range(CLASSES):
        (folder / f"{label:02}").mkdir(parents=True, exist_ok=True)
    for number in numbers:
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number % CLASSES:02}" / f"{number:07}.png")


def random_weights(file: Path) -> Path:
    """Weights of the tiny network, written by another process: what this one uses must stay little."""
    code = (
        "import sys, timm, torch\nfrom safetensors.torch import save_file\ntorch.manual_seed(0)\n"
        f"save_file(timm.create_model('{NETWORK}').state_dict(), sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, str(file)], check=True)
    return file


def watch(process: subprocess.Popen[bytes], ended: threading.Event, peaks: dict[str, int]) -> None:
    """Keep the largest anonymous memory of a process, and the largest memory of any of its children, in bytes."""
    while not ended.wait(0.1):
        with suppress(psutil.Error, OSError):
            peaks["anonymous"] = max(peaks["anonymous"], memory_of(process.pid, "RssAnon"))
            for child in psutil.Process(process.pid).children(recursive=True):
                peaks["decoder"] = max(peaks["decoder"], memory_of(child.pid, "VmHWM"))


def watched(process: subprocess.Popen[bytes]) -> tuple[dict[str, Any], Any, dict[str, int]]:
    """Wait for a command with ``--json``: its document, what the system counted, and the peaks of `watch`."""
    ended, peaks = threading.Event(), {"anonymous": 0, "decoder": 0}
    watcher = threading.Thread(target=watch, args=(process, ended, peaks))
    watcher.start()
    assert process.stdout is not None
    said: dict[str, Any] = json.loads(process.stdout.read())
    _, _, used = os.wait4(process.pid, 0)
    ended.set()
    watcher.join()
    return said, used, peaks


def memory_of(pid: int, field: str) -> int:
    """A field of what Linux says of a process's memory, in bytes; 0 once the process has ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def measure(images: Path, weights: Path, work: Path, engine: str) -> dict[str, Any]:
    """One `unfreeze codes`, its store of codes empty."""
    shutil.rmtree(work / "cache" / "codes", ignore_errors=True)
    out = work / "codes.parquet"
    out.unlink(missing_ok=True)
    options = ["--backbone", NETWORK, "--weights", str(weights), "--size", "32", "--engine", engine, "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "unfreeze", "codes", str(images), "--out", str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "UNFREEZE_CACHE": str(work / "cache"), "TMPDIR": str(work)},
    )
    said, used, peaks = watched(process)
    seconds = said["phases"]["whole"]
    return {
        "images": said["images"],
        "computed": said["computed"],
        "peak_mib": round(used.ru_maxrss * 1024 / MIB, 1),
        "anonymous_mib": round(peaks["anonymous"] / MIB, 1),
        "decoder_mib": round(peaks["decoder"] / MIB, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "seconds": seconds,
        "images_per_second": round(said["images"] / seconds, 1),
        "engine": engine,
    }


def main() -> None:
    """Measure what is missing, the smallest set first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,30000,100000")
    parser.add_argument("--engine", default="torch")
    parser.add_argument("--work", type=Path, help="a folder for images and codes, instead of one for temporary files")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.work) as folder:
        work = Path(folder)
        weights = random_weights(work / "weights.safetensors")
        made = 0
        for size in sorted(map(int, asked.sizes.split(","))):
            cores = len(os.sched_getaffinity(0))
            key = {"measure": MEASURE, "size": size, "code": code_version(), "cores": cores, "engine": asked.engine}
            if is_there(key):
                continue
            add_images(work / "images", range(made, size))
            made = size
            keep({**key, **measure(work / "images", weights, work, asked.engine)})


if __name__ == "__main__":
    main()
