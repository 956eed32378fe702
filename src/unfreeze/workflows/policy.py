"""What a race does next, or that it is over: pure functions of where it stands, without training and without a clock.

Strategies are tried from cheap to expensive, and repeated while an answer is open and time is left. The answer is
looked at only after one, two and four rounds: whoever looks after every split and stops when he likes what he sees
finds differences where there are none. Dropping a hopeless strategy is free at any time, since no answer comes of it;
neither is running out of time an interim look.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from unfreeze.core.strategies import HEAD, LINEAR_ON_ALL, SOFTMAX_ON_LAST
from unfreeze.core.wording import count, duration, probability
from unfreeze.metrics.repeated import FEWEST_FOR_PROBABILITIES, FOLDS, LOOKS
from unfreeze.strategies.finetuning import LEAST_SHARE_REPEATED, Forecast, Price
from unfreeze.workflows.standing import RaceState, Standing
from unfreeze.workflows.steps import (
    Completing,
    Decision,
    Deeper,
    Drop,
    Filling,
    FindPrice,
    LeaveOut,
    Lengthen,
    Lengthening,
    Looking,
    Measure,
    Over,
    Phase,
    Postponed,
    Prepare,
    Repeating,
    Settle,
    Stage,
    StepOne,
    TakingUp,
    Trying,
)

HOPELESS = 0.01  # a strategy is dropped when it is better than the best one with a probability below this
STEP_ONE_SHARE = 0.3  # of the budget, for the other classifiers
# What unfreezing is compared with, and most often the best without: no training says anything without their splits.
SIDES, SIDES_SHARE = (HEAD, LINEAR_ON_ALL), 0.8
FIRST = (SOFTMAX_ON_LAST, *SIDES)  # one split in any case
CHEAP_SHARE = 0.05  # of the budget: what takes no more for its five splits gets them, whatever costlier probes took
SLACK = 1.1  # a training may take this much longer than its share before it is repeated less often
WORTH_LENGTHENING = 1.25  # times the epochs that a training had: for fewer more it does not go on


def decide(stage: Stage, state: RaceState) -> Decision:
    """What a race does next.

    Args:
        stage: The one that the last decision led to; `StepOne` at the start.
        state: Where the race stands.

    Returns:
        The next step; none once it is over.
    """
    said: tuple[str, ...] = ()
    while True:
        decision = _BY_STAGE[type(stage)](stage, state)
        said += decision.say
        if decision.step is not None or isinstance(decision.stage, Over):
            return replace(decision, say=said)
        stage = decision.stage


def _step_one(stage: StepOne, state: RaceState) -> Decision:
    """First what unfreezing is compared with, on all splits; then the other classifiers, as long as time is kept.

    The first split of those that come first is never left out.
    """
    to = state.first_splits
    entries = [one for one in state.standings if one.is_ready]
    if not stage.announced:
        names = ", ".join(one.label for one in entries)
        said = (f"Step one and the feature extractor ({names}) on {to} splits.",)
        return Decision(stage=replace(stage, announced=True), say=said)
    phase = Phase(name="step one", strategies=tuple(one.strategy for one in entries), to=to, clock="step one")
    first = [one for one in entries if one.strategy in FIRST]
    begun = _lagging(first)
    if begun and not begun[0].splits:
        return Decision(stage=stage, step=_measure(begun, phase))
    behind = [one for one in entries if one.splits < to]
    cheap = [one for one in behind if to * one.seconds_a_split <= CHEAP_SHARE * state.budget]
    next_ones = _lagging(cheap)
    if next_ones and state.fits(next_ones, state.budget):
        return Decision(stage=stage, step=_measure(next_ones, phase))
    # one by one: five splits of one tell more than two of each
    sides = [one for one in behind if one.strategy in SIDES]
    for ones, share in ((sides, SIDES_SHARE), (behind, STEP_ONE_SHARE)):
        cheapest = min(ones, key=lambda one: one.seconds_a_split, default=None)
        if cheapest is not None and state.fits([cheapest], share * state.budget):
            return Decision(stage=stage, step=_measure([cheapest], phase))
    settled = Settle(strategies=tuple(one.strategy for one in behind)) if behind else None
    few = [one for one in behind if one.splits < FOLDS]
    names = ", ".join(f"{one.label} ({one.splits})" for one in few)
    fewer = f"Fewer splits than {FOLDS} so far: {names}. The time goes to training first."
    return Decision(stage=Deeper(waiting=stage.deeper), step=settled, say=(fewer,) if few else ())


def _measure(ones: Sequence[Standing], phase: Phase) -> Measure:
    return Measure(strategies=tuple(one.strategy for one in ones), split=ones[0].splits, phase=phase)


def _measure_beside(ones: Sequence[Standing], phase: Phase, state: RaceState, until: float) -> Measure:
    """Several splits of trainings side by side, as many as are lacking and end in time; one in any case."""
    most = min((one.side_by_side for one in ones if one.strategy.trains_blocks), default=1)
    lacking = phase.to - ones[0].splits
    counts = (n for n in range(min(most, lacking), 1, -1) if state.elapsed + sum(one.takes(n) for one in ones) <= until)
    return replace(_measure(ones, phase), splits=next(counts, 1))


def _lagging(ones: Sequence[Standing]) -> list[Standing]:
    """Those with the fewest splits: all go over one split before any goes over the next."""
    fewest = min((one.splits for one in ones), default=0)
    return [one for one in ones if one.splits == fewest]


def _deeper(stage: Deeper, state: RaceState) -> Decision:
    """The next depth, from cheap to expensive, of those that fit beside each other on all splits.

    What does not is postponed: five splits of fewer depths answer more than one split of each.
    """
    unknown = next((strategy for strategy in stage.waiting if strategy not in state.prices), None)
    if unknown is not None:
        return Decision(stage=stage, step=FindPrice(strategy=unknown, affordable=max(0.0, state.left)))
    if not stage.waiting:
        by_cost = sorted(state.standings, key=lambda one: one.seconds_a_split)
        waiting = tuple(one.strategy for one in by_cost)
        return Decision(stage=Completing(waiting=waiting, postponed=stage.postponed))
    prices = [price for strategy in stage.waiting if (price := state.prices[strategy]) is not None]
    chosen, share = fitting(prices, state)
    postponed = tuple(one for one in stage.waiting if one not in {price.strategy for price in chosen})
    if not chosen:
        return Decision(stage=Deeper(waiting=(), postponed=(*stage.postponed, *postponed)))
    first = chosen[0]
    if postponed:
        return Decision(
            stage=replace(
                stage, waiting=tuple(price.strategy for price in chosen), postponed=(*stage.postponed, *postponed)
            )
        )
    then = replace(stage, waiting=stage.waiting[1:])
    return _prepare(first, _seconds(first, share, state), state, then)


def fitting(prices: Sequence[Price], state: RaceState) -> tuple[tuple[Price, ...], float]:
    """Which strategies fit beside each other on all splits, and with what share of their epochs.

    The costliest go first, and the shallowest before the second one: in equal shares both would be trained too little
    to tell anything. What is left alone may have fewer splits.

    Args:
        prices: From cheap to expensive.
        state: Where the race stands.

    Returns:
        Those that are tried now, in their order, and the share.
    """
    chosen = list(prices)
    while len(chosen) > 1 and _share(chosen, state) < LEAST_SHARE_REPEATED:
        droppable = [price for price in chosen if not state.recorded.get(price.strategy, 0)]
        if not droppable:
            break
        is_first = len(chosen) == 2 and chosen[0].strategy.blocks == 1 and chosen[1].strategy.blocks is not None
        chosen.remove(droppable[0 if is_first else -1])
    if len(chosen) == 1 and not state.recorded.get(chosen[0].strategy, 0):
        least = chosen[0].seconds(1, chosen[0].fewest) + chosen[0].refit_seconds(chosen[0].fewest)
        chosen = chosen if least <= state.left else []
    return tuple(chosen), min(1.0, max(LEAST_SHARE_REPEATED, _share(chosen, state))) if chosen else 0.0


def _share(prices: Sequence[Price], state: RaceState) -> float:
    """Of the epochs that are wanted: what fits, with the costliest training on everything."""
    if not state.is_timed:
        return 1.0
    left = state.left - sum(price.preparation for price in prices)
    splits = state.first_splits
    needed = sum(price.seconds(splits, price.epochs) - price.preparation for price in prices)
    refit = max(price.refit_seconds(price.epochs) for price in prices)
    return max(0.0, left) / (needed + max(refit, state.refit_seconds))


def _seconds(price: Price, share: float, state: RaceState) -> float:
    """Of its preparation and its splits; all that is left, but for its last training, for one that has fewer splits."""
    wanted = price.preparation + share * (price.seconds(state.first_splits, price.epochs) - price.preparation)
    return min(wanted, state.left - price.refit_seconds(price.fewest))


def _prepare(price: Price, allowance: float, state: RaceState, then: Deeper | Postponed) -> Decision:
    waiting = [state.prices.get(strategy) for strategy in (price.strategy, *then.waiting)]
    known = [one for one in waiting if one is not None]
    enough = state.elapsed + sum(one.seconds(state.first_splits, one.epochs) for one in known)
    enough += max(one.refit_seconds(one.epochs) for one in known)
    step = Prepare(strategy=price.strategy, allowance=allowance, splits=state.first_splits, enough=enough)
    trying = Trying(strategy=price.strategy, until=state.elapsed + SLACK * allowance, then=then)
    return Decision(stage=trying, step=step)


def _postponed(stage: Postponed, state: RaceState) -> Decision:
    """What was postponed has what time is left, on as many splits as fit."""
    if not stage.waiting:
        return Decision(stage=Filling())
    strategy, later = stage.waiting[0], replace(stage, waiting=stage.waiting[1:])
    price = state.prices[strategy]
    if price is None:
        return Decision(stage=later, step=LeaveOut(strategy=strategy))
    each = price.seconds_an_epoch + price.refit_an_epoch
    fitting = (state.left - price.preparation) / each
    epochs = max(price.fewest, price.epochs if fitting >= price.epochs else int(fitting))
    allowance = state.left - max(price.refit_seconds(epochs), state.refit_seconds)
    if price.seconds(1, epochs) > allowance and not state.recorded.get(strategy, 0):
        needed = duration(price.seconds(1, epochs) + price.refit_seconds(epochs))
        left = duration(max(0.0, state.left))
        note = f"{count(epochs, 'epoch')} on one split need about {needed} and {left} are left"
        return Decision(stage=later, step=LeaveOut(strategy=strategy, note=note))
    return _prepare(price, allowance, state, later)


def _trying(stage: Trying, state: RaceState) -> Decision:
    """Measure what was made ready, while its allowance lasts and it may still be the best."""
    one = state.of(stage.strategy)
    if not one.is_ready or one.expected is None:
        return Decision(stage=stage.then)
    if not stage.announced:
        time = f": about {duration(one.expected.seconds)}" if state.is_timed else ""
        said = f"{one.label} on {count(one.expected.splits, 'split')}{time}."
        return Decision(stage=replace(stage, announced=True), say=(said,))
    phase = Phase(name=one.label, strategies=(one.strategy,), to=one.expected.splits, clock=one.strategy.kind)
    # what is best in the end may be one whose training on everything takes longer
    until = min(stage.until, SLACK * state.budget - state.refit_seconds)
    goes_on = one.splits < one.expected.splits and (not one.splits or state.fits([one], until))
    running = [other for other in state.standings if other.is_ready and other.splits >= FEWEST_FOR_PROBABILITIES]
    dropped = _hopeless([one], running, state) if goes_on and one in running else None
    if dropped is not None:
        return Decision(stage=stage.then, step=dropped, say=(_said_of(dropped, one),))
    if goes_on:
        return Decision(stage=stage, step=_measure_beside([one], phase, state, until))
    return Decision(stage=stage.then, step=Settle(strategies=(one.strategy,), forecast=True))


def _completing(stage: Completing, state: RaceState) -> Decision:
    """Bring to the wanted splits what has fewer, if time for it is left now that all have been tried.

    Not a training whose epochs were cut down too far: five splits of it would say little of the one that is wanted.
    """
    to, until = state.first_splits, state.budget - state.refit_seconds
    if stage.running is not None:
        one = state.of(stage.running)
        if one.is_ready and one.splits < to and state.fits([one], until):
            phase = Phase(name=one.label, strategies=(one.strategy,), to=to, clock="repeat")
            return Decision(stage=stage, step=_measure_beside([one], phase, state, until))
        return Decision(stage=replace(stage, running=None), step=Settle(strategies=(one.strategy,)))
    if not stage.waiting:
        by_cost = sorted((one for one in state.standings if one.epochs_short), key=lambda one: one.seconds_a_split)
        waiting = tuple(one.strategy for one in by_cost)
        return Decision(stage=Lengthening(waiting=waiting, postponed=stage.postponed))
    one, rest = state.of(stage.waiting[0]), replace(stage, waiting=stage.waiting[1:])
    gone = not one.is_ready or one.status == "dropped" or not one.repeatable
    if gone or one.splits >= to or one.takes(to - one.splits) > max(0.0, until - state.elapsed):
        return Decision(stage=rest)
    said = f"{one.label} goes on to {to} splits: time is left."
    return Decision(stage=replace(rest, running=one.strategy), say=(said,))


def _lengthening(stage: Lengthening, state: RaceState) -> Decision:
    """More epochs for what has fewer than wanted: a shortened training says too little of the one that is wanted."""
    if not stage.waiting:
        if state.rounds is None:
            return Decision(stage=Looking(postponed=stage.postponed))
        rounds = count(state.rounds, "round")
        return Decision(stage=Postponed(waiting=stage.postponed), say=(f"{rounds} of {FOLDS} splits, as asked.",))
    one, rest = state.of(stage.waiting[0]), replace(stage, waiting=stage.waiting[1:])
    if not one.is_ready or one.expected is None or not one.splits or one.status == "dropped":
        return Decision(stage=rest)
    epochs = _epochs_that_fit(one, one.expected, state)
    if epochs < WORTH_LENGTHENING * one.expected.epochs and epochs < one.expected.wanted:
        return Decision(stage=rest)
    said = f"{one.label} goes on to {epochs} epochs: time is left."
    phase = Phase(name=one.label, strategies=(one.strategy,), to=one.splits, clock="repeat")
    return Decision(stage=rest, step=Lengthen(strategy=one.strategy, epochs=epochs, phase=phase), say=(said,))


def _epochs_that_fit(one: Standing, expected: Forecast, state: RaceState) -> int:
    """As many as end in time on all splits, its training on everything as well."""
    for epochs in range(expected.wanted, expected.epochs, -1):
        refit = max(state.refit_seconds, one.refit_seconds * epochs / expected.epochs)
        if state.elapsed + one.longer_takes(epochs) <= state.budget - refit:
            return epochs
    return expected.epochs


def _looking(stage: Looking, state: RaceState) -> Decision:
    """Look at the answers and repeat what is open."""
    rest = Postponed(waiting=stage.postponed)
    if stage.look + 1 >= len(LOOKS):
        return Decision(stage=rest)
    look, splits = LOOKS[stage.look], LOOKS[stage.look + 1]
    running = [one for one in state.standings if one.is_ready and one.splits >= look and one.status != "dropped"]
    if len(running) < 2:
        return Decision(stage=rest)  # time ran out before there was anything to look at
    dropped = _hopeless(running, running, state)
    if dropped is not None:
        return Decision(stage=stage, step=dropped, say=(_said_of(dropped, state.of(dropped.strategy)),))
    still_open = _open(running, state)
    if not still_open:
        said = f"After {look} splits nothing is open that more splits of these images could settle."
        return Decision(stage=rest, say=(said,))
    wanted = _that_fit(still_open, splits, state)
    names = ", ".join(one.label for one in still_open)
    if len(wanted) < 2:
        said = f"Open after {look} splits: {names}. Time is left for no more than {look} splits of all."
        return Decision(stage=rest, say=(said,))
    without = ", ".join(one.label for one in still_open if one not in wanted)
    without = f", without {without}, for which no time is left" if without else ""
    seconds = sum(one.takes(splits - one.splits) for one in wanted)
    time = f"; about {duration(seconds)}" if state.is_timed else ""
    said = f"Open after {look} splits: {names}. On to {splits} splits{without}{time}."
    until = state.budget - state.refit_seconds
    strategies = tuple(one.strategy for one in wanted)
    repeating = Repeating(postponed=stage.postponed, look=stage.look, wanted=strategies, until=until)
    return Decision(stage=repeating, say=(said,))


def _repeating(stage: Repeating, state: RaceState) -> Decision:
    to = LOOKS[stage.look + 1]
    next_ones = _lagging([one for one in map(state.of, stage.wanted) if one.is_ready and one.splits < to])
    if not next_ones or not state.fits(next_ones, stage.until):
        return Decision(stage=Looking(postponed=stage.postponed, look=stage.look + 1))
    phase = Phase(name=f"{to} splits", strategies=stage.wanted, to=to, clock="repeat")
    return Decision(stage=stage, step=_measure_beside(next_ones, phase, state, stage.until))


def _filling(stage: Filling, state: RaceState) -> Decision:
    """One more split for both sides of what is open, the cheapest steps first, until none fits.

    There is no look between these splits that could end it: time does.
    """
    most, until = LOOKS[-1], state.budget - state.refit_seconds
    running = [
        one
        for one in state.standings
        if one.is_ready and FEWEST_FOR_PROBABILITIES <= one.splits < most and one.status != "dropped"
    ]
    if state.rounds is not None or not state.is_timed:
        return Decision(stage=TakingUp())
    steps = state.answers.open_steps([one.strategy for one in running])
    for sides in sorted(([state.of(side) for side in step] for step in steps), key=_cost_of_both):
        next_ones = _lagging(sides)
        if state.fits(next_ones, until) and all(one.repeatable for one in sides):
            names, most = tuple(one.strategy for one in sides), max(one.side_by_side for one in next_ones)
            to = min(LOOKS[-1], next_ones[0].splits + most)
            phase = Phase(name="more splits", strategies=names, to=to, clock="repeat")
            return Decision(stage=stage, step=_measure_beside(next_ones, phase, state, until))
    return Decision(stage=TakingUp())


def _cost_of_both(sides: Sequence[Standing]) -> float:
    return sum(one.takes(1) for one in sides)


def _taking_up(stage: TakingUp, state: RaceState) -> Decision:
    """Nothing that was measured is lost."""
    for one in state.standings:
        if one.is_ready and one.recorded:
            to = one.splits + one.recorded
            phase = Phase(name=one.label, strategies=(one.strategy,), to=to, clock="repeat")
            return Decision(stage=stage, step=_measure([one], phase))
    return Decision(stage=Over())


def _said_of(dropped: Drop, one: Standing) -> str:
    return f"{one.label} is dropped after {one.splits} splits: {dropped.note}."


def _hopeless(asked: Sequence[Standing], running: Sequence[Standing], state: RaceState) -> Drop | None:
    """The first that cannot be the best any more; not a cheap one, which deeper ones are asked about against."""
    best = state.answers.best([one.strategy for one in running])
    for one in asked:
        if one.strategy == best or not one.strategy.trains_blocks:
            continue
        chance = state.answers.chance(one.strategy, against=best)
        if chance is not None and chance < HOPELESS:
            note = f"the probability of a better score than that of {best.label} is {probability(chance)}"
            return Drop(strategy=one.strategy, note=note)
    return None


def _open(running: Sequence[Standing], state: RaceState) -> list[Standing]:
    """Both sides of every step whose answer cannot be told yet."""
    steps = state.answers.open_steps([one.strategy for one in running])
    sides = {side for step in steps for side in step}
    return [one for one in running if one.strategy in sides]


def _that_fit(still_open: Sequence[Standing], splits: int, state: RaceState) -> list[Standing]:
    """Those of an open question that fit together into the seconds that are left, without the costliest ones."""
    wanted, left = list(still_open), max(0.0, state.left - state.refit_seconds)
    while wanted and sum(one.takes(splits - one.splits) for one in wanted) > left:
        wanted.remove(max(wanted, key=lambda one: one.seconds_a_split))
        wanted = _open(wanted, state)  # what was only asked about against the one that is gone goes too
    return wanted


_BY_STAGE: MappingProxyType[type, Callable[[Any, RaceState], Decision]] = MappingProxyType(
    {
        StepOne: _step_one,
        Deeper: _deeper,
        Trying: _trying,
        Completing: _completing,
        Lengthening: _lengthening,
        Looking: _looking,
        Repeating: _repeating,
        Postponed: _postponed,
        Filling: _filling,
        TakingUp: _taking_up,
    }
)
