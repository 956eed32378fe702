"""How many epochs does step two need? Accuracy on held-out images after ever more of them, of one training each.

    python benchmarks/epochs.py --panel PANEL --sets cifar10,eurosat --splits 2

A training goes on from one number of epochs to the next, so that all of them together take as long as the last; its
plan is that of a run, whose rates do not depend on the number of epochs. Splits are those of a run, inside the train
part; test parts are never read. PANEL holds a folder a set with a `list.csv` (path, label, split, group). Rows are
appended to `results.jsonl` beside this file, one a training; a training that is there already is not made again.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from panel import code_version, is_there, keep, rows

from unfreeze.core.seeding import derive_seed
from unfreeze.core.settings import EngineSettings
from unfreeze.core.strategies import StrategyId, parse_strategy
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.data.tasks import Split
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.metrics.accuracy import accuracy
from unfreeze.strategies.catalogue import PhotoCatalogue, priced_and_ready
from unfreeze.strategies.finetuning import FineTuning, Request
from unfreeze.strategies.preparation import prepare
from unfreeze.training.trials import TrainingRun, predict_rows
from unfreeze.zoo.backbones import Backbone, load_backbone

MEASURE = "epochs"
SETS = "cifar10,eurosat,omniglot,trashnet,magtile"
EPOCHS = (3, 4, 5, 7, 10, 14, 20)


def prepared(source: Path, strategy: StrategyId, pool: DecoderPool) -> FineTuning:
    """A strategy that has all the time that it wants."""
    network = load_backbone()
    image_set = read_image_set(source, pool=pool, geometry=geometry_of(network.card))
    experiment = prepare(image_set, network, Resources(pool=pool), EngineSettings(), details=False)
    catalogue = PhotoCatalogue(experiment, losses=("softmax",))
    found = priced_and_ready(catalogue, strategy, Request(allowance=float("inf"), splits=1))
    assert isinstance(found, FineTuning), strategy.label
    return found


def after(ready: FineTuning, split: Split) -> dict[str, float]:
    """Accuracy on the test side of a split after so many epochs, 0 for the head that training starts from."""
    seed = derive_seed(ready.experiment.seed, ready.outcome.strategy.stream, split.name)
    start = ready.start(split, seed)
    run = TrainingRun(start, ready.plan, ready.inputs, split.learn, seed=seed, draws=ready.training.draws)
    found = {"0": _right(start, ready, split)}
    for number in EPOCHS:
        run.train_to(number)
        found[str(number)] = _right(run.result().backbone, ready, split)
    return found


def _right(network: Backbone, ready: FineTuning, split: Split) -> float:
    said = predict_rows(network.copy(), ready.inputs, split.test)
    return round(accuracy(ready.experiment.task.labels[split.test], said.argmax(axis=1)), 5)


def measure(source: Path, key: dict[str, Any], splits: int) -> None:
    """The splits that are missing."""
    missing = [number for number in range(splits) if not is_there({**key, "split": number})]
    if not missing:
        return
    with DecoderPool() as pool:
        ready = prepared(source / "list.csv", parse_strategy(key["strategy"]), pool)
        for number in missing:
            began, split = time.perf_counter(), ready.experiment.task.split(number)
            row = {**key, "split": number, "learned": len(split.learn), "tested": len(split.test)}
            row |= {"accuracy": after(ready, split), "seconds": round(time.perf_counter() - began, 1)}
            keep({**row, "code": code_version()})


def main() -> None:
    """Measure what is missing, and say what fewer epochs cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--strategy", default="2")
    asked = parser.parse_args()
    label = parse_strategy(asked.strategy).label
    for name in asked.sets.split(","):
        measure(asked.panel / name, {"measure": MEASURE, "set": name, "strategy": label}, asked.splits)
    for name in asked.sets.split(","):
        mine = [row for row in rows() if row["measure"] == MEASURE and row["set"] == name and row["strategy"] == label]
        table = np.array([list(row["accuracy"].values()) for row in mine])
        lost = dict(zip(mine[0]["accuracy"], 100 * (table - table[:, -1:]).mean(axis=0), strict=True))
        print(name, mine[0]["learned"], {n: f"{value:+.1f}" for n, value in lost.items()})


if __name__ == "__main__":
    main()
