"""Photos as the network sees them, bright where it looks."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from unfreeze.core.cards import Card
from unfreeze.core.run_record import RunRecord
from unfreeze.core.seeing import Grid, HeatMap
from unfreeze.core.wording import count
from unfreeze.data.squares import geometry_of
from unfreeze.images.decoding import UnreadableImageError, decode
from unfreeze.images.geometry import centre, square
from unfreeze.report.gallery import Pictures
from unfreeze.workflows.thumbnails import folder_of, webp_uri

SIDE: Final = 160  # pixels
QUALITY: Final = 70  # of WebP, 0 to 100
_DARK: Final = 0.25  # of its light that a place keeps at which nothing speaks for the class


def with_heat(pictures: Pictures, record: RunRecord) -> Pictures:
    """Add the pictures of a run's heat maps, as far as the photos are still there.

    Args:
        pictures: Of its photos.
        record: Of the run.

    Returns:
        All pictures, and a sentence on those that cannot be made.
    """
    maps, source = (record.looks.maps if record.looks else ()), record.command.source
    found = {one.image: _pictures(folder_of(source) / one.image, one, record.network) for one in maps}
    lacking = sum(not uris for uris in found.values())
    note = f"{count(lacking, 'photo')} of {len(maps)} cannot be shown: they have moved or changed since the run."
    return replace(
        pictures, heat={name: uris for name, uris in found.items() if uris}, heat_note=note if lacking else ""
    )


def _pictures(path: Path, one: HeatMap, card: Card) -> tuple[tuple[str, str], ...]:
    """Of the frozen network where there is one, then of the delivered one: a word and a ``data:`` URI each."""
    geometry = geometry_of(card)
    try:
        image = decode(path.read_bytes(), background=geometry.background, at_least=geometry.at_least).image
    except (OSError, ValueError, UnreadableImageError):  # ValueError: a name that no file can have
        return ()
    seen = Image.fromarray(centre(square(image, geometry)[None], card.size)[0])
    photo = np.asarray(seen.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    return tuple((word, webp_uri(Image.fromarray(lit(photo, grid)), QUALITY)) for word, grid in _named(one))


def _named(one: HeatMap) -> Iterator[tuple[str, Grid]]:
    """The maps of a photo with what each is of."""
    if one.frozen:
        yield "frozen network", one.frozen
    yield "delivered network", one.delivered


def lit(photo: UInt8[np.ndarray, "side side 3"], grid: Grid) -> UInt8[np.ndarray, "side side 3"]:
    """A photo that keeps its light where a map is high and gets dark where it is low.

    Light, and no colours over it: what is looked at keeps its own, and who tells few colours apart sees the same.

    Args:
        photo: Pixels.
        grid: Rows of the map, 0 to 255; enlarged smoothly.

    Returns:
        Pixels.
    """
    side = photo.shape[0]
    small = Image.fromarray(np.array(grid, np.uint8))
    heat: Float[np.ndarray, "side side"] = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)) / 255
    light = _DARK + (1 - _DARK) * heat[..., None]
    pixels: UInt8[np.ndarray, "side side 3"] = np.rint(photo * light).astype(np.uint8)
    return pixels
