"""Does a whole race keep its promise? Simulated through the race's own code, with true gains around the margin.

    python benchmarks/race.py --data-sets 400

Data sets and classifiers are those of `coverage.py`; the first classifier is step one, the second a deeper strategy
whose true gain is 0.8, 1 or 1.2 of the margin. The race looks after one, two and four rounds and stops when it likes,
which is what could make it claim too much; its budget is never short. Rows are appended to `results.jsonl`; a level
that is there already is not simulated again.
"""

import argparse
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from coverage import FIRST, MARGIN, SECOND, Truth, World, balanced, contradicts, fit, world_with
from panel import code_version, is_there, keep

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.questions import Question
from unfreeze.core.progress import SILENT, Advance
from unfreeze.core.records import Comparison, Outcome
from unfreeze.core.strategies import HEAD, StrategyId, unfreeze
from unfreeze.core.trials import Trial, TrialOutcome
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.data.tasks import Split, Task, make_task
from unfreeze.strategies.finetuning import Forecast, Price, Request
from unfreeze.strategies.strategy import Fit, Strategy
from unfreeze.workflows.clock import Clock
from unfreeze.workflows.race import Race

MEASURE = "race of folds"
IMAGES = (100, 300)
SHARED = (0.3, 0.9)
GAINS = (0.8 * MARGIN, MARGIN, 1.2 * MARGIN)


@dataclass
class LeastSquares:
    """A linear classifier on some of the features, as a strategy."""

    outcome: Outcome
    seen: np.ndarray
    features: np.ndarray
    task: Task
    work: int = 1
    refit_seconds: float = 0.0
    training: None = None
    expected: Forecast = field(default_factory=lambda: Forecast(epochs=1, wanted=1, splits=5, seconds=0.0))

    def fit(self, split: Split, *, advance: Advance) -> Fit:
        """Fit on the learning side."""
        labels = 1.0 - 2.0 * self.task.labels
        every = np.column_stack([np.ones(len(labels)), labels, self.features])
        learn, test = every[split.learn], every[split.test]
        weights, offsets = fit((learn.T @ learn)[None], self.seen)
        scores = test[:, 2 + self.seen] @ weights[0] + offsets[0]
        advance(len(split.learn))
        return Fit(scores=np.stack([scores, -scores], axis=1).astype(np.float32))

    def lengthened(self, epochs: int) -> "LeastSquares":  # noqa: ARG002 - it has none
        """The same."""
        return self


class Two:
    """Step one, and one deeper strategy."""

    def __init__(self, features: np.ndarray, task: Task) -> None:
        """Both see the same images."""
        head = Outcome(strategy=HEAD, description="")
        deeper = Outcome(strategy=unfreeze(2), description="")
        self._head = LeastSquares(head, FIRST, features, task)
        self._deeper = LeastSquares(deeper, SECOND, features, task)

    def step_one(self) -> list[Strategy]:
        """The first."""
        return [self._head]

    def share(self, strategies: Sequence[Strategy], split: Split) -> None:
        """They have nothing in common."""

    def strategy(self, trial: Trial) -> LeastSquares:
        """The one of the trial."""
        return self._head if trial.strategy == HEAD else self._deeper

    def take_note(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Nothing is carried out elsewhere."""

    def price(self, strategy: StrategyId, *, epochs: int | None, affordable: float) -> Price:  # noqa: ARG002 - as above
        """Next to nothing."""
        return Price(strategy=strategy, epochs=1, fewest=1, seconds_an_epoch=1e-6, refit_an_epoch=1e-6, preparation=0.0)

    def ready(self, strategy: StrategyId, request: Request) -> LeastSquares:  # noqa: ARG002 - there is only one
        """The second."""
        return self._deeper


def task_of(labels: np.ndarray) -> Task:
    """A task without photos."""
    images = tuple(
        Image(
            path=Path(f"/{i}"), name=f"{i:05}", label="ab"[int(label < 0)], sha256=str(i), width=1, height=1, mode="L"
        )
        for i, label in enumerate(labels)
    )
    return make_task(ImageSet(root=Path("/"), images=images, skipped={}), seed=0)


def study(of: World, images: int, rng: np.random.Generator) -> Comparison:
    """One race on fresh data."""
    labels = balanced(images)
    task = task_of(labels)
    catalogue = Two(of.draw(labels, rng), task)
    question = Question(task=task, metric="accuracy", margin=MARGIN, seed=int(rng.integers(2**31)))
    race = Race(Comparisons(question), catalogue, Clock(time.perf_counter, 1e6), SILENT)
    race.run([unfreeze(2)])
    first, second = race.measured
    return race.comparisons.compare(first, second)


def simulate(truth: Truth, *, images: int, shared: float, gain: float, data_sets: int) -> dict[str, Any]:
    """One level."""
    of = world_with(truth, shared=shared, gain=gain)
    rng = np.random.default_rng([images, round(1000 * shared), round(10000 * gain)])
    found = [study(of, images, rng) for _ in range(data_sets)]
    answers, true = [comparison.answer for comparison in found], truth.gain(of)
    known = gain if gain == MARGIN else true  # a gain that is the margin but for rounding is none above it
    wrong = float(np.mean([contradicts(answer, known) for answer in answers]))
    return {
        "truth": round(true, 5),
        "wrong": round(wrong, 4),
        "monte_carlo_error": round((wrong * (1 - wrong) / data_sets) ** 0.5, 4),
        "splits": {str(k): [c.splits for c in found].count(k) for k in sorted({c.splits for c in found})},
        **{answer.replace(" ", "_"): answers.count(answer) / data_sets for answer in sorted(set(answers))},
    }


def main() -> None:
    """Simulate what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=400, help="of each level")
    asked = parser.parse_args()
    truths: dict[int, Truth] = {}
    for images, shared, gain in itertools.product(IMAGES, SHARED, GAINS):
        key = {"measure": MEASURE, "images": images, "shared_error": shared, "gain": gain}
        key |= {"data_sets": asked.data_sets}
        if is_there(key):
            continue
        started = time.perf_counter()
        if images not in truths:
            truths[images] = Truth(images, 0.0, np.random.default_rng(images))
        row = simulate(truths[images], images=images, shared=shared, gain=gain, data_sets=asked.data_sets)
        keep({**key, "code": code_version(), **row, "seconds": round(time.perf_counter() - started, 1)})


if __name__ == "__main__":
    main()
