"""``unfreeze run``: the whole study, its table, its verdict and its report."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unfreeze.cli.durations import parse_duration
from unfreeze.cli.options import (
    METRICS,
    AsJson,
    Augment,
    AugmentName,
    Device,
    DeviceName,
    Engine,
    EngineName,
    Epochs,
    MaxBad,
    MetricChoice,
    MetricName,
    NoPhotos,
    Precision,
    PrecisionName,
    ResizeChoice,
    Seed,
    Weights,
)
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_source, checked_weights, run_place
from unfreeze.cli.work import working
from unfreeze.core.errors import InputError
from unfreeze.core.run_folder import owned_run
from unfreeze.core.settings import DEFAULT_BACKBONE, EngineSettings, StudySettings
from unfreeze.core.strategies import parse_strategies

if TYPE_CHECKING:
    from unfreeze.core.run_record import RunRecord


DEFAULT_BUDGET, NO_BUDGET = "15m", "none"
MOST_ROUNDS = 20
SMALLEST_SIZE, LARGEST_SIZE = 16, 4096


def run(
    context: typer.Context,
    source: Annotated[
        Path | None,
        typer.Argument(metavar="SOURCE", help="Folder of labelled images, or a list of them.", show_default=False),
    ] = None,
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
    resize: Annotated[
        ResizeChoice,
        typer.Option(
            "--resize",
            help="How photos become squares: cut out of the middle, squeezed, or whole with a border; auto tries all "
            "where photos are not square.",
        ),
    ] = ResizeChoice.auto,
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
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            metavar="TIME",
            help="What all of it may take: 90s, 15m, 1h30m, or seconds; none for as long as it takes. 15m, or none "
            "with --rounds.",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds",
            metavar="N",
            min=1,
            max=MOST_ROUNDS,
            help="Measure every strategy on N rounds of five splits, whatever comes of them; what is open is repeated "
            "if not given.",
            show_default=False,
        ),
    ] = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for the results: new, empty, or that of an unfinished run of the same command, which goes "
            "on; unfreeze-runs/NAME-N if not given.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Go on with the run in this folder, which was stopped or killed, as it was begun.",
            show_default=False,
        ),
    ] = None,
    max_bad: MaxBad = 0.01,
    engine: EngineName = Engine.auto,
    precision: PrecisionName = Precision.auto,
    device: DeviceName = Device.auto,
    augment: AugmentName = Augment.light,
    no_photos: NoPhotos = False,
    json: AsJson = False,
) -> None:
    """Train and say how far to unfreeze."""
    if resume is not None:
        _refuse_beside_resume(context)
        _run(resume, None, as_json=json)
        return
    if source is None:
        msg = "SOURCE is missing: give a folder of labelled images or a list of them, or --resume RUN."
        raise InputError(msg)
    settings = StudySettings(
        source=source,
        backbone=parse_backbones(backbone),
        weights=weights,
        size=parse_sizes(size),
        resize=resize.value,
        strategies=strategy_words(strategies),
        metric=METRICS[metric],
        margin=margin,
        budget_seconds=parse_budget(budget, rounds=rounds),
        rounds=rounds,
        epochs=epochs,
        seed=seed,
        max_bad=max_bad,
        request=EngineSettings(engine.value, precision.value, device.value),
        augment=augment.value,
        photos=not no_photos,
    )
    checked_source(source)
    checked_weights(weights)
    with run_place(settings, out) as folder:
        _run(folder, settings, as_json=json)


def _run(folder: Path, settings: StudySettings | None, *, as_json: bool) -> None:
    """Begin or continue the run in a folder."""
    go_on = f"Go on with: unfreeze run --resume {shlex.quote(str(folder))}"
    with result_output(as_json=as_json) as output, owned_run(folder, settings) as owned:
        with working(kept=f"The codes that were read are kept. {go_on}") as resources:
            from unfreeze.workflows.study import study

            record = study(owned, resources)
            exit_code = resources.progress.stop.exit_code
        _show(record, folder, output, go_on)
    if record.interrupted:
        raise typer.Exit(exit_code)


def _refuse_beside_resume(context: typer.Context) -> None:
    """A run goes on as it was begun: nothing else can be asked of it."""
    given = [
        parameter
        for parameter in context.params
        if parameter not in {"resume", "json"}
        and getattr(context.get_parameter_source(parameter), "name", "DEFAULT") not in {"DEFAULT", "DEFAULT_MAP"}
    ]
    if given:
        names = ", ".join("SOURCE" if name == "source" else f"--{name.replace('_', '-')}" for name in given)
        msg = f"--resume RUN goes on with what was asked when the run was begun. Leave out {names}."
        raise InputError(msg)


def parse_budget(text: str | None, *, rounds: int | None) -> float | None:
    """Seconds that ``--budget`` stands for.

    Args:
        text: What was given; None if nothing was.
        rounds: What ``--rounds`` was given: the rounds are then what is to be done, however long it takes.

    Returns:
        Seconds; None for none.

    Raises:
        InputError: The text is no time.

    Example:
        >>> parse_budget("10m", rounds=None), parse_budget(None, rounds=2)
        (600.0, None)
    """
    text = text or (DEFAULT_BUDGET if rounds is None else NO_BUDGET)
    return None if text.strip().lower() == NO_BUDGET else parse_duration(text)


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


def _show(record: "RunRecord", folder: Path, output: Output, go_on: str) -> None:
    from unfreeze.core.phrases import ON_PART
    from unfreeze.report.table import screening_table, strategy_table
    from unfreeze.workflows.reports import REPORT

    output.document(record.to_json())
    if record.screening:
        output.table(screening_table(record))
        output.line()
    if record.strategies:
        on_part = record.on_part
        output.table(strategy_table(record.strategies, picked=record.picked, on_part=on_part, metric=record.metric))
        output.line()
        if on_part:
            output.line(ON_PART)
            output.line()
    for sentence in record.verdict:
        output.line(sentence)
    output.line()
    places = {"report": folder / REPORT, **({"model": folder / record.model} if record.model else {})}
    for line in [*(f"{name}  {place}" for name, place in places.items()), *([go_on] if record.interrupted else [])]:
        if output.as_json:
            print(line, file=sys.stderr)
        output.line(line)
