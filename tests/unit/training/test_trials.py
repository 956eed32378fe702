"""A trial: what it trains, what it leaves alone, and what it says of itself."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from unfreeze.core.errors import AuditError
from unfreeze.core.plans import NONE, Augmentation, Plan, Rule
from unfreeze.core.strategies import FULL
from unfreeze.features.engines import REFERENCE
from unfreeze.strategies.experiment import Experiment
from unfreeze.training.examples import Remembered, remember
from unfreeze.training.plans import full_plan, unfreeze_plan
from unfreeze.training.trials import Inputs, Trained, codes_difference, predict_rows, run_trial
from unfreeze.zoo.backbones import Backbone

MakeExperiment = Callable[..., Experiment]
FOLD = (np.arange(24), np.arange(24, 32))
PLAN = Plan(strategy=FULL, rules=(Rule(".*", 1e-3),), epochs=4, batch_size=8, augmentation=NONE, label_smoothing=0.0)


def trained(start: Backbone, inputs: Inputs, plan: Plan, *, watch: bool = False) -> Trained:
    """A trial on the first side of the fold."""
    rows = {"watch": FOLD[1]} if watch else {}
    return run_trial(start, plan, inputs, FOLD[0], seed=0, advance=lambda images: None, **rows)


def weights(trial: Trained) -> list[torch.Tensor]:
    """Every tensor of the trained network."""
    return list(trial.backbone.network.state_dict().values())


@pytest.mark.slow
def test_watching_changes_nothing(start: Backbone, inputs: Inputs) -> None:
    """Scores after every epoch are there, and the trained weights have the same bits as without them."""
    plan = replace(PLAN, batchnorm="learning", augmentation=Augmentation(mixup=0.2, cutmix=1.0))
    plain, watched = trained(start, inputs, plan), trained(start, inputs, plan, watch=True)

    assert [scores.shape for scores in watched.watched] == [(8, 2)] * 4
    assert all(map(torch.equal, weights(plain), weights(watched)))


@pytest.mark.slow
def test_a_stop_follows_the_schedule_of_all_epochs(start: Backbone, inputs: Inputs) -> None:
    """Training that stops after two of four epochs has the losses of the first two."""
    assert trained(start, inputs, replace(PLAN, stop=2)).curve == trained(start, inputs, PLAN).curve[:2]


@pytest.mark.slow
def test_the_averaged_network_is_the_mean_of_the_last_epochs(start: Backbone, inputs: Inputs) -> None:
    """Averaging half of four epochs gives the mean of the weights after the third and the fourth; the audit holds."""
    third, fourth = (trained(start, inputs, replace(PLAN, stop=stop)) for stop in (3, 4))
    averaged = trained(start, inputs, replace(PLAN, averaged=0.5))

    assert averaged.audit.passed
    for mean, *both in zip(*map(weights, (averaged, third, fourth)), strict=True):
        torch.testing.assert_close(mean.float(), (both[0].float() + both[1].float()) / 2)


@pytest.mark.slow
def test_averaging_renews_statistics_that_learn(start: Backbone, inputs: Inputs) -> None:
    """Where BatchNorm learns its statistics, the first layer's mean is that of its inputs, not a decayed one."""
    averaged = trained(start, inputs, replace(PLAN, averaged=0.5, batchnorm="learning"))
    network = averaged.backbone.network
    with torch.inference_mode():
        seen = network.conv1(torch.from_numpy(inputs.examples.plain[:24])).mean(dim=(0, 2, 3))

    torch.testing.assert_close(network.bn1.running_mean, seen, rtol=1e-3, atol=1e-4)


def unfreezing(experiment: Experiment, blocks: int = 2) -> tuple[Backbone, Plan, Inputs]:
    """A start, a plan and inputs of the last blocks of the tiny network."""
    start = experiment.source.with_classes(2)
    cut, pixels, rows = start.cut_before_blocks(blocks), experiment.pixels, experiment.task.train_rows
    found = remember(start, cut, pixels, experiment.resources, train_rows=rows, views=0, engine=REFERENCE)
    plan = replace(unfreeze_plan(start, blocks, epochs=2), augmentation=NONE, batch_size=8)
    labels = experiment.task.labels
    return start, plan, Inputs(cut=cut, examples=found, features=found, pixels=pixels, labels=labels)


def run(start: Backbone, plan: Plan, inputs: Inputs, *, seed: int = 0) -> Trained:
    """A trial on sixteen rows."""
    return run_trial(start, plan, inputs, np.arange(16), seed=seed, advance=lambda images: None)


def test_only_what_the_plan_names_moves(make_experiment: MakeExperiment) -> None:
    """The start keeps all its bits, frozen tensors of the result have the start's, and what learns has others."""
    start, plan, inputs = unfreezing(make_experiment(16, augmentation=NONE))
    before = {name: values.clone() for name, values in start.network.state_dict().items()}
    trial = run(start, plan, inputs)
    after = trial.backbone.network.state_dict()

    assert trial.audit.passed
    assert all(torch.equal(values, before[name]) for name, values in start.network.state_dict().items())
    moved = {name for name, values in after.items() if not torch.equal(values, before[name])}
    assert moved == {name for name, _ in start.network.named_parameters() if plan.rate_of(name) is not None}


def test_a_trial_is_a_function_of_its_seed(make_experiment: MakeExperiment) -> None:
    """Equal seeds give equal bits whatever torch drew before, another seed gives others, and torch draws on as ever."""
    start, plan, inputs = unfreezing(make_experiment(16, augmentation=NONE))
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    first = run(start, plan, inputs)
    drawn = torch.rand(2)
    again, other = run(start, plan, inputs), run(start, plan, inputs, seed=1)

    assert all(map(torch.equal, weights(first), weights(again)))
    assert first.curve == again.curve != other.curve
    assert torch.equal(drawn, expected)


def test_what_was_trained_is_handed_back_plain(make_experiment: MakeExperiment) -> None:
    """The network is in evaluation mode on the CPU, laid out as usual, without gradients."""
    network = run(*unfreezing(make_experiment(16, augmentation=NONE))).backbone.network

    assert not any(module.training for module in network.modules())
    assert all(p.grad is None and p.device.type == "cpu" and p.is_contiguous() for p in network.parameters())


def test_progress_counts_every_image_of_every_epoch(start: Backbone, inputs: Inputs) -> None:
    """Four epochs on 24 rows are 96 images, and scoring what is watched is not among them."""
    done: list[int] = []
    run_trial(start, PLAN, inputs, FOLD[0], seed=0, advance=done.append, watch=FOLD[1])

    assert sum(done) == 96


def test_training_on_other_features_than_the_network_gives_is_refused(make_experiment: MakeExperiment) -> None:
    """A head that fits activations of another network would be worth nothing in its own."""
    start, plan, inputs = unfreezing(make_experiment(16, augmentation=NONE))
    assert isinstance(inputs.features, Remembered)
    wrong = replace(inputs.features, plain=1.3 * inputs.features.plain)

    with pytest.raises(AuditError, match="difference of the features"):
        run(start, plan, replace(inputs, examples=wrong, features=wrong))


def test_one_image_in_four_may_lie_off_where_frozen_layers_are_rounded(make_experiment: MakeExperiment) -> None:
    """In float32 the largest difference counts, a tenth here, in bfloat16 the median, which is none."""
    start, _, inputs = unfreezing(make_experiment(16, augmentation=NONE))
    assert isinstance(inputs.features, Remembered)
    off = inputs.features.plain.copy()
    off[2] *= 1.1
    rows, features = np.arange(4), replace(inputs.features, plain=off)
    found = [
        codes_difference(start, replace(inputs, features=features, precision=precision), rows)
        for precision in ("f32", "bf16")
    ]

    assert found == [pytest.approx(0.1, abs=1e-4), pytest.approx(0.0, abs=1e-4)]


def test_what_trains_from_the_pixels_on_has_no_frozen_part_to_check(start: Backbone, inputs: Inputs) -> None:
    """At the input of the network there is nothing that could differ."""
    assert codes_difference(start, inputs, FOLD[0]) == 0.0


def test_predictions_do_not_depend_on_their_company(make_experiment: MakeExperiment) -> None:
    """A row scores the same alone and among others, which is what the whole network says, and no rows give none."""
    experiment = make_experiment(16, augmentation=NONE)
    start, plan, inputs = unfreezing(experiment)
    trial = run(start, replace(full_plan(start, epochs=1), augmentation=NONE), pixels_only(experiment, start))
    tuned = run(start, plan, inputs)

    for backbone, given in ((trial.backbone, pixels_only(experiment, start)), (tuned.backbone, inputs)):
        together = predict_rows(backbone, given, np.arange(16))
        with torch.inference_mode():
            whole = backbone.network(next(experiment.pixels.batches(np.arange(16), size=16, epoch=None)))
        np.testing.assert_allclose(together, whole.numpy(), rtol=1e-3, atol=1e-3)
        np.testing.assert_array_equal(predict_rows(backbone, given, np.array([5]))[0], together[5])
        assert predict_rows(backbone, given, np.arange(0)).shape == (0, 2)


def pixels_only(experiment: Experiment, start: Backbone) -> Inputs:
    """Inputs of the whole network."""
    pixels, labels = experiment.pixels, experiment.task.labels
    return Inputs(cut=start.cuts[0], examples=pixels, features=pixels, pixels=pixels, labels=labels)
