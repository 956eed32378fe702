"""Photos of all requests: decoded apart, put through the network together.

Each decoder has a thread of its own, so that a photo that takes long holds up no other; one thread owns the network.
"""

import asyncio
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from unfreeze.images.camera_raw import SUFFIXES
from unfreeze.images.decoding import UnreadableImageError
from unfreeze.images.pool import DecoderPool
from unfreeze.server.problems import busy, stopping
from unfreeze.workflows.serving import LoadedModel, Said, said_of

WAIT_SECONDS = 0.004  # for photos that are being decoded, before a batch goes without them
MOST_IN_BATCH = 16


@dataclass(frozen=True, eq=False)
class Photo:
    """What was sent.

    Attributes:
        name: As the client calls it; only its suffix matters.
        data: The bytes of the file.
    """

    name: str
    data: bytes


@dataclass(frozen=True, eq=False)
class _Job:
    """A photo on its way."""

    photo: Photo
    model: LoadedModel
    answer: "asyncio.Future[Said | UnreadableImageError]"
    loop: asyncio.AbstractEventLoop

    def settle(self, answer: Said | UnreadableImageError | Exception) -> None:
        """Hand the answer to whoever waits; from any thread."""
        self.loop.call_soon_threadsafe(self._settle, answer)

    def _settle(self, answer: Said | UnreadableImageError | Exception) -> None:
        if self.answer.done():  # nobody waits any more
            return
        if isinstance(answer, Exception) and not isinstance(answer, UnreadableImageError):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


@dataclass(frozen=True, eq=False)
class _Decoded:
    job: _Job
    square: NDArray[np.uint8]


@final
@dataclass(eq=False)
class Batcher:
    """Answers for photos; its methods are called on the event loop.

    Args:
        decoders: How many photos are decoded at a time.
        most_waiting: Photos that may be under way together.
        decode_seconds: Processor time of one photo.
        observe: Is told the size of each batch, in the network's thread.
    """

    decoders: int
    most_waiting: int
    decode_seconds: float
    observe: Callable[[int], None]
    waiting: int = 0
    _photos: "queue.SimpleQueue[_Job | None]" = field(default_factory=queue.SimpleQueue)
    _squares: "queue.SimpleQueue[_Decoded | None]" = field(default_factory=queue.SimpleQueue)
    _threads: list[threading.Thread] = field(default_factory=list)
    _decoding: set[int] = field(default_factory=set)  # numbers of the decoders that have a photo

    def start(self) -> None:
        """Start the threads and the decoders."""
        bodies: list[Callable[[], None]] = [partial(self._decode, number) for number in range(self.decoders)]
        self._threads = [threading.Thread(target=body, daemon=True) for body in (*bodies, self._compute)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the threads and the decoders, after what has been taken on."""
        *decoders, network = self._threads or [threading.Thread()]
        for _ in decoders:
            self._photos.put(None)
        for thread in decoders:
            thread.join()
        self._squares.put(None)
        if self._threads:
            network.join()
        self._threads = []

    @property
    def is_running(self) -> bool:
        """Whether photos are answered."""
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)

    async def answers(self, model: LoadedModel, photos: Sequence[Photo]) -> list[Said | UnreadableImageError]:
        """What the model says of each photo, or why it cannot be read.

        Args:
            model: Who is asked; one that is replaced meanwhile still answers.
            photos: At least one.

        Returns:
            In the order of the photos.

        Raises:
            ProblemError: Too much waits already, or nothing is answered any more.
        """
        if not self.is_running:
            raise stopping()
        if self.waiting + len(photos) > self.most_waiting:
            raise busy()
        loop = asyncio.get_running_loop()
        jobs = [_Job(photo, model, loop.create_future(), loop) for photo in photos]
        self.waiting += len(jobs)
        try:
            for job in jobs:
                self._photos.put(job)
            return await asyncio.gather(*(job.answer for job in jobs))
        finally:
            self.waiting -= len(jobs)

    def _decode(self, number: int) -> None:
        """Body of the thread of a decoder."""
        with DecoderPool(workers=1, timeout=self.decode_seconds) as pool:
            pool.start()
            while (job := self._photos.get()) is not None:
                if job.answer.cancelled():
                    continue
                self._decoding.add(number)
                try:
                    square = _square(pool, job)
                except UnreadableImageError as error:
                    job.settle(error)
                except Exception as error:  # a fault of ours costs this photo, not the thread
                    job.settle(error)
                else:
                    self._squares.put(_Decoded(job, square))
                finally:
                    self._decoding.discard(number)

    def _compute(self) -> None:
        """Body of the thread of the network."""
        while (first := self._squares.get()) is not None:
            for group in _by_model(self._batch(first)):
                self.observe(len(group))
                _answer(group)

    def _batch(self, first: _Decoded) -> list[_Decoded]:
        """With what is decoded by now, or will be in a moment."""
        batch, until = [first], time.monotonic() + WAIT_SECONDS
        while len(batch) < MOST_IN_BATCH:
            wait = until - time.monotonic() if self._decoding else 0.0
            try:
                more = self._squares.get(timeout=wait) if wait > 0 else self._squares.get_nowait()
            except queue.Empty:
                break
            if more is None:  # the last batch: the end is looked at after it
                self._squares.put(None)
                break
            batch.append(more)
        return batch


def _by_model(batch: Sequence[_Decoded]) -> list[list[_Decoded]]:
    groups: dict[int, list[_Decoded]] = {}
    for one in batch:
        groups.setdefault(id(one.job.model), []).append(one)
    return list(groups.values())


def _answer(group: Sequence[_Decoded]) -> None:
    """Put photos through their model; where that fails, one by one, so that a photo costs only itself."""
    model = group[0].job.model
    try:
        said = said_of(model, [one.square for one in group], name="that was asked")
    except Exception as error:
        if len(group) == 1:
            group[0].job.settle(error)
            return
        for one in group:
            _answer([one])
        return
    for one, answer in zip(group, said, strict=True):
        one.job.settle(answer)


def _square(pool: DecoderPool, job: _Job) -> NDArray[np.uint8]:
    """The photo as its model wants it.

    Raises:
        UnreadableImageError: It cannot be read.
    """
    suffix = Path(job.photo.name).suffix.lower()
    if suffix in SUFFIXES:  # as for a file of that name
        raise UnreadableImageError(f"camera-raw: {suffix}")
    with _as_file(job.photo.data) as path:
        (square,) = pool.squares([path], job.model.geometry)
        pool.forget()  # the next photo has the same path
    if isinstance(square, UnreadableImageError):
        raise square
    return square


@contextmanager
def _as_file(data: bytes) -> Iterator[Path]:
    """The bytes as a file that decoders can be handed: in memory where there is such a thing (Linux)."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        with os.fdopen(os.memfd_create("photo"), "wb") as file:
            file.write(data)
            file.flush()
            yield Path(f"/proc/self/fd/{file.fileno()}")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo"
        path.write_bytes(data)
        yield path
