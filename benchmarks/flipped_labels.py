"""Whether labels that are wrong on purpose are found, and what leaving them out gives back.

    python benchmarks/flipped_labels.py --panel PANEL --sets trashnet,eurosat --images 1200 --seeds 0,1

Of so many images of the train part of each set, drawn once, 5 % get another label at random. What is judged is the
linear classifier on the last codes with the nearest neighbours, as `unfreeze inspect --deep` has it. A row says which
share of the wrong labels is among the least probable 7.5 %; how many labels are doubted, and which share of those is
wrong; how many are doubted of the same images before labels were changed; and what a linear classifier gains without
those doubted, and without those that are wrong. PANEL holds a folder a set with a `list.csv` (path, label, split,
group). Rows are appended to `results.jsonl` beside this file.
"""

import argparse
import csv
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from panel import code_version, is_there, keep

from unfreeze.advisor.photo_checks import judge_labels, quality_of_labels, regained
from unfreeze.core.photo_checks import Regained
from unfreeze.core.settings import ImageSettings
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.data.tasks import make_task
from unfreeze.features.extraction import codes_of
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.photo_checks import linear_held_out
from unfreeze.workflows.reading import frozen_network

MEASURE = "flipped labels"
WRONG, TOP = 0.05, 0.075


def drawn(panel: Path, name: str, count: int, folder: Path) -> Path:
    """A list of some images of the train part."""
    source = panel / name / "list.csv"
    with source.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:count])
    out = folder / "list.csv"
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "group"))
        writer.writerows(
            (source.parent.resolve() / row["path"], row["label"], row["group"]) for row in (rows[i] for i in chosen)
        )
    return out


def read(source: Path) -> tuple[ImageSet, str, Float[np.ndarray, "image code"]]:
    """Images, the last tap and its codes."""
    settings = ImageSettings(source=source)
    with DecoderPool() as pool:
        network = frozen_network(settings, None)
        images = read_image_set(source, pool=pool, geometry=geometry_of(network.card))
        codes = codes_of(images, network, Resources(pool=pool), settings.request)
    tap, last = list(codes.by_tap.items())[-1]
    return images, tap, last


def relabelled(images: ImageSet, seed: int) -> tuple[ImageSet, Int[np.ndarray, " wrong"]]:
    """The images, some of them with another label, and which."""
    rng, classes = np.random.default_rng(seed), images.classes
    wrong = rng.permutation(len(images.images))[: round(WRONG * len(images.images))]
    labels = images.labels()
    labels[wrong] = (labels[wrong] + rng.integers(1, len(classes), len(wrong))) % len(classes)
    changed = tuple(
        replace(image, label=classes[label]) for image, label in zip(images.images, labels.tolist(), strict=True)
    )
    return replace(images, images=changed, class_names=classes), wrong


def gain(found: Regained | None) -> dict[str, Any] | None:
    return None if found is None else {"before": found.before, "after": found.after, "interval": list(found.gain)}


def measure(images: ImageSet, tap: str, codes: Float[np.ndarray, "image code"], seed: int) -> dict[str, Any]:
    """What is found with other labels, and without."""
    clean = make_task(images, seed=0)
    doubted_before, _ = judge_labels(clean, codes, linear_held_out(clean, tap, codes), classifiers=1)
    changed, wrong = relabelled(images, seed)
    task = make_task(changed, seed=0)
    held_out = linear_held_out(task, tap, codes)
    started = time.perf_counter()
    ranked = quality_of_labels(task, codes, held_out).ranked()
    _, suspects = judge_labels(task, codes, held_out, classifiers=1)
    without_suspects = regained(task, codes, suspects, seed=0)
    seconds = time.perf_counter() - started
    return {
        "images": len(images.images),
        "wrong": len(wrong),
        "found_in_top": float(np.isin(wrong, ranked[: round(TOP * len(ranked))]).mean()),
        "doubted": len(suspects),
        "doubted_rightly": float(np.isin(suspects, wrong).mean()) if len(suspects) else None,
        "doubted_before": len(doubted_before.suspects),
        "without_doubted": gain(without_suspects),
        "without_wrong": gain(regained(task, codes, wrong, seed=0)),
        "seconds": round(seconds, 2),
    }


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default="trashnet,eurosat")
    parser.add_argument("--images", type=int, default=1200)
    parser.add_argument("--seeds", default="0")
    asked = parser.parse_args()
    for name in asked.sets.split(","):
        with tempfile.TemporaryDirectory() as folder:
            images, tap, codes = read(drawn(asked.panel, name, asked.images, Path(folder)))
        for seed in map(int, asked.seeds.split(",")):
            key = {"measure": MEASURE, "set": name, "asked": asked.images, "seed": seed, "code": code_version()}
            if not is_there(key):
                keep({**key, **measure(images, tap, codes, seed)})


if __name__ == "__main__":
    main()
