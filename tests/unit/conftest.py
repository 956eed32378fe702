"""Tasks, networks and decoded images that need no photos on disk."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import pytest

from unfreeze.core.events import Event, Noticed, PhaseBegun, Said
from unfreeze.core.progress import Progress
from unfreeze.core.settings import EngineSettings
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.data.squares import geometry_of
from unfreeze.data.tasks import Task, make_task
from unfreeze.images.pool import DecoderPool

if TYPE_CHECKING:  # torch takes seconds to import, and most tests need none
    from unfreeze.core.cards import Card
    from unfreeze.strategies.experiment import Experiment
    from unfreeze.zoo.backbones import Backbone

MakeTask = Callable[..., Task]
Paint = Callable[[Image, np.random.Generator, int], np.ndarray]
Decoded = Callable[..., DecoderPool]


@final
class Heard:
    """Remembers what its progress is told."""

    def __init__(self) -> None:
        self.progress = Progress(self)
        self.lines: list[str] = []
        self.phases: list[tuple[str, int, str]] = []

    def __call__(self, event: Event) -> None:
        """Note sentences and phases."""
        if isinstance(event, PhaseBegun):
            self.phases.append((event.name, event.total, event.unit))
        elif isinstance(event, Said):
            self.lines.append(event.sentence)
        elif isinstance(event, Noticed):
            self.lines.append(event.finding.text)


@pytest.fixture
def heard() -> Heard:
    """Remembers what its progress is told."""
    return Heard()


def image_set(parts: Sequence[str], groups: Sequence[str] | None = None) -> ImageSet:
    """Images of two classes in turn, each in a part: train, val or test."""
    images = tuple(
        Image(
            path=Path(f"/{i}.png"),
            name=f"{i:04}",
            label="ab"[i % 2],
            sha256=f"{i}",
            width=9,
            height=9,
            mode="L",
            split=part,
            group=groups[i] if groups else "",
        )
        for i, part in enumerate(parts)
    )
    return ImageSet(root=Path("/"), images=images, skipped={})


@pytest.fixture
def make_rows() -> MakeTask:
    """Makes a task of so many images that train and that only report."""

    def build(train: int, test: int = 0, *, val: int = 0, groups: Sequence[str] | None = None, seed: int = 0) -> Task:
        parts = ["train"] * train + ["val"] * val + ["test"] * test
        return make_task(image_set(parts, groups), seed=seed)

    return build


@pytest.fixture(scope="session")
def tiny() -> "Backbone":
    """A ResNet with half a million random weights, seven blocks and images of 32 pixels; nobody may change it."""
    from unfreeze.zoo.backbones import load_backbone

    return load_backbone("test_resnet", pretrained=False, size=32)


def by_colour(image: Image, rng: np.random.Generator, side: int) -> np.ndarray:
    """Noise that is redder for one class and greener for the other."""
    pixels = rng.integers(0, 90, (side, side, 3), dtype=np.uint8)
    pixels[:, :, "ab".index(image.label)] += 120
    return pixels


@pytest.fixture
def decoded() -> Decoded:
    """Makes decoders that have the squares of some images already, so that they never read a file."""

    def build(images: Sequence[Image], card: "Card", paint: Paint = by_colour) -> DecoderPool:
        pool, geometry = DecoderPool(workers=1), geometry_of(card)
        for number, image in enumerate(images):
            pool._keep(image.path, geometry, paint(image, np.random.default_rng(number), geometry.side))
        return pool

    return build


@pytest.fixture
def make_experiment(tiny: "Backbone", decoded: Decoded, heard: Heard, tmp_path: Path) -> "Callable[..., Experiment]":
    """Makes an experiment of so many images that train and that only report, with the codes of the tiny network."""

    def build(
        train: int, test: int = 0, *, paint: Paint = by_colour, groups: Sequence[str] | None = None, **settings: Any
    ) -> "Experiment":
        from unfreeze.features.resources import Resources
        from unfreeze.strategies.preparation import prepare

        images = image_set(["train"] * train + ["test"] * test, groups)
        pool = decoded(images.images, tiny.card, paint)
        resources = Resources(pool=pool, progress=heard.progress, cache=tmp_path / "cache")
        experiment = prepare(images, tiny, resources, EngineSettings("torch", "f32"))
        return replace(experiment, **settings)

    return build
