"""``unfreeze tune``: one strategy, trained and written as a model."""

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
    BackboneName,
    Budget,
    Engine,
    EngineName,
    MaxBad,
    MetricChoice,
    MetricName,
    Precision,
    PrecisionName,
    Scratch,
    Seed,
    Size,
    Source,
    Weights,
)
from unfreeze.cli.output import result_output
from unfreeze.cli.places import checked_source, fresh_folder
from unfreeze.cli.progress import progress_on_stderr
from unfreeze.cli.reading import Choice, Phases, network, split_images
from unfreeze.core.errors import InputError

if TYPE_CHECKING:
    from unfreeze.core.records import Outcome
    from unfreeze.data.image_set import ImageSet
    from unfreeze.zoo.backbones import Backbone


def tune(
    source: Source,
    *,
    unfreeze: Annotated[
        str,
        typer.Option(
            "--unfreeze",
            metavar="K|head|all",
            help="What learns: the head, the last K blocks too, or everything.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the model, new or empty.", show_default=False)
    ],
    scratch: Scratch = False,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            metavar="N",
            min=1,
            help="Passes over the training images; found by the budget if not given.",
            show_default=False,
        ),
    ] = None,
    budget: Budget = "15m",
    backbone: BackboneName = DEFAULT_BACKBONE,
    weights: Weights = None,
    size: Size = None,
    seed: Seed = 0,
    max_bad: MaxBad = 0.01,
    engine: EngineName = Engine.auto,
    precision: PrecisionName = Precision.auto,
    augment: AugmentName = Augment.light,
    metric: MetricName = MetricChoice.auto,
    json: AsJson = False,
) -> None:
    """Train one strategy."""
    depth, seconds = parse_depth(unfreeze), parse_duration(budget)
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
    with result_output(as_json=json) as output, fresh_folder(source, out) as folder:
        from unfreeze.data.decoder_pool import DecoderPool
        from unfreeze.report.table import strategy_table
        from unfreeze.strategies.tuning import tune_model

        progress, phases = progress_on_stderr(), Phases()
        with DecoderPool() as pool:
            source_network = network(choice)  # first, since a mistake in its name should not cost an inspection
            phases.started()
            with phases.timed("decode"):
                image_set = split_images(choice, source_network.card, pool=pool, progress=progress)
            with phases.timed("train"):
                outcome, trained = tune_model(
                    image_set,
                    source_network,
                    unfreeze=depth,
                    scratch=scratch,
                    seed=seed,
                    budget_seconds=seconds,
                    epochs=epochs,
                    pool=pool,
                    progress=progress,
                    engine=engine.value,
                    precision=precision.value,
                    augment=augment.value,
                    metric=METRICS[metric],
                )
        with phases.timed("write"):
            _save(folder, outcome, image_set, source_network, trained)
        document = _document(outcome, image_set, folder, phases)
        output.document(document)
        output.table(strategy_table({**document, "picked": None}, reasons=True))
        output.line()
        output.line(f"model  {folder}")


def parse_depth(text: str) -> int | Literal["head", "all"]:
    """What ``--unfreeze`` stands for.

    Args:
        text: head, all, or a number of blocks.

    Returns:
        The word, or the number.

    Raises:
        InputError: It is none of them.
    """
    if text in {"head", "0"}:
        return "head"
    if text == "all":
        return "all"
    if text.isdecimal():
        return int(text)
    msg = f"--unfreeze must be head, all or a number of blocks; got {text!r}."
    raise InputError(msg)


def _save(folder: Path, outcome: "Outcome", image_set: "ImageSet", source: "Backbone", trained: "Backbone") -> None:
    from unfreeze.advisor.model_card import model_card
    from unfreeze.core.records import plain
    from unfreeze.zoo.folders import save_model

    test = len(image_set.part("test").images)
    card = model_card(
        title=f"{outcome.name} on {image_set.root.name}",
        outcome=outcome,
        network=plain(source.card),
        classes=image_set.classes,
        images=image_set.counts,
        test_size=test,
        measured=(),
    )
    save_model(folder, trained, class_names=image_set.classes, card_text=card)


def _document(outcome: "Outcome", image_set: "ImageSet", folder: Path, phases: Phases) -> dict[str, Any]:
    from unfreeze.core.records import plain

    tested = image_set.part("test")
    return {
        "schema": "unfreeze.tune/1",
        "images": plain(image_set.counts),
        "classes": list(image_set.classes),
        "test_images": [image.name for image in tested.images],
        "test_labels": tested.labels().tolist(),
        "strategies": [plain(outcome)],
        "model": str(folder),
        "phases": phases.document(),
    }
