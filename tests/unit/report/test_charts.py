"""Where the marks of the charts stand."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from unfreeze.report.charts import LEFT, NAMES, WIDTH, accuracy_chart, axis, depth_chart


@given(st.lists(st.floats(0, 1), min_size=1))
def test_an_axis_holds_its_values(values: list[float]) -> None:
    """The axis covers all values, stays within 0 and 1, and has 2 to 9 ticks in order."""
    low, high, ticks = axis(values)

    assert 0 <= low <= min(values) + 1e-6
    assert max(values) - 1e-6 <= high <= 1
    assert low < high
    assert list(ticks) == sorted(set(ticks))
    assert 2 <= len(ticks) <= 9


def test_better_is_higher_and_deeper_is_to_the_right(document: dict[str, Any]) -> None:
    """On the depth curve the best tap is the highest mark, and taps stand in order inside the frame."""
    chart = depth_chart(document["depth_curve"])

    assert chart is not None
    for curve in chart.curves:
        xs, ys = [mark.x for mark in curve.marks], [mark.y for mark in curve.marks]
        assert xs == sorted(xs)
        assert min(xs) > LEFT
        assert max(xs) < WIDTH
        assert ys.index(min(ys)) == 1


def test_an_interval_lies_around_its_accuracy(document: dict[str, Any]) -> None:
    """A mark stands between the ends of its interval, right of the names; what was left out has none."""
    chart = accuracy_chart(document)

    assert chart is not None
    (mark,) = chart.marks
    assert NAMES <= mark.low < mark.x < mark.high < WIDTH
    assert mark.picked


def test_nothing_measured_gives_no_chart() -> None:
    """Without points there is no empty frame."""
    assert depth_chart([]) is None
    assert accuracy_chart({"strategies": [], "picked": None}) is None
