"""How long it takes to make what a training is fed with, forecast before any of it is made."""

import json
import math
import platform
import time
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from unfreeze.core.files import disk_errors_explained, sha256_of, write_json
from unfreeze.features.engines import Engine
from unfreeze.images.pool import usable_cores
from unfreeze.store.codes import kept_beside
from unfreeze.training.examples import Pixels
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.graph import Cut

TIMED_BATCH = 8
TIMES = 3
TIMED_PIXELS = 16


def seconds_an_image(source: Backbone) -> float:
    """Processor time of one image through the network in float32, seconds; the least of three small batches.

    Not wall time, which other programs stretch: on a busy machine the smaller of two networks seemed the costlier one.
    """
    size = source.card.size
    images, times = torch.zeros(TIMED_BATCH, 3, size, size), []
    with torch.inference_mode():
        for _ in range(TIMES + 1):  # the first one allocates
            started = time.process_time()
            source.network(images)
            times.append(time.process_time() - started)
    return min(times[1:]) / TIMED_BATCH


def seconds_of_pixels(pixels: Pixels, rows: Int[np.ndarray, " row"]) -> float:
    """Wall time of one augmented image that was decoded before, seconds."""
    few, seconds = rows[:TIMED_PIXELS], 0.0
    for _ in range(2):  # the first time they are decoded, which happens once
        started = time.perf_counter()
        for _ in pixels.batches(few, size=len(few), epoch=0):
            pass
        seconds = time.perf_counter() - started
    return seconds / len(few)


def seconds_of_remembering(source: Backbone, cut: Cut, engine: Engine, cache: Path | None) -> float:
    """Wall time of one image's activations at a cut: as it was the last time on this machine.

    Args:
        source: The network.
        cut: Where its frozen part ends.
        engine: Of that part.
        cache: Folder of what is kept; the user's cache if None.

    Returns:
        Seconds; the first time, those of the whole network in float32 on all cores, which is more than it takes.
    """
    try:
        kept = float(json.loads(_path(source, cut, engine, cache).read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, TypeError, KeyError):
        kept = math.nan
    return kept if 0 <= kept < math.inf else seconds_an_image(source) / usable_cores()


def keep_pace(source: Backbone, cut: Cut, engine: Engine, cache: Path | None, *, seconds: float) -> None:
    """Keep what an image has taken, for the next run.

    Args:
        source: The network.
        cut: Where its frozen part ends.
        engine: Of that part.
        cache: Folder of what is kept; the user's cache if None.
        seconds: Wall time of an image.
    """
    path = _path(source, cut, engine, cache)
    with disk_errors_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"seconds": seconds, "for": _key(source, cut, engine)})


def _key(source: Backbone, cut: Cut, engine: Engine) -> dict[str, object]:
    return {
        "network": source.card.name,
        "size": source.card.size,
        "cut": cut.name,
        "engine": str(engine),
        "machine": platform.node(),
        "cores": usable_cores(),
    }


def _path(source: Backbone, cut: Cut, engine: Engine, cache: Path | None) -> Path:
    key = sha256_of(json.dumps(_key(source, cut, engine), sort_keys=True).encode())[:16]
    return kept_beside("activations", cache) / f"{key}.json"
