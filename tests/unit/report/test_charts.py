"""Where the marks of the charts stand."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unfreeze.core.records import Interval
from unfreeze.core.run_record import RunRecord
from unfreeze.core.strategies import FULL
from unfreeze.report.charts import (
    LEFT,
    STEP,
    WIDTH,
    axis,
    cost_chart,
    depth_chart,
    learning_chart,
    steps_chart,
    training_chart,
)


@given(st.lists(st.floats(0, 1), min_size=1))
def test_an_axis_holds_its_values(values: list[float]) -> None:
    """The axis covers all values, stays within 0 and 1, and has 2 to 9 ticks in order."""
    low, high, ticks = axis(values)

    assert 0 <= low <= min(values) + 1e-6
    assert max(values) - 1e-6 <= high <= 1
    assert low < high
    assert list(ticks) == sorted(set(ticks))
    assert 2 <= len(ticks) <= 9


def test_better_is_higher_and_deeper_is_to_the_right(record: RunRecord) -> None:
    """On the depth curve the best tap is the highest mark, and taps stand in order inside the frame."""
    chart = depth_chart(record.depth_curve)

    assert chart is not None
    for curve in chart.curves:
        xs, ys = [mark.x for mark in curve.marks], [mark.y for mark in curve.marks]
        assert xs == sorted(xs)
        assert min(xs) > LEFT
        assert max(xs) < WIDTH
        assert ys.index(min(ys)) == 1


def test_an_interval_lies_around_its_accuracy(record: RunRecord) -> None:
    """A mark stands between the ends of its interval, inside the frame; what was left out has none."""
    chart = cost_chart(record)

    assert chart is not None
    marks = [each.mark for each in chart.marks]
    assert len(marks) == 7
    assert all(mark.high < mark.y < mark.low and LEFT < mark.x < WIDTH for mark in marks)
    assert [mark.label for mark in marks if mark.picked] == ["last 2 blocks"]


def test_what_costs_more_is_further_right_and_has_a_larger_number(record: RunRecord) -> None:
    """In the order of preparation and one split; ten times as much is as far away everywhere."""
    chart = cost_chart(record)

    assert chart is not None
    known = {outcome.strategy.plain: outcome.cost for outcome in record.strategies}
    once = [
        known[each.mark.label].preparation_seconds + known[each.mark.label].split_seconds[0] for each in chart.marks
    ]
    places = [each.mark.x for each in chart.marks]
    assert (once, places) == (sorted(once), sorted(places))
    assert [each.number for each in chart.marks] == [1, 2, 3, 4, 5, 6, 7]
    a_factor_of_ten = [
        (x - places[0]) / math.log10(time / once[0]) for x, time in zip(places[1:], once[1:], strict=True)
    ]
    assert a_factor_of_ten == pytest.approx([a_factor_of_ten[-1]] * 6, rel=0.01)


def test_the_band_is_the_margin_below_the_best(record: RunRecord) -> None:
    """One point, on an axis where a tick's distance is known; a margin in nats has none."""
    chart = cost_chart(record)

    assert chart is not None
    assert chart.band is not None
    upper, lower = chart.band
    assert upper == next(each.mark.y for each in chart.marks if each.mark.picked)
    a_tick, another = chart.ticks[0], chart.ticks[-1]
    a_point = (a_tick.at - another.at) / (float(another.label[:-2]) - float(a_tick.label[:-2]))
    assert lower - upper == pytest.approx(a_point, abs=0.11)
    in_nats = cost_chart(replace(record, metric="log-loss"))
    assert in_nats is not None
    assert in_nats.band is None


def test_numbers_do_not_lie_on_each_other(record: RunRecord) -> None:
    """Nor where all strategies cost the same and are as good."""
    same = tuple(replace(outcome, accuracy=0.9, cost=record.strategies[0].cost) for outcome in record.strategies)
    chart = cost_chart(replace(record, strategies=same))

    assert chart is not None
    assert min(after.x - before.x for before, after in pairwise(sorted(chart.marks, key=lambda each: each.x))) >= 16


def test_a_score_on_part_of_the_images_is_hollow(record_with_a_lucky_split: RunRecord) -> None:
    """It has its mark; the others are not, and the best of them, not it, is what the band lies below."""
    chart = cost_chart(record_with_a_lucky_split)

    assert chart is not None
    assert [each.mark.label for each in chart.marks if each.mark.on_part] == ["last layer, trained †"]
    assert chart.band is not None
    assert chart.band[0] == min(each.mark.y for each in chart.marks if not each.mark.on_part)


def test_training_losses_go_from_left_to_right(record: RunRecord) -> None:
    """A curve per strategy that trained in epochs, the smallest loss lowest; without any there is no chart."""
    chart = training_chart(record)

    assert chart is not None
    assert [curve.name for curve in chart.curves] == ["last 2 blocks"]
    points = [tuple(map(float, point.split(","))) for point in chart.curves[0].path.split()]
    assert points == sorted(points)
    assert len(points) == 3
    assert training_chart(replace(record, strategies=record.strategies[:4])) is None


def test_a_step_lies_on_its_side_of_zero(record: RunRecord) -> None:
    """Gains are right of zero, losses left of it; the margin lies evenly around it, and nothing leaves the picture."""
    chart = steps_chart(record)

    assert chart is not None
    assert chart.band[1] - chart.zero == chart.zero - chart.band[0] > 0
    for mark, step in zip(chart.marks, record.comparisons, strict=True):
        assert (mark.x > chart.zero) == (step.difference > 0)
        assert 0 <= mark.low <= mark.x <= mark.high <= STEP


def test_three_probabilities_fill_their_bar(record: RunRecord) -> None:
    """The segments stand one behind the other, as wide as their probabilities; without probabilities there are none."""
    few = replace(record.comparisons[0], worse=None, equivalent=None, better=None)
    chart = steps_chart(replace(record, comparisons=(*record.comparisons, few)))

    assert chart is not None
    *marks, last = chart.marks
    assert last.segments == ()
    for mark, step in zip(marks, record.comparisons, strict=True):
        worse, equivalent, better = mark.segments
        assert [segment.kind for segment in mark.segments] == ["worse", "equivalent", "better"]
        assert worse.x == 0
        assert equivalent.x == pytest.approx(worse.width, abs=0.11)
        assert better.x + better.width == pytest.approx(STEP, abs=0.21)
        likely = step.better or 0.0
        assert better.width == pytest.approx(STEP * likely, abs=0.06)


def test_a_large_step_does_not_hide_the_others(record: RunRecord) -> None:
    """A step of 60 points is cut off at the edge, and the others stay where they were."""
    large = replace(record.comparisons[0], difference=0.6, interval=Interval(0.5, 0.7))
    chart = steps_chart(replace(record, comparisons=(*record.comparisons, large)))

    assert chart is not None
    assert chart.marks[-1].x == STEP
    assert max(mark.x for mark in chart.marks[:-1]) > 0.7 * STEP


def test_more_images_are_to_the_right_and_what_is_expected_goes_on(record: RunRecord) -> None:
    """Each doubling is as wide as the next; marks stand inside their bands; the dashed line begins at the last mark."""
    chart = learning_chart(record.learning_curve)

    assert chart is not None
    places = [size.at for size in chart.sizes]
    widths = [after - before for before, after in pairwise(places)]
    assert widths == pytest.approx([widths[0]] * 5, abs=0.21)
    assert LEFT < places[0] < places[-1] < WIDTH
    assert [curve.kind for curve in chart.curves] == ["probe", "tuned"]
    for curve in chart.curves:
        last = curve.marks[-1]
        assert all(mark.high < mark.y < mark.low for mark in curve.marks)
        assert curve.ahead.startswith(f"{last.x},{last.y} ")
        assert len(curve.band.split()) == 6


def test_fine_tuning_at_one_size_is_one_mark(record: RunRecord) -> None:
    """Without smaller sizes nothing is expected, so that there is a mark and no dashed line."""
    curves = record.learning_curve
    assert curves is not None
    assert curves.fine_tuning is not None
    found = curves.fine_tuning
    tuned = replace(
        found,
        strategy=FULL,
        sizes=found.sizes[-1:],
        scores=found.scores[-1:],
        bands=found.bands[-1:],
        ahead=(),
        expected=(),
        expected_bands=(),
    )
    chart = learning_chart(replace(curves, fine_tuning=tuned))

    assert chart is not None
    assert len(chart.curves[1].marks) == 1
    assert chart.curves[1].ahead == chart.curves[1].band == ""


def test_nothing_measured_gives_no_chart(interrupted_record: RunRecord) -> None:
    """Without points there is no empty frame."""
    assert depth_chart([]) is None
    assert learning_chart(None) is None
    assert cost_chart(interrupted_record) is None
    assert steps_chart(interrupted_record) is None
