"""The tables of a run, for a terminal and for the page, made from the document that `run.json` holds."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from unfreeze.advisor.phrases import amount, difference, difference_span, not_proved, probability, score, settled_by
from unfreeze.core.records import Interval, Metric
from unfreeze.report.wording import duration, percent, percent_range, printable, storage

PIPE_WIDTH = 10_000  # a table that goes into a pipe or a file is never wrapped


# What a table says of a strategy's scores, the deciding one first: the field of a row, and its heading.
SCORE_COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "accuracy": (("accuracy", "accuracy"), ("interval", "95 % interval"), ("balanced", "balanced")),
    "balanced accuracy": (("balanced", "balanced"), ("accuracy", "accuracy"), ("interval", "its 95 % interval")),
    "log-loss": (
        ("log_loss", "log-loss"),
        ("accuracy", "accuracy"),
        ("interval", "its 95 % interval"),
        ("balanced", "balanced"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class StrategyRow:
    """One strategy, ready to print.

    Attributes:
        name: Its name.
        accuracy: Mean over splits, in per cent.
        interval: 95 % interval of the accuracy.
        balanced: Balanced accuracy.
        log_loss: Mean negative log-likelihood, nats.
        splits: On how many splits it was measured.
        time: Wall time.
        once: What of that was done once for all its trainings.
        per_split: What a split took, on average.
        refit: What the training on everything took.
        cpu: Processor time.
        memory: Largest resident memory by then.
        trained: What was trained; for a strategy that was not done, also why.
        in_short: The same without the reasons, which the verdict's sentences give.
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
    trained: str
    in_short: str
    picked: bool = False


def strategy_rows(document: Mapping[str, Any]) -> tuple[StrategyRow, ...]:
    """The rows of a run's table, in the order of the record.

    Args:
        document: What `run.json` holds, or a part of it with ``strategies`` and ``picked``.

    Returns:
        One row per strategy, also for those that were left out.
    """
    return tuple(_row(outcome, picked=document["picked"]) for outcome in document["strategies"])


def _row(outcome: Mapping[str, Any], *, picked: str | None) -> StrategyRow:
    status, note, cost = outcome["status"], outcome["note"], outcome["cost"]
    remark = "" if status == "done" else f"{status}: {note}" if note else status
    parts = [remark] if status == "left out" else [outcome["trained"], remark]
    log_loss, on_splits = outcome["log_loss"], cost["split_seconds"]
    return StrategyRow(
        name=printable(outcome["name"]),
        accuracy=percent(outcome["accuracy"]),
        interval=percent_range(outcome["interval"]),
        balanced=percent(outcome["balanced_accuracy"]),
        log_loss="-" if log_loss is None else f"{log_loss:.3f}",
        splits=f"{outcome['splits']}" if outcome["splits"] else "-",
        time=_duration(cost["seconds"]),
        once=_duration(cost["preparation_seconds"]),
        per_split=_duration(sum(on_splits) / len(on_splits)) if on_splits else "-",
        refit=_duration(cost["refit_seconds"]),
        cpu=_duration(cost["cpu_seconds"]),
        memory=storage(cost["peak_bytes"]),
        trained=printable("; ".join(part for part in parts if part)),
        in_short=printable("; ".join(part for part in (outcome["trained"], status) if part not in {"", "done"})),
        picked=outcome["name"] == picked,
    )


def _duration(seconds: float) -> str:
    return duration(seconds) if seconds else "-"


def strategy_table(document: Mapping[str, Any], *, reasons: bool = False) -> Table:
    """What each strategy gave: the score that decides, accuracy with its interval, splits, time, what was trained.

    Args:
        document: What `run.json` holds, or a part of it with ``strategies`` and ``picked``; without a ``metric``,
            accuracy stands first.
        reasons: Say also why a strategy was shortened, dropped or left out.

    Returns:
        A table for `rendered`.
    """
    columns = SCORE_COLUMNS[document.get("metric", "accuracy")]
    headings = ("strategy", *(heading for _, heading in columns), "splits", "time", "trained")
    table = plain_table(*headings, right={"accuracy", "balanced", "log-loss", "splits", "time"})
    for row in strategy_rows(document):
        name = f"{row.name} *" if row.picked else row.name
        trained = row.trained if reasons else row.in_short
        cells = (name, *(getattr(row, field) for field, _ in columns), row.splits, row.time, trained)
        add_row(table, cells, style="bold" if row.picked else "")
    return table


SCREENING_COLUMNS = (
    *("candidate", "parameters", "ms an image", "probe", "to the best", "standard error"),
    *("LogME", "H-score", "k-NN", "remark"),
)


def screening_rows(document: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """The candidates that were screened, in the order of the record.

    Args:
        document: What `run.json` holds.

    Returns:
        A cell for each of `SCREENING_COLUMNS`.
    """
    return tuple(_screening_row(row, document["metric"]) for row in document["screening"])


def _screening_row(row: Mapping[str, Any], metric: Metric) -> tuple[str, ...]:
    head = (f"{row['name']} *" if row["picked"] else row["name"], f"{row['parameters']:,}")
    remark = "; ".join(part for part in ("the largest network" if row["largest"] else "", row["note"]) if part)
    if row["score"] is None:
        return (*head, f"{1000 * row['seconds_an_image']:.1f}", *("-",) * 6, remark)
    return (
        *head,
        f"{1000 * row['seconds_an_image']:.1f}",
        score(-row["score"] if metric == "log-loss" else row["score"], metric),
        difference(row["difference"], metric),
        amount(round(row["standard_error"], 4), metric),
        f"{row['log_maximum_evidence']:.3f}",
        f"{row['h_score']:.3f}",
        percent(row["neighbour_accuracy"]),
        remark,
    )


def screening_table(document: Mapping[str, Any]) -> Table:
    """What each network and size that could have been raced gave; the chosen one has a star.

    Args:
        document: What `run.json` holds.

    Returns:
        A table for `rendered`.
    """
    table = plain_table(*SCREENING_COLUMNS, right=SCREENING_COLUMNS[1:-1])
    for cells, row in zip(screening_rows(document), document["screening"], strict=True):
        add_row(table, cells, style="bold" if row["picked"] else "")
    return table


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """One step, ready to print.

    Attributes:
        second: The strategy that is asked about.
        first: The one that it is compared with.
        difference: Second minus first, with its unit.
        interval: 95 % interval of it.
        splits: On how many common splits.
        answer: One of the four.
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


def step_rows(document: Mapping[str, Any]) -> tuple[StepRow, ...]:
    """The rows of the table of steps, in the order of the record.

    Args:
        document: What `run.json` holds.

    Returns:
        One row per comparison.
    """
    seconds = {outcome["name"]: outcome["cost"]["seconds"] for outcome in document["strategies"]}
    metric = document["metric"]
    return tuple(
        StepRow(
            second=printable(step["second"]),
            first=printable(step["first"]),
            difference=difference(step["difference"], metric),
            interval=difference_span(Interval(*step["interval"]), metric),
            splits=step["splits"],
            answer=step["answer"],
            settling=settled_by(**step["settling"]) if step["settling"] else "",
            cost=f"{_duration(seconds[step['second']])} against {_duration(seconds[step['first']])}",
        )
        for step in document["comparisons"]
    )


@dataclass(frozen=True, kw_only=True)
class ForecastRow:
    """A forecast beside what was measured, ready to print.

    Attributes:
        strategy: What was asked about.
        over: What it is compared with.
        forecast: Expected gain, with its unit and its 80 % interval.
        pays: Probability that the gain exceeds the margin.
        measured: The gain with its 95 % interval; a dash where the two were not compared.
        note: What of such forecasts has not proved itself; empty if all has.
    """

    strategy: str
    over: str
    forecast: str
    pays: str
    measured: str
    note: str


def forecast_rows(document: Mapping[str, Any]) -> tuple[ForecastRow, ...]:
    """What each strategy was expected to gain, and what it gained, in the order of the record.

    Args:
        document: What `run.json` holds.

    Returns:
        One row per forecast.
    """
    metric = document["metric"]
    steps = {
        (step["first"], step["second"]): (step["difference"], *step["interval"]) for step in document["comparisons"]
    }
    turned = {(second, first): (-middle, -high, -low) for (first, second), (middle, low, high) in steps.items()}
    measured = {pair: _with_span(*step, metric=metric) for pair, step in (turned | steps).items()}
    return tuple(
        ForecastRow(
            strategy=printable(row["strategy"]),
            over=printable(row["over"]),
            forecast=_with_span(row["gain"], row["low"], row["high"], metric=metric),
            pays=probability(row["pays"]),
            measured=measured.get((row["over"], row["strategy"]), "-"),
            note=not_proved(gain=row["better_than_mean"], probability=row["better_than_rate"]),
        )
        for row in document["gain_forecasts"]
    )


def _with_span(middle: float, low: float, high: float, *, metric: Metric) -> str:
    return f"{difference(middle, metric)} ({difference_span(Interval(low, high), metric)})"


def depth_table(points: Sequence[Mapping[str, Any]]) -> Table:
    """The depth curve: probe accuracy by tap, shallow to deep.

    Args:
        points: The ``depth_curve`` of a run, or the points that `unfreeze probe` gives.

    Returns:
        A table for `rendered`; the best cross-validated accuracy of each loss is marked with a star.
    """
    best = {
        loss: max((p["cv_accuracy"] for p in points if p["loss"] == loss), default=0.0) for loss in ("softmax", "svm")
    }
    headings = ("tap", "width", "probe", "C", "cv accuracy", "test accuracy")
    table = plain_table(*headings, right={*headings} - {"tap", "probe"})
    for point in points:
        chosen = point["cv_accuracy"] == best[point["loss"]]
        selection = percent(point["cv_accuracy"]) + (" *" if chosen else "  ")
        cells = (
            point["tap"],
            f"{point['width']:,}",
            point["loss"],
            f"{point['C']:.3g}",
            selection,
            percent(point["accuracy"]),
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
