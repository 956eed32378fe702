"""What every threshold on the probability of one of two classes gives, from a run's held-out predictions.

Every image counts with what the first split that tested it gave.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from unfreeze.core.run_record import RunRecord
from unfreeze.report.mistakes import answers

SHOWN: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
USUAL: Final = 0.5  # of two classes the likelier one is named


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Images that are called a class from a probability on.

    Attributes:
        at: The probability.
        found: Images of the class that are called so.
        false_alarms: Images of the other class that are called so.
        missed: Images of the class that are not.
        passed: Images of the other class that are not.
    """

    at: float
    found: int
    false_alarms: int
    missed: int
    passed: int

    @property
    def called(self) -> int:
        """How many are called so."""
        return self.found + self.false_alarms

    @property
    def precision(self) -> float | None:
        """Of those called so, the fraction that are; None where none is."""
        return self.found / self.called if self.called else None

    @property
    def recall(self) -> float:
        """Of the images of the class, the fraction that are called so."""
        return self.found / (self.found + self.missed)

    @property
    def false_alarm_rate(self) -> float:
        """Of the images of the other class, the fraction that are called so."""
        return self.false_alarms / (self.false_alarms + self.passed)


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What thresholds on the probability of a class give.

    Attributes:
        wanted: Index of the class: the one with fewer images, the second of equals.
        images: How many were tested.
        rows: At round probabilities, `SHOWN`.
        every: At every probability that was given, from none that are called so to all.
        area: Under the ROC curve: the probability that an image of the class gets a higher one than another.
        average_precision: Mean precision over recall, the area below the other curve.
    """

    wanted: int
    images: int
    rows: tuple[Threshold, ...]
    every: tuple[Threshold, ...]
    area: float
    average_precision: float


def thresholds_of(record: RunRecord) -> Thresholds | None:
    """What thresholds give with the delivered model's probabilities.

    Args:
        record: Of a run.

    Returns:
        The thresholds; None unless there are two classes, both tested, and probabilities: an SVM has none.
    """
    picked = record.outcome_of(record.picked)
    if picked is None or len(record.classes) != 2 or not picked.log_likelihoods:
        return None
    given = {place: record.train_labels[place] for place in answers(record, picked)}
    counts = [list(given.values()).count(label) for label in (0, 1)]
    if 0 in counts:
        return None
    wanted = 0 if counts[0] < counts[1] else 1
    temperature = picked.calibration.temperature if picked.calibration else 1.0
    probabilities = [
        _probability(answer.log_likelihood, own=given[place] == wanted, temperature=temperature)
        for place, answer in answers(record, picked).items()
    ]
    return _thresholds(wanted, probabilities, [label == wanted for label in given.values()])


def _probability(log_likelihood: float, *, own: bool, temperature: float) -> float:
    """Of the class that is looked for, from the log of that of the image's own class."""
    odds = log_likelihood - math.log(max(-math.expm1(log_likelihood), 1e-16))
    return 1 / (1 + math.exp((-odds if own else odds) / temperature))


def _thresholds(wanted: int, probabilities: Sequence[float], is_wanted: Sequence[bool]) -> Thresholds:
    def counted(at: float) -> Threshold:
        called = [own for probability, own in zip(probabilities, is_wanted, strict=True) if probability >= at]
        found, false_alarms = sum(called), len(called) - sum(called)
        missed = sum(is_wanted) - found
        return Threshold(
            at=at,
            found=found,
            false_alarms=false_alarms,
            missed=missed,
            passed=len(is_wanted) - sum(is_wanted) - false_alarms,
        )

    every = _every(probabilities, is_wanted)
    steps = list(pairwise(every))
    return Thresholds(
        wanted=wanted,
        images=len(probabilities),
        rows=tuple(map(counted, SHOWN)),
        every=every,
        area=sum((b.false_alarm_rate - a.false_alarm_rate) * (a.recall + b.recall) / 2 for a, b in steps),
        average_precision=sum((b.recall - a.recall) * (b.precision or 0.0) for a, b in steps),
    )


def _every(probabilities: Sequence[float], is_wanted: Sequence[bool]) -> tuple[Threshold, ...]:
    """Each time the probability falls, with what is called so by then; the first calls none so."""
    ordered = sorted(zip(probabilities, is_wanted, strict=True), reverse=True)
    total = sum(is_wanted)
    others = len(ordered) - total
    found = false_alarms = 0
    rows = [Threshold(at=math.inf, found=0, false_alarms=0, missed=total, passed=others)]
    for number, (probability, own) in enumerate(ordered, 1):
        found, false_alarms = found + own, false_alarms + (not own)
        if number == len(ordered) or ordered[number][0] < probability:
            rows.append(
                Threshold(
                    at=probability,
                    found=found,
                    false_alarms=false_alarms,
                    missed=total - found,
                    passed=others - false_alarms,
                )
            )
    return tuple(rows)
