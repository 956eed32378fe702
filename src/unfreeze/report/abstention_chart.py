"""What a model answers, and how well, that may leave photos open: where the marks of the chart stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from unfreeze.core.phrases import answering
from unfreeze.core.records import Abstaining, Calibration
from unfreeze.core.wording import percent, percent_range
from unfreeze.report.charts import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Mark, Tick

SHOWN: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)  # rows of the table; marked in the chart
SAID: Final = 0.9  # the probability that the sentence speaks of
_PLACES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
_INSET: Final = 12
_LAST_TICK: Final = 34  # half of "100 %" as large as it is on a narrow screen


@dataclass(frozen=True)
class Stairs:
    """A curve that falls or rises in steps.

    Attributes:
        kind: Its colour in the style sheet.
        name: What it counts.
        path: An SVG polyline.
        marks: At probabilities that the table shows; with an interval from `low` to `high`, down, where those differ.
    """

    kind: str
    name: str
    path: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class AbstentionChart:
    """Shares of photos that are answered, and of answers that are right, against the probability asked for.

    Attributes:
        height: Of the view box.
        ticks: Of the axis up.
        shares: Of the axis across.
        curves: Of the answers that are right, and of the photos that are answered.
        rows: What the table shows.
        sentence: What both say of one probability.
    """

    height: float
    ticks: tuple[Tick, ...]
    shares: tuple[Tick, ...]
    curves: tuple[Stairs, ...]
    rows: tuple[Abstaining, ...]
    sentence: str


def abstention_chart(found: Calibration | None) -> AbstentionChart | None:
    """What is gained where a model leaves open what it is unsure of.

    Args:
        found: Of the delivered model.

    Returns:
        The chart; None if nothing was measured.
    """
    if found is None or not found.abstaining:
        return None
    points, images = found.abstaining, found.images
    rows = tuple(_at(points, share) for share in SHOWN)
    ticks = tuple(Tick(_down(share), f"{100 * share:.0f} %") for share in _PLACES)
    return AbstentionChart(
        height=BOTTOM + 48,
        ticks=ticks,
        shares=tuple(Tick(_across(share), f"{100 * share:.0f} %") for share in _PLACES),
        curves=(_right(points, rows), _answered(points, rows, images)),
        rows=rows,
        sentence=answering(_at(points, SAID), images),
    )


def _at(points: Sequence[Abstaining], share: float) -> Abstaining:
    """What is answered from a probability on, of a curve that has only the steps."""
    last = [one for one in points if one.below <= share][-1]
    return Abstaining(below=share, answered=last.answered)


def _right(points: Sequence[Abstaining], rows: Sequence[Abstaining]) -> Stairs:
    heights = [(one.below, one.answered.accuracy) for one in points if one.answered.accuracy is not None]
    end = next((one.below for one in points if not one.answered.images), 1.0)
    marks = []
    for one in rows:
        part = one.answered
        if part.accuracy is not None and part.interval is not None:
            text = f"{percent(part.accuracy)} right ({percent_range(part.interval)}) from {percent(one.below)} sure on"
            low, high = _down(part.interval.low), _down(part.interval.high)
            marks.append(Mark(_across(one.below), _down(part.accuracy), "", text, low, high))
    return Stairs("k0", "of its answers, how many are right", _stairs(heights, end), tuple(marks))


def _answered(points: Sequence[Abstaining], rows: Sequence[Abstaining], images: int) -> Stairs:
    heights = [(one.below, one.answered.images / images) for one in points]
    marks = []
    for one in rows:
        height = _down(one.answered.images / images)
        text = f"{percent(one.answered.images / images)} answered from {percent(one.below)} sure on"
        marks.append(Mark(_across(one.below), height, "", text, height, height))
    return Stairs("k1", "of all photos, how many it answers", _stairs(heights, 1.0), tuple(marks))


def _stairs(heights: Sequence[tuple[float, float]], end: float) -> str:
    """Level up to each next probability, and there at once as high as it is from there on."""
    points: list[tuple[float, float]] = []
    for share, height in heights:
        points += [(_across(share), points[-1][1])] if points else []
        points.append((_across(share), _down(height)))
    points.append((_across(end), points[-1][1]))
    return " ".join(f"{x},{y}" for x, y in points)


def _across(share: float) -> float:
    return round(LEFT + _INSET + (WIDTH - LEFT - RIGHT - _INSET - _LAST_TICK) * share, 1)


def _down(share: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * share, 1)
