"""Where the marks of the report's two charts stand; the template draws them. Units are pixels of an SVG view box."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unfreeze.report.wording import percent, percent_range, printable

WIDTH = 720
LEFT = 56  # room for the labels of the axis of accuracy
RIGHT = 16
NAMES = 240  # room for the names of strategies
ROW = 30


@dataclass(frozen=True)
class Tick:
    """A labelled line of the accuracy axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """One measured point.

    Attributes:
        x: Across.
        y: Down.
        label: Name of the tap or strategy.
        text: What a reader sees on pointing at it.
        low: Lower end of the interval, across.
        high: Upper end.
        picked: Whether it is the strategy to use.
    """

    x: float
    y: float
    label: str
    text: str
    low: float = 0.0
    high: float = 0.0
    picked: bool = False


@dataclass(frozen=True)
class Curve:
    """Points of one kind of probe, shallow to deep.

    Attributes:
        name: softmax or svm.
        marks: Its points.
        path: The same as an SVG polyline.
    """

    name: str
    marks: tuple[Mark, ...]
    path: str


@dataclass(frozen=True)
class DepthChart:
    """The depth curve: test accuracy by tap."""

    height: float
    ticks: tuple[Tick, ...]
    taps: tuple[Tick, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class AccuracyChart:
    """Accuracies of the strategies with their intervals, one below the other."""

    height: float
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]


def axis(values: Sequence[float]) -> tuple[float, float, tuple[float, ...]]:
    """A round axis of fractions around `values`.

    It does not begin at zero: what is compared are differences, and an interval is drawn beside each.

    Args:
        values: Fractions, at least one.

    Returns:
        Its start, its end and about five round ticks from start to end.

    Example:
        >>> axis([0.62, 0.78])
        (0.6, 0.8, (0.6, 0.65, 0.7, 0.75, 0.8))
    """
    low, high = min(values), max(values)
    span = max(high - low, 0.01)
    step = next((step for step in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1) if span / step <= 6), 0.2)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    first, last = max(0, first), min(round(1 / step), last)
    if first == last:
        first, last = (first - 1, last) if first else (first, last + 1)
    ticks = tuple(round(number * step, 6) for number in range(first, last + 1))
    return ticks[0], ticks[-1], ticks


def depth_chart(points: Sequence[Mapping[str, Any]]) -> DepthChart | None:
    """Where the marks of the depth curve stand.

    Args:
        points: The run's ``depth_curve``.

    Returns:
        The chart; None if there is nothing to draw.
    """
    usable = [point for point in points if point["accuracy"] is not None]
    if not usable:
        return None
    taps = list(dict.fromkeys(point["tap"] for point in usable))
    low, high, ticks = axis([point["accuracy"] for point in usable])
    top, bottom = 14.0, 250.0

    def across(tap: str) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (taps.index(tap) + 0.5) / len(taps)

    def down(accuracy: float) -> float:
        return bottom - (bottom - top) * (accuracy - low) / (high - low)

    def mark(point: Mapping[str, Any]) -> Mark:
        x, y = round(across(point["tap"]), 1), round(down(point["accuracy"]), 1)
        return Mark(x, y, printable(point["tap"]), _point_text(point))

    def curve(loss: str) -> Curve:
        marks = tuple(mark(point) for point in usable if point["loss"] == loss)
        return Curve(loss, marks, " ".join(f"{mark.x},{mark.y}" for mark in marks))

    return DepthChart(
        height=bottom + 84,
        ticks=tuple(Tick(round(down(tick), 1), percent(tick)) for tick in ticks),
        taps=tuple(Tick(round(across(tap), 1), printable(tap)) for tap in taps),
        curves=tuple(curve(loss) for loss in dict.fromkeys(point["loss"] for point in usable)),
    )


def _point_text(point: Mapping[str, Any]) -> str:
    chosen = f"cross-validation {percent(point['cv_accuracy'])}, C {point['C']:.3g}"
    return printable(f"{point['loss']} at {point['tap']}: {percent(point['accuracy'])} ({chosen})")


def accuracy_chart(document: Mapping[str, Any]) -> AccuracyChart | None:
    """Where the marks of the strategies stand.

    Args:
        document: What `run.json` holds.

    Returns:
        The chart; None if nothing was measured.
    """
    measured = [outcome for outcome in document["strategies"] if outcome["accuracy"] is not None]
    if not measured:
        return None
    low, high, ticks = axis([value for outcome in measured for value in _ends(outcome)])

    def across(accuracy: float) -> float:
        return round(NAMES + (WIDTH - NAMES - 3 * RIGHT) * (accuracy - low) / (high - low), 1)

    def mark(place: int, outcome: Mapping[str, Any]) -> Mark:
        first, last = _ends(outcome)
        text = f"{outcome['name']}: {percent(outcome['accuracy'])} ({percent_range(outcome['interval'])})"
        picked = outcome["name"] == document["picked"]
        y = 20.0 + ROW * place
        name = printable(outcome["name"])
        return Mark(across(outcome["accuracy"]), y, name, printable(text), across(first), across(last), picked)

    return AccuracyChart(
        height=20.0 + ROW * len(measured) + 24,
        ticks=tuple(Tick(across(tick), percent(tick)) for tick in ticks),
        marks=tuple(mark(place, outcome) for place, outcome in enumerate(measured)),
    )


def _ends(outcome: Mapping[str, Any]) -> tuple[float, float]:
    interval = outcome["interval"] or (outcome["accuracy"], outcome["accuracy"])
    return float(interval[0]), float(interval[1])
