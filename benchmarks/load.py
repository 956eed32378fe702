"""How ``unfreeze serve`` bears load, beside what its engine and its decoders do alone.

    python benchmarks/load.py unfreeze-runs/photos-1/model --seconds 60

Photos of 640 x 480 pixels as JPEG, in turn: decoded and put through the network without HTTP (*alone*); asked by one
client and by eight, each of which asks again as soon as it is answered (*closed loops*); and sent when their time has
come, whatever became of the others (*open loops*): at 60 % of what eight clients got, and at four times that. Of the
last one it counts what was refused (429 or 503), and how soon. An open loop counts from the moment at which a photo was
due. The row that is appended to `results.jsonl` beside this file also says what of this holds:

- `share_of_alone`: photos a second of eight clients, by what is done alone; 0.85 or more is wanted;
- `closed_tail`: their 99th percentile, in times 8 / throughput; 1.5 or less;
- `open_tail`: the 99th percentile at 60 %, in times the median of one client; 4 or less;
- `served_at_most`: photos a second that were served at four times capacity, by capacity; 1 is all of it.

Run it where nothing else runs: clients and service share the cores. It wants aiohttp, which Ray brings.
"""

import argparse
import asyncio
import itertools
import os
import tempfile
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from panel import code_version, is_there, keep
from serving import PHOTOS, jpegs, service

from unfreeze.images.geometry import centre
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.serving import load_to_serve
from unfreeze.zoo.devices import CPU

MEASURE = "load"
CLIENTS = 8
REFUSED = (429, 503)
WARM_UP = 16  # photos


@dataclass(frozen=True)
class Answer:
    """Status of an answer, and seconds from the moment at which the photo was due."""

    status: int
    seconds: float


def alone(model: Path, photos: list[bytes]) -> float:
    """Photos a second that decoders and then the engine do, each on all cores, without any service."""
    loaded = load_to_serve(model, CPU)
    with tempfile.TemporaryDirectory() as folder, DecoderPool() as pool:
        paths = [Path(folder) / f"{number}.jpg" for number in range(len(photos))]
        for path, photo in zip(paths, photos, strict=True):
            path.write_bytes(photo)
        list(pool.squares(paths[:WARM_UP], loaded.geometry))
        began = time.perf_counter()
        squares = list(pool.squares(paths, loaded.geometry))
        decoding = time.perf_counter() - began
    pixels = [centre(square[None], loaded.card.size)[0] for square in squares if not isinstance(square, Exception)]
    list(loaded.engine.run(pixels[:WARM_UP]))
    began = time.perf_counter()
    list(loaded.engine.run(pixels))
    return len(photos) / (decoding + time.perf_counter() - began)


async def ask(session: aiohttp.ClientSession, photo: bytes, due: float) -> Answer:
    """Send a photo."""
    async with session.post("/v1/predict?top=1", data=photo) as response:
        await response.read()
        return Answer(response.status, time.perf_counter() - due)


async def closed_loop(
    session: aiohttp.ClientSession, photos: list[bytes], clients: int, seconds: float
) -> list[Answer]:
    """Clients that ask again as soon as they are answered."""
    until, endless = time.perf_counter() + seconds, itertools.cycle(photos)

    async def client() -> list[Answer]:
        found = []
        while (now := time.perf_counter()) < until:
            found.append(await ask(session, next(endless), now))
        return found

    return [answer for of_client in await asyncio.gather(*(client() for _ in range(clients))) for answer in of_client]


def arrivals(rate: float, seconds: float, rng: np.random.Generator) -> Iterator[float]:
    """Seconds at which photos are due: as many as `rate` a second, each by chance."""
    due = rng.exponential(1 / rate)
    while due < seconds:
        yield due
        due += rng.exponential(1 / rate)


async def open_loop(session: aiohttp.ClientSession, photos: list[bytes], rate: float, seconds: float) -> list[Answer]:
    """Photos that come on their own."""
    began, tasks = time.perf_counter(), []
    for due, photo in zip(arrivals(rate, seconds, np.random.default_rng(0)), itertools.cycle(photos), strict=False):
        await asyncio.sleep(began + due - time.perf_counter())
        tasks.append(asyncio.create_task(ask(session, photo, began + due)))
    return list(await asyncio.gather(*tasks))


def told(answers: list[Answer], seconds: float) -> dict[str, Any]:
    """What came of a loop; times in milliseconds.

    Raises:
        RuntimeError: An answer is neither one nor a refusal.
    """
    served = [answer.seconds * 1000 for answer in answers if answer.status == 200]
    refused = [answer.seconds * 1000 for answer in answers if answer.status in REFUSED]
    if len(served) + len(refused) < len(answers):
        msg = f"Answers had the status {sorted({answer.status for answer in answers})}."
        raise RuntimeError(msg)
    return {
        "photos": len(answers),
        "a_second": round(len(served) / seconds, 1),
        "refused": len(refused),
        "served_ms": _middle_and_tail(served),
        "refused_ms": _middle_and_tail(refused),
    }


def _middle_and_tail(values: list[float]) -> list[float] | None:
    """Median and 99th percentile; None of nothing."""
    return [round(float(one), 1) for one in np.percentile(values, [50, 99])] if values else None


async def came(loop: Awaitable[list[Answer]]) -> dict[str, Any]:
    """What came of a loop, by the time until its last answer."""
    began = time.perf_counter()
    answers = await loop
    return told(answers, time.perf_counter() - began)


async def loops(address: str, photos: list[bytes], seconds: float) -> dict[str, Any]:
    """All loops in turn, after a warm-up."""
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(address, connector=connector, timeout=timeout) as session:
        await closed_loop(session, photos, CLIENTS, 3.0)
        one = await came(closed_loop(session, photos, 1, seconds))
        eight = await came(closed_loop(session, photos, CLIENTS, seconds))
        easy = await came(open_loop(session, photos, 0.6 * eight["a_second"], seconds))
        hard = await came(open_loop(session, photos, 4 * eight["a_second"], seconds))
    return {"one_client": one, "eight_clients": eight, "at_60_percent": easy, "at_four_times": hard}


def measure(model: Path, seconds: float) -> dict[str, Any]:
    """The row."""
    photos = jpegs(PHOTOS)
    by_itself = alone(model, photos)
    with service(model) as address:
        found = asyncio.run(loops(address, photos, seconds))
    eight, easy, hard = found["eight_clients"], found["at_60_percent"], found["at_four_times"]
    return {
        **found,
        "alone_a_second": round(by_itself, 1),
        "share_of_alone": round(eight["a_second"] / by_itself, 3),
        "closed_tail": round(eight["served_ms"][1] / 1000 * eight["a_second"] / CLIENTS, 2),
        "open_tail": round(easy["served_ms"][1] / found["one_client"]["served_ms"][0], 2),
        "served_at_most": round(hard["a_second"] / eight["a_second"], 3),
    }


def main() -> None:
    """Measure, unless it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each loop")
    asked = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    key = {"measure": MEASURE, "code": code_version(), "cores": cores, "each_seconds": asked.seconds}
    if not is_there(key):
        keep({**key, "load": os.getloadavg()[0], **measure(asked.model, asked.seconds)})


if __name__ == "__main__":
    main()
