"""Several networks, or sizes of one network's input, measured by cheap probes on their last codes and common splits."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from unfreeze.core.errors import InputError, PlanError
from unfreeze.core.records import Screened
from unfreeze.core.seeding import generator
from unfreeze.core.settings import Metric
from unfreeze.core.wording import duration
from unfreeze.data.image_set import ImageSet
from unfreeze.data.tasks import Task
from unfreeze.metrics.repeated import FOLDS
from unfreeze.probes.transferability import NEIGHBOURS, h_score, log_maximum_evidence, neighbour_accuracy
from unfreeze.strategies.depth_curve import ProbeSpec, fit_tap_probes
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.predictions import predicted_of
from unfreeze.zoo.backbones import Backbone, load_backbone

SCORED_IMAGES = 2000  # at most, by LogME and the like, whose time grows faster than the number of images
TIMED_BATCH = 8
TIMES = 3
GRID = 32  # pixels: the usual stride of a network
SHARES = (1.0, 5 / 7, 3 / 7)  # of the network's own size: 224, 160, 96

Values = tuple[Float[np.ndarray, " image"], ...]
Prepare = Callable[[ImageSet, Backbone], Experiment]  # reads codes, as `preparation.prepare` does


@dataclass(frozen=True, eq=False, kw_only=True)
class Found:
    """What the probes of all candidates gave.

    Attributes:
        task: Its splits are those of every candidate.
        sources: The networks, cheapest first.
        candidates: For each what is known of it, and for each split a value per test image; none if it was left out.
    """

    task: Task
    sources: tuple[Backbone, ...]
    candidates: tuple[tuple[Screened, Values], ...]


def load_candidates(
    names: str | tuple[str, ...], sizes: int | tuple[int, ...] | Literal["auto"] | None, *, weights: Path | None = None
) -> list[Backbone]:
    """Every network at every size.

    Args:
        names: Of networks.
        sizes: Of the input, pixels; None for the network's own, ``auto`` for that and two smaller ones.
        weights: A file of weights for the only network.

    Returns:
        The networks; of the sizes of ``auto`` those that the network accepts.

    Raises:
        UnknownBackboneError: No network has one of these names.
        WeightsError: There are no weights, or they do not fit.
        PlanError: A network cannot be cut, or does not accept a size that was named.
        InputError: Weights are given for several networks.
    """
    asked = (names,) if isinstance(names, str) else names
    if weights is not None and len(asked) > 1:
        msg = f"--weights belongs to one network; got {len(asked)} ({', '.join(asked)}). Name one, or leave it out."
        raise InputError(msg)
    if sizes == "auto":
        return [source for name in asked for source in _at_automatic_sizes(name, weights)]
    wanted = sizes if isinstance(sizes, tuple) else (sizes,)
    return [load_backbone(name, weights=weights, size=size) for name, size in product(asked, wanted)]


def _at_automatic_sizes(name: str, weights: Path | None) -> list[Backbone]:
    usual = load_backbone(name, weights=weights)
    found = [usual]
    for size in automatic_sizes(usual.card.size)[1:]:
        try:
            found.append(load_backbone(name, weights=weights, size=size))
        except PlanError:
            continue  # a network of fixed size
    return found


def automatic_sizes(own: int) -> tuple[int, ...]:
    """The network's own size and up to two smaller ones, on the grid of its stride.

    Args:
        own: Pixels.

    Returns:
        Pixels, descending.

    Example:
        >>> automatic_sizes(224)
        (224, 160, 96)
    """
    smaller = {max(GRID, round(share * own / GRID) * GRID) for share in SHARES[1:]}
    return (own, *sorted((size for size in smaller if size < own), reverse=True))


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


def measure_candidates(
    sources: Sequence[Backbone], image_set: ImageSet, prepare: Prepare, *, metric: Metric, within: float
) -> Found:
    """Codes, probes on five splits and transferability scores of every candidate that fits, cheapest first.

    Args:
        sources: The networks.
        image_set: Images that all of them see.
        prepare: Reads codes.
        metric: What decides.
        within: Seconds for all of it; the cheapest candidate is measured in any case.

    Returns:
        What was found.
    """
    started, forecast, factor = time.perf_counter(), 0.0, 1.0
    timed = sorted(((seconds_an_image(source), source) for source in sources), key=lambda pair: pair[0])
    candidates: list[tuple[Screened, Values]] = []
    first: Experiment | None = None
    for seconds, source in timed:
        row = _row(source, seconds, several_sizes=len({s.card.size for s in sources}) > 1)
        left, forecast = within - (time.perf_counter() - started), seconds * len(image_set.images)
        if first is not None and factor * forecast > left:
            note = f"about {duration(factor * forecast)} are needed, and {duration(left)} of the screening are left"
            candidates.append((replace(row, note=note), ()))
            continue
        begun = time.perf_counter()
        experiment = prepare(image_set, source)
        first = first or experiment
        if experiment.codes.names != first.codes.names:
            candidates.append((replace(row, note="an image could not be read any more"), ()))
            continue
        candidates.append(_measured(row, experiment, metric))
        if experiment.codes.computed:  # codes that were stored say nothing of those to come
            factor = (time.perf_counter() - begun) / forecast
    assert first is not None  # noqa: S101 - the cheapest is always measured
    return Found(task=first.task, sources=tuple(source for _, source in timed), candidates=tuple(candidates))


def _row(source: Backbone, seconds: float, *, several_sizes: bool) -> Screened:
    card = source.card
    return Screened(
        name=f"{card.name} at {card.size}" if several_sizes else card.name,
        backbone=card.name,
        size=card.size,
        parameters=card.parameters,
        seconds_an_image=seconds,
    )


def _measured(row: Screened, experiment: Experiment, metric: Metric) -> tuple[Screened, Values]:
    """A softmax on the last codes on each split, and scores of the codes of the train part."""
    task, codes = experiment.task, experiment.codes.last
    last = experiment.source.taps[-1].name
    specs = [ProbeSpec(task.split(number), last, "softmax") for number in range(FOLDS)]
    checkpoint = experiment.progress.checkpoint
    probes = fit_tap_probes({last: codes}, task, specs, balanced=metric == "balanced accuracy", advance=checkpoint)
    values = tuple(
        predicted_of(probe.test_scores, task, spec.split).values(metric, task)
        for spec, probe in zip(specs, probes, strict=True)
    )
    rows = task.train_rows
    if len(rows) > SCORED_IMAGES:
        rows = np.sort(generator(task.seed, "transferability").choice(rows, SCORED_IMAGES, replace=False))
    scored_codes, labels = codes[rows], task.labels[rows]
    scored = replace(
        row,
        log_maximum_evidence=log_maximum_evidence(scored_codes, labels),
        h_score=h_score(scored_codes, labels),
        neighbour_accuracy=neighbour_accuracy(scored_codes, labels, neighbours=min(NEIGHBOURS, len(rows) - 1)),
    )
    return scored, values
