"""Where the marks of reliability and of thresholds stand."""

from dataclasses import replace

import pytest

from example_run import CALIBRATION
from unfreeze.core.run_record import RunRecord
from unfreeze.report.calibration_charts import LEFTS, SIDE, TOP, reliability_charts, threshold_charts
from unfreeze.report.thresholds import thresholds_of


def test_a_believable_answer_stands_on_the_diagonal() -> None:
    """A bin that is as often right as it is sure lies on the line, a surer one below it, in both squares."""
    charts = reliability_charts(CALIBRATION)
    assert charts is not None
    before, after = charts.squares

    for square, left in zip((before, after), LEFTS, strict=True):
        assert square.diagonal == (left, TOP + SIDE, left + SIDE, TOP)
    for dot in before.dots:  # 75 % sure and 65 % right; 97 % and 92 %
        assert dot.y - TOP > SIDE - (dot.x - LEFTS[0])
    assert after.dots[0].x - LEFTS[1] == pytest.approx(SIDE * (0.7 - 0.5) / 0.5, abs=0.1)  # both axes begin at a half
    assert TOP + SIDE - after.dots[0].y == pytest.approx(SIDE * (0.68 - 0.5) / 0.5, abs=0.1)


def test_the_dot_of_most_photos_is_the_largest() -> None:
    """Its area grows with the photos: of a hundred it is a third of that of three hundred."""
    charts = reliability_charts(CALIBRATION)
    assert charts is not None
    small, large = charts.squares[0].dots

    assert (small.radius / large.radius) ** 2 == pytest.approx(1 / 3, abs=0.01)
    assert "100 photos: 75.0 % sure, 65.0 % right (55.0 to 74.0 %)" in small.text


def test_a_temperature_that_was_not_used_says_so() -> None:
    """The second square is there all the same, with that title."""
    charts = reliability_charts(replace(CALIBRATION, temperature=1.0))

    assert charts is not None
    assert charts.squares[1].title == "with a temperature (not used)"
    assert reliability_charts(None) is None


def test_curves_of_thresholds_end_in_their_corners(record: RunRecord) -> None:
    """The ROC curve goes from the lower left corner to the upper right one, and every mark lies in its square."""
    charts = threshold_charts(thresholds_of(record))
    assert charts is not None
    roc = charts.squares[0]

    assert roc.path.split()[0] == f"{LEFTS[0]},{TOP + SIDE}"
    assert roc.path.split()[-1] == f"{LEFTS[0] + SIDE},{TOP}"
    for square, left in zip(charts.squares, LEFTS, strict=True):
        assert all(left <= dot.x <= left + SIDE and TOP <= dot.y <= TOP + SIDE for dot in square.dots)
    assert threshold_charts(None) is None
