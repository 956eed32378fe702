"""``unfreeze probe``: the depth curve."""

import itertools
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unfreeze.cli.options import (
    DEFAULT_BACKBONE,
    AsJson,
    BackboneName,
    Engine,
    EngineName,
    MaxBad,
    Seed,
    Size,
    Source,
    Weights,
)
from unfreeze.cli.output import result_output
from unfreeze.cli.places import checked_source
from unfreeze.cli.progress import progress_on_stderr
from unfreeze.cli.reading import Choice, Phases, read_all
from unfreeze.report.wording import count, duration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unfreeze.core.progress import Progress
    from unfreeze.core.records import DepthPoint
    from unfreeze.data.image_set import ImageSet
    from unfreeze.features.extraction import Codes
    from unfreeze.probes.solver import Loss

FOLDS = 5


class LossChoice(StrEnum):
    """Which linear classifier."""

    softmax = "softmax"
    svm = "svm"
    both = "both"


LOSSES: "dict[LossChoice, tuple[Loss, ...]]" = {
    LossChoice.softmax: ("softmax",),
    LossChoice.svm: ("svm",),
    LossChoice.both: ("softmax", "svm"),
}


def probe(
    source: Source,
    *,
    loss: Annotated[LossChoice, typer.Option("--loss", help="Which linear classifier.")] = LossChoice.both,
    tap: Annotated[
        str | None,
        typer.Option("--tap", metavar="TAP", help="Only this tap; last is the last one.", show_default=False),
    ] = None,
    backbone: BackboneName = DEFAULT_BACKBONE,
    weights: Weights = None,
    size: Size = None,
    seed: Seed = 0,
    max_bad: MaxBad = 0.01,
    engine: EngineName = Engine.auto,
    json: AsJson = False,
) -> None:
    """Fit linear classifiers at every tap."""
    choice = Choice(
        source=source, backbone=backbone, weights=weights, size=size, seed=seed, max_bad=max_bad, engine=engine.value
    )
    checked_source(source)
    with result_output(as_json=json) as output:
        from unfreeze.core.records import plain
        from unfreeze.report.table import depth_table

        progress, phases = progress_on_stderr(), Phases()
        image_set, card, found = read_all(choice, tap=tap, progress=progress, phases=phases)
        losses = LOSSES[loss]
        with phases.timed("probes"):
            points = depth_curve(image_set, found, losses=losses, seed=seed, progress=progress)
        test = len(image_set.part("test").images)
        document: dict[str, Any] = {
            "schema": "unfreeze.probe/1",
            "source": str(source),
            "network": card.name,
            "images": plain(image_set.counts),
            "classes": list(image_set.classes),
            "train_images": len(image_set.images) - test,
            "test_images": test,
            "depth_curve": plain(points),
            "codes": {"computed": found.computed, "reused": found.reused},
            "seed": seed,
            "phases": phases.seconds,
        }
        output.document(document)
        output.table(depth_table(document["depth_curve"]))
        output.line()
        sizes = f"{count(document['train_images'], 'image')} to train, {test:,} to test"
        seconds = duration(sum(phases.seconds.values()))
        output.line(f"{sizes}, {count(len(image_set.classes), 'class')}; * best by cross-validation; {seconds}")


def depth_curve(
    image_set: "ImageSet",
    found: "Codes",
    *,
    losses: "tuple[Loss, ...]",
    seed: int,
    progress: "Progress",
) -> "tuple[DepthPoint, ...]":
    """Probes at `taps`: regularisation chosen on the train part, accuracy measured on the test part.

    Args:
        image_set: Split images, in the order of the rows of `found`.
        found: Their codes; there is a point for each of their taps.
        losses: softmax, svm or both.
        seed: Of the folds.
        progress: Is told of every probe.

    Returns:
        One point per tap and loss.
    """
    import numpy as np

    from unfreeze.core.records import DepthPoint
    from unfreeze.metrics.accuracy import accuracy
    from unfreeze.probes.search import search_probe

    labels, taps = image_set.labels(), tuple(found.by_tap)
    test = np.array([image.split == "test" for image in image_set.images])
    pairs = selection_folds(image_set, seed=seed)
    points = []
    with progress.phase("probes", total=len(taps) * len(losses), unit="probes") as advance:
        for tap, loss in itertools.product(taps, losses):
            codes, width = found.by_tap[tap], found.by_tap[tap].shape[1]
            search = search_probe(codes[~test], labels[~test], pairs, loss=loss, class_count=len(image_set.classes))
            right = accuracy(labels[test], search.probe.predict(codes[test]))
            point = DepthPoint(
                tap=tap, width=width, loss=loss, C=search.C, cv_accuracy=search.cv_accuracy, accuracy=right
            )
            points.append(point)
            advance(1)
    return tuple(points)


def selection_folds(image_set: "ImageSet", *, seed: int) -> "list[tuple[NDArray[np.int64], NDArray[np.int64]]]":
    """Pairs of rows (learn, select) among the images that do not report: the val part selects if there is one."""
    import numpy as np

    from unfreeze.data.splits import folds

    kept = [
        (row, image) for row, image in zip(image_set.labels(), image_set.images, strict=True) if image.split != "test"
    ]
    selects = np.array([image.split == "val" for _, image in kept])
    if selects.any():
        return [(np.flatnonzero(~selects), np.flatnonzero(selects))]
    return folds(np.array([row for row, _ in kept]), [image.group for _, image in kept], count=FOLDS, seed=seed)
