"""Does the interval of a step keep its promise on photos? Many small studies, drawn from sets that are large enough.

    python benchmarks/draws.py --panel PANEL --draws 400
    python benchmarks/draws.py --panel PANEL --more 40

A draw is a study: images drawn at random from all of a set (train and test parts together), the rounds of folds that a
run makes of them, probes with the C and the tap that a run finds inside each fold, and steps between the probes. Steps
without a network to train, since 400 draws of 20 folds are wanted; trainings are `trainings.py`. The head is left out:
it is the softmax on the last codes within a prediction. The truth of a step is the mean over the draws of the
difference on all images that were not drawn, of probes trained on the learning side of a fold.

With `--more`, studies on cifar10 that end in "cannot tell" and a number of images are given the middle of that range,
and are repeated: how many settle?

Rows are appended to `draws.jsonl` beside this file, one for every 5 draws (or for every study with `--more`); those
that are there already are not measured again, whatever the version of the code that they name. `page.py` sums up.
"""

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from panel import DRAWS, PROTOCOL, code_version, is_there, keep, rows

from unfreeze.core.seeding import generator
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.tasks import Split, Task
from unfreeze.features.frozen import read_codes
from unfreeze.images.pool import DecoderPool
from unfreeze.metrics.repeated import LOOKS, StepEstimate, compare_folds
from unfreeze.metrics.settling import what_would_settle
from unfreeze.strategies.depth_curve import LOSSES, ProbeSpec, TapProbe, best_probe, fit_tap_probes
from unfreeze.zoo.backbones import load_backbone

MEASURE, MORE = "folds", "more images"
CHUNK = 5
FIRST = 100  # the draws before it were looked at when the interval's factor was chosen
MARGIN = 0.01
MORE_IMAGES = 100  # that a study has which may ask for more: of 300, nearly all are worth it at once
MOST_DRAWS = 500  # for studies that might ask for images
TRUTH_SPLITS = 4  # of each draw whose probes are also asked about the images that were not drawn
SEARCHED = ("blocks.2", "blocks.4", "last")  # for the best tap: all would take twice the time
TAPS = ("blocks.2", "blocks.3", "blocks.4", "blocks.5", "blocks.6", "last")
STEPS = (
    ("blocks.2 softmax", "last softmax"),
    ("blocks.2 softmax", "blocks.4 softmax"),
    ("blocks.4 softmax", "last softmax"),
    ("last softmax", "best softmax"),  # at the tap that cross-validation finds
    ("last softmax", "last svm"),
)
TEN_CLASS_STEPS = STEPS[:4]  # an SVM of ten classes on the last codes takes twice the time of all the others
# Of large and of small true gains: where all are large, those that ask for images had bad luck, and more images settle
# nearly all of them; where all are small, those that ask had good luck.
MORE_STEPS = (
    *TEN_CLASS_STEPS[1:3],
    ("blocks.3 softmax", "blocks.4 softmax"),
    ("blocks.4 softmax", "blocks.5 softmax"),
    ("blocks.5 softmax", "blocks.6 softmax"),
    ("blocks.6 softmax", "last softmax"),
)
PAIRS = {"cifar10": ("cat", "dog"), "eurosat": ("AnnualCrop", "PermanentCrop"), "trashnet": ("glass", "plastic")}

Codes = dict[str, np.ndarray]
Row = dict[str, Any]
Steps = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Pool:
    """All images that draws are made from.

    Attributes:
        name: Of the set, with its two classes if it is a pair.
        images: Images of a draw.
        steps: That are asked about.
        image_set: All of them.
        codes: Of every image, at every tap that is probed.
        looks: Numbers of folds that are looked at.
    """

    name: str
    images: int
    steps: Steps
    image_set: ImageSet
    codes: Codes
    looks: tuple[int, ...] = LOOKS


def read_pools(source: Path, name: str) -> list[Pool]:
    """The whole set, and its pair of classes."""
    with DecoderPool() as pool:
        image_set = read_image_set(source, pool=pool)
        read = read_codes(image_set, load_backbone(), pool=pool)
    if read.set_aside:
        raise SystemExit(f"{len(read.set_aside)} images of {name} cannot be read; repair the set first.")
    last = list(read.by_tap)[-1]
    codes = {tap: read.by_tap[last if tap == "last" else tap] for tap in TAPS}
    rows = np.flatnonzero([image.label in PAIRS[name] for image in image_set.images])
    two = replace(image_set, images=tuple(image_set.images[row] for row in rows), class_names=())
    pair = Pool(f"{name}, {' or '.join(PAIRS[name])}", 100, STEPS, two, {tap: codes[tap][rows] for tap in TAPS})
    return [Pool(name, 300, TEN_CLASS_STEPS, image_set, codes, LOOKS[:2]), pair]


def draw(pool: Pool, number: int) -> np.ndarray:
    """All rows in the random order of this draw: a study takes the first ones."""
    return generator(number, "draw", pool.name).permutation(len(pool.image_set.images))


def study(pool: Pool, drawn: np.ndarray, number: int) -> Task:
    """A task of which only the drawn rows can be used."""
    every = np.arange(len(pool.image_set.images))
    return Task(
        image_set=pool.image_set,
        labels=pool.image_set.labels(),
        groups=tuple(image.group for image in pool.image_set.images),
        train_rows=np.sort(drawn),
        test_rows=np.setdiff1d(every, drawn),
        seed=number,
    )


def probes(pool: Pool, task: Task, split: Split, strategies: set[str]) -> dict[str, TapProbe]:
    """The probes of these strategies, as a run fits them."""
    wanted = strategies | {f"{tap} softmax" for tap in SEARCHED if "best softmax" in strategies}
    specs = [ProbeSpec(split, tap, loss) for tap in TAPS for loss in LOSSES if f"{tap} {loss}" in wanted]
    fitted = fit_tap_probes(pool.codes, task, specs)
    found = {f"{probe.tap} {probe.loss}": probe for probe in fitted}
    if "best softmax" in strategies:
        found["best softmax"] = best_probe([probe for probe in fitted if probe.loss == "softmax"])
    return {strategy: found[strategy] for strategy in strategies}


@dataclass(frozen=True, eq=False)
class Studied:
    """What is known of a study's strategies: which test images were right in each split, and accuracies elsewhere."""

    task: Task
    right: dict[str, list[np.ndarray]]
    elsewhere: dict[str, float]

    def step(self, first: str, second: str, splits: int) -> StepEstimate:
        """As a run compares two strategies."""
        parts = [self.task.split(number) for number in range(splits)]
        return compare_folds(
            self.right[first][:splits],
            self.right[second][:splits],
            self.task.tested(parts, "accuracy"),
            margin=MARGIN,
        )


def carry_out(pool: Pool, task: Task, steps: Iterable[tuple[str, str]], *, truth_splits: int) -> Studied:
    """Fit all probes on the largest number of splits."""
    strategies = {strategy for step in steps for strategy in step}
    right: dict[str, list[np.ndarray]] = {strategy: [] for strategy in strategies}
    elsewhere: dict[str, list[float]] = {strategy: [] for strategy in strategies}
    outside = task.labels[task.test_rows]
    for number in range(max(pool.looks)):
        split = task.split(number)
        for name, fitted in probes(pool, task, split, strategies).items():
            right[name].append((fitted.test_scores.argmax(axis=1) == task.labels[split.test]).astype(float))
            if number < truth_splits:
                said = fitted.probe.scores(pool.codes[fitted.tap][task.test_rows]).argmax(axis=1)
                elsewhere[name].append(float(np.mean(said == outside)))
    return Studied(task, right, {name: float(np.mean(each)) for name, each in elsewhere.items() if each})


def measure(pool: Pool, numbers: Iterable[int]) -> Row:
    """A row of several draws: for each step its true differences, and for each number of splits what was said."""
    steps: dict[str, Row] = {}
    for number in numbers:
        found = carry_out(
            pool, study(pool, draw(pool, number)[: pool.images], number), pool.steps, truth_splits=TRUTH_SPLITS
        )
        for first, second in pool.steps:
            step = steps.setdefault(f"{first} to {second}", {"elsewhere": [], **{str(k): [] for k in pool.looks}})
            step["elsewhere"].append(round(found.elsewhere[second] - found.elsewhere[first], 5))
            for splits in pool.looks:
                step[str(splits)].append(compact(found.step(first, second, splits)))
    return {"steps": steps}


def compact(estimate: StepEstimate) -> list[Any]:
    """Difference, half the interval, the answer; variances of images alone, of training sets and of unstable fits."""
    assert estimate.interval is not None  # there are five folds and more
    half = (estimate.interval.high - estimate.interval.low) / 2
    parts = (estimate.image_variance, estimate.training_variance, estimate.fit_variance)
    variances = [float(f"{variance:.4g}") for variance in parts]
    return [round(estimate.difference, 5), round(half, 5), estimate.answer, *variances]


def more_images(pool: Pool, number: int, step: tuple[str, str]) -> Row:
    """One study, and again with as many more images as it asked for."""
    order = draw(pool, number)
    before = carry_out(pool, study(pool, order[: pool.images], number), [step], truth_splits=0).step(
        *step, max(pool.looks)
    )
    row: Row = {"looks": pool.looks, "before": compact(before), "asked": None}
    if before.answer != "cannot tell":
        return row
    asked = what_would_settle(before, images=pool.images, splits=max(pool.looks)).more_images_range
    if asked is None:
        return row
    images = pool.images + sum(asked) // 2
    after = carry_out(pool, study(pool, order[:images], number), [step], truth_splits=0).step(*step, max(pool.looks))
    return {**row, "asked": list(asked), "images": images, "after": compact(after)}


def append(key: Row, measured: Row, started: float) -> None:
    """Keep a row."""
    facts = {"code": code_version(), "cpu_seconds": round(time.process_time() - started, 1)}
    keep({**key, **facts, **measured}, to=DRAWS, shown=(*key, *facts))


def measure_draws(pools: list[Pool], draws: int) -> None:
    """What is missing, all pools in turn."""
    for first in range(FIRST, FIRST + draws, CHUNK):
        for pool in pools:
            key = {"measure": MEASURE, "set": pool.name, "first": first}
            if is_there(key, DRAWS):
                continue
            started = time.process_time()
            append(
                {**key, "images": pool.images, "of": len(pool.image_set.images), "margin": MARGIN},
                measure(pool, range(first, first + CHUNK)),
                started,
            )


def measure_more(pool: Pool, wanted: int) -> None:
    """Until enough studies have asked for images, or too many have not."""
    common = {"measure": MORE, "protocol": PROTOCOL, "from": pool.images}
    found = [row for row in rows(DRAWS) if common.items() <= row.items()]
    asked = sum(row["asked"] is not None for row in found)
    for number, step in product(range(MOST_DRAWS), MORE_STEPS):
        if asked >= wanted:
            return
        key = {**common, "set": pool.name, "draw": number, "step": " to ".join(step)}
        if not any(key.items() <= row.items() for row in found):
            started = time.process_time()
            measured = more_images(pool, number, step)
            append(key, measured, started)
            asked += measured["asked"] is not None


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default="cifar10,eurosat,trashnet")
    parser.add_argument("--draws", type=int, default=400, help="of each set and of each pair")
    parser.add_argument("--of", choices=("all", "sets", "pairs"), default="all", help="whole sets, or two classes")
    parser.add_argument("--more", type=int, default=0, help="instead: studies on cifar10 that asked for images")
    asked = parser.parse_args()
    if asked.more:
        pool = read_pools(asked.panel / "cifar10" / "list.csv", "cifar10")[0]
        measure_more(replace(pool, images=MORE_IMAGES, looks=LOOKS), asked.more)
        return
    pools = [pool for name in asked.sets.split(",") for pool in read_pools(asked.panel / name / "list.csv", name)]
    wanted = {"all": pools, "sets": pools[::2], "pairs": pools[1::2]}[asked.of]
    measure_draws(wanted, asked.draws)


if __name__ == "__main__":
    main()
