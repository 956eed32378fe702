"""The tables of a run, for a terminal and for the page, made from records."""

import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import final

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from unfreeze.core.phrases import ON_PART_MARK, settled_by
from unfreeze.core.records import DepthPoint, Outcome, Screened, ScreenedResize
from unfreeze.core.run_record import RunRecord
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import StrategyId
from unfreeze.core.wording import (
    amount,
    difference,
    difference_span,
    duration,
    measured_score,
    megabytes,
    milliseconds,
    nats,
    percent,
    percent_range,
    printable,
    storage,
)

PIPE_WIDTH = 10_000  # a table that goes into a pipe or a file is never wrapped
WIDE = 130  # columns from which the table of strategies has room for what using each model takes


# What a table says of a strategy's scores, the deciding one first: the field of a row, and its heading.
SCORE_COLUMNS: dict[Metric, tuple[tuple[str, str], ...]] = {
    "accuracy": (("accuracy", "accuracy"), ("interval", "95 % interval"), ("balanced", "balanced")),
    "balanced accuracy": (("balanced", "balanced"), ("accuracy", "accuracy"), ("interval", "its 95 % interval")),
    "log-loss": (
        ("log_loss", "log-loss"),
        ("accuracy", "accuracy"),
        ("interval", "its 95 % interval"),
        ("balanced", "balanced"),
    ),
}


# What using its model takes.
USING_COLUMNS = (("model", "model"), ("an_image", "an image"))


@dataclass(frozen=True, kw_only=True)
class StrategyRow:
    """One strategy, ready to print.

    Attributes:
        name: Its name, with `ON_PART_MARK` where its scores do not compare with the others'.
        accuracy: Over the images that its splits tested, in per cent.
        interval: 95 % interval of the accuracy.
        balanced: Balanced accuracy.
        log_loss: Mean negative log-likelihood, nats.
        splits: On how many splits it was measured; of how many, where others have more images tested.
        time: Wall time.
        once: What of that was done once for all its trainings.
        per_split: What a split took, on average.
        refit: What the training on everything took.
        cpu: Processor time.
        memory: Largest resident memory by then.
        model: Size of its model's weights.
        an_image: What the model takes for an image.
        description: What was trained; for a strategy that was not done, also why.
        picked: Whether it is the strategy to use.
    """

    name: str
    accuracy: str
    interval: str
    balanced: str
    log_loss: str
    splits: str
    time: str
    once: str
    per_split: str
    refit: str
    cpu: str
    memory: str
    model: str
    an_image: str
    description: str
    picked: bool = False


def strategy_rows(
    outcomes: Sequence[Outcome], *, picked: StrategyId | None = None, on_part: Collection[StrategyId] = ()
) -> tuple[StrategyRow, ...]:
    """The rows of a run's table, in the order of the record, those tested on part of the images after the others.

    Args:
        outcomes: Of the strategies.
        picked: The one to use.
        on_part: Those whose scores do not compare with the others'; see `RunResults.on_part`.

    Returns:
        One row per strategy, also for those that were left out, which come last.
    """
    most = max((outcome.splits for outcome in outcomes), default=0)
    apart = sorted(outcomes, key=lambda outcome: (not outcome.measured, outcome.strategy in on_part))
    return tuple(
        _row(outcome, picked=outcome.strategy == picked, splits_of=most if outcome.strategy in on_part else 0)
        for outcome in (apart if on_part else outcomes)
    )


def _row(outcome: Outcome, *, picked: bool, splits_of: int) -> StrategyRow:
    status, note, cost = outcome.status, outcome.note, outcome.cost
    remark = "" if status == "done" else f"{status}: {note}" if note else status
    parts = [remark] if status == "left out" else [outcome.description, remark]
    on_splits, using = cost.split_seconds, outcome.model_cost
    took = using.milliseconds_an_image if using else None
    return StrategyRow(
        name=printable(outcome.strategy.plain) + (f" {ON_PART_MARK}" if splits_of else ""),
        accuracy=percent(outcome.accuracy),
        interval=percent_range(outcome.interval),
        balanced=percent(outcome.balanced_accuracy),
        log_loss=nats(outcome.log_loss),
        splits=(f"{outcome.splits} of {splits_of}" if splits_of else f"{outcome.splits}") if outcome.splits else "-",
        time=_duration(cost.seconds),
        once=_duration(cost.preparation_seconds),
        per_split=_duration(sum(on_splits) / len(on_splits)) if on_splits else "-",
        refit=_duration(cost.refit_seconds),
        cpu=_duration(cost.cpu_seconds),
        memory=storage(cost.peak_bytes),
        model=megabytes(using.megabytes) if using else "-",
        an_image=milliseconds(took / 1000) if took else "-",
        description=printable("; ".join(part for part in parts if part)),
        picked=picked,
    )


def _duration(seconds: float) -> str:
    return duration(seconds) if seconds else "-"


def strategy_table(outcomes: Sequence[Outcome]) -> RenderableType:
    """What each strategy gave: accuracy with its interval, splits, time, what was trained and why no more was.

    Where there is room, also the size of each model and what it takes for an image.

    Args:
        outcomes: Of the strategies.

    Returns:
        A table for `rendered`.
    """
    columns, trained = (*SCORE_COLUMNS["accuracy"], ("splits", "splits"), ("time", "time")), ("description", "trained")
    rows = strategy_rows(outcomes)
    narrow = _strategy_table(rows, (*columns, trained))
    if not any(outcome.model_cost for outcome in outcomes):
        return narrow
    return _ByWidth(narrow, _strategy_table(rows, (*columns, *USING_COLUMNS, trained)))


_ANSWER_COLUMNS: dict[Metric, tuple[str, ...]] = {
    "accuracy": ("right", "95 % sure"),
    "balanced accuracy": ("right, by class", "right"),
    "log-loss": ("log-loss", "right"),
}


def answer_table(record: RunRecord) -> Table:
    """What each strategy that was measured reached, a line each at 80 columns; the picked one has a star.

    Strategies that predict the same on every image share a line. What was left out, and all else, stands in the report.

    Args:
        record: Of the run.

    Returns:
        A table for `rendered`.
    """
    table = plain_table("strategy", *_ANSWER_COLUMNS[record.metric], "time", right={"right", "log-loss", "time"})
    for names, outcome in _folded(record):
        picked = record.picked in {one.strategy for one in names}
        name = " = ".join(one.strategy.plain for one in names) + (" *" if picked else "")
        mark = f" {ON_PART_MARK}" if outcome.strategy in record.on_part else ""
        cells = (name + mark, *_reached(outcome, record.metric), _duration(sum(one.cost.seconds for one in names)))
        add_row(table, cells, style="bold" if picked else "")
    return table


def _reached(outcome: Outcome, metric: Metric) -> tuple[str, ...]:
    accuracy = percent(outcome.accuracy)
    return {
        "accuracy": (accuracy, percent_range(outcome.interval)),
        "balanced accuracy": (percent(outcome.balanced_accuracy), accuracy),
        "log-loss": (nats(outcome.log_loss), accuracy),
    }[metric]


def _folded(record: RunRecord) -> list[tuple[list[Outcome], Outcome]]:
    """Lines of the table: what is the same as a strategy before it stands beside that one, on whose splits it was."""
    same = {(step.first, step.second) for step in record.comparisons if step.answer == "same"}
    lines: list[tuple[list[Outcome], Outcome]] = []
    for outcome in sorted(record.strategies, key=lambda one: one.strategy in record.on_part):
        if not outcome.measured:
            continue
        for names, first in lines:
            pair = first.strategy, outcome.strategy
            if outcome.splits <= first.splits and (pair in same or pair[::-1] in same):
                names.append(outcome)
                break
        else:
            lines.append(([outcome], outcome))
    return lines


def with_its_test_part(outcome: Outcome) -> Outcome:
    """The outcome of a strategy that no split measured, with the scores of the test part in their place.

    Args:
        outcome: What `unfreeze tune` gives: its scores are those of its `confirmation`.

    Returns:
        For `strategy_table`; the same where there is no test part.
    """
    tested = outcome.confirmation
    if tested is None:
        return outcome
    return replace(
        outcome,
        accuracy=tested.accuracy,
        interval=tested.interval,
        balanced_accuracy=tested.balanced_accuracy,
        log_loss=tested.log_loss,
    )


def _strategy_table(rows: Sequence[StrategyRow], columns: Sequence[tuple[str, str]]) -> Table:
    right = {"accuracy", "balanced", "splits", "time", *(heading for _, heading in USING_COLUMNS)}
    table = plain_table("strategy", *(heading for _, heading in columns), right=right)
    for row in rows:
        add_row(table, (row.name, *(getattr(row, field) for field, _ in columns)))
    return table


@final
@dataclass(frozen=True)
class _ByWidth:
    """A table, and one with more columns for where there is room."""

    narrow: Table
    wide: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.wide if options.max_width >= WIDE else self.narrow


SCREENING_COLUMNS = (
    *("candidate", "parameters", "ms per image", "probe", "to the best", "standard error"),
    *("LogME", "H-score", "k-NN", "remark"),
)


def screening_rows(record: RunRecord) -> tuple[tuple[str, ...], ...]:
    """The candidates that were screened, in the order of the record.

    Args:
        record: Of the run.

    Returns:
        A cell for each of `SCREENING_COLUMNS`.
    """
    return tuple(_screening_row(row, record.metric) for row in record.screening)


def _screening_row(row: Screened, metric: Metric) -> tuple[str, ...]:
    head = (f"{row.name} *" if row.picked else row.name, f"{row.parameters:,}", f"{1000 * row.seconds_an_image:.1f}")
    remark = "; ".join(part for part in ("the largest network" if row.largest else "", row.note) if part)
    if row.score is None:
        return (*head, *("-",) * 6, remark)
    return (
        *head,
        measured_score(row.score, metric),
        difference(row.difference or 0.0, metric),
        amount(round(row.standard_error or 0.0, 4), metric),
        _number(row.log_maximum_evidence),
        _number(row.h_score),
        percent(row.neighbour_accuracy),
        remark,
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def screening_table(record: RunRecord) -> Table:
    """What each network and size that could have been raced gave; the chosen one has a star.

    Args:
        record: Of the run.

    Returns:
        A table for `rendered`.
    """
    table = plain_table(*SCREENING_COLUMNS, right=SCREENING_COLUMNS[1:-1])
    for cells, row in zip(screening_rows(record), record.screening, strict=True):
        add_row(table, cells, style="bold" if row.picked else "")
    return table


RESIZE_COLUMNS = ("photos", "probe", "to the usual way", "95 % interval", "standard error")


def resize_rows(record: RunRecord) -> tuple[tuple[str, ...], ...]:
    """The ways in which photos could have become squares, in the order of the record.

    Args:
        record: Of the run.

    Returns:
        A cell for each of `RESIZE_COLUMNS`.
    """
    return tuple(_resize_row(row, record.metric) for row in record.resizing)


def _resize_row(row: ScreenedResize, metric: Metric) -> tuple[str, ...]:
    head = (f"{row.resize} *" if row.picked else row.resize, measured_score(row.score, metric))
    if row.interval is None or row.standard_error is None:
        return (*head, "-", "-", "-")
    error = amount(round(row.standard_error, 4), metric)
    return (*head, difference(row.difference, metric), difference_span(row.interval, metric), error)


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """One step, ready to print.

    Attributes:
        second: The strategy that is asked about.
        first: The one that it is compared with.
        difference: Second minus first, with its unit.
        interval: 95 % interval of it.
        splits: On how many common splits.
        answer: As the record has it.
        settling: What would settle it; empty where it is settled.
        cost: Wall time of the second and of the first.
    """

    second: str
    first: str
    difference: str
    interval: str
    splits: int
    answer: str
    settling: str
    cost: str


def step_rows(record: RunRecord) -> tuple[StepRow, ...]:
    """The rows of the table of steps, in the order of the record.

    Args:
        record: Of the run.

    Returns:
        One row per comparison.
    """
    took = {outcome.strategy: _duration(outcome.cost.seconds) for outcome in record.strategies}
    return tuple(
        StepRow(
            second=printable(step.second.plain),
            first=printable(step.first.plain),
            difference=difference(step.difference, record.metric),
            interval=difference_span(step.interval, record.metric),
            splits=step.splits,
            answer=step.answer,
            settling=settled_by(step.settling, record.seconds) if step.settling else "",
            cost=f"{took[step.second]} against {took[step.first]}",
        )
        for step in record.comparisons
    )


def depth_table(points: Sequence[DepthPoint]) -> Table:
    """The depth curve: probe accuracy by tap, shallow to deep.

    Args:
        points: The ``depth_curve`` of a run, or the points that `unfreeze probe` gives.

    Returns:
        A table for `rendered`; the best cross-validated accuracy of each loss is marked with a star.
    """
    best = {loss: max((p.cv_accuracy for p in points if p.loss == loss), default=0.0) for loss in ("softmax", "svm")}
    headings = ("tap", "width", "probe", "C", "cv accuracy", "test accuracy")
    table = plain_table(*headings, right={*headings} - {"tap", "probe"})
    for point in points:
        chosen = point.cv_accuracy == best[point.loss]
        selection = percent(point.cv_accuracy) + (" *" if chosen else "  ")
        cells = (
            point.tap,
            f"{point.width:,}",
            point.loss,
            f"{point.C:.3g}",
            selection,
            percent(point.accuracy),
        )
        add_row(table, cells, style="bold" if chosen else "")
    return table


def plain_table(*headings: str, right: Iterable[str] = ()) -> Table:
    """An empty table with these headings; those named in `right` are aligned to the right."""
    numbers = set(right)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    return table


def add_row(table: Table, cells: Iterable[str], *, style: str = "") -> None:
    """Add cells as they are: what looks like markup in a name stays a name, what could steer a terminal is escaped."""
    table.add_row(*(Text(printable(cell)) for cell in cells), style=style or None)


def rendered(what: RenderableType, *, width: int = PIPE_WIDTH, colour: bool = False) -> str:
    """The text of a table or a line, as it goes to a terminal or into a pipe.

    Args:
        what: Something that rich can print.
        width: Columns that are available.
        colour: Whether bold type and colours may be used.

    Returns:
        Lines, the last one ended.
    """
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=colour,
        color_system="auto" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(what)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())
