"""What is measured before any training, and what a rule of thumb makes of it: plain data for the run record."""

from dataclasses import dataclass
from typing import Literal

from unfreeze.core.strategies import StrategyId

Size = Literal["small", "large"]
Likeness = Literal["similar", "very different"]
Family = Literal[
    "linear on the last codes",
    "linear on earlier codes",
    "fine-tune the whole network",
    "train the whole network from the pretrained weights",
]


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """How like the source's images some images look to the network.

    Attributes:
        value: 0 (very different) to 1 (alike), linear in the logarithm of `divergence`; None where not applicable.
        divergence: Of the images' statistics from the source's, in nats per channel; None where not applicable.
        layers: How many BatchNorm layers were compared.
        channels: How many channels they have.
        dead_channels: How many of these were left out because the source's statistics say that they never vary.
        images: How many images were run.
        input_size: Side at which they were run, in pixels; 0 where not applicable.
        confidence: Mean largest softmax probability of the network's own head on them, 0 to 1; None if not measured.
        because: Why `value` is None; empty otherwise.
    """

    value: float | None
    divergence: float | None = None
    layers: int = 0
    channels: int = 0
    dead_channels: int = 0
    images: int = 0
    input_size: int = 0
    confidence: float | None = None
    because: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was measured about a task before any training.

    Attributes:
        images: How many there are to learn from.
        classes: How many different labels they have.
        smallest_class: Images of the rarest class.
        median_class: Images of the median class.
        largest_class: Images of the commonest class.
        imbalance: Largest class over smallest.
        balance: Entropy of the class shares over its largest value: 1 if all classes are equally common, near 0 if one
            has nearly all.
        is_imbalanced: Whether the imbalance is strong.
        median_side: Median of the images' shorter sides, in pixels.
        small_images: Share of the images whose shorter side is below the network's input, so that they are upscaled.
        groups: How many groups there are; None if none were given.
        similarity: To the source.
        peak_tap: Where the probe is best; None if no probes were fitted.
        peak_depth: Its place among the taps: 0 the first, 1 the last codes.
        peak_gain: Cross-validated accuracy there less that on the last codes, 0 to 1.
        probe_accuracy: Cross-validated accuracy on the last codes, 0 to 1; None if no probes were fitted.
    """

    images: int
    classes: int
    smallest_class: int
    median_class: float
    largest_class: int
    imbalance: float
    balance: float
    is_imbalanced: bool
    median_side: float
    small_images: float
    groups: int | None
    similarity: Similarity
    peak_tap: str | None = None
    peak_depth: float | None = None
    peak_gain: float | None = None
    probe_accuracy: float | None = None


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a rule of thumb says before any training.

    Attributes:
        rule: 1 to 4; None if no rule applies.
        sentence: What it says, and on which facts.
        family: The strategy that it expects to be best; None if no rule applies.
        size: The side of the size that the images are on.
        likeness: The side of similarity; None if it could not be measured.
    """

    rule: int | None
    sentence: str
    family: Family | None
    size: Size
    likeness: Likeness | None


@dataclass(frozen=True, kw_only=True)
class Rival:
    """Another strategy, compared with the one that a rule of thumb predicted.

    Attributes:
        strategy: Which.
        gain: Over the predicted one, on the splits that both have, in the metric that decides; more is better.
        shown: What it reached, in words.
        answer: How it compares with the predicted one: better, worse or equivalent only if the comparison is settled.
        is_cheaper: Whether it costs less than the predicted one.
    """

    strategy: StrategyId
    gain: float
    shown: str
    answer: Literal["better", "worse", "equivalent", "cannot tell"]
    is_cheaper: bool


@dataclass(frozen=True, kw_only=True)
class RuleRecord:
    """What a rule of thumb said before any training, and whether it held.

    Attributes:
        prediction: What it said.
        answer: held, did not hold, or cannot tell.
        sentence: The rule, what was measured, and the answer.
    """

    prediction: Prediction
    answer: Literal["held", "did not hold", "cannot tell"]
    sentence: str
