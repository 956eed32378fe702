"""The report of a run: one HTML file that needs nothing else, made from what `run.json` holds."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from unfreeze.core.files import write_bytes
from unfreeze.report.charts import LEFT, NAMES, RIGHT, WIDTH, accuracy_chart, depth_chart
from unfreeze.report.table import strategy_rows
from unfreeze.report.wording import count, duration, percent, printable

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
        depth=depth_chart(document["depth_curve"]),
        accuracies=accuracy_chart(document),
        facts=_facts(document),
        frame={"width": WIDTH, "left": LEFT, "right": RIGHT, "names": NAMES},
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
    environment.filters.update(percent=percent, duration=duration, count=count, shown=_shown)
    return environment.get_template("report.html.j2")


def _shown(value: Any) -> str:
    """A setting or a field of a card, on one line."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(item) for item in value)
    return json.dumps(value, ensure_ascii=False)


def _facts(document: Mapping[str, Any]) -> dict[str, Any]:
    """The two tables of small print: how it was measured, and of what."""
    images = document["images"]
    return {
        "source": str(document["command"].get("source", "photos")),
        "images": f"{images['found']:,} found, {images['used']:,} used, {images['set_aside']:,} set aside, "
        f"{images['duplicates_removed']:,} duplicates removed",
        "split": f"{len(document['train_images']):,} to train, {len(document['test_images']):,} to test",
        "classes": f"{len(document['classes']):,}",
        "groups": len({group for group in document["test_groups"] if group}),
    }
