"""The report of a run: one HTML file that needs nothing else, made from its record."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from unfreeze.core.files import write_bytes
from unfreeze.core.phrases import CAVEAT, CAVEAT_OF_SEVERAL, ON_PART, best_score, looked_at, on_folder
from unfreeze.core.records import plain
from unfreeze.core.run_record import RunRecord
from unfreeze.core.wording import amount, capital, count, duration, nats, percent, percent_range, printable
from unfreeze.report.charts import (
    LEFT,
    NAMES,
    RIGHT,
    STEP,
    WIDTH,
    accuracy_chart,
    depth_chart,
    learning_chart,
    steps_chart,
)
from unfreeze.report.table import (
    RESIZE_COLUMNS,
    SCORE_COLUMNS,
    SCREENING_COLUMNS,
    resize_rows,
    screening_rows,
    step_rows,
    strategy_rows,
)

LISTED = 200  # files that were set aside or removed; run.json names them all


def page(record: RunRecord) -> str:
    """The report as HTML, also of a run that was made long ago.

    It holds no script and loads nothing, so that it can be opened from a disk, mailed and printed.

    Args:
        record: Of the run.

    Returns:
        A whole HTML document.
    """
    return _template().render(
        run=record,
        rows=strategy_rows(record.strategies, picked=record.picked, on_part=record.on_part),
        legend=ON_PART if record.on_part else "",
        columns=SCORE_COLUMNS[record.metric],
        using=any(outcome.model_cost for outcome in record.strategies),
        accuracies=accuracy_chart(record),
        screening=screening_rows(record),
        screening_columns=SCREENING_COLUMNS,
        resizing=resize_rows(record),
        resize_columns=RESIZE_COLUMNS,
        step_rows=step_rows(record),
        steps=steps_chart(record),
        depth=depth_chart(record.depth_curve),
        learning=learning_chart(record.learning_curve),
        summary=_summary(record),
        winner=_winner(record),
        confirmed=[outcome for outcome in record.strategies if outcome.confirmation],
        facts=_flat(plain(record.facts)),
        rule=_flat({**plain(record.rule.prediction), "answer": record.rule.answer}),
        network=_flat(plain(record.network)),
        command=_flat(plain(record.command)),
        frame={"width": WIDTH, "left": LEFT, "right": RIGHT, "names": NAMES, "step": STEP},
        listed=LISTED,
    )


def write_page(path: Path, record: RunRecord) -> None:
    """Write the report.

    Args:
        path: Where; an older report is replaced.
        record: Of the run.
    """
    write_bytes(path, page(record).encode("utf-8", "backslashreplace"))


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("unfreeze", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters.update(percent=percent, percent_range=percent_range, nats=nats, duration=duration, count=count)
    return environment.get_template("report.html.j2")


def _shown(value: Any) -> str:
    """A setting or a field of a card, on one line."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(item) for item in value)
    return json.dumps(value, ensure_ascii=False)


def _flat(facts: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Names and values of plain data, what is nested with the names above it."""
    rows: list[tuple[str, str]] = []
    for name, value in facts.items():
        known = f"{above}{name}".replace("_", " ")
        rows += _flat(value, f"{known}: ") if isinstance(value, Mapping) else [(known, _shown(value))]
    return rows


def _summary(record: RunRecord) -> dict[str, Any]:
    """What stands in the first lines of the page, and how it was measured."""
    images, splits = record.images, record.splits
    train, looks, step = len(record.train_images), record.test_looks, record.folder_step
    confirmed = sum(outcome.confirmation is not None for outcome in record.strategies)
    return {
        "source": str(record.command.source),
        "images": f"{images.found:,} found, {images.used:,} used, {images.set_aside:,} set aside, "
        f"{images.duplicates_removed:,} duplicates removed",
        "splits": f"{count(len(splits), 'split')} of {count(train, 'image')}",
        "train": train,
        "tested": len(splits[0].test) if splits else 0,
        "test": len(record.test_images),
        "looked_at": looked_at(looks),
        "caveat": CAVEAT if confirmed == 1 else CAVEAT_OF_SEVERAL,
        "folder_step": on_folder(step, record.metric) if step else "",
        "groups": len({group for group in record.train_groups if group}),
        "margin": amount(record.margin, record.metric),
    }


def _winner(record: RunRecord) -> str:
    """The best score with and without its optimism: a sentence, empty below two strategies."""
    if record.winner is None:
        return ""
    opening = f"{capital(record.winner.strategy.label)} has"
    return best_score(opening, record.winner, record.metric, splits=len(record.splits))
