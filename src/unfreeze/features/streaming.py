"""Codes in one pass, every tap at once, each image once and for all: computed and stored a portion at a time."""

import contextlib
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import final

import numpy as np
from jaxtyping import Bool, Float, UInt8

from unfreeze.core.cards import Card
from unfreeze.core.errors import UnfreezeError, WeightsError
from unfreeze.core.progress import Advance
from unfreeze.core.records import SetAside
from unfreeze.core.settings import EngineSettings
from unfreeze.core.stop import Stop
from unfreeze.data.image_set import Image
from unfreeze.data.image_table import ImageTable, State
from unfreeze.data.squares import decoded
from unfreeze.features.engine_choice import SAMPLE, ChosenEngine, EngineChoice, chosen_engine
from unfreeze.features.engines import Engine, PrefixEngine
from unfreeze.features.networks import FrozenNetwork
from unfreeze.features.resources import Resources
from unfreeze.images.geometry import centre
from unfreeze.images.pool import DecoderPool
from unfreeze.store.codes import SHARD_ROWS, Row
from unfreeze.store.key_index import KeyIndex, key_index

SHARD_SECONDS = 10.0  # with SHARD_ROWS: the most that a kill can cost

ByTap = dict[str, Float[np.ndarray, "image _"]]


@final
class CodesInPortions:
    """Computes, stores and reads the codes of one network, without all of them in memory; see `codes_of_table`.

    Args:
        network: The network.
        chosen: What runs it.
        indices: Of the store of codes, then that of details where they are wanted.
        sample: Images spread over all, for what has to be calibrated.
        resources: Decoders and progress.
    """

    def __init__(
        self,
        network: FrozenNetwork,
        chosen: ChosenEngine,
        indices: Sequence[KeyIndex],
        sample: Sequence[Image],
        resources: Resources,
    ) -> None:
        self._network, self._chosen, self._indices = network, chosen, indices
        self._sample, self._resources = sample, resources
        self._engine: PrefixEngine | None = None
        self._ran = self._seconds = 0.0

    @property
    def engine(self) -> Engine:
        """What runs the network."""
        return self._chosen.choice.engine

    @property
    def choice(self) -> EngineChoice:
        """The engine, and why it was chosen."""
        return self._chosen.choice

    @property
    def seconds_an_image(self) -> float | None:
        """Wall time of an image that was computed here, without compiling the engine; None before any was."""
        return self._seconds / self._ran if self._ran else None

    def compute(self, images: Sequence[Image], advance: Advance) -> list[SetAside]:
        """Compute and store what the store lacks of a portion; its pixels may be forgotten then.

        Args:
            images: The portion.
            advance: Reports progress per image, a shard at a time.

        Returns:
            Images that cannot be decoded any more.
        """
        first = {image.sha256: image for image in reversed(images)}
        lacking = [dict.fromkeys(index.missing([image.sha256 for image in images])) for index in self._indices]
        missing = [first[key] for key in dict.fromkeys(key for keys in lacking for key in keys)]
        unreadable: list[SetAside] = []
        advance(len(images) - len(missing))
        if missing:
            pool = self._resources.pool
            stop = self._resources.progress.stop
            engine, card = self._compiled(), self._network.card
            began = time.perf_counter()
            for shard in computed_shards(missing, card, engine, pool, unreadable, columns=self._columns, stop=stop):
                self._write(shard, lacking)
                advance(len(shard))
            self._ran += len(missing)
            self._seconds += time.perf_counter() - began
        lost = {item.sha256: item for item in unreadable}
        return [replace(lost[image.sha256], name=image.name) for image in images if image.sha256 in lost]

    @property
    def _columns(self) -> list[str]:
        """What the engine gives, in its order."""
        return [name for index in self._indices for name in index.widths]

    def _write(self, shard: dict[str, Row], lacking: Sequence[Collection[str]]) -> None:
        """A shard a store: of its own columns, and of the images that it lacks."""
        for index, keys in zip(self._indices, lacking, strict=True):
            rows = {key: {name: row[name] for name in index.widths} for key, row in shard.items() if key in keys}
            if rows:
                index.write(rows)

    def _compiled(self) -> PrefixEngine:
        if self._engine is None:
            self._resources.progress.say(f"The frozen layers run with {self._chosen.choice.because}")
            self._engine = self._chosen.engine_for(self._network, self._sample, self._resources)
        return self._engine

    def take_up(self) -> None:
        """Find what other processes have computed and stored since; it counts as computed here."""
        for index in self._indices:
            index.take_up()

    def stored(self, images: Sequence[Image]) -> tuple[ByTap, Bool[np.ndarray, " image"]]:
        """Codes of those of a portion that the store has: by tap a row per image, and which rows are codes.

        Details, where they are wanted, stand after the codes, by name of the readout, in half precision; rows that lack
        some of them are no codes.
        """
        keys = [image.sha256 for image in images]
        by_name, found = {}, np.ones(len(keys), np.bool_)
        for index in self._indices:
            of_index, here, _ = index.read(keys)
            by_name.update(of_index)
            found &= here
        return by_name, found

    def read(self, images: Sequence[Image]) -> tuple[ByTap, int]:
        """Codes of a portion that was computed.

        Args:
            images: Any of those that `compute` was given and did not give back.

        Returns:
            By tap, shallow to deep, a row per image, without details; and how many of the images were computed, not
            found in the store.

        Raises:
            UnfreezeError: Somebody damaged or removed shards meanwhile.
        """
        by_tap, found, computed = self._indices[0].read([image.sha256 for image in images])
        if not found.all():
            msg = (
                f"Codes of {np.count_nonzero(~found)} images were damaged or removed while they were being written. "
                "Run again: what is lost is computed anew."
            )
            raise UnfreezeError(msg)
        return by_tap, int(np.count_nonzero(computed))


@contextlib.contextmanager
def code_portions(
    network: FrozenNetwork,
    sample: Sequence[Image],
    request: EngineSettings,
    resources: Resources,
    *,
    to_come: int,
    details: bool = False,
) -> Iterator[CodesInPortions]:
    """What computes and reads codes, of as many portions as there are.

    Args:
        network: The network.
        sample: Images spread over all.
        request: Engine and precision.
        resources: Decoders, progress and cache.
        to_come: How many images there will be.
        details: Whether the network's details are wanted too, if it has any.

    Yields:
        The codes.

    Raises:
        InputError: There is no such engine here.
    """
    chosen = chosen_engine(network, sample, request, resources, to_come=to_come, details=details)
    stores = [chosen.open_store(network, resources.cache), chosen.open_details(network, resources.cache)]
    with contextlib.ExitStack() as stack:
        indices = [stack.enter_context(key_index(store)) for store in stores if store is not None]
        yield CodesInPortions(network, chosen, indices, sample, resources)


@contextlib.contextmanager
def codes_of_table(
    table: ImageTable,
    portions: Iterable[Sequence[Image]],
    network: FrozenNetwork,
    resources: Resources,
    request: EngineSettings,
) -> Iterator[CodesInPortions]:
    """Compute and store the codes of all images of a table; what the store has is not computed again.

    Args:
        table: The images; those that cannot be decoded any more are set aside in it.
        portions: All of them, from `inspected_portions`; a portion's pixels are forgotten once its codes are stored.
        network: The network.
        resources: Decoders, progress and cache.
        request: Engine and precision.

    Yields:
        What reads the codes, a portion at a time.

    Raises:
        InputError: There is no such engine here.
    """
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as phase:
        codes: CodesInPortions | None = None
        for images in portions:
            if codes is None:
                total, sample = table.number_of(State.WAITING, State.USED), table.spread(SAMPLE)
                codes = stack.enter_context(code_portions(network, sample, request, resources, to_come=total))
                advance = phase.enter_context(resources.progress.phase("codes", total=total, unit="image"))
            table.set_aside(codes.compute(images, advance))
            resources.pool.forget()
        phase.close()
        assert codes is not None  # noqa: S101 - there is a last portion, if it is an empty one
        yield codes


def _check_finite(row: Row, image: Image) -> None:
    """Refuse codes that are no numbers: a network whose weights are finite can still overflow.

    Raises:
        WeightsError: They are not finite.
    """
    for column, values in row.items():
        if not np.isfinite(values).all():
            msg = (
                f"The network gives codes that are not finite, at {column}, for {image.name}: its weights are not "
                "usable. Use other weights, or another network."
            )
            raise WeightsError(msg)


def computed_shards(
    images: Sequence[Image],
    card: Card,
    engine: PrefixEngine,
    pool: DecoderPool,
    set_aside: list[SetAside],
    *,
    columns: Sequence[str],
    stop: Stop,
) -> Iterator[dict[str, Row]]:
    """Codes of `images`, a shard at a time; one that cannot be decoded is appended to `set_aside` instead.

    If somebody wants the work to stop, a shard of what there is comes at once, so that nothing is lost by stopping.
    """
    order: list[Image] = []

    def pixels() -> Iterator[UInt8[np.ndarray, "size size 3"]]:
        for image, square in decoded(images, card, pool, set_aside):
            order.append(image)
            yield centre(square[None], card.size)[0]

    shard: dict[str, Row] = {}
    started = time.monotonic()
    for position, outputs in enumerate(engine.run(pixels())):
        shard[order[position].sha256] = row = dict(zip(columns, outputs, strict=True))
        _check_finite(row, order[position])
        if len(shard) == SHARD_ROWS or time.monotonic() - started > SHARD_SECONDS or stop.is_requested:
            yield shard
            shard, started = {}, time.monotonic()
    if shard:
        yield shard
