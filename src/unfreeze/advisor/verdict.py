"""The answer of a run, as somebody reads it who wants to act on it: what to use, and whether unfreezing is worth it.

Two sentences that answer, and few more. The statistics behind them are sentences of `unfreeze.advisor.details`. A pure
function of what a run measured, as that is.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from unfreeze.advisor.baseline import NO_BETTER
from unfreeze.advisor.details import LATE, agrees
from unfreeze.advisor.folder_check import CONTRADICTS
from unfreeze.advisor.questions import between, deeper, measured_strategies
from unfreeze.core.phrases import budget_for
from unfreeze.core.records import Comparison, Interval, Outcome
from unfreeze.core.run_record import RunResults
from unfreeze.core.strategies import (
    FULL,
    HEAD,
    LINEAR_ON_ALL,
    SCRATCH,
    SOFTMAX_ON_BEST,
    SOFTMAX_ON_LAST,
    SVM_ON_BEST,
    StrategyId,
)
from unfreeze.core.wording import MOST, amount, count, duration, listed, of_hundred, of_hundred_span

MOST_SENTENCES: Final = 10
MOST_WORDS: Final = 160
_NAMED = 3  # strategies that were left out are named up to so many


@dataclass(frozen=True)
class _Run:
    """What a run measured, as the answer asks for it."""

    results: RunResults
    place: str

    @property
    def picked(self) -> Outcome | None:
        return self.results.outcome_of(self.results.picked)

    @property
    def margin(self) -> str:
        return amount(self.results.margin, self.results.metric)

    def step(self, first: StrategyId, second: StrategyId) -> Comparison | None:
        return between(self.results.comparisons, first, second)

    def more(self, value: float) -> str:
        """A difference, without its sign."""
        metric = self.results.metric
        return amount(round(min(abs(value), MOST[metric]), 3), metric)

    def sure(self, interval: Interval) -> str:
        """The interval of a difference: how much is lost or gained, at most and at least."""
        low, high = interval
        if low >= 0:
            return f"95 % sure: {self.more(low).split()[0]} to {self.more(high)}"
        return f"95 % sure: between {self.more(low)} less and {self.more(high)} more"


def verdict(results: RunResults, *, place: str = "") -> tuple[str, ...]:
    """The answer of a run: two sentences, then what else somebody should know, the most important first.

    Args:
        results: What the run measured and chose; a whole record too, whose own verdict does not matter.
        place: Where the model lies, as the reader would type it; empty for a reader who has the run's folder open.

    Returns:
        At most ten sentences of at most 160 words together; what did not fit stands in the details.
    """
    run = _Run(results, place or f"the folder {results.model}/ beside this report")
    first = [_on_use(run), _on_unfreezing(run)]
    rest = (
        *_on_interruption(run),
        *_on_test_folder(run),
        *_on_all_layers(run),
        *_on_two_ways(run),
        *_on_earlier_layers(run),
        *_on_pretrained(run),
        *_on_delivery(run),
        *_on_more_photos(run),
        *_on_left_out(run),
        *_on_measuring(run),
    )
    return tuple(_fitting(first, rest))


def _fitting(first: Sequence[str], rest: Iterable[str]) -> Iterable[str]:
    """As many as are read: a sentence too many is left out, and a shorter one after it may still fit."""
    yield from first
    words, sentences = sum(len(said.split()) for said in first), len(first)
    for said in rest:
        if sentences < MOST_SENTENCES and words + len(said.split()) <= MOST_WORDS:
            words, sentences = words + len(said.split()), sentences + 1
            yield said


def _on_use(run: _Run) -> str:
    picked = run.picked
    if picked is None:
        return "There is no model yet: no strategy was finished, so run again with a larger --budget."
    right = _right(run, picked)
    name = picked.strategy.plain
    if any(found.code == NO_BETTER for found in run.results.findings):
        return f"Do not rely on this model ({name}): {right}, not shown to be more than by always naming one class."
    if run.results.model is None:
        return f"There is no model, since the run was stopped; the best so far is “{name}”: {right}."
    return f"Use the model in {run.place} ({name}): {right}."


def _right(run: _Run, picked: Outcome) -> str:
    """How many new photos of a hundred are right, and how sure that is; without the luck of having been picked."""
    winner, metric = run.results.winner, run.results.metric
    value, interval = picked.accuracy, picked.interval
    if metric == "accuracy" and winner is not None and winner.strategy == picked.strategy:
        value, interval = winner.corrected, winner.interval
    if value is None:
        return "how many new photos it gets right was not measured"
    sure = f"95 % sure: {of_hundred_span(interval)}" if interval else "measured once, so how sure is not known"
    also = ""
    if metric == "balanced accuracy" and picked.balanced_accuracy is not None:
        also = f", {of_hundred(picked.balanced_accuracy)} where every class counts the same"
    return f"about {of_hundred(value)} of 100 new photos right ({sure}){also}"


def _on_unfreezing(run: _Run) -> str:
    """Over what is used without it: a linear classifier on all layers, where that is picked or beats the last one."""
    base = _base(run)
    steps = _steps_from(base, run)
    gains = [step for step in steps if step.answer == "worth it"]
    unclear = [step for step in steps if step.answer == "cannot tell"]
    decided = [step for step in steps if step.answer != "cannot tell"]
    # A depth that there was no time for does not take back what whole rounds say of the others.
    aside = bool(decided) and all(step.second in run.results.on_part for step in unclear)
    if not gains and _is_at_the_top(base, run):
        return f"Unfreezing is not needed: {_BASES[base]} is right so often that at most {run.margin} is left to gain."
    if not steps:
        return _on_nothing_unfrozen(run)
    if gains:
        return _on_gain(max(gains, key=lambda step: step.difference), steps, run)
    if unclear and not aside:
        return _on_unclear(max(unclear, key=lambda step: step.interval.high), run)
    tried, rest = _quoted(decided), f"; {_quoted(unclear)} had too little time to tell" if unclear else ""
    if all(step.answer in {"equivalent", "same"} for step in decided):
        return f"Unfreezing makes no difference that matters here ({tried}): at most {run.margin} either way{rest}."
    return f"Unfreezing is not worth it here ({tried}): it gains no more than {run.margin} over {_BASES[base]}{rest}."


def _quoted(steps: Sequence[Comparison]) -> str:
    return listed([f"“{step.second.plain}”" for step in steps])


_BASES = {HEAD: "the last layer alone", LINEAR_ON_ALL: "a linear classifier on all layers"}


def _steps_from(base: StrategyId, run: _Run) -> list[Comparison]:
    depths = deeper(measured_strategies(run.results.strategies))
    return [step for one in depths if (step := run.step(base, one)) is not None]


def _base(run: _Run) -> StrategyId:
    if _stands_for_what_is_picked(LINEAR_ON_ALL, run) and _steps_from(LINEAR_ON_ALL, run):
        return LINEAR_ON_ALL
    joined = run.step(HEAD, LINEAR_ON_ALL)
    return LINEAR_ON_ALL if joined is not None and joined.answer == "worth it" else HEAD


def _stands_for_what_is_picked(joined: StrategyId, run: _Run) -> bool:
    """Whether it is picked, or scores as well as an earlier layer that is: no depth is compared with that one."""
    picked, other = run.picked, run.results.outcome_of(joined)
    if picked is None or other is None:
        return False
    if picked.strategy == joined:
        return True
    if picked.strategy not in {SOFTMAX_ON_BEST, SVM_ON_BEST} or joined in run.results.on_part:
        return False
    by = "balanced_accuracy" if run.results.metric == "balanced accuracy" else "accuracy"
    scores = getattr(other, by), getattr(picked, by)
    return None not in scores and scores[0] >= scores[1]


def _is_at_the_top(base: StrategyId, run: _Run) -> bool:
    """Whether a classifier without a mistake would gain no more than the margin over the low end of its interval."""
    outcome = run.results.outcome_of(base)
    if outcome is None or outcome.interval is None or run.results.metric != "accuracy":
        return False
    return 1 - outcome.interval.low <= run.results.margin


def _on_nothing_unfrozen(run: _Run) -> str:
    opening = "Whether unfreezing is worth it is not known"
    if run.results.command.strategies == ():
        return f"{opening}: no block was to be trained (--strategies none)."
    known = [
        one.forecast_seconds
        for one in run.results.forecasts
        if one.strategy.is_deeper and one.forecast_seconds is not None and one.status == "left out"
    ]
    if run.results.interrupted:
        return f"{opening}: the run was stopped before."
    budget = budget_for(run.results.seconds + min(known)) if known else "a larger --budget"
    return f"{opening}: the time was too short to try any; {budget} would probably do."


def _on_gain(step: Comparison, steps: Sequence[Comparison], run: _Run) -> str:
    gained = f"“{step.second.plain}” gains {run.more(step.difference)} over {_BASES[step.first]}"
    by_joined = [run.step(LINEAR_ON_ALL, one.second) for one in steps]
    if all(one is not None and one.answer in {"not worth it", "equivalent", "same"} for one in by_joined):
        return f"Unfreezing is not needed: {gained}, but {_BASES[LINEAR_ON_ALL]} does as well."
    return f"Unfreezing is worth it: {gained} ({run.sure(step.interval)})."


def _on_unclear(step: Comparison, run: _Run) -> str:
    low, high = step.interval
    gain = f"could gain up to {run.more(high)}" if high > 0 else "could gain nothing"
    loss = f" or lose up to {run.more(low)}" if low < 0 else ""
    over = f" over {_BASES[step.first]}" if step.first == LINEAR_ON_ALL else ""
    opening = f"It is not clear yet whether unfreezing helps: “{step.second.plain}” {gain}{loss}{over}"
    settling = step.settling
    if settling is None or settling.kind == "dropped":
        return f"{opening}."
    if settling.kind == "images":
        return f"{opening}; about {settling.low or 0:,} to {settling.high or 0:,} more photos would tell."
    if settling.kind == "beyond":
        return f"{opening}; neither more time nor four times your photos would tell, so take what is cheaper."
    return f"{opening}; {budget_for(run.results.seconds + (settling.seconds or 0.0))} would probably tell."


def _on_interruption(run: _Run) -> Iterable[str]:
    if run.results.interrupted:
        yield "The run was stopped: this is what was known by then."
    budget = math.inf if run.results.budget_seconds is None else run.results.budget_seconds
    if run.results.seconds > LATE * budget:
        yield f"The run took {duration(run.results.seconds)}, more than its budget of {duration(budget)}."


def _on_test_folder(run: _Run) -> Iterable[str]:
    found = run.picked.confirmation if run.picked is not None else None
    if found is None or not run.results.test_images:
        return
    alarm = next((one for one in run.results.findings if one.code == CONTRADICTS), None)
    if alarm is not None:
        yield alarm.sentence
    else:
        yield (
            f"On your own test folder it gets {of_hundred(found.accuracy)} of 100 right "
            f"({of_hundred_span(found.interval)}; {count(len(run.results.test_images), 'photo')})."
        )


def _on_all_layers(run: _Run) -> Iterable[str]:
    step = run.step(HEAD, LINEAR_ON_ALL) or run.step(SOFTMAX_ON_LAST, LINEAR_ON_ALL)
    if step is None:
        return
    yield {
        "worth it": f"Reading all layers instead of the last one gains {run.more(step.difference)} "
        f"({run.sure(step.interval)}), and trains in seconds.",
        "not worth it": "Reading all layers instead of the last one gains nothing that matters.",
        "equivalent": "Reading all layers does as well as reading the last one.",
        "same": "Reading all layers gives the same answers as reading the last one.",
        "cannot tell": f"Whether reading all layers beats the last one is open ({run.sure(step.interval)}).",
    }[step.answer]


def _on_two_ways(run: _Run) -> Iterable[str]:
    """The head against the feature extractor."""
    step = run.step(SOFTMAX_ON_LAST, HEAD)
    if step is None:
        return
    if agrees(step) or step.answer in {"same", "equivalent"}:
        yield "A linear classifier on the frozen network's features and a trained last layer agree, as they should."
    elif step.answer == "cannot tell":
        yield (
            f"A trained last layer and a linear classifier on its features differ on {step.disagreements:,} of "
            f"{step.predictions:,} photos; which is better is open."
        )
    else:
        how = "beats" if step.answer == "worth it" else "does no better than"
        by = f" by {run.more(step.difference)}" if step.answer == "worth it" else ""
        yield f"Training the last layer {how} a linear classifier on its features{by}."


def _on_earlier_layers(run: _Run) -> Iterable[str]:
    step = run.step(SOFTMAX_ON_LAST, SOFTMAX_ON_BEST)
    if step is None:
        return
    if step.answer == "worth it":
        yield f"An earlier layer serves better than the last one: {run.more(step.difference)} more."
    elif step.answer in {"same", "equivalent"}:
        yield "No single earlier layer serves better than the last one."


def _on_pretrained(run: _Run) -> Iterable[str]:
    step = run.step(SCRATCH, FULL)
    if step is not None and step.answer == "worth it":
        yield f"The pretrained weights are worth {run.more(step.difference)} over random ones."


def _on_delivery(run: _Run) -> Iterable[str]:
    if run.results.model is not None and run.picked is not None:
        train = count(len(run.results.train_images), "photo")
        yield f"The model was trained on all {train}, those above on a part, so it should do no worse."


def _on_more_photos(run: _Run) -> Iterable[str]:
    curves = run.results.learning_curve
    if curves is None or curves.metric == "log-loss" or not curves.probe.expected_bands:
        return
    span = of_hundred_span(curves.probe.expected_bands[0])
    yield f"With twice as many photos, a linear classifier is expected to get {span} of 100 right."


def _on_left_out(run: _Run) -> Iterable[str]:
    missing = [f"“{one.strategy.plain}”" for one in run.results.strategies if not one.measured]
    if missing:
        named = listed(missing) if len(missing) <= _NAMED else f"{len(missing)} strategies (see the report)"
        yield f"Not measured: {named}."


def _on_measuring(run: _Run) -> Iterable[str]:
    splits = len(run.results.splits)
    if splits:
        times = "once" if splits == 1 else f"{splits} times"
        yield f"How this was measured: {times}, a part of the photos was held back and the rest trained."
