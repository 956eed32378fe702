"""Where the codes of a training set lie."""

import numpy as np
import pytest

from unfreeze.metrics.novelty import likeness
from unfreeze.probes.clouds import FEWEST, fitted_cloud

CLASSES, CODES = 3, 200


def drawn(rng: np.random.Generator, photos: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes with more directions than photos, some of them far larger, and their classes; the means are fixed."""
    means = np.random.default_rng(7).normal(size=(CLASSES, CODES)) * 3
    labels = np.arange(photos) % CLASSES
    scales = np.where(np.arange(CODES) < 10, 5.0, 0.5)
    return means[labels] + rng.normal(size=(photos, CODES)) * scales, labels


@pytest.mark.parametrize("photos", [60, 240])
def test_of_photos_like_those_in_training_no_more_are_marked_than_asked(photos: int, rng: np.random.Generator) -> None:
    """Over many training sets, the share of fresh photos below a rate is at most that rate, with its own error."""
    marked = []
    for _ in range(12):
        cloud = fitted_cloud(*drawn(rng, photos), seed=0)
        assert cloud is not None
        marked.append(likeness(cloud, drawn(rng, 200)[0]) <= 0.1)

    share = float(np.mean(marked))

    assert share <= 0.1 + 3 * np.std([np.mean(one) for one in marked]) / np.sqrt(12) + 0.01


def test_strangers_are_marked(rng: np.random.Generator) -> None:
    """Codes that lie off in directions along which no training photo varies are at least nine times in ten."""
    cloud = fitted_cloud(*drawn(rng, 240), seed=0)
    assert cloud is not None
    strangers = drawn(rng, 100)[0]
    strangers[:, 100:] += 3.0

    assert (likeness(cloud, strangers) <= 0.01).mean() >= 0.9


def test_of_too_few_photos_nothing_is_known(rng: np.random.Generator) -> None:
    """Below the fewest there is no cloud; from there on there is one."""
    assert fitted_cloud(*drawn(rng, FEWEST - 1), seed=0) is None
    assert fitted_cloud(*drawn(rng, FEWEST), seed=0) is not None


def test_codes_that_never_vary_break_nothing() -> None:
    """All photos are the same: another one is as unlike as can be, the same one as like as can be."""
    same, other = 2 * np.eye(8)[0], np.arange(8.0)
    cloud = fitted_cloud(np.tile(same, (50, 1)), np.zeros(50, int), seed=0)

    assert cloud is not None
    assert likeness(cloud, np.array([same, other])).tolist() == pytest.approx([1.0, 1 / 51])
