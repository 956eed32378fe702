"""Which images a run's strategies got wrong, read from its record.

Every held-out image counts with what the first split that tested it gave: later rounds test the same images again. An
image of the user's own test folder counts with what the models that were trained on everything gave.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from unfreeze.core.class_table import ClassTable
from unfreeze.core.records import Outcome
from unfreeze.core.run_record import RunRecord
from unfreeze.core.strategies import HEAD, SOFTMAX_ON_LAST

FEWEST_STRATEGIES: Final = 2  # of which one says that "no strategy" got a photo right


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """An image that was called something else than it is given.

    Attributes:
        name: Of the image.
        given: Its class.
        predicted: What it was called.
        left: Probability that was left for the given class; None for an SVM, which has none.
        agree: Share of all predictions of this image, by all strategies on all splits or by all that were asked about
            the test folder, that call it the same.
    """

    name: str
    given: int
    predicted: int
    left: float | None
    agree: float


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a deeper strategy gets right and wrong where the head alone does otherwise.

    Attributes:
        shallow: The head, or softmax on the last codes where the head was not measured.
        deep: The best of the strategies that train more.
        mended: Images that only the deeper one gets right; what the other called them.
        broken: Images that only the other gets right; what the deeper one called them.
        common: How many images both were tested on.
    """

    shallow: Outcome
    deep: Outcome
    mended: tuple[Mistake, ...]
    broken: tuple[Mistake, ...]
    common: int


@dataclass(frozen=True, kw_only=True)
class NeverRight:
    """Images that no strategy got right, of those that all measured strategies were tested on.

    Attributes:
        strategies: How many strategies.
        images: The images, surest first.
        common: How many images all were tested on.
    """

    strategies: int
    images: tuple[Mistake, ...]
    common: int


@dataclass(frozen=True)
class Answer:
    """What an image was called, and the log of the probability that its own class had, nats; nan without."""

    predicted: int
    log_likelihood: float


def answers(record: RunRecord, outcome: Outcome) -> dict[int, Answer]:
    """By place of the image in `train_images`, the answer of the first split that tested it."""
    found: dict[int, Answer] = {}
    for number, (split, predictions) in enumerate(zip(record.splits, outcome.predictions, strict=False)):
        likelihoods = outcome.log_likelihoods[number] if outcome.log_likelihoods else (math.nan,) * len(predictions)
        for place, predicted, likelihood in zip(split.test, predictions, likelihoods, strict=True):
            found.setdefault(place, Answer(predicted, likelihood))
    return found


_Votes = dict[int, Counter[int]]  # by place of the image, how often it was called what


def _vote(votes: _Votes, place: int, predicted: int) -> None:
    votes.setdefault(place, Counter())[predicted] += 1


def _agreement(record: RunRecord) -> _Votes:
    """By all strategies on all splits."""
    votes: _Votes = {}
    for outcome in record.strategies:
        for split, predictions in zip(record.splits, outcome.predictions, strict=False):
            for place, predicted in zip(split.test, predictions, strict=True):
                _vote(votes, place, predicted)
    return votes


@dataclass(frozen=True)
class MistakesOf:
    """The mistakes of a run.

    Attributes:
        record: Of the run.
    """

    record: RunRecord

    @cached_property
    def _votes(self) -> _Votes:
        return _agreement(self.record)

    def of_picked(self) -> tuple[Mistake, ...]:
        """All mistakes of the picked strategy on held-out images, surest first; none without a pick."""
        outcome, table = self.record.outcome_of(self.record.picked), self.record.by_class
        return () if outcome is None or table is None else self._mistakes(answers(self.record, outcome))

    def of_test_folder(self) -> tuple[Mistake, ...]:
        """All mistakes of the delivered model on the user's own test folder, surest first; none without a folder."""
        record = self.record
        votes: _Votes = {}
        asked = [(one.strategy, one.confirmation) for one in record.strategies if one.confirmation is not None]
        for _, confirmation in asked:
            for place, predicted in enumerate(confirmation.predictions):
                _vote(votes, place, predicted)
        of_picked = next((found for strategy, found in asked if strategy == record.picked), None)
        if of_picked is None or not record.test_images:
            return ()
        predictions = of_picked.predictions
        likelihoods = of_picked.log_likelihoods or (math.nan,) * len(predictions)
        answers = dict(enumerate(map(Answer, predictions, likelihoods)))
        return _wrong(answers, votes, record.test_labels, record.test_images)

    def changed(self) -> Change | None:
        """What unfreezing mends and breaks; None where no deeper strategy was measured, or no shallow one."""
        shallow = next((o for s in (HEAD, SOFTMAX_ON_LAST) if (o := self.record.outcome_of(s)) and o.measured), None)
        deep = self._best_deeper()
        if shallow is None or deep is None:
            return None
        before, after = answers(self.record, shallow), answers(self.record, deep)
        common, labels = before.keys() & after.keys(), self.record.train_labels
        right_before = {place for place in common if before[place].predicted == labels[place]}
        right_after = {place for place in common if after[place].predicted == labels[place]}
        return Change(
            shallow=shallow,
            deep=deep,
            mended=self._mistakes({place: before[place] for place in right_after - right_before}),
            broken=self._mistakes({place: after[place] for place in right_before - right_after}),
            common=len(common),
        )

    def never_right(self) -> NeverRight | None:
        """What no strategy gets right on any split; None below two strategies."""
        measured = [outcome for outcome in self.record.strategies if outcome.measured]
        if len(measured) < FEWEST_STRATEGIES:
            return None
        common = set.intersection(*({*answers(self.record, outcome)} for outcome in measured))
        votes, labels = self._votes, self.record.train_labels
        never = {place for place in common if labels[place] not in votes[place]}
        picked = self.record.outcome_of(self.record.picked) or measured[0]
        of_picked = answers(self.record, picked)
        return NeverRight(
            strategies=len(measured),
            images=self._mistakes({place: of_picked[place] for place in never if place in of_picked}),
            common=len(common),
        )

    def _best_deeper(self) -> Outcome | None:
        """The best score of those that train more than the head, on all images where there is one."""
        found = [outcome for outcome in self.record.strategies if outcome.measured and outcome.strategy.is_deeper]
        whole = [outcome for outcome in found if outcome.strategy not in self.record.on_part]
        sign = -1.0 if self.record.metric == "log-loss" else 1.0
        return max(whole or found, key=lambda one: sign * (one.score(self.record.metric) or 0.0), default=None)

    def _mistakes(self, answers: Mapping[int, Answer]) -> tuple[Mistake, ...]:
        return _wrong(answers, self._votes, self.record.train_labels, self.record.train_images)


def _wrong(
    answers: Mapping[int, Answer], votes: _Votes, labels: Sequence[int], names: Sequence[str]
) -> tuple[Mistake, ...]:
    """Those of some answers that are wrong: least probability left first, without probabilities most agreed."""
    wrong = [
        Mistake(
            name=names[place],
            given=labels[place],
            predicted=answer.predicted,
            left=None if math.isnan(answer.log_likelihood) else math.exp(answer.log_likelihood),
            agree=votes[place][answer.predicted] / sum(votes[place].values()),
        )
        for place, answer in answers.items()
        if answer.predicted != labels[place]
    ]
    return tuple(sorted(wrong, key=lambda one: (one.left if one.left is not None else 0.0, -one.agree, one.name)))


def cells(mistakes: Iterable[Mistake]) -> dict[tuple[int, int], list[Mistake]]:
    """Mistakes by given and predicted class, most frequent cell first, each cell in the order that was given."""
    found: dict[tuple[int, int], list[Mistake]] = {}
    for mistake in mistakes:
        found.setdefault((mistake.given, mistake.predicted), []).append(mistake)
    return dict(sorted(found.items(), key=lambda cell: (-len(cell[1]), cell[0])))


def errors_of(table: ClassTable) -> int:
    """How many of the images that were tested were called something else than they are given."""
    return sum(row.images - row.right for row in table.classes)
