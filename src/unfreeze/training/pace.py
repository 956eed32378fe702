"""How long it takes to make what a training is fed with, forecast before any of it is made."""

import time
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from unfreeze.features.engines import Engine
from unfreeze.features.prefixes import compile_prefix
from unfreeze.training.examples import Pixels
from unfreeze.training.precision import threads
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.graph import Cut

TIMED_BATCH = 8
TIMES = 3
TIMED_PIXELS, TIMED_ACTIVATIONS = 16, 32


def seconds_an_image(source: Backbone) -> float:
    """Processor time of one image through the network in float32, seconds; the least of three small batches.

    Not wall time, which other programs stretch: on a busy machine the smaller of two networks seemed the costlier one.
    """
    size = source.card.size
    images, times = torch.zeros(TIMED_BATCH, 3, size, size), []
    with threads(1), torch.inference_mode():  # threads that wait for each other would count as work
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


def seconds_of_remembering(
    source: Backbone, cut: Cut, pixels: Pixels, rows: Int[np.ndarray, " row"], *, engine: Engine, cache: Path | None
) -> float:
    """Wall time of one image's activations at a cut, from a few images that were decoded before.

    Args:
        source: The network.
        cut: Where its frozen part ends.
        pixels: The images.
        rows: Of images.
        engine: Of the frozen part.
        cache: Folder of what is kept; the user's cache if None.

    Returns:
        Seconds.
    """
    few = list(pixels.views(np.resize(rows, TIMED_ACTIVATIONS), epoch=None))
    compiled = compile_prefix(source, raw=[cut], engine=engine, device=pixels.device, calibration=few, cache=cache)
    seconds = 0.0
    for _ in range(2):  # the first time pays for what is prepared once
        started = time.perf_counter()
        for _ in compiled.run(few):
            pass
        seconds = time.perf_counter() - started
    return seconds / len(few)
