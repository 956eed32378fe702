"""Where the marks of what is answered stand."""

from dataclasses import replace
from itertools import pairwise

import pytest

from example_run import CALIBRATION
from unfreeze.core.phrases import answering
from unfreeze.core.records import Abstaining, Answered, Interval
from unfreeze.report.abstention_chart import abstention_chart
from unfreeze.report.charts import BOTTOM, TOP


def height(share: float) -> float:
    """Of a share, down."""
    return BOTTOM - (BOTTOM - TOP) * share


def test_the_chart_has_the_shares_of_the_record() -> None:
    """Of 400 photos 260 are answered from 90 % on, of which 252 are right; from 99 % on none, so none is right."""
    chart = abstention_chart(CALIBRATION)
    assert chart is not None
    right, answered = chart.curves

    assert [row.answered.images for row in chart.rows] == [400, 400, 380, 380, 330, 260, 260, 0]
    assert [mark.y for mark in answered.marks] == [
        pytest.approx(height(row.answered.images / 400), abs=0.06) for row in chart.rows
    ]
    assert [mark.y for mark in right.marks] == [
        pytest.approx(height(row.answered.right / row.answered.images), abs=0.06)
        for row in chart.rows
        if row.answered.images
    ]
    assert answered.marks[5].text == "65.0 % answered from 90.0 % sure on"


def test_the_curves_are_stairs() -> None:
    """Each line runs across or down, the number that is answered never up; a curve ends where nothing is answered."""
    chart = abstention_chart(CALIBRATION)
    assert chart is not None
    right, answered = ([tuple(map(float, one.split(","))) for one in curve.path.split()] for curve in chart.curves)

    for points in (right, answered):
        assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(points))
    assert [y for _, y in answered] == sorted(y for _, y in answered)
    assert answered[-1] == (chart.shares[-1].at, height(0))
    assert chart.shares[-2].at < right[-1][0] < chart.shares[-1].at


def test_the_sentence_counts_in_hundreds() -> None:
    """What is answered, and what of that is right, at 90 %; where nothing is that sure, it says so."""
    chart = abstention_chart(CALIBRATION)
    part = Answered(images=0, right=0, accuracy=None, interval=None)
    all_right = Answered(images=7, right=7, accuracy=1.0, interval=Interval(0.6, 1.0))
    assert chart is not None

    opening = "Asked to answer only when at least 90 % sure, it answers"
    assert chart.sentence == f"{opening} 65 of 100 photos and 97 of 100 of those answers are right."
    assert answering(Abstaining(below=0.9, answered=part), 40) == f"{opening} no photo."
    assert answering(Abstaining(below=0.9, answered=all_right), 1200).endswith(
        "answers 1 of 100 photos and 100 of 100 of those answers are right."
    )


def test_without_a_curve_there_is_no_chart() -> None:
    """As in a run of an older version, or of an SVM."""
    assert abstention_chart(replace(CALIBRATION, abstaining=())) is None
    assert abstention_chart(None) is None
