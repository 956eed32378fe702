"""The temperature of a strategy, and how it gets into the head."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from unfreeze.core.readouts import Readout
from unfreeze.core.records import Outcome
from unfreeze.core.strategies import HEAD
from unfreeze.data.tasks import Split, Task
from unfreeze.strategies.calibration import calibrated, tempered
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.predictions import Measured, Predicted, predicted_of
from unfreeze.strategies.strategy import Fit
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.tap_classifier import TapClassifier

MakeTask = Callable[..., Task]
MakeExperiment = Callable[..., Experiment]


def too_sure(task: Task, split: Split, *, factor: float) -> np.ndarray:
    """Scores for two classes, right four times in five, so many times too far apart."""
    truth = task.labels[split.test]
    said = np.where(split.test % 10 < 2, 1 - truth, truth)
    return (factor * np.log(4.0) * np.eye(2)[said]).astype(np.float32)


def measured(task: Task, *, factor: float, splits: int = 5) -> Measured:
    """Of a strategy that is too sure of itself."""
    found = tuple(predicted_of(too_sure(task, s, factor=factor), task, s) for s in map(task.split, range(splits)))
    return Measured(Outcome(strategy=HEAD, description=""), found)


def on_everything(scores: np.ndarray) -> Fit:
    """A fit without a model."""
    return Fit(scores=scores.astype(np.float32))


@pytest.mark.parametrize("splits", [5, 7])
def test_scores_that_are_too_large_are_divided(make_rows: MakeTask, splits: int) -> None:
    """Three times too far apart is mended, each image counts once, and the order of scores is as before."""
    task = make_rows(400)
    scores = np.array([[2.0, 1.0], [0.5, 3.0]])

    fit, found = calibrated(on_everything(scores), measured(task, factor=3.0, splits=splits), task)

    assert found is not None
    assert found.images == 400
    assert found.temperature == pytest.approx(3.0, rel=0.1)
    np.testing.assert_allclose(fit.scores, scores / found.temperature, rtol=1e-6)
    assert found.after.log_loss < found.before.log_loss
    # four in five right, at a probability of 64 in 65
    assert found.before.log_loss == pytest.approx(0.8 * np.log(65 / 64) + 0.2 * np.log(65), abs=1e-4)
    assert found.before.error == pytest.approx(64 / 65 - 0.8, abs=1e-4)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_what_is_answered_is_counted_by_the_delivered_probabilities(make_rows: MakeTask, factor: float) -> None:
    """Those with the temperature if it was used: so many are as sure as the bins of these probabilities say."""
    task = make_rows(400)

    _, found = calibrated(on_everything(np.eye(2)), measured(task, factor=factor), task)

    assert found is not None
    bins = (found.after if found.applied else found.before).bins
    for tenth in range(10):
        answered = [one.answered for one in found.abstaining if one.below <= tenth / 10][-1]
        sure = [one for one in bins if one.confidence >= tenth / 10]
        assert answered.images == sum(one.images for one in sure)
        assert answered.right == round(sum(one.images * one.accuracy for one in sure))
    assert found.applied == (factor > 1)
    assert found.abstaining[0].answered.right == 320


def test_the_size_of_scores_is_that_of_their_own_training(make_rows: MakeTask) -> None:
    """Splits that made scores of other sizes, and say so, give what equal ones do; so does the training on everything.

    That is what a softmax does that chooses another C in each.
    """
    task = make_rows(400)
    alike = measured(task, factor=3.0)
    sizes = (0.1, 0.5, 1.0, 4.0, 10.0)
    unlike = Measured(
        alike.outcome,
        tuple(
            replace(one, scores=one.scores * size, temperature=size)
            for one, size in zip(alike.predicted, sizes, strict=True)
            if one.scores is not None
        ),
    )
    scores = np.array([[2.0, 1.0]])
    _, expected = calibrated(on_everything(scores), alike, task)
    fit, found = calibrated(replace(on_everything(scores), temperature=10.0), unlike, task)

    assert expected is not None
    assert found is not None
    assert found.after.log_loss == pytest.approx(expected.after.log_loss, rel=1e-4)
    assert found.temperature == pytest.approx(10 * expected.temperature, rel=1e-3)
    np.testing.assert_allclose(fit.scores, scores / found.temperature, rtol=1e-6)


def test_what_does_not_help_is_left_alone(make_rows: MakeTask) -> None:
    """One split is always right and the other half of the time: what either gives harms the other."""
    task = make_rows(100)
    kept = []
    for number, share in enumerate((0, 2)):
        split = task.split(number)
        truth = task.labels[split.test]
        said = np.where(np.arange(len(truth)) < len(truth) * share // 4, 1 - truth, truth)
        kept.append(predicted_of(2.0 * np.eye(2, dtype=np.float32)[said], task, split))
    fit = on_everything(np.array([[2.0, 1.0]]))

    same, found = calibrated(fit, Measured(Outcome(strategy=HEAD, description=""), tuple(kept)), task)

    assert same is fit
    assert found is not None
    assert (found.temperature, found.applied) == (1.0, False)
    assert found.after.log_loss >= found.before.log_loss


def test_margins_and_what_nothing_is_known_of_stay(make_rows: MakeTask) -> None:
    """An SVM gives no probabilities, and without held-out scores there is nothing to fit to."""
    task = make_rows(50)
    split = task.split(0)
    fit = on_everything(np.array([[2.0, 1.0]]))
    svm = predicted_of(too_sure(task, split, factor=1.0), task, split, probabilities=False)
    unknown = Predicted(split=split, predictions=svm.predictions, log_likelihoods=None)
    outcome = Outcome(strategy=HEAD, description="")

    assert svm.scores is None
    for kept in ((), (svm,), (unknown,)):
        assert calibrated(fit, Measured(outcome, kept), task) == (fit, None)
    assert calibrated(replace(fit, probabilities=False), measured(task, factor=3.0), task)[1] is None


def test_a_single_split_is_told_apart_by_its_images(make_rows: MakeTask) -> None:
    """Its own images give the temperature, in parts, so that the figure after it is not flattered."""
    task = make_rows(400)

    found = calibrated(on_everything(np.array([[2.0, 1.0]])), measured(task, factor=3.0, splits=1), task)[1]

    assert found is not None
    assert found.images == len(task.split(0).test)
    assert 2.2 < found.temperature < 3.8
    assert found.after.log_loss < found.before.log_loss


def test_one_group_says_nothing_of_another(make_rows: MakeTask) -> None:
    """Where one split tested one group alone, there are no other images to fit to."""
    task = replace(make_rows(60), groups=tuple("abcdef"[row // 10] for row in range(60)))
    only = measured(task, factor=3.0, splits=1)

    single = len(np.unique(task.units[task.split(0).test])) == 1
    found = calibrated(on_everything(np.array([[2.0, 1.0]])), only, task)[1]

    assert (found is None) == single


def test_a_temperature_is_in_the_head_of_a_network(make_experiment: MakeExperiment) -> None:
    """Its outputs are divided by it, the most likely class is the same, and the network that was given stays."""
    source = make_experiment(12).source.with_classes(2)
    before = source.head_parameters()[0].detach().clone()
    images = torch.randint(0, 256, (5, source.card.size, source.card.size, 3), dtype=torch.uint8)

    scaled = tempered(Fit(scores=np.ones((1, 2), np.float32), model=source), 2.5)

    assert isinstance(scaled.model, Backbone)
    with torch.inference_mode():
        old, new = source.module()(images), scaled.model.module()(images)
    torch.testing.assert_close(2.5 * new, old)
    assert (new.argmax(dim=1) == old.argmax(dim=1)).all()
    assert torch.equal(source.head_parameters()[0], before)


def test_a_temperature_is_in_a_classifier_on_taps(make_experiment: MakeExperiment, rng: np.random.Generator) -> None:
    """Its weight and bias are divided by it."""
    source = make_experiment(12).source
    tap = source.taps[0]
    weight, bias = rng.normal(size=(2, tap.channels)).astype(np.float32), np.ones(2, np.float32)
    model = TapClassifier(backbone=source, readouts=(Readout(tap.name),), weight=weight, bias=bias)

    scaled = tempered(Fit(scores=np.ones((1, 2), np.float32), model=model), 4.0).model

    assert isinstance(scaled, TapClassifier)
    np.testing.assert_allclose(scaled.weight, weight / 4)
    np.testing.assert_allclose(scaled.bias, bias / 4)
    assert model.bias[0] == 1.0
