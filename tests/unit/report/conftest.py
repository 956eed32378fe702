"""The records of the example run."""

from dataclasses import replace

import pytest

from example_run import run_record
from unfreeze.core.class_table import ClassTable
from unfreeze.core.records import ClassScores, Interval, Outcome
from unfreeze.core.run_record import RunRecord
from unfreeze.core.strategies import HEAD, unfreeze


@pytest.fixture
def record() -> RunRecord:
    """What a whole run leaves behind."""
    return run_record()


@pytest.fixture
def interrupted_record() -> RunRecord:
    """What a run leaves behind after Ctrl-C during the first trial."""
    return run_record(interrupted=True)


@pytest.fixture
def record_with_a_lucky_split() -> RunRecord:
    """The same, of which the head alone was measured on a single split, and was right there about everything."""
    whole = run_record()
    lucky = replace(whole.outcome_of(HEAD), splits=1, accuracy=1.0, interval=None)  # type: ignore[type-var]
    return replace(whole, strategies=tuple(lucky if one.strategy == HEAD else one for one in whole.strategies))


WRONG = (10, 21, 30)  # places of what the picked strategy gets wrong, each surer than the next


@pytest.fixture
def mistaken() -> RunRecord:
    """The same, of which the picked strategy gets three images wrong, and the head one of them and another one."""
    whole = run_record()
    table = ClassTable(
        strategy=unfreeze(2),
        predictions=tuple((place + (place in WRONG)) % 2 for place in range(len(whole.train_images))),
        confusion=((198, 2), (1, 199)),
        classes=(scores(200, 198, 199), scores(200, 199, 201)),
    )
    mistakes = {unfreeze(2): WRONG, HEAD: (10, 40)}
    strategies = tuple(_wrong_on(one, mistakes.get(one.strategy, ())) for one in whole.strategies)
    return replace(whole, strategies=strategies, by_class=table)


def scores(images: int, right: int, predicted: int) -> ClassScores:
    """Of a class, with intervals of two points either way."""
    precision, recall, f1 = right / predicted, right / images, 2 * right / (images + predicted)
    return ClassScores(
        images=images,
        right=right,
        predicted=predicted,
        precision=precision,
        recall=recall,
        f1=f1,
        precision_interval=Interval(precision - 0.02, precision + 0.02),
        recall_interval=Interval(recall - 0.02, recall + 0.02),
        f1_interval=Interval(f1 - 0.02, f1 + 0.02),
    )


def _wrong_on(outcome: Outcome, places: tuple[int, ...]) -> Outcome:
    """An outcome that is wrong on some places of the first split, each surer than the next."""
    if not places:
        return outcome
    predictions, likelihoods = list(outcome.predictions[0]), list(outcome.log_likelihoods[0])
    for number, place in enumerate(places):
        predictions[place], likelihoods[place] = 1 - place % 2, -3.0 + number
    return replace(
        outcome,
        predictions=(tuple(predictions), *outcome.predictions[1:]),
        log_likelihoods=(tuple(likelihoods), *outcome.log_likelihoods[1:]),
    )
