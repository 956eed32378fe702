"""What comes before the first strategy: codes, rows, what decides, and whether mirrored images may train."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.records import Metric
from unfreeze.data.decoder_pool import DecoderPool
from unfreeze.data.image_set import ImageSet
from unfreeze.data.transforms import LIGHT, Augmentation
from unfreeze.features.choice import SAMPLE
from unfreeze.features.engines import compile_prefix
from unfreeze.features.extraction import read_codes
from unfreeze.metrics.imbalance import strongly_imbalanced
from unfreeze.probes.cores import one_blas_thread
from unfreeze.probes.solver import fit_probe
from unfreeze.strategies.experiment import Experiment, Task, make_task, with_codes_only
from unfreeze.training.examples import Squares
from unfreeze.zoo.backbones import Backbone

MIRRORED_IMAGES = 400
MIRROR_LOSS = 0.02  # an accuracy that falls by more says that left and right carry the label, as in letters
SURE_LOSS = 2.0  # standard errors that it must fall by: of forty images one is more than two points


def prepare(
    image_set: ImageSet,
    source: Backbone,
    *,
    pool: DecoderPool,
    progress: Progress = SILENT,
    engine: str = "auto",
    precision: str = "auto",
    seed: int = 0,
    augmentation: Augmentation = LIGHT,
    cache: Path | None = None,
) -> Experiment:
    """Read the codes and lay out the task.

    Args:
        image_set: Every image has a split.
        source: The pretrained network with its own head.
        pool: Decodes.
        progress: Is told where the work stands.
        engine: Of the prefix: auto, openvino or torch.
        precision: Of the prefix: auto, f32, bf16 or int8.
        seed: The run's seed.
        augmentation: Of training images.
        cache: Folder of what is kept between runs, codes first of all; the user's cache if None.

    Returns:
        The experiment.
    """
    codes = read_codes(image_set, source, pool=pool, progress=progress, engine=engine, precision=precision, cache=cache)
    task = make_task(with_codes_only(image_set, codes), seed=seed)
    squares = Squares(task.image_set.images, source.card, pool)
    return Experiment(
        task=task,
        source=source,
        codes=codes,
        squares=squares,
        augmentation=augmentation,
        seed=seed,
        progress=progress,
        cache=cache,
    )


def metric_for(task: Task, asked: Metric | None) -> tuple[Metric, str]:
    """The metric that decides, and why in a sentence.

    Args:
        task: Its training labels.
        asked: What the user wants; None to go by the classes.

    Returns:
        The metric and the sentence.
    """
    if asked is not None:
        return asked, f"{asked.capitalize()} decides, as asked."
    labels = task.labels[task.train_rows]
    if strongly_imbalanced(labels):
        counts = np.bincount(labels, minlength=task.class_count)
        why = f"the largest class has {counts.max():,} images and the smallest {counts.min():,}"
        return "balanced accuracy", f"Balanced accuracy decides, because {why}."
    return "accuracy", "Accuracy decides: the classes are not strongly imbalanced."


def with_measured_flips(experiment: Experiment, *, C: float) -> Experiment:
    """The experiment with flips off where mirrored images are recognised much worse.

    A softmax on the last codes, fitted on what an inner fold of the train part learns from, is asked about images that
    the fold holds out and about the same images mirrored.

    Args:
        experiment: With codes.
        C: Regularisation of the softmax.

    Returns:
        The experiment, its augmentation with or without flips; as it was where nothing is mirrored anyway.
    """
    if not experiment.augmentation.flip:
        return experiment
    task, codes = experiment.task, experiment.codes.last
    learn, select = task.everything().folds[0]
    asked = select[:: max(1, len(select) // MIRRORED_IMAGES)]
    with one_blas_thread():
        probe = fit_probe(codes[learn], task.labels[learn], loss="softmax", C=C, class_count=task.class_count)
    plain = probe.predict(codes[asked]) == task.labels[asked]
    source = experiment.source
    calibration = list(experiment.pixels.views(asked[:SAMPLE], epoch=None))
    compiled = compile_prefix(
        source, codes=source.taps[-1:], engine=experiment.engine, calibration=calibration, cache=experiment.cache
    )

    def mirrored() -> Iterator[UInt8[np.ndarray, "size size 3"]]:
        yield from (view[:, ::-1] for view in experiment.pixels.views(asked, epoch=None))

    seen = np.stack([outputs[0] for outputs in compiled.run(mirrored())])
    less = plain.astype(float) - (probe.predict(seen) == task.labels[asked])
    lost, noise = float(less.mean()), float(less.std()) / len(less) ** 0.5
    flips = lost <= max(MIRROR_LOSS, SURE_LOSS * noise)
    experiment.progress.say(
        f"Mirrored images cost the probe {100 * lost:.1f} points on {len(asked)} held-out training images: "
        f"training {'uses' if flips else 'does without'} flips."
    )
    return experiment if flips else replace(experiment, augmentation=without_flips(experiment.augmentation))


def without_flips(recipe: Augmentation) -> Augmentation:
    """The same augmentation, never mirrored."""
    return replace(recipe, flip=0.0)
