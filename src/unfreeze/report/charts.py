"""Where the marks of the report's charts stand; the template draws them. Units are pixels of an SVG view box."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from unfreeze.core.phrases import ON_PART_MARK
from unfreeze.core.records import Comparison, DepthPoint, Interval, LearningCurve, LearningCurves, Outcome
from unfreeze.core.run_record import RunRecord
from unfreeze.core.wording import amount, duration, percent, percent_range, printable, probability

WIDTH = 720
LEFT = 92  # room for the labels of the axis of accuracy
RIGHT = 16
NUMBER = 16  # room for the number of a strategy
STEP = 150  # width of a step's small pictures
TOP, BOTTOM = 34.0, 260.0  # of curves, down; above them stands what the axis is
_ROUND_TIMES = (
    0.01,
    0.03,
    0.1,
    0.3,
    1.0,
    3.0,
    10.0,
    30.0,
    60.0,
    180.0,
    600.0,
    1800.0,
    3600.0,
    10_800.0,
    36_000.0,
    108_000.0,
)


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
        on_part: Whether its scores do not compare with the others', so that it is drawn hollow.
    """

    x: float
    y: float
    label: str
    text: str
    low: float = 0.0
    high: float = 0.0
    picked: bool = False
    on_part: bool = False


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
class DrawnCurve:
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
    curves: tuple[DrawnCurve, ...]


@dataclass(frozen=True)
class Numbered:
    """A mark of the chart of cost, and where its number stands: numbers never lie on each other."""

    mark: Mark
    number: int
    x: float
    y: float


@dataclass(frozen=True)
class CostChart:
    """Accuracies of the strategies with their intervals, against what training each once takes.

    Attributes:
        height: Of the picture.
        ticks: Of accuracy, down.
        times: Of time, across; each many times the one before.
        band: What is within the margin of the best: its upper and lower edge, down; None where the margin is nats.
        marks: Strategies by number, cheapest first.
    """

    height: float
    ticks: tuple[Tick, ...]
    times: tuple[Tick, ...]
    band: tuple[float, float] | None
    marks: tuple[Numbered, ...]


@dataclass(frozen=True)
class LossCurve:
    """Training loss of a strategy by epoch: its name, an SVG polyline, and where it ends."""

    name: str
    path: str
    x: float
    y: float


@dataclass(frozen=True)
class TrainingChart:
    """Training losses of the strategies that train in epochs, from zero up; one curve a strategy."""

    height: float
    ticks: tuple[Tick, ...]
    epochs: tuple[Tick, ...]
    curves: tuple[LossCurve, ...]


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


@dataclass(frozen=True)
class Scale:
    """A round axis of fractions, from `BOTTOM` up to `TOP`.

    Attributes:
        low: At the bottom.
        high: At the top.
        at: Its round values.
    """

    low: float
    high: float
    at: tuple[float, ...]

    @classmethod
    def around(cls, values: Sequence[float]) -> "Scale":
        """As `axis`."""
        return cls(*axis(values))

    def down(self, value: float) -> float:
        """Where a value stands."""
        return round(BOTTOM - (BOTTOM - TOP) * (value - self.low) / (self.high - self.low), 1)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Its labelled lines."""
        return tuple(Tick(self.down(value), percent(value)) for value in self.at)


def depth_chart(points: Sequence[DepthPoint]) -> DepthChart | None:
    """Where the marks of the depth curve stand.

    Args:
        points: The run's ``depth_curve``.

    Returns:
        The chart; None if there is nothing to draw.
    """
    if not points:
        return None
    taps = list(dict.fromkeys(point.tap for point in points))
    scale = Scale.around([point.accuracy for point in points])

    def across(tap: str) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (taps.index(tap) + 0.5) / len(taps)

    def mark(point: DepthPoint) -> Mark:
        return Mark(round(across(point.tap), 1), scale.down(point.accuracy), printable(point.tap), _point_text(point))

    def curve(loss: str) -> Curve:
        marks = tuple(mark(point) for point in points if point.loss == loss)
        return Curve(loss, marks, _polyline([(mark.x, mark.y) for mark in marks]))

    return DepthChart(
        height=BOTTOM + 84,
        ticks=scale.ticks,
        taps=tuple(Tick(round(across(tap), 1), printable(tap)) for tap in taps),
        curves=tuple(curve(loss) for loss in dict.fromkeys(point.loss for point in points)),
    )


def _point_text(point: DepthPoint) -> str:
    chosen = f"cross-validation {percent(point.cv_accuracy)}, C {point.C:.3g}"
    return printable(f"{point.loss} at {point.tap}: {percent(point.accuracy)} ({chosen})")


def learning_chart(curves: LearningCurves | None) -> LearningChart | None:
    """Where the marks of the learning curves stand.

    Args:
        curves: The run's ``learning_curve``.

    Returns:
        The chart; None if there is nothing to draw.
    """
    if curves is None:
        return None
    drawn = [("probe", curves.probe), *([("tuned", curves.fine_tuning)] if curves.fine_tuning else [])]
    scale = Scale.around([end for _, curve in drawn for band in curve.bands + curve.expected_bands for end in band])
    sizes = [*curves.probe.sizes, *curves.probe.ahead]
    places = _Sizes(first=sizes[0], last=sizes[-1])
    return LearningChart(
        height=BOTTOM + 48,
        ticks=scale.ticks,
        sizes=tuple(Tick(places.across(size), f"{size:,}") for size in sizes),
        curves=tuple(_drawn(kind, curve, scale, places) for kind, curve in drawn),
    )


@dataclass(frozen=True)
class _Sizes:
    """Where numbers of training images stand across: each as far from its double as any other."""

    first: int
    last: int

    def across(self, size: float, aside: float = 0.0) -> float:
        place = math.log(size / self.first) / math.log(self.last / self.first)
        return round(LEFT + 30 + (WIDTH - LEFT - RIGHT - 60) * place + aside, 1)


def _drawn(kind: str, curve: LearningCurve, scale: Scale, places: _Sizes) -> DrawnCurve:
    aside = 5.0 if kind == "tuned" else 0.0  # so that intervals do not lie on each other
    name = printable(curve.strategy.plain)
    marks = tuple(
        Mark(
            places.across(size, aside),
            scale.down(value),
            name,
            printable(f"{name} with {size:,} training images: {percent(value)}"),
            scale.down(low),
            scale.down(high),
        )
        for size, value, (low, high) in zip(curve.sizes, curve.scores, curve.bands, strict=True)
    )
    beyond = [(places.across(size, aside), scale.down(value)) for size, value in _ahead(curve)]
    bands = [(marks[-1].x, marks[-1].low, marks[-1].high)]
    bands += [
        (x, scale.down(low), scale.down(high)) for (x, _), (low, high) in zip(beyond, curve.expected_bands, strict=True)
    ]
    outline = [(x, y) for x, y, _ in bands] + [(x, y) for x, _, y in reversed(bands)]
    return DrawnCurve(
        kind=kind,
        name=name,
        marks=marks,
        path=_polyline([(mark.x, mark.y) for mark in marks]),
        ahead=_polyline([(marks[-1].x, marks[-1].y), *beyond]) if beyond else "",
        band=_polyline(outline) if beyond else "",
    )


def _ahead(curve: LearningCurve) -> Iterable[tuple[int, float]]:
    return zip(curve.ahead, curve.expected, strict=True)


def _polyline(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def cost_chart(record: RunRecord) -> CostChart | None:
    """Where the marks of the strategies stand.

    What a strategy costs is what training it once takes, activations that it needs included: the mean of its splits,
    since strategies are measured on different numbers of splits.

    Args:
        record: Of the run.

    Returns:
        The chart; None if nothing was measured.
    """
    measured = [(outcome, outcome.accuracy) for outcome in record.strategies if outcome.accuracy is not None]
    if not measured:
        return None
    measured.sort(key=lambda each: _once(each[0]))
    whole = [accuracy for outcome, accuracy in measured if outcome.strategy not in record.on_part]
    best = max(whole or [accuracy for _, accuracy in measured])
    within = best - record.margin if record.metric != "log-loss" else best
    intervals = [outcome.interval or Interval(accuracy, accuracy) for outcome, accuracy in measured]
    scale = Scale.around([*(end for interval in intervals for end in interval), max(0.0, within)])
    times = _Times.around([_once(outcome) for outcome, _ in measured])
    marks = [_cost_mark(record, outcome, scale, times) for outcome, _ in measured]
    return CostChart(
        height=BOTTOM + 48,
        ticks=scale.ticks,
        times=tuple(Tick(times.across(at), short_duration(at)) for at in times.at),
        band=(scale.down(best), scale.down(max(scale.low, within))) if within < best else None,
        marks=_numbered(marks),
    )


def _once(outcome: Outcome) -> float:
    """What training a strategy once takes, seconds; a hundredth at least, for a logarithmic axis."""
    splits = outcome.cost.split_seconds
    return max(0.01, outcome.cost.preparation_seconds + (sum(splits) / len(splits) if splits else 0.0))


def _cost_mark(record: RunRecord, outcome: Outcome, scale: Scale, times: "_Times") -> Mark:
    accuracy, on_part = outcome.accuracy or 0.0, outcome.strategy in record.on_part
    low, high = outcome.interval or Interval(accuracy, accuracy)
    name = printable(outcome.strategy.plain) + (f" {ON_PART_MARK}" if on_part else "")
    return Mark(
        x=times.across(_once(outcome)),
        y=scale.down(accuracy),
        label=name,
        text=f"{name}: {percent(accuracy)} ({percent_range(outcome.interval)}), {duration(_once(outcome))}",
        low=scale.down(max(low, scale.low)),
        high=scale.down(min(high, scale.high)),
        picked=outcome.strategy == record.picked,
        on_part=on_part,
    )


def _numbered(marks: Sequence[Mark]) -> tuple[Numbered, ...]:
    """Numbers stand above their marks on the right, and further to the right where something stands already."""
    placed: list[Numbered] = []
    taken = [(mark.x - 4, mark.y + 4) for mark in marks]
    for number, mark in enumerate(marks, 1):
        x, y = mark.x + 9, mark.y - 8
        while any(abs(other_x - x) < NUMBER and abs(other_y - y) < NUMBER - 2 for other_x, other_y in taken):
            x += NUMBER / 2
        placed.append(Numbered(mark, number, round(x, 1), round(y, 1)))
        taken.append((x, y))
    return tuple(placed)


@dataclass(frozen=True)
class _Times:
    """A logarithmic axis of seconds.

    Attributes:
        at: Its labelled values, the first at its start and the last at its end.
    """

    at: tuple[float, ...]

    @classmethod
    def around(cls, seconds: Sequence[float]) -> "_Times":
        """From the last round time below to the first one above."""
        low, high = min(seconds), max(seconds)
        first = max(place for place, at in enumerate(_ROUND_TIMES) if at <= low or place == 0)
        last = next((place for place, at in enumerate(_ROUND_TIMES) if at >= high), len(_ROUND_TIMES) - 1)
        found = _ROUND_TIMES[first : max(last, first + 1) + 1]
        return cls(found)

    def across(self, seconds: float) -> float:
        place = math.log(seconds / self.at[0]) / math.log(self.at[-1] / self.at[0])
        return round(LEFT + 20 + (WIDTH - LEFT - RIGHT - 60) * min(max(place, 0.0), 1.0), 1)


def short_duration(seconds: float) -> str:
    """A round time, as short as an axis needs it: ``0.1 s``, ``10 s``, ``3 min``, ``1 h``."""
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h"


def training_chart(record: RunRecord) -> TrainingChart | None:
    """Where the training losses stand.

    Args:
        record: Of the run.

    Returns:
        The chart; None where no strategy trained for two epochs.
    """
    trained = [outcome for outcome in record.strategies if len(outcome.curve) > 1]
    if not trained:
        return None
    most, last = max(max(outcome.curve) for outcome in trained), max(len(outcome.curve) for outcome in trained)
    step = next((step for step in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if most / step <= 6), 10.0)
    top = step * max(1, math.ceil(most / step - 1e-9))
    every = max(1, math.ceil(last / 10))

    def down(loss: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * loss / top, 1)

    def across(epoch: int) -> float:
        return round(LEFT + 20 + (WIDTH - LEFT - RIGHT - 160) * (epoch - 1) / (last - 1), 1)

    def curve(outcome: Outcome) -> LossCurve:
        points = [(across(epoch), down(loss)) for epoch, loss in enumerate(outcome.curve, 1)]
        return LossCurve(printable(outcome.strategy.plain), _polyline(points), *points[-1])

    return TrainingChart(
        height=BOTTOM + 48,
        ticks=tuple(Tick(down(step * place), f"{step * place:g}") for place in range(round(top / step) + 1)),
        epochs=tuple(Tick(across(epoch), f"{epoch}") for epoch in range(1, last + 1, every)),
        curves=tuple(curve(outcome) for outcome in trained),
    )


def steps_chart(record: RunRecord) -> StepsChart | None:
    """Where the marks of the steps stand.

    The scale reaches to one and a half times what is usual, so that a single large step does not hide the others.

    Args:
        record: Of the run.

    Returns:
        The chart; None if nothing was compared.
    """
    steps, margin = record.comparisons, record.margin
    if not steps:
        return None
    usual: float = median(max(abs(end) for end in step.interval) for step in steps)
    reach = 1.5 * max(usual, margin, 1e-6)

    def across(value: float) -> float:
        return round(STEP / 2 * (1 + min(max(value / reach, -1), 1)), 1)

    in_words = amount(margin, record.metric)
    return StepsChart(
        zero=across(0),
        band=(across(-margin), across(margin)),
        marks=tuple(_step_mark(step, across, in_words) for step in steps),
    )


def _step_mark(step: Comparison, across: Callable[[float], float], margin: str) -> StepMark:
    low, high = map(across, step.interval)
    return StepMark(across(step.difference), low, high, _segments(step, margin))


def _segments(step: Comparison, margin: str) -> tuple[Segment, ...]:
    words = {
        "worse": (step.worse, f"more than {margin} worse"),
        "equivalent": (step.equivalent, f"within {margin}"),
        "better": (step.better, f"more than {margin} better"),
    }
    segments, x = [], 0.0
    for kind, (likely, meaning) in words.items():
        if likely is None:
            return ()
        width = STEP * likely
        percent_of_it = probability(likely)
        segments.append(Segment(kind, round(x, 1), round(width, 1), percent_of_it, f"{percent_of_it} {meaning}"))
        x += width
    return tuple(segments)
