"""The report of a run: one HTML file that needs nothing else, made from its record and from small pictures."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from unfreeze.core.class_table import ClassTable
from unfreeze.core.files import write_bytes
from unfreeze.core.findings import KINDS, Finding
from unfreeze.core.phrases import CAVEAT, CAVEAT_OF_SEVERAL, ON_PART, best_score, calibrated, looked_at, on_folder
from unfreeze.core.run_record import RunRecord
from unfreeze.core.wording import (
    amount,
    capital,
    count,
    duration,
    files_found,
    nats,
    percent,
    percent_range,
    printable,
    probability,
)
from unfreeze.report import code_map
from unfreeze.report.abstention_chart import abstention_chart
from unfreeze.report.calibration_charts import reliability_charts, threshold_charts
from unfreeze.report.charts import (
    LEFT,
    RIGHT,
    STEP,
    WIDTH,
    cost_chart,
    depth_chart,
    learning_chart,
    steps_chart,
    training_chart,
)
from unfreeze.report.code_map import map_chart
from unfreeze.report.command_line import command_line, without_paths
from unfreeze.report.fact_sentences import fact_sentences
from unfreeze.report.gallery import ALIKE, APART, DOUBTED, NEVER, OF_CHANGE, SHOWN, Gallery, Pictures, gallery
from unfreeze.report.table import (
    RESIZE_COLUMNS,
    SCORE_COLUMNS,
    SCREENING_COLUMNS,
    resize_rows,
    screening_rows,
    step_rows,
    strategy_rows,
)
from unfreeze.report.thresholds import thresholds_of

LISTED: Final = 200  # files that were set aside or removed; run.json names them all
WHOLE_MATRIX: Final = 25  # classes up to which the confusion matrix is shown whole
PAIRS: Final = 40  # confused pairs that are listed where it is not
ALARM: Final = "UF131"
_NO_PICTURES = Pictures()


def page(record: RunRecord, pictures: Pictures | None = _NO_PICTURES, shown: Gallery | None = None) -> str:
    """The report as HTML, also of a run that was made long ago.

    It holds no script and loads nothing, so that it can be opened from a disk, mailed and printed.

    Args:
        record: Of the run.
        pictures: Of the photos that `gallery` chooses; the names of those that lack one stand there alone. None to
            show no photo and to name no file.
        shown: What `gallery` gives of the record, where that is known already.

    Returns:
        A whole HTML document.
    """
    shown = gallery(record) if shown is None else shown
    record = record if pictures is not None else _without_files(record)
    return _template().render(
        run=record,
        pictures=pictures,
        gallery=shown,
        shown_at_most={"change": OF_CHANGE, "never": NEVER, "alike": ALIKE},
        **_strategies(record),
        **_classes(record, shown),
        **_curves(record),
        **_probabilities(record),
        **_seen(record, pictures),
        summary=_summary(record),
        winner=_winner(record),
        alarm=next((found for found in record.findings if found.code == ALARM), None),
        apart=next((found for found in record.findings if found.code == APART), None),
        doubts=_doubts(record) if pictures is not None else (),
        confirmed=[outcome for outcome in record.strategies if outcome.confirmation],
        picked=record.outcome_of(record.picked),
        audits=[(outcome.strategy.plain, outcome.audit) for outcome in record.strategies if outcome.audit],
        facts=fact_sentences(record),
        command=command_line(record.command),
        frame={"width": WIDTH, "left": LEFT, "right": RIGHT, "step": STEP},
        listed=LISTED,
    )


def write_page(
    path: Path, record: RunRecord, pictures: Pictures | None = _NO_PICTURES, shown: Gallery | None = None
) -> None:
    """Write the report.

    Args:
        path: Where; an older report is replaced.
        record: Of the run.
        pictures: As for `page`.
        shown: As for `page`.
    """
    write_bytes(path, page(record, pictures, shown).encode("utf-8", "backslashreplace"))


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
        percent=percent,
        percent_range=percent_range,
        nats=nats,
        duration=duration,
        count=count,
        probability=probability,
        capital=capital,
    )
    return environment.get_template("report.html.j2")


def _without_files(record: RunRecord) -> RunRecord:
    """The same without any path and without the name of any file."""
    return replace(
        record,
        command=without_paths(record.command),
        network=replace(record.network, source=""),
        set_aside=(),
        duplicates=(),
        findings=tuple(_without_names(found) for found in record.findings),
    )


def _without_names(found: Finding) -> Finding:
    """A finding on images by its title alone, since its sentence may name files."""
    if not found.code.startswith("UF10"):
        return replace(found, images=())
    return replace(found, sentence=f"{KINDS[found.code][1]}.", images=())


def _doubts(record: RunRecord) -> tuple[Finding, ...]:
    """Findings whose photos are shown; those on labels only with the check that they are made of."""
    return tuple(
        found
        for found in record.findings
        if found.images and (found.code in SHOWN or (found.code == DOUBTED and record.label_check is not None))
    )


def _strategies(record: RunRecord) -> dict[str, Any]:
    """Their table, their chart, and the steps."""
    return {
        "rows": strategy_rows(record.strategies, picked=record.picked, on_part=record.on_part),
        "on_part": ON_PART if record.on_part else "",
        "columns": SCORE_COLUMNS[record.metric],
        "using": any(outcome.model_cost for outcome in record.strategies),
        "costs": cost_chart(record),
        "step_rows": step_rows(record),
        "steps": steps_chart(record),
        "screening": screening_rows(record),
        "screening_columns": SCREENING_COLUMNS,
        "resizing": resize_rows(record),
        "resize_columns": RESIZE_COLUMNS,
    }


def _classes(record: RunRecord, shown: Gallery) -> dict[str, Any]:
    """The confusion matrix, or its most frequent mistakes where there are too many classes for one."""
    table = record.by_class
    return {
        "table": table,
        "tested": sum(row.images for row in table.classes) if table else 0,
        "matrix": _matrix(table) if table and len(record.classes) <= WHOLE_MATRIX else (),
        "pairs": _pairs(table)[:PAIRS] if table and len(record.classes) > WHOLE_MATRIX else (),
        "linked": {(cell.given, cell.predicted) for cell in shown.cells},
    }


def _matrix(table: ClassTable) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Of every cell its count, and its tint in per cent: by the root of its share of the row, so that few are seen."""
    return tuple(
        tuple((number, round(60 * math.sqrt(number / max(1, sum(row))))) for number in row) for row in table.confusion
    )


def _pairs(table: ClassTable) -> Sequence[tuple[int, int, int]]:
    """Given class, predicted class and count of all kinds of mistakes, the most frequent first."""
    found = [
        (given, predicted, number)
        for given, row in enumerate(table.confusion)
        for predicted, number in enumerate(row)
        if number and given != predicted
    ]
    return sorted(found, key=lambda pair: -pair[2])


def _curves(record: RunRecord) -> dict[str, Any]:
    return {
        "depth": depth_chart(record.depth_curve),
        "learning": learning_chart(record.learning_curve),
        "training": training_chart(record),
    }


def _probabilities(record: RunRecord) -> dict[str, Any]:
    """How far to believe those of the delivered model, and what thresholds on them give."""
    picked, thresholds = record.outcome_of(record.picked), thresholds_of(record)
    calibration = picked.calibration if picked else None
    return {
        "reliability": reliability_charts(calibration),
        "calibrated": calibrated(calibration) if calibration else "",
        "abstaining": abstention_chart(calibration),
        "thresholds": thresholds,
        "threshold_squares": threshold_charts(thresholds),
    }


def _seen(record: RunRecord, pictures: Pictures | None) -> dict[str, Any]:
    """The map of codes, and where the network looks, as far as there are pictures: wrong photos, then right ones."""
    maps = record.looks.maps if record.looks else ()
    made = [one for one in maps if pictures is not None and one.image in pictures.heat]
    return {
        "code_map": map_chart(record),
        "map_frame": {
            "width": code_map.WIDTH,
            "height": code_map.HEIGHT,
            "photo": code_map.PHOTO,
            "shapes": code_map.SHAPES,
            "colours": code_map.COLOURS,
        },
        "looks": (
            ("Called wrong", [one for one in made if not one.right]),
            ("Called right", [one for one in made if one.right]),
        ),
    }


def _summary(record: RunRecord) -> dict[str, Any]:
    """What stands in the first lines of the page, and how it was measured."""
    images, splits = record.images, record.splits
    train, looks, step = len(record.train_images), record.test_looks, record.folder_step
    confirmed = sum(outcome.confirmation is not None for outcome in record.strategies)
    return {
        "source": str(record.command.source),
        "images": files_found(images),
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
    opening = f"“{record.winner.strategy.plain}” has"
    return best_score(opening, record.winner, record.metric, splits=len(record.splits))
