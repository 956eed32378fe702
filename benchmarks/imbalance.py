"""What noticing the imbalance gives: strategies for which all classes count the same, against a plain probe.

    python benchmarks/imbalance.py --panel PANEL --sets magtile

All images of a set (train and test parts together), four of the rounds of five folds that a run makes (two for
trainings), whole groups on one side. The plain probe is a softmax on the last codes whose C is chosen for accuracy, as
everybody fits it. Beside it stands what a run fits where imbalance is strong: probes on the last codes, and trainings
of the last blocks. Differences of balanced accuracy, class by class, with the interval that a run prints: it is one of
the expected difference over training sets, where a single test part tells of its own few rare images only. Beside it
stands the interval without images that were not seen, which shows how much of the width is theirs.

Rows are appended to `results.jsonl`, one a set and strategy; what is there is not measured again.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from panel import code_version, is_there, keep

from unfreeze.core.progress import ignore
from unfreeze.core.settings import EngineSettings, Metric
from unfreeze.core.strategies import Loss, unfreeze
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.data.tasks import Split
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.metrics.repeated import StepEstimate, compare_folds, largest_outcome, mean_score, outcome_values
from unfreeze.strategies.catalogue import LeftOut, PhotoCatalogue, priced_and_ready
from unfreeze.strategies.depth_curve import ProbeSpec, fit_tap_probes
from unfreeze.strategies.finetuning import Request
from unfreeze.strategies.preparation import prepare
from unfreeze.zoo.backbones import load_backbone

MEASURE = "imbalance, folds"
METRIC: Metric = "balanced accuracy"
SPLITS = 20
TRAINED_SPLITS = 10  # the first ones, of trainings, which take about a minute each
LOSSES: tuple[Loss, ...] = ("softmax", "svm")
BLOCKS = (2,)
PLAIN = "softmax, plain"
ALLOWANCE = 3600.0  # seconds of a training on all splits; a plan is not to be cut down here

Row = dict[str, Any]


class Study:
    """One set with all its images, and its splits."""

    def __init__(self, source: Path, pool: DecoderPool) -> None:
        backbone = load_backbone()
        image_set = read_image_set(source, pool=pool, geometry=geometry_of(backbone.card))
        together = replace(image_set, images=tuple(replace(image, split="train") for image in image_set.images))
        self.experiment = replace(prepare(together, backbone, Resources(pool=pool), EngineSettings()), metric=METRIC)
        self.task = self.experiment.task
        self.splits = [self.task.split(number) for number in range(SPLITS)]

    def probed(self, loss: Loss, *, balanced: bool) -> list[np.ndarray]:
        """A probe on the last codes."""

        def scores(split: Split) -> np.ndarray:
            codes = {"last": self.experiment.codes.last}
            (probe,) = fit_tap_probes(codes, self.task, [ProbeSpec(split, "last", loss)], balanced=balanced)
            return probe.test_scores

        return self._values(scores, splits=SPLITS)

    def trained(self, blocks: int) -> list[np.ndarray]:
        """The last blocks, as a run trains them when balanced accuracy decides."""
        catalogue = PhotoCatalogue(self.experiment, losses=("softmax",))
        ready = priced_and_ready(catalogue, unfreeze(blocks), Request(allowance=ALLOWANCE, splits=TRAINED_SPLITS))
        if isinstance(ready, LeftOut) or ready.outcome.status != "done":
            raise SystemExit(f"unfreeze {blocks} does not fit {ALLOWANCE:.0f} s; give ALLOWANCE more.")
        return self._values(lambda split: ready.fit(split, advance=ignore).scores, splits=TRAINED_SPLITS)

    def _values(self, scores: Callable[[Split], np.ndarray], *, splits: int) -> list[np.ndarray]:
        """Of each split a value a test image: whether it is right."""
        return [
            outcome_values(METRIC, self.task.labels[split.test], predictions=scores(split).argmax(axis=1))
            for split in self.splits[:splits]
        ]

    def score(self, values: list[np.ndarray]) -> Row:
        """Of a strategy by itself."""
        return {
            "images": len(self.task.train_rows),
            "splits": len(values),
            "balanced_accuracy": round(mean_score(values, self.task.tested(self.splits[: len(values)], METRIC)), 4),
        }

    def gain(self, plain: list[np.ndarray], values: list[np.ndarray]) -> Row:
        """Over the plain probe, on common splits: the interval that a run prints, and that without images not seen.

        A run's is wider where a class has few groups, since what these do not show may still happen.
        """
        seen = self._step(plain, values, largest=0.0)
        step = self._step(plain, values, largest=largest_outcome(METRIC, self.task.class_count))
        return {
            "units": step.units,
            "gain": round(step.difference, 4),
            "interval": _rounded(step),
            "without_unseen": _rounded(seen),
            "answer": step.answer,
        }

    def _step(self, plain: list[np.ndarray], values: list[np.ndarray], *, largest: float) -> StepEstimate:
        tested = self.task.tested(self.splits[: len(values)], METRIC)
        return compare_folds(plain[: len(values)], values, tested, margin=0.01, largest=largest)


def _rounded(step: StepEstimate) -> list[float]:
    assert step.interval is not None  # there is more than one split
    return [round(step.interval.low, 4), round(step.interval.high, 4)]


Measures = dict[str, Callable[[Study], list[np.ndarray]]]  # of strategies, by name


def strategies() -> Iterator[tuple[str, Callable[[Study], list[np.ndarray]]]]:
    """Every strategy by its name, and what measures it."""
    for balanced in (False, True):
        for loss in LOSSES:
            yield f"{loss}, {'balanced' if balanced else 'plain'}", partial(Study.probed, loss=loss, balanced=balanced)
    for blocks in BLOCKS:
        yield f"unfreeze {blocks}, balanced", partial(Study.trained, blocks=blocks)


def measure(source: Path, missing: Measures, pool: DecoderPool) -> Iterator[tuple[str, Row]]:
    """A row for each strategy of one set."""
    study = Study(source, pool)
    plain = study.probed("softmax", balanced=False)
    for strategy, measured in missing.items():
        values = plain if strategy == PLAIN else measured(study)
        yield strategy, study.score(values) | ({} if strategy == PLAIN else study.gain(plain, values))


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default="magtile")
    asked = parser.parse_args()
    with DecoderPool() as pool:
        for name in asked.sets.split(","):
            key = {"measure": MEASURE, "set": name}
            missing = {one: how for one, how in strategies() if not is_there({**key, "strategy": one})}
            for strategy, row in measure(asked.panel / name / "list.csv", missing, pool) if missing else ():
                keep({**key, "strategy": strategy, "code": code_version(), **row})


if __name__ == "__main__":
    main()
