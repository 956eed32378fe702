"""The prefix in OpenVINO: converted and compiled once for weights, preprocessing and outputs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unfreeze.features.engines import REFERENCE, Engine
from unfreeze.features.openvino_graphs import COMPILED_SUFFIX, WEIGHTS
from unfreeze.features.openvino_prefix import converted_prefix
from unfreeze.features.prefixes import compile_prefix
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import CPU

pytestmark = pytest.mark.slow

SIZE = 32
OPENVINO = Engine("openvino")


@pytest.fixture
def backbone(tiny: Backbone) -> Backbone:
    """A network that is converted and compiled in a moment."""
    return tiny


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:
    """Noise; eleven images make one whole batch and a padded one."""
    return rng.integers(0, 256, (11, SIZE, SIZE, 3), dtype=np.uint8)


def test_other_weights_are_converted_anew(backbone: Backbone, images: np.ndarray) -> None:
    """What was converted is found by the weights as they are, so a network that was trained never gets old codes."""
    twin = backbone.copy()
    with torch.no_grad():
        for parameter in twin.network.get_submodule(twin.blocks[0].name).parameters():
            parameter.mul_(1.5)
    pairs = [
        compile_prefix(twin, codes=twin.taps[-1:], engine=engine, device=CPU).run(images)
        for engine in (OPENVINO, REFERENCE)
    ]
    for (a,), (b,) in zip(*pairs, strict=True):
        assert np.abs(a - b).max() <= 1e-4 * np.abs(b).max()


def test_a_damaged_conversion_is_made_anew(backbone: Backbone, images: np.ndarray, tmp_path: Path) -> None:
    """One changed bit in what was converted is noticed by its hash."""
    converted_prefix(backbone, cache=tmp_path)
    (file,) = tmp_path.rglob(WEIGHTS)
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)

    found = compile_prefix(backbone, codes=backbone.taps, engine=OPENVINO, device=CPU, cache=tmp_path).run(images[:1])

    (whole,) = tmp_path.rglob(WEIGHTS)
    assert whole.read_bytes() != bytes(data)
    right = compile_prefix(backbone, codes=backbone.taps, engine=OPENVINO, device=CPU).run(images[:1])
    for a, b in zip(next(found), next(right), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("damage", [False, True], ids=["whole", "damaged"])
def test_what_was_compiled_is_kept(backbone: Backbone, images: np.ndarray, tmp_path: Path, *, damage: bool) -> None:
    """The next run reads the compiled prefix and gets the same bits; one with a changed bit is compiled anew."""
    first = list(compile_prefix(backbone, codes=backbone.taps, engine=OPENVINO, device=CPU, cache=tmp_path).run(images))
    (file,) = tmp_path.rglob(f"*{COMPILED_SUFFIX}")
    data = bytearray(file.read_bytes())
    if damage:
        data[len(data) // 2] ^= 1
        file.write_bytes(data)

    again = compile_prefix(backbone, codes=backbone.taps, engine=OPENVINO, device=CPU, cache=tmp_path)
    second = list(again.run(images))

    assert file.exists() != damage
    assert len(list(tmp_path.rglob(f"*{COMPILED_SUFFIX}"))) == 1
    for ours, theirs in zip(first, second, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_other_outputs_are_compiled_apart(backbone: Backbone, images: np.ndarray, tmp_path: Path) -> None:
    """What is kept for all taps is not taken for one of them, nor for another precision."""
    for taps in (backbone.taps, backbone.taps[-1:]):
        (row,) = compile_prefix(backbone, codes=taps, engine=OPENVINO, device=CPU, cache=tmp_path).run(images[:1])
        assert len(row) == len(taps)
    compile_prefix(backbone, codes=backbone.taps, engine=Engine("openvino", "bf16"), device=CPU, cache=tmp_path)

    assert len(list(tmp_path.rglob(f"*{COMPILED_SUFFIX}"))) == 3


def test_another_mean_is_converted_anew(backbone: Backbone) -> None:
    """The mean and standard deviation are part of what was converted, so a network with others gets its own."""
    other = replace(backbone, card=replace(backbone.card, mean=(0.1, 0.2, 0.3)))
    pixels = np.full((1, SIZE, SIZE, 3), 127, np.uint8)
    codes = [
        next(compile_prefix(network, codes=network.taps[-1:], engine=OPENVINO, device=CPU).run(pixels))[0]
        for network in (backbone, other)
    ]
    assert np.abs(codes[0] - codes[1]).max() > 0
