"""Reading codes: one pass over the images, every tap at once, each image once and for all."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from jaxtyping import Float, UInt8

from unfreeze.core.progress import SILENT, Progress
from unfreeze.data.decoder_pool import DecoderPool
from unfreeze.data.decoding import UnreadableImageError
from unfreeze.data.geometry import Geometry, centre
from unfreeze.data.image_set import Image, ImageSet, SetAside
from unfreeze.features.engines import PrefixEngine, compile_prefix
from unfreeze.features.store import SHARD_ROWS, Row, open_store
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.cards import Card

SHARD_SECONDS = 10.0  # with SHARD_ROWS: the most that a kill can cost


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes of an image set at every tap.

    Attributes:
        names: Names of the images, one a row.
        by_tap: Codes by tap, shallow to deep.
        computed: How many images were run through the network.
        reused: How many were found in the store.
        set_aside: Images that could not be decoded any more; they have no row.
    """

    names: tuple[str, ...]
    by_tap: dict[str, Float[np.ndarray, "image code"]]
    computed: int
    reused: int
    set_aside: tuple[SetAside, ...] = ()

    @property
    def last(self) -> Float[np.ndarray, "image code"]:
        """Codes at the last tap: what the network's own head would see."""
        return self.by_tap[list(self.by_tap)[-1]]


def geometry_of(card: Card) -> Geometry:
    """How the images are cut for this network, as timm's evaluation transform does."""
    return Geometry(
        size=card.size,
        resize=int(np.floor(card.size / card.crop_pct)),
        interpolation=card.interpolation,
        crop=card.crop_mode,
    )


def read_codes(
    image_set: ImageSet,
    backbone: Backbone,
    *,
    pool: DecoderPool,
    progress: Progress = SILENT,
    engine: str = "auto",
    cache: Path | None = None,
) -> Codes:
    """Codes of every image at every tap; what the store has is not computed again.

    Args:
        image_set: The images; splits and labels do not matter here.
        backbone: The network; its head is not used.
        pool: Decodes the images.
        progress: Is told of every image.
        engine: auto, openvino or torch.
        cache: Folder of all stores; the user's cache if None.

    Returns:
        The codes, rows in the order of the image set.
    """
    compiled = compile_prefix(backbone.codes_module(), backbone.card.size, engine=engine)
    store = open_store(_description(backbone, compiled), _widths(backbone, compiled), cache=cache)
    rows = store.read(image.sha256 for image in image_set.images)
    missing = list({image.sha256: image for image in image_set.images if image.sha256 not in rows}.values())
    reused = len(image_set.images) - len(missing)
    set_aside: list[SetAside] = []
    with progress.phase("codes", total=len(image_set.images), unit="image") as advance:
        advance(reused)
        for shard in _computed_shards(missing, backbone.card, compiled, pool, set_aside):
            store.write(shard)
            rows.update(shard)
            advance(len(shard))
    kept = [image for image in image_set.images if image.sha256 in rows]
    by_tap = {tap: np.stack([rows[image.sha256][tap] for image in kept]) for tap in store.widths}
    names = tuple(image.name for image in kept)
    return Codes(names, by_tap, computed=len(missing) - len(set_aside), reused=reused, set_aside=tuple(set_aside))


def _description(backbone: Backbone, engine: PrefixEngine) -> dict[str, Any]:
    """Everything that decides the numbers. The images' decoding is Pillow's, so its version counts."""
    card = backbone.card
    return {
        "weights": card.weights_sha256,
        "network": card.name,
        "taps": list(card.taps),
        "preprocessing": [card.size, card.crop_pct, card.crop_mode, card.interpolation, card.mean, card.std],
        "engine": engine.name,
        "precision": engine.precision,
        "pillow": PIL.__version__,
    }


def _widths(backbone: Backbone, engine: PrefixEngine) -> dict[str, int]:
    black = np.zeros((backbone.card.size, backbone.card.size, 3), np.uint8)
    (outputs,) = engine.run([black])
    return {tap: len(codes) for tap, codes in zip(backbone.card.taps, outputs, strict=True)}


def decoded(
    images: Sequence[Image], card: Card, pool: DecoderPool, set_aside: list[SetAside]
) -> Iterator[tuple[Image, UInt8[np.ndarray, "side side 3"]]]:
    """Images with their squares, in order; one that cannot be decoded is appended to `set_aside` instead."""
    squares = pool.squares([image.path for image in images], geometry_of(card))
    for image, square in zip(images, squares, strict=True):
        if isinstance(square, UnreadableImageError):
            set_aside.append(SetAside(name=image.name, reason=square.reason, sha256=image.sha256))
        else:
            yield image, square


def _computed_shards(
    images: Sequence[Image], card: Card, engine: PrefixEngine, pool: DecoderPool, set_aside: list[SetAside]
) -> Iterator[dict[str, Row]]:
    """Codes of `images` in portions of a shard."""
    order: list[Image] = []

    def pixels() -> Iterator[UInt8[np.ndarray, "size size 3"]]:
        for image, square in decoded(images, card, pool, set_aside):
            order.append(image)
            yield centre(square[None], card.size)[0]

    shard: dict[str, Row] = {}
    started = time.monotonic()
    for position, outputs in enumerate(engine.run(pixels())):
        shard[order[position].sha256] = dict(zip(card.taps, outputs, strict=True))
        if len(shard) == SHARD_ROWS or time.monotonic() - started > SHARD_SECONDS:
            yield shard
            shard, started = {}, time.monotonic()
    if shard:
        yield shard
