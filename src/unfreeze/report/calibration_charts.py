"""Where the marks of reliability and of thresholds stand, in squares. Units are pixels of an SVG view box."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from unfreeze.core.records import Calibration, Reliability
from unfreeze.core.wording import count, percent, percent_range, probability
from unfreeze.report.charts import Tick
from unfreeze.report.thresholds import Threshold, Thresholds

SIDE: Final = 264.0  # of a square
TOP: Final = 62.0
LEFTS: Final = (72.0, 404.0)  # of the two squares in a view box
HEIGHT: Final = TOP + SIDE + 48
_NAMED: Final = (0.1, 0.5, 0.9)  # thresholds that are marked on the curves
_TICK = 0.25
_SMALLEST, _LARGEST = 3.0, 13.0  # radius of a dot


@dataclass(frozen=True)
class Dot:
    """A point of a square chart.

    Attributes:
        x: Across.
        y: Down.
        radius: Of the dot.
        text: What a reader sees on pointing at it.
        label: What stands beside it; empty for nothing.
        bar: Upper and lower end of its interval, down; None without one.
    """

    x: float
    y: float
    radius: float
    text: str
    label: str = ""
    bar: tuple[float, float] | None = None


@dataclass(frozen=True)
class Square:
    """A chart of fractions against fractions, on the same scale across and up.

    Attributes:
        title: Above it.
        across: What the axis across is.
        up: What the axis up is.
        left: Its left edge.
        ticks: Of the axis across; those up are the same ones, `downs`.
        downs: The same labels, down.
        diagonal: Both ends of the line on which both fractions are the same; None where that means nothing.
        path: Of the curve, an SVG polyline.
        dots: Marked points.
        kind: Its colour in the style sheet.
    """

    title: str
    across: str
    up: str
    left: float
    ticks: tuple[Tick, ...]
    downs: tuple[Tick, ...]
    diagonal: tuple[float, float, float, float] | None
    path: str
    dots: tuple[Dot, ...]
    kind: str


@dataclass(frozen=True)
class SquareCharts:
    """Two charts side by side."""

    height: float
    side: float
    top: float
    squares: tuple[Square, ...]


@dataclass(frozen=True)
class _Axes:
    """Where fractions stand in a square that begins at `low` on both axes."""

    left: float
    low: float = 0.0

    def across(self, value: float) -> float:
        return round(self.left + SIDE * (value - self.low) / (1 - self.low), 1)

    def down(self, value: float) -> float:
        return round(TOP + SIDE * (1 - (value - self.low) / (1 - self.low)), 1)

    @property
    def at(self) -> list[float]:
        """Round values."""
        return [round(self.low + _TICK * place, 2) for place in range(round((1 - self.low) / _TICK) + 1)]

    def ticks(self) -> tuple[tuple[Tick, ...], tuple[Tick, ...]]:
        labelled = [(value, f"{100 * value:.0f} %") for value in self.at]
        across = tuple(Tick(self.across(value), label) for value, label in labelled)
        return across, tuple(Tick(self.down(value), label) for value, label in labelled)

    @property
    def diagonal(self) -> tuple[float, float, float, float]:
        return (self.across(self.low), self.down(self.low), self.across(1), self.down(1))


def reliability_charts(found: Calibration | None) -> SquareCharts | None:
    """How often answers are right against how sure they were; before, and with the temperature.

    Args:
        found: Of the delivered model.

    Returns:
        The two charts on the same scale; None if there is nothing to draw.
    """
    if found is None:
        return None
    values = [
        value for side in (found.before, found.after) for one in side.bins for value in (one.confidence, one.accuracy)
    ]
    low = 0.5 if min(values) >= 0.5 else 0.0
    scaled = "with the temperature" if found.applied else "with a temperature (not used)"
    sides = (("as trained", found.before, "svm"), (scaled, found.after, "softmax"))
    squares = tuple(
        _reliability(title, side, _Axes(left, low), kind)
        for (title, side, kind), left in zip(sides, LEFTS, strict=True)
    )
    return SquareCharts(HEIGHT, SIDE, TOP, squares)


def _reliability(title: str, found: Reliability, axes: _Axes, kind: str) -> Square:
    most = max(one.images for one in found.bins)
    dots = tuple(
        Dot(
            axes.across(one.confidence),
            axes.down(one.accuracy),
            round(max(_SMALLEST, _LARGEST * math.sqrt(one.images / most)), 1),
            f"{count(one.images, 'photo')}: {percent(one.confidence)} sure, {percent(one.accuracy)} right "
            f"({percent_range(one.interval)})",
            bar=(axes.down(one.interval.high), axes.down(max(axes.low, one.interval.low))),
        )
        for one in found.bins
    )
    ticks, downs = axes.ticks()
    return Square(
        title=title,
        across="how sure",
        up="how often right",
        left=axes.left,
        ticks=ticks,
        downs=downs,
        diagonal=axes.diagonal,
        path=_polyline([(dot.x, dot.y) for dot in dots]),
        dots=dots,
        kind=kind,
    )


def threshold_charts(found: Thresholds | None) -> SquareCharts | None:
    """The ROC curve, and precision against recall.

    Args:
        found: What thresholds give.

    Returns:
        The two charts; None if there is nothing to draw.
    """
    if found is None:
        return None
    roc, recall = map(_Axes, LEFTS)
    marked = [row for row in found.rows if row.at in _NAMED]
    ticks = [axes.ticks() for axes in (roc, recall)]
    squares = (
        Square(
            title="ROC",
            across="false alarms",
            up="recall (found)",
            left=roc.left,
            ticks=ticks[0][0],
            downs=ticks[0][1],
            diagonal=roc.diagonal,
            path=_polyline(_corners([(roc.across(x.false_alarm_rate), roc.down(x.recall)) for x in found.every])),
            dots=tuple(_marked(row, roc.across(row.false_alarm_rate), roc.down(row.recall)) for row in marked),
            kind="softmax",
        ),
        Square(
            title="precision and recall",
            across="recall (found)",
            up="precision",
            left=recall.left,
            ticks=ticks[1][0],
            downs=ticks[1][1],
            diagonal=None,
            path=_polyline(_corners(_precisions(found.every, recall))),
            dots=tuple(
                _marked(row, recall.across(row.recall), recall.down(row.precision))
                for row in marked
                if row.precision is not None
            ),
            kind="softmax",
        ),
    )
    return SquareCharts(HEIGHT, SIDE, TOP, squares)


def _precisions(every: Sequence[Threshold], axes: _Axes) -> list[tuple[float, float]]:
    return [(axes.across(one.recall), axes.down(one.precision)) for one in every if one.precision is not None]


def _marked(row: Threshold, x: float, y: float) -> Dot:
    text = f"from {percent(row.at)}: {row.found} found, {row.false_alarms} false alarms, {row.missed} missed"
    return Dot(x, y, 6.0 if row.at == 0.5 else 4.0, text, probability(row.at))


def _corners(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without points that repeat the last one, or lie between two others on one level."""
    kept: list[tuple[float, float]] = []
    for x, y in points:
        if kept and kept[-1] == (x, y):
            continue
        if len(kept) > 1 and (kept[-2][0] == kept[-1][0] == x or kept[-2][1] == kept[-1][1] == y):
            kept.pop()
        kept.append((x, y))
    return kept


def _polyline(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)
