"""``unfreeze run``: the whole study, its table, its verdict and its report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from unfreeze.cli.durations import parse_duration
from unfreeze.cli.options import (
    DEFAULT_BACKBONE,
    METRICS,
    AsJson,
    Augment,
    AugmentName,
    Budget,
    Engine,
    EngineName,
    MaxBad,
    MetricChoice,
    MetricName,
    Precision,
    PrecisionName,
    Seed,
    Source,
    Weights,
)
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_source, fresh_folder
from unfreeze.cli.progress import progress_on_stderr
from unfreeze.core.errors import InputError

if TYPE_CHECKING:
    from unfreeze.core.progress import Progress
    from unfreeze.strategies.entries import Depth

INTERRUPTED = 130
DEFAULT_STRATEGIES = "auto"


SMALLEST_SIZE, LARGEST_SIZE = 16, 4096
REPORT = "report.html"


def run(
    source: Source,
    *,
    backbone: Annotated[
        str,
        typer.Option(
            "--backbone",
            metavar="NAMES",
            help="The pretrained network: any name that timm knows. Of several, with commas, the best is raced.",
        ),
    ] = DEFAULT_BACKBONE,
    weights: Weights = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="PX",
            help="Side of the images in pixels, instead of what the network was trained on; of several, with commas "
            "between, or of auto, the best is raced.",
            show_default=False,
        ),
    ] = None,
    strategies: Annotated[
        str,
        typer.Option(
            "--strategies",
            metavar="LIST",
            help="What is tried beyond step one: numbers of blocks, all, scratch, with commas between; none for none.",
        ),
    ] = DEFAULT_STRATEGIES,
    metric: MetricName = MetricChoice.auto,
    margin: Annotated[
        float, typer.Option("--margin", metavar="POINTS", min=0.0, help="Differences up to this do not matter to you.")
    ] = 1.0,
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
    choose_rate: Annotated[
        bool, typer.Option("--choose-rate", help="Choose rate and epochs on a fold inside each split, if time allows.")
    ] = False,
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
            backbone=parse_backbones(backbone),
            weights=weights,
            size=parse_sizes(size),
            strategies=parse_strategies(strategies),
            metric=METRICS[metric],
            margin=margin,
            budget_seconds=seconds,
            seed=seed,
            max_bad=max_bad,
            engine=engine.value,
            precision=precision.value,
            augment=augment.value,
            choose_rate=choose_rate,
        )
        document = run_study(settings, out=folder, progress=progress).to_json()
        _finish(document, folder, output, progress)
    if document["interrupted"]:
        raise typer.Exit(INTERRUPTED)


def parse_strategies(text: str) -> "tuple[Depth, ...] | None":
    """What ``--strategies`` stands for.

    Args:
        text: auto, none, or numbers of blocks, ``all`` and ``scratch`` with commas between them.

    Returns:
        The depths; None for auto.

    Raises:
        InputError: A part is none of them.

    Example:
        >>> parse_strategies("2,all")
        (2, 'all')
    """
    if text == DEFAULT_STRATEGIES:
        return None
    if text == "none":
        return ()
    parts = [part.strip() for part in text.split(",")]
    wrong = [part for part in parts if part not in {"all", "scratch"} and not (part.isdecimal() and int(part))]
    if wrong:
        msg = f"--strategies takes auto, none, or numbers of blocks, all and scratch, as in 1,2,all; got {wrong[0]!r}."
        raise InputError(msg)
    return tuple(int(part) if part.isdecimal() else part for part in parts)  # type: ignore[misc]


def parse_backbones(text: str) -> str | tuple[str, ...]:
    """One name, or several that had commas between them.

    Args:
        text: What ``--backbone`` was given.

    Returns:
        The name or, of several, all in their order, each once.

    Example:
        >>> parse_backbones("lite0, lite1")
        ('lite0', 'lite1')
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    return names if len(names) > 1 else "".join(names)


def parse_sizes(text: str | None) -> int | tuple[int, ...] | Literal["auto"] | None:
    """One size, several with commas between them, or auto.

    Args:
        text: What ``--size`` was given.

    Returns:
        Pixels.

    Raises:
        InputError: A part is no whole number from 16 to 4096.

    Example:
        >>> parse_sizes("96,224")
        (96, 224)
    """
    if text is None or text == "auto":
        return "auto" if text else None
    parts = [part.strip() for part in text.split(",")]
    wrong = [
        part for part in parts if not (part.isascii() and part.isdigit() and SMALLEST_SIZE <= int(part) <= LARGEST_SIZE)
    ]
    if wrong:
        msg = f"--size takes whole numbers from 16 to 4096 with commas between, or auto; got {wrong[0]!r}."
        raise InputError(msg)
    sizes = tuple(dict.fromkeys(int(part) for part in parts))
    return sizes if len(sizes) > 1 else sizes[0]


def _finish(document: dict[str, Any], folder: Path, output: Output, progress: "Progress") -> None:
    from unfreeze.report.page import write_page
    from unfreeze.report.table import screening_table, strategy_table

    write_page(folder / REPORT, document)
    output.document(document)
    if document["screening"]:
        output.table(screening_table(document))
        output.line()
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
