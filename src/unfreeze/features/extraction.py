"""Reading codes: one pass over the images, every tap at once, each image once and for all."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from jaxtyping import Bool, Float, UInt8

from unfreeze.core.progress import SILENT, Progress
from unfreeze.data.decoder_pool import DecoderPool
from unfreeze.data.decoding import UnreadableImageError
from unfreeze.data.geometry import Geometry, centre
from unfreeze.data.image_set import Image, ImageSet, SetAside
from unfreeze.features.choice import SAMPLE, Choice, candidates_for, choice_from_json, choose_engine
from unfreeze.features.converted import BATCH_SIZE
from unfreeze.features.engines import REFERENCE, Engine, PrefixEngine, compile_prefix
from unfreeze.features.eviction import store_folders
from unfreeze.features.manifests import new_manifest
from unfreeze.features.shards import recorded_manifest
from unfreeze.features.store import SHARD_ROWS, CodeStore, Row, open_store, stores_folder
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
        engine: What ran the network.
    """

    names: tuple[str, ...]
    by_tap: dict[str, Float[np.ndarray, "image code"]]
    computed: int
    reused: int
    set_aside: tuple[SetAside, ...] = ()
    engine: Engine = REFERENCE

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
    precision: str = "auto",
    cache: Path | None = None,
) -> Codes:
    """Codes of every image at every tap; what the store has is not computed again.

    Args:
        image_set: The images; splits and labels do not matter here.
        backbone: The network; its head is not used.
        pool: Decodes the images.
        progress: Is told of every image.
        engine: auto, openvino or torch.
        precision: auto, f32, bf16 or int8.
        cache: Folder of all stores; the user's cache if None.

    Returns:
        The codes, rows in the order of the image set.

    Raises:
        InputError: There is no such engine here.
    """
    images = image_set.images
    chosen = chosen_engine(backbone, images, pool, to_come=len(images), engine=engine, precision=precision, cache=cache)
    store = chosen.open_store(backbone, cache)
    by_tap, found = store.read_into([image.sha256 for image in images])
    places: dict[str, list[int]] = {}
    for place in np.flatnonzero(~found).tolist():
        places.setdefault(images[place].sha256, []).append(place)
    missing = [images[same[0]] for same in places.values()]
    set_aside: list[SetAside] = []
    if missing:
        progress.say(f"The frozen layers run with {chosen.choice.because}")
    with progress.phase("codes", total=len(images), unit="image") as advance:
        advance(len(images) - len(missing))
        if missing:
            compiled = chosen.compiled or compiled_engine(chosen, backbone, missing, pool, cache)
            for shard in computed_shards(missing, backbone.card, compiled, pool, set_aside):
                store.write(shard)
                _fill(by_tap, found, places, shard)
                advance(len(shard))
    kept = np.flatnonzero(found)
    return Codes(
        names=tuple(images[place].name for place in kept),
        by_tap=by_tap if found.all() else {tap: values[kept] for tap, values in by_tap.items()},
        computed=len(missing) - len(set_aside),
        reused=len(images) - len(missing),
        set_aside=tuple(set_aside),
        engine=chosen.choice.engine,
    )


def _fill(
    by_tap: dict[str, Float[np.ndarray, "image _"]],
    found: Bool[np.ndarray, " image"],
    places: dict[str, list[int]],
    shard: dict[str, Row],
) -> None:
    """Put the codes of a shard where they belong; images with the same bytes share theirs."""
    for sha256, row in shard.items():
        for tap, values in by_tap.items():
            values[places[sha256]] = row[tap]
        found[places[sha256]] = True


@dataclass(frozen=True, eq=False, kw_only=True)
class ChosenEngine:
    """An engine, and whether it is compiled already.

    Attributes:
        choice: As kept in the store's manifest.
        wish: What the user asked for: engine and precision.
        compiled: None if the choice was made in an earlier run.
    """

    choice: Choice
    wish: tuple[str, str]
    compiled: PrefixEngine | None

    def open_store(self, backbone: Backbone, cache: Path | None) -> CodeStore:
        """The store of what this engine gives for this network."""
        widths = {cut.name: cut.channels for cut in backbone.taps}
        description = {**_description(backbone), **_engine_part(self.choice.engine)}
        notes = {"wish": list(self.wish), "choice": self.choice.to_json()}
        return open_store(description, widths, notes=notes, cache=cache)


def chosen_engine(
    backbone: Backbone,
    images: Sequence[Image],
    pool: DecoderPool,
    *,
    to_come: int,
    engine: str,
    precision: str,
    cache: Path | None,
) -> ChosenEngine:
    """The engine that an earlier run chose for such a store, else the one that a measurement on `images` chooses."""
    wish = (engine, precision)
    fitting = candidates_for(engine, precision)
    earlier = _earlier_choice(backbone, wish, cache)
    if earlier is not None and (earlier.engine in fitting or earlier.engine == REFERENCE):
        return ChosenEngine(choice=earlier, wish=wish, compiled=None)
    sample = sample_pixels(images, backbone.card, pool)
    choice, compiled = choose_engine(backbone, sample, engine=engine, precision=precision, to_come=to_come, cache=cache)
    return ChosenEngine(choice=choice, wish=wish, compiled=compiled)


def _earlier_choice(backbone: Backbone, wish: tuple[str, str], cache: Path | None) -> Choice | None:
    description = new_manifest(_description(backbone), {})["description"]  # as JSON has it
    for folder in store_folders(stores_folder(cache)):
        manifest = recorded_manifest(folder)
        if manifest is None or manifest["notes"].get("wish") != list(wish):
            continue
        choice = choice_from_json(manifest["notes"]["choice"])
        if manifest["description"] == {**description, **_engine_part(choice.engine)}:
            return choice
    return None


def compiled_engine(
    chosen: ChosenEngine, backbone: Backbone, images: Sequence[Image], pool: DecoderPool, cache: Path | None
) -> PrefixEngine:
    """The chosen engine for a network's taps; int8 is calibrated on some of `images`."""
    engine = chosen.choice.engine
    calibration = sample_pixels(images, backbone.card, pool) if engine.precision == "int8" else ()
    return compile_prefix(backbone, codes=backbone.taps, engine=engine, calibration=calibration, cache=cache)


def sample_pixels(
    images: Sequence[Image], card: Card, pool: DecoderPool, count: int = SAMPLE
) -> list[UInt8[np.ndarray, "size size 3"]]:
    """Pixels of at most `count` images spread over all; without those that cannot be decoded."""
    chosen = [images[int(place)] for place in np.linspace(0, len(images) - 1, min(count, len(images)))]
    return [centre(square[None], card.size)[0] for _, square in decoded(chosen, card, pool, [])]


def _engine_part(engine: Engine) -> dict[str, Any]:
    return {"engine": engine.name, "precision": engine.precision, "compiled": engine.compiled}


def _description(backbone: Backbone) -> dict[str, Any]:
    """Everything but the engine that decides the numbers. The images' decoding is Pillow's, so its version counts."""
    card = backbone.card
    return {
        "weights": card.weights_sha256,
        "network": card.name,
        "taps": list(card.taps),
        "preprocessing": [card.size, card.crop_pct, card.crop_mode, card.interpolation, card.mean, card.std],
        "pillow": PIL.__version__,
        "batch": BATCH_SIZE,
    }


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


def computed_shards(
    images: Sequence[Image], card: Card, engine: PrefixEngine, pool: DecoderPool, set_aside: list[SetAside]
) -> Iterator[dict[str, Row]]:
    """Codes of `images`, a shard at a time; one that cannot be decoded is appended to `set_aside` instead."""
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
