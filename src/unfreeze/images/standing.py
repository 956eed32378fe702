"""One decoder that stays: for a few images at a time, again and again, as a web server or a loop has them.

Starting a decoder takes half a second, decoding a photo milliseconds.
"""

import atexit
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unfreeze.images.decoding import UnreadableImageError
from unfreeze.images.geometry import Geometry
from unfreeze.images.pool import DecoderPool

FEW = 32  # images that one decoder has done before others would have started


@dataclass(eq=False)
class _Standing:
    """One pool of one child, for one thread at a time."""

    pool: DecoderPool = field(default_factory=lambda: DecoderPool(workers=1))
    lock: threading.Lock = field(default_factory=threading.Lock)


_standing = _Standing()


@contextmanager
def pool_for(images: int) -> Iterator[DecoderPool]:
    """Decoders for so many images: the one that stays for a few of them, else decoders that end with the block.

    Other threads that want the one that stays wait until the block ends.

    Args:
        images: How many.

    Yields:
        The pool.
    """
    if images > FEW:
        with DecoderPool() as pool:
            yield pool
        return
    with _standing.lock:
        try:
            yield _standing.pool
        finally:
            _standing.pool.forget()  # a file may hold something else the next time


def squares_of(paths: Sequence[Path], geometry: Geometry) -> Iterator[NDArray[np.uint8] | UnreadableImageError]:
    """As `DecoderPool.squares`; a few are decoded at once, so that no other thread waits for what is done with them."""
    with pool_for(len(paths)) as pool:
        squares = pool.squares(paths, geometry)
        if len(paths) > FEW:
            yield from squares
            return
        read = list(squares)
    yield from read


def _close() -> None:
    _standing.pool.close()


def _begin_anew() -> None:
    """In a process that was forked off, the decoder is still that of its parent, and the lock may be held for ever."""
    _standing.pool.abandon()
    _standing.pool, _standing.lock = DecoderPool(workers=1), threading.Lock()


atexit.register(_close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
