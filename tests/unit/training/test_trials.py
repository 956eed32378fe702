"""A trial: what it trains, what it leaves alone, what it says of itself, and that it can go on."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from scipy.special import poch
from torch import nn

from unfreeze.core.errors import AuditError, DidNotTrainError, StoppedError
from unfreeze.core.plans import EXACT, NONE, Augmentation, Plan, Rule
from unfreeze.core.strategies import FULL
from unfreeze.features.engines import REFERENCE
from unfreeze.strategies.experiment import Experiment
from unfreeze.training.examples import Remembered, remember
from unfreeze.training.plans import WARMUP, full_plan, unfreeze_plan
from unfreeze.training.states import state_from
from unfreeze.training.trials import (
    HALVINGS,
    SETTLED,
    Inputs,
    Trained,
    TrainingRun,
    codes_difference,
    has_risen,
    predict_rows,
    run_trial,
    synchronised,
)
from unfreeze.zoo.backbones import Backbone

MakeExperiment = Callable[..., Experiment]
ROWS = np.arange(24)
PLAN = Plan(
    strategy=FULL,
    rules=(Rule(".*", 1e-3),),
    epochs=4,
    batch_size=8,
    warmup=4,
    augmentation=NONE,
    label_smoothing=0.0,
)
MIXED = replace(PLAN, batchnorm="learning", augmentation=Augmentation(mixup=0.2, cutmix=1.0))
TOO_FAST = replace(PLAN, rules=(Rule(".*", 0.2),))  # a half or a quarter of it is not
ABSURD = replace(PLAN, rules=(Rule(".*", 100.0),))


def trained(start: Backbone, inputs: Inputs, plan: Plan, *, seed: int = 0) -> Trained:
    """A trial on the first rows."""
    return run_trial(start, plan, inputs, ROWS, seed=seed, advance=lambda images: None)


def weights(trial: Trained) -> list[torch.Tensor]:
    """Every tensor of the trained network."""
    return list(trial.backbone.network.state_dict().values())


def assert_equal(one: Trained, other: Trained) -> None:
    """Bit for bit."""
    assert all(map(torch.equal, weights(one), weights(other)))
    assert (one.curve, one.halvings, one.audit) == (other.curve, other.halvings, other.audit)


# --- going on -------------------------------------------------------------------------------------------------------

WAYS = {
    "plain": PLAN,
    "the last weights": replace(PLAN, averaging=None),
    "mixed, and statistics that learn": MIXED,
    "after halvings": TOO_FAST,
}


@pytest.mark.parametrize("network", ["start", "dropping"])
@pytest.mark.parametrize("way", WAYS)
def test_a_training_that_goes_on_gives_the_bits_of_one_go(
    request: pytest.FixtureRequest, inputs: Inputs, way: str, network: str
) -> None:
    """One epoch, then three, then four, with results taken and random numbers drawn between, are four at once."""
    start = request.getfixturevalue(network)
    at_once = trained(start, inputs, WAYS[way])
    run = TrainingRun(start, WAYS[way], inputs, ROWS, seed=0)
    for epochs in (1, 3, 2, 4):
        torch.rand(epochs)
        run.train_to(epochs)
        run.result()

    assert (at_once.halvings > 0) == (way == "after halvings")
    assert len(run.curve) == 4
    assert_equal(run.result(), at_once)


@pytest.mark.parametrize("way", WAYS)
def test_a_training_goes_on_from_a_file_of_its_state(dropping: Backbone, inputs: Inputs, way: str) -> None:
    """Another one that was given the same takes up the state after two epochs, and has the bits of one go at four."""
    at_once = TrainingRun(dropping, WAYS[way], inputs, ROWS, seed=0)
    at_once.train_to(2)
    kept = at_once.state.to_bytes()
    at_once.train_to(4)
    other = TrainingRun(dropping, WAYS[way], inputs, ROWS, seed=0)
    other.take_up(state_from(kept))
    other.train_to(4)

    assert_equal(other.result(), at_once.result())
    assert other.state.losses == at_once.state.losses


def test_a_training_that_failed_says_the_same_from_another_process() -> None:
    """Processes send each other errors as pickles."""
    error = DidNotTrainError((0.5, 0.75))
    sent = pickle.loads(pickle.dumps(error))

    assert (str(sent), sent.curve) == (str(error), error.curve)


def test_a_result_on_the_way_is_that_of_so_many_epochs(dropping: Backbone, inputs: Inputs) -> None:
    """And it stays what it is when training goes on: nobody knows at two of four epochs that two more come."""
    run = TrainingRun(dropping, MIXED, inputs, ROWS, seed=0)
    run.train_to(2)
    half = run.result()
    run.train_to(4)

    assert_equal(half, trained(dropping, inputs, replace(MIXED, epochs=2)))
    assert half.curve == run.result().curve[:2]


def test_a_result_is_no_matter_of_what_torch_drew(dropping: Backbone, inputs: Inputs) -> None:
    """Statistics measured anew under dropout draw from the training's own stream, and torch draws on as ever."""
    run = TrainingRun(dropping, MIXED, inputs, ROWS, seed=0)
    run.train_to(1)
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    first, drawn = run.result(), torch.rand(2)

    assert_equal(first, run.result())
    assert torch.equal(drawn, expected)


def test_what_waits_holds_no_gradients(start: Backbone, inputs: Inputs) -> None:
    """Its size is that of the network, two moments and the mean of the weights: four times what learns in all."""
    run = TrainingRun(start, PLAN, inputs, ROWS, seed=0)
    run.train_to(1)

    assert run.size == 4 * sum(parameter.nbytes for parameter in start.network.parameters())
    assert all(parameter.grad is None for parameter in run._network.parameters())


# --- the mean of the weights ----------------------------------------------------------------------------------------


def test_the_result_is_the_mean_of_the_weights_after_every_step(start: Backbone, inputs: Inputs) -> None:
    """Of four steps, an epoch each, step t counts as t (t + 1) ... (t + 7); the audit holds."""
    plan = replace(PLAN, batch_size=24)
    steps = [trained(start, inputs, replace(plan, averaging=None, epochs=epochs)) for epochs in (1, 2, 3, 4)]
    averaged = trained(start, inputs, plan)
    shares = torch.tensor([poch(t, 8) for t in (1, 2, 3, 4)]).float()

    assert averaged.audit.passed
    assert averaged.curve == steps[-1].curve
    for mean, *each in zip(*map(weights, (averaged, *steps)), strict=True):
        expected = sum(share * one.float() for share, one in zip(shares / shares.sum(), each, strict=True))
        torch.testing.assert_close(mean.float(), expected)


def test_averaging_renews_statistics_that_learn(start: Backbone, inputs: Inputs) -> None:
    """Where BatchNorm learns its statistics, the first layer's mean is that of its inputs, not a decayed one."""
    network = trained(start, inputs, replace(PLAN, batchnorm="learning")).backbone.network
    with torch.inference_mode():
        seen = network.conv1[0](torch.from_numpy(inputs.examples.plain[:24])).mean(dim=(0, 2, 3))

    torch.testing.assert_close(network.conv1[1].running_mean, seen, rtol=1e-3, atol=1e-4)


# --- losses that rise -----------------------------------------------------------------------------------------------


def test_a_training_that_is_too_fast_is_begun_again_at_half_the_rates(start: Backbone, inputs: Inputs) -> None:
    """Until it trains: what comes of it is what those rates give from the start, but for the count of halvings."""
    found = trained(start, inputs, TOO_FAST)
    gentler = trained(start, inputs, TOO_FAST.with_rates_times(0.5**found.halvings))

    assert 0 < found.halvings <= HALVINGS
    assert gentler.halvings == 0
    assert all(map(torch.equal, weights(found), weights(gentler)))
    assert found.curve == gentler.curve


def test_a_training_at_absurd_rates_ends_with_its_curve(start: Backbone, inputs: Inputs) -> None:
    """It begins at the loss of a head that knows nothing, log 2, and is above that at an eighth of the rates too."""
    before = {name: values.clone() for name, values in start.network.state_dict().items()}
    with pytest.raises(DidNotTrainError) as caught:
        trained(start, inputs, ABSURD)
    begun, *epochs = caught.value.curve

    assert begun == pytest.approx(np.log(2))
    assert epochs[-1] > begun
    assert str(caught.value).startswith("did not train: its loss went 0.69, ")
    assert str(caught.value).endswith(
        "above that of its start, at an eighth of its rates too. Give more images or fewer classes, or leave this "
        "strategy out"
    )
    assert all(torch.equal(values, before[name]) for name, values in start.network.state_dict().items())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rate", [1e-4, 1e-3, 1e-2])
def test_a_sane_training_is_never_begun_again(start: Backbone, inputs: Inputs, rate: float, seed: int) -> None:
    """Whatever the order of the images: its loss falls."""
    found = trained(start, inputs, replace(PLAN, rules=(Rule(".*", rate),)), seed=seed)

    assert found.halvings == 0
    assert found.curve[-1] < np.log(2)


def test_what_converges_by_itself_is_never_begun_again(make_experiment: MakeExperiment) -> None:
    """L-BFGS searches its steps; its loss of one batch has no noise, and hardly moves at the end."""
    start = make_experiment(16, augmentation=NONE).source.with_classes(2)
    run = replace(PLAN, optimizer="lbfgs", batch_size=None, warmup=0, clip_norm=None, averaging=None)
    codes = Remembered(np.ones((24, 96), np.float32), np.empty((0, 0, 96), np.float32), np.full(24, -1))
    pixels = make_experiment(24, augmentation=NONE).pixels
    given = Inputs(cut=start.head_cut, examples=codes, features=codes, pixels=pixels, labels=np.arange(24) % 2)
    plan = replace(run, rules=(Rule(r"fc\..*", 1.0), Rule(".*", None)))
    training = TrainingRun(start, plan, given, ROWS, seed=0)
    training.train_to(4)

    assert training.halvings == 0
    assert training.curve == pytest.approx([np.log(2)] * 4)


def risen_late(losses: Sequence[float], last: int, *, warmup: int) -> bool:
    """After so many epochs that no rise is that of a good training; of three classes."""
    return has_risen(losses, last, warmup=warmup, epochs=SETTLED, classes=3)


@pytest.mark.parametrize(
    ("epochs", "loss", "risen"), [(1, 2.7, False), (1, 3.3, True), (9, 2.7, False), (10, 2.7, True)]
)
def test_a_good_training_may_rise_half_of_the_way_to_a_guess_at_first(epochs: int, loss: float, risen: bool) -> None:
    """From 1.0 with 100 classes, whose guess has ln 100 = 4.6, up to 2.8 in nine epochs, and no more in the tenth."""
    losses = [1.0, 1.1, 0.9, 1.0, 1.0, *[1.0] * 15, *[loss] * 8]

    assert has_risen(losses, 8, warmup=20, epochs=epochs, classes=100) == risen


@pytest.mark.parametrize(
    ("losses", "last", "risen"),
    [
        ([1.0, 1.1, 0.9, 1.0, 1.0, *[1.0] * 15, *[3.0] * 8], 8, True),
        ([1.0, 1.1, 0.9, 1.0, 1.0, *[3.0] * 15, *[0.9] * 8], 8, False),  # it went up, and is down again
        ([1.0, 1.1, 0.9, 1.0, 1.0, *[1.0] * 15, *[0.9, 1.1] * 4], 8, False),
        ([1.0, 1.1, 0.9, 1.0, 1.0, *[9.0] * 15], 8, False),  # the warm-up is not over
        ([1.0, 1.1, 0.9, 1.0, 1.0, *[1.0] * 15, 9.0, 9.0], 8, False),  # two steps say nothing
        ([1.0, 1.1, 0.9, 1.0, 1.0, *[1.0] * 15, 5.0, 1e3, 1e8], 8, True),  # noise as large as what it says
        ([np.log(2)] * 20 + [0.69, 0.70, 0.68], 8, False),  # a head that knows nothing has a loss without noise
        ([np.log(2)] * 20 + [0.8, 0.9, 0.85], 8, True),
    ],
)
def test_a_loss_has_risen_where_it_is_above_the_start(losses: list[float], last: int, risen: bool) -> None:
    """By a warm-up of twenty steps, whose first five are the start."""
    assert risen_late(losses, last, warmup=20) == risen


def test_a_difference_of_two_standard_errors_decides() -> None:
    """Around 1 and 1 + d with a deviation of 0.1 each, five and five: the standard error is 0.1 times root 2 / 5."""
    spread = 0.1 * np.array([-2, -1, 0, 1, 2]) / np.sqrt(2.5)
    for factor, risen in ((1.99, False), (2.01, True)):
        later = 1 + factor * 0.1 * np.sqrt(2 / 5) + spread
        assert risen_late([*(1 + spread), *[1.0] * 15, *later], 5, warmup=20) == risen


@hypothesis.given(
    st.lists(st.floats(0.0, 10.0), min_size=5, max_size=40),
    st.integers(0, 39),
    st.sampled_from([np.nan, np.inf]),
)
def test_a_loss_that_is_no_number_has_risen(losses: list[float], place: int, value: float) -> None:
    """Wherever it stands, before the end of the warm-up as well: nothing good comes of those weights."""
    assert risen_late([*losses[:place], value, *losses[place:]], 5, warmup=20)


@hypothesis.example([7.885685243532345, *[1.0] * 12], 11, 0)  # whose means differ in the last digit
@hypothesis.given(st.lists(st.floats(0.01, 10.0), min_size=1, max_size=60), st.integers(1, 60), st.integers(0, 30))
def test_losses_that_only_fall_have_not_risen(losses: list[float], last: int, warmup: int) -> None:
    """Nor have those that stay."""
    for sane in (sorted(losses, reverse=True), [losses[0]] * len(losses)):
        assert not risen_late(sane, last, warmup=warmup)


def test_losses_that_explode_do_not_hide_in_their_noise(rng: np.random.Generator) -> None:
    """Of a hundred trainings whose losses go up by orders of magnitude at random, nearly all are found out."""
    found = [risen_late([*rng.normal(1, 0.3, 20), *np.exp(rng.normal(8, 4, 8))], 8, warmup=WARMUP) for _ in range(100)]

    assert sum(found) >= 95


def test_noise_alone_seldom_begins_a_training_again(rng: np.random.Generator) -> None:
    """Of a thousand trainings that learn nothing at all, one epoch in fifteen at most looks as if it had got worse."""
    for steps in (3, 8, 20):
        found = [risen_late([*rng.normal(1, 0.3, 20 + steps)], steps, warmup=WARMUP) for _ in range(1000)]
        assert sum(found) < 1000 / 15 + 3 * np.sqrt(1000 / 15)


# --- one trial ------------------------------------------------------------------------------------------------------


def unfreezing(experiment: Experiment, blocks: int = 2) -> tuple[Backbone, Plan, Inputs]:
    """A start, a plan and inputs of the last blocks of the tiny network."""
    start = experiment.source.with_classes(2)
    cut, pixels, rows = start.cut_before_blocks(blocks), experiment.pixels, experiment.task.train_rows
    (found,) = remember(start, [cut], pixels, experiment.resources, train_rows=rows, views=0, engine=REFERENCE)
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
    """Four epochs on 24 rows are 96 images, and measuring statistics anew is not among them."""
    done: list[int] = []
    run_trial(start, replace(PLAN, batchnorm="learning"), inputs, ROWS, seed=0, advance=done.append)

    assert sum(done) == 96


def test_a_stop_is_heard_at_every_step_and_while_statistics_are_measured(start: Backbone, inputs: Inputs) -> None:
    """An `advance` that raises ends the epoch, and the result, within a batch."""
    run = TrainingRun(start, replace(PLAN, batchnorm="learning"), inputs, ROWS, seed=0)
    left = 7  # an epoch of three steps looks twice a step

    def until(done: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise StoppedError

    run.train_to(1, advance=until)
    with pytest.raises(StoppedError):
        run.result()
    assert left == -1


@pytest.mark.parametrize("asked", [1, 2, None])
def test_a_training_has_the_threads_of_its_plan(start: Backbone, inputs: Inputs, asked: int | None) -> None:
    """Inside its steps and while statistics are measured; without a number, and after it, as many as there were."""
    before = torch.get_num_threads()
    plan = replace(PLAN, batchnorm="learning", arithmetic=replace(EXACT, threads=asked))
    seen: set[int] = set()
    run = TrainingRun(start, plan, inputs, ROWS[:8], seed=0)
    run.train_to(1, advance=lambda _: seen.add(torch.get_num_threads()))
    run.result()

    assert seen == {asked or before}
    assert torch.get_num_threads() == before


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
    assert codes_difference(start, inputs, ROWS) == 0.0


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


def test_synchronised_statistics_belong_to_the_same_network(start: Backbone, inputs: Inputs) -> None:
    """Every BatchNorm is one that processes share; network and graph have the same tensors, and give equal scores."""
    found = synchronised(start.copy())
    (batch,) = inputs.examples.batches(ROWS, size=24, epoch=None)
    norms = [module for module in found.graph.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    ours, theirs = dict(found.network.named_parameters()), dict(found.graph.named_parameters())

    assert norms
    assert all(isinstance(norm, nn.SyncBatchNorm) for norm in norms)
    assert all(ours[name] is parameter for name, parameter in theirs.items())
    with torch.no_grad():
        torch.testing.assert_close(found.suffix(found.cuts[0])(batch), start.network(batch))
