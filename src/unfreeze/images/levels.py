"""Photos with 16 bits a channel: what they hold, which range of it they use, and how that becomes 8 bits.

Scanners, microscopes, thermal cameras and X-ray machines write 10 to 14 bits, or a narrow band, into 16. Divided by
257, such photos are nearly black or one flat grey. So a set of photos is scaled by the range that all of it uses, and
the same range is used for every photo that its model sees later.
"""

import sys
from collections.abc import Iterable
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unfreeze.images import tags

Range = tuple[int, int]  # levels that become black and white
TOP: Final = 65_535
WHOLE: Final[Range] = (0, TOP)
# Beyond them a level is taken for a dead pixel, or a scratch: 0.1 % at either end of each photo.
_BELOW, _ABOVE = 0.001, 0.999
# A set that uses half of the range or more has lost one bit of eight at most, and stays as it is.
_SHARE_THAT_IS_WHOLE: Final = 0.5
# A flat picture has no range; so much is left around its level that noise does not fill black to white.
_LEAST: Final = 64
_PORTION: Final = 4_000_000  # levels that are counted at a time
# Pixels of a colour photo, of which the lower bytes are read too: more would not fit into a decoder's memory.
_MOST_COLOUR: Final = 40_000_000
_STRIP: Final = 256  # rows
_COLOUR = ("RGB", "RGBA")
_OTHER_END = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}


def is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether an opened image has 9 to 16 bits a channel, and its levels can be had: grey, RGB or RGBA.

    Args:
        image: Opened by Pillow.
        data: The file.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return True
    if image.mode not in _COLOUR or image.width * image.height > _MOST_COLOUR:
        return False
    if image.format == "PNG":
        return data[24:25] == b"\x10"
    bits = getattr(image, "tag_v2", {}).get(tags.BITS, ())
    return image.format == "TIFF" and isinstance(bits, tuple) and set(bits[:3]) == {16}


def is_plain_png(start: bytes) -> bool:
    """Whether a file begins as a PNG with no more than 8 bits a channel."""
    return start.startswith(b"\x89PNG") and start[24:25] != b"\x10"


def deep_levels(image: Image.Image, data: bytes) -> NDArray[np.uint16] | None:
    """What a photo with 16 bits a channel holds.

    Args:
        image: Loaded by Pillow; see `is_deep`.
        data: The file.

    Returns:
        Levels from 0, black, to 65,535, white; shape (height, width) or (height, width, 3); opacity is left out. None
        if only the upper eight bits can be had.
    """
    if image.mode in _COLOUR:
        return _colour_levels(image, data)
    values = np.asarray(image).astype(np.uint16)
    described = getattr(image, "tag_v2", {})
    if described.get(tags.BITS) in {12, (12,)}:
        values = (values.astype(np.uint32) * TOP // 4095).astype(np.uint16)
    if described.get(tags.PHOTOMETRIC) == 0:  # "white is zero", which Pillow heeds at 8 bits only
        values = TOP - values
    return values


def _colour_levels(image: Image.Image, data: bytes) -> NDArray[np.uint16] | None:
    """Pillow keeps the upper byte of each level; read as if the bytes were in the other order, it keeps the lower."""
    with Image.open(BytesIO(data), formats=[str(image.format)]) as lower:
        tiles = []
        for tile in getattr(lower, "tile", ()):
            mode, *rest = (tile.args,) if isinstance(tile.args, str) else (tile.args or (None,))
            other = _in_other_order(mode)
            if other is None:
                return None
            tiles.append(tile._replace(args=other if isinstance(tile.args, str) else (other, *rest)))
        lower.tile = tiles
        lower.load()
        if lower.size != image.size:
            return None
        levels = np.empty((image.height, image.width, 3), np.uint16)
        for top in range(0, image.height, _STRIP):
            box = (0, top, image.width, min(image.height, top + _STRIP))
            high, low = (np.asarray(half.crop(box))[..., :3].astype(np.uint16) for half in (image, lower))
            levels[box[1] : box[3]] = high << 8 | low
    return levels


def _in_other_order(mode: object) -> str | None:
    if not isinstance(mode, str) or ";16" not in mode or mode[-1] not in _OTHER_END:
        return None
    return mode[:-1] + _OTHER_END[mode[-1]]


def eight_bit(levels: NDArray[np.uint16], between: Range) -> NDArray[np.uint8]:
    """Levels as 8 bits: the range from 0 to 255, rounded; what lies beyond it is black or white.

    Args:
        levels: Of any shape.
        between: Which level becomes black, and which white.

    Returns:
        The same shape.
    """
    low, high = between
    span = max(1, high - low)
    every = np.clip(np.arange(TOP + 1), low, high) - low
    table = ((every * 255 + span // 2) // span).astype(np.uint8)
    shown: NDArray[np.uint8] = table[levels]
    return shown


def used_range(levels: NDArray[np.uint16]) -> Range:
    """Levels between which a photo lies, but for 0.1 % of its pixels at either end."""
    flat = levels.reshape(-1)
    counts = np.zeros(TOP + 1, np.int64)
    for start in range(0, len(flat), _PORTION):
        counts += np.bincount(flat[start : start + _PORTION], minlength=TOP + 1)
    up_to = np.cumsum(counts)
    low, high = np.searchsorted(up_to, [_BELOW * up_to[-1], _ABOVE * up_to[-1]], side="right")
    return int(low), min(TOP, int(high))


def common_range(ranges: Iterable[Range]) -> Range:
    """The range by which a set of photos is scaled.

    Args:
        ranges: Of its photos with 16 bits a channel.

    Returns:
        From the darkest to the brightest level of all; `WHOLE` if that is half of it or more, or there is no photo.
    """
    known = list(ranges)
    if not known:
        return WHOLE
    low, high = min(low for low, _ in known), max(high for _, high in known)
    if high - low >= _SHARE_THAT_IS_WHOLE * TOP:
        return WHOLE
    if high - low < _LEAST:
        low = min(max(0, (low + high - _LEAST) // 2), TOP - _LEAST)
        high = low + _LEAST
    return low, high
