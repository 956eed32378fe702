"""What is left of a budget, by a clock of our own."""

import time
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
    clock = Clock(60.0, started=now(), now=now)
    assert (clock.elapsed(), clock.left()) == (0.0, 60.0)

    now.at = 125.0

    assert (clock.elapsed(), clock.left()) == (25.0, 35.0)


def test_an_overrun_budget_is_a_negative_rest() -> None:
    """Ten seconds too late ten seconds are missing, and not none."""
    now = Hands()
    clock = Clock(60.0, started=0.0, now=now)
    now.at = 70.0

    assert clock.left() == -10.0


def test_what_is_kept_is_not_left_and_adds_up() -> None:
    """Of 60 seconds 20 and then 5 are kept: 35 are left, 25 are kept, and the first clock has all of its own still."""
    now = Hands()
    clock = Clock(60.0, started=0.0, now=now)
    kept = clock.keeping(20.0).keeping(5.0)

    assert (kept.left(), kept.budget, kept.kept) == (35.0, 35.0, 25.0)
    assert (clock.left(), clock.kept) == (60.0, 0.0)


def test_keeping_something_does_not_start_anew() -> None:
    """The seconds that have passed when something is put aside stay passed."""
    now = Hands(7.0)
    clock = Clock(60.0, started=0.0, now=now).keeping(10.0)

    assert (clock.elapsed(), clock.left()) == (7.0, 43.0)


def test_a_clock_begins_when_it_is_made() -> None:
    """Without a start of its own it runs by the computer's clock from the moment on."""
    before = time.perf_counter()
    clock = Clock(60.0)
    passed = clock.elapsed()

    assert 0.0 <= passed <= time.perf_counter() - before
    assert clock.left() == pytest.approx(60.0, abs=1.0)
