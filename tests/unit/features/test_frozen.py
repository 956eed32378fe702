"""The role of a frozen network, filled by a backbone and by one that neither torch nor OpenVINO knows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest
import torch

from unfreeze.core.cards import Card
from unfreeze.core.settings import EngineSettings
from unfreeze.data.squares import geometry_of
from unfreeze.data.tasks import Task
from unfreeze.features.engines import Engine, Outputs, Pixels, PrefixEngine
from unfreeze.features.extraction import codes_of
from unfreeze.features.frozen import FrozenBackbone
from unfreeze.features.networks import FrozenNetwork, Tap
from unfreeze.features.resources import Resources
from unfreeze.images.geometry import centre
from unfreeze.images.pool import DecoderPool
from unfreeze.probes.solver import fit_probe
from unfreeze.zoo.backbones import Backbone, network_input
from unfreeze.zoo.devices import CPU
from unfreeze.zoo.pooling import pooled

MakeTask = Callable[..., Task]
Decoded = Callable[..., DecoderPool]
MEAN, STD = (103.0, 116.0, 123.0), (50.0, 60.0, 70.0)  # of blue, green, red
ARRAYS = Engine("numpy")


def by_hand(pixels: np.ndarray) -> np.ndarray:
    """Red, green, blue from 0 to 255 as blue, green, red, less the mean, over the deviation: [image, y, x, channel]."""
    return (pixels[..., ::-1].astype(np.float32) - np.float32(MEAN)) / np.float32(STD)


@dataclass(frozen=True)
class Depth:
    """A tap."""

    name: str
    channels: int


@final
class MeansAndSquares:
    """A network in NumPy: the mean of each channel, then those means, their squares and their products."""

    def __init__(self) -> None:
        self.taps = (Depth("means", 3), Depth("last", 9))
        self.reference = ARRAYS
        self.key: dict[str, Any] = {}
        self.compilations = 0
        self.card = Card(
            name="arrays:means",
            library="arrays",
            source="a test",
            licence="none",
            weights_sha256="none",
            size=32,
            crop_pct=1.0,
            crop_mode="center",
            interpolation="bicubic",
            channels="BGR",
            scale=1.0,
            mean=MEAN,
            std=STD,
            parameters=0,
            num_features=9,
            blocks=(),
            taps=("means", "last"),
            head="",
        )

    def with_levels(self, levels: tuple[int, int]) -> "MeansAndSquares":
        """Itself: its photos have 8 bits."""
        return self

    def engines(self, request: EngineSettings) -> Sequence[Engine]:
        """NumPy alone."""
        return [ARRAYS]

    def compiled(
        self, engine: Engine, *, calibration: Sequence[Pixels] = (), cache: Path | None = None
    ) -> PrefixEngine:
        """One image after the other."""
        self.compilations += 1

        def run(images: Iterable[Pixels]) -> Iterator[Outputs]:
            yield from (self.codes(image) for image in images)

        return PrefixEngine(ARRAYS, 1, run)

    def codes(self, image: np.ndarray) -> Outputs:
        """Codes at both taps."""
        means = by_hand(image).mean(axis=(0, 1))
        return means, np.concatenate([means, means**2, means * np.roll(means, 1)])


def test_a_network_of_plain_numpy_fills_the_role(make_rows: MakeTask, decoded: Decoded, tmp_path: Path) -> None:
    """Its codes are those of Pillow's pixels, they come back out of the store, and a probe learns from them."""
    network, task = MeansAndSquares(), make_rows(20)
    images = task.image_set
    resources = Resources(pool=decoded(images.images, network.card), cache=tmp_path)

    first = codes_of(images, network, resources, EngineSettings())
    compilations = network.compilations
    again = codes_of(images, network, resources, EngineSettings())

    squares = resources.pool.squares([image.path for image in images.images], geometry_of(network.card))
    expected = [network.codes(centre(square[None], 32)[0]) for square in squares]
    for place, tap in enumerate(("means", "last")):
        np.testing.assert_array_equal(first.by_tap[tap], np.stack([codes[place] for codes in expected]))
        assert again.by_tap[tap].tobytes() == first.by_tap[tap].tobytes()
    assert isinstance(network, FrozenNetwork)
    assert codes_of(images, network, resources, EngineSettings(), details=True).details == {}, "it has codes alone"
    assert isinstance(network.taps[0], Tap)
    assert (first.engine, first.computed, again.reused, network.compilations) == (ARRAYS, 20, 20, compilations)
    probe = fit_probe(first.last, task.labels, loss="softmax", C=1.0, class_count=2)
    assert (probe.predict(first.last) == task.labels).all()


@pytest.fixture
def caffe(tiny: Backbone) -> Backbone:
    """A network whose card wants blue first, values up to 255, and unequal deviations."""
    return replace(tiny, card=replace(tiny.card, channels="BGR", scale=1.0, mean=MEAN, std=STD))


def test_a_backbone_fills_the_role(tiny: Backbone) -> None:
    """Through an adapter, since engines are no business of the zoo."""
    assert isinstance(FrozenBackbone(tiny, CPU), FrozenNetwork)


def test_the_input_is_what_the_card_says(caffe: Backbone, rng: np.random.Generator) -> None:
    """For training too, pixels become what is computed by hand."""
    pixels = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)

    found = network_input(torch.from_numpy(pixels), caffe.card)

    np.testing.assert_array_equal(found.numpy(), by_hand(pixels).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_engines_give_what_is_computed_by_hand(
    name: str, caffe: Backbone, rng: np.random.Generator, tmp_path: Path
) -> None:
    """The codes at every tap are those that the layers give for pixels that were prepared in NumPy."""
    pixels = rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    inputs = torch.from_numpy(np.ascontiguousarray(by_hand(pixels).transpose(0, 3, 1, 2)))
    with torch.no_grad():
        tensors = caffe.prefix(caffe.taps)(inputs)

    found = FrozenBackbone(caffe, CPU).compiled(Engine(name), cache=tmp_path).run(pixels)

    for tap, raw, codes in zip(caffe.taps, tensors, zip(*found, strict=True), strict=True):
        np.testing.assert_allclose(np.stack(codes), pooled(raw, tap.layout), rtol=2e-4, atol=2e-4)


def test_openvino_keeps_graphs_of_other_inputs_apart(caffe: Backbone, tiny: Backbone, tmp_path: Path) -> None:
    """What was converted for one order of channels is not taken for the other."""
    pixels = [np.full((32, 32, 3), (200, 100, 50), np.uint8)]
    backwards = replace(tiny, card=replace(tiny.card, channels="BGR"))

    red_first, blue_first = (
        next(iter(FrozenBackbone(network, CPU).compiled(Engine("openvino"), cache=tmp_path).run(pixels)))[0]
        for network in (tiny, backwards)
    )

    assert np.abs(red_first - blue_first).max() > 1e-3
