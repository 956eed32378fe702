"""Plans: which parameters learn, and at what rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unfreeze.core.errors import PlanError
from unfreeze.core.plans import Plan
from unfreeze.training.plans import (
    LARGEST_BATCH,
    LEAST_BATCH,
    STEPS_AN_EPOCH,
    batch_size,
    full_plan,
    full_rate,
    head_plan,
    scratch_plan,
    step_two_rate,
    unfreeze_plan,
)
from unfreeze.zoo.backbones import Backbone, load_backbone


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    """A small network of ten classes."""
    return load_backbone("resnet18", pretrained=False, size=64).with_classes(10)


def learning(plan: Plan, backbone: Backbone) -> set[str]:
    """Names of the parameters that learn."""
    return {name for name, _ in backbone.network.named_parameters() if plan.rate_of(name) is not None}


def test_the_head_plan_names_the_head_alone(backbone: Backbone) -> None:
    """Step one learns the head's weight and bias and nothing else."""
    assert learning(head_plan(backbone, penalty=0.1), backbone) == {"fc.weight", "fc.bias"}


def test_unfreezing_two_blocks_names_exactly_what_lies_after_their_cut(backbone: Backbone) -> None:
    """Two blocks of a ResNet-18 are the two units of its last stage."""
    expected = {n for n, _ in backbone.network.named_parameters() if n.startswith(("layer4.", "fc."))}

    assert learning(unfreeze_plan(backbone, 2), backbone) == expected


def test_step_two_learns_slower_from_few_images_and_every_part_of_it_does(backbone: Backbone) -> None:
    """The rate of the head is that of the number of images, and all others fall with it in proportion."""
    few, many = (unfreeze_plan(backbone, 2, rate=step_two_rate(images)) for images in (100, 2000))

    assert few.rate_of("fc.weight") == step_two_rate(100) < step_two_rate(2000)
    ratio = step_two_rate(100) / step_two_rate(2000)
    for name in learning(few, backbone):
        slow, fast = few.rate_of(name), many.rate_of(name)
        assert slow is not None
        assert fast is not None
        assert slow == pytest.approx(ratio * fast)


@given(st.integers(1, 100_000))
def test_the_whole_network_learns_slower_than_its_last_blocks(images: int) -> None:
    """More that moves, and layers that all else rests on: at no number of images does it take step two's rate."""
    assert 0 < full_rate(images) < step_two_rate(images)
    assert full_rate(images) <= full_rate(images + 1)


def test_the_full_plan_covers_everything_and_falls_with_depth(backbone: Backbone) -> None:
    """Every parameter learns, the head fastest, and no block faster than the one above it."""
    plan = full_plan(backbone)
    rates = [plan.rate_of(block.parameters[0]) for block in backbone.blocks]

    assert learning(plan, backbone) == {n for n, _ in backbone.network.named_parameters()}
    assert all(low < high for low, high in zip(rates, [*rates[1:], plan.rate_of("fc.weight")], strict=True))


def test_from_scratch_lets_batchnorm_learn_its_statistics() -> None:
    """Random weights have no statistics worth keeping."""
    assert scratch_plan().batchnorm == "learning"


def test_more_blocks_than_there_are_is_refused(backbone: Backbone) -> None:
    """The error says how many there are."""
    with pytest.raises(PlanError, match="has"):
        unfreeze_plan(backbone, 99)


@given(st.integers(1, 100_000))
def test_small_sets_take_smaller_batches(images: int) -> None:
    """An epoch has eight steps at least where eight images are a batch, and never a batch of more than 32."""
    size = batch_size(images)

    assert LEAST_BATCH <= size <= LARGEST_BATCH
    assert images // size >= min(STEPS_AN_EPOCH, images // LEAST_BATCH)
    assert size == LARGEST_BATCH or images // (size + 1) < STEPS_AN_EPOCH


def test_only_the_head_takes_its_last_weights(backbone: Backbone) -> None:
    """It converges by itself; every other training ends in a mean of its weights, after a warm-up of some steps."""
    head, *others = head_plan(backbone, penalty=0.1), unfreeze_plan(backbone, 1), full_plan(backbone), scratch_plan()

    assert (head.averaging, head.warmup) == (None, 0)
    assert all(plan.averaging is not None and plan.warmup > 0 for plan in others)
