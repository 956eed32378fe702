"""How long the model of a strategy takes for an image."""

import copy
import re
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from unfreeze.core.journal import once
from unfreeze.core.records import Outcome
from unfreeze.strategies.experiment import Experiment
from unfreeze.training.precision import threads
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import Device

TIMED_BATCH = 4  # images: the whole of EfficientNet-Lite0 takes half a second then, warming up included
TIMES = 3


def with_milliseconds(outcome: Outcome, experiment: Experiment) -> Outcome:
    """The outcome with the time of its model; equal depths are timed once a run.

    Args:
        outcome: Of a strategy; as it is where nothing is known of its model.
        experiment: Its network, device and journal.

    Returns:
        The outcome with `ModelCost.milliseconds_an_image`.
    """
    cost = outcome.model_cost
    if cost is None:
        return outcome
    depth = "all" if cost.deepest_tap is None else re.sub(r"[^a-z0-9]+", "-", cost.deepest_tap.lower()).strip("-")
    found = once(
        experiment.resources.journal,
        f"milliseconds-of-{depth}",
        float,
        lambda: milliseconds_an_image(experiment.source, cost.deepest_tap, experiment.device),
    )
    return replace(outcome, model_cost=replace(cost, milliseconds_an_image=found))


def milliseconds_an_image(
    source: Backbone, deepest_tap: str | None, device: Device, *, clock: Callable[[], float] | None = None
) -> float:
    """Time of an image through the source network up to a tap: what `predict` takes on one core, without decoding.

    Timed is plain torch in float32, with one thread, on random pixels: the least of three batches of four images, after
    one that allocates. What was trained takes the time of its source, and the last linear layer, whose width differs,
    next to nothing. Processor time, since other programs stretch wall time: forty times, where two threads wait for
    each other. On a GPU it is wall time.

    Args:
        source: The network.
        deepest_tap: Where it is cut off; None for all of it.
        device: Where it runs.
        clock: Seconds; processor time on a CPU if None.

    Returns:
        Milliseconds, rounded to hundredths.
    """
    taps = {tap.name: tap for tap in source.taps}
    module = source.network if deepest_tap is None else source.prefix([taps[deepest_tap]])
    if not device.is_cpu:  # a copy, since the network's own layers stay where they are
        module = copy.deepcopy(module).to(device.torch)
    size = source.card.size
    images = torch.rand(TIMED_BATCH, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device.torch)
    took = []
    clock = clock or (time.process_time if device.is_cpu else time.perf_counter)
    with threads(1), torch.inference_mode():
        for _ in range(1 + TIMES):
            began = clock()
            found = module(images)
            last = found if deepest_tap is None else found[-1]
            last.sum().item()  # waits for a GPU
            took.append(clock() - began)
    return round(1000 * min(took[1:]) / TIMED_BATCH, 2)
