"""What is done before the race: how like the source the images are."""

import numpy as np

from unfreeze.core.facts import Similarity
from unfreeze.features.similarity import SAMPLE, measure_similarity
from unfreeze.strategies.experiment import Experiment

SHARE_OF_BUDGET = 0.02  # for similarity
SECONDS_AN_IMAGE = 0.08  # two passes through the network in float32, on one core of a server
FEWEST_IMAGES = 20


def similarity_within(experiment: Experiment, *, budget: float) -> Similarity:
    """Similarity of the train part to the source, on as many images as a small share of the budget allows.

    Args:
        experiment: Network and images.
        budget: Seconds.

    Returns:
        As `measure_similarity`.
    """
    count = int(np.clip(SHARE_OF_BUDGET * budget / SECONDS_AN_IMAGE, FEWEST_IMAGES, SAMPLE))
    task = experiment.task
    images = [task.image_set.images[row] for row in task.train_rows]
    pool, checkpoint = experiment.squares.pool, experiment.progress.checkpoint
    return measure_similarity(experiment.source, images, pool=pool, count=count, advance=checkpoint)
