"""What may take part in a race: every strategy, made ready to run on the splits of one task."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol, final, runtime_checkable

from unfreeze.core.records import Outcome
from unfreeze.strategies.depth import LOSSES, Loss
from unfreeze.strategies.experiment import Experiment, Split
from unfreeze.strategies.finetuning import Forecast, Wish, ready_full, ready_scratch, ready_unfreeze
from unfreeze.strategies.preparation import with_measured_flips
from unfreeze.strategies.step_one import ProbeStrategy, step_one
from unfreeze.strategies.strategy import Strategy

Depth = int | Literal["all", "scratch"]


@runtime_checkable
class DearStrategy(Strategy, Protocol):
    """A strategy whose training takes time that matters."""

    @property
    def expected(self) -> Forecast:
        """What was forecast of it."""
        ...


@runtime_checkable
class Entries(Protocol):
    """Gives strategies that are ready to run; a simulation has entries of its own."""

    def step_one(self) -> list[Strategy]:
        """The cheap ones."""
        ...

    def share(self, strategies: Sequence[Strategy], split: Split) -> None:
        """Do at once what these need on a split and can take from each other."""
        ...

    def ready(self, depth: Depth, wish: Wish) -> DearStrategy | Outcome:
        """One that goes deeper; an outcome that is left out, with the reason, if it does not fit."""
        ...


@final
class PhotoEntries:
    """Strategies on photos.

    Attributes:
        experiment: Task, network, codes; its augmentation does without flips once a check has said so.
        shared: Probes and heads of every split.
    """

    def __init__(self, experiment: Experiment, losses: tuple[Loss, ...] = LOSSES) -> None:
        self.experiment = experiment
        self.shared, self._cheap = step_one(experiment, losses)
        self._flips_checked = False

    def step_one(self) -> list[Strategy]:
        """Every loss on the last codes and on the best tap, and the head."""
        return self._cheap

    def share(self, strategies: Sequence[Strategy], split: Split) -> None:
        """Fit all their probes side by side: one by one they would take one core each."""
        probes = [strategy for strategy in strategies if isinstance(strategy, ProbeStrategy)]
        self.shared.fit(split, [place for strategy in probes for place in strategy.places])

    def ready(self, depth: Depth, wish: Wish) -> DearStrategy | Outcome:
        """Some blocks, all, or from scratch."""
        if wish.allowance > 0:
            self._check_flips()
        if depth == "scratch":
            return ready_scratch(self.experiment, wish=wish)
        if depth == "all":
            return ready_full(self.shared, wish=wish)
        return ready_unfreeze(self.shared, blocks=depth, wish=wish)

    def _check_flips(self) -> None:
        """Once, before the first training that augments."""
        if self._flips_checked:
            return
        C = self.shared.on_last(self.experiment.task.split(0), "softmax").C
        self.experiment = with_measured_flips(self.experiment, C=C)
        self.shared = replace(self.shared, experiment=self.experiment)
        self._flips_checked = True


def depths_for(blocks: int, asked: tuple[Depth, ...] | None) -> list[Depth]:
    """What is tried beyond step one, from cheap to dear.

    Args:
        blocks: How many the network has.
        asked: Numbers of blocks, all, scratch; None for 1, 2, 4 and all.

    Returns:
        Ascending numbers of blocks, then all, then scratch; without asking, only depths that the network has.

    Example:
        >>> depths_for(3, None)
        [1, 2, 'all']
    """
    if asked is None:
        return [*(number for number in (1, 2, 4) if number < blocks), "all"]
    return [*sorted({d for d in asked if isinstance(d, int)}), *(word for word in ("all", "scratch") if word in asked)]
