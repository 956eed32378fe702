"""What a strategy is: something that trains on one side of a split and predicts the other."""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from unfreeze.core.progress import Advance
from unfreeze.core.records import Audit, Outcome
from unfreeze.strategies.experiment import Split
from unfreeze.zoo.backbones import Backbone


@dataclass(frozen=True, eq=False, kw_only=True)
class Fit:
    """What one strategy gave on one split: a trial's result.

    Attributes:
        scores: Of the split's test rows: logits, or an SVM's margins.
        probabilities: The scores are logits, so that their softmax means something.
        backbone: The trained network; None where it would be a cut-off one, which timm could not load.
        settings: What was chosen on the learning side, as plain data.
        tap: Where the codes were read (probes only).
        trained: What was trained, in words, where that depends on the split; else empty.
        audit: Of the freezing; None for probes, which train nothing in the network.
        curve: Mean training loss of every epoch.
        took: Wall and processor time in seconds where the work was shared with other strategies, which then do not take
            it again; None where the clock can be asked.
    """

    scores: Float[np.ndarray, "row cls"]
    probabilities: bool = True
    backbone: Backbone | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    tap: str | None = None
    trained: str = ""
    audit: Audit | None = None
    curve: tuple[float, ...] = ()
    took: tuple[float, float] | None = None


@runtime_checkable
class Strategy(Protocol):
    """A plan that is ready to run on any split of its task."""

    @property
    def outcome(self) -> Outcome:
        """Its name, its kind and its settings; nothing measured."""
        ...

    @property
    def work(self) -> int:
        """Images that one fit passes over for each image that learns: what its progress counts."""
        ...

    @property
    def refit_seconds(self) -> float:
        """Forecast of a training on everything."""
        ...

    def fit(self, split: Split, *, advance: Advance) -> Fit:
        """Train on the learning side, predict the test side; equal splits give equal bits.

        Raises:
            AuditError: The training broke its promise.
        """
        ...
