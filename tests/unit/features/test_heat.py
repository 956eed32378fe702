"""Heat maps against what they are of a linear classifier."""

import numpy as np
import pytest
import torch

from unfreeze.core.readouts import Readout
from unfreeze.features.heat import heat
from unfreeze.zoo.backbones import Backbone, network_input
from unfreeze.zoo.last_map import watched
from unfreeze.zoo.tap_classifier import TapClassifier

pytest.importorskip("captum")


def test_of_a_linear_classifier_it_is_its_class_activation_map(tiny: Backbone, rng: np.random.Generator) -> None:
    """Weights on the means times the map, above zero, by number of places; weights on deviations change nothing."""
    tap = [one for one in tiny.taps if len(one.shape) == 3][-1]
    images = rng.integers(0, 256, (2, 32, 32, 3), np.uint8)
    weight = rng.normal(size=(3, 2 * tap.channels)).astype(np.float32)
    readouts = (Readout(tap.name), Readout(tap.name, "deviation"))
    model = TapClassifier(backbone=tiny, readouts=readouts, weight=weight, bias=np.zeros(3, np.float32))
    with torch.no_grad():
        maps = tiny.prefix([tap])(network_input(torch.from_numpy(images), tiny.card))[0].numpy()
    expected = np.einsum("c,bcyx->byx", weight[1, : tap.channels], maps).clip(0) / (maps.shape[2] * maps.shape[3])

    watching = watched(model.module(), tiny.cuts)

    assert watching is not None
    np.testing.assert_allclose(heat(watching, images, 1), expected, rtol=1e-3, atol=1e-4 * expected.max())
