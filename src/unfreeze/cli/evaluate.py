"""``unfreeze evaluate``: the score of a model on labelled images, and where it is wrong."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unfreeze.cli.options import AsJson, Device, DeviceName, Unlike
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_model, checked_source, new_file
from unfreeze.cli.shares import parse_share
from unfreeze.cli.work import NOTHING_WRITTEN, working
from unfreeze.core.wording import count, files_found, nats, passed_over, percent, percent_range

if TYPE_CHECKING:  # records take a moment to import, and help needs none
    from unfreeze.core.documents import EvaluateRecord, Mistake
    from unfreeze.core.records import Answered

SHOWN = 10  # of the confusions, and of classes without images; --json has them all


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The folder of a model.", show_default=False)],
    labelled: Annotated[
        Path,
        typer.Argument(
            metavar="LABELLED",
            help="A folder of class folders, a .csv or .parquet list, or tars, also at an address.",
            show_default=False,
        ),
    ],
    *,
    mistakes: Annotated[
        int, typer.Option("--mistakes", metavar="N", min=0, help="How many of the surest mistakes to name.")
    ] = 10,
    rows: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write a CSV file with a row per image.", show_default=False),
    ] = None,
    abstain_below: Annotated[
        float | None,
        typer.Option(
            "--abstain-below",
            metavar="P",
            min=0.0,
            max=1.0,
            help="Also score the model as if it left open what it is less sure of.",
            show_default=False,
        ),
    ] = None,
    unlike: Unlike = None,
    device: DeviceName = Device.auto,
    json: AsJson = False,
) -> None:
    """Score a model."""
    share = None if unlike is None else parse_share(unlike, option="--unlike")
    checked_source(labelled)
    checked_model(model)
    kept = nullcontext() if rows is None else new_file(rows, option="--csv")
    with kept, result_output(as_json=json) as output, working(NOTHING_WRITTEN) as resources:
        from unfreeze.workflows.evaluation import Asked
        from unfreeze.workflows.evaluation import evaluate as score

        asked = Asked(mistakes=mistakes, rows=rows, below=abstain_below, unlike=share)
        record = score(model, labelled, asked=asked, device=device.value, resources=resources)
        for item in record.set_aside:
            resources.progress.say(f"set aside: {item.name}: {item.reason}")
        if record.skipped:
            resources.progress.say(passed_over(record.skipped))
        for finding in record.findings:
            resources.progress.notice(finding)
        output.document(record)
        if not json:
            _show(record, output)
            if rows is not None:
                output.line()
                output.line(f"a row per image  {rows}")


def _show(record: "EvaluateRecord", out: Output) -> None:
    images = record.images
    of_part = " of the test part" if record.part == "test" else ""
    out.line(f"{files_found(images)}; {record.scored:,}{of_part} scored, {record.right:,} right")
    over = f" over {count(record.groups, 'group')}" if record.groups else ""
    loss = "" if record.log_loss is None else f"; log-loss {nats(record.log_loss)}"
    out.line(
        f"Accuracy {percent(record.accuracy)} (95 % interval{over} {percent_range(record.interval)}); "
        f"balanced accuracy {percent(record.balanced_accuracy)}{loss}"
    )
    _show_open(record, out)
    _show_absent(record, out)
    _show_classes(record, out)
    _show_confusions(record, out)
    _show_mistakes(record.mistakes, record.scored - record.right, out)


def _show_open(record: "EvaluateRecord", out: Output) -> None:
    """What is answered, and how well, if the model leaves something open."""
    if record.asked is not None:
        out.line(f"Left open below {percent(record.asked.below)}: {_part(record.asked.answered, record.scored)}")
    if record.unfamiliar is not None:
        marked, others = record.unfamiliar.marked, record.unfamiliar.others
        right = f" ({marked.right:,} right)" if marked.images else ""
        out.line(f"Unlike anything in training: {count(marked.images, 'photo')}{right}; of the others {_right(others)}")
    if record.abstaining:
        _show_curve(record, out)


def _part(part: "Answered", scored: int) -> str:
    return f"{part.images:,} of {scored:,} answered ({percent(part.images / scored)}), of them {_right(part)}"


def _right(part: "Answered") -> str:
    if part.accuracy is None or part.interval is None:
        return "none"
    return f"{part.right:,} right: {percent(part.accuracy)} (95 % interval {percent_range(part.interval)})"


def _show_curve(record: "EvaluateRecord", out: Output) -> None:
    from unfreeze.report.table import add_row, plain_table

    headings = ("left open below", "answered", "of all", "right", "accuracy", "95 %")
    table = plain_table(*headings, right={*headings} - {"95 %"})
    for point in record.abstaining:
        part = point.answered
        cells = ("-", "-") if part.accuracy is None else (percent(part.accuracy), percent_range(part.interval))
        of_all = percent(part.images / record.scored)
        add_row(table, (percent(point.below), f"{part.images:,}", of_all, f"{part.right:,}", *cells))
    out.line()
    out.table(table)


def _show_absent(record: "EvaluateRecord", out: Output) -> None:
    absent = [name for name, row in zip(record.classes, record.per_class, strict=True) if not row.images]
    if absent:
        more = f" and {len(absent) - SHOWN:,} more" if len(absent) > SHOWN else ""
        out.line(f"There is no image of {count(len(absent), 'class')} of the model: {', '.join(absent[:SHOWN])}{more}")


def _show_classes(record: "EvaluateRecord", out: Output) -> None:
    from unfreeze.report.table import add_row, plain_table

    scores = ("precision", "recall", "F1")
    headings = [heading for score in scores for heading in (score, f"{score} 95 %")]
    table = plain_table("class", "images", "right", *headings, right={"images", "right", *scores})
    for name, row in zip(record.classes, record.per_class, strict=True):
        if row.images or row.predicted:
            pairs = (
                (row.precision, row.precision_interval),
                (row.recall, row.recall_interval),
                (row.f1, row.f1_interval),
            )
            cells = [cell for value, interval in pairs for cell in (percent(value), percent_range(interval))]
            add_row(table, (name, f"{row.images:,}", f"{row.right:,}", *cells))
    out.line()
    out.table(table)


def _show_confusions(record: "EvaluateRecord", out: Output) -> None:
    from unfreeze.report.table import add_row, plain_table

    if not record.confusions:
        return
    table = plain_table("given", "taken for", "images", right={"images"})
    for cell in record.confusions[:SHOWN]:
        add_row(table, (cell.given, cell.predicted, f"{cell.images:,}"))
    out.line()
    shown = f"; the {SHOWN} largest of {len(record.confusions):,}" if len(record.confusions) > SHOWN else ""
    out.line(f"What is taken for what{shown}:")
    out.table(table)


def _show_mistakes(mistakes: "tuple[Mistake, ...]", wrong: int, out: Output) -> None:
    from unfreeze.report.table import add_row, plain_table

    if not mistakes:
        return
    measure = "score" if any(mistake.probability is None for mistake in mistakes) else "probability"
    table = plain_table("file", "given", "predicted", measure, right={measure})
    for mistake in mistakes:
        value = percent(mistake.probability) if mistake.score is None else f"{mistake.score:.2f}"
        add_row(table, (mistake.path, mistake.given, mistake.predicted, value))
    out.line()
    out.line(
        f"The surest of {count(wrong, 'mistake')}:" if len(mistakes) < wrong else "Every mistake, the surest first:"
    )
    out.table(table)
