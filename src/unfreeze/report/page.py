"""The report of a run: one HTML file that needs nothing else, made from what `run.json` holds."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from unfreeze.advisor.phrases import amount, on_folder, score, score_span
from unfreeze.advisor.verdict import looked_at
from unfreeze.core.files import write_bytes
from unfreeze.core.records import FolderStep, Interval
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
    SCORE_COLUMNS,
    SCREENING_COLUMNS,
    forecast_rows,
    screening_rows,
    step_rows,
    strategy_rows,
)
from unfreeze.report.wording import count, duration, percent, percent_range, printable

LISTED = 200  # files that were set aside or removed; run.json names them all


def page(document: Mapping[str, Any]) -> str:
    """The report as HTML, also of a run that was made long ago.

    It holds no script and loads nothing, so that it can be opened from a disk, mailed and printed.

    Args:
        document: What `run.json` holds.

    Returns:
        A whole HTML document.
    """
    return _template().render(
        run=document,
        rows=strategy_rows(document),
        columns=SCORE_COLUMNS[document["metric"]],
        accuracies=accuracy_chart(document),
        screening=screening_rows(document),
        screening_columns=SCREENING_COLUMNS,
        step_rows=step_rows(document),
        steps=steps_chart(document),
        forecasts=forecast_rows(document),
        depth=depth_chart(document["depth_curve"]),
        learning=learning_chart(document["learning_curve"]),
        summary=_summary(document),
        winner=_winner(document),
        confirmed=[outcome for outcome in document["strategies"] if outcome["confirmation"]],
        facts=_flat(document["facts"]),
        rule=_flat({name: value for name, value in document["rule"].items() if name != "sentence"}),
        frame={"width": WIDTH, "left": LEFT, "right": RIGHT, "names": NAMES, "step": STEP},
        listed=LISTED,
    )


def write_page(path: Path, document: Mapping[str, Any]) -> None:
    """Write the report.

    Args:
        path: Where; an older report is replaced.
        document: What `run.json` holds.
    """
    write_bytes(path, page(document).encode("utf-8"))


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
    environment.filters.update(
        percent=percent, percent_range=percent_range, duration=duration, count=count, shown=_shown
    )
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


def _folder_step(document: Mapping[str, Any]) -> str:
    """The delivered strategy against the feature extractor on the user's own test folder; empty if not compared."""
    found = document["folder_step"]
    if found is None:
        return ""
    return on_folder(FolderStep(**{**found, "interval": Interval(*found["interval"])}), document["metric"])


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the first lines of the page, and how it was measured."""
    images, splits = document["images"], document["splits"]
    train, test = len(document["train_images"]), len(document["test_images"])
    return {
        "source": str(document["command"].get("source", "photos")),
        "images": f"{images['found']:,} found, {images['used']:,} used, {images['set_aside']:,} set aside, "
        f"{images['duplicates_removed']:,} duplicates removed",
        "splits": count(len(splits), "split") + f" of {count(train, 'image')}",
        "train": train,
        "tested": len(splits[0]["test"]) if splits else 0,
        "test": test,
        "looked_at": looked_at(document["test_looks"]) if document["test_looks"] else "",
        "folder_step": _folder_step(document),
        "groups": len({group for group in document["train_groups"] if group}),
        "margin": amount(document["margin"], document["metric"]),
    }


def _winner(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The best score with and without its optimism, in words."""
    winner, metric = document["winner"], document["metric"]
    if winner is None:
        return None
    return {
        "name": winner["name"],
        "among": winner["among"],
        "naive": score(winner["naive"], metric),
        "corrected": score(winner["corrected"], metric),
        "interval": score_span(Interval(*winner["interval"]), metric),
    }
