"""Engines: the same codes whoever computes them and whatever lies in the same batch."""

import numpy as np
import pytest

from unfreeze.core.errors import InputError
from unfreeze.features.engines import compile_prefix
from unfreeze.zoo.backbones import Backbone, load_backbone

SIZE = 64


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    """The default network with its real weights, small images."""
    return load_backbone(size=SIZE)


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:
    """Noise; eleven images make one whole batch and a padded one."""
    return rng.integers(0, 256, (11, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_a_row_does_not_depend_on_its_neighbours(backbone: Backbone, images: np.ndarray, engine: str) -> None:
    """Shuffled, alone or padded: every image has the same bits, so a run that is taken up again gives the same."""
    compiled = compile_prefix(backbone.codes_module(), SIZE, engine=engine)
    together = list(compiled.run(images))
    order = np.random.default_rng(1).permutation(len(images))
    shuffled = list(compiled.run(images[order]))
    alone = next(iter(compiled.run(images[3:4])))

    for place, row in enumerate(order):
        for first, second in zip(together[row], shuffled[place], strict=True):
            np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(alone[-1], together[3][-1])


def test_openvino_and_torch_agree(backbone: Backbone, images: np.ndarray) -> None:
    """Float32 engines differ by rounding only, at every tap."""
    module = backbone.codes_module()
    pairs = [compile_prefix(module, SIZE, engine=name).run(images) for name in ("openvino", "torch")]
    for first, second in zip(*pairs, strict=True):
        for a, b in zip(first, second, strict=True):
            assert np.abs(a - b).max() <= 1e-4 * np.abs(b).max()


def test_an_unknown_engine_is_refused_with_the_known_ones(backbone: Backbone) -> None:
    """The error lists what can be chosen."""
    with pytest.raises(InputError, match="auto, openvino, torch"):
        compile_prefix(backbone.codes_module(), SIZE, engine="abacus")
