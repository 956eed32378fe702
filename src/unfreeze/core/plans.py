"""Plans as data: which parameters learn, at what rate, and how; and what was chosen and timed for a training.

Head-only, two blocks, the whole network and from scratch are four plans for one loop, not four trainers. A plan's rules
must cover every parameter of the network (after big_vision's optimiser masks).
"""

import re
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from unfreeze.core.errors import PlanError
from unfreeze.core.strategies import Loss, StrategyId

TrainingPrecision = Literal["float32", "bfloat16"]
Layout = Literal["NCHW", "channels_last"]

# Szegedy et al. 2016, arXiv:1512.00567. Also where log-loss decides, though the smoothed target itself costs 0.1 nats:
# on three splits of hymenoptera (244 images) two blocks reach 0.160 nats with it and 0.145 without, four blocks 0.156
# and 0.351. Balanced training, too, spreads the share over all classes alike. Spread as classes are frequent, it would
# leave the best scores where they are, but the push towards rare classes makes up for what overfitting takes from them:
# two blocks on eight samples of cifar10's train part (six classes, 495 images, two thirds of them in one class, 96 px)
# reach a balanced accuracy of 72.5 % on 900 others, spread by frequency 71.3 %, without smoothing 69.4 %.
LABEL_SMOOTHING = 0.1


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How much training images are varied; the defaults vary nothing.

    Attributes:
        scale: Smallest and largest part of the square's area that a crop takes.
        ratio: Smallest and largest width of a crop over its height.
        flip: Probability of mirroring left and right.
        brightness: Largest relative change of brightness.
        contrast: Largest relative change of contrast.
        saturation: Largest relative change of saturation.
        operations: How many random operations follow (RandAugment: Cubuk et al. 2020, arXiv:1909.13719).
        magnitude: Of those operations, 0 to 30; left and right are never swapped by them.
        mixup: Alpha of the Beta distribution by whose draws two images of a batch are mixed (Zhang et al. 2018,
            arXiv:1710.09412); 0 does not mix. Whole batches are mixed in the training loop.
        cutmix: The same for rectangles of one image pasted into another (Yun et al. 2019, arXiv:1905.04899). With both,
            a coin decides for every batch.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    ratio: tuple[float, float] = (1.0, 1.0)
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    operations: int = 0
    magnitude: int = 9
    mixup: float = 0.0
    cutmix: float = 0.0

    @property
    def crops(self) -> bool:
        """Whether crops vary; if not, the centre is taken."""
        return self.scale != (1.0, 1.0) or self.ratio != (1.0, 1.0)

    @property
    def colours(self) -> bool:
        """Whether colours vary."""
        return any((self.brightness, self.contrast, self.saturation))

    @property
    def varies(self) -> bool:
        """Whether one image looks different from view to view; mixing needs no views."""
        return bool(self.crops or self.flip or self.colours or self.operations)


NONE = Augmentation()
LIGHT = Augmentation(scale=(0.5, 1.0), ratio=(3 / 4, 4 / 3), flip=0.5)
STANDARD = Augmentation(scale=(0.25, 1.0), ratio=(3 / 4, 4 / 3), flip=0.5, brightness=0.2, contrast=0.2, saturation=0.2)
STRONG = Augmentation(scale=(0.25, 1.0), ratio=(3 / 4, 4 / 3), flip=0.5, operations=2, mixup=0.2, cutmix=1.0)
RECIPES = MappingProxyType({"none": NONE, "light": LIGHT, "standard": STANDARD, "strong": STRONG})


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """How the learning part computes in training.

    Attributes:
        layout: Order of the axes of maps in memory.
        precision: Of forward passes; on a CPU, depthwise convolutions stay in float32 in any case.
        threads: Of torch, while it trains; None leaves them as they are. One is faster than all where another program
            has a core of its own: the others wait for the one that it slows down.
    """

    layout: Layout
    precision: TrainingPrecision
    threads: int | None = None


EXACT = Arithmetic(layout="channels_last", precision="float32")


@dataclass(frozen=True)
class Rule:
    """Parameters whose full name matches learn at `rate`; None freezes them."""

    pattern: str
    rate: float | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one strategy trains.

    Attributes:
        strategy: Whose plan it is.
        rules: First match wins; the last should cover everything.
        optimizer: adamw, or lbfgs for what is convex and small enough for one batch.
        weight_decay: Decoupled decay of adamw.
        penalty: Added to the loss, times half the squared norm of what learns, biases excepted.
        epochs: Passes over the training images. Nothing else depends on them, so that a training can go on: so many
            and then some more are the same bits as all of them at once.
        batch_size: Images a step; None takes all of them.
        warmup: Steps in which the rate rises from 0 to what the rules say, where it stays.
        clip_norm: Largest norm of a step's gradient; None does not clip.
        label_smoothing: Share of the target that is spread over all classes.
        balanced: Train for classes that count the same: inside the loss, the logarithm of each class's share of the
            training images is added to its score (logit adjustment: Menon et al. 2021, arXiv:2007.07314), so that the
            plain scores answer as if all classes were equally frequent.
        averaging: The result is a mean of the weights after every step, step t weighing as t to this power (Shamir &
            Zhang 2013, arXiv:1212.1824: polynomial-decay averaging). It takes the place of a rate that falls to 0,
            which needs to know the end. None takes the last weights.
        augmentation: Of the training images. Its mixup and cutmix act on batches of what the learning part takes.
        views: Number of remembered augmented views of an image where the prefix is frozen.
        arithmetic: How the learning part computes in training; weights, evaluation and what is delivered are float32.
        batchnorm: frozen keeps the running statistics of BatchNorm as they came; learning updates them.
    """

    strategy: StrategyId
    rules: tuple[Rule, ...]
    optimizer: Literal["adamw", "lbfgs"] = "adamw"
    weight_decay: float = 0.01
    penalty: float = 0.0
    epochs: int = 20
    batch_size: int | None = 32
    warmup: int = 20
    clip_norm: float | None = 1.0
    label_smoothing: float = LABEL_SMOOTHING
    balanced: bool = False
    averaging: float | None = 8.0
    augmentation: Augmentation = LIGHT
    views: int = 4
    arithmetic: Arithmetic = EXACT
    batchnorm: Literal["frozen", "learning"] = "frozen"

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


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What training costs with one layout, precision and number of threads.

    Attributes:
        arithmetic: Layout, precision and threads.
        seconds: Wall time of one image in one epoch.
        cost: What decides, in seconds: processor time where the processor trains, since other programs that run at the
            time stretch wall time (measured under load: the slowest candidate won); else wall time.
    """

    arithmetic: Arithmetic
    seconds: float
    cost: float


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """How a linear classifier was fitted.

    Attributes:
        loss: softmax, svm or ridge.
        C: Regularisation that cross-validation chose (scikit-learn's convention); smaller is stronger.
        Cs: What it chose from.
        cv_accuracy: Its cross-validated accuracy, 0 to 1.
        readouts: What it reads, by `core.readouts.Readout.name`, where several are joined; else empty.
    """

    loss: Loss | Literal["ridge"]
    C: float
    Cs: tuple[float, ...]
    cv_accuracy: float
    readouts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a training was run.

    Attributes:
        plan: What learned, and how; its epochs are those that fit the budget.
        seconds_an_image: Wall time of one image in one epoch, measured; None for the head, which takes a moment.
        timed: The arithmetics that were timed before; what was chosen comes first.
        forecast_seconds: Of its splits, or without any of its training on everything; None where it was not forecast.
        halvings: How often the latest training halved its rates and began again, since its loss rose.
        processes: How many shared every batch of the latest training; losses are those of one but for rounding.
    """

    plan: Plan
    seconds_an_image: float | None = None
    timed: tuple[Timed, ...] = ()
    forecast_seconds: float | None = None
    halvings: int = 0
    processes: int = 1
