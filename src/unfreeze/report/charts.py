"""Where the marks of the report's charts stand; the template draws them. Units are pixels of an SVG view box."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from unfreeze.advisor.phrases import amount, probability
from unfreeze.report.wording import percent, percent_range, printable

WIDTH = 720
LEFT = 56  # room for the labels of the axis of accuracy
RIGHT = 16
NAMES = 240  # room for the names of strategies
ROW = 30
STEP = 150  # width of a step's small pictures


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
    """The depth curve: mean accuracy on the test sides of the splits, by tap."""

    height: float
    ticks: tuple[Tick, ...]
    taps: tuple[Tick, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class LearningCurve:
    """A strategy by number of training images.

    Attributes:
        kind: probe or tuned.
        name: The strategy.
        marks: What was measured, each with its interval from `low` to `high`, down.
        path: The same as an SVG polyline.
        ahead: Polyline of what is expected, from the last mark on; empty without.
        band: Polygon of its 95 % band.
    """

    kind: str
    name: str
    marks: tuple[Mark, ...]
    path: str
    ahead: str
    band: str


@dataclass(frozen=True)
class LearningChart:
    """Learning curves: scores by number of training images, each tick twice the one before."""

    height: float
    ticks: tuple[Tick, ...]
    sizes: tuple[Tick, ...]
    curves: tuple[LearningCurve, ...]


@dataclass(frozen=True)
class AccuracyChart:
    """Accuracies of the strategies with their intervals, one below the other."""

    height: float
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Segment:
    """One of the three probabilities of a step, as a part of a stacked bar.

    Attributes:
        kind: worse, equivalent or better.
        x: Where it begins, across.
        width: Its width; a probability of 1 is `STEP` wide.
        percent: The probability.
        text: The same with its meaning.
    """

    kind: str
    x: float
    width: float
    percent: str
    text: str


@dataclass(frozen=True)
class StepMark:
    """The small pictures of a step.

    Attributes:
        x: Its difference, across.
        low: Lower end of the interval, across.
        high: Upper end.
        segments: Its three probabilities, worse first; empty without them.
    """

    x: float
    low: float
    high: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class StepsChart:
    """Steps on one scale, zero in the middle; what lies further out is cut off at the edge.

    Attributes:
        zero: Where no difference is, across.
        band: Where the margin begins and ends, across.
        marks: One per step.
    """

    zero: float
    band: tuple[float, float]
    marks: tuple[StepMark, ...]


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


def learning_chart(found: Mapping[str, Any] | None) -> LearningChart | None:
    """Where the marks of the learning curves stand.

    Args:
        found: The run's ``learning_curve``.

    Returns:
        The chart; None if there is nothing to draw.
    """
    if found is None:
        return None
    curves = [(kind, found[field]) for kind, field in (("probe", "probe"), ("tuned", "fine_tuning")) if found[field]]
    low, high, ticks = axis([end for _, one in curves for pair in one["bands"] + one["expected_bands"] for end in pair])
    probe = found["probe"]
    sizes = [*probe["sizes"], *probe["ahead"]]
    top, bottom = 14.0, 250.0

    def across(size: float, aside: float = 0.0) -> float:
        place = math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])
        return round(LEFT + 30 + (WIDTH - LEFT - RIGHT - 60) * place + aside, 1)

    def down(value: float) -> float:
        return round(bottom - (bottom - top) * (value - low) / (high - low), 1)

    def curve(kind: str, one: Mapping[str, Any]) -> LearningCurve:
        aside = 5.0 if kind == "tuned" else 0.0  # so that intervals do not lie on each other
        name = printable(one["strategy"])
        marks = tuple(
            Mark(across(size, aside), down(value), name, _size_text(one, size, value), down(first), down(last))
            for size, value, (first, last) in zip(one["sizes"], one["scores"], one["bands"], strict=True)
        )
        beyond = [(across(size, aside), down(value)) for size, value in zip(one["ahead"], one["expected"], strict=True)]
        bands = [(marks[-1].x, marks[-1].low, marks[-1].high)]
        bands += [
            (x, down(first), down(last)) for (x, _), (first, last) in zip(beyond, one["expected_bands"], strict=True)
        ]
        outline = [(x, y) for x, y, _ in bands] + [(x, y) for x, _, y in reversed(bands)]
        return LearningCurve(
            kind=kind,
            name=name,
            marks=marks,
            path=_polyline([(mark.x, mark.y) for mark in marks]),
            ahead=_polyline([(marks[-1].x, marks[-1].y), *beyond]) if beyond else "",
            band=_polyline(outline) if beyond else "",
        )

    return LearningChart(
        height=bottom + 58,
        ticks=tuple(Tick(down(tick), percent(tick)) for tick in ticks),
        sizes=tuple(Tick(across(size), f"{size:,}") for size in sizes),
        curves=tuple(curve(kind, one) for kind, one in curves),
    )


def _polyline(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def _size_text(curve: Mapping[str, Any], size: int, value: float) -> str:
    return printable(f"{curve['strategy']} with {size:,} training images: {percent(value)}")


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


def steps_chart(document: Mapping[str, Any]) -> StepsChart | None:
    """Where the marks of the steps stand.

    The scale reaches to one and a half times what is usual, so that a single large step does not hide the others.

    Args:
        document: What `run.json` holds.

    Returns:
        The chart; None if nothing was compared.
    """
    steps, margin = document["comparisons"], float(document["margin"])
    if not steps:
        return None
    usual: float = median(max(abs(end) for end in step["interval"]) for step in steps)
    reach = 1.5 * max(usual, margin, 1e-6)

    def across(value: float) -> float:
        return round(STEP / 2 * (1 + min(max(value / reach, -1), 1)), 1)

    return StepsChart(
        zero=across(0),
        band=(across(-margin), across(margin)),
        marks=tuple(
            StepMark(
                across(step["difference"]),
                across(step["interval"][0]),
                across(step["interval"][1]),
                _segments(step, amount(margin, document["metric"])),
            )
            for step in steps
        ),
    )


def _segments(step: Mapping[str, Any], margin: str) -> tuple[Segment, ...]:
    if step["better"] is None:
        return ()
    words = {
        "worse": f"more than {margin} worse",
        "equivalent": f"within {margin}",
        "better": f"more than {margin} better",
    }
    segments, x = [], 0.0
    for kind, meaning in words.items():
        width = STEP * step[kind]
        percent_of_it = probability(step[kind])
        segments.append(Segment(kind, round(x, 1), round(width, 1), percent_of_it, f"{percent_of_it} {meaning}"))
        x += width
    return tuple(segments)
