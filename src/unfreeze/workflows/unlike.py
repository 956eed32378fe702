"""What a delivered model knows of its training photos: which photos are unlike them, and to which they are like."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from unfreeze.core.cards import card_from
from unfreeze.core.progress import SILENT, Progress
from unfreeze.data.squares import geometry_of
from unfreeze.images.pool import DecoderPool
from unfreeze.probes.clouds import fitted_cloud
from unfreeze.strategies.experiment import Experiment
from unfreeze.workflows.neighbours import Pictures, neighbourhood_of, write_neighbourhood
from unfreeze.workflows.prediction import classifier_of, scored_squares
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
    names: Sequence[str] | None = None,
    cache: Path | None = None,
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
        names: Of the photos, for people: they are kept beside the model then, with small pictures (`neighbours`).
        cache: Folder where the model's program is kept; the user's cache if None.
        progress: Reports progress per photo.
    """
    settings = read_config(folder)[OUR_KEY]
    if has_cloud(settings):
        return
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(paths))[:MOST_PHOTOS])
    named, card, pictures = [paths[row] for row in rows], card_from(settings["card"]), Pictures()
    engine = classifier_of(folder, settings, device, cache=cache)
    with progress.phase("learn what photos look like", total=len(named), unit="image") as advance:
        squares = pool.squares(named, geometry_of(card))
        squares = squares if names is None else pictures.watching(squares)
        found = scored_squares(engine, named, squares, card, model=f"the model in {folder}", advance=advance)
    if found.codes is None:
        return
    place = {str(paths[row]): row for row in rows}
    read = [place[name] for name in found.names]
    known = labels[read]
    if names is not None:
        classes = read_config(folder)["label_names"]
        given = [classes[label] for label in known]
        write_neighbourhood(folder, neighbourhood_of(found.codes, [names[row] for row in read], given, pictures.made))
    cloud = fitted_cloud(found.codes, known, seed=seed)
    if cloud is not None:
        write_cloud(folder, cloud)


def add_unlike_of(folder: Path, experiment: Experiment, pool: DecoderPool, *, photos: bool) -> None:
    """As `add_unlike`, for the model of a run: it learned from the whole train part.

    Args:
        folder: Of the model, in the run's folder.
        experiment: Of the run.
        pool: Decoder pool.
        photos: Whether small pictures of photos may be written.
    """
    task = experiment.task
    images = [task.image_set.images[row] for row in task.train_rows]
    add_unlike(
        folder,
        [image.path for image in images],
        task.labels[task.train_rows],
        pool=pool,
        device=experiment.device,
        seed=experiment.seed,
        names=[image.name for image in images] if photos else None,
        cache=experiment.cache,
        progress=experiment.progress,
    )
