"""Does the interval of a step keep its promise where networks are trained? Small studies drawn from one set.

    python benchmarks/trainings.py --panel PANEL --draws 60

A draw is a study: images drawn at random from all of a set, one round of folds, the head and the last two blocks, each
trained as a run trains it. The mean over the draws of what was estimated stands for the truth, since each estimate is
right on average; so the root mean square of (estimate - truth) / standard error should be a little below 1.

PANEL holds a folder a set with a `list.csv` (path, label, split, group). Rows are appended to `draws.jsonl` beside this
file, one a draw; a draw that is there already is not measured again.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from panel import DRAWS, code_version, is_there, keep, rows

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.questions import Question
from unfreeze.core.seeding import generator
from unfreeze.core.settings import EngineSettings
from unfreeze.core.strategies import HEAD, unfreeze
from unfreeze.core.trials import Trial
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.metrics.repeated import FOLDS
from unfreeze.strategies.catalogue import LeftOut, PhotoCatalogue, priced_and_ready
from unfreeze.strategies.execution import outcome_on
from unfreeze.strategies.finetuning import Request
from unfreeze.strategies.measurement import Measurement
from unfreeze.strategies.predictions import Measured
from unfreeze.strategies.preparation import prepare
from unfreeze.zoo.backbones import Backbone, load_backbone

MEASURE = "trainings"
MARGIN = 0.01
ALLOWANCE = 1200.0  # seconds of a training on all folds: enough that no busy machine shortens it
DEEPER = unfreeze(2)

Row = dict[str, Any]
Listed = dict[str, str]


def listed(folder: Path) -> list[Listed]:
    """All images of a set, whatever their part."""
    with (folder / "list.csv").open() as file:
        found = [
            {"path": str(folder / row["path"]), "label": row["label"], "group": row["group"]}
            for row in csv.DictReader(file)
        ]
    return sorted(found, key=lambda row: row["path"])


def read(drawn: list[Listed], backbone: Backbone, pool: DecoderPool) -> ImageSet:
    """The drawn images, as a user would list them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ("path", "label", "group"))
            writer.writeheader()
            writer.writerows(drawn)
        return read_image_set(path, pool=pool, geometry=geometry_of(backbone.card))


def draw(images: list[Listed], name: str, number: int, size: int) -> list[Listed]:
    """Some images, whatever their class."""
    return [images[place] for place in generator(number, "trainings", name).permutation(len(images))[:size]]


def study(drawn: list[Listed], number: int) -> Row:
    """What one round says of two blocks against the head."""
    with DecoderPool() as pool:
        backbone = load_backbone()
        experiment = prepare(read(drawn, backbone, pool), backbone, Resources(pool=pool), EngineSettings(), seed=number)
        task = experiment.task
        catalogue = PhotoCatalogue(experiment, losses=("softmax",))
        deeper = priced_and_ready(catalogue, DEEPER, Request(allowance=ALLOWANCE, splits=FOLDS))
        if isinstance(deeper, LeftOut):
            raise SystemExit(f"{DEEPER.label} on {len(task.train_rows)} images: {deeper.outcome.note}")
        head = next(strategy for strategy in catalogue.step_one() if strategy.outcome.strategy == HEAD)
        found = []
        for strategy in (head, deeper):
            one = Measurement(strategy, Measured(strategy.outcome))
            for fold in range(FOLDS):
                trial = Trial(
                    strategy=one.outcome.strategy,
                    split=f"split {fold}",
                    seed=task.seed,
                    training=strategy.training,
                )
                one.add(task, trial, outcome_on(strategy, task, trial.split))
            found.append(one.measured)
        comparisons = Comparisons(Question(task=task, metric="accuracy", margin=MARGIN, seed=number))
        said = comparisons.estimate(*found)
        return {
            "images": len(task.train_rows),
            "epochs": deeper.work,
            "scores": [round(comparisons.mean_score(one), 5) for one in found],
            "difference": round(said.difference, 5),
            "standard_error": said.standard_error,
            "image_variance": said.image_variance,
            "training_variance": said.training_variance,
            "fit_variance": said.fit_variance,
            "answer": said.answer,
        }


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--set", default="trashnet")
    parser.add_argument("--images", type=int, default=200, help="of a draw")
    parser.add_argument("--draws", type=int, default=60)
    asked = parser.parse_args()
    images = listed(asked.panel / asked.set)
    for number in range(asked.draws):
        key = {"measure": MEASURE, "set": asked.set, "drawn": asked.images, "draw": number}
        if is_there(key, DRAWS):
            continue
        started = time.perf_counter()
        row = {**key, "of": len(images), **study(draw(images, asked.set, number, asked.images), number)}
        row |= {"code": code_version(), "seconds": round(time.perf_counter() - started, 1)}
        keep(row, to=DRAWS, shown=("set", "draw", "epochs", "scores", "difference", "standard_error", "seconds"))
    mine = [row for row in rows(DRAWS) if row["measure"] == MEASURE and row["set"] == asked.set]
    print(error_ratio(mine))


def error_ratio(found: list[Row]) -> float:
    """Root mean square of (estimate - truth) / standard error, corrected for drawing from a finite set.

    The squares are too small by 1/draws, since the truth is their own mean, and by the images' share of the set.
    """
    differences, errors = (np.array([row[name] for row in found]) for name in ("difference", "standard_error"))
    squares = np.mean(((differences - differences.mean()) / errors) ** 2)
    number, share = len(found), found[0]["images"] / found[0]["of"]
    return float((squares * number / (number - 1) / (1 - share)) ** 0.5)


if __name__ == "__main__":
    main()
