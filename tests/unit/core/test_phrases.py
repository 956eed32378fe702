"""How scores, differences and probabilities are written."""

import pytest

from unfreeze.core.phrases import on_folder
from unfreeze.core.wording import amount, difference, difference_span, probability, score, score_span
from unfreeze.core.records import FolderStep, Interval


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.0, "under 1 %"), (0.0099, "under 1 %"), (0.01, "1 %"), (0.975, "98 %"), (0.9949, "99 %"), (1.0, "over 99 %")],
)
def test_no_probability_is_certain(value: float, written: str) -> None:
    """Neither 0 % nor 100 % is ever written."""
    assert probability(value) == written


def test_accuracies_are_in_per_cent_and_points() -> None:
    """Fractions become per cents, their differences points with a sign, and a zero is never negative."""
    assert score(0.9123, "accuracy") == "91.2 %"
    assert score_span(Interval(0.889, 0.9351), "balanced accuracy") == "88.9 to 93.5"
    assert difference(0.042, "accuracy") == "+4.2 points"
    assert difference(-0.0001, "accuracy") == "+0.0 points"
    assert difference_span(Interval(-0.011, 0.073), "accuracy") == "-1.1 to +7.3"
    assert difference_span(Interval(-1.3, 0.4), "accuracy") == "-100.0 to +40.0"
    assert [amount(margin, "accuracy") for margin in (0.005, 0.01, 0.02)] == ["0.5 points", "1 point", "2 points"]


def test_log_loss_is_in_nats() -> None:
    """Log-loss and its differences have three decimals and their unit."""
    assert score(0.2134, "log-loss") == "0.213 nats"
    assert score_span(Interval(0.2, 0.25), "log-loss") == "0.200 to 0.250"
    assert difference(-0.0312, "log-loss") == "-0.031 nats"
    assert difference_span(Interval(-0.0001, 0.05), "log-loss") == "+0.000 to +0.050"
    assert amount(0.02, "log-loss") == "0.02 nats"


@pytest.mark.parametrize(
    ("seeds", "differ", "said"),
    [(3, True, "mean of 3 seeds"), (1, True, "of one seed, whose"), (1, False, "to +5.0).")],
)
def test_a_single_seed_is_said_where_another_could_differ(seeds: int, differ: bool, said: str) -> None:
    """A trained network differs from seed to seed, which one seed does not show; a probe does not."""
    found = Interval(0.01, 0.05)
    step = FolderStep(first="a", second="b", difference=0.03, interval=found, seeds=seeds, seeds_differ=differ)

    assert said in on_folder(step, "accuracy")


def test_what_was_not_measured_has_no_number() -> None:
    """A strategy without a score says so."""
    assert score(None, "accuracy") == "not measured"
