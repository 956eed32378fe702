"""What a race does next, or that it is over: pure functions of where it stands, without training and without a clock.

Strategies are tried from cheap to expensive, and repeated while an answer is open and time is left. The answer is
looked at only after one, two and four rounds: whoever looks after every split and stops when he likes what he sees
finds differences where there are none. Dropping a hopeless strategy is free at any time, since no answer comes of it;
neither is running out of time an interim look.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from unfreeze.core.strategies import HEAD, LINEAR_ON_ALL, SOFTMAX_ON_LAST, StrategyId
from unfreeze.core.wording import count, duration, probability
from unfreeze.metrics.repeated import FEWEST_FOR_PROBABILITIES, FOLDS, LOOKS
from unfreeze.strategies.finetuning import Forecast, Price
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
LACKS = ("shortened", "left out")  # of what may have been measured since
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
        return Decision(stage=stage, step=_measure_beside(begun, phase, state, state.budget))
    behind = [one for one in entries if one.splits < to]
    cheap = [one for one in behind if to * one.seconds_a_split <= CHEAP_SHARE * state.budget]
    next_ones = _lagging(cheap)
    if next_ones and state.fits(next_ones, state.budget):
        return Decision(stage=stage, step=_measure_beside(next_ones, phase, state, state.budget))
    # One by one: five splits of one tell more than two of each. But what has one split alone cannot be picked, and what
    # unfreezing is compared with should be, whatever time that takes: on 8,000 photos reading all layers gained five
    # points, and the head's third split was measured in place of its second.
    sides = [one for one in behind if one.strategy in SIDES]
    single = [one for one in sides if one.splits < FEWEST_FOR_PROBABILITIES]
    all_of_it = state.budget - state.refit_seconds
    for ones, until in (
        (single, all_of_it),
        (sides, SIDES_SHARE * state.budget),
        (behind, STEP_ONE_SHARE * state.budget),
    ):
        fitting = [one for one in ones if state.fits([one], until)]
        if fitting:
            return Decision(stage=stage, step=_measure([min(fitting, key=lambda one: one.seconds_a_split)], phase))
    settled = Settle(strategies=tuple(one.strategy for one in behind)) if behind else None
    few = [one for one in behind if one.splits < FOLDS]
    names = ", ".join(f"{one.label} ({one.splits})" for one in few)
    fewer = f"Fewer splits than {FOLDS} so far: {names}. The time goes to training first."
    return Decision(stage=Deeper(waiting=stage.deeper), step=settled, say=(fewer,) if few else ())


def _measure(ones: Sequence[Standing], phase: Phase) -> Measure:
    return Measure(strategies=tuple(one.strategy for one in ones), split=ones[0].splits, phase=phase)


def _measure_beside(ones: Sequence[Standing], phase: Phase, state: RaceState, until: float) -> Measure:
    """Several splits side by side, as many as are lacking and end in time; one in any case.

    With several workers and a number of rounds, nothing is looked at between the splits: all of them go out at once.
    """
    lacking = phase.to - ones[0].splits
    most = min((one.side_by_side for one in ones if one.strategy.trains_blocks), default=1)
    if state.workers > 1:
        goes_by_rounds = state.rounds is not None and not state.is_timed
        most = lacking if goes_by_rounds else max(most, state.workers)
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
        return Decision(stage=_after_trying(stage, state))
    chosen = fitting(_prices_of(stage.waiting, state), state)
    waiting = tuple(price.strategy for price in chosen)
    postponed = tuple(strategy for strategy in stage.waiting if strategy not in waiting)
    if postponed:
        names = ", ".join(price.strategy.quoted for price in _prices_of(postponed, state))
        said = f"Postponed: {names}. Time does not hold {state.first_splits} splits of everything."
        stage = Deeper(waiting=waiting, postponed=(*stage.postponed, *postponed))
        return Decision(stage=stage, say=(said,) if names else ())
    return _prepare(chosen[0], _allowance(chosen, state), state, replace(stage, waiting=stage.waiting[1:]))


def _prices_of(strategies: Sequence[StrategyId], state: RaceState) -> list[Price]:
    """Of those that have one."""
    return [price for strategy in strategies if (price := state.prices.get(strategy)) is not None]


def _after_trying(stage: Deeper, state: RaceState) -> Deeper | Completing:
    """What was postponed has its turn where the others left time for all of its splits; then comes what is missing."""
    chosen = fitting(_prices_of(stage.postponed, state), state)
    if chosen and _share(chosen, state) >= _least_share(chosen):
        waiting = tuple(price.strategy for price in chosen)
        return Deeper(waiting=waiting, postponed=tuple(one for one in stage.postponed if one not in waiting))
    waiting = tuple(one.strategy for one in _by_cost(state) if not _is_aside(one.strategy))
    return Completing(waiting=waiting, postponed=stage.postponed)


def _is_aside(strategy: StrategyId) -> bool:
    """Whether nothing deeper is compared with it: another classifier on codes."""
    return not strategy.trains_blocks and strategy not in FIRST


def _by_cost(state: RaceState) -> list[Standing]:
    return sorted(state.standings, key=lambda one: one.seconds_a_split)


def fitting(prices: Sequence[Price], state: RaceState) -> tuple[Price, ...]:
    """Which strategies fit beside each other on all splits, with a share of their epochs that is worth them.

    The costliest go first, and the shallowest before the second one: in equal shares both would be trained too little
    to tell anything. What is left alone may have fewer splits.

    Args:
        prices: From cheap to expensive.
        state: Where the race stands.

    Returns:
        Those that are tried now, in their order; what does not fit on a single split is not among them.
    """
    chosen = [price for price in prices if _allowance_alone(price, state)]
    while len(chosen) > 1 and _share(chosen, state) < _least_share(chosen):
        depths = len(chosen) == 2 and chosen[0].strategy.blocks == 1 and chosen[1].strategy.blocks is not None
        second_fits = _share(chosen[1:], state) >= _least_share(chosen[1:])
        chosen.pop(0 if depths and second_fits else -1)
    return tuple(chosen)


def _in_one_pass(prices: Sequence[Price]) -> list[Price]:
    """The same, the first with the passes over the images that all of them share: those of the deepest cut."""
    longest = max((price.preparation for price in prices), default=0.0)
    return [replace(price, preparation=0.0 if number else longest) for number, price in enumerate(prices)]


def _share(prices: Sequence[Price], state: RaceState) -> float:
    """Of the epochs that are wanted: what fits on all splits, with the costliest training on everything."""
    if not state.is_timed:
        return math.inf
    prices = _in_one_pass(prices)
    left = state.left - sum(price.preparation for price in prices)
    needed = sum(price.seconds(state.first_splits, price.epochs) - price.preparation for price in prices)
    refit = max(price.refit_seconds(price.epochs) for price in prices)
    return max(0.0, min(left / (needed + refit), (left - state.refit_seconds) / needed))


def _least_share(prices: Sequence[Price]) -> float:
    """What is worth several splits, of each of them."""
    return max(price.least_epochs / price.epochs for price in prices)


def _allowance(chosen: Sequence[Price], state: RaceState) -> float:
    """Seconds for the first one; a little more than all of it takes, where there is time for that."""
    first = chosen[0]
    if len(chosen) == 1 or not state.is_timed:
        return _allowance_alone(first, state)
    share = min(SLACK, _share(chosen, state))
    return first.preparation + share * (first.seconds(state.first_splits, first.epochs) - first.preparation)


def _allowance_alone(price: Price, state: RaceState) -> float:
    """Seconds for preparing it and for as many splits as fit with its last training; 0 where not even one does."""
    if not state.is_timed:
        return math.inf
    left, others = state.left - price.preparation, state.refit_seconds
    for splits in range(state.first_splits, 0, -1):
        an_epoch = splits * price.seconds_an_epoch
        fitting = min(left / (an_epoch + price.refit_an_epoch), (left - others) / an_epoch)
        epochs = min(price.epochs, math.floor(fitting))
        if epochs >= (price.least_epochs if splits > 1 else price.fewest):
            spare = (SLACK - 1) * epochs if epochs == price.epochs else 0.5  # preparing takes a little more or less
            room = state.left - max(price.refit_seconds(epochs), others)
            return min(room, price.seconds(splits, epochs) + spare * an_epoch)
    return 0.0


def _prepare(price: Price, allowance: float, state: RaceState, then: Deeper | Postponed) -> Decision:
    known = _in_one_pass([price, *_prices_of(then.waiting, state)])
    enough = state.elapsed + sum(one.seconds(state.first_splits, one.epochs) for one in known)
    enough += max(one.refit_seconds(one.epochs) for one in known)
    step = Prepare(strategy=price.strategy, allowance=allowance, splits=state.first_splits, enough=enough)
    trying = Trying(strategy=price.strategy, until=state.elapsed + SLACK * allowance, then=then)
    return Decision(stage=trying, step=step)


def _postponed(stage: Postponed, state: RaceState) -> Decision:
    """What was postponed has what time is left, on as many splits as fit; what was measured before is taken up.

    Classifiers that nothing deeper is compared with come then: an SVM of many classes takes as long as a training.
    """
    if not stage.waiting:
        waiting = tuple(one.strategy for one in _by_cost(state) if _is_aside(one.strategy))
        return Decision(stage=Completing(waiting=waiting, is_last=True))
    strategy, later = stage.waiting[0], replace(stage, waiting=stage.waiting[1:])
    price = state.prices[strategy]
    if price is None:
        return Decision(stage=later, step=LeaveOut(strategy=strategy))
    allowance = _allowance_alone(price, state)
    if not allowance and not state.recorded.get(strategy, 0):
        needed = price.seconds(1, price.fewest) + max(price.refit_seconds(price.fewest), state.refit_seconds)
        least, left = count(price.fewest, "epoch"), duration(max(0.0, state.left))
        note = f"{least} on one split and a last training need about {duration(needed)} and {left} are left"
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
    phase = Phase(name=one.strategy.plain, strategies=(one.strategy,), to=one.expected.splits, clock=one.strategy.kind)
    # what is best in the end may be one whose training on everything takes longer
    until = min(stage.until, SLACK * state.budget - state.refit_seconds)
    goes_on = one.splits < one.expected.splits and (not one.splits or state.fits([one], until))
    running = _running(state, FEWEST_FOR_PROBABILITIES)
    dropped = _hopeless([one], running, state) if goes_on and one in running and state.rounds is None else None
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
            phase = Phase(name=one.strategy.plain, strategies=(one.strategy,), to=to, clock="repeat")
            return Decision(stage=stage, step=_measure_beside([one], phase, state, until))
        return Decision(stage=replace(stage, running=None), step=Settle(strategies=(one.strategy,)))
    if not stage.waiting and stage.is_last:
        return Decision(stage=Filling())
    if not stage.waiting:
        waiting = tuple(one.strategy for one in _by_cost(state) if one.epochs_short)
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
    epochs = _longer(one, state)
    return _lengthened(one, epochs, rest) if epochs else Decision(stage=rest)


def _lengthened(one: Standing, epochs: int, stage: Stage) -> Decision:
    phase = Phase(name=one.strategy.plain, strategies=(one.strategy,), to=one.splits, clock="repeat")
    said = f"{one.label} goes on to {epochs} epochs: time is left."
    return Decision(stage=stage, step=Lengthen(strategy=one.strategy, epochs=epochs, phase=phase), say=(said,))


def _longer(one: Standing, state: RaceState) -> int:
    """Epochs that it goes on to: so many more that it is worth it, or those of an earlier life; 0 for none."""
    if one.expected is None or not one.epochs_short or not one.is_running:
        return 0
    epochs = _epochs_that_fit(one, one.expected, state)
    is_worth_it = epochs >= WORTH_LENGTHENING * one.expected.epochs or epochs == one.expected.wanted
    return (one.longer or epochs) if is_worth_it else 0


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
    running = _running(state, look)
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
    """For both sides of what is open: the epochs that are missing, else one more split; cheap steps first.

    What is open is asked when this begins, and again when nothing more of it fits: there is no look between these
    splits that could end it, time does.
    """
    if state.rounds is not None or not state.is_timed:
        return Decision(stage=TakingUp())
    running = _running(state, FEWEST_FOR_PROBABILITIES)
    dropped = _hopeless(running, running, state)
    if dropped is not None:
        return Decision(stage=stage, step=dropped, say=(_said_of(dropped, state.of(dropped.strategy)),))
    found = _filled(stage, state)
    if found is not None:
        return found
    steps = state.answers.open_steps([one.strategy for one in _running(state, 1)])
    return _filled(Filling(steps=tuple(steps)), state) or Decision(stage=TakingUp())


def _filled(stage: Filling, state: RaceState) -> Decision | None:
    """What fits of it."""
    for sides in sorted(([state.of(side) for side in step] for step in stage.steps), key=_cost_of_both):
        if not all(one.is_running for one in sides):  # any more
            continue
        for one in sides:
            if epochs := _longer(one, state):
                return _lengthened(one, epochs, stage)
        next_ones, may_settle = _lagging(sides), all(one.repeatable for one in sides)
        splits, until = next_ones[0].splits, state.budget - state.refit_seconds
        if may_settle and splits < LOOKS[-1] and state.fits(next_ones, until):
            to = min(LOOKS[-1], splits + max(one.side_by_side for one in next_ones))
            names = tuple(one.strategy for one in sides)
            phase = Phase(name="more splits", strategies=names, to=to, clock="repeat")
            return Decision(stage=stage, step=_measure_beside(next_ones, phase, state, until))
    return None


def _cost_of_both(sides: Sequence[Standing]) -> float:
    return sum(one.takes(1) for one in sides)


def _taking_up(stage: TakingUp, state: RaceState) -> Decision:
    """Nothing that was measured is lost; in the end it is noted what is still missing."""
    for one in (one for one in state.standings if one.is_ready):
        if one.longer and one.longer_recorded >= one.splits:
            return _lengthened(one, one.longer, stage)
        if one.recorded:
            to = one.splits + one.recorded
            phase = Phase(name=one.strategy.plain, strategies=(one.strategy,), to=to, clock="repeat")
            return Decision(stage=stage, step=_measure([one], phase))
    short = tuple(one.strategy for one in state.standings if one.is_ready and one.status in LACKS)
    return Decision(stage=Over(), step=Settle(strategies=short) if short else None)


def _running(state: RaceState, splits: int) -> list[Standing]:
    """What has so many splits, and may get more."""
    return [one for one in state.standings if one.is_running and one.splits >= splits]


def _said_of(dropped: Drop, one: Standing) -> str:
    return f"{one.label} is dropped after {one.splits} splits: {dropped.note}."


def _hopeless(asked: Sequence[Standing], running: Sequence[Standing], state: RaceState) -> Drop | None:
    """The first that cannot be the best any more; not a cheap one, which deeper ones are asked about against."""
    if len(running) < 2:
        return None
    best = state.answers.best([one.strategy for one in running])
    for one in asked:
        if one.strategy == best or not one.strategy.trains_blocks:
            continue
        chance = state.answers.chance(one.strategy, against=best)
        if chance is not None and chance < HOPELESS:
            note = f"the probability of a better score than that of {best.quoted} is {probability(chance)}"
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
