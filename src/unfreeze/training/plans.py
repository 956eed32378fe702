"""The four plans: step one, the last blocks, the whole network, from scratch (`core.plans` says what a plan is)."""

import re
from collections.abc import Iterable

from unfreeze.core.plans import NONE, Plan, Rule
from unfreeze.core.strategies import FULL, HEAD, SCRATCH, unfreeze
from unfreeze.zoo.backbones import Backbone

LAYER_DECAY = 0.9  # rate of a block relative to the block above it
WARMUP = 20  # steps: a tenth of few steps is none, and full fine-tuning of 208 images went to a loss of 12 after three
STEPS_AN_EPOCH = 8  # at least, where batches of LEAST_BATCH images allow it
LARGEST_BATCH, LEAST_BATCH = 32, 8
HEAD_EPOCHS = 10  # each of at most LBFGS_ITERATIONS; later ones end at once when the gradient has vanished
RATE, RATE_OF_FEW = 2e-3, 1e-3  # of step two
FEW_IMAGES = 500  # between the sizes where the rates were compared: up to 300 images, and from 1,500
FULL_SHARE = 0.5  # of the rate of step two, where the whole network learns


def _exactly(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in names)


def head_plan(backbone: Backbone, *, penalty: float, balanced: bool = False) -> Plan:
    """Step one: the head alone, to convergence, without augmentation.

    The problem is convex and its inputs are remembered, so all images make one batch and L-BFGS converges in a few
    passes; Adam on small batches was tried and still differed from the converged softmax on 1 % of the digits.

    Args:
        backbone: The network with its new head.
        penalty: L2 penalty of the weights on standardised codes; 1 / (C n) is the softmax probe's objective divided
            by C n (scikit-learn's C, n images).
        balanced: See `Plan`.
    """
    return Plan(
        strategy=HEAD,
        rules=(Rule(rf"{re.escape(backbone.head)}\..*", 1.0), Rule(".*", None)),
        optimizer="lbfgs",
        weight_decay=0.0,
        penalty=penalty,
        epochs=HEAD_EPOCHS,
        batch_size=None,
        warmup=0,
        averaging=None,
        clip_norm=None,
        label_smoothing=0.0,
        balanced=balanced,
        augmentation=NONE,
        views=0,
    )


def batch_size(images: int) -> int:
    """Images a step: small sets take smaller batches, or they would take too few steps.

    Args:
        images: That a training learns from.

    Returns:
        A number.

    Example:
        >>> [batch_size(images) for images in (48, 160, 1000)]
        [8, 20, 32]
    """
    return max(LEAST_BATCH, min(LARGEST_BATCH, images // STEPS_AN_EPOCH))


def step_two_rate(images: int) -> float:
    """Learning rate of step two for so many training images: lower for few, which take few steps to be learned.

    Chosen on splits of train parts (EfficientNet-Lite0, 20 epochs). With about 1,500 images (omniglot, trashnet) and
    two blocks 1e-3 gave 75.9 % and 88.8 %, 2e-3 gave 78.2 % and 90.9 %; without clipping 3e-3 diverged. With 62 to 300
    images of six sets: over 31 samples 1e-3 is better than 2e-3 by 1.1 points (standard error 0.5) for two blocks, and
    over 11 by 1.6 (1.6) for four; 3e-4 does as 1e-3 does, 1e-4 gains less.
    """
    return RATE_OF_FEW if images < FEW_IMAGES else RATE


def unfreeze_plan(backbone: Backbone, blocks: int, *, epochs: int = 20, rate: float = RATE) -> Plan:
    """Step two: the last `blocks` blocks, what lies between them and the head, and the head; lower blocks slower.

    Args:
        backbone: The network.
        blocks: How many.
        epochs: Passes over the images.
        rate: Of the head; see `step_two_rate`.

    Raises:
        PlanError: The network has fewer blocks.
    """
    learning = _suffix_parameters(backbone, blocks)
    return Plan(
        strategy=unfreeze(blocks),
        rules=(*_falling_rates(backbone, blocks, rate), Rule(_exactly(learning), rate), Rule(".*", None)),
        epochs=epochs,
    )


def full_rate(images: int) -> float:
    """Learning rate of the whole network for so many training images: at any number half of step two's.

    Chosen on parts of train parts (EfficientNet-Lite0, 96 px, 10 epochs; 22 samples of 55 to 396 images of four sets,
    balanced or not). At 1e-3 one training ended below the head that it started from by more than two standard errors,
    and three stood there after three epochs, all of about 60 images; at 5e-4 none and one. With up to 150 images 5e-4
    ends where 1e-3 does (+0.1 points, standard error 1.5, 15 samples), with 231 to 396 perhaps lower (-1.6, 1.0, 7
    samples); 2.5e-4 does as 5e-4 does (+0.4, 1.1, 17 samples). From 500 images on, rates were not compared.
    """
    return FULL_SHARE * step_two_rate(images)


def full_plan(backbone: Backbone, *, epochs: int = 10, rate: float = FULL_SHARE * RATE) -> Plan:
    """The whole network, still starting from the pretrained weights, earlier layers at lower rates.

    Args:
        backbone: The network.
        epochs: Passes over the images.
        rate: Of the head; see `full_rate`.
    """
    rules = (*_falling_rates(backbone, len(backbone.blocks), rate), Rule(".*", rate))
    return Plan(strategy=FULL, rules=rules, epochs=epochs)


def scratch_plan() -> Plan:
    """The whole network from random weights; BatchNorm has to learn its statistics."""
    return Plan(
        strategy=SCRATCH,
        rules=(Rule(".*", 2e-3),),
        weight_decay=0.05,
        epochs=20,
        batchnorm="learning",
    )


def _falling_rates(backbone: Backbone, count: int, rate: float) -> tuple[Rule, ...]:
    """One rule a block, the last one first, each LAYER_DECAY slower than the block above it."""
    last_first = list(reversed(backbone.blocks))[:count]
    return tuple(
        Rule(_exactly(block.parameters), rate * LAYER_DECAY ** (depth + 1))
        for depth, block in enumerate(last_first)
        if block.parameters
    )


def _suffix_parameters(backbone: Backbone, blocks: int) -> list[str]:
    """Names of all parameters after the cut before the last `blocks` blocks."""
    return [name for name, _ in backbone.suffix(backbone.cut_before_blocks(blocks)).named_parameters()]
