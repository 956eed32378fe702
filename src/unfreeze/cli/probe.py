"""``unfreeze probe``: the depth curve."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

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
    Tap,
    TestFolder,
    Threads,
    Weights,
    image_settings,
)
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.process import process_began
from unfreeze.cli.work import NOTHING_WRITTEN, stoppable, working
from unfreeze.core.errors import InputError
from unfreeze.core.settings import DEFAULT_BACKBONE
from unfreeze.core.strategies import Loss
from unfreeze.core.threads import limit_threads
from unfreeze.core.wording import count, duration, listed

if TYPE_CHECKING:
    from unfreeze.core.documents import ProbeRecord

CODES = frozenset({".npy", ".parquet"})  # suffixes of files of codes; Parquet may also be a list of photos


class LossChoice(StrEnum):
    """Which linear classifier."""

    softmax = "softmax"
    svm = "svm"
    both = "both"


def probe(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="A folder of class folders, a .csv or .parquet list, tars, or what unfreeze codes wrote.",
            show_default=False,
        ),
    ],
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
    losses = [known for known in get_args(Loss) if loss.value in {known, "both"}]
    if source.suffix.lower() in CODES and _are_codes(source):
        of_photos = {"--weights": weights, "--size": size, "--resize": resize, "--test": test, "--exclude": exclude}
        _only_of_photos([*(name for name, value in of_photos.items() if value), *_not_default(backbone)], source)
        limit_threads(threads)
        with result_output(as_json=json) as output, stoppable(NOTHING_WRITTEN, quiet=quiet) as progress:
            from unfreeze.workflows.probing_codes import probe_codes
            from unfreeze.workflows.reading import Phases

            phases = Phases(process_began())
            _say(output, probe_codes(source, progress, tap=tap, losses=losses, seed=seed, phases=phases))
        return
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
        from unfreeze.workflows.probing import probe as fit_probes
        from unfreeze.workflows.reading import Phases

        _say(output, fit_probes(settings, resources, tap=tap, losses=losses, phases=Phases(process_began())))


def _say(output: Output, record: "ProbeRecord") -> None:
    """Print the depth curve, and of what it is."""
    from unfreeze.report.table import depth_table

    output.document(record)
    output.table(depth_table(record.depth_curve))
    output.line()
    sizes = f"{count(record.train_images, 'image')} to train, {record.test_images:,} to test"
    classes, seconds = count(len(record.classes), "class"), duration(record.phases["whole"])
    output.line(f"{sizes}, {classes}; * best by cross-validation; {seconds}")


def _are_codes(source: Path) -> bool:
    from unfreeze.workflows.codes_on_disk import are_codes

    return are_codes(source)


def _only_of_photos(given: Sequence[str], source: Path) -> None:
    """Refuse options that say how photos become codes.

    Raises:
        InputError: There are some.
    """
    if given:
        msg = f"{source} holds codes, which were made before: leave out {listed(list(given))}."
        raise InputError(msg)


def _not_default(backbone: str) -> list[str]:
    return [] if backbone == DEFAULT_BACKBONE else ["--backbone"]
