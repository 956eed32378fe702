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

from unfreeze.core.strategies import HEAD, KINDS, LINEAR_ON_ALL, StrategyId
from unfreeze.core.wording import count, duration, probability
from unfreeze.metrics.repeated import FOLDS, LOOKS
from unfreeze.workflows.standing import RaceState, Standing
from unfreeze.workflows.steps import (
    Choosing,
    Completing,
    Decision,
    Deeper,
    Drop,
    LeaveOut,
    Looking,
    Measure,
    Over,
    Phase,
    Prepare,
    Repeating,
    Settle,
    Stage,
    StepOne,
    TakingUp,
    Trying,
)

HOPELESS = 0.01  # a strategy is dropped when it is better than the best one with a probability below this
# What is left for each image, seconds, below which the first depth is not tried, and the second gets all that it needs
# before a deeper one gets what is left: in equal shares, two and four blocks would both be trained too little to tell
# anything. With EfficientNet-Lite0 (omniglot) an image takes about 0.15, 0.2 and 0.45 s of one core for the trainings
# of one, two and four blocks on five splits and on everything, and 2 s for the whole network.
SHORT = 1.0
DEEPER = 2.0  # times what a depth takes, the next one takes at least
STEP_ONE_SHARE = 0.3  # of the budget; one split in any case
# What unfreezing is compared with, and most often the best without: no training says anything without their splits.
SIDES, SIDES_SHARE = (HEAD, LINEAR_ON_ALL), 0.8
CHEAP_SHARE = 0.05  # of the budget: what takes no more for its five splits gets them, whatever costlier probes took
SLACK = 1.1  # a training may take this much longer than its share before it is repeated less often


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
    """One split of each; then what is cheap up to the wanted number; the others one by one, as long as time is kept.

    First what unfreezing is compared with.
    """
    to = state.first_splits
    entries = [one for one in state.standings if one.is_ready]
    if not stage.announced:
        names = ", ".join(one.label for one in entries)
        said = (f"Step one and the feature extractor ({names}) on {to} splits: they are cheap.",)
        return Decision(stage=replace(stage, announced=True), say=said)
    phase = Phase(name="step one", strategies=tuple(one.strategy for one in entries), to=to, clock="step one")
    behind = [one for one in entries if one.splits < to]
    cheap = [one for one in behind if (to - 1) * one.seconds_a_split <= CHEAP_SHARE * state.budget]
    next_ones = _lagging(cheap)
    if next_ones and (not next_ones[0].splits or state.fits(next_ones, state.budget)):
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
    return Decision(stage=Choosing(stage.deeper), step=settled, say=(fewer,) if few else ())


def _measure(ones: Sequence[Standing], phase: Phase) -> Measure:
    return Measure(strategies=tuple(one.strategy for one in ones), split=ones[0].splits, phase=phase)


def _lagging(ones: Sequence[Standing]) -> list[Standing]:
    """Those with the fewest splits: all go over one split before any goes over the next."""
    fewest = min((one.splits for one in ones), default=0)
    return [one for one in ones if one.splits == fewest]


def _choosing(stage: Choosing, state: RaceState) -> Decision:
    """Where time is short: without the first depth, and what trains the whole network is asked first whether it fits.

    The time that is kept for it would be wasted.
    """
    blocks = [strategy for strategy in stage.strategies if strategy.kind == "unfreeze"]
    is_short = state.seconds_an_image < SHORT
    skips = is_short and len(stage.strategies) > 2 and len(blocks) > 1 and not _is_recorded(state, blocks[0])
    chosen = tuple(strategy for strategy in stage.strategies if not skips or strategy != blocks[0])
    if_room = tuple(blocks[2:]) if skips else ()
    contenders = [strategy for strategy in chosen if strategy not in if_room]
    whole = tuple(strategy for strategy in contenders if strategy.kind != "unfreeze")
    deeper = Deeper(chosen=chosen, if_room=if_room, to_see=whole if is_short and len(contenders) > 1 else ())
    return _left_out_for_time(blocks[0], state, deeper) if skips else Decision(stage=deeper)


def _deeper(stage: Deeper, state: RaceState) -> Decision:
    if stage.to_see:
        return _see(stage, state)
    if not stage.chosen:
        return _after_deeper(stage, state)
    strategy, left = stage.chosen[0], stage.chosen[1:]
    rest = replace(stage, chosen=left)
    if strategy in stage.too_expensive:
        return Decision(stage=rest)
    later = [other for other in left if other not in {*stage.if_room, *stage.too_expensive}]
    to_come = [strategy, *later]
    if strategy in stage.if_room and not _is_recorded(state, strategy) and not _leaves_room(state, to_come):
        return _left_out_for_time(strategy, state, rest)
    allowance = _share(to_come) * state.left
    prepare = Prepare(
        strategy=strategy, allowance=allowance, splits=state.first_splits, share_if_all=_share(stage.chosen)
    )
    return Decision(stage=Trying(strategy=strategy, until=state.elapsed + SLACK * allowance, then=rest), step=prepare)


def _see(stage: Deeper, state: RaceState) -> Decision:
    strategy, later = stage.to_see[0], stage.to_see[1:]
    if strategy in state.seen_to_fit or _is_recorded(state, strategy):
        fits = state.seen_to_fit.get(strategy, True)
        out = stage.too_expensive if fits else (*stage.too_expensive, strategy)
        return Decision(stage=replace(stage, to_see=later, too_expensive=out))
    contenders = [other for other in stage.chosen if other not in stage.if_room and other != strategy]
    allowance = _share([strategy, *contenders]) * state.left
    return Decision(stage=stage, step=Prepare(strategy=strategy, allowance=allowance, splits=1))


def _after_deeper(stage: Deeper, state: RaceState) -> Decision:
    if stage.too_expensive:
        first, *others = stage.too_expensive
        return Decision(stage=replace(stage, too_expensive=tuple(others)), step=LeaveOut(strategy=first))
    by_cost = sorted(state.standings, key=lambda one: one.seconds_a_split)
    return Decision(stage=Completing(waiting=tuple(one.strategy for one in by_cost)))


def _is_recorded(state: RaceState, strategy: StrategyId) -> bool:
    return state.recorded.get(strategy, 0) > 0


def _left_out_for_time(strategy: StrategyId, state: RaceState, then: Deeper) -> Decision:
    """Without a try, since so few seconds an image are left."""
    note = f"only {state.seconds_an_image:.2g} s per image remained, too little for every depth"
    return Decision(stage=then, step=LeaveOut(strategy=strategy, note=note))


def _leaves_room(state: RaceState, to_come: Sequence[StrategyId]) -> bool:
    """Whether what was tried last leaves the first of these enough.

    For one split and for everything; for five splits where more is to come, which would else go short as well.
    """
    tried = [one for one in state.standings if one.is_ready and one.strategy.trains_blocks]
    if not tried:
        return True
    last = max(tried, key=lambda one: one.strategy.rank)
    splits = FOLDS if len(to_come) > 1 else 1
    return _share(to_come) * state.left >= DEEPER * (splits * last.seconds_a_split + last.refit_seconds)


def _share(strategies: Sequence[StrategyId]) -> float:
    """Of what is left, for the first of the strategies to come."""
    weights = [KINDS[strategy.kind].weight for strategy in strategies]
    return weights[0] / sum(weights)


def _trying(stage: Trying, state: RaceState) -> Decision:
    """Measure what was made ready, while its allowance lasts."""
    one = state.of(stage.strategy)
    if not one.is_ready or one.expected is None:
        return Decision(stage=stage.then)
    if not stage.announced:
        time = f": about {duration(one.expected.seconds)}" if state.is_timed else ""
        said = f"{one.label} on {count(one.expected.splits, 'split')}{time}."
        return Decision(stage=replace(stage, announced=True), say=(said,))
    phase = Phase(name=one.label, strategies=(one.strategy,), to=one.expected.splits, clock=one.strategy.kind)
    # its own training on everything is within its allowance; what is best in the end may be one that takes longer
    until = min(stage.until - one.refit_seconds, SLACK * state.budget - state.refit_seconds)
    if one.splits < one.expected.splits and (not one.splits or state.fits([one], until)):
        return Decision(stage=stage, step=_measure([one], phase))
    return Decision(stage=stage.then, step=Settle(strategies=(one.strategy,), forecast=True))


def _completing(stage: Completing, state: RaceState) -> Decision:
    """Bring to the wanted splits what has fewer, if time for it is left now that all have been tried.

    Not a training whose epochs were cut down too far: five splits of it would say little of the one that is wanted.
    """
    to, until = state.first_splits, state.budget - state.refit_seconds
    if stage.running is not None:
        one = state.of(stage.running)
        if one.splits < to and state.fits([one], until):
            phase = Phase(name=one.label, strategies=(one.strategy,), to=to, clock="repeat")
            return Decision(stage=stage, step=_measure([one], phase))
        return Decision(stage=replace(stage, running=None), step=Settle(strategies=(one.strategy,)))
    if not stage.waiting:
        if state.rounds is None:
            return Decision(stage=Looking())
        rounds = count(state.rounds, "round")
        return Decision(stage=TakingUp(), say=(f"{rounds} of {FOLDS} splits, as asked.",))
    one, rest = state.of(stage.waiting[0]), Completing(waiting=stage.waiting[1:])
    if not 0 < one.splits < to or not one.repeatable or one.takes(to - one.splits) > max(0.0, until - state.elapsed):
        return Decision(stage=rest)
    said = f"{one.label} goes on to {to} splits: time is left."
    return Decision(stage=replace(rest, running=one.strategy), say=(said,))


def _looking(stage: Looking, state: RaceState) -> Decision:
    """Look at the answers and repeat what is open."""
    if stage.look + 1 >= len(LOOKS):
        return Decision(stage=TakingUp())
    look, splits = LOOKS[stage.look], LOOKS[stage.look + 1]
    running = [one for one in state.standings if one.is_ready and one.splits >= look and one.status != "dropped"]
    if len(running) < 2:
        return Decision(stage=TakingUp())  # time ran out before there was anything to look at
    dropped = _hopeless(running, state)
    if dropped is not None:
        splits_of_it = state.of(dropped.strategy).splits
        said = f"{dropped.strategy.label} is dropped after {splits_of_it} splits: {dropped.note}."
        return Decision(stage=stage, step=dropped, say=(said,))
    still_open = _open(running, state)
    if not still_open:
        said = f"After {look} splits nothing is open that more splits of these images could settle."
        return Decision(stage=TakingUp(), say=(said,))
    wanted = _that_fit(still_open, splits, state)
    names = ", ".join(one.label for one in still_open)
    if len(wanted) < 2:
        said = f"Open after {look} splits: {names}. Time is left for no more than {look} splits."
        return Decision(stage=TakingUp(), say=(said,))
    without = ", ".join(one.label for one in still_open if one not in wanted)
    without = f", without {without}, for which no time is left" if without else ""
    seconds = sum(one.takes(splits - one.splits) for one in wanted)
    time = f"; about {duration(seconds)}" if state.is_timed else ""
    said = f"Open after {look} splits: {names}. On to {splits} splits{without}{time}."
    until = state.budget - state.refit_seconds
    repeating = Repeating(look=stage.look, wanted=tuple(one.strategy for one in wanted), until=until)
    return Decision(stage=repeating, say=(said,))


def _repeating(stage: Repeating, state: RaceState) -> Decision:
    to = LOOKS[stage.look + 1]
    next_ones = _lagging([one for one in map(state.of, stage.wanted) if one.splits < to])
    if not next_ones or not state.fits(next_ones, stage.until):
        return Decision(stage=Looking(look=stage.look + 1))
    phase = Phase(name=f"{to} splits", strategies=stage.wanted, to=to, clock="repeat")
    return Decision(stage=stage, step=_measure(next_ones, phase))


def _taking_up(stage: TakingUp, state: RaceState) -> Decision:
    """Nothing that was measured is lost."""
    for one in state.standings:
        if one.is_ready and one.recorded:
            to = one.splits + one.recorded
            phase = Phase(name=one.label, strategies=(one.strategy,), to=to, clock="repeat")
            return Decision(stage=stage, step=_measure([one], phase))
    return Decision(stage=Over())


def _hopeless(running: Sequence[Standing], state: RaceState) -> Drop | None:
    """The first that cannot be the best any more; not a cheap one, which deeper ones are asked about against."""
    best = state.answers.best([one.strategy for one in running])
    for one in running:
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
        Choosing: _choosing,
        Deeper: _deeper,
        Trying: _trying,
        Completing: _completing,
        Looking: _looking,
        Repeating: _repeating,
        TakingUp: _taking_up,
    }
)
