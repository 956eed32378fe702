"""What the loop is fed with: pixels, or what the frozen prefix made of them, remembered.

A part that is frozen up to a cut gives the same activations in every epoch, so they are computed once by the prefix
engine. With augmentation, a few augmented views of each image are remembered, and each epoch takes one of them.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import final

import numpy as np
import psutil
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from unfreeze.core.cards import Card
from unfreeze.core.files import disk_errors_explained
from unfreeze.core.plans import Augmentation
from unfreeze.core.progress import Progress
from unfreeze.core.seeding import generator
from unfreeze.data.squares import Squares
from unfreeze.features.engine_choice import SAMPLE
from unfreeze.features.engines import Engine, PrefixEngine
from unfreeze.features.prefixes import compile_prefix
from unfreeze.features.resources import Resources
from unfreeze.images.geometry import centre
from unfreeze.training.augmentation import augment
from unfreeze.training.loop import Examples
from unfreeze.zoo.backbones import Backbone, network_input
from unfreeze.zoo.devices import Device
from unfreeze.zoo.graph import Cut

_FILES = ("plain", "views", "position")  # the attributes of `Remembered`
MEMORY_SHARE = 0.25  # of what is free, for what is remembered of one cut


def fits_in_memory(size: int) -> bool:
    """Whether `size` bytes may be remembered."""
    return size <= MEMORY_SHARE * psutil.virtual_memory().available


@final
@dataclass(frozen=True, eq=False)
class Pixels:
    """Normalised pixels [batch, 3, height, width], augmented afresh in every epoch.

    Attributes:
        squares: Decoded images.
        card: Size, mean and standard deviation.
        recipe: Augmentation in an epoch.
        seed: Every image and epoch has its own stream under it.
        device: Where the pixels go.
    """

    squares: Squares
    card: Card
    recipe: Augmentation
    seed: int
    device: Device

    def views(self, rows: Int[np.ndarray, " row"], *, epoch: int | None) -> Iterator[UInt8[np.ndarray, "size size 3"]]:
        """Pixels of `rows`: the centre for None, else the augmented view of that epoch."""
        for row, square in zip(rows, self.squares.read(rows), strict=True):
            if epoch is None:
                yield centre(square[None], self.card.size)[0]
            else:
                rng = generator(self.seed, "augment", epoch, int(row))
                yield augment(square, size=self.card.size, recipe=self.recipe, rng=rng)

    def batches(self, rows: Int[np.ndarray, " row"], *, size: int, epoch: int | None) -> Iterator[Tensor]:
        """Inputs of the whole network."""
        views = self.views(rows, epoch=epoch)
        for start in range(0, len(rows), size):
            pixels = np.stack([next(views) for _ in rows[start : start + size]])
            yield network_input(torch.from_numpy(pixels).to(self.device.torch), self.card)


@final
@dataclass(frozen=True, eq=False)
class RecomputedInputs:
    """What a frozen prefix makes of other examples, computed again in every epoch: for what memory cannot hold."""

    prefix: nn.Module
    examples: Examples

    def batches(self, rows: Int[np.ndarray, " row"], *, size: int, epoch: int | None) -> Iterator[Tensor]:
        """Activations at the prefix's cut."""
        for inputs in self.examples.batches(rows, size=size, epoch=epoch):
            with torch.no_grad():
                (activations,) = self.prefix(inputs)
            yield activations


@final
@dataclass(frozen=True, eq=False)
class Remembered:
    """Activations at a cut, remembered.

    Attributes:
        plain: Of every image, without augmentation.
        views: Of those that train, augmented; may be empty.
        position: Index of an image in `views`, -1 for one that never trains.
    """

    plain: Float[np.ndarray, "image *activation"]
    views: Float[np.ndarray, "view train *activation"]
    position: Int[np.ndarray, " image"]

    def batches(self, rows: Int[np.ndarray, " row"], *, size: int, epoch: int | None) -> Iterator[Tensor]:
        """Activations of `rows`: the plain ones for None, else those of the view whose turn it is."""
        for start in range(0, len(rows), size):
            picked = rows[start : start + size]
            yield torch.from_numpy(self.plain[picked] if epoch is None else self._turn(picked, epoch))

    def _turn(self, rows: Int[np.ndarray, " row"], epoch: int) -> Float[np.ndarray, "batch *activation"]:
        """One of the views or the plain one; neighbours are at different views in the same epoch."""
        view = (epoch + rows) % (len(self.views) + 1)
        augmented = view < len(self.views)
        batch: Float[np.ndarray, batch * activation] = self.plain[rows]
        batch[augmented] = self.views[view[augmented], self.position[rows[augmented]]]
        return batch


def kept_in(folder: Path, remembered: Remembered) -> None:
    """Write what is remembered to files of a folder, so that other processes can share it."""
    for name in _FILES:
        with disk_errors_explained(folder / name):
            np.save(folder / f"{name}.npy", getattr(remembered, name), allow_pickle=False)


def remembered_in(folder: Path) -> Remembered:
    """What `kept_in` wrote there; memory has one copy, for all processes."""
    return Remembered(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in _FILES))


def views_that_fit(cuts: Sequence[Cut], *, images: int, train: int, wanted: int) -> int:
    """How many augmented views can be remembered beside the plain activations; -1 if not even those.

    Args:
        cuts: Where activations are remembered.
        images: Number of all.
        train: Number of those that train.
        wanted: Views of each of these.
    """
    one = sum(4 * int(np.prod(cut.shape)) for cut in cuts)
    return next((n for n in range(wanted, -1, -1) if fits_in_memory(one * (images + n * train))), -1)


def remember(
    backbone: Backbone,
    cuts: Sequence[Cut],
    pixels: Pixels,
    resources: Resources,
    *,
    train_rows: Int[np.ndarray, " row"],
    views: int,
    engine: Engine,
    seconds: float = float("inf"),
    kept: Sequence[Cut] | None = None,
) -> tuple[Remembered, ...]:
    """Run the frozen prefix once over all images, and over augmented views of those that train.

    Args:
        backbone: The network.
        cuts: Where the frozen part ends, of one or several trainings: all are read in the same passes, which take as
            long as for the deepest.
        pixels: The images.
        resources: Progress, and what is kept between runs.
        train_rows: Rows that may train.
        views: Wanted number of augmented views; fewer if memory does not hold them or the time does not suffice.
        engine: Of the prefix.
        seconds: That this may take; the views of the images without augmentation are made in any case.
        kept: Those of the cuts where activations are wanted; all if None.

    Returns:
        The remembered activations at each cut that is kept; nothing when not even the plain ones fit.
    """
    images, progress = len(pixels.squares.images), resources.progress
    kept = cuts if kept is None else kept
    number = views_that_fit(kept, images=images, train=len(train_rows), wanted=views)
    if number < 0:
        return ()
    if number < views:
        progress.say(f"Of {views} augmented views of each image memory holds {number}.")
    calibration = list(pixels.views(train_rows[:SAMPLE], epoch=None))
    compiled = compile_prefix(
        backbone, raw=cuts, engine=engine, device=pixels.device, calibration=calibration, cache=resources.cache
    )
    run = partial(_activations, compiled, pixels, of=[cuts.index(cut) for cut in kept], progress=progress)
    started = time.perf_counter()
    plain = [np.empty((images, *cut.shape), np.float32) for cut in kept]
    run(np.arange(images), epoch=None, into=plain)
    taken = time.perf_counter() - started
    view = taken / images * len(train_rows)  # seconds of one view of every image that trains
    if number * view > seconds - taken:
        number = max(0, int((seconds - taken) / view))
        progress.say(f"Of {views} augmented views of each image there is time for {number}.")
    stored = [np.empty((number, len(train_rows), *cut.shape), np.float32) for cut in kept]
    for epoch in range(number):
        run(train_rows, epoch=epoch, into=[of_cut[epoch] for of_cut in stored])
    position = np.full(images, -1, dtype=np.int64)
    position[train_rows] = np.arange(len(train_rows))
    return tuple(Remembered(*of_cut, position) for of_cut in zip(plain, stored, strict=True))


def recomputed(backbone: Backbone, cut: Cut, pixels: Pixels) -> RecomputedInputs:
    """Examples whose activations at `cut` are computed again each time; arguments as for `remember`."""
    return RecomputedInputs(backbone.prefix([cut]).to(pixels.device.torch).eval(), pixels)


def _activations(
    compiled: PrefixEngine,
    pixels: Pixels,
    rows: Int[np.ndarray, " row"],
    *,
    epoch: int | None,
    of: Sequence[int],
    into: Sequence[Float[np.ndarray, "row ..."]],
    progress: Progress,
) -> None:
    """Write the activations of one view of every row, of some of what is read."""
    name = "activations" if epoch is None else f"activations, view {epoch + 1}"
    with progress.phase(name, total=len(rows), unit="image") as advance:
        for place, activations in enumerate(compiled.run(pixels.views(rows, epoch=epoch))):
            for of_cut, number in zip(into, of, strict=True):
                of_cut[place] = activations[number]
            advance(1)
