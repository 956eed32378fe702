"""What remembering trades: test accuracy of `unfreeze 2` on remembered views, against fresh augmentation.

    python benchmarks/views.py --panel PANEL --sets hymenoptera,omniglot --views 0,1,3,8,fresh --epochs 20

Every row trains the last two blocks from the same head, on the same rows, with the same plan and seed, in float32; only
where the activations come from differs: so many remembered views of each image beside the plain one, or a fresh view of
each image in every epoch. PANEL holds a folder a set with a `list.csv` (path, label, split, group). Rows are appended
to `results.jsonl` beside this file; a row that is there already for this commit is not measured again.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from panel import code_version, is_there, keep

from unfreeze.core.settings import EngineSettings
from unfreeze.core.versions import versions
from unfreeze.data.inspection import read_image_set
from unfreeze.data.splits import split_image_set
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.preparation import prepare, with_measured_flips
from unfreeze.strategies.step_one import StepOne
from unfreeze.training.examples import RecomputedInputs, remember
from unfreeze.training.loop import Examples
from unfreeze.training.plans import unfreeze_plan
from unfreeze.training.trials import Inputs, predict_rows, run_trial
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.graph import Cut

MEASURE = "views"
BLOCKS = 2
FRESH = "fresh"


def beginning(source: Path, pool: DecoderPool, seed: int) -> tuple[Experiment, Backbone]:
    """The task, and step one's network."""
    image_set = split_image_set(read_image_set(source, pool=pool), seed=seed)
    experiment = prepare(image_set, load_backbone(), Resources(pool=pool), EngineSettings(), seed=seed)
    shared = StepOne(experiment, taps=(experiment.source.taps[-1].name,))
    everything = experiment.task.everything()
    head = shared.head(everything).network
    return with_measured_flips(experiment, C=shared.on_last(everything, "softmax").C), head


def examples_of(experiment: Experiment, start: Backbone, cut: Cut, views: str) -> Examples:
    """Remembered views, or a fresh one an epoch."""
    if views == FRESH:
        return RecomputedInputs(start.prefix([cut]).eval(), experiment.pixels)
    task = experiment.task
    (found,) = remember(
        start,
        [cut],
        experiment.pixels,
        experiment.resources,
        train_rows=task.train_rows,
        views=int(views),
        engine=experiment.engine,
    )
    return found


def measure(experiment: Experiment, start: Backbone, *, views: str, epochs: int) -> dict[str, Any]:
    """One training."""
    task, started = experiment.task, time.perf_counter()
    cut = start.cut_before_blocks(BLOCKS)
    examples = examples_of(experiment, start, cut, views)
    feed = Inputs(
        cut=cut,
        examples=examples,
        features=examples,
        pixels=experiment.pixels,
        labels=task.labels,
        precision=experiment.engine.precision,
    )
    plan = replace(unfreeze_plan(start, BLOCKS, epochs=epochs), augmentation=experiment.augmentation)
    trial = run_trial(start, plan, feed, task.train_rows, seed=experiment.seed, advance=lambda _: None)
    predicted = predict_rows(trial.backbone, feed, task.test_rows).argmax(axis=1)
    return {
        "accuracy": float(np.mean(predicted == task.labels[task.test_rows])),
        "test_images": len(task.test_rows),
        "last_loss": round(trial.curve[-1], 4),
        "seconds": round(time.perf_counter() - started, 1),
    }


def measure_set(source: Path, *, seed: int, views: list[str], epochs: int) -> None:
    """What is missing of one set."""
    key = {"measure": MEASURE, "set": source.parent.name, "seed": seed, "epochs": epochs, "code": code_version()}
    missing = [v for v in views if not is_there({**key, "views": v})]
    if not missing:
        return
    with DecoderPool() as pool:
        experiment, start = beginning(source, pool, seed)
        for number in missing:
            found = measure(experiment, start, views=number, epochs=epochs)
            keep({**key, "views": number, **found, "versions": versions()})


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default="hymenoptera,omniglot")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--views", default=f"0,1,3,8,{FRESH}")
    parser.add_argument("--epochs", type=int, default=20)
    asked = parser.parse_args()
    for name in asked.sets.split(","):
        for seed in map(int, asked.seeds.split(",")):
            measure_set(asked.panel / name / "list.csv", seed=seed, views=asked.views.split(","), epochs=asked.epochs)


if __name__ == "__main__":
    main()
