"""Batches that are mixtures, and their loss."""

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from unfreeze.core.plans import NONE, Augmentation
from unfreeze.training.loop import loss_of
from unfreeze.training.mixing import mixed

LABELS = torch.tensor([0, 1, 2, 1])


def test_the_loss_of_a_mixture_is_the_mixture_of_the_losses() -> None:
    """With targets 0.3 of one class and 0.7 of another, the loss is 0.3 and 0.7 of the two, smoothing included."""
    scores, other = torch.randn(4, 3), LABELS.roll(1)
    targets = 0.3 * one_hot(LABELS, 3) + 0.7 * one_hot(other, 3)
    for smoothing in (0.0, 0.1):
        expected = sum(
            share * cross_entropy(scores, labels, label_smoothing=smoothing)
            for share, labels in ((0.3, LABELS), (0.7, other))
        )
        assert loss_of(scores, targets, label_smoothing=smoothing) == pytest.approx(float(expected), abs=1e-6)


def test_mixup_mixes_inputs_and_targets_by_the_same_share() -> None:
    """Images that show their class index as brightness show the mixture's mean class, whatever the share is."""
    maps = LABELS.float()[:, None, None, None].expand(4, 2, 4, 4)
    inputs, targets = mixed(maps, LABELS, classes=3, recipe=Augmentation(mixup=1.0))

    torch.testing.assert_close(inputs[:, 0, 0, 0], targets @ torch.arange(3.0))
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(4))


def test_cutmix_gives_each_class_its_share_of_the_area() -> None:
    """The mean brightness of a pasted image is that of its targets."""
    maps = LABELS.float()[:, None, None, None].expand(4, 2, 8, 8)
    inputs, targets = mixed(maps, LABELS, classes=3, recipe=Augmentation(cutmix=1.0))

    torch.testing.assert_close(inputs.mean(dim=(1, 2, 3)), targets @ torch.arange(3.0))


@pytest.mark.parametrize(("shape", "recipe"), [((4, 2, 4, 4), NONE), ((4, 8), Augmentation(mixup=1.0, cutmix=1.0))])
def test_codes_and_plain_recipes_stay(shape: tuple[int, ...], recipe: Augmentation) -> None:
    """Nothing is mixed without a recipe that mixes, and codes never are."""
    given = torch.randn(shape)
    inputs, targets = mixed(given, LABELS, classes=3, recipe=recipe)

    assert inputs is given
    assert targets is LABELS


def test_balanced_loss_of_scores_that_know_nothing_is_the_entropy_of_the_classes() -> None:
    """With scores 0 and the log shares as offset, the predicted probabilities are the shares."""
    shares = torch.tensor([0.25, 0.5, 0.25])
    loss = loss_of(torch.zeros(4, 3), LABELS, offset=shares.log())

    assert float(loss) == pytest.approx(float(-(shares * shares.log()).sum()), abs=1e-6)
