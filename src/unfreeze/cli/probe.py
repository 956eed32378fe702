"""``unfreeze probe``: the depth curve."""

from enum import StrEnum
from typing import Annotated, get_args

import typer

from unfreeze.cli.options import (
    AsJson,
    BackboneName,
    Device,
    DeviceName,
    Engine,
    EngineName,
    Exclude,
    MaxBad,
    Precision,
    PrecisionName,
    Quiet,
    ResizeName,
    Seed,
    Size,
    Source,
    Tap,
    TestFolder,
    Threads,
    Weights,
    image_settings,
)
from unfreeze.cli.output import result_output
from unfreeze.cli.process import process_began
from unfreeze.cli.work import working
from unfreeze.core.settings import DEFAULT_BACKBONE
from unfreeze.core.strategies import Loss
from unfreeze.core.threads import limit_threads
from unfreeze.core.wording import count, duration


class LossChoice(StrEnum):
    """Which linear classifier."""

    softmax = "softmax"
    svm = "svm"
    both = "both"


def probe(
    source: Source,
    *,
    loss: Annotated[LossChoice, typer.Option("--loss", help="Which linear classifier.")] = LossChoice.both,
    tap: Tap = None,
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
    json: AsJson = False,
) -> None:
    """Fit linear classifiers at every tap."""
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
    with result_output(as_json=json) as output, working(quiet=quiet) as resources:
        from unfreeze.report.table import depth_table
        from unfreeze.workflows.probing import probe as fit_probes
        from unfreeze.workflows.reading import Phases

        losses = [known for known in get_args(Loss) if loss.value in {known, "both"}]
        record = fit_probes(settings, resources, tap=tap, losses=losses, phases=Phases(process_began()))
        output.document(record)
        output.table(depth_table(record.depth_curve))
        output.line()
        sizes = f"{count(record.train_images, 'image')} to train, {record.test_images:,} to test"
        classes, seconds = count(len(record.classes), "class"), duration(record.phases["whole"])
        output.line(f"{sizes}, {classes}; * best by cross-validation; {seconds}")
