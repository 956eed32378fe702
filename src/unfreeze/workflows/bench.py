"""What the trials of a run share, as plain data: with it and the store of codes another process can carry them out."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from unfreeze.core.errors import WeightsError
from unfreeze.core.plans import RECIPES, Augmentation
from unfreeze.core.settings import EngineSettings, Metric, ResizeWord, StudySettings
from unfreeze.data.image_set import ImageSet
from unfreeze.features.engine_choice import EngineChoice, dictated
from unfreeze.features.engines import Engine
from unfreeze.features.resources import Resources
from unfreeze.strategies.catalogue import PhotoCatalogue
from unfreeze.strategies.execution import InThisProcess
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.preparation import prepare
from unfreeze.zoo.backbones import load_backbone


@dataclass(frozen=True, eq=False, kw_only=True)
class Bench:
    """What all trials of a run share.

    Attributes:
        image_set: Every image has a split; without those whose codes could not be read.
        network: Name of the network, or its folder.
        size: Side of its input, pixels.
        resize: How photos become squares.
        weights: File of its weights, instead of its usual ones.
        weights_sha256: Of its weights.
        engine: What runs its frozen layers.
        device: Where torch runs.
        threads: Of torch: other numbers give other last bits.
        metric: What decides, and so what is trained and fitted for.
        augmentation: Of training images, before any check of flips; a trial that trains has its own.
        seed: Of the run.
    """

    image_set: ImageSet
    network: str
    size: int
    resize: ResizeWord
    weights: Path | None
    weights_sha256: str
    engine: Engine
    device: str
    threads: int
    metric: Metric
    augmentation: Augmentation
    seed: int


def bench_of(experiment: Experiment, settings: StudySettings) -> Bench:
    """What another process needs for the trials of an experiment.

    Args:
        experiment: In this process.
        settings: What was asked.

    Returns:
        Plain data.
    """
    card = experiment.source.card
    return Bench(
        image_set=replace(experiment.task.image_set, skipped={}),
        network=experiment.source.asked or card.name,
        size=card.size,
        resize=card.resize,
        weights=settings.weights,
        weights_sha256=card.weights_sha256,
        engine=experiment.engine,
        device=experiment.device.name,
        threads=torch.get_num_threads(),
        metric=experiment.metric,
        augmentation=RECIPES[settings.augment],
        seed=experiment.seed,
    )


def executor_at(bench: Bench, resources: Resources) -> InThisProcess:
    """What carries out trials in this process, as they would be carried out where the bench comes from.

    Args:
        bench: Of the run.
        resources: Decoders, progress, and the cache that has the store of the run's codes.

    Returns:
        The executor.

    Raises:
        WeightsError: The network has other weights here.
        InputError: The network, the engine or the device is not there.
    """
    torch.set_num_threads(bench.threads)
    source = load_backbone(bench.network, weights=bench.weights, size=bench.size).resized_by(bench.resize)
    source = source.with_levels(bench.image_set.levels)
    if source.card.weights_sha256 != bench.weights_sha256:
        msg = f"{bench.network} has other weights here than where the run was begun. Bring the same ones."
        raise WeightsError(msg)
    chosen = EngineChoice(engine=bench.engine, candidates=(), because=f"{bench.engine}, as the run has chosen.")
    request = EngineSettings(bench.engine.name, bench.engine.precision, bench.device)
    experiment = prepare(
        bench.image_set,
        source,
        replace(resources, journal=dictated(source.card, chosen)),
        request,
        seed=bench.seed,
        augmentation=bench.augmentation,
    )
    experiment = replace(experiment, metric=bench.metric)
    return InThisProcess(PhotoCatalogue(experiment), experiment.task)
