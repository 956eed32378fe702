"""The classifier on all taps beside the probes of single taps: accuracy on test parts, time, and codes on disk.

    python benchmarks/joined.py --panel PANEL --sets hymenoptera,trashnet --seeds 0,1,2

PANEL holds a folder a set with a `list.csv` (path, label, split, group). Accuracy: each seed fits the strategies on the
train part and asks them about the test part; seeds decide folds. Time: the probes of a run on its first split, as a run
fits them, without and with the classifier on all taps, in turn, in one process, on the same codes. Disk: of the store
of codes and of that of details, which a run computes into an empty cache. Rows are appended to `results.jsonl` beside
this file; what is there already (same commit) is not run again.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from panel import code_version, is_there, keep

from unfreeze.core.settings import EngineSettings
from unfreeze.core.versions import versions
from unfreeze.data.inspection import read_image_set
from unfreeze.data.tasks import make_task
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.metrics.accuracy import accuracy, log_loss
from unfreeze.probes.solver import softmax
from unfreeze.store.upkeep import stored
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.joined import JoinedStrategy
from unfreeze.strategies.preparation import prepare
from unfreeze.strategies.step_one import ProbeStrategy, StepOne, step_one
from unfreeze.strategies.strategy import Strategy
from unfreeze.zoo.backbones import load_backbone

MEASURE = "joined"
SETS = "hymenoptera,trashnet,omniglot,eurosat,magtile,cifar10"


def linear(experiment: Experiment) -> tuple[StepOne, list[ProbeStrategy | JoinedStrategy]]:
    """The linear classifiers of a run, nothing fitted."""
    shared, strategies = step_one(experiment)
    return shared, [one for one in strategies if isinstance(one, ProbeStrategy | JoinedStrategy)]


def reached(experiment: Experiment) -> dict[str, Any]:
    """What each linear classifier that is fitted on the train part says of the test part."""
    task, (shared, strategies) = experiment.task, linear(experiment)
    split = task.everything()
    labels, found = task.labels[split.test], {}
    shared.fit(split, shared.every_probe)
    for strategy in strategies:
        fit = strategy.fit(split)
        found[strategy.outcome.strategy.label] = {
            "accuracy": accuracy(labels, fit.scores.argmax(axis=1)),
            "log_loss": log_loss(labels, softmax(fit.scores)) if fit.probabilities else None,
            "what": fit.description,
        }
    return {"train_images": len(split.learn), "test_images": len(split.test), "strategies": found}


def timed(experiment: Experiment, repeats: int) -> dict[str, Any]:
    """Wall and processor seconds of all probes of the first split, without and with the one on all taps, in turn."""
    split = experiment.task.split(0)

    def fit(wanted: Callable[[Strategy], bool]) -> tuple[float, float]:
        shared, strategies = linear(experiment)
        wall, processor = time.perf_counter(), time.process_time()
        shared.fit(split, shared.every_probe)
        for strategy in filter(wanted, strategies):
            strategy.fit(split)
        return round(time.perf_counter() - wall, 3), round(time.process_time() - processor, 3)

    sides: dict[str, Callable[[Strategy], bool]] = {
        "today": lambda strategy: isinstance(strategy, ProbeStrategy),
        "with all taps": lambda _: True,
    }
    seconds = {side: [] for side in sides}
    for _ in range(repeats):
        for side, wanted in sides.items():
            seconds[side].append(fit(wanted))
    return {side: spread(of_side) for side, of_side in seconds.items()}


def spread(seconds: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Medians and ranges."""
    wall, processor = zip(*seconds, strict=True)
    return {
        "median_seconds": statistics.median(wall),
        "range": [min(wall), max(wall)],
        "median_cpu_seconds": statistics.median(processor),
        "cpu_range": [min(processor), max(processor)],
    }


def sizes_on_disk(cache: Path) -> tuple[int, int]:
    """Bytes of the store of codes, and of that of details, the one in half precision."""
    by_values = {info.manifest["description"].get("values"): info.size for info in stored(cache) if info.manifest}
    return by_values[None], by_values["float16"]


def measure(source: Path, missing: Sequence[Any], repeats: int) -> dict[Any, dict[str, Any]]:
    """A row a seed, and one of time and disk."""
    with DecoderPool() as pool, tempfile.TemporaryDirectory() as cache:
        resources = Resources(pool=pool, cache=Path(cache))
        experiment = prepare(read_image_set(source, pool=pool), load_backbone(), resources, EngineSettings())
        found: dict[Any, dict[str, Any]] = {}
        for seed in missing:
            if seed is None:
                codes, details = sizes_on_disk(Path(cache))
                found[seed] = {
                    "learning_images": len(experiment.task.split(0).learn),
                    "seconds": timed(experiment, repeats),
                    "megabytes": {"codes": round(codes / 1e6, 2), "details": round(details / 1e6, 2)},
                    "disk_ratio": round((codes + details) / codes, 2),
                    "versions": versions(),
                }
            else:
                task = make_task(experiment.task.image_set, seed=seed)
                found[seed] = reached(replace(experiment, task=task, seed=seed))
        return found


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    code = code_version()
    for name in asked.sets.split(","):
        wanted = [*map(int, asked.seeds.split(",")), *([None] if asked.repeats else [])]
        key = {"measure": MEASURE, "set": name, "code": code}
        missing = [seed for seed in wanted if not is_there({**key, "seed": seed})]
        if not missing:
            continue
        for seed, row in measure(asked.panel / name / "list.csv", missing, asked.repeats).items():
            shown = ("set", "seed", *(("seconds", "disk_ratio") if seed is None else ("strategies",)))
            keep({**key, "seed": seed, **row}, shown=shown)


if __name__ == "__main__":
    main()
