"""Events that people read as sentences, on a terminal or in a log."""

from typing import final

from unfreeze.core.events import Event, Noticed, Said, StrategyMeasured
from unfreeze.core.wording import count, score


@final
class Sentences:
    """Which events are told in a sentence: what is said and noticed, once, and the first score of each strategy."""

    def __init__(self) -> None:
        self._measured: set[str] = set()
        self._told: set[str] = set()

    def of(self, event: Event) -> str:
        """The sentence of an event; empty for one that has none."""
        if isinstance(event, Said):
            return self._unless_told(event.sentence)
        if isinstance(event, Noticed):
            return self._unless_told(event.finding.text)
        if isinstance(event, StrategyMeasured):
            return self._first_score(event)
        return ""

    def _unless_told(self, sentence: str) -> str:
        """Each store of codes has its engine, and says so: twice the same is no news."""
        known = sentence in self._told
        self._told.add(sentence)
        return "" if known else sentence

    def _first_score(self, event: StrategyMeasured) -> str:
        """A score is news once; what follows stands in the table."""
        if event.score is None or event.strategy.key in self._measured:
            return ""
        self._measured.add(event.strategy.key)
        what = {"accuracy": " right", "balanced accuracy": " balanced accuracy", "log-loss": " log-loss"}[event.metric]
        return (
            f"{event.strategy.plain}: {score(event.score, event.metric)}{what} so far ({count(event.splits, 'split')})"
        )
