"""A plan says which parameters learn, at what rate, and how: data for one loop.

Head-only, two blocks, the whole network and from scratch are four plans, not four trainers. A plan's rules must cover
every parameter of the network (after big_vision's optimiser masks).
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from unfreeze.core.errors import PlanError
from unfreeze.core.records import Kind
from unfreeze.data.transforms import LIGHT, NONE, Augmentation
from unfreeze.training.precision import Layout, Precision
from unfreeze.zoo.backbones import Backbone

LAYER_DECAY = 0.9  # rate of a block relative to the block above it
HEAD_EPOCHS = 10  # each of at most LBFGS_ITERATIONS; later ones end at once when the gradient has vanished
RATE, RATE_OF_FEW = 2e-3, 1e-3  # of step two
FEW_IMAGES = 500  # between the sizes where the rates were compared: up to 300 images, and from 1,500
# Szegedy et al. 2016, arXiv:1512.00567. Also where log-loss decides, though the smoothed target itself costs 0.1 nats:
# on three splits of hymenoptera (244 images) two blocks reach 0.160 nats with it and 0.145 without, four blocks 0.156
# and 0.351. Balanced training, too, spreads the share over all classes alike. Spread as classes are frequent, it would
# leave the best scores where they are, but the push towards rare classes makes up for what overfitting takes from them:
# two blocks on eight samples of cifar10's train part (six classes, 495 images, two thirds of them in one class, 96 px)
# reach a balanced accuracy of 72.5 % on 900 others, spread by frequency 71.3 %, without smoothing 69.4 %.
LABEL_SMOOTHING = 0.1


@dataclass(frozen=True)
class Rule:
    """Parameters whose full name matches learn at `rate`; None freezes them."""

    pattern: str
    rate: float | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one strategy trains.

    Attributes:
        kind: head, unfreeze, full or scratch.
        blocks: Number of blocks that learn; 0 for the head alone, None for the whole network.
        rules: First match wins; the last should cover everything.
        optimizer: adamw, or lbfgs for what is convex and small enough for one batch.
        weight_decay: Decoupled decay of adamw.
        penalty: Added to the loss, times half the squared norm of what learns, biases excepted.
        epochs: Passes over the training images.
        batch_size: Images a step; None takes all of them.
        warmup: Fraction of the steps in which the rate rises from 0; after it the rate falls to 0 along a cosine. None
            keeps the rate as it is.
        clip_norm: Largest norm of a step's gradient; None does not clip.
        label_smoothing: Share of the target that is spread over all classes.
        balanced: Train for classes that count the same: inside the loss, the logarithm of each class's share of the
            training images is added to its score (logit adjustment: Menon et al. 2021, arXiv:2007.07314), so that the
            plain scores answer as if all classes were equally frequent.
        averaged: Share of the epochs, the last ones, whose weights are averaged for the result (Izmailov et al. 2018,
            arXiv:1803.05407); 0 takes the last weights.
        chosen_on_fold: The factor of the rates, by short trials, and the epoch to stop after are chosen on the first
            fold of the train part. Off, since it did harm where it was tried: see `strategies.rates`.
        stop: Passes after which training ends, while the rates still follow the schedule of `epochs`; None makes all.
        augmentation: Of the training images. Its mixup and cutmix act on batches of what the learning part takes.
        views: Number of remembered augmented views of an image where the prefix is frozen.
        layout: Of maps in memory, in training.
        precision: Of forward passes in training; weights, evaluation and what is delivered are float32.
        batchnorm: frozen keeps the running statistics of BatchNorm as they came; learning updates them.
    """

    kind: Kind
    blocks: int | None
    rules: tuple[Rule, ...]
    optimizer: Literal["adamw", "lbfgs"] = "adamw"
    weight_decay: float = 0.01
    penalty: float = 0.0
    epochs: int = 20
    batch_size: int | None = 32
    warmup: float | None = 0.1
    clip_norm: float | None = 1.0
    label_smoothing: float = LABEL_SMOOTHING
    balanced: bool = False
    averaged: float = 0.0
    chosen_on_fold: bool = False
    stop: int | None = None
    augmentation: Augmentation = LIGHT
    views: int = 4
    layout: Layout = "channels_last"
    precision: Precision = "float32"
    batchnorm: Literal["frozen", "learning"] = "frozen"

    @property
    def passes(self) -> int:
        """Passes over the training images that are made."""
        return self.epochs if self.stop is None else min(self.stop, self.epochs)

    @property
    def averaged_passes(self) -> int:
        """How many of the last passes' weights make the result; fewer than two are no average."""
        return round(self.averaged * self.passes)

    def with_rates_times(self, factor: float) -> "Plan":
        """The same plan with all its rates multiplied."""
        rules = tuple(replace(rule, rate=rule.rate * factor) if rule.rate is not None else rule for rule in self.rules)
        return replace(self, rules=rules)

    def rate_of(self, name: str) -> float | None:
        """Learning rate of the parameter called `name`; None if it is frozen.

        Raises:
            PlanError: No rule covers it.
        """
        for rule in self.rules:
            if re.fullmatch(rule.pattern, name):
                return rule.rate
        patterns = [rule.pattern for rule in self.rules]
        msg = (
            f"No rule covers parameter {name!r}; patterns tried: {patterns}. "
            "End the plan with Rule('.*', None) to freeze the rest."
        )
        raise PlanError(msg)

    def to_json(self) -> dict[str, Any]:
        """Plain data for the run record."""
        return asdict(self)


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
        kind="head",
        blocks=0,
        rules=(Rule(rf"{re.escape(backbone.head)}\..*", 1.0), Rule(".*", None)),
        optimizer="lbfgs",
        weight_decay=0.0,
        penalty=penalty,
        epochs=HEAD_EPOCHS,
        batch_size=None,
        warmup=None,
        clip_norm=None,
        label_smoothing=0.0,
        balanced=balanced,
        augmentation=NONE,
        views=0,
    )


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
        kind="unfreeze",
        blocks=blocks,
        rules=(*_falling_rates(backbone, blocks, rate), Rule(_exactly(learning), rate), Rule(".*", None)),
        epochs=epochs,
    )


def full_plan(backbone: Backbone, *, epochs: int = 10, rate: float = 1e-3) -> Plan:
    """The whole network, still starting from the pretrained weights, earlier layers at lower rates."""
    rules = (*_falling_rates(backbone, len(backbone.blocks), rate), Rule(".*", rate))
    return Plan(kind="full", blocks=None, rules=rules, epochs=epochs)


def scratch_plan() -> Plan:
    """The whole network from random weights; BatchNorm has to learn its statistics."""
    return Plan(
        kind="scratch",
        blocks=None,
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
