"""What glances at many images see, as arrays."""

from collections.abc import Iterable

import numpy as np

from unfreeze.data.image_set import Glances, Image
from unfreeze.images.glance import Glance


def glances_of(found: Iterable[tuple[Image, Glance]]) -> Glances | None:
    """Put glances together.

    Args:
        found: Images, and what was seen.

    Returns:
        The arrays; None of no image.
    """
    pairs = list(found)
    if not pairs:
        return None
    images = [image for image, _ in pairs]
    numbers = [
        (
            *(np.log(image.width * image.height), np.log(image.width / image.height)),
            *(np.log1p(seen.sharpness), seen.brightness),
        )
        for image, seen in pairs
    ]
    return Glances(
        names=tuple(image.name for image in images),
        labels=tuple(image.label for image in images),
        groups=tuple(image.group for image in images),
        numbers=np.array(numbers, np.float64),
        frames=np.stack([seen.frame for _, seen in pairs]),
        middles=np.stack([seen.middle for _, seen in pairs]),
    )
