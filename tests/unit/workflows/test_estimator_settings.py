"""Settings as searches and people give them."""

from typing import Any

import numpy as np
import pytest

from unfreeze.core.errors import InputError
from unfreeze.core.strategies import HEAD, unfreeze
from unfreeze.workflows.estimator_settings import network_settings, training_choice


@pytest.mark.parametrize(
    ("given", "strategy"),
    [
        (np.int64(2), unfreeze(2)),
        (np.float64(2), unfreeze(2)),
        (np.str_("head"), HEAD),
        (0, HEAD),
        (np.str_("auto"), "auto"),
        ("codes", "codes"),
    ],
)
def test_numbers_of_numpy_are_numbers(given: object, strategy: object) -> None:
    """`numpy.arange`, `numpy.linspace` and arrays of words give their own types to searches."""
    choice = training_choice(given, np.float32(60), np.int32(3))
    network = network_settings(np.str_("resnet18"), np.float64(96), np.str_("pad"), may_measure=True)

    assert (choice.strategy, choice.budget, choice.seed) == (strategy, 60.0, 3)
    assert (network.backbone, network.size, network.resize) == ("resnet18", 96, "pad")
    assert (type(choice.seed), type(network.size), type(network.resize)) == (int, int, str)


def test_a_generator_draws_the_seed() -> None:
    """As of scikit-learn's own estimators: equal generators give equal seeds."""
    one, two = (training_choice("head", 1, np.random.RandomState(5)).seed for _ in range(2))

    assert one == two
    assert training_choice("head", 1, None).seed >= 0


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"strategy": "most"}, r"one word\) takes head, a number of blocks"),
        ({"strategy": -1}, r"one word\) takes head, a number of blocks"),
        ({"strategy": 1.5}, r"one word\) takes head, a number of blocks"),
        ({"strategy": True}, r"one word\) takes head, a number of blocks"),
        ({"strategy": ["head"]}, r"one word\) takes head, a number of blocks"),
        ({"strategy": None}, r"one word\) takes head, a number of blocks"),
        ({"budget": 0}, "budget must be a number of seconds above 0. Got 0"),
        ({"budget": float("nan")}, "budget must be a number of seconds above 0. Got nan"),
        ({"budget": float("inf")}, "budget must be a number of seconds above 0. Got inf"),
        ({"budget": "10m"}, "budget must be a number of seconds above 0. Got '10m'"),
        ({"random_state": -1}, "random_state must be a whole number, 0 or more"),
        ({"random_state": "x"}, "random_state must be a whole number, 0 or more"),
    ],
)
def test_a_slip_in_what_is_trained_is_refused(settings: dict[str, Any], text: str) -> None:
    """The setting is named, with what was wanted."""
    with pytest.raises(InputError, match=text):
        training_choice(**{"strategy": "head", "budget": 1.0, "random_state": 0, **settings})


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"backbone": 3}, "backbone must be the name of a network, such as 'resnet18'. Got 3"),
        ({"size": 0}, "size must be a whole number of pixels from 16 to 4096, or None. Got 0"),
        ({"size": 100_000}, "size must be a whole number of pixels from 16 to 4096, or None. Got 100000"),
        ({"size": "64"}, "size must be a whole number of pixels from 16 to 4096, or None. Got '64'"),
        ({"size": 64.5}, "size must be a whole number of pixels"),
        ({"size": True}, "size must be a whole number of pixels"),
        ({"resize": "stretch"}, "Unknown resize 'stretch'. Choose one of auto, crop, squash, pad, or None"),
        ({"resize": ["pad"]}, "Unknown resize"),
    ],
)
def test_a_slip_in_the_network_is_refused(settings: dict[str, Any], text: str) -> None:
    """The setting is named, with what was wanted."""
    with pytest.raises(InputError, match=text):
        network_settings(**{"backbone": "lite0", "size": None, "resize": None, **settings}, may_measure=True)
