"""``unfreeze run``: the whole study, its table, its verdict and its report."""

import re
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unfreeze.cli.browser import open_page
from unfreeze.cli.durations import parse_duration
from unfreeze.cli.on_cluster import cluster_at, threads_with
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
    Exclude,
    GroupsChoice,
    MaxBad,
    MetricChoice,
    MetricName,
    NoPhotos,
    NumberOfWorkers,
    On,
    Open,
    Precision,
    PrecisionName,
    Quiet,
    ResizeChoice,
    Seed,
    TestFolder,
    Threads,
    Weights,
)
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.places import checked_source, checked_test_folder, checked_weights, run_place
from unfreeze.cli.work import working
from unfreeze.core.errors import InputError
from unfreeze.core.run_folder import owned_run
from unfreeze.core.settings import DEFAULT_BACKBONE, LARGEST_SIZE, SMALLEST_SIZE, EngineSettings, StudySettings
from unfreeze.core.strategies import parse_strategies
from unfreeze.core.threads import limit_threads

if TYPE_CHECKING:
    from unfreeze.core.run_record import RunRecord


DEFAULT_BUDGET, NO_BUDGET = "15m", "none"
MOST_ROUNDS = 20
_STEP_ONE = frozenset({"head", "linear", "probe", "0"})


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
            help="The pretrained network: any name that timm knows, or the folder of a model or of an imported "
            "network. Of several, with commas, the best is raced.",
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
            help="What is tried beyond step one: numbers of blocks, full, scratch, with commas between; none, or head, "
            "for none.",
        ),
    ] = "auto",
    metric: MetricName = MetricChoice.auto,
    margin: Annotated[
        str,
        typer.Option(
            "--margin", metavar="POINTS", help="Differences up to this do not matter to you: 1, 0.5 or 0.5% are points."
        ),
    ] = "1",
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
    test: TestFolder = None,
    exclude: Exclude = None,
    threads: Threads = None,
    on: On = None,
    workers: NumberOfWorkers = None,
    quiet: Quiet = False,
    show: Open = False,
    no_photos: NoPhotos = False,
    groups: Annotated[
        GroupsChoice,
        typer.Option(
            "--groups",
            help="What stays on one side of every split: the groups of a list and near copies, or also the series that "
            "photos seem to come in.",
        ),
    ] = GroupsChoice.given,
    json: AsJson = False,
) -> None:
    """Train and say how far to unfreeze."""
    spread = _Spread(on=on, workers=workers)
    if resume is not None:
        _refuse_beside_resume(context)
        _run(resume, None, spread, as_json=json, quiet=quiet, show=show)
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
        margin=parse_margin(margin),
        budget_seconds=parse_budget(budget, rounds=rounds),
        rounds=rounds,
        epochs=epochs,
        seed=seed,
        max_bad=max_bad,
        request=EngineSettings(engine.value, precision.value, device.value),
        augment=augment.value,
        test=test,
        exclude=tuple(exclude or ()),
        threads=threads_with(on, workers, threads),
        photos=not no_photos,
        groups=groups.value,
    )
    checked_source(source)
    checked_weights(weights)
    checked_test_folder(test)
    with run_place(settings, out) as folder:
        _run(folder, settings, spread, as_json=json, quiet=quiet, show=show)


@dataclass(frozen=True, kw_only=True)
class _Spread:
    """Where trials run: what ``--on`` and ``--workers`` were given."""

    on: str | None
    workers: int | None


def _run(
    folder: Path, settings: StudySettings | None, spread: _Spread, *, as_json: bool, quiet: bool, show: bool
) -> None:
    """Begin or continue the run in a folder."""
    began = time.perf_counter()
    go_on = f"Go on with: unfreeze run --resume {shlex.quote(str(folder))}"
    with result_output(as_json=as_json) as output, owned_run(folder, settings) as owned:
        limit_threads(owned.settings.threads)
        with (
            working(f"The codes that were read are kept. {go_on}", quiet=quiet) as resources,
            cluster_at(spread.on, resources.progress) as cluster,
        ):
            from unfreeze.workflows.study import study

            elsewhere = None
            if cluster is not None:
                from unfreeze.cluster.trials import TrialsOnCluster

                elsewhere = TrialsOnCluster(cluster=cluster, most=spread.workers)
            record = study(owned, resources, elsewhere, began=began)
            exit_code = resources.progress.stop.exit_code
        _show(record, folder, output, go_on)
        if as_json and not quiet:
            print(*_next_lines(record, folder, go_on), sep="\n", file=sys.stderr)
    if show:
        from unfreeze.workflows.reports import REPORT

        open_page(folder / REPORT)
    if record.interrupted:
        raise typer.Exit(exit_code)


def _refuse_beside_resume(context: typer.Context) -> None:
    """A run goes on as it was begun: nothing else can be asked of it."""
    given = [
        parameter
        for parameter in context.params
        if parameter not in {"resume", "on", "workers", "quiet", "show", "json"}
        and getattr(context.get_parameter_source(parameter), "name", "DEFAULT") not in {"DEFAULT", "DEFAULT_MAP"}
    ]
    if given:
        names = ", ".join("SOURCE" if name == "source" else f"--{name.replace('_', '-')}" for name in given)
        msg = f"--resume RUN goes on with what was asked when the run was begun. Leave out {names}."
        raise InputError(msg)


def parse_margin(text: str) -> float:
    """Points that ``--margin`` stands for; where log-loss decides, hundredths of a nat.

    Args:
        text: A number that is not negative, alone or with ``%`` or ``points``, which say the same.

    Returns:
        Points.

    Raises:
        InputError: The text is no such number.

    Example:
        >>> parse_margin("1%"), parse_margin("0.5 points")
        (1.0, 0.5)
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(?:%|pp|points?)?", text.strip().lower(), re.ASCII)
    if match is None:
        msg = f"--margin takes points of at least 0, such as 1, 0.5 or 0.5%; got {text!r}."
        raise InputError(msg)
    return float(match[1])


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
        text: auto, none, or words that `core.strategies.parse_strategy` reads, with commas between them. The head and
            linear classifiers are step one, which every run measures: beside them nothing is asked for.

    Returns:
        The words; None for auto.

    Raises:
        InputError: A word stands for no strategy, or for all of them: that may mean two things.

    Example:
        >>> strategy_words("2, full")
        ('2', 'full')
    """
    text = text.strip().lower()
    if text in {"auto", "none"}:
        return None if text == "auto" else ()
    if text in {"all", "everything"}:
        msg = (
            f"--strategies {text} may mean two things. For every strategy give --strategies 1,2,4,full,scratch; to "
            "train all layers and nothing between, --strategies full."
        )
        raise InputError(msg)
    words = tuple(word for word in (part.strip() for part in text.split(",")) if word not in _STEP_ONE)
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
    from unfreeze.report.table import answer_table, screening_table
    from unfreeze.workflows.reports import answer

    output.document(record.to_json())
    use, unfreezing, *rest = answer(record, folder)
    for sentence in (use, unfreezing):
        output.line(sentence)
    output.line()
    if record.screening:
        output.table(screening_table(record))
        output.line()
    if any(outcome.measured for outcome in record.strategies):
        output.table(answer_table(record))
        output.line()
        if record.on_part:
            output.line(ON_PART)
            output.line()
    for sentence in rest:
        output.line(sentence)
    output.line()
    for line in _next_lines(record, folder, go_on):
        output.line(line)


def _next_lines(record: "RunRecord", folder: Path, go_on: str) -> list[str]:
    """Where to look further; the last line is the next command."""
    from unfreeze.workflows.reports import REPORT

    details = f"Details and pictures: {folder / REPORT}"
    if record.interrupted:
        return [details, go_on]
    if record.model is None:
        return [details]
    return [details, f"Next: unfreeze predict {shlex.quote(str(folder / record.model))} NEW.jpg"]
