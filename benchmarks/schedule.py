"""How long codes of very many images take on many workers: the schedule of `unfreeze codes --on`, simulated.

    python benchmarks/schedule.py record --panel PANEL --sets trashnet,cifar10
    python benchmarks/schedule.py driver --sizes 1000,12000
    python benchmarks/schedule.py index
    python benchmarks/schedule.py plan --images 100000000 --workers 64 --speed 16

`record` has one worker of one core read the images of some sets, a portion of 256 at a time, as on a cluster. It keeps
the processor seconds of every portion, those of its decoder too, as a row of `results.jsonl` beside this file: what it
takes on a core of its own. `driver` keeps the processor seconds of the command itself, of `unfreeze codes --on ray` on
so many photos, which are drawn as `cluster.py` draws them. `index` keeps what it takes to index the largest store of
the cache, as every process does that opens it, and to read it.

`plan` draws from the portions of the newest rows, divided by `--speed`, and hands them out as `cluster/workers.py`
does: each to whoever is free, at most four a worker ahead of the first one that is not finished, those of a worker that
ended once more. The command itself (the driver) is busy with every portion, one after the other: by the difference of
its two rows, or for `--driver` milliseconds an image. It prints one JSON document.
"""

import argparse
import heapq
import itertools
import json
import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import psutil
from cluster import draw
from cluster import seconds as seconds_of
from panel import code_version, is_there, keep, rows
from tables import newest

from unfreeze.cluster.codes import CodesJob
from unfreeze.cluster.workers import AHEAD
from unfreeze.core.settings import ImageSettings
from unfreeze.data.inspection import listed_images
from unfreeze.data.levels import measure_levels
from unfreeze.features.engine_choice import SAMPLE
from unfreeze.features.resources import Resources
from unfreeze.features.streaming import code_portions
from unfreeze.images.pool import DecoderPool
from unfreeze.store.codes import SHARD_ROWS, CodeStore
from unfreeze.store.eviction import bytes_in, store_folders
from unfreeze.store.key_index import key_index
from unfreeze.store.places import stores_folder
from unfreeze.store.shards import read_shard, recorded_manifest, rows_of_shard, shards_in
from unfreeze.workflows.reading import frozen_network

MEASURE, DRIVER, INDEX = "portions", "driver", "index"
HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where portions are carried out.

    Attributes:
        workers: How many.
        start: Seconds until one is ready, in the beginning and in the place of one that ended.
        driver: Seconds for which the command is busy with a portion that was finished, one after the other.
        ends: How many times an hour each worker ends, by chance.
        ahead: Portions a worker that may be handed out beyond the first one that is not finished.
    """

    workers: int
    start: float = 0.0
    driver: float = 0.0
    ends: float = 0.0
    ahead: int = AHEAD


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of it.

    Attributes:
        seconds: Until all portions were finished and noted.
        working: Share of that which workers spent with portions that they finished.
        driving: Share of that for which the driver was busy.
        ended: How many workers ended.
        lost: Seconds of work that ended with them.
        most_ends: How many of them ended at one portion, at most; the command gives up after three in a row.
    """

    seconds: float
    working: float
    driving: float
    ended: int
    lost: float
    most_ends: int


@final
class Schedule:
    """A simulation that moves from event to event.

    Args:
        seconds: Of every portion.
        cluster: Where they are carried out.
        seed: Of when workers end.
    """

    def __init__(self, seconds: Sequence[float], cluster: Cluster, *, seed: int = 0) -> None:
        self._seconds, self._cluster, self._rng = seconds, cluster, np.random.default_rng(seed)
        self._events: list[tuple[float, int, str, int]] = []
        self._order = itertools.count()
        self._again: list[int] = []
        self._noted: set[int] = set()
        self._ends: Counter[int] = Counter()
        self._idle = self._given = self._turn = 0
        self._now = self._driver_free = self._lost = 0.0

    def run(self) -> Done:
        """Carry out all portions."""
        for _ in range(self._cluster.workers):
            self._tell(self._cluster.start, "ready")
        while self._turn < len(self._seconds):
            self._now, _, what, portion = heapq.heappop(self._events)
            self._happens(what, portion)
            self._hand_out()
        return Done(
            seconds=self._now,
            working=float(np.sum(self._seconds)) / (self._now * self._cluster.workers),
            driving=len(self._seconds) * self._cluster.driver / self._now,
            ended=self._ends.total(),
            lost=self._lost,
            most_ends=max(self._ends.values(), default=0),
        )

    def _tell(self, when: float, what: str, portion: int = -1) -> None:
        heapq.heappush(self._events, (when, next(self._order), what, portion))

    def _happens(self, what: str, portion: int) -> None:
        if what == "finished":
            begins = max(self._now, self._driver_free)
            self._driver_free = begins + self._cluster.driver
            self._tell(begins, "ready")  # what was finished is noted after the worker has something new
            self._tell(self._driver_free, "noted", portion)
        elif what == "ended":
            self._ends[portion] += 1
            self._again.append(portion)
            self._tell(self._now + self._cluster.start, "ready")
        elif what == "ready":
            self._idle += 1
        else:
            self._noted.add(portion)
        while self._turn in self._noted:
            self._noted.remove(self._turn)
            self._turn += 1

    def _hand_out(self) -> None:
        while self._idle and (self._again or self._may_go_on):
            if self._again:
                portion = self._again.pop()
            else:
                portion, self._given = self._given, self._given + 1
            self._idle -= 1
            self._give(portion)

    @property
    def _may_go_on(self) -> bool:
        ahead = self._cluster.ahead * self._cluster.workers
        return self._given < len(self._seconds) and self._given - self._turn < ahead

    def _give(self, portion: int) -> None:
        needed = self._seconds[portion]
        lives = self._rng.exponential(HOUR / self._cluster.ends) if self._cluster.ends else math.inf
        if lives < needed:
            self._lost += lives
            self._tell(self._now + lives, "ended", portion)
        else:
            self._tell(self._now + needed, "finished", portion)


def processor_seconds() -> float:
    """Of this process and of its children, so far."""
    process = psutil.Process()
    return sum(sum(one.cpu_times()[:2]) for one in (process, *process.children(recursive=True)))


def read_portions(source: Path) -> list[float]:
    """Processor seconds of every portion of some images, whose codes are not there, by a worker that is ready.

    Args:
        source: Folder or list of images.
    """
    settings = ImageSettings(source=source)
    with DecoderPool(workers=1) as pool, tempfile.TemporaryDirectory() as cache, listed_images(source) as table:
        measure_levels(table, pool=pool)
        resources = Resources(pool=pool, cache=Path(cache))
        network, total, sample = frozen_network(settings, Path(cache)), len(table), table.spread(SAMPLE)
        with code_portions(network, sample, settings.request, resources, to_come=total) as codes:
            choice = codes.choice
        job = CodesJob(
            settings=settings,
            levels=table.levels,
            choice=choice,
            sample=tuple(sample),
            to_come=total,
            cache=Path(cache),
        )
        found = []
        with job.ready() as carry_out:
            candidates = table.candidates()
            carry_out(list(itertools.islice(candidates, SAMPLE)))  # the engine is compiled, decoders are up
            while len(some := list(itertools.islice(candidates, SHARD_ROWS))) == SHARD_ROWS:
                before = processor_seconds()
                carry_out(some)
                found.append(round(processor_seconds() - before, 2))
    return found


def record(panel: Path, sets: Sequence[str]) -> None:
    """Keep a row a set, unless it is there."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for name in sets:
        key = {"measure": MEASURE, "set": name, "code": code_version(), "cores": 1}
        if not is_there(key):
            keep({**key, "images": SHARD_ROWS, "seconds": read_portions((panel / name / "list.csv").resolve())})


def record_driver(sizes: Sequence[int]) -> None:
    """Keep a row a size, unless it is there."""
    code = code_version()
    missing = [size for size in sizes if not is_there({"measure": DRIVER, "images": size, "code": code})]
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        if missing:
            seconds_of(draw(Path(folder) / "few", 64), "alone", cache)  # the graph is kept from now on
        for size in missing:
            found = seconds_of(draw(Path(folder) / str(size), size), "one worker", cache)
            keep({"measure": DRIVER, "images": size, "code": code, "seconds": found["driver"]})


def record_index() -> None:
    """Keep a row of the largest store."""
    _, folder = max((bytes_in(one), one) for one in store_folders(stores_folder()))
    shards = shards_in(folder)
    images = sum(map(rows_of_shard, shards))
    before = time.process_time()
    manifest = recorded_manifest(folder)
    assert manifest is not None
    with key_index(CodeStore(folder, manifest["widths"], manifest)):
        pass
    indexed = time.process_time()
    for shard in shards:
        read_shard(shard)
    found = {
        "shards": len(shards),
        "images": images,
        "bytes_an_image": round(sum(shard.stat().st_size for shard in shards) / images),
        "index_ms_a_shard": round(1000 * (indexed - before) / len(shards), 2),
        "read_ms_a_shard": round(1000 * (time.process_time() - indexed) / len(shards), 2),
    }
    keep({"measure": INDEX, "code": code_version(), **found})


def driver_milliseconds() -> float:
    """Of an image, without the start of the command: by the smallest and the largest of the newest rows."""
    found = {row["images"]: row["seconds"] for row in rows() if row["measure"] == DRIVER}
    few, many = min(found), max(found)
    return 1000 * (found[many] - found[few]) / (many - few)


def recorded() -> list[float]:
    """Seconds of all portions of the newest rows."""
    found = newest((row for row in rows() if row["measure"] == MEASURE), "set")
    return [seconds for row in found for seconds in row["seconds"]]


def plan(asked: argparse.Namespace) -> dict[str, Any]:
    """What `plan` prints."""
    number, times = -(-asked.images // SHARD_ROWS), np.array(recorded()) / asked.speed
    seconds = np.random.default_rng(0).choice(times, number)
    if asked.straggler:
        seconds[-1] = asked.straggler
    driver = driver_milliseconds() if asked.driver is None else asked.driver
    cluster = Cluster(workers=asked.workers, start=asked.start, driver=driver * SHARD_ROWS / 1000, ends=asked.ends)
    done = Schedule(seconds.tolist(), cluster).run()
    return {
        "portions": number,
        "mean seconds a portion": round(float(times.mean()), 4),
        "driver, milliseconds an image": round(driver, 3),
        "hours": round(done.seconds / HOUR, 2),
        "images a second": round(asked.images / done.seconds),
        "workers at work, %": round(100 * done.working, 1),
        "driver at work, %": round(100 * done.driving, 1),
        "workers that ended": done.ended,
        "hours of work lost": round(done.lost / HOUR, 2),
        "ends at one portion, at most": done.most_ends,
    }


def main() -> None:
    """Record, or plan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    does = parser.add_subparsers(dest="does", required=True)
    recording = does.add_parser("record")
    recording.add_argument("--panel", type=Path, required=True)
    recording.add_argument("--sets", default="trashnet,cifar10")
    driving = does.add_parser("driver")
    driving.add_argument("--sizes", default="1000,12000")
    does.add_parser("index")
    planning = does.add_parser("plan")
    planning.add_argument("--images", type=int, default=100_000_000)
    planning.add_argument("--workers", type=int, default=64)
    planning.add_argument("--speed", type=float, default=1.0, help="of a worker, in times that of the recorded one")
    planning.add_argument("--driver", type=float, help="milliseconds an image, instead of those of the rows")
    planning.add_argument("--start", type=float, default=15.0, help="seconds until a worker is ready")
    planning.add_argument("--ends", type=float, default=0.0, help="times an hour that each worker ends")
    planning.add_argument("--straggler", type=float, default=0.0, help="seconds of the last portion")
    asked = parser.parse_args()
    if asked.does == "record":
        record(asked.panel, asked.sets.split(","))
    elif asked.does == "index":
        record_index()
    elif asked.does == "driver":
        record_driver([int(size) for size in asked.sizes.split(",")])
    else:
        print(json.dumps(plan(asked), indent=1))


if __name__ == "__main__":
    main()
