"""The classifier on all taps: what it may read, what it says, and that its model is what was measured."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from unfreeze.core.plans import ProbeSettings
from unfreeze.core.readouts import Readout
from unfreeze.core.strategies import LINEAR_ON_ALL
from unfreeze.images.geometry import centre
from unfreeze.strategies.execution import outcome_on
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.joined import JoinedStrategy, reading_groups
from unfreeze.zoo.tap_classifier import TapClassifier

MakeExperiment = Callable[..., Experiment]


@pytest.fixture
def experiment(make_experiment: MakeExperiment) -> Experiment:
    """Sixty images, with codes that say something of the class in the deviations of the second tap alone."""
    made = make_experiment(60)
    rng = np.random.default_rng(0)

    def noise(values: np.ndarray) -> np.ndarray:
        return rng.normal(size=values.shape).astype(values.dtype)

    details = {readout: noise(values) for readout, values in made.codes.details.items()}
    details[Readout(made.source.taps[1].name, "deviation")] += 4 * made.task.labels[:, None].astype(np.float16)
    by_tap = {tap: noise(values) for tap, values in made.codes.by_tap.items()}
    return replace(made, codes=replace(made.codes, by_tap=by_tap, details=details))


def test_what_may_be_read_grows_from_the_last_codes_to_everything(make_experiment: MakeExperiment) -> None:
    """Each group has what the one before it has, but for the first, and the last group is all there is."""
    readouts = make_experiment(10).codes.readouts
    last, *others = reading_groups(readouts)

    assert [readouts[place].name for place in last] == [readouts[-1].tap]
    assert all(set(smaller) < set(larger) for smaller, larger in zip([last, *others], others, strict=False))
    assert others[-1] == tuple(range(len(readouts)))


def test_a_network_with_codes_alone_has_two_groups() -> None:
    """Its last codes, and those of all taps; of a network with one tap there is nothing to choose."""
    assert reading_groups([Readout("first"), Readout("last")]) == [(1,), (0, 1)]
    assert reading_groups([Readout("last")]) == [(0,)]


def test_what_tells_the_classes_apart_is_read(experiment: Experiment) -> None:
    """Where only deviations do, they are among what is read, and the settings name it."""
    split = experiment.task.split(0)

    fit = JoinedStrategy(experiment).fit(split)

    assert (fit.scores.argmax(axis=1) == experiment.task.labels[split.test]).all()
    assert isinstance(fit.settings, ProbeSettings)
    assert fit.settings.loss == "ridge"
    assert fit.settings.C in fit.settings.Cs
    assert f"{experiment.source.taps[1].name}/deviation" in fit.settings.readouts
    assert fit.tap == experiment.source.taps[-1].name
    assert isinstance(fit.model, TapClassifier)
    width = fit.model.weight.shape[1]
    assert fit.description == f"ridge classifier on {width:,} codes: means of 5 taps, deviations of 4 taps"
    assert fit.probabilities, "scores are logits"


def test_the_model_says_of_pixels_what_was_measured(make_experiment: MakeExperiment) -> None:
    """The network with the classifier folded in gives the scores of the test rows, to the rounding of the store."""
    experiment = make_experiment(60)
    split = experiment.task.split(0)

    fit = JoinedStrategy(experiment).fit(split)

    assert isinstance(fit.model, TapClassifier)
    side = experiment.source.card.size
    pixels = np.stack([centre(square[None], side)[0] for square in experiment.squares.read(split.test)])
    with torch.no_grad():
        found = fit.model.module()(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(found, fit.scores, atol=0.02 * np.abs(fit.scores).max())


def test_codes_without_details_are_enough(make_experiment: MakeExperiment) -> None:
    """Then the means alone are joined."""
    made = make_experiment(40)
    experiment = replace(made, codes=replace(made.codes, details={}))

    fit = JoinedStrategy(experiment).fit(experiment.task.split(0))

    assert isinstance(fit.settings, ProbeSettings)
    assert set(fit.settings.readouts) <= {tap.name for tap in experiment.source.taps}


def test_equal_trials_have_equal_outcomes(experiment: Experiment) -> None:
    """Bits do not depend on what ran before; the identity is that of the catalogue."""
    strategy = JoinedStrategy(experiment)
    first, second = (outcome_on(strategy, experiment.task, "split 1") for _ in range(2))

    assert first.log_likelihoods == second.log_likelihoods
    assert first.settings == second.settings
    assert strategy.outcome.strategy == LINEAR_ON_ALL
