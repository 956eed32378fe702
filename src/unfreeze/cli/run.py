"""``unfreeze run``: the whole study, its table, its verdict and its report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unfreeze.cli.durations import parse_duration
from unfreeze.cli.options import (
    DEFAULT_BACKBONE,
    AsJson,
    Augment,
    AugmentName,
    BackboneName,
    Budget,
    Engine,
    EngineName,
    MaxBad,
    Precision,
    PrecisionName,
    Scratch,
    Seed,
    Size,
    Source,
    Weights,
)
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_source, fresh_folder
from unfreeze.cli.progress import progress_on_stderr

if TYPE_CHECKING:
    from unfreeze.core.progress import Progress

INTERRUPTED = 130
REPORT = "report.html"


def run(
    source: Source,
    *,
    backbone: BackboneName = DEFAULT_BACKBONE,
    weights: Weights = None,
    size: Size = None,
    unfreeze: Annotated[
        int, typer.Option("--unfreeze", metavar="K", min=1, help="How many of the last blocks step two unfreezes.")
    ] = 2,
    scratch: Scratch = False,
    budget: Budget = "15m",
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for the results, new or empty; unfreeze-runs/NAME-N if not given.",
            show_default=False,
        ),
    ] = None,
    max_bad: MaxBad = 0.01,
    engine: EngineName = Engine.auto,
    precision: PrecisionName = Precision.auto,
    augment: AugmentName = Augment.light,
    json: AsJson = False,
) -> None:
    """Train and say how far to unfreeze."""
    seconds = parse_duration(budget)
    checked_source(source)
    with result_output(as_json=json) as output, fresh_folder(source, out) as folder:
        progress = progress_on_stderr()
        from unfreeze.advisor.study import StudySettings, run_study

        settings = StudySettings(
            source=source,
            backbone=backbone,
            weights=weights,
            size=size,
            unfreeze=unfreeze,
            scratch=scratch,
            budget_seconds=seconds,
            seed=seed,
            max_bad=max_bad,
            engine=engine.value,
            precision=precision.value,
            augment=augment.value,
        )
        document = run_study(settings, out=folder, progress=progress).to_json()
        _finish(document, folder, output, progress)
    if document["interrupted"]:
        raise typer.Exit(INTERRUPTED)


def _finish(document: dict[str, Any], folder: Path, output: Output, progress: "Progress") -> None:
    from unfreeze.report.page import write_page
    from unfreeze.report.table import strategy_table

    write_page(folder / REPORT, document)
    output.document(document)
    if document["strategies"]:
        output.table(strategy_table(document))
        output.line()
    for sentence in document["verdict"]:
        output.line(sentence)
    output.line()
    places = {"report": folder / REPORT, **({"model": folder / document["model"]} if document["model"] else {})}
    for name, place in places.items():
        if output.as_json:
            progress.say(f"{name} {place}")
        output.line(f"{name}  {place}")
