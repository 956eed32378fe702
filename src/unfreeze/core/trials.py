"""A trial as plain data: what is trained, on which rows, with which seed, on which activations; and what it gave.

A trial is small, and another process can carry it out that has the same images, network and store of codes.
"""

from dataclasses import dataclass

from unfreeze.core.plans import ProbeSettings, TrainingSettings
from unfreeze.core.records import Audit, DepthPoint, ModelCost
from unfreeze.core.strategies import StrategyId


@dataclass(frozen=True, kw_only=True)
class Activations:
    """What a training is fed with.

    Attributes:
        cut: Where the frozen part of the network ends; ``input`` where none is frozen.
        remembered: Whether the frozen part runs once over all images, and what it gives is kept in memory; else it runs
            in every epoch. How many augmented views are remembered, the plan says.
        together: The strategies whose activations the same passes remembered, this one among them; shallow to deep.
            In bfloat16 the last bits depend on what else is read.
    """

    cut: str
    remembered: bool
    together: tuple[StrategyId, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a strategy trains blocks, down to what was timed and chosen for this machine.

    Attributes:
        settings: Its plan, and what was timed.
        activations: What it is fed with.
        lengthened: How often it got more epochs than it was prepared for.
        side_by_side: How many trainings on splits run at a time, each on a core of its own.
        threads_alone: Of torch, for one that runs alone; None leaves them as they are.
        draws: Whether it draws torch's random numbers.
    """

    settings: TrainingSettings
    activations: Activations
    lengthened: int = 0
    side_by_side: int = 1
    threads_alone: int | None = None
    draws: bool = True


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One strategy on one split with one seed.

    Attributes:
        strategy: What is fitted or trained.
        split: Name of its rows, as `data.tasks.Task.named` reads it: ``split 3``, ``split 3, half``, ``everything``.
        seed: Of the run; all random numbers are derived from it, the strategy and the split.
        training: How; None for linear classifiers and the head, which choose their settings in the trial.
    """

    strategy: StrategyId
    split: str
    seed: int
    training: Training | None = None

    @property
    def name(self) -> str:
        """What no other trial of a run is called: letters, digits and hyphens."""
        name = f"{self.strategy.key}-on-{self.split.replace(',', '').replace(' ', '-')}"
        longer = self.training.lengthened if self.training else 0
        return f"{name}-lengthened-{longer}" if longer else name


@dataclass(frozen=True, kw_only=True)
class TrialOutcome:
    """What a trial gave. Equal trials give equal outcomes, but for the last three.

    Attributes:
        predictions: Class index of every test row of the split; none where it did not train.
        log_likelihoods: Log of the probability of each row's own class, nats; None for an SVM.
        scores: Logits of each row; None for an SVM, beyond the first round of splits, and where there are too many.
        temperature: By what held-out rows of the learning side say that scores should be divided; 1 where nobody asked.
        settings: How it was fitted, with what was chosen on the learning side; None to keep what was said before.
        tap: Where the codes were read (linear classifiers only).
        description: What was trained, in words, where that depends on the split; else empty.
        audit: Of the freezing; None where nothing in the network is trained.
        curve: Mean training loss of every epoch.
        failure: Why there are no predictions: it ended worse than it began; else empty.
        probes: The linear classifiers that were fitted for it, shallow to deep, on this split alone.
        model_cost: What using its model would take, untimed; None where there is no model.
        seconds: Wall time.
        cpu_seconds: Processor time.
        peak_bytes: The largest resident memory that the process had reached by then.
    """

    predictions: tuple[int, ...]
    log_likelihoods: tuple[float, ...] | None
    scores: tuple[tuple[float, ...], ...] | None = None
    temperature: float = 1.0
    settings: ProbeSettings | TrainingSettings | None = None
    tap: str | None = None
    description: str = ""
    audit: Audit | None = None
    curve: tuple[float, ...] = ()
    failure: str = ""
    probes: tuple[DepthPoint, ...] = ()
    model_cost: ModelCost | None = None
    seconds: float
    cpu_seconds: float
    peak_bytes: int
