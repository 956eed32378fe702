"""``unfreeze probe``: the depth curve."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from unfreeze.cli.options import (
    DEFAULT_BACKBONE,
    AsJson,
    BackboneName,
    Engine,
    EngineName,
    MaxBad,
    Precision,
    PrecisionName,
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


class LossChoice(StrEnum):
    """Which linear classifier."""

    softmax = "softmax"
    svm = "svm"
    both = "both"


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
    precision: PrecisionName = Precision.auto,
    json: AsJson = False,
) -> None:
    """Fit linear classifiers at every tap."""
    choice = Choice(
        source=source,
        backbone=backbone,
        weights=weights,
        size=size,
        seed=seed,
        max_bad=max_bad,
        engine=engine.value,
        precision=precision.value,
    )
    checked_source(source)
    with result_output(as_json=json) as output:
        from unfreeze.core.records import plain
        from unfreeze.report.table import depth_table
        from unfreeze.strategies.depth import LOSSES, Place, depth_points, fit_tap_probes
        from unfreeze.strategies.experiment import make_task

        progress, phases = progress_on_stderr(), Phases()
        image_set, card, found = read_all(choice, tap=tap, progress=progress, phases=phases)
        losses = [known for known in LOSSES if loss.value in {known, "both"}]
        with phases.timed("probes"):
            task = make_task(image_set, seed=seed)
            split = task.everything()
            places = [Place(split, name, known) for name in found.by_tap for known in losses]
            with progress.phase("probes", total=len(places), unit="probe") as advance:
                probes = fit_tap_probes(found.by_tap, task, places, advance=advance)
            points = depth_points([(split, probes)], task)
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
            "phases": phases.document(),
        }
        output.document(document)
        output.table(depth_table(document["depth_curve"]))
        output.line()
        sizes = f"{count(document['train_images'], 'image')} to train, {test:,} to test"
        seconds = duration(document["phases"]["whole"])
        output.line(f"{sizes}, {count(len(image_set.classes), 'class')}; * best by cross-validation; {seconds}")
