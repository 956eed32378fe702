"""Step one: linear classifiers on codes, and what strategies share of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from unfreeze.core.plans import ProbeSettings
from unfreeze.core.readouts import Readout
from unfreeze.strategies import step_one as module
from unfreeze.strategies.depth_curve import ProbeSpec, fit_tap_probes
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.step_one import HeadStrategy, ProbeStrategy, StepOne, fit_head, step_one
from unfreeze.zoo.tap_classifier import TapClassifier

MakeExperiment = Callable[..., Experiment]


@pytest.fixture
def experiment(make_experiment: MakeExperiment) -> Experiment:
    """Sixty images, with codes that say something of the class at the second tap alone."""
    made = make_experiment(60)
    rng, tap = np.random.default_rng(0), made.source.taps[1].name
    by_tap = {name: rng.normal(size=values.shape).astype(np.float32) for name, values in made.codes.by_tap.items()}
    by_tap[tap][:, :10] += 4 * made.task.labels[:, None]
    return replace(made, codes=replace(made.codes, by_tap=by_tap))


def test_a_probe_is_fitted_once_a_split_for_whoever_asks(experiment: Experiment) -> None:
    """Alone, among all taps or for the head it is the same one, with the bits of a fit beside other probes."""
    shared, split = StepOne(experiment), experiment.task.split(0)
    alone = shared.on_last(split, "softmax")
    specs = [ProbeSpec(split, tap, loss) for tap, loss in shared.every_probe]
    beside = {(p.tap, p.loss): p for p in fit_tap_probes(experiment.codes.by_tap, experiment.task, specs)}

    assert alone in shared.fit(split, shared.every_probe)
    assert alone.C == beside[shared.last, "softmax"].C
    np.testing.assert_array_equal(alone.test_scores, beside[shared.last, "softmax"].test_scores)


def test_the_best_tap_is_the_one_that_cross_validation_picks(experiment: Experiment) -> None:
    """Where only the second tap tells classes apart it is chosen, and the model is the network up to there."""
    strategy = ProbeStrategy(StepOne(experiment), "softmax", last=False)
    fit = strategy.fit(experiment.task.split(0))
    truth = experiment.task.labels[experiment.task.split(0).test]

    assert fit.tap == experiment.source.taps[1].name
    assert (fit.scores.argmax(axis=1) == truth).all()
    assert isinstance(fit.model, TapClassifier)
    assert fit.model.readouts == (Readout(fit.tap),)
    rows = experiment.task.split(0).test
    scores = experiment.codes.by_tap[fit.tap][rows] @ fit.model.weight.T + fit.model.bias
    np.testing.assert_array_equal(scores, fit.scores)


def test_a_probe_on_the_last_codes_needs_no_other_tap(experiment: Experiment) -> None:
    """One tap is fitted, and its cost is that of one probe, while the best tap costs all of them."""
    shared, split = StepOne(experiment), experiment.task.split(0)
    last, best = (ProbeStrategy(shared, "svm", last=alone) for alone in (True, False))

    assert last.probes == [(shared.last, "svm")]
    assert best.probes == [(tap.name, "svm") for tap in experiment.source.taps]
    fits = last.fit(split), best.fit(split)
    assert all(fit.shared_usage is not None and fit.shared_usage[1] > 0 for fit in fits)
    assert fits[0].shared_usage < fits[1].shared_usage
    assert not fits[0].probabilities
    assert isinstance(fits[0].settings, ProbeSettings)


def test_the_head_is_the_softmax_probe_by_another_way(make_experiment: MakeExperiment) -> None:
    """Trained to convergence with the probe's C, the head inside the network scores nearly as the probe does."""
    experiment = make_experiment(60)
    split = experiment.task.split(0)
    probe = StepOne(experiment).on_last(split, "softmax")
    fit = fit_head(experiment, split, C=probe.C)

    def centred(scores: np.ndarray) -> np.ndarray:
        return scores - scores.mean(axis=1, keepdims=True)

    assert fit.audit is not None
    assert fit.audit.passed
    np.testing.assert_allclose(centred(fit.scores), centred(probe.test_scores), atol=0.02)


def test_only_the_head_of_the_network_has_changed(make_experiment: MakeExperiment) -> None:
    """All other tensors have the bits of the source."""
    experiment = make_experiment(60)
    fit = HeadStrategy(StepOne(experiment)).fit(experiment.task.split(0))
    source, trained = (network.network.state_dict() for network in (experiment.source, fit.network))

    moved = {name for name, values in trained.items() if not torch.equal(values, source[name])}
    assert moved == {f"{experiment.source.head}.weight", f"{experiment.source.head}.bias"}


def test_a_head_is_trained_once_and_handed_out_as_a_network_of_ones_own(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever trains on from it cannot change what the next one starts from."""
    shared, trained = StepOne(make_experiment(40)), []

    def counted(*given: Any, **settings: Any) -> Any:
        trained.append(given[1].name)
        return fit_head(*given, **settings)

    monkeypatch.setattr(module, "fit_head", counted)
    split = shared.experiment.task.split(0)
    first = shared.head(split).network
    before = first.head_parameters()[0].detach().clone()
    with torch.no_grad():
        first.head_parameters()[0].add_(1.0)

    assert torch.equal(shared.head(split).network.head_parameters()[0], before)
    assert trained == ["split 0"]


def test_the_depth_curve_has_the_splits_on_which_every_tap_was_fitted(experiment: Experiment) -> None:
    """A split with the last tap alone does not count, nor does a loss that lacks a tap."""
    shared = StepOne(experiment)
    first, second = (experiment.task.split(number) for number in range(2))
    shared.fit(first, [probe for probe in shared.every_probe if probe[1] == "softmax"])
    shared.on_last(first, "svm")
    shared.on_last(second, "softmax")

    found = shared.depth_curve()
    assert [(p.tap, p.loss) for p in found] == [(tap.name, "softmax") for tap in experiment.source.taps]
    assert found == shared.points(first, [(tap.name, "softmax") for tap in experiment.source.taps])


def test_the_cheap_strategies_come_from_cheap_to_expensive(experiment: Experiment) -> None:
    """Every loss on the last codes, then at the best tap, then on all taps, then the head."""
    _, strategies = step_one(experiment)

    keys = [strategy.outcome.strategy.key for strategy in strategies]
    assert keys == ["softmax-last", "svm-last", "softmax-best", "svm-best", "linear-all", "head"]
