"""What comes before the first strategy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from unfreeze.core.plans import LIGHT, NONE
from unfreeze.data.image_set import Image
from unfreeze.strategies import preparation
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.preparation import with_measured_flips, without_flips

MakeExperiment = Callable[..., Experiment]


def by_side(image: Image, rng: np.random.Generator, side: int) -> np.ndarray:
    """Noise that is brighter on the left for one class and on the right for the other."""
    pixels = rng.integers(0, 90, (side, side, 3), dtype=np.uint8)
    half = slice(0, side // 2) if image.label == "a" else slice(side - side // 2, side)
    pixels[:, half] += 150
    return pixels


def test_every_row_has_its_own_codes_and_pixels(make_experiment: MakeExperiment) -> None:
    """Rows of the task, codes and squares are in one order, and only the test part is kept from training."""
    experiment = make_experiment(12, 4)

    assert experiment.codes.names == tuple(image.name for image in experiment.task.image_set.images)
    assert {len(values) for values in experiment.codes.by_tap.values()} == {16}
    redder = [square[..., 0].mean() > square[..., 1].mean() for square in experiment.squares.read(np.arange(16))]
    assert redder == (experiment.task.labels == 0).tolist()
    assert list(experiment.task.test_rows) == [12, 13, 14, 15]


def test_flips_go_where_a_mirrored_image_is_of_another_class(make_experiment: MakeExperiment) -> None:
    """Of two classes that mirror each other no mirrored image may train, and all else of the augmentation stays."""
    found = with_measured_flips(make_experiment(80, paint=by_side), C=0.1)

    assert found.augmentation == without_flips(LIGHT)
    assert found.augmentation.flip == 0.0
    assert found.augmentation.scale == LIGHT.scale


def test_flips_stay_where_left_and_right_say_nothing(make_experiment: MakeExperiment, heard: Any) -> None:
    """Classes of colours keep flips, and how many images were asked is said."""
    found = with_measured_flips(make_experiment(80), C=0.1)

    assert found.augmentation == LIGHT
    assert heard.lines[-1] == (
        "Mirrored images are recognised as well, as far as 16 held-out training images can tell: training mirrors "
        "images."
    )


def test_nothing_is_measured_where_nothing_is_mirrored(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without flips in the augmentation there is no question, and no image runs through the network."""
    experiment = make_experiment(12, augmentation=NONE)
    monkeypatch.setattr(preparation, "_lost_to_mirrors", lambda *_, **__: pytest.fail("must not get here"))

    assert with_measured_flips(experiment, C=0.1) is experiment


@pytest.mark.parametrize(
    ("lost", "noise", "said"),
    [
        (0.015, 0.001, "only 1.5 points worse (40 held-out training images): training mirrors images."),  # too little
        (0.05, 0.03, "as well, as far as 40 held-out training images can tell: training mirrors images."),  # by chance
        (0.05, 0.02, "5.0 points worse (40 held-out training images): training mirrors none."),
        (0.021, 0.001, "2.1 points worse (40 held-out training images): training mirrors none."),
        (0.0, 0.0, "as well, as far as 40 held-out training images can tell: training mirrors images."),
        (-0.3, 0.01, "as well, as far as 40 held-out training images can tell: training mirrors images."),
    ],
)
def test_only_a_loss_that_is_large_and_sure_turns_flips_off(
    make_experiment: MakeExperiment,
    monkeypatch: pytest.MonkeyPatch,
    heard: Any,
    *,
    lost: float,
    noise: float,
    said: str,
) -> None:
    """It must be more than two points of accuracy and more than two standard errors; only a sure loss is called one."""
    monkeypatch.setattr(preparation, "_lost_to_mirrors", lambda *_, **__: (lost, noise, 40))

    flips = with_measured_flips(make_experiment(12), C=0.1).augmentation.flip > 0

    assert flips == said.endswith("training mirrors images.")
    assert heard.lines[-1] == f"Mirrored images are recognised {said}"
