"""Events that people read as sentences, on a terminal or in a log."""

from typing import final

from unfreeze.core.events import Event, Noticed, Said, StrategyMeasured
from unfreeze.core.wording import count, score


@final
class Sentences:
    """Which events are told in a sentence: what is said and noticed, and the first score of each strategy."""

    def __init__(self) -> None:
        self._measured: set[str] = set()

    def of(self, event: Event) -> str:
        """The sentence of an event; empty for one that has none."""
        if isinstance(event, Said):
            return event.sentence
        if isinstance(event, Noticed):
            return event.finding.text
        if isinstance(event, StrategyMeasured):
            return self._first_score(event)
        return ""

    def _first_score(self, event: StrategyMeasured) -> str:
        """A score is news once; what follows stands in the table."""
        if event.score is None or event.strategy.key in self._measured:
            return ""
        self._measured.add(event.strategy.key)
        what = {"accuracy": " right", "balanced accuracy": " balanced accuracy", "log-loss": " log-loss"}[event.metric]
        return (
            f"{event.strategy.plain}: {score(event.score, event.metric)}{what} so far ({count(event.splits, 'split')})"
        )
