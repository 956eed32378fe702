"""The rate and the epoch that a fold prefers, and what a trial does when it is watched or averages."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from unfreeze.data.squares import Squares
from unfreeze.images.pool import DecoderPool
from unfreeze.core.plans import NONE, Augmentation
from unfreeze.training.examples import Pixels, Remembered
from unfreeze.core.plans import Plan, Rule
from unfreeze.training.rate_search import HeldOut, choose_rate, choose_stop, held_out, preferred
from unfreeze.training.trials import Feed, Trial, run_trial
from unfreeze.zoo.backbones import Backbone, load_backbone

FOLD = (np.arange(24), np.arange(24, 32))
PLAN = Plan(
    kind="full", blocks=None, rules=(Rule(".*", 1e-3),), epochs=4, batch_size=8, augmentation=NONE, label_smoothing=0.0
)


@pytest.fixture(scope="module")
def start() -> Backbone:
    """A small network of two classes with random weights."""
    torch.manual_seed(0)
    return load_backbone("resnet18", pretrained=False, size=32).with_classes(2)


@pytest.fixture(scope="module")
def feed(start: Backbone) -> Feed:
    """Thirty-two images, dark ones and bright ones."""
    labels = np.arange(32) % 2
    noise = np.random.default_rng(0).normal(size=(32, 3, 32, 32)).astype(np.float32)
    images = Remembered(
        noise + labels[:, None, None, None].astype(np.float32), np.empty((0, 0, 3, 32, 32), np.float32), np.full(32, -1)
    )
    pixels = Pixels(Squares((), start.card, DecoderPool()), start.card, NONE, 0)
    return Feed(cut=start.cuts[0], examples=images, features=images, pixels=pixels, labels=labels)


def trained(start: Backbone, feed: Feed, plan: Plan, *, watch: bool = False) -> Trial:
    """A trial on the first side of the fold."""
    rows = {"watch": FOLD[1]} if watch else {}
    return run_trial(start, plan, feed, FOLD[0], seed=0, advance=lambda images: None, **rows)


def weights(trial: Trial) -> list[torch.Tensor]:
    """Every tensor of the trained network."""
    return list(trial.backbone.network.state_dict().values())


def said(*losses: float) -> HeldOut:
    """Rows with these losses, all right."""
    return HeldOut(np.array(losses, dtype=np.float64), np.ones(len(losses)))


def test_the_lowest_loss_is_preferred() -> None:
    """Of two candidates that beat the standard by a constant, the one with the lower loss."""
    assert preferred([said(1, 2, 3), said(0.5, 1.5, 2.5), said(0.2, 1.2, 2.2)], standard=0) == 2


def test_noise_and_wrong_answers_do_not_move_from_the_standard() -> None:
    """A gain within one standard error stays, and so does a lower loss with fewer rows right."""
    fewer = HeldOut(np.array([0.1, 0.1, 0.8]), np.array([1.0, 1.0, 0.0]))

    assert preferred([said(1, 2, 3), said(0, 2.9, 2.9)], standard=0) == 0
    assert preferred([said(1, 2, 3), fewer], standard=0) == 0


def test_balanced_rows_count_by_class() -> None:
    """Three right rows of one class and a wrong one of another: half are right, as in balanced accuracy."""
    scores = np.tile([1.0, 0.0], (4, 1))

    assert held_out(scores, np.array([0, 0, 0, 1]), balanced=True).right.mean() == pytest.approx(0.5)
    assert held_out(scores, np.array([0, 0, 0, 1]), balanced=False).right.mean() == pytest.approx(0.75)


def test_a_rate_that_is_far_too_low_is_raised(start: Backbone, feed: Feed) -> None:
    """Where the plan's own rates learn nothing in so few steps, three times as much has the lower held-out loss."""
    plan, told = choose_rate(start, PLAN.with_rates_times(0.03), feed, FOLD, seed=0)
    losses = {one["factor"]: one["loss"] for one in told["tried"]}

    assert told["factor"] == 3.0 == min(losses, key=losses.__getitem__)
    assert plan.rate_of("fc.weight") == pytest.approx(9e-5)


def test_training_ends_where_the_held_out_rows_say() -> None:
    """Sure and right in the second epoch, sure and wrong in the last: two passes. Of equal ones the last is kept."""
    labels = np.array([0, 1, 0, 1])
    right = np.where(labels[:, None] == np.arange(2), 3.0, -3.0)

    assert choose_stop([0 * right, right, 0.5 * right, -right], labels, PLAN).stop == 2
    assert choose_stop([right, right], labels, PLAN).stop is None
    assert choose_stop([], labels, PLAN) == PLAN


@pytest.mark.slow
def test_watching_changes_nothing(start: Backbone, feed: Feed) -> None:
    """Scores after every epoch are there, and the trained weights have the same bits as without them."""
    plan = replace(PLAN, batchnorm="learning", augmentation=Augmentation(mixup=0.2, cutmix=1.0))
    plain, watched = trained(start, feed, plan), trained(start, feed, plan, watch=True)

    assert [scores.shape for scores in watched.watched] == [(8, 2)] * 4
    assert all(map(torch.equal, weights(plain), weights(watched)))


@pytest.mark.slow
def test_a_stop_follows_the_schedule_of_all_epochs(start: Backbone, feed: Feed) -> None:
    """Training that stops after two of four epochs has the losses of the first two."""
    assert trained(start, feed, replace(PLAN, stop=2)).curve == trained(start, feed, PLAN).curve[:2]


@pytest.mark.slow
def test_the_averaged_network_is_the_mean_of_the_last_epochs(start: Backbone, feed: Feed) -> None:
    """Averaging half of four epochs gives the mean of the weights after the third and the fourth; the audit holds."""
    third, fourth = (trained(start, feed, replace(PLAN, stop=stop)) for stop in (3, 4))
    averaged = trained(start, feed, replace(PLAN, averaged=0.5))

    assert averaged.audit.passed
    for mean, *both in zip(*map(weights, (averaged, third, fourth)), strict=True):
        torch.testing.assert_close(mean.float(), (both[0].float() + both[1].float()) / 2)


@pytest.mark.slow
def test_averaging_renews_statistics_that_learn(start: Backbone, feed: Feed) -> None:
    """Where BatchNorm learns its statistics, the first layer's mean is that of its inputs, not a decayed one."""
    averaged = trained(start, feed, replace(PLAN, averaged=0.5, batchnorm="learning"))
    network = averaged.backbone.network
    with torch.inference_mode():
        seen = network.conv1(torch.from_numpy(feed.examples.plain[:24])).mean(dim=(0, 2, 3))

    torch.testing.assert_close(network.bn1.running_mean, seen, rtol=1e-3, atol=1e-4)
