"""Where a network looks: Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) by captum, at the network's last map.

Of a linear classifier on means over that map it is the class activation map of Zhou et al. (2016, arXiv:1512.04150):
the classifier's weights times the map, place by place. What it reads beside means of that map (deviations of it, and
codes of earlier taps) has no place there: a deviation stays the same whatever is added to all places, so that its
gradients add up to nothing.
"""

from importlib.util import find_spec

import numpy as np
import torch
from jaxtyping import Float, UInt8

from unfreeze.zoo.last_map import Watched


def can_look() -> bool:
    """Whether captum is installed."""
    return find_spec("captum") is not None


def heat(
    model: Watched, images: UInt8[np.ndarray, "batch side side 3"], called: int
) -> Float[np.ndarray, "batch height width"]:
    """How much each place of the last map speaks for a class.

    Args:
        model: As `zoo.last_map.watched` gives it.
        images: As the network sees them.
        called: Index of the class.

    Returns:
        0 where nothing speaks for the class; larger is more, on a scale of each model's own.
    """
    from captum.attr import LayerGradCam  # seconds of import, and an extra

    with torch.enable_grad():
        found = LayerGradCam(model.model, model.layer).attribute(
            torch.from_numpy(images), target=called, relu_attributions=True
        )
    maps: Float[np.ndarray, "batch height width"] = found.detach().numpy()[:, 0]
    return maps
