"""Decoded squares of images, as a network wants them cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Int, UInt8

from unfreeze.core.cards import Card
from unfreeze.core.errors import ImageSetError
from unfreeze.core.records import SetAside
from unfreeze.data.image_set import Image
from unfreeze.images.decoding import UnreadableImageError
from unfreeze.images.geometry import Geometry
from unfreeze.images.pool import DecoderPool


def geometry_of(card: Card) -> Geometry:
    """How the images become squares for this network, as timm's evaluation transform does it."""
    return Geometry(
        size=card.size,
        resize=card.resized_side,
        interpolation=card.interpolation,
        crop=card.crop_mode,
        border=card.border if card.crop_mode == "border" else (0, 0, 0),
        levels=card.levels,
    )


def decoded(
    images: Sequence[Image], card: Card, pool: DecoderPool, set_aside: list[SetAside]
) -> Iterator[tuple[Image, UInt8[np.ndarray, "side side 3"]]]:
    """Images with their squares, in order; one that cannot be decoded is appended to `set_aside` instead."""
    hashes = [image.sha256 for image in images]
    squares = pool.squares([image.path for image in images], geometry_of(card), hashes=hashes)
    for image, square in zip(images, squares, strict=True):
        if isinstance(square, UnreadableImageError):
            set_aside.append(SetAside(name=image.name, reason=square.reason, sha256=image.sha256))
        else:
            yield image, square


@final
@dataclass(frozen=True, eq=False)
class Squares:
    """Decoded squares of images by row.

    Attributes:
        images: One a row.
        card: Of the network that will see them.
        pool: Decodes, and keeps what memory holds.
    """

    images: Sequence[Image]
    card: Card
    pool: DecoderPool

    def read(self, rows: Int[np.ndarray, " row"]) -> Iterator[UInt8[np.ndarray, "side side 3"]]:
        """Squares of `rows`, in order; read-only.

        Raises:
            ImageSetError: An image that could be read before cannot be read any more.
        """
        failed: list[SetAside] = []
        for _, square in decoded([self.images[int(row)] for row in rows], self.card, self.pool, failed):
            if failed:
                break
            yield square
        if failed:
            msg = (
                f"{failed[0].name} could be read at the start of the run and cannot be read any more "
                f"({failed[0].reason}). Leave the images alone while they are in use."
            )
            raise ImageSetError(msg)
