"""How many epochs and splits fit an allowance."""

from collections.abc import Callable

import pytest

from unfreeze.data.tasks import Task
from unfreeze.strategies.finetuning import Wish, forecast
from unfreeze.core.plans import Plan, Rule

PLAN = Plan(kind="unfreeze", blocks=2, rules=(Rule(".*", 1e-3),), epochs=20)
IMAGE = 0.01  # seconds of an image in an epoch
MakeTask = Callable[..., Task]


@pytest.fixture
def task(make_rows: MakeTask) -> Task:
    """A hundred images, of which a split learns from some 80."""
    return make_rows(100)


def seconds_of(task: Task, epochs: int, splits: int) -> float:
    """By counting: an epoch on everything, and one on the learning side of every split."""
    return epochs * IMAGE * (100 + sum(len(task.split(number).learn) for number in range(splits)))


def test_what_was_wished_is_forecast_where_it_fits(task: Task) -> None:
    """Twenty epochs on five splits and on everything, and their seconds."""
    wanted = seconds_of(task, 20, 5)
    found = forecast(task, PLAN, per_image=IMAGE, wish=Wish(allowance=1.01 * wanted, splits=5))

    assert (found.epochs, found.splits) == (20, 5)
    assert found.seconds == pytest.approx(wanted, rel=0.02)


def test_splits_are_given_up_before_the_second_half_of_the_epochs_is(task: Task) -> None:
    """Several splits have half of the wished epochs at least; on a single split four will do."""
    for allowance in range(1, 200, 2):
        found = forecast(task, PLAN, per_image=IMAGE, wish=Wish(allowance=float(allowance), splits=5))

        assert found.seconds <= allowance or not found.epochs
        assert found.splits < 2 or found.epochs >= 10
        assert found.epochs >= 4 or not found.epochs
        assert found.repeatable == (found.epochs >= 10) or not found.epochs


def test_more_time_never_buys_fewer_splits(task: Task) -> None:
    """And with the same splits never fewer epochs."""
    wishes = [Wish(allowance=float(allowance), splits=5) for allowance in range(5, 200)]
    found = [forecast(task, PLAN, per_image=IMAGE, wish=wish) for wish in wishes]
    bought = [(one.splits, one.epochs) for one in found if one.epochs]

    assert bought == sorted(bought)
    assert {splits for splits, _ in bought} == {1, 2, 3, 4, 5}


def test_a_forecast_tells_what_all_of_it_would_take(task: Task) -> None:
    """Also where nothing fits."""
    for allowance in (1.0, 50.0, 500.0):
        found = forecast(task, PLAN, per_image=IMAGE, wish=Wish(allowance=allowance, splits=5))

        assert found.seconds_of_all == pytest.approx(seconds_of(task, 20, 5), rel=0.02)
