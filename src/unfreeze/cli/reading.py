"""What `codes`, `probe` and `tune` begin with: the network, and the images, inspected and split."""

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from unfreeze.core.phases import timed
from unfreeze.report.wording import count

if TYPE_CHECKING:
    from unfreeze.core.progress import Progress
    from unfreeze.data.decoder_pool import DecoderPool
    from unfreeze.data.image_set import ImageSet
    from unfreeze.features.extraction import Codes
    from unfreeze.zoo.backbones import Backbone
    from unfreeze.zoo.cards import Card


Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which images and which network."""

    source: Path
    backbone: str
    weights: Path | None
    size: int | None
    seed: int
    max_bad: float
    engine: str
    precision: str


@dataclass(frozen=True)
class Phases:
    """Seconds by phase, counted from the start of this process."""

    seconds: dict[str, float] = field(default_factory=dict)

    def started(self) -> None:
        """Note that the start is over: interpreter, imports, the network and its weights."""
        self.seconds["start"] = _age_of_process()

    def document(self) -> dict[str, float]:
        """All phases, and the whole until now."""
        return {**self.seconds, "whole": _age_of_process()}

    def timed(self, name: str) -> AbstractContextManager[None]:
        """Note how long what follows takes, without other phases inside it."""
        return timed(self.seconds, name)

    def each(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """The items, and note how long it takes until each of them is there."""
        iterator = iter(items)
        while True:
            with self.timed(name):
                found = list(itertools.islice(iterator, 1))
            if not found:
                return
            yield found[0]


def _age_of_process() -> float:
    """Seconds since the operating system started this process."""
    import psutil

    return round(time.time() - psutil.Process().create_time(), 3)


def split_images(choice: Choice, card: "Card", *, pool: "DecoderPool", progress: "Progress") -> "ImageSet":
    """Inspect the source, for the network of `card`, and split it; what the user should know is said."""
    from unfreeze.data.inspection import read_image_set
    from unfreeze.data.splits import split_image_set
    from unfreeze.features.extraction import geometry_of

    image_set = read_image_set(
        choice.source, pool=pool, progress=progress, max_bad=choice.max_bad, geometry=geometry_of(card)
    )
    say_what_was_found(choice.source, image_set.warnings, len(image_set.set_aside), progress)
    return split_image_set(image_set, seed=choice.seed)


def say_what_was_found(source: Path, warnings: Sequence[str], set_aside: int, progress: "Progress") -> None:
    """Say what the user should know of the images."""
    for warning in warnings:
        progress.say(warning)
    if set_aside:
        progress.say(f"{count(set_aside, 'file')} set aside; unfreeze inspect {source} says why")


def network(choice: Choice) -> "Backbone":
    """The network, with its weights."""
    from unfreeze.zoo.backbones import load_backbone

    return load_backbone(choice.backbone, weights=choice.weights, size=choice.size)


def read_all(
    choice: Choice, *, tap: str | None, progress: "Progress", phases: Phases
) -> "tuple[ImageSet, Card, Codes]":
    """Images, the network's card and the codes.

    Args:
        choice: Which images and which network.
        tap: The only tap that is wanted; None for all.
        progress: Is told of every image.
        phases: Seconds are noted here.

    Returns:
        The image set holds only images that have codes, in the order of their rows; the codes only the wanted taps.
    """
    from dataclasses import replace

    from unfreeze.data.decoder_pool import DecoderPool

    with DecoderPool() as pool:
        pool.start()  # before torch is imported, which takes as long
        from unfreeze.features.choice import candidates_for
        from unfreeze.features.extraction import read_codes
        from unfreeze.strategies.experiment import with_codes_only

        # First, since a mistake in a name should not cost an inspection.
        candidates_for(choice.engine, choice.precision)
        backbone = network(choice)
        taps = known_tap(tap, backbone.card.taps)
        phases.started()
        with phases.timed("decode"):
            image_set = split_images(choice, backbone.card, pool=pool, progress=progress)
        with phases.timed("prefix"):
            codes = read_codes(
                image_set,
                backbone,
                pool=pool,
                progress=progress,
                engine=choice.engine,
                precision=choice.precision,
            )
    image_set = with_codes_only(image_set, codes)
    return image_set, backbone.card, replace(codes, by_tap={name: codes.by_tap[name] for name in taps})


def known_tap(tap: str | None, taps: tuple[str, ...]) -> tuple[str, ...]:
    """The taps to use: all, or the one that the user named (``last`` is the last one).

    Raises:
        PlanError: There is no tap of this name.
    """
    from unfreeze.core.errors import PlanError

    if tap is None:
        return taps
    if tap == "last":
        return taps[-1:]
    if tap not in taps:
        msg = f"The network has no tap {tap!r}. Its taps, shallow to deep: {', '.join(taps)}."
        raise PlanError(msg)
    return (tap,)
