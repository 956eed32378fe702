"""Codes of more images than fit in memory: computed and stored a portion at a time, then read a portion at a time."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Float32

from unfreeze.core.errors import UnfreezeError
from unfreeze.core.progress import SILENT, Advance, Progress
from unfreeze.data.decoder_pool import DecoderPool
from unfreeze.data.image_set import Image, SetAside
from unfreeze.data.image_table import ImageTable, State
from unfreeze.features.choice import SAMPLE
from unfreeze.features.engines import PrefixEngine
from unfreeze.features.extraction import ChosenEngine, chosen_engine, compiled_engine, computed_shards
from unfreeze.features.key_index import KeyIndex, key_index
from unfreeze.zoo.backbones import Backbone


@final
class CodesInPortions:
    """What `read_codes` gives, without all of it in memory; see `codes_of_table`.

    Args:
        backbone: The network.
        chosen: What runs it.
        index: Of the store.
        sample: Images spread over all, for what has to be calibrated.
        pool: Decodes.
        progress: Is told what runs the network.
        cache: Folder of all stores; the user's cache if None.
    """

    def __init__(
        self,
        backbone: Backbone,
        chosen: ChosenEngine,
        index: KeyIndex,
        sample: Sequence[Image],
        *,
        pool: DecoderPool,
        progress: Progress,
        cache: Path | None,
    ) -> None:
        self._backbone, self._chosen, self._index, self._sample = backbone, chosen, index, sample
        self._pool, self._progress, self._cache = pool, progress, cache
        self._engine: PrefixEngine | None = None

    def compute(self, images: Sequence[Image], advance: Advance) -> list[SetAside]:
        """Compute and store what the store lacks of a portion; its pixels may be forgotten then.

        Args:
            images: The portion.
            advance: Is told of every image, a shard at a time.

        Returns:
            Images that cannot be decoded any more.
        """
        first = {image.sha256: image for image in reversed(images)}
        missing = [first[key] for key in self._index.missing([image.sha256 for image in images])]
        unreadable: list[SetAside] = []
        advance(len(images) - len(missing))
        if missing:
            for shard in computed_shards(missing, self._backbone.card, self._compiled(), self._pool, unreadable):
                self._index.write(shard)
                advance(len(shard))
        lost = {item.sha256: item for item in unreadable}
        return [replace(lost[image.sha256], name=image.name) for image in images if image.sha256 in lost]

    def _compiled(self) -> PrefixEngine:
        if self._engine is None:
            self._progress.say(f"The frozen layers run with {self._chosen.choice.because}")
            self._engine = self._chosen.compiled or compiled_engine(
                self._chosen, self._backbone, self._sample, self._pool, self._cache
            )
        return self._engine

    def read(self, images: Sequence[Image]) -> tuple[dict[str, Float32[np.ndarray, "image _"]], int]:
        """Codes of a portion that was computed.

        Args:
            images: Any of those that `compute` was given and did not give back.

        Returns:
            By tap, shallow to deep, a row per image; and how many of the images were computed, not found in the store.

        Raises:
            UnfreezeError: Somebody damaged or removed shards meanwhile.
        """
        by_tap, found, computed = self._index.read([image.sha256 for image in images])
        if not found.all():
            msg = (
                f"Codes of {np.count_nonzero(~found)} images were damaged or removed while they were being written. "
                "Run again: what is lost is computed anew."
            )
            raise UnfreezeError(msg)
        return by_tap, int(np.count_nonzero(computed))


@contextlib.contextmanager
def codes_of_table(
    table: ImageTable,
    portions: Iterable[Sequence[Image]],
    backbone: Backbone,
    *,
    pool: DecoderPool,
    progress: Progress = SILENT,
    engine: str = "auto",
    precision: str = "auto",
    cache: Path | None = None,
) -> Iterator[CodesInPortions]:
    """Compute and store the codes of all images of a table; what the store has is not computed again.

    Args:
        table: The images; those that cannot be decoded any more are set aside in it.
        portions: All of them, from `inspected_portions`; a portion's pixels are forgotten once its codes are stored.
        backbone: The network; its head is not used.
        pool: Decodes the images.
        progress: Is told of every image.
        engine: auto, openvino or torch.
        precision: auto, f32, bf16 or int8.
        cache: Folder of all stores; the user's cache if None.

    Yields:
        What reads the codes, a portion at a time.

    Raises:
        InputError: There is no such engine here.
    """
    settings: dict[str, Any] = {"engine": engine, "precision": precision, "cache": cache}
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as phase:
        codes: CodesInPortions | None = None
        for images in portions:
            if codes is None:
                total = table.number_of(State.WAITING, State.USED)
                sample = table.spread(SAMPLE)
                chosen = chosen_engine(backbone, sample, pool, to_come=total, **settings)
                index = stack.enter_context(key_index(chosen.open_store(backbone, cache)))
                codes = CodesInPortions(backbone, chosen, index, sample, pool=pool, progress=progress, cache=cache)
                advance = phase.enter_context(progress.phase("codes", total=total, unit="image"))
            table.set_aside(codes.compute(images, advance))
            pool.forget()
        phase.close()
        assert codes is not None  # noqa: S101 - there is a last portion, if it is an empty one
        yield codes
