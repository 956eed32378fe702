"""What a delivered model knows of its training photos, so that it can say of others that they are unlike them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from unfreeze.core.cards import card_from
from unfreeze.core.progress import SILENT, Progress
from unfreeze.data.squares import geometry_of
from unfreeze.features.classifiers import Form
from unfreeze.features.delivered import torch_classifier
from unfreeze.images.pool import DecoderPool
from unfreeze.probes.clouds import fitted_cloud
from unfreeze.strategies.experiment import Experiment
from unfreeze.workflows.prediction import scored_squares
from unfreeze.zoo.code_clouds import has_cloud, write_cloud
from unfreeze.zoo.devices import Device
from unfreeze.zoo.model_config import OUR_KEY, read_config

MOST_PHOTOS = 1000  # that are read: enough for a rate of 1 %, and a few seconds


def add_unlike(
    folder: Path,
    paths: Sequence[Path],
    labels: Int[np.ndarray, " photo"],
    *,
    pool: DecoderPool,
    device: Device,
    seed: int,
    progress: Progress = SILENT,
) -> None:
    """Have a model know where the codes of its training photos lie, unless it does, or they are too few.

    Args:
        folder: Of the model.
        paths: Of its training photos.
        labels: Class index of each.
        pool: Decoder pool.
        device: Where the network runs.
        seed: Of which photos are read, if there are many.
        progress: Reports progress per photo.
    """
    settings = read_config(folder)[OUR_KEY]
    if has_cloud(settings):
        return
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(paths))[:MOST_PHOTOS])
    named, card = [paths[row] for row in rows], card_from(settings["card"])
    engine = torch_classifier(folder, device, form=Form(gives_codes=True))
    with progress.phase("learn what photos look like", total=len(named), unit="image") as advance:
        squares = pool.squares(named, geometry_of(card))
        found = scored_squares(engine, named, squares, card, model=f"the model in {folder}", advance=advance)
    place = {str(path): label for path, label in zip(named, labels[rows], strict=True)}
    known = np.array([place[name] for name in found.names], int)
    cloud = None if found.codes is None else fitted_cloud(found.codes, known, seed=seed)
    if cloud is not None:
        write_cloud(folder, cloud)


def add_unlike_of(folder: Path, experiment: Experiment, pool: DecoderPool) -> None:
    """As `add_unlike`, for the model of a run: it learned from the whole train part."""
    task = experiment.task
    add_unlike(
        folder,
        [task.image_set.images[row].path for row in task.train_rows],
        task.labels[task.train_rows],
        pool=pool,
        device=experiment.device,
        seed=experiment.seed,
        progress=experiment.progress,
    )
