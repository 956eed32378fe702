"""Batches that are mixtures."""

import pytest
import torch

from unfreeze.core.plans import NONE, Augmentation
from unfreeze.training.mixing import mixed

LABELS = torch.tensor([0, 1, 2, 1])


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
