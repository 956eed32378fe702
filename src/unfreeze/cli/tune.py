"""``unfreeze tune``: one strategy, trained and written as a model."""

from pathlib import Path
from typing import Annotated

import typer

from unfreeze.cli.durations import parse_duration
from unfreeze.cli.on_cluster import cluster_at, threads_with
from unfreeze.cli.options import (
    METRICS,
    AsJson,
    Augment,
    AugmentName,
    BackboneName,
    Budget,
    Device,
    DeviceName,
    Engine,
    EngineName,
    Epochs,
    Exclude,
    MaxBad,
    MetricChoice,
    MetricName,
    NumberOfWorkers,
    On,
    Precision,
    PrecisionName,
    Quiet,
    ResizeName,
    Scratch,
    Seed,
    Size,
    Source,
    TestFolder,
    Threads,
    Weights,
    image_settings,
)
from unfreeze.cli.output import result_output
from unfreeze.cli.places import fresh_folder
from unfreeze.cli.process import process_began
from unfreeze.cli.work import working
from unfreeze.core.errors import InputError, PlanError
from unfreeze.core.settings import DEFAULT_BACKBONE, TuneSettings
from unfreeze.core.strategies import FULL, SCRATCH, StrategyId, parse_strategy
from unfreeze.core.threads import limit_threads
from unfreeze.core.wording import count

NO_MODEL = "The codes that were read are kept, no model was written; the same command begins its training anew."


def tune(
    source: Source,
    *,
    unfreeze: Annotated[
        str,
        typer.Option(
            "--unfreeze",
            metavar="K|head|full|scratch",
            help="What learns: the head, the last K blocks too, or everything; from scratch with random weights.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the model, new or empty.", show_default=False)
    ],
    scratch: Scratch = False,
    epochs: Epochs = None,
    budget: Budget = "15m",
    backbone: BackboneName = DEFAULT_BACKBONE,
    weights: Weights = None,
    size: Size = None,
    resize: ResizeName = None,
    seed: Seed = 0,
    max_bad: MaxBad = 0.01,
    engine: EngineName = Engine.auto,
    precision: PrecisionName = Precision.auto,
    device: DeviceName = Device.auto,
    test: TestFolder = None,
    exclude: Exclude = None,
    threads: Threads = None,
    quiet: Quiet = False,
    augment: AugmentName = Augment.light,
    metric: MetricName = MetricChoice.auto,
    like: Annotated[
        Path | None,
        typer.Option("--like", metavar="RUN", help="Train with layout and threads of that run.", show_default=False),
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(
            "--devices",
            metavar="N",
            min=1,
            help="Processes that share the training, each with a GPU of its own; on the CPU, with a part of the cores.",
            show_default=False,
        ),
    ] = None,
    on: On = None,
    workers: NumberOfWorkers = None,
    json: AsJson = False,
) -> None:
    """Train one strategy."""
    strategy = tuned_strategy(unfreeze, scratch=scratch)
    if devices is not None and on is not None:
        msg = "--devices shares a training on this machine, --on on a cluster. Leave one of them out."
        raise InputError(msg)
    threads = threads_with(on, workers, threads)
    settings = image_settings(
        source,
        engine,
        precision,
        device,
        backbone=backbone,
        weights=weights,
        size=size,
        resize=resize,
        seed=seed,
        max_bad=max_bad,
        test=test,
        exclude=exclude,
    )
    limit_threads(threads)
    tuning = TuneSettings(
        strategy=strategy.key,
        budget_seconds=parse_duration(budget),
        epochs=epochs,
        augment=augment.value,
        metric=METRICS[metric],
        like=like,
        devices=devices,
    )
    with (
        result_output(as_json=json) as output,
        fresh_folder(source, out) as folder,
        working(NO_MODEL, quiet=quiet) as resources,
        cluster_at(on, resources.progress) as cluster,
    ):
        from unfreeze.report.table import strategy_table, with_its_test_part
        from unfreeze.workflows.reading import Phases
        from unfreeze.workflows.tuning import tune as tune_model

        elsewhere = None
        if cluster is not None:
            from unfreeze.cluster.training import training_on

            elsewhere = training_on(cluster, threads=threads or 1, out=folder, most=workers, device=device.value)
        phases = Phases(process_began())
        record = tune_model(settings, tuning, resources, out=folder, phases=phases, elsewhere=elsewhere)
        output.document(record)
        output.table(strategy_table([with_its_test_part(outcome) for outcome in record.strategies]))
        output.line()
        tested = count(len(record.test_images), "image")
        output.line(f"Accuracy is that of the {tested} of the test part, which trained nothing.")
        output.line(f"model  {record.model}")


def tuned_strategy(word: str, *, scratch: bool) -> StrategyId:
    """What ``--unfreeze`` and ``--scratch`` stand for.

    Args:
        word: As `core.strategies.parse_strategy` reads it.
        scratch: Whether to start from random weights.

    Returns:
        The strategy.

    Raises:
        InputError: The word stands for none.
        PlanError: From scratch everything learns.
    """
    strategy = parse_strategy(word, option="--unfreeze")
    if not scratch or strategy == SCRATCH:
        return strategy
    if strategy != FULL:
        msg = f"From scratch everything learns: --scratch goes with --unfreeze full, not with {word!r}."
        raise PlanError(msg)
    return SCRATCH
