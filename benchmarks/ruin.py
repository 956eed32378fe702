"""Does a training ever end worse than it began? Small samples of real sets, every depth, balanced and not.

    python benchmarks/ruin.py --panel PANEL --samples 50

A sample is drawn from a set's train part: 60 to 400 images to learn from, as many of each class, or ever fewer from
class to class down to a tenth, and as many as 250 others of the same classes to ask. Each depth trains on it with its
own plan, from the head that it would start from in a run, and is asked before it begins, at the fewest epochs that a
run would give it, and at the end. From scratch the start is to name the largest class always. *Below* is an end that is
worse than the start by more than two standard errors of the paired difference; where training changed nothing on
average, chance has one in fifty so.

PANEL holds a folder a set with a `list.csv` (path, label, split, group); test parts are never read. Rows are appended
to `results.jsonl` beside this file, one a training; a training that is there already is not made again.
"""

import argparse
import csv
import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from panel import code_version, is_there, keep, rows

from unfreeze.advisor.metric_choice import metric_for
from unfreeze.core.errors import DidNotTrainError
from unfreeze.core.seeding import derive_seed, generator
from unfreeze.core.settings import EngineSettings, Metric
from unfreeze.core.strategies import SCRATCH, StrategyId, parse_strategies
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.data.tasks import Task
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.catalogue import PhotoCatalogue, priced_and_ready
from unfreeze.strategies.finetuning import FEWEST_EPOCHS, FineTuning, Request
from unfreeze.strategies.preparation import prepare
from unfreeze.training.trials import Trained, TrainingRun, predict_rows
from unfreeze.zoo.backbones import Backbone, load_backbone

MEASURE = "ruin"
SETS = ("hymenoptera", "trashnet", "omniglot", "magtile")
IMAGES = (60, 100, 150, 250, 400)
FEWEST_OF_A_CLASS = 6  # on average; of many classes some are drawn
RAREST = 0.1  # images of the last class for one of the first, in an unbalanced sample
HELD_OUT = 0.35  # of the groups, to be asked
ASKED = 250
BELOW = 2.0  # standard errors

Row = dict[str, Any]
Listed = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Which images are drawn.

    Attributes:
        source: Folder of the set.
        images: To learn from; fewer where classes are small.
        balanced: As many of each class.
        number: Of the draw.
    """

    source: Path
    images: int
    balanced: bool
    number: int

    @property
    def key(self) -> Row:
        """What names it in a row."""
        return {"set": self.source.name, "drawn": self.images, "balanced": self.balanced, "draw": self.number}


def sample_number(number: int, panel: Path) -> Sample:
    """Samples go through sets and kinds, so that the first ones have all of both."""
    name, balanced = list(itertools.product(SETS, (True, False)))[number % (2 * len(SETS))]
    turn = number // (2 * len(SETS)) + number  # else a set would always have the same size
    return Sample(source=panel / name, images=IMAGES[turn % len(IMAGES)], balanced=balanced, number=number)


def train_part(folder: Path) -> dict[str, list[Listed]]:
    """Images of a set's train part, by class."""
    found: dict[str, list[Listed]] = defaultdict(list)
    with (folder / "list.csv").open() as file:
        for row in csv.DictReader(file):
            if row["split"] == "train":
                listed = {"path": str(folder / row["path"]), "label": row["label"], "group": row.get("group") or ""}
                found[row["label"]].append(listed)
    return found


def drawn(sample: Sample) -> list[Listed]:
    """Images to learn from (`train`) and to ask (`test`), no group on both sides."""
    rng = generator(sample.number, MEASURE, sample.source.name)
    by_class = train_part(sample.source)
    names = rng.permutation(sorted(by_class))[: max(2, sample.images // FEWEST_OF_A_CLASS)]
    units = sorted({unit(row) for name in names for row in by_class[name]})
    held_out = {units[place] for place in rng.permutation(len(units))[: round(HELD_OUT * len(units))]}
    falling = np.linspace(0, 0 if sample.balanced else 1, len(names))
    shares = RAREST**falling / np.sum(RAREST**falling)
    found: list[Listed] = []
    for name, share in zip(names, shares, strict=True):
        shuffled = [by_class[name][place] for place in rng.permutation(len(by_class[name]))]
        learn = [row for row in shuffled if unit(row) not in held_out][: max(3, round(share * sample.images))]
        asked = [row for row in shuffled if unit(row) in held_out][: -(-ASKED // len(names))]
        found += [{**row, "split": "train"} for row in learn] + [{**row, "split": "test"} for row in asked]
    return found


def unit(row: Listed) -> str:
    """The group of an image, or the image itself."""
    return row["group"] or row["path"]


def catalogue_of(sample: Sample, source: Backbone, pool: DecoderPool) -> PhotoCatalogue:
    """What a run would make of the sample, with the metric that it would choose."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ("path", "label", "group", "split"))
            writer.writeheader()
            writer.writerows(drawn(sample))
        image_set = read_image_set(path, pool=pool, geometry=geometry_of(source.card))
    resources, seed = Resources(pool=pool), sample.number
    experiment = prepare(image_set, source, resources, EngineSettings(), seed=seed, details=False)
    metric, _ = metric_for(experiment.task, None)
    return PhotoCatalogue(replace(experiment, metric=metric), losses=("softmax",))


def made_ready(catalogue: PhotoCatalogue, strategy: StrategyId) -> FineTuning:
    """A strategy that has all the time that it wants."""
    found = priced_and_ready(catalogue, strategy, Request(allowance=float("inf"), splits=0))
    assert isinstance(found, FineTuning), strategy.label
    return found


def trained_at(ready: FineTuning, epochs: Sequence[int]) -> dict[int, Trained]:
    """One training on everything, as it is after so many epochs."""
    split = ready.experiment.task.everything()
    seed = derive_seed(ready.experiment.seed, ready.outcome.strategy.stream, split.name)
    run = TrainingRun(ready.start(split, seed), ready.plan, ready.inputs, split.learn, seed=seed)
    found = {}
    for number in epochs:
        run.train_to(number)
        found[number] = run.result()
    return found


def right(network: Backbone, ready: FineTuning) -> np.ndarray:
    """Which of the asked images a network gets right."""
    asked = ready.experiment.task.test_rows
    said = predict_rows(network, ready.inputs, asked).argmax(axis=1)
    return (said == ready.experiment.task.labels[asked]).astype(float)


def started(ready: FineTuning) -> np.ndarray:
    """The same of the start; from scratch it is what knows nothing, and always names the largest class."""
    task = ready.experiment.task
    if ready.outcome.strategy == SCRATCH:
        largest = np.bincount(task.labels[task.train_rows]).argmax()
        return (task.labels[task.test_rows] == largest).astype(float)
    return right(ready.start(task.everything(), 0), ready)


def weights(task: Task, metric: Metric) -> np.ndarray:
    """Of the asked images, such that classes count as the metric has it: all alike, or as those that were learned."""
    asked, learned = task.labels[task.test_rows], np.bincount(task.labels[task.train_rows])
    shares = np.ones(len(learned)) if metric == "balanced accuracy" else learned
    each = shares[asked] / np.bincount(asked, minlength=len(learned))[asked]
    return np.asarray(each / each.sum())


def judged(before: np.ndarray, after: np.ndarray, weight: np.ndarray, groups: np.ndarray) -> Row:
    """An end against its start, with the standard error of a weighted mean whose groups are drawn as a whole."""
    gain = float(weight @ (after - before))
    of_group = np.bincount(groups, weight * (after - before - gain))
    of_group = of_group[np.unique(groups)]
    error = float((of_group @ of_group * len(of_group) / (len(of_group) - 1)) ** 0.5)
    return {
        "accuracy": round(float(weight @ after), 4),
        "gain": round(gain, 4),
        "standard_error": round(error, 4),
        "below": bool(gain < -BELOW * error),
    }


def measure(ready: FineTuning) -> Row:
    """One training; without a result where it is left out, since its loss rose at an eighth of its rates too."""
    task, plan, before = ready.experiment.task, ready.plan, started(ready)
    fewest, own = FEWEST_EPOCHS, plan.epochs
    weight, groups = weights(task, ready.experiment.metric), task.units[task.test_rows]
    row = {
        "images": len(task.train_rows),
        "asked": len(task.test_rows),
        "classes": task.class_count,
        "metric": ready.experiment.metric,
        "rate": max(rule.rate for rule in plan.rules if rule.rate is not None),
        "batch_size": plan.batch_size,
        "precision": plan.arithmetic.precision,
        "start": round(float(weight @ before), 4),
    }
    try:
        trained = trained_at(ready, (fewest, own))
    except DidNotTrainError:
        return row | {"fewest": None, "whole": None}
    early, late = (judged(before, right(one.backbone, ready), weight, groups) for one in trained.values())
    return row | {
        "fewest": {"epochs": fewest, **early},
        "whole": {"epochs": own, **late},
        "halvings": trained[own].halvings,
        "curve": [round(loss, 3) for loss in trained[own].curve],
    }


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=50, help="each is trained on at every depth")
    parser.add_argument("--depths", default="2,4,full,scratch")
    parser.add_argument("--size", type=int, default=96, help="of the network's input, pixels")
    asked = parser.parse_args()
    depths, source = parse_strategies(asked.depths.split(",")), load_backbone(size=asked.size)
    with DecoderPool() as pool:
        for number in range(asked.samples):
            sample = sample_number(number, asked.panel)
            key = {"measure": MEASURE, "size": asked.size, **sample.key}
            missing = [depth for depth in depths if not is_there({**key, "strategy": depth.label})]
            catalogue = catalogue_of(sample, source, pool) if missing else None
            for depth in missing:
                assert catalogue is not None
                began = time.perf_counter()
                row = {**key, "strategy": depth.label, "code": code_version()}
                row |= {**measure(made_ready(catalogue, depth)), "seconds": round(time.perf_counter() - began, 1)}
                keep(row, shown=("set", "images", "balanced", "strategy", "start", "fewest", "whole", "seconds"))
    print(summed_up([row for row in rows() if row["measure"] == MEASURE and row["size"] == asked.size]))


def summed_up(found: list[Row]) -> str:
    """How many ended below their start."""
    lines = []
    for depth in dict.fromkeys(row["strategy"] for row in found):
        mine = [row for row in found if row["strategy"] == depth and row["whole"]]
        below = [sum(row[when]["below"] for row in mine) for when in ("fewest", "whole")]
        gain = 100 * np.mean([row["whole"]["gain"] for row in mine])
        lines.append(
            f"{depth}: {len(mine)} trainings, below their start {below[0]} after the fewest epochs and "
            f"{below[1]} at the end; mean gain {gain:+.1f} points"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
