"""Where the marks of the charts stand."""

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
    NAMES,
    STEP,
    WIDTH,
    accuracy_chart,
    axis,
    depth_chart,
    learning_chart,
    steps_chart,
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
    """A mark stands between the ends of its interval, right of the names; what was left out has none."""
    chart = accuracy_chart(record)

    assert chart is not None
    assert len(chart.marks) == 7
    assert all(NAMES <= mark.low < mark.x < mark.high < WIDTH for mark in chart.marks)
    assert [mark.label for mark in chart.marks if mark.picked] == ["unfreeze 2"]


def test_a_score_on_part_of_the_images_is_drawn_below_the_others(record_with_a_lucky_split: RunRecord) -> None:
    """It has its mark, and is hollow; all others are not."""
    chart = accuracy_chart(record_with_a_lucky_split)

    assert chart is not None
    *whole, lucky = sorted(chart.marks, key=lambda mark: mark.y)
    assert (lucky.label, lucky.on_part) == ("head †", True)
    assert not any(mark.on_part for mark in whole)


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
    assert accuracy_chart(interrupted_record) is None
    assert steps_chart(interrupted_record) is None
