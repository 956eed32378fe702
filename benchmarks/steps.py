"""What does each step gain, and on what facts? Many small studies from sub-samples and class subsets of a panel.

    python benchmarks/steps.py --panel PANEL --draws 8

A draw is a study: some classes of a set and some of their images, train and test parts together, groups kept; measured
as a run would, on 20 splits that all strategies share: a softmax on the last codes and at the tap that each split
chooses, the head, the last block, and in every other draw the last two blocks. Training is planned as a run plans it
for an allowance. Small photos, and drawings, are seen at 96 pixels, where training is cheap.

PANEL holds a folder a set with a `list.csv` (path, label, split, group). Rows are appended to `steps.jsonl` beside this
file, one a study, all sets in turn; a study that is there already is not measured again, whatever the version of the
code that it names. `forecasts.py` makes the table of forecasts from them.
"""

import argparse
import csv
import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from panel import STEPS, code_version, is_there, keep

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.metric_choice import metric_for
from unfreeze.advisor.questions import Question
from unfreeze.core.plans import TrainingSettings
from unfreeze.core.records import plain
from unfreeze.core.seeding import generator
from unfreeze.core.settings import EngineSettings
from unfreeze.core.strategies import StrategyId, unfreeze
from unfreeze.core.trials import Trial
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.data.tasks import Task
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.catalogue import LeftOut, PhotoCatalogue, priced_and_ready
from unfreeze.strategies.execution import outcome_on
from unfreeze.strategies.finetuning import Request
from unfreeze.strategies.measurement import Measurement
from unfreeze.strategies.predictions import Measured
from unfreeze.strategies.preparation import prepare
from unfreeze.workflows.before_training import facts_before_training, similarity_within
from unfreeze.zoo.backbones import Backbone, load_backbone

MEASURE = "step"
SPLITS = 20
MARGIN = 0.01
BUDGET = 300.0  # seconds of a run, which a share for similarity is taken of
ALLOWANCE = 60.0  # seconds of each fine-tuning on all splits
FEWEST_IMAGES = 60
FEWEST_OF_A_CLASS = 8

Row = dict[str, Any]
Listed = dict[str, str]


@dataclass(frozen=True)
class Source:
    """A set to draw from.

    Attributes:
        name: Folder in the panel.
        size: Of the network's input, pixels.
        images: The most of a draw.
        classes: The fewest and the most of a draw.
    """

    name: str
    size: int
    images: int
    classes: tuple[int, int] = (2, 10)


SOURCES = (
    Source("hymenoptera", 224, 150),
    Source("trashnet", 224, 150),
    Source("omniglot", 96, 400, (4, 25)),  # 20 drawings of each character
    Source("magtile", 224, 150),
    Source("eurosat", 96, 400),
    Source("cifar10", 96, 400),
)


def listed(folder: Path) -> list[Listed]:
    """All images of a set, whatever their part."""
    with (folder / "list.csv").open() as file:
        found = [
            {"path": str(folder / row["path"]), "label": row["label"], "group": row["group"]}
            for row in csv.DictReader(file)
        ]
    return sorted(found, key=lambda row: row["path"])


def draw(images: Iterable[Listed], source: Source, number: int) -> list[Listed]:
    """Some images of some classes; the numbers of both are spread evenly on a scale of logarithms."""
    rng = generator(number, "steps", source.name)
    by_class: defaultdict[str, list[Listed]] = defaultdict(list)
    for image in images:
        by_class[image["label"]].append(image)
    wanted = between(FEWEST_IMAGES, source.images, rng)
    fewest, most = source.classes
    count = between(fewest, min(most, len(by_class), wanted // FEWEST_OF_A_CLASS), rng)
    chosen = [by_class[label] for label in rng.choice(sorted(by_class), count, replace=False)]
    shuffled = [[mine[place] for place in rng.permutation(len(mine))] for mine in chosen]
    sure = [image for mine in shuffled for image in mine[:FEWEST_OF_A_CLASS]]
    others = [image for mine in shuffled for image in mine[FEWEST_OF_A_CLASS:]]
    more = rng.permutation(len(others))[: max(0, wanted - len(sure))]
    return sure + [others[place] for place in more]


def between(low: int, high: int, rng: np.random.Generator) -> int:
    """A whole number, evenly spread in its logarithm."""
    return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))


def read(drawn: list[Listed], backbone: Backbone, pool: DecoderPool) -> ImageSet:
    """The drawn images, as a user would list them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ("path", "label", "group"))
            writer.writeheader()
            writer.writerows(drawn)
        return read_image_set(path, pool=pool, geometry=geometry_of(backbone.card))


def measured(catalogue: PhotoCatalogue, task: Task, trained: Iterable[StrategyId]) -> Iterator[Measurement]:
    """Every strategy on all splits; one that does not fit its allowance with all of them is left out."""
    ready = list(catalogue.step_one())
    for wanted in trained:
        found = priced_and_ready(catalogue, wanted, Request(allowance=ALLOWANCE, splits=SPLITS))
        if isinstance(found, LeftOut) or found.expected.splits < SPLITS:
            print(f"{wanted.label} on {len(task.train_rows)} images does not fit {ALLOWANCE:.0f} s: left out")
            continue
        ready.append(found)
    for strategy in ready:
        one = Measurement(strategy, Measured(strategy.outcome))
        for number in range(SPLITS):
            trial = Trial(
                strategy=one.outcome.strategy, split=f"split {number}", seed=task.seed, training=strategy.training
            )
            one.add(task, trial, outcome_on(strategy, task, trial.split))
        yield one


def step(comparisons: Comparisons, first: Measurement, second: Measurement) -> Row:
    """As a run compares two strategies."""
    found = comparisons.estimate(first.measured, second.measured)
    assert found.interval is not None  # there are more than five splits
    return {
        "first": first.label,
        "second": second.label,
        "difference": round(found.difference, 5),
        "interval": [round(found.interval.low, 5), round(found.interval.high, 5)],
        "standard_error": found.standard_error,
        "degrees_of_freedom": found.degrees_of_freedom,
        "worse": found.worse,
        "equivalent": found.equivalent,
        "better": found.better,
        "answer": found.answer,
        "splits": found.splits,
    }


def study(drawn: list[Listed], source: Source, number: int) -> Row:
    """Facts before training, and what every step gave."""
    with DecoderPool() as pool:
        backbone = load_backbone(size=source.size)
        experiment = prepare(read(drawn, backbone, pool), backbone, Resources(pool=pool), EngineSettings(), seed=number)
        task = experiment.task
        metric, _ = metric_for(task, None)
        experiment = replace(experiment, metric=metric)
        similarity = similarity_within(experiment, budget=BUDGET)
        catalogue = PhotoCatalogue(experiment, losses=("softmax",))
        facts = facts_before_training(catalogue.shared, similarity)
        comparisons = Comparisons(Question(task=task, metric=metric, margin=MARGIN, seed=number))
        trained = [unfreeze(blocks) for blocks in ((1, 2) if number % 2 == 0 else (1,))]
        found = list(measured(catalogue, task, trained))
        return {
            "images": len(task.train_rows),
            "classes": task.class_count,
            "size": source.size,
            "metric": metric,
            "margin": MARGIN,
            "facts": plain(facts),
            "scores": {one.label: round(comparisons.mean_score(one.measured), 5) for one in found},
            "epochs": {
                one.label: one.outcome.settings.plan.epochs
                for one in found
                if isinstance(one.outcome.settings, TrainingSettings) and one.outcome.kind == "unfreeze"
            },
            "strategy_seconds": {one.label: round(one.outcome.cost.seconds, 1) for one in found},
            "steps": [step(comparisons, *pair) for pair in itertools.combinations(found, 2)],
        }


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(source.name for source in SOURCES))
    parser.add_argument("--draws", type=int, default=8, help="of each set")
    asked = parser.parse_args()
    sources = [source for source in SOURCES if source.name in asked.sets.split(",")]
    images = {source.name: listed(asked.panel / source.name) for source in sources}
    for number, source in itertools.product(range(asked.draws), sources):
        key = {"measure": MEASURE, "set": source.name, "draw": number}
        if is_there(key, STEPS):
            continue
        clocks = time.perf_counter(), time.process_time()
        row = {**key, **study(draw(images[source.name], source, number), source, number)}
        row |= {"seconds": round(time.perf_counter() - clocks[0], 1)}
        row |= {"cpu_seconds": round(time.process_time() - clocks[1], 1)}
        shown = ("set", "draw", "images", "classes", "scores", "epochs", "seconds")
        keep({**row, "code": code_version()}, to=STEPS, shown=shown)


if __name__ == "__main__":
    main()
