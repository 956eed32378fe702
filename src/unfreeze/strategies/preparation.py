"""What comes before the first strategy: codes, rows, and whether mirrored images may train."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from unfreeze.core.plans import LIGHT, Augmentation
from unfreeze.core.settings import EngineSettings
from unfreeze.core.wording import count, points
from unfreeze.data.image_set import ImageSet
from unfreeze.data.squares import Squares
from unfreeze.data.tasks import make_task
from unfreeze.features.engine_choice import SAMPLE
from unfreeze.features.extraction import codes_of, with_codes_only
from unfreeze.features.frozen import FrozenBackbone
from unfreeze.features.prefixes import compile_prefix
from unfreeze.features.resources import Resources
from unfreeze.probes.cores import side_by_side
from unfreeze.probes.solver import LinearProbe, fit_probe
from unfreeze.strategies.experiment import Experiment
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import find_device

MIRRORED_IMAGES = 400
MIRROR_LOSS = 0.02  # an accuracy that falls by more says that left and right carry the label, as in letters
SURE_LOSS = 2.0  # standard errors that it must fall by: of forty images one is more than two points


def prepare(
    image_set: ImageSet,
    source: Backbone,
    resources: Resources,
    request: EngineSettings,
    *,
    seed: int = 0,
    augmentation: Augmentation = LIGHT,
    details: bool = True,
) -> Experiment:
    """Read the codes and lay out the task.

    Args:
        image_set: Every image has a split.
        source: The pretrained network with its own head.
        resources: Decoders, progress, and what is kept between runs.
        request: Engine and precision of the prefix, and the device.
        seed: The run's seed.
        augmentation: Of training images.
        details: Whether more is read at the taps than their codes, for the classifier on all of them.

    Returns:
        The experiment.

    Raises:
        InputError: There is no such engine or device here.
    """
    device = find_device(request.device)
    codes = codes_of(image_set, FrozenBackbone(source, device), resources, request, details=details)
    task = make_task(with_codes_only(image_set, codes), seed=seed)
    squares = Squares(task.image_set.images, source.card, resources.pool)
    return Experiment(
        task=task,
        source=source,
        codes=codes,
        squares=squares,
        augmentation=augmentation,
        seed=seed,
        device=device,
        resources=resources,
    )


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
    lost, noise, asked = _lost_to_mirrors(experiment, C=C)
    flips = lost <= max(MIRROR_LOSS, SURE_LOSS * noise)
    experiment.progress.say(_on_mirrors(lost, noise, asked, flips=flips))
    return experiment if flips else replace(experiment, augmentation=without_flips(experiment.augmentation))


def _on_mirrors(lost: float, noise: float, asked: int, *, flips: bool) -> str:
    """What was found and what follows; a loss is spoken of only where there is one beyond chance."""
    asked_in_words = count(asked, "held-out training image")
    if not flips:
        return f"Mirrored images are recognised {points(lost)} worse ({asked_in_words}): training mirrors none."
    if lost > SURE_LOSS * noise:
        return f"Mirrored images are recognised only {points(lost)} worse ({asked_in_words}): training mirrors images."
    return f"Mirrored images are recognised as well, as far as {asked_in_words} can tell: training mirrors images."


def _lost_to_mirrors(experiment: Experiment, *, C: float) -> tuple[float, float, int]:
    """Accuracy that mirroring costs on a fold, its standard error, and on how many images."""
    task, codes = experiment.task, experiment.codes.last
    learn, select = task.everything().folds[0]
    asked = select[:: max(1, len(select) // MIRRORED_IMAGES)]

    def fit(rows: Int[np.ndarray, " row"]) -> LinearProbe:
        return fit_probe(codes[rows], task.labels[rows], loss="softmax", C=C, class_count=task.class_count)

    (probe,) = side_by_side(fit, [learn], size=len, advance=experiment.progress.checkpoint)
    right = probe.predict(codes[asked]) == task.labels[asked]
    less = right.astype(float) - (probe.predict(_mirrored_codes(experiment, asked)) == task.labels[asked])
    return float(less.mean()), float(less.std()) / len(less) ** 0.5, len(asked)


def _mirrored_codes(experiment: Experiment, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "row code"]:
    """Last codes of mirrored images."""
    source, pixels = experiment.source, experiment.pixels
    calibration = list(pixels.views(rows[:SAMPLE], epoch=None))
    compiled = compile_prefix(
        source,
        codes=source.taps[-1:],
        engine=experiment.engine,
        device=experiment.device,
        calibration=calibration,
        cache=experiment.cache,
    )
    found = []
    for outputs in compiled.run(view[:, ::-1] for view in pixels.views(rows, epoch=None)):
        found.append(outputs[0])
        experiment.progress.checkpoint()
    return np.stack(found)


def without_flips(recipe: Augmentation) -> Augmentation:
    """The same augmentation, never mirrored."""
    return replace(recipe, flip=0.0)
