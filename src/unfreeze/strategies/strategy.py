"""What a strategy is: something that trains on one side of a split and predicts the other."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from unfreeze.core.plans import ProbeSettings, TrainingSettings
from unfreeze.core.progress import Advance
from unfreeze.core.records import Audit, DepthPoint, ModelCost, Outcome
from unfreeze.core.trials import Training
from unfreeze.data.tasks import Split
from unfreeze.strategies.model_size import cost_of
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.tap_classifier import TapClassifier


@dataclass(frozen=True, eq=False, kw_only=True)
class Fit:
    """What one strategy gave on one split: a trial's result.

    Attributes:
        scores: Of the split's test rows: logits, or an SVM's margins.
        probabilities: The scores are logits, so that their softmax means something.
        temperature: By what rows of the learning side that were held out say that scores should be divided, so that
            those of different C compare; 1 where nobody asked them.
        model: The trained network, or a linear classifier on its taps; None where neither is kept.
        settings: How it was fitted, with what was chosen on the learning side; None to keep what was said before.
        tap: Where the codes were read (probes only).
        description: What was trained, in words, where that depends on the split; else empty.
        audit: Of the freezing; None for probes, which train nothing in the network.
        curve: Mean training loss of every epoch.
        probes: The linear classifiers that were fitted for it, shallow to deep.
        shared_usage: Wall and processor time in seconds where the work was shared with other strategies, which then do
            not take it again; None where the clock can be asked.
    """

    scores: Float[np.ndarray, "row cls"]
    probabilities: bool = True
    temperature: float = 1.0
    model: Backbone | TapClassifier | None = None
    settings: ProbeSettings | TrainingSettings | None = None
    tap: str | None = None
    description: str = ""
    audit: Audit | None = None
    curve: tuple[float, ...] = ()
    probes: tuple[DepthPoint, ...] = ()
    shared_usage: tuple[float, float] | None = None

    @property
    def model_cost(self) -> ModelCost | None:
        """What using the model takes; None without one."""
        return cost_of(self.model) if self.model else None

    @property
    def network(self) -> Backbone:
        """The trained network, of a strategy whose head reads its last codes."""
        assert isinstance(self.model, Backbone)  # noqa: S101 - what reads other taps is never asked for it
        return self.model


@runtime_checkable
class Strategy(Protocol):
    """A plan that is ready to run on any split of its task."""

    @property
    def outcome(self) -> Outcome:
        """Its identity and its settings; nothing measured."""
        ...

    @property
    def work(self) -> int:
        """Images that one fit passes over for each image that learns: what its progress counts."""
        ...

    @property
    def refit_seconds(self) -> float:
        """Forecast of a training on everything."""
        ...

    @property
    def training(self) -> Training | None:
        """How it trains blocks; None where it trains none."""
        ...

    def fit(self, split: Split, *, advance: Advance) -> Fit:
        """Train on the learning side, predict the test side; equal splits give equal bits.

        Raises:
            AuditError: The training broke its promise.
        """
        ...
