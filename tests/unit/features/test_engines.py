"""Engines: the same codes whoever computes them and whatever lies in the same batch."""

import numpy as np
import pytest
import torch

from unfreeze.features.engine_choice import cosines
from unfreeze.features.engines import REFERENCE, Engine
from unfreeze.features.prefixes import compile_prefix
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.devices import CPU

SIZE = 64
OPENVINO = Engine("openvino")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    """The default network with its real weights, small images."""
    return load_backbone(size=SIZE)


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:
    """Noise; eleven images make one whole batch and a padded one."""
    return rng.integers(0, 256, (11, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize("engine", [OPENVINO, Engine("openvino", "bf16"), REFERENCE], ids=str)
def test_a_row_does_not_depend_on_its_neighbours(backbone: Backbone, images: np.ndarray, engine: Engine) -> None:
    """Shuffled, alone or padded: every image has the same bits, so a run that is taken up again gives the same."""
    compiled = compile_prefix(backbone, codes=backbone.taps, engine=engine, device=CPU)
    together = list(compiled.run(images))
    order = np.random.default_rng(1).permutation(len(images))
    shuffled = list(compiled.run(images[order]))
    alone = next(iter(compiled.run(images[3:4])))

    for place, row in enumerate(order):
        for first, second in zip(together[row], shuffled[place], strict=True):
            np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(alone[-1], together[3][-1])


def test_openvino_and_torch_agree(backbone: Backbone, images: np.ndarray) -> None:
    """Float32 engines differ by rounding only, at every tap, also in its details, and at every cut before a block."""
    cuts, details = [block.start for block in backbone.blocks[1:]], backbone.details
    pairs = [
        compile_prefix(backbone, codes=backbone.taps, details=details, raw=cuts, engine=engine, device=CPU).run(images)
        for engine in (OPENVINO, REFERENCE)
    ]
    for first, second in zip(*pairs, strict=True):
        assert len(first) == len(backbone.taps) + len(details) + len(cuts)
        for a, b in zip(first, second, strict=True):
            assert a.shape == b.shape
            assert np.abs(a - b).max() <= 1e-4 * np.abs(b).max()


@pytest.mark.parametrize("engine", [OPENVINO, Engine("openvino", "bf16"), REFERENCE], ids=str)
def test_codes_have_the_same_bits_with_and_without_details(
    backbone: Backbone, images: np.ndarray, engine: Engine
) -> None:
    """So a store of codes does not depend on who filled it."""
    alone = compile_prefix(backbone, codes=backbone.taps, engine=engine, device=CPU).run(images)
    beside = compile_prefix(backbone, codes=backbone.taps, details=backbone.details, engine=engine, device=CPU).run(
        images
    )

    for first, second in zip(alone, beside, strict=True):
        for a, b in zip(first, second[: len(first)], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("engine", [Engine("openvino", "bf16"), Engine("torch", "bf16")], ids=str)
def test_details_in_bfloat16_are_near(backbone: Backbone, images: np.ndarray, engine: Engine) -> None:
    """They point where those in float32 do."""
    found, expected = (
        compile_prefix(backbone, codes=backbone.taps, details=backbone.details, engine=one, device=CPU).run(images)
        for one in (engine, REFERENCE)
    )
    for first, second in zip(found, expected, strict=True):
        for a, b in zip(first, second, strict=True):
            assert cosines(a[None], b[None])[0] > 0.98


def test_bfloat16_in_torch_is_near(backbone: Backbone, images: np.ndarray) -> None:
    """The path that a GPU takes, autocast to bfloat16, points where float32 does."""
    pairs = [
        compile_prefix(backbone, codes=backbone.taps[-1:], engine=engine, device=CPU).run(images)
        for engine in (Engine("torch", "bf16"), REFERENCE)
    ]
    for (a,), (b,) in zip(*pairs, strict=True):
        assert a.dtype == np.float32
        assert cosines(a[None], b[None])[0] > 0.99


def test_only_codes_are_compiled(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module with raw tensors among its outputs is left as it is."""
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **_: compiled.append(module))
    engine = Engine("torch", "f32", compiled=True)

    compile_prefix(backbone, raw=backbone.taps[:1], engine=engine, device=CPU)
    assert compiled == []
    compile_prefix(backbone, codes=backbone.taps, engine=engine, device=CPU)
    assert len(compiled) == 1
