"""What is left of a budget, by a clock of our own."""

import math
from dataclasses import dataclass

import pytest

from unfreeze.workflows.clock import Clock


@dataclass
class Hands:
    """A clock that stands where it is put."""

    at: float = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.at


def test_what_has_passed_is_not_left() -> None:
    """Begun at 100 with 60 seconds, 25 seconds later 35 are left."""
    now = Hands(100.0)
    clock = Clock(now, 60.0)
    assert (clock.elapsed(), clock.left()) == (0.0, 60.0)

    now.at = 125.0

    assert (clock.elapsed(), clock.left()) == (25.0, 35.0)


def test_an_overrun_budget_is_a_negative_rest() -> None:
    """Ten seconds too late ten seconds are missing, and not none."""
    now = Hands()
    clock = Clock(now, 60.0)
    now.at = 70.0

    assert clock.left() == -10.0


def test_what_is_kept_is_not_left_until_it_is_given_back() -> None:
    """Of 60 seconds 20 and then 5 are kept: 35 are left, 25 are kept, and afterwards all of them can be used."""
    clock = Clock(Hands(), 60.0)
    clock.keep(20.0)
    clock.keep(5.0)
    assert (clock.left(), clock.budget, clock.kept) == (35.0, 35.0, 25.0)

    clock.give_back()

    assert (clock.left(), clock.budget, clock.kept) == (60.0, 60.0, 0.0)


def test_keeping_something_does_not_start_anew() -> None:
    """The seconds that have passed when something is put aside stay passed."""
    now = Hands(7.0)
    clock = Clock(now, 60.0)
    now.at = 14.0
    clock.keep(10.0)

    assert (clock.elapsed(), clock.left()) == (7.0, 43.0)


def test_a_clock_goes_on_from_a_moment_of_an_earlier_life() -> None:
    """Turned to 40 it has 20 of 60 seconds left, and 5 seconds later 15."""
    now = Hands(1000.0)
    clock = Clock(now, 60.0)
    clock.turn_to(40.0)
    assert clock.left() == pytest.approx(20.0)

    now.at = 1005.0

    assert clock.left() == pytest.approx(15.0)


def test_without_a_budget_time_never_ends() -> None:
    """Whatever has passed, everything is left."""
    now = Hands()
    clock = Clock(now)
    now.at = 1e9

    assert clock.left() == math.inf
