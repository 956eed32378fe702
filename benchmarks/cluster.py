"""What a second worker on Ray is worth, and what Ray costs: ``python benchmarks/cluster.py --images 4000 --rounds 3``.

`unfreeze codes` on drawn JPEG photos of noise, 256 x 256, with the default network, its graph kept and the store empty:
without Ray on one thread, on Ray with one worker, and with two, the sides in turn. All that a side runs has as many
cores as it has workers, Ray's own processes included: a worker decodes in a process of its own, which elsewhere takes a
second core where one is idle. A side's `work` are its phases of inspecting and reading, without starts: a cluster takes
some seconds to start, however much there is to do. `driver` is the processor time of the command's own process, which
on Ray hands out portions, notes what came of them and writes the file. A row is appended to `results.jsonl` for each
round; those that are there for this commit are not measured again.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from panel import code_version, is_there, keep
from PIL import Image

SIDE = 256  # pixels
SIDES = {
    "alone": ("--threads", "1"),
    "one worker": ("--on", "ray", "--workers", "1"),
    "two workers": ("--on", "ray", "--workers", "2"),
}
CORES = {"alone": 1, "one worker": 1, "two workers": 2}


def draw(folder: Path, images: int) -> Path:
    """Two classes of noise around a colour, so that a JPEG is as large as that of a photo."""
    for number in range(images):
        rng = np.random.default_rng(number)
        coarse = Image.fromarray(rng.integers(0, 256, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8))
        place = folder / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(place / f"{number:06}.jpg", quality=90)
    return folder


def seconds(photos: Path, side: str, cache: Path) -> dict[str, float]:
    """Of one side: the whole command, and what lies between its start and its end."""
    shutil.rmtree(cache / "codes", ignore_errors=True)
    environment = {**os.environ, "UNFREEZE_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "unfreeze", "codes", str(photos), "--out", f"{out}/c.parquet", "--json"]
        cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[: CORES[side]]))
        begun = time.perf_counter()
        process = subprocess.Popen(
            ["taskset", "--cpu-list", cores, *command, *SIDES[side]],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        driver = 0.0
        with suppress(psutil.Error):
            watched = psutil.Process(process.pid)  # taskset becomes the command
            while process.poll() is None:
                driver = sum(watched.cpu_times()[:2])
                time.sleep(0.2)
        said, _ = process.communicate()
        whole = time.perf_counter() - begun
    phases: dict[str, float] = json.loads(said)["phases"]
    return {"whole": round(whole, 2), "work": round(whole - phases["start"], 2), "driver": round(driver, 2)}


def main() -> None:
    """Measure the rounds that are not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    key: dict[str, Any] = {"measure": "cluster", "code": code_version(), "images": asked.images, "pinned": True}
    wanted = [number for number in range(asked.rounds) if not is_there({**key, "round": number})]
    if not wanted:
        return
    with tempfile.TemporaryDirectory() as name:
        photos, cache = draw(Path(name) / "photos", asked.images), Path(name) / "cache"
        seconds(draw(Path(name) / "few", 64), "alone", cache)  # the graph is kept from now on
        for number in wanted:
            order = list(SIDES)[number % 3 :] + list(SIDES)[: number % 3]
            found = {side: seconds(photos, side, cache) for side in order}
            keep({**key, "round": number, "load": os.getloadavg()[0], "seconds": found})


if __name__ == "__main__":
    main()
