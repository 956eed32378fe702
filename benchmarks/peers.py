"""Against what a user would pick instead: the same images, weights and cores, in one call, side after side.

    python benchmarks/peers.py --panel PANEL --peers PEERS --peer-python PYTHON --measures codes,step-one

PANEL holds a folder a set with `list.csv`, `train/` and `test/`; PEERS holds the peers' scripts, which PYTHON runs in
an environment of their own. Every side's clock starts after its imports; the whole process is noted beside it. Our
store of codes is empty in every repeat; the network, once converted and its engine chosen, is not converted again, nor
the engine measured ("first ever" is the side that does both). Rows are appended to `results.jsonl`; a measure and set
that is there already (same version of the code) is not run again.
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panel import code_version, is_there, keep
from PIL import Image

LARGE_IMAGES = 200
LARGE_SIZE = (4000, 3000)


@dataclass(frozen=True)
class Place:
    """Where things are.

    Attributes:
        data: A set: `list.csv`, `train/` and `test/`.
        peers: The peers' scripts.
        python: Runs them.
        cache: Ours, for this benchmark alone.
        budget: Of a whole run of ours, which uses what it is given.
    """

    data: Path
    peers: Path
    python: str
    cache: Path
    budget: str


Side = Callable[[Place], dict[str, Any]]


def run_json(command: list[str], **environment: str) -> tuple[dict[str, Any], float]:
    """What a command prints as JSON, and the wall time of its process in seconds."""
    started = time.perf_counter()
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
        check=True,
    )
    return json.loads(done.stdout[done.stdout.index("{") :]), time.perf_counter() - started


def peer(script: str, *options: str, seconds: str, accuracy: str | None = None) -> Side:
    """A side that is a peer's script; `seconds` and `accuracy` name fields of what it prints."""

    def side(place: Place) -> dict[str, Any]:
        said, whole = run_json([place.python, str(place.peers / script), str(place.data), *options])
        return {
            "seconds": said[seconds],
            "process": whole,
            "accuracy": said[accuracy] if accuracy else None,
            "said": said,
        }

    return side


def emptied(cache: Path, *, first_ever: bool) -> str:
    """Our cache without codes, and without the converted network if asked."""
    shutil.rmtree(cache if first_ever else cache / "codes", ignore_errors=True)
    return str(cache)


def codes_side(*, first_ever: bool = False) -> Side:
    """Codes at all taps: decoding, inspection, choice of engine, the network, and the durable store."""

    def side(place: Place) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "unfreeze", "codes", str(place.data / "list.csv"), "--json"]
            said, whole = run_json(
                [*command, "--out", f"{folder}/codes.parquet"],
                UNFREEZE_CACHE=emptied(place.cache, first_ever=first_ever),
            )
        phases = said["phases"]
        return {"seconds": phases["decode"] + phases["prefix"], "process": whole, "said": {"phases": phases}}

    return side


def limit_side(place: Place) -> dict[str, Any]:
    """The machine's own limit: decoding alone, then the network alone on what was decoded, each on all cores."""
    said, _ = run_json(
        [sys.executable, str(Path(__file__).parent / "limit.py"), str(place.data / "list.csv")],
        UNFREEZE_CACHE=str(place.cache),
    )
    return {"seconds": said["decode"] + said["prefix"], "process": None, "said": said}


def probe_side(place: Place) -> dict[str, Any]:
    """Step one: inspection, codes, and probes with a search for C at all taps."""
    command = [sys.executable, "-m", "unfreeze", "probe", str(place.data / "list.csv"), "--json"]
    said, whole = run_json(command, UNFREEZE_CACHE=emptied(place.cache, first_ever=False))
    best = max(said["depth_curve"], key=lambda point: point["cv_accuracy"])
    seconds = said["phases"]["whole"] - said["phases"]["start"]
    return {"seconds": seconds, "process": whole, "accuracy": best["accuracy"], "said": {"phases": said["phases"]}}


def tune_side(place: Place) -> dict[str, Any]:
    """The two-step recipe: the head, then two blocks for 20 epochs."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "unfreeze", "tune", str(place.data / "list.csv"), "--json", "--unfreeze", "2"]
        said, whole = run_json(
            [*command, "--epochs", "20", "--out", f"{folder}/model"],
            UNFREEZE_CACHE=emptied(place.cache, first_ever=False),
        )
    seconds = said["phases"]["whole"] - said["phases"]["start"]
    accuracy = said["strategies"][-1]["confirmation"]["accuracy"]
    return {"seconds": seconds, "process": whole, "accuracy": accuracy, "said": {"phases": said["phases"]}}


def run_side(place: Place) -> dict[str, Any]:
    """A whole run within the budget, with the strategies that it tries by default."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "unfreeze", "run", str(place.data / "list.csv"), "--json"]
        command += ["--budget", place.budget]
        said, whole = run_json(
            [*command, "--out", f"{folder}/run"], UNFREEZE_CACHE=emptied(place.cache, first_ever=False)
        )
    accuracy = next(s["confirmation"]["accuracy"] for s in said["strategies"] if s["strategy"] == said["picked"])
    return {"seconds": said["seconds"], "process": whole, "accuracy": accuracy, "said": {"phases": said["phases"]}}


TIMM = peer("timm_codes.py", "--codes-only", seconds="codes_s")
TIMM_FAST = peer("timm_codes.py", "--codes-only", "--fast", "--workers", "2", seconds="codes_s")
CODES: dict[str, Side] = {
    "ours, first ever": codes_side(first_ever=True),  # before ours, which finds the network converted
    "ours": codes_side(),
    "timm": TIMM,
    "timm, tuned": TIMM_FAST,
}
MEASURES: dict[str, tuple[dict[str, Side], int]] = {
    "codes": ({**CODES, "limit": limit_side}, 5),
    "codes of 12-megapixel photos": (CODES, 3),
    "step one": (
        {
            "ours": probe_side,
            "fastai": peer(
                "fastai_finetune.py", "--frozen-only", "--epochs", "3", seconds="total_s", accuracy="accuracy"
            ),
        },
        3,
    ),
    "two steps": (
        {
            "ours": tune_side,
            "fastai": peer("fastai_finetune.py", "--epochs", "5", seconds="total_s", accuracy="accuracy"),
        },
        1,
    ),
    "whole run": (
        {
            "ours": run_side,
            "fastai": peer("fastai_finetune.py", "--epochs", "5", seconds="total_s", accuracy="accuracy"),
        },
        1,
    ),
}


def large_photos(panel: Path, folder: Path) -> Path:
    """200 photos of 12 megapixels, tiled from smaller ones, in train and test folders of two classes."""
    sources = sorted((panel / "hymenoptera" / "train").rglob("*.jpg"))
    lines = ["path,label,split"]
    for number in range(LARGE_IMAGES):
        split, label = ("train", "test")[number % 4 == 3], ("a", "b")[number % 2]
        path = folder / split / label / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas = Image.new("RGB", LARGE_SIZE)
        for place in range(20):
            with Image.open(sources[(number + 11 * place) % len(sources)]) as tile:
                canvas.paste(tile.convert("RGB").resize((800, 750)), (place % 5 * 800, place // 5 * 750))
        canvas.save(path, quality=90)
        lines.append(f"{path.relative_to(folder)},{label},{split}")
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return folder


def measured(sides: dict[str, Side], place: Place, repeats: int) -> Iterator[dict[str, Any]]:
    """One row a side: all its repeats, side after side, so that a busy minute hits both."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for number in range(repeats):
        for name, side in sides.items():
            if name == "ours, first ever" and number:
                continue  # dear, and of interest once
            found[name].append(side(place))
            print(f"  {name}: {found[name][-1]['seconds']:.2f} s", flush=True)
    for name, all_of_it in found.items():
        seconds = [one["seconds"] for one in all_of_it]
        yield {
            "side": name,
            "seconds": round(statistics.median(seconds), 3),
            "spread": [round(min(seconds), 3), round(max(seconds), 3)],
            "repeats": len(seconds),
            "process": all_of_it[-1]["process"],
            "accuracy": all_of_it[-1].get("accuracy"),
            "said": all_of_it[-1]["said"],
        }


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--sets", default="hymenoptera,trashnet")
    parser.add_argument("--measures", default=",".join(MEASURES))
    parser.add_argument("--budget", default="15m", help="of whole runs")
    parser.add_argument("--repeats", type=int, help="instead of the measure's own number")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        cache = Path(work) / "cache"
        for measure in asked.measures.split(","):
            sides, repeats = MEASURES[measure]
            large = "12-megapixel" in measure
            for name in ["generated"] if large else asked.sets.split(","):
                key = {"measure": measure, "set": name, "code": code_version(), "cores": len(os.sched_getaffinity(0))}
                if is_there(key):
                    continue
                data = large_photos(asked.panel, Path(work) / "large") if large else asked.panel / name
                if not cache.exists():
                    codes_side()(
                        Place(data, asked.peers, asked.peer_python, cache, asked.budget)
                    )  # converts the network
                print(f"{measure}, {name}", flush=True)
                for row in measured(
                    sides, Place(data, asked.peers, asked.peer_python, cache, asked.budget), asked.repeats or repeats
                ):
                    keep({**key, **row})


if __name__ == "__main__":
    main()
