"""The simulated schedule of workers, where its end can be worked out by hand."""

import math
from typing import Any

import pytest


@pytest.mark.parametrize(("portions", "workers"), [(1, 1), (7, 1), (12, 4), (13, 4), (100, 64), (3, 8)])
def test_equal_portions_take_whole_rounds(scripts: Any, portions: int, workers: int) -> None:
    """Of n equal portions on w workers without failures: the start, and n / w rounds, rounded up."""
    schedule = scripts("schedule")

    done = schedule.Schedule([2.0] * portions, schedule.Cluster(workers=workers, start=5.0)).run()

    assert done.seconds == 5.0 + math.ceil(portions / workers) * 2.0
    assert done.ended == 0


@pytest.mark.parametrize(
    ("seconds", "ends"),
    [([3.0, 1.0, 1.0, 1.0], 3.0), ([1.0, 1.0, 1.0, 3.0], 4.0), ([2.0, 5.0, 2.0, 2.0], 6.0), ([1.0, 4.0, 2.0], 4.0)],
)
def test_two_workers_by_hand(scripts: Any, seconds: list[float], ends: float) -> None:
    """Whoever is free takes the next one, so that a long last portion is waited for."""
    schedule = scripts("schedule")

    assert schedule.Schedule(seconds, schedule.Cluster(workers=2)).run().seconds == ends


def test_nobody_runs_far_ahead_of_a_slow_portion(scripts: Any) -> None:
    """With one portion a worker ahead, the second worker waits for the first one; with more it goes on."""
    schedule = scripts("schedule")
    seconds = [10.0, *[1.0] * 4]

    near = schedule.Schedule(seconds, schedule.Cluster(workers=2, ahead=1)).run()
    far = schedule.Schedule(seconds, schedule.Cluster(workers=2, ahead=4)).run()

    assert (near.seconds, far.seconds) == (12.0, 10.0)


def test_a_busy_driver_decides_alone(scripts: Any) -> None:
    """Where all workers together finish more than it can note: the first portion, then each portion's noting."""
    schedule = scripts("schedule")

    done = schedule.Schedule([1.0] * 400, schedule.Cluster(workers=8, driver=0.5)).run()

    assert done.seconds == pytest.approx(1.0 + 400 * 0.5)
    assert done.driving == pytest.approx(200 / 201)


def test_what_ends_is_done_again(scripts: Any) -> None:
    """All portions are finished, lost work is that of portions that were begun again, and one worker pays for all."""
    schedule = scripts("schedule")
    cluster = schedule.Cluster(workers=1, start=3.0, ends=600.0)

    done = schedule.Schedule([2.0] * 300, cluster, seed=1).run()

    assert done.ended > 0
    assert done.seconds == pytest.approx(3.0 + 300 * 2.0 + done.ended * 3.0 + done.lost)


def test_workers_end_as_often_as_is_asked(scripts: Any) -> None:
    """Of waiting times without memory: ended workers are the rate times all hours of work, within four deviations."""
    schedule = scripts("schedule")

    done = schedule.Schedule([2.0] * 20_000, schedule.Cluster(workers=16, ends=36.0), seed=2).run()

    expected = 36.0 * (20_000 * 2.0 + done.lost) / 3600
    assert abs(done.ended - expected) < 4 * math.sqrt(expected)
