"""Similarity to the source on a panel: its value, how stable it is, and whether it goes with what fine-tuning gains.

    python benchmarks/similarity.py --panel PANEL

PANEL holds a folder a set with a `list.csv` (path, label, split, group). One row a set: the images are chosen by
content as the product does; a part of them is measured again as JPEG of quality 50, at half the size, and alone. One
row at the end: Spearman's rank correlation of the divergence with the gain of the best fine-tuning over the softmax on
the last codes, from rows of the measure "panel" that are in `results.jsonl` already.
"""

import argparse
import csv
import hashlib
import io
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from panel import code_version, is_there, keep, of_today, rows
from PIL import Image
from scipy.stats import spearmanr

from unfreeze.core.facts import Similarity
from unfreeze.data.squares import geometry_of
from unfreeze.features.similarity import similarity_of
from unfreeze.images.decoding import decode
from unfreeze.images.geometry import centre, square
from unfreeze.zoo.backbones import Backbone, load_backbone

MEASURE, RANK = "similarity", "similarity and gain"
SETS = "hymenoptera,trashnet,omniglot,magtile,eurosat,cifar10"


def sample(folder: Path, count: int) -> list[Image.Image]:
    """Decoded images of the train part, chosen by content."""
    with (folder / "list.csv").open() as file:
        contents = [(folder / row["path"]).read_bytes() for row in csv.DictReader(file) if row["split"] == "train"]
    contents.sort(key=lambda content: hashlib.sha256(content).hexdigest())
    return [decode(content).image for content in contents[:count]]


def as_jpeg(image: Image.Image) -> Image.Image:
    """At quality 50."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50)
    return Image.open(file).convert("RGB")


def halved(image: Image.Image) -> Image.Image:
    """At half the width and height."""
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)


def similarity(backbone: Backbone, images: Iterable[Image.Image]) -> Similarity:
    """Of images as the product would read them."""
    geometry = geometry_of(backbone.card)
    squares = np.stack([square(image, geometry) for image in images])
    return similarity_of(backbone, centre(squares, backbone.card.size))


def measure(backbone: Backbone, folder: Path, *, count: int, part: int) -> dict[str, Any]:
    """One set."""
    images = sample(folder, count)
    started = time.process_time()
    whole = similarity(backbone, images)
    seconds = time.process_time() - started
    few = images[:part]
    changes: dict[str, Callable[[Image.Image], Image.Image]] = {"jpeg_50": as_jpeg, "half_size": halved}
    alone = similarity(backbone, few)
    moved = {
        name: (similarity(backbone, [change(image) for image in few]).value or 0.0) - (alone.value or 0.0)
        for name, change in changes.items()
    }
    return {
        "images": len(images),
        "part": len(few),
        "divergence": whole.divergence,
        "similarity": whole.value,
        "input_size": whole.input_size,
        "dead_channels": whole.dead_channels,
        "confidence": whole.confidence,
        **moved,
        "part_alone": (alone.value or 0.0) - (whole.value or 0.0),
        "cpu_seconds": round(seconds, 1),
    }


def gains() -> dict[str, float]:
    """Best fine-tuning less the softmax on the last codes, by set: median over the newest row of each seed."""
    newest: dict[tuple[str, int], float] = {}
    for row in of_today(row for row in rows() if row["measure"] == "panel"):
        tuned = [s["accuracy"] for n, s in row["strategies"].items() if n.startswith(("unfreeze", "full"))]
        reached = [accuracy for accuracy in tuned if accuracy is not None]
        if reached:
            newest[row["set"], row["seed"]] = max(reached) - row["last_codes"]
    by_set: dict[str, list[float]] = {}
    for (name, _), gain in newest.items():
        by_set.setdefault(name, []).append(gain)
    return {name: statistics.median(found) for name, found in by_set.items()}


def rank_row(code: str) -> dict[str, Any]:
    """Rank correlation over the sets that have both."""
    gain = gains()
    divergence = {row["set"]: row["divergence"] for row in rows() if row["measure"] == MEASURE and row["set"] in gain}
    found = spearmanr(list(divergence.values()), [gain[name] for name in divergence])
    return {
        "measure": RANK,
        "code": code,
        "sets": len(divergence),
        "spearman": float(found.statistic),
        "p": float(found.pvalue),
        "gains": [f"{name} {gain[name]:+.3f}" for name in divergence],
    }


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--count", type=int, default=200, help="images of each set")
    parser.add_argument("--part", type=int, default=50, help="how many of them are measured again, changed and alone")
    asked = parser.parse_args()
    code, backbone = code_version(), load_backbone()
    for name in asked.sets.split(","):
        key = {"measure": MEASURE, "set": name, "code": code}
        if not is_there(key):
            keep(key | measure(backbone, asked.panel / name, count=asked.count, part=asked.part))
    keep(rank_row(code))


if __name__ == "__main__":
    main()
