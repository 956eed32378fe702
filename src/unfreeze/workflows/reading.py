"""What codes, probe and tune begin with: the network, and the images, inspected and split; and their phases."""

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from unfreeze.core.cards import Card
from unfreeze.core.errors import PlanError
from unfreeze.core.file_names import as_written
from unfreeze.core.findings import Finding
from unfreeze.core.phases import timed
from unfreeze.core.progress import Progress
from unfreeze.core.records import ImageCounts
from unfreeze.core.settings import ImageSettings
from unfreeze.core.wording import count, files_found, passed_over
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.splits import split_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.features.known_networks import known_network
from unfreeze.features.networks import DetailedNetwork, FrozenNetwork
from unfreeze.features.resources import Resources
from unfreeze.zoo.devices import find_device

Item = TypeVar("Item")


@dataclass(frozen=True)
class Phases:
    """Seconds by phase.

    Attributes:
        begun: When the work began, seconds since 1970: for a command, when its process did.
        seconds: By phase.
    """

    begun: float = field(default_factory=time.time)
    seconds: dict[str, float] = field(default_factory=dict)

    def started(self) -> None:
        """Note that the start is over: imports, the network and its weights."""
        self.seconds["start"] = self._since_begun()

    def all(self) -> dict[str, float]:
        """All phases, and the whole until now."""
        return {**self.seconds, "whole": self._since_begun()}

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

    def _since_begun(self) -> float:
        return round(time.time() - self.begun, 3)


def frozen_network(settings: ImageSettings, cache: Path | None) -> FrozenNetwork:
    """The network for its codes alone; one that is known is not built, so that PyTorch is not imported.

    Args:
        settings: Which network, and what it is to run on.
        cache: Folder of all that is kept; the user's cache if None.

    Returns:
        The network; one that was built is known from then on.

    Raises:
        InputError: There is no such network, engine or device here, or no weights.
    """

    def built() -> DetailedNetwork:
        from unfreeze.workflows.loading import frozen_backbone  # seconds

        return frozen_backbone(settings, cache)

    known = known_network(settings, built, cache=cache) if find_device(settings.request.device).is_cpu else None
    network = known or built()
    network.engines(settings.request)  # a mistake in a word should not cost an inspection
    return network


def say_what_weights(weights: Path | None, card: Card, progress: Progress) -> None:
    """Say what was done with weights that the user brought: they are seldom named and shaped as the network's own.

    Args:
        weights: The file; None where the network has its usual ones.
        card: Of the network that has them.
        progress: Is told.
    """
    if weights is not None:
        progress.say(f"weights: {card.source}")


def split_images(settings: ImageSettings, card: Card, resources: Resources) -> ImageSet:
    """Inspect the source, for this network, and split it; what the user should know is said."""
    image_set = read_image_set(
        settings.source,
        pool=resources.pool,
        progress=resources.progress,
        max_bad=settings.max_bad,
        geometry=geometry_of(card),
        test=settings.test,
        exclude=settings.exclude,
    )
    say_what_was_found(settings, image_set.findings, image_set.counts, image_set.skipped, resources.progress)
    return split_image_set(image_set, seed=settings.seed)


def say_what_was_found(
    settings: ImageSettings,
    findings: Iterable[Finding],
    counts: ImageCounts,
    skipped: Mapping[str, int],
    progress: Progress,
) -> None:
    """Say what the user should know of the images, and where all files have gone."""
    for finding in findings:
        progress.notice(finding)
    progress.say(f"{files_found(counts)}.")
    if skipped:
        progress.say(passed_over(skipped))
    if counts.set_aside:
        progress.say(
            f"{count(counts.set_aside, 'file')} set aside; unfreeze inspect {as_written(settings.source)} says why"
        )


def known_tap(tap: str | None, taps: tuple[str, ...]) -> tuple[str, ...]:
    """The taps to use: all, or the one that the user named (``last`` is the last one).

    Raises:
        PlanError: There is no tap of this name.
    """
    if tap is None:
        return taps
    if tap == "last":
        return taps[-1:]
    if tap not in taps:
        msg = f"The network has no tap {tap!r}. Its taps, shallow to deep: {', '.join(taps)}."
        raise PlanError(msg)
    return (tap,)
