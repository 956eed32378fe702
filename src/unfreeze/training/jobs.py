"""A training as plain data, and a process's share of it: what other processes and other machines are sent."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Int
from torch import Tensor

from unfreeze.core.cards import Card
from unfreeze.core.errors import PlanError
from unfreeze.core.plans import Augmentation, Plan
from unfreeze.core.wording import count
from unfreeze.data.image_set import Image
from unfreeze.data.squares import Squares
from unfreeze.images.pool import DecoderPool
from unfreeze.training.examples import Pixels, Remembered, kept_in, recomputed, remembered_in
from unfreeze.training.loop import Examples, batch_rows
from unfreeze.training.sharing import Share
from unfreeze.training.states import TrainingState
from unfreeze.training.trials import Inputs, TrainingRun
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.devices import Device
from unfreeze.zoo.graph import Cut


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingJob:
    """A training that can be carried out elsewhere.

    A network is sent as its name and its weights, and built again there: no library promises that its modules can be
    sent as they are.

    Attributes:
        network: Name or folder by which it was loaded.
        card: Of the network.
        classes: Width of its head.
        weights: That it starts from.
        plan: What learns, and how.
        cut: Where the learning part begins.
        remembered: What the learning part takes; its folder, where it lies on disk; None where it is made in every
            epoch.
        images: Of all rows, where they are needed.
        augmentation: Of the images, and the seed of it.
        labels: Class index of every row.
        rows: To train on.
        seed: Of shuffling and dropout.
        draws: As for `TrainingRun`.
        device: PyTorch's word.
        state: Where it stands.
    """

    network: str
    card: Card
    classes: int
    weights: Mapping[str, Tensor]
    plan: Plan
    cut: Cut
    remembered: Remembered | Path | None
    images: tuple[Image, ...]
    augmentation: tuple[Augmentation, int]
    labels: Int[np.ndarray, " image"]
    rows: Int[np.ndarray, " row"]
    seed: int
    draws: bool
    device: Device
    state: TrainingState

    def kept_in(self, folder: Path) -> "TrainingJob":
        """The same, with what is remembered in files of a folder."""
        if not isinstance(self.remembered, Remembered):
            return self
        kept_in(folder, self.remembered)
        return replace(self, remembered=folder)


def job_of(run: TrainingRun, *, processes: int) -> TrainingJob:
    """What several processes need to go on with a training.

    Args:
        run: Where it stands.
        processes: How many will share it.

    Raises:
        PlanError: There are more of them than images a step.
    """
    size = batch_rows(run.plan, len(run.rows))
    if size < processes:
        msg = (
            f"A step of this training takes {count(size, 'image')}, too few for {processes} processes. Ask for "
            f"{size} at most, or give more images."
        )
        raise PlanError(msg)
    start, inputs = run.start, run.inputs
    remembered = inputs.examples if isinstance(inputs.examples, Remembered) else None
    return TrainingJob(
        network=start.asked or start.card.name,
        card=start.card,
        classes=start.classes,
        weights=start.network.state_dict(),
        plan=run.plan,
        cut=inputs.cut,
        remembered=remembered,
        images=() if remembered else tuple(inputs.pixels.squares.images),
        augmentation=(inputs.pixels.recipe, inputs.pixels.seed),
        labels=inputs.labels,
        rows=run.rows,
        seed=run.seed,
        draws=run.draws,
        device=inputs.device,
        state=run.state,
    )


def taken_up(job: TrainingJob, share: Share, pool: DecoderPool) -> TrainingRun:
    """The training where it stands, in this process.

    Args:
        job: The training.
        share: What this process takes of it.
        pool: Decodes images, if they are needed.

    Returns:
        One that goes on when the other processes do.

    Raises:
        UnfreezeError: The network or the images are not there.
    """
    network = load_backbone(job.network, size=job.card.size, pretrained=False)
    start = replace(network.with_classes(job.classes), card=job.card)
    start.network.load_state_dict(dict(job.weights))
    pixels = Pixels(Squares(job.images, job.card, pool), job.card, *job.augmentation, job.device)
    examples = _examples(job, start, pixels)
    inputs = Inputs(cut=job.cut, examples=examples, features=examples, pixels=pixels, labels=job.labels)
    run = TrainingRun(start, job.plan, inputs, job.rows, seed=job.seed, draws=job.draws, share=share)
    run.take_up(job.state)
    return run


def _examples(job: TrainingJob, start: Backbone, pixels: Pixels) -> Examples:
    if isinstance(job.remembered, Path):
        return remembered_in(job.remembered)
    if job.remembered is not None:
        return job.remembered
    return pixels if job.cut == start.cuts[0] else recomputed(start, job.cut, pixels)
