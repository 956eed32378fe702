"""``unfreeze run``: the whole study, its table, its verdict and its report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unfreeze.cli.durations import parse_duration
from unfreeze.cli.options import (
    METRICS,
    AsJson,
    Augment,
    AugmentName,
    Budget,
    Device,
    DeviceName,
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
from unfreeze.cli.places import checked_source, checked_weights, fresh_folder
from unfreeze.cli.work import working
from unfreeze.core.errors import InputError
from unfreeze.core.settings import DEFAULT_BACKBONE, EngineSettings, StudySettings
from unfreeze.core.strategies import parse_strategies

if TYPE_CHECKING:
    from unfreeze.core.progress import Progress
    from unfreeze.core.run_record import RunRecord


INTERRUPTED = 130


SMALLEST_SIZE, LARGEST_SIZE = 16, 4096


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
            help="What is tried beyond step one: numbers of blocks, full, scratch, with commas between; none for none.",
        ),
    ] = "auto",
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
    device: DeviceName = Device.auto,
    augment: AugmentName = Augment.light,
    choose_rate: Annotated[
        bool, typer.Option("--choose-rate", help="Choose rate and epochs on a fold inside each split, if time allows.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Train and say how far to unfreeze."""
    settings = StudySettings(
        source=source,
        backbone=parse_backbones(backbone),
        weights=weights,
        size=parse_sizes(size),
        strategies=strategy_words(strategies),
        metric=METRICS[metric],
        margin=margin,
        budget_seconds=parse_duration(budget),
        seed=seed,
        max_bad=max_bad,
        request=EngineSettings(engine.value, precision.value, device.value),
        augment=augment.value,
        choose_rate=choose_rate,
    )
    checked_source(source)
    checked_weights(weights)
    with result_output(as_json=json) as output, fresh_folder(source, out) as folder, working() as resources:
        from unfreeze.workflows.reports import write_report
        from unfreeze.workflows.study import study

        record = study(settings, resources, out=folder)
        report = write_report(record, folder)
        _show(record, folder, report, output, resources.progress)
    if record.interrupted:
        raise typer.Exit(INTERRUPTED)


def strategy_words(text: str) -> tuple[str, ...] | None:
    """What ``--strategies`` stands for.

    Args:
        text: auto, none, or words that `core.strategies.parse_strategy` reads, with commas between them.

    Returns:
        The words; None for auto.

    Raises:
        InputError: A word stands for no strategy.

    Example:
        >>> strategy_words("2, full")
        ('2', 'full')
    """
    if text in {"auto", "none"}:
        return None if text == "auto" else ()
    words = tuple(word.strip() for word in text.split(","))
    parse_strategies(words, option="--strategies (auto, none, or a list)")
    return words


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


def _show(record: "RunRecord", folder: Path, report: Path, output: Output, progress: "Progress") -> None:
    from unfreeze.report.table import screening_table, strategy_table

    output.document(record.to_json())
    if record.screening:
        output.table(screening_table(record))
        output.line()
    if record.strategies:
        output.table(strategy_table(record.strategies, picked=record.picked, metric=record.metric))
        output.line()
    for sentence in record.verdict:
        output.line(sentence)
    output.line()
    places = {"report": report, **({"model": folder / record.model} if record.model else {})}
    for name, place in places.items():
        if output.as_json:
            progress.say(f"{name} {place}")
        output.line(f"{name}  {place}")
