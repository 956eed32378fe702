"""I2, I3, I4: decoders that die, stand still or wait while others work; the guilty photo alone is set aside."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Literal

import numpy as np
import psutil
from PIL import Image

from faultlab.lab import Try
from unfreeze.images.decoding import UnreadableImageError
from unfreeze.images.geometry import Geometry
from unfreeze.images.pool import DecoderPool

How = Literal["kill", "crash", "hang", "stop and go on", "all stopped", "busy"]
HOWS: tuple[How, ...] = ("kill", "crash", "hang", "stop and go on", "all stopped", "busy")
GEOMETRY = Geometry(32, 40)


def draw_slow_photos(folder: Path, *, count: int = 24) -> list[Path]:
    """Photos that take long enough to decode that a decoder is met at work."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    tile = rng.integers(0, 256, (220, 300, 3), dtype=np.uint8)
    for number in range(count):
        pixels = np.tile(np.roll(tile, number, axis=0), (5, 5, 1))
        Image.fromarray(pixels).save(folder / f"{number:03}.png", compress_level=1)
    return sorted(folder.iterdir())


def decoders() -> list[psutil.Process]:
    """Decoders of this process."""
    found = []
    for child in psutil.Process().children():
        try:
            if "unfreeze.images.decoder" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


def squares(paths: list[Path], pool: DecoderPool) -> list[bytes | str]:
    """By photo its pixels, or the reason why there are none."""
    return [
        answer.reason if isinstance(answer, UnreadableImageError) else answer.tobytes()
        for answer in pool.squares(paths, GEOMETRY)
    ]


def struck(how: How, paths: list[Path], right: list[bytes | str], rng: random.Random) -> Try:
    """I3, I4: do something to a decoder that is at work.

    A decoder that dies or stands still for good costs at most the photos that it had; one that only waits costs none;
    all others have the right pixels.
    """
    with DecoderPool(workers=2, timeout=2.0) as pool:
        squares(paths[:4], pool)  # a decoder that is still starting may take a minute
        hit = Thread(target=_strike, args=(how, rng.uniform(0.05, 0.6)))
        hit.start()
        with _busy() if how == "busy" else _quiet():
            got = squares(paths, pool)
        hit.join()
    lost = [answer for answer in got if isinstance(answer, str)]
    other = [n for n, (one, good) in enumerate(zip(got, right, strict=True)) if isinstance(one, bytes) and one != good]
    wrong = [f"{len(other)} photos have other pixels"] if other else []
    allowed = 1 if how in {"kill", "crash", "hang"} else 0
    wrong += [f"{len(lost)} lost: {lost}"] if len(lost) > allowed else []
    wrong += [f"reason {one}" for one in lost if not str(one).startswith(("decoder-crash", "decoder-timeout"))]
    return Try(goal="I4", case=f"a decoder: {how}", wrong="; ".join(wrong), seen=f"{len(lost)} of {len(got)} lost")


def _strike(how: How, after: float) -> None:
    end = time.monotonic() + 20
    while not decoders() and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(after)
    met = decoders()
    if not met or how == "busy":
        return
    if how in {"kill", "crash"}:
        _send(met[0], signal.SIGKILL if how == "kill" else signal.SIGSEGV)
    elif how == "hang":
        _send(met[0], signal.SIGSTOP)  # until the pool gives it up
    else:
        chosen = met if how == "all stopped" else met[:1]
        for process in chosen:
            _send(process, signal.SIGSTOP)
        time.sleep(3.0)  # longer than an image may take
        for process in chosen:
            _send(process, signal.SIGCONT)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return


@contextmanager
def _quiet() -> Iterator[None]:
    yield


@contextmanager
def _busy() -> Iterator[None]:
    """Four processes that count, for as long as this lasts."""
    begun = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            while True:
                pass
        begun.append(pid)
    try:
        yield
    finally:
        for pid in begun:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
