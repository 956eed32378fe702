"""What a race does next, decided from where it stands: nothing is trained here, and no clock runs."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from unfreeze.core.strategies import (
    FULL,
    HEAD,
    LINEAR_ON_ALL,
    SCRATCH,
    SOFTMAX_ON_LAST,
    SVM_ON_BEST,
    SVM_ON_LAST,
    StrategyId,
    unfreeze,
)
from unfreeze.metrics.repeated import LOOKS
from unfreeze.strategies.finetuning import Forecast, Price, Request, forecast
from unfreeze.workflows.policy import decide, fitting
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
    Postponed,
    Prepare,
    Repeating,
    Settle,
    Stage,
    Step,
    StepOne,
    TakingUp,
    Trying,
)

ONE, TWO, FOUR = unfreeze(1), unfreeze(2), unfreeze(4)
A_TIME = re.compile(r"\d (ms|s|min|h)\b")


# --- where a race stands, by hand -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """Answers that were agreed on.

    Attributes:
        open_until: Steps that cannot be told before so many splits of both sides.
        splits: Of every strategy.
        order: From the worst to the best; of what is not in it, none is the best.
        chances: Of being better than the best; nobody knows those that are missing.
    """

    open_until: Mapping[tuple[StrategyId, StrategyId], int] = field(default_factory=dict)
    splits: Mapping[StrategyId, int] = field(default_factory=dict)
    order: tuple[StrategyId, ...] = ()
    chances: Mapping[StrategyId, float] = field(default_factory=dict)

    def open_steps(self, among: Sequence[StrategyId]) -> list[tuple[StrategyId, StrategyId]]:
        """Of those that are asked about."""
        return [
            step
            for step, until in self.open_until.items()
            if set(step) <= set(among) and min(self.splits.get(side, 0) for side in step) < until
        ]

    def best(self, among: Sequence[StrategyId]) -> StrategyId:
        """The last one in the order."""
        return max(among, key=lambda one: self.order.index(one) if one in self.order else -1)

    def chance(self, strategy: StrategyId, *, against: StrategyId) -> float | None:
        """As it was agreed on."""
        return self.chances.get(strategy)


class Unasked:
    """Answers that nobody may ask for."""

    def open_steps(self, among: Sequence[StrategyId]) -> list[tuple[StrategyId, StrategyId]]:
        """A mistake."""
        raise AssertionError(among)

    def best(self, among: Sequence[StrategyId]) -> StrategyId:
        """A mistake."""
        raise AssertionError(among)

    def chance(self, strategy: StrategyId, *, against: StrategyId) -> float | None:
        """A mistake."""
        raise AssertionError(strategy)


def cheap(strategy: StrategyId, *, splits: int = 5, seconds: float = 0.0, refit: float = 0.0) -> Standing:
    """A strategy of step one."""
    return Standing(strategy=strategy, splits=splits, seconds_a_split=seconds, refit_seconds=refit)


def trained(
    strategy: StrategyId,
    *,
    splits: int = 5,
    of: int = 5,
    seconds: float = 1.0,
    epochs: int = 20,
    repeatable: bool = True,
    recorded: int = 0,
    waiting: int = 0,
    longer: tuple[int, int] = (0, 0),
) -> Standing:
    """A strategy that trains blocks, twenty epochs in all; a training on everything takes as long as one on a split."""
    expected = Forecast(epochs=epochs, wanted=20, splits=of, seconds=of * seconds, repeatable=repeatable)
    return Standing(
        strategy=strategy,
        splits=splits,
        seconds_a_split=seconds if splits else 0.0,
        refit_seconds=seconds,
        expected=expected,
        recorded=recorded,
        waiting=waiting,
        longer=longer[0],
        longer_recorded=longer[1],
    )


def price(strategy: StrategyId, *, split: float, preparation: float = 0.0, epochs: int = 20) -> Price:
    """A strategy whose epochs take so many seconds on a split in all, and a quarter more on everything."""
    each = split / epochs
    return Price(
        strategy=strategy,
        epochs=epochs,
        fewest=4,
        seconds_an_epoch=each,
        refit_an_epoch=1.25 * each,
        preparation=preparation,
    )


def state(
    *standings: Standing,
    left: float = math.inf,
    budget: float = math.inf,
    rounds: int | None = None,
    answers: Said | Unasked | None = None,
    prices: Sequence[Price] = (),
    recorded: Mapping[StrategyId, int] | None = None,
) -> RaceState:
    """A race of which so many seconds are left."""
    return RaceState(
        elapsed=budget - left if math.isfinite(budget) else 0.0,
        budget=budget,
        rounds=rounds,
        standings=standings,
        answers=answers or Unasked(),
        prices={one.strategy: one for one in prices},
        recorded=recorded or {},
    )


# --- a race in which steps take time and nothing else ---------------------------------------------------------------

Entry = tuple[StrategyId, str, int]  # what a journal has of a strategy: its price, its forecast, a split, more epochs
Kept = tuple[float, Price | Forecast | float | None]  # when that was made, and what it was


class KilledError(Exception):
    """The end of a life."""


@dataclass(frozen=True, kw_only=True)
class World:
    """What a simulated race is about.

    Attributes:
        budget: Seconds.
        rounds: As in `RaceState`.
        cheap: Strategies of step one, and the seconds of their splits.
        wanted: What trains blocks, and the seconds of a split with all epochs.
        pricing: Seconds that finding a price takes.
        preparing: Seconds that making a strategy ready takes.
        slower: What preparing and training take, times what was forecast.
        in_memory: Whether trainings can go on.
        answers: What the predictions say.
    """

    budget: float = math.inf
    rounds: int | None = None
    cheap: Mapping[StrategyId, float]
    wanted: Mapping[StrategyId, float]
    pricing: float = 0.0
    preparing: float = 0.0
    slower: float = 1.0
    in_memory: bool = True
    answers: Said = Said()

    def price(self, strategy: StrategyId, affordable: float) -> Price | None:
        """None where the fewest epochs take ten times what can be afforded."""
        found = price(strategy, split=self.wanted[strategy], preparation=self.preparing)
        return found if found.seconds(1, found.fewest) <= 10 * affordable else None


@dataclass
class Life:
    """A race from its start to its end, or until it is killed.

    Attributes:
        world: What it is about.
        earlier: What an earlier life has kept.
        late: Seconds that the clock of a later life is late, wherever it is looked at.
        kept: What this life has made or read back.
        steps: What was done.
        said: What was told.
        epochs: Of every training, by strategy and split.
    """

    world: World
    earlier: Mapping[Entry, Kept] = field(default_factory=dict)
    late: float = 0.0
    kept: dict[Entry, Kept] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    elapsed: float = 0.0
    after_first_splits: float = 0.0
    standings: dict[StrategyId, Standing] = field(default_factory=dict)
    prices: dict[StrategyId, Price | None] = field(default_factory=dict)
    epochs: dict[tuple[StrategyId, int], int] = field(default_factory=dict)
    _waiting: set[tuple[StrategyId, int]] = field(default_factory=set)
    _lengthened: Counter[StrategyId] = field(default_factory=Counter)
    _entries: int = 1000

    @property
    def splits(self) -> dict[StrategyId, int]:
        """Of every strategy that is ready."""
        return {one.strategy: one.splits for one in self.standings.values() if one.is_ready}

    @property
    def of_steps(self) -> Counter[type]:
        """How many there were of each kind."""
        return Counter(map(type, self.steps))

    def recorded(self, strategy: StrategyId, lengthened: int = 0) -> int:
        """On how many of the first splits the earlier life measured it."""
        what = f"split, lengthened {lengthened}"
        return next(n for n in range(len(self.earlier) + 1) if (strategy, what, n) not in self.earlier)

    def state(self) -> RaceState:
        """Where it stands."""
        return RaceState(
            elapsed=self.elapsed + self.late,
            budget=self.world.budget,
            rounds=self.world.rounds,
            standings=tuple(sorted(map(self._standing, self.standings.values()), key=lambda one: one.strategy.rank)),
            answers=replace(self.world.answers, splits=self.splits),
            prices=dict(self.prices),
            recorded={strategy: self.recorded(strategy) for strategy in self.world.wanted},
        )

    def _standing(self, one: Standing) -> Standing:
        lengthened = self._lengthened[one.strategy]
        recorded = max(0, self.recorded(one.strategy, lengthened) - one.splits)
        one = replace(one, recorded=recorded, waiting=sum(strategy == one.strategy for strategy, _ in self._waiting))
        kept = self.earlier.get((one.strategy, "longer", one.expected.epochs)) if one.expected else None
        if kept is None:
            return one
        return replace(one, longer=int(number(kept)), longer_recorded=self.recorded(one.strategy, lengthened + 1))

    def run(self, *, killed_after: int = 1000) -> "Life":
        """Do what is decided until it is over, or so many entries are kept."""
        self._entries = killed_after
        self.standings = {strategy: Standing(strategy=strategy) for strategy in self.world.cheap}
        stage: Stage = StepOne(tuple(self.world.wanted))
        while not isinstance(stage, Over) and len(self.steps) < 1000:
            decision = decide(stage, self.state())
            assert decision == decide(stage, self.state())
            self.said += decision.say
            try:
                if decision.step is not None:
                    self.do(decision.step)
            except KilledError:
                break
            stage = decision.stage
        return self

    def do(self, step: Step) -> None:
        """Let it take its time and note what it gave."""
        self.steps.append(step)
        if isinstance(step, Measure):
            for strategy in step.strategies:
                self._measure(self.standings[strategy], step)
        elif isinstance(step, FindPrice):
            found = self.world.price(step.strategy, step.affordable)
            _, self.prices[step.strategy] = self._keep((step.strategy, "price", 0), self.world.pricing, found)  # type: ignore[assignment]
        elif isinstance(step, Prepare):
            self._prepare(step)
        elif isinstance(step, Lengthen):
            self._lengthen(self.standings[step.strategy], step.epochs)
        elif isinstance(step, LeaveOut):
            self._leave_out(step.strategy)
        elif isinstance(step, Drop):
            self.standings[step.strategy] = replace(self.standings[step.strategy], status="dropped")
        elif isinstance(step, Settle):
            for one in map(self.standings.__getitem__, step.strategies):
                assert one.status != "dropped"
                self._settle(one)

    def _settle(self, one: Standing) -> None:
        whole = one.splits >= 5 and not one.epochs_short
        self.standings[one.strategy] = replace(one, status="done" if whole else "shortened")

    def _keep(self, entry: Entry, seconds: float, value: Price | Forecast | float | None) -> Kept:
        """Note it; what was kept before turns the clock to where it was, as a journal on disk does."""
        if len(self.kept) >= self._entries:
            raise KilledError
        if entry in self.earlier:
            self.elapsed, value = self.earlier[entry]
        else:
            self.elapsed += seconds
        self.kept[entry] = self.elapsed, value
        return self.kept[entry]

    def _train(self, strategy: StrategyId, split: int, epochs: int) -> float:
        """Seconds of a split, which goes on from where it is in memory."""
        entry = strategy, f"split, lengthened {self._lengthened[strategy]}", split
        had = self.epochs.get((strategy, split), 0) if (strategy, split) in self._waiting else 0
        taken = self.world.slower * self.world.wanted[strategy] * (epochs - had) / 20
        kept = self._keep(entry, taken, taken)
        self.epochs[strategy, split] = epochs
        self._waiting.discard((strategy, split))
        if self.world.in_memory and epochs < 20 and entry not in self.earlier:
            self._waiting.add((strategy, split))
        return number(kept)

    def _measure(self, one: Standing, step: Measure) -> None:
        assert one.is_ready
        assert one.status != "left out"
        assert one.status != "dropped" or self._standing(one).recorded
        assert step.split == one.splits, "a strategy runs on its next split"
        assert one.splits < step.phase.to
        if one.expected is None:
            taken = self.world.cheap[one.strategy]
            seconds = number(self._keep((one.strategy, "split, lengthened 0", step.split), taken, taken))
        else:
            seconds = self._train(one.strategy, step.split, one.expected.epochs)
        mean = (one.seconds_a_split * one.splits + seconds) / (one.splits + 1)
        after = replace(one, splits=one.splits + 1, seconds_a_split=mean)
        self.standings[one.strategy] = replace(after, refit_seconds=max(one.refit_seconds, 1.25 * mean))
        if step.phase.clock == "step one" and not one.splits:
            self.after_first_splits = self.elapsed + self.refit_seconds

    def _lengthen(self, one: Standing, epochs: int) -> None:
        """On all splits, or on none: the shorter trainings stay until all of it is there."""
        assert one.expected is not None
        assert one.expected.epochs < epochs <= 20
        assert one.status != "dropped" or self._standing(one).longer
        decided = one.strategy, "longer", one.expected.epochs
        self.kept[decided] = self.earlier.get(decided, (self.elapsed, epochs))
        self._lengthened[one.strategy] += 1
        try:
            seconds = [self._train(one.strategy, split, epochs) for split in range(one.splits)]
        except KilledError:
            self.epochs.update({(one.strategy, split): one.expected.epochs for split in range(one.splits)})
            raise
        after = replace(
            one,
            expected=replace(one.expected, epochs=epochs, repeatable=True),
            seconds_a_split=one.seconds_a_split + sum(seconds) / one.splits,
            refit_seconds=max(one.refit_seconds, 1.25 * self.world.wanted[one.strategy] * epochs / 20),
        )
        if one.status == "dropped":
            self.standings[one.strategy] = after
        else:
            self._settle(after)

    def lacking(self, strategy: StrategyId) -> float:
        """Seconds that its price says are missing for four epochs on one split and the costliest last training."""
        found = self.prices[strategy]
        if found is None:
            return math.inf
        refit = max(found.refit_seconds(found.fewest), self.refit_seconds)
        return self.elapsed + self.late + found.seconds(1, found.fewest) + refit - self.world.budget

    def _leave_out(self, strategy: StrategyId) -> None:
        assert strategy not in self.standings
        assert not self.recorded(strategy)
        assert self.lacking(strategy) > -1e-9 * self.world.budget
        self.standings[strategy] = Standing(strategy=strategy, status="left out", is_ready=False)

    def _prepare(self, step: Prepare) -> None:
        strategy, known = step.strategy, self.prices[step.strategy]
        assert strategy not in self.standings
        assert known is not None
        fits = self.lacking(strategy) < 1e-9 * self.world.budget
        assert fits or self.recorded(strategy), "nothing is prepared whose price says that it cannot fit"
        taken = self.world.slower * known.preparation
        left = Request(allowance=step.allowance - taken, splits=step.splits)
        _, found = self._keep((strategy, "ready", step.splits), taken, forecast(replace(known, preparation=0.0), left))
        assert isinstance(found, Forecast)
        if not found.epochs:
            self.standings[strategy] = Standing(strategy=strategy, status="left out", is_ready=False)
            return
        # The same passes over the images were for all.
        self.prices = {other: cost and replace(cost, preparation=0.0) for other, cost in self.prices.items()}
        refit = 1.25 * self.world.wanted[strategy] * found.epochs / 20
        self.standings[strategy] = Standing(strategy=strategy, expected=found, refit_seconds=refit)

    @property
    def refit_seconds(self) -> float:
        """Of the costliest strategy that may be picked."""
        may_be_picked = [one for one in self.standings.values() if one.is_ready and one.status != "dropped"]
        return max((one.refit_seconds for one in may_be_picked), default=0.0)

    def could_be_done(self) -> list[str]:
        """What would still fit and might settle what is open: a split, or a quarter more epochs."""
        almost_all = (1 - 1e-9) * self.world.budget
        until, found = almost_all - self.refit_seconds, []
        running = {one.strategy: one for one in self.standings.values() if one.splits and one.status != "dropped"}
        for step in replace(self.world.answers, splits=self.splits).open_steps(list(running)):
            sides = [self._standing(running[side]) for side in step]
            fewest = min(one.splits for one in sides)
            seconds = sum(one.seconds_a_split for one in sides if one.splits == fewest)
            may_settle = fewest < LOOKS[-1] and all(one.repeatable for one in sides)
            found += [f"split {fewest} of {step}"] if may_settle and self.elapsed + seconds <= until else []
            for one in (one for one in sides if one.epochs_short):
                had = one.expected.epochs if one.expected else 0
                epochs = min(20, math.ceil(1.25 * had))
                refit = max(self.refit_seconds, one.refit_seconds * epochs / had)
                if self.elapsed + one.longer_takes(epochs) <= almost_all - refit:
                    found.append(f"{epochs} epochs of {one.label}")
        return found


def number(kept: Kept) -> float:
    """What was kept."""
    assert isinstance(kept[1], (int, float))
    return kept[1]


DEEPER = ((TWO,), (FULL,), (ONE, TWO), (TWO, FULL), (ONE, TWO, FULL), (ONE, TWO, FOUR, FULL), (FULL, SCRATCH), ())


def shares(least: float, most: float) -> st.SearchStrategy[float]:
    """Numbers between these, on a logarithmic scale."""
    return st.floats(math.log10(least), math.log10(most)).map(lambda power: 10**power)


@st.composite
def worlds(
    draw: st.DrawFn, *, timed: bool | None = None, rounds: Sequence[int | None] = (None, None, 1, 2, 5)
) -> World:
    """Races of any cost, with questions that close at some number of splits or never."""
    cheap_ones = [SOFTMAX_ON_LAST, SVM_ON_BEST, HEAD] if draw(st.booleans()) else [SOFTMAX_ON_LAST, HEAD]
    has_budget = draw(st.booleans()) if timed is None else timed
    budget = draw(st.sampled_from([3.0, 30.0, 300.0])) if has_budget else math.inf
    unit = budget if has_budget else 1.0  # seconds are shares of the budget, so that it matters
    wanted = draw(st.sampled_from(DEEPER))
    every = [*cheap_ones, *wanted]
    steps = [(first, second) for n, second in enumerate(every) for first in every[:n]]
    chances = st.dictionaries(st.sampled_from(every), st.sampled_from([0.0, 0.004, 0.02, 0.6]))
    open_until = draw(st.dictionaries(st.sampled_from(steps), st.sampled_from([6, 15, 99]), max_size=5))
    return World(
        budget=budget,
        rounds=draw(st.sampled_from(rounds)),
        cheap={one: unit * draw(shares(1e-4, 0.2)) for one in cheap_ones},
        wanted={one: unit * draw(shares(0.003, 1.5)) for one in wanted},
        pricing=unit * draw(st.sampled_from([0.0, 0.005])),
        preparing=unit * draw(st.sampled_from([0.0, 0.01, 0.05])),
        slower=draw(st.sampled_from([0.7, 1.0, 1.1])),
        in_memory=draw(st.booleans()),
        answers=Said(
            open_until={step: open_until.get(step, 2) for step in steps},  # one common split tells nothing
            order=tuple(draw(st.permutations(every))),
            chances=draw(chances),
        ),
    )


# --- what holds of every race ---------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(world=worlds())
def test_every_race_ends_and_every_strategy_runs_on_its_next_split(world: World) -> None:
    """Equal states give equal decisions, whatever is wanted is tried or left out, and never more than was agreed on."""
    life = Life(world).run()

    assert len(life.steps) < 1000
    assert set(life.standings) == {*world.cheap, *world.wanted}
    assert all(1 <= splits <= (5 * world.rounds if world.rounds else LOOKS[-1]) for splits in life.splits.values())
    assert life.said[0].startswith("Step one and the feature extractor")


@settings(max_examples=80, deadline=None)
@given(world=worlds(timed=True))
def test_a_strategy_has_the_same_epochs_on_all_its_splits(world: World) -> None:
    """Also where it was shortened, went on later, and got more splits after that."""
    life = Life(world).run()

    for one in life.standings.values():
        epochs = {life.epochs[one.strategy, split] for split in range(one.splits) if one.expected}
        assert epochs == ({one.expected.epochs} if one.expected else set())


@settings(max_examples=40, deadline=None)
@given(world=worlds(timed=False))
def test_without_a_budget_everything_is_tried_and_nobody_speaks_of_time(world: World) -> None:
    """Every strategy that is not hopeless gets five splits at least, or as many rounds as were asked for."""
    life = Life(world).run()
    kept = [one for one in life.standings.values() if one.status != "dropped"]

    assert set(life.splits) == {*world.cheap, *world.wanted}
    assert min(one.splits for one in kept) >= 5 * (world.rounds or 1)
    assert not life.of_steps[LeaveOut]
    assert not life.of_steps[Lengthen]
    assert all(one.expected is None or one.expected.epochs == 20 for one in kept)
    assert [sentence for sentence in life.said if A_TIME.search(sentence)] == []


@settings(max_examples=100, deadline=None)
@given(world=worlds(timed=True))
@example(  # a slow classifier, whose own last training is to be kept room for while something cheaper trains
    World(
        budget=100.0,
        rounds=5,
        cheap={SOFTMAX_ON_LAST: 12.0, HEAD: 38.0},
        wanted={ONE: 3.8, TWO: 2.2},
        preparing=1.0,
    )
)
@example(  # a single split of what is wanted takes all of the time, and its last training a quarter more
    World(budget=25.0, cheap={SOFTMAX_ON_LAST: 0.05, HEAD: 0.05}, wanted={FULL: 20.0})
)
def test_the_budget_holds_the_race_and_the_costliest_last_training(world: World) -> None:
    """Within 1.2 times the budget, where one split of step one and its last training are within it."""
    life = Life(world).run()
    assume(life.after_first_splits <= world.budget)

    assert life.elapsed + life.refit_seconds <= 1.2 * world.budget


@settings(max_examples=200, deadline=None)
@given(world=worlds(timed=True, rounds=(None,)))
def test_time_is_used_while_something_open_may_be_settled(world: World) -> None:
    """In the end no split of an open step fits and no quarter more epochs of a side; what is left out did not fit."""
    life = Life(world).run()

    assert life.could_be_done() == []


@settings(max_examples=100, deadline=None)
@given(world=worlds(timed=True), part=st.floats(0.0, 1.0), late=st.sampled_from([0.0, 0.001, 0.02]))
def test_what_was_measured_before_a_stop_is_in_the_race_that_goes_on(world: World, part: float, late: float) -> None:
    """Killed anywhere and its clock a little late: no strategy is left out then, or has fewer splits or epochs."""
    whole = Life(world).run()
    killed = Life(world).run(killed_after=round(part * len(whole.kept)))
    again = Life(world, earlier=killed.kept, late=late * world.budget).run()
    assume(whole.after_first_splits <= world.budget)

    assert len(again.steps) < 1000
    for strategy, splits in killed.splits.items():
        assert again.splits.get(strategy, 0) >= splits
        assert all(
            again.epochs[strategy, n] >= killed.epochs[strategy, n]
            for n in range(splits)
            if (strategy, n) in killed.epochs
        )
    assert again.elapsed + again.refit_seconds <= (1.2 + late) * world.budget


@settings(max_examples=100, deadline=None)
@given(world=worlds(timed=True), part=st.floats(0.0, 1.0))
def test_a_race_that_goes_on_ends_as_it_would_have_ended(world: World, part: float) -> None:
    """The same splits and epochs at the same time, where no training had to go on that memory has lost."""
    whole = Life(world).run()
    killed = Life(world).run(killed_after=round(part * len(whole.kept)))
    again = Life(world, earlier=killed.kept).run()
    assume(not whole.of_steps[Lengthen])

    assert (again.splits, again.epochs, again.elapsed) == (whole.splits, whole.epochs, whole.elapsed)
    assert again.said == whole.said


@settings(max_examples=50, deadline=None)
@given(world=worlds(timed=True))
def test_all_of_a_race_can_be_read_back(world: World) -> None:
    """Killed at its end, it has the same splits and epochs at the same time again, also of what had gone on."""
    whole = Life(world).run()
    again = Life(world, earlier=whole.kept).run()

    assert (again.splits, again.epochs, again.elapsed) == (whole.splits, whole.epochs, whole.elapsed)


@settings(max_examples=50, deadline=None)
@given(world=worlds(timed=False))
def test_only_what_trains_blocks_is_dropped_and_only_where_it_is_hopeless(world: World) -> None:
    """A probability below one per cent, of another one than the best; with rounds nothing is dropped at all."""
    life = Life(world).run()
    dropped = {step.strategy for step in life.steps if isinstance(step, Drop)}
    order = world.answers.order
    hopeless = {one for one in world.wanted if world.answers.chances.get(one, 1.0) < 0.01 and one != order[-1]}

    assert dropped == (set() if world.rounds else hopeless)
    for one in dropped:
        last = max(n for n, step in enumerate(life.steps) if isinstance(step, Measure) and one in step.strategies)
        assert last < life.steps.index(
            next(step for step in life.steps if isinstance(step, Drop) and step.strategy == one)
        )


@settings(max_examples=20, deadline=None)
@given(world=worlds())
def test_rounds_ask_no_question(world: World) -> None:
    """The predictions are not looked at, and it is said how many splits were asked for."""
    life = Life(replace(world, rounds=2))
    life.state = lambda state=life.state: replace(state(), answers=Unasked())  # type: ignore[method-assign,misc]
    life.run()

    assert "2 rounds of 5 splits, as asked." in life.said


# --- step one -------------------------------------------------------------------------------------------------------


Kind = TypeVar("Kind")


def step_of(decision: Decision, kind: type[Kind]) -> Kind:
    """Its step, which is of this kind."""
    assert isinstance(decision.step, kind), decision
    return decision.step


def test_the_first_split_of_other_classifiers_comes_after_the_sides_and_only_where_it_is_guessed_to_fit() -> None:
    """An SVM waits for the head; a probe at the best tap that would take forty of a hundred seconds waits longer."""
    svm, best = cheap(SVM_ON_LAST, splits=0, seconds=0.2), cheap(SVM_ON_BEST, splits=0, seconds=40.0)
    begun = [cheap(SOFTMAX_ON_LAST, splits=0), svm, best, cheap(HEAD, splits=0)]
    later = [cheap(SOFTMAX_ON_LAST, seconds=0.1), svm, best, cheap(HEAD, seconds=1.0)]
    done = [cheap(SOFTMAX_ON_LAST, seconds=0.1), cheap(SVM_ON_LAST, seconds=0.2), best, cheap(HEAD, seconds=1.0)]
    stage = StepOne((), announced=True)

    first, second = (step_of(decide(stage, state(*ones, left=90.0, budget=100.0)), Measure) for ones in (begun, later))
    assert (first.strategies, second.strategies) == ((SOFTMAX_ON_LAST, HEAD), (SVM_ON_LAST,))
    assert decide(stage, state(*done, left=90.0, budget=100.0)).step == Settle(strategies=(SVM_ON_BEST,))


@pytest.mark.parametrize(("left", "together"), [(40.0, 2), (25.0, 2), (14.0, 1)])
def test_splits_of_trainings_run_side_by_side_while_they_end_in_time(left: float, together: int) -> None:
    """Two at a time where two cores are there: twice the seconds that each of them is counted with."""
    one = replace(trained(TWO, splits=1, seconds=7.0), side_by_side=2)
    stage = Trying(strategy=TWO, until=100.0 + left - 7.0, then=Deeper(waiting=()), announced=True)
    step = step_of(decide(stage, state(one, left=left, budget=100.0 + left)), Measure)

    assert (step.split, step.splits) == (1, together)


@pytest.mark.parametrize(("rounds", "budget", "together"), [(1, math.inf, 5), (2, math.inf, 10), (None, 1000.0, 3)])
def test_several_workers_get_several_splits(rounds: int | None, budget: float, together: int) -> None:
    """By rounds and without a clock, all at once; else as many as there are workers."""
    entries = [cheap(one, splits=0) for one in (SOFTMAX_ON_LAST, HEAD)]
    where = replace(state(*entries, rounds=rounds, left=budget, budget=budget), workers=3)
    step = step_of(decide(StepOne((TWO,), announced=True), where), Measure)

    assert (step.split, step.splits) == (0, together)


@pytest.mark.parametrize(("rounds", "to"), [(None, 5), (1, 5), (3, 15)])
def test_a_race_begins_with_one_split_of_all_that_is_cheap(rounds: int | None, to: int) -> None:
    """It is announced once, with the number of splits that each will have."""
    entries = [cheap(one, splits=0) for one in (SOFTMAX_ON_LAST, HEAD)]
    decision = decide(StepOne((TWO,)), state(*entries, rounds=rounds))

    step = decision.step
    assert isinstance(step, Measure)
    assert (step.strategies, step.split, step.phase.to) == ((SOFTMAX_ON_LAST, HEAD), 0, to)
    assert decision.say == (
        f"Step one and the feature extractor (“linear, last layer”, “last layer, trained”) on {to} splits.",
    )
    assert decide(decision.stage, state(*entries, rounds=rounds)).say == ()


def slow_probe(left: float, *, svm: int, softmax: int = 5) -> RaceState:
    """Of a hundred seconds so many are left; a split of the SVM takes ten, one of the softmax a tenth."""
    ones = [
        cheap(SOFTMAX_ON_LAST, splits=softmax, seconds=0.1),
        cheap(SVM_ON_LAST, splits=svm, seconds=10.0),
    ]
    return state(*ones, left=left, budget=100.0)


def test_what_is_cheap_goes_on_while_a_slow_classifier_waits() -> None:
    """Five per cent of the budget for its other splits is cheap; after one split of both only the softmax goes on."""
    begun = StepOne((), announced=True)

    assert step_of(decide(begun, slow_probe(80.0, svm=1, softmax=1)), Measure).strategies == (SOFTMAX_ON_LAST,)
    assert step_of(decide(begun, slow_probe(80.0, svm=1)), Measure).strategies == (SVM_ON_LAST,)


def test_a_slow_classifier_goes_on_within_its_share_of_the_budget() -> None:
    """Up to three tenths; then it is said what it lacks, once for all."""
    begun = StepOne((), announced=True)
    within, beyond = slow_probe(80.0, svm=2), slow_probe(79.0, svm=2)
    decision = decide(begun, beyond)

    assert step_of(decide(begun, within), Measure).split == 2
    assert step_of(decision, Settle).strategies == (SVM_ON_LAST,)
    assert decision.say == (
        "Fewer splits than 5 so far: “linear, last layer (SVM)” (2). The time goes to training first.",
    )


def test_what_unfreezing_is_compared_with_goes_on_where_other_classifiers_wait() -> None:
    """Head and the classifier on all taps get their splits up to eight tenths of the budget, the cheaper one first."""
    begun = StepOne((), announced=True)
    ones = [
        cheap(SVM_ON_LAST, splits=1, seconds=3.0),
        cheap(LINEAR_ON_ALL, splits=2, seconds=6.0),
        cheap(HEAD, splits=2, seconds=5.0),
    ]

    within = decide(begun, state(*ones, left=25.0, budget=100.0))
    beyond = decide(begun, state(*ones, left=24.0, budget=100.0))

    assert step_of(within, Measure).strategies == (HEAD,)
    assert step_of(beyond, Settle).strategies == (SVM_ON_LAST, LINEAR_ON_ALL, HEAD)


@pytest.mark.parametrize(("left", "next_one"), [(60.0, LINEAR_ON_ALL), (30.0, LINEAR_ON_ALL), (29.0, HEAD)])
def test_what_has_one_split_alone_comes_before_the_third_split_of_the_head(left: float, next_one: StrategyId) -> None:
    """It could not be picked, and may take all of the budget; where that is too little, the head goes on."""
    ones = [cheap(LINEAR_ON_ALL, splits=1, seconds=30.0), cheap(HEAD, splits=2, seconds=5.0)]

    decision = decide(StepOne((), announced=True), state(*ones, left=left, budget=100.0))

    assert step_of(decision, Measure).strategies == (next_one,)


# --- which of what trains blocks is tried, and with how much time ---------------------------------------------------


def test_prices_are_found_before_anything_is_prepared() -> None:
    """One after the other, from cheap to expensive, for what is left; nothing is affordable where nothing is left."""
    stage = Deeper(waiting=(TWO, FULL))
    begun = state(cheap(HEAD), left=60.0, budget=100.0)
    first = decide(stage, begun)
    second = decide(first.stage, replace(begun, prices={TWO: price(TWO, split=1.0)}))

    assert first.step == FindPrice(strategy=TWO, affordable=60.0)
    assert second.step == FindPrice(strategy=FULL, affordable=60.0)
    late = decide(stage, state(cheap(HEAD), left=-5.0, budget=100.0))
    assert late.step == FindPrice(strategy=TWO, affordable=0.0)


@pytest.mark.parametrize(
    ("seconds", "left", "chosen"),
    [
        ({TWO: 8.0, FULL: 20.0}, 85.0, (TWO, FULL)),  # 0.5 * (5 * 28 + 25) = 82.5
        ({TWO: 8.0, FULL: 20.0}, 80.0, (TWO,)),
        ({ONE: 4.0, TWO: 8.0}, 40.0, (ONE, TWO)),  # 0.5 * (5 * 12 + 10) = 35
        ({ONE: 4.0, TWO: 8.0}, 34.0, (TWO,)),  # 0.5 * (5 * 8 + 10) = 25
        ({ONE: 4.0, TWO: 8.0}, 24.0, (ONE,)),  # 5 * 4 + 5
        ({ONE: 4.0, FULL: 8.0}, 34.0, (ONE,)),
        ({ONE: 4.0, TWO: 8.0, FULL: 20.0}, 60.0, (ONE, TWO)),
        ({ONE: 4.0, TWO: 8.0, FULL: 20.0}, 3.0, (ONE,)),  # a fifth of the epochs once and on everything: 1.8
        ({TWO: 8.0, FULL: 20.0}, 3.5, ()),  # 3.6
        ({FULL: 20.0, SCRATCH: 20.0}, 100.0, (FULL,)),
        ({TWO: 8.0, FULL: 20.0}, math.inf, (TWO, FULL)),
    ],
)
def test_those_are_tried_that_fit_beside_each_other(
    seconds: Mapping[StrategyId, float], left: float, chosen: tuple[StrategyId, ...]
) -> None:
    """Five splits of half of their epochs, and the costliest last training; two blocks before one where both fail."""
    prices = [price(strategy, split=split) for strategy, split in seconds.items()]
    found = fitting(prices, state(cheap(HEAD), left=left, budget=1000.0 if math.isfinite(left) else math.inf))

    assert tuple(one.strategy for one in found) == chosen


def test_a_slow_classifiers_last_training_has_its_room() -> None:
    """It may be the best: with 30 seconds for it, of 85 no more than 55 are left for what would take 82.5."""
    prices = [price(TWO, split=8.0), price(FULL, split=20.0)]
    found = fitting(prices, state(cheap(HEAD, refit=30.0), left=85.0, budget=100.0))

    assert [one.strategy for one in found] == [TWO]


def test_each_has_its_share_where_both_fit() -> None:
    """Of 140 seconds for all epochs and 25 for a last training 110 are left, two thirds: so it is of each of them."""
    prices = [price(TWO, split=8.0, preparation=6.0), price(FULL, split=20.0)]
    decision = decide(Deeper(waiting=(TWO, FULL)), state(cheap(HEAD), left=116.0, budget=150.0, prices=prices))
    step = step_of(decision, Prepare)

    assert (step.strategy, step.splits) == (TWO, 5)
    assert step.allowance == pytest.approx(6 + 40 * 2 / 3)
    assert isinstance(decision.stage, Trying)
    assert decision.stage.until == pytest.approx(34 + 1.1 * step.allowance)
    assert decision.stage.then == Deeper(waiting=(FULL,))
    assert step.enough == pytest.approx(34 + 6 + 140 + 25)


def test_depths_share_their_passes_over_the_images() -> None:
    """35 seconds of trainings and ten of passes for both, which one after the other would take twenty; not the last."""
    prices = [price(ONE, split=4.0, preparation=10.0), price(TWO, split=8.0, preparation=9.0), price(FULL, split=80.0)]
    begun = state(cheap(HEAD), left=46.0, budget=100.0, prices=prices)
    decision = decide(Deeper(waiting=(ONE, TWO, FULL)), begun)
    step = step_of(decision, Prepare)

    assert step.strategy == ONE
    assert step.allowance == pytest.approx(10 + 20 * 36 / 70)


def test_one_alone_has_what_is_left_but_for_its_last_training() -> None:
    """41 seconds hold two splits of 12 epochs of a second and a training on everything of 1.25 s each: 24 and 15."""
    prices = [price(FULL, split=20.0)]
    decision = decide(Deeper(waiting=(FULL,)), state(cheap(HEAD), left=41.0, budget=100.0, prices=prices))
    allowance = step_of(decision, Prepare).allowance

    assert 24.0 <= allowance <= 41.0 - 15.0
    assert forecast(prices[0], Request(allowance=allowance, splits=5)) == Forecast(
        epochs=12, wanted=20, splits=2, seconds=24.0
    )


@settings(max_examples=100, deadline=None)
@given(split=shares(0.1, 100.0), preparation=st.floats(0.0, 10.0), refit=st.floats(0.0, 60.0))
def test_what_is_forecast_of_one_alone_fits_with_its_last_training(
    split: float, preparation: float, refit: float
) -> None:
    """Of a hundred seconds, with a training on everything of what was forecast, or of another one that takes longer."""
    found = price(FULL, split=split, preparation=preparation)
    decision = decide(
        Deeper(waiting=(FULL,)), state(cheap(HEAD, refit=refit), left=100.0, budget=200.0, prices=[found], rounds=1)
    )
    least = found.seconds(1, 4) + max(found.refit_seconds(4), refit)

    assert isinstance(decision.step, LeaveOut if least > 100.0 else Prepare)
    if isinstance(decision.step, Prepare):
        expected = forecast(found, Request(allowance=decision.step.allowance, splits=5))
        assert expected.epochs >= 4
        assert expected.seconds + max(refit, found.refit_seconds(expected.epochs)) <= 100.0 + 1e-6


def test_where_there_is_time_for_all_a_little_more_of_it_is_given() -> None:
    """Preparing that takes five per cent longer than its price costs no epochs; without a budget nothing does."""
    prices = [price(TWO, split=8.0, preparation=6.0), price(FULL, split=20.0)]

    for waiting in ((TWO, FULL), (TWO,)):
        now = state(cheap(HEAD), left=400.0, budget=400.0, prices=prices)
        step = step_of(decide(Deeper(waiting=waiting), now), Prepare)
        left = Request(allowance=step.allowance - 1.05 * 6, splits=5)
        assert forecast(price(TWO, split=8.0), left).epochs == 20
        free = state(cheap(HEAD), prices=prices)
        assert step_of(decide(Deeper(waiting=waiting), free), Prepare).allowance == math.inf


def test_what_is_postponed_is_named_and_comes_in_the_end() -> None:
    """A whole network that does not fit beside two blocks; what has no price is left out then, without a word now."""
    now = state(cheap(HEAD), left=80.0, budget=100.0, prices=[price(TWO, split=8.0), price(FULL, split=20.0)])
    now = replace(now, prices={**now.prices, SCRATCH: None})
    decision = decide(Deeper(waiting=(TWO, FULL, SCRATCH)), now)

    assert step_of(decision, Prepare).strategy == TWO
    assert decision.say == ("Postponed: “everything”. Time does not hold 5 splits of everything.",)
    assert isinstance(decision.stage, Trying)
    assert decision.stage.then == Deeper(waiting=(), postponed=(FULL, SCRATCH))
    assert decide(Postponed(waiting=(SCRATCH,)), now) == Decision(
        stage=Postponed(waiting=()), step=LeaveOut(strategy=SCRATCH)
    )


def test_what_was_postponed_has_its_turn_at_once_where_the_others_left_time() -> None:
    """Two blocks were dropped early: five splits of half of the epochs of everything fit now, else it waits."""
    dropped = replace(trained(TWO, splits=2, seconds=8.0), status="dropped")
    stage = Deeper(waiting=(), postponed=(FULL,))
    prices = [price(FULL, split=20.0)]  # 0.5 * (100 + 25) = 62.5
    room = decide(stage, state(cheap(HEAD), dropped, left=63.0, budget=100.0, prices=prices, rounds=1))
    none = decide(stage, state(cheap(HEAD), dropped, left=62.0, budget=100.0, prices=prices, rounds=1))

    assert isinstance(room.stage, Trying)
    assert room.stage.then == Deeper(waiting=())
    assert isinstance(none.stage, Trying)
    assert none.stage.then == Postponed(waiting=())


def test_what_was_postponed_is_left_out_where_a_fifth_of_its_epochs_does_not_fit() -> None:
    """Four epochs of a second once and 1.25 s each on everything: nine seconds; not what an earlier life measured."""
    stage = Postponed(waiting=(FULL,))
    prices = [price(FULL, split=20.0)]
    fits = decide(stage, state(cheap(HEAD), left=9.5, budget=100.0, prices=prices))
    late = state(cheap(HEAD), left=8.5, budget=100.0, prices=prices)
    step = step_of(decide(stage, late), LeaveOut)

    assert step_of(fits, Prepare).strategy == FULL
    assert step.note == "4 epochs on one split and a last training need about 9.0 s and 8.5 s are left"
    assert step_of(decide(stage, replace(late, recorded={FULL: 1})), Prepare).strategy == FULL


# --- one strategy that was made ready -------------------------------------------------------------------------------

NOTHING_ELSE = Deeper(waiting=())


def trying(until: float) -> Trying:
    """Two blocks, which should be through by then."""
    return Trying(strategy=TWO, until=until, then=NOTHING_ELSE, announced=True)


def test_what_is_tried_is_announced_with_its_time_only_where_there_is_a_budget() -> None:
    """Three splits of ten seconds each."""
    one, stage = trained(TWO, splits=0, of=3, seconds=10.0), replace(trying(100.0), announced=False)

    assert decide(stage, state(one, left=80.0, budget=100.0)).say == ("“last 2 blocks” on 3 splits: about 30 s.",)
    assert decide(stage, state(one)).say == ("“last 2 blocks” on 3 splits.",)


def test_the_first_split_is_measured_and_the_next_ones_while_they_fit() -> None:
    """Twenty seconds have passed: another split of ten ends at 30. What is missing is noted then."""

    def step(splits: int, until: float) -> Step | None:
        one = trained(TWO, splits=splits, of=3, seconds=10.0)
        return decide(trying(until), state(one, left=80.0, budget=100.0, answers=Said())).step

    assert isinstance(step(0, until=0.0), Measure)
    assert isinstance(step(1, until=30.0), Measure)
    assert step(1, until=29.0) == Settle(strategies=(TWO,), forecast=True)
    assert step(3, until=99.0) == Settle(strategies=(TWO,), forecast=True)


@pytest.mark.parametrize(
    ("splits", "chance", "rounds", "dropped"),
    [(2, 0.009, None, True), (1, 0.009, None, False), (2, 0.01, None, False), (2, 0.009, 1, False)],
)
def test_a_hopeless_depth_is_dropped_after_two_splits(
    splits: int, chance: float, rounds: int | None, dropped: bool
) -> None:
    """Below a probability of one per cent the time goes to others at once; with rounds nobody asks."""
    standings = [cheap(HEAD), trained(TWO, splits=splits)]
    answers = Said(order=(TWO, HEAD), chances={TWO: chance}) if rounds is None else None
    decision = decide(trying(90.0), state(*standings, left=80.0, budget=100.0, answers=answers, rounds=rounds))

    assert isinstance(decision.step, Drop if dropped else Measure)
    assert (decision.stage == NOTHING_ELSE) == dropped


def test_room_is_kept_for_the_last_training_of_what_takes_longest() -> None:
    """A probe that takes 60 seconds on everything may be the best in the end: at 40 of 100 another ten are too many."""
    one = trained(TWO, splits=1, seconds=11.0)
    within = state(cheap(HEAD, refit=59.0), one, left=61.0, budget=100.0)
    beyond = state(cheap(HEAD, refit=61.0), one, left=61.0, budget=100.0)

    assert isinstance(decide(trying(90.0), within).step, Measure)
    assert isinstance(decide(trying(90.0), beyond).step, Settle)


def test_no_room_is_kept_for_what_was_dropped() -> None:
    """It is not picked: its last training of 61 seconds keeps nothing else from its next split."""
    dropped = replace(trained(FULL, seconds=61.0), status="dropped")
    decision = decide(trying(90.0), state(trained(TWO, splits=1, seconds=11.0), dropped, left=61.0, budget=100.0))

    assert step_of(decision, Measure).strategies == (TWO,)


def test_what_was_left_out_is_not_run() -> None:
    """The next one has its turn, or else what has few splits: here none has."""
    out = Standing(strategy=TWO, status="left out", is_ready=False)
    now = state(out, left=80.0, budget=100.0, prices=[price(FULL, split=1.0)])
    decision = decide(replace(trying(50.0), then=Deeper(waiting=(FULL,))), now)

    assert step_of(decision, Prepare).strategy == FULL
    assert isinstance(decide(trying(50.0), state(out, rounds=1)).stage, Over)


# --- completing -----------------------------------------------------------------------------------------------------


def completed(*standings: Standing, left: float, rounds: int | None = 1) -> Decision:
    """What is decided when all have been tried, a hundred seconds in."""
    waiting = tuple(one.strategy for one in standings)
    return decide(Completing(waiting=waiting), state(*standings, left=left, budget=100 + left, rounds=rounds))


def test_few_splits_become_five_where_time_holds_all_of_them() -> None:
    """Three splits of ten seconds and a training on everything; 39 seconds would be too few."""
    decision = completed(trained(TWO, splits=2, seconds=10.0), left=40.0)

    assert step_of(decision, Measure).split == 2
    assert decision.say == ("“last 2 blocks” goes on to 5 splits: time is left.",)
    assert completed(trained(TWO, splits=2, seconds=10.0), left=39.0).step is None


def test_what_cannot_be_completed_does_not_keep_the_next_one_from_it() -> None:
    """Cut down too far, left out, without a single split, or too slow: passed over."""
    decision = completed(
        trained(ONE, splits=1, seconds=0.1, repeatable=False),
        Standing(strategy=TWO, status="left out", is_ready=False),
        trained(FOUR, splits=2, seconds=30.0),
        trained(FULL, splits=4, seconds=5.0),
        left=50.0,
    )

    assert step_of(decision, Measure).strategies == (FULL,)


def test_completing_is_noted_when_it_ends_whether_or_not_it_was_finished() -> None:
    """With five splits, or without time for the next; with rounds that is all, with so many splits for each."""
    stage = Completing(waiting=(), running=TWO)
    slower = state(trained(TWO, splits=3, seconds=30.0), left=50.0, budget=100.0, rounds=1)
    done = state(trained(TWO, splits=5, seconds=1.0), left=50.0, budget=100.0, rounds=1)

    for now in (slower, done):
        decision = decide(stage, now)
        assert decision.step == Settle(strategies=(TWO,))
        assert decide(decision.stage, now) == Decision(stage=Over(), say=("1 round of 5 splits, as asked.",))


# --- more epochs ----------------------------------------------------------------------------------------------------


def lengthened(*standings: Standing, left: float) -> Decision:
    """What is decided when all splits are there, a hundred seconds in."""
    waiting = tuple(one.strategy for one in standings)
    return decide(Lengthening(waiting=waiting), state(*standings, left=left, budget=100 + left, rounds=1))


def test_short_trainings_go_on_as_far_as_time_holds() -> None:
    """Five splits of ten epochs took ten seconds each: ten more take 50 seconds, and 20 on everything 20 seconds."""
    short = trained(TWO, epochs=10, seconds=10.0, waiting=5)

    whole = lengthened(short, left=70.0)
    assert (step_of(whole, Lengthen).strategy, step_of(whole, Lengthen).epochs) == (TWO, 20)
    assert whole.say == ("“last 2 blocks” goes on to 20 epochs: time is left.",)
    assert step_of(lengthened(short, left=69.0), Lengthen).epochs == 19
    assert lengthened(trained(TWO, seconds=10.0), left=999.0).step is None


@pytest.mark.parametrize(("epochs", "left", "to"), [(10, 28.5, 13), (10, 27.5, None), (18, 30.5, 20), (18, 29.5, None)])
def test_a_few_more_epochs_are_not_worth_it(epochs: int, left: float, to: int | None) -> None:
    """A quarter more, or all of them: each takes five seconds on five splits; all take one more on everything."""
    step = lengthened(trained(TWO, epochs=epochs, seconds=float(epochs), waiting=5), left=left).step

    assert (step.epochs if isinstance(step, Lengthen) else None) == to


@pytest.mark.parametrize(("waiting", "seconds"), [(0, 100.0), (2, 80.0), (5, 50.0)])
def test_what_memory_has_lost_would_begin_anew(waiting: int, seconds: float) -> None:
    """Twenty epochs of five splits take 100 seconds then, not 50; where two wait, 80. On everything they take 20."""
    short = trained(TWO, epochs=10, seconds=10.0, waiting=waiting)

    assert step_of(lengthened(short, left=seconds + 20.5), Lengthen).epochs == 20
    step = lengthened(short, left=seconds + 19.5).step
    assert not isinstance(step, Lengthen) or step.epochs < 20


def test_what_went_on_in_an_earlier_life_goes_on_to_the_same_epochs() -> None:
    """On all five splits to 17: its time is what it was, though memory holds none of it; a late clock too."""
    short = trained(TWO, epochs=10, seconds=10.0, longer=(17, 5))

    assert step_of(lengthened(short, left=52.0), Lengthen).epochs == 17
    assert step_of(lengthened(short, left=51.9), Lengthen).epochs == 17


def test_dropped_or_left_out_trainings_do_not_go_on() -> None:
    """The next one does."""
    decision = lengthened(
        replace(trained(ONE, epochs=10), status="dropped"),
        replace(trained(TWO, epochs=10), is_ready=False, status="left out"),
        trained(FOUR, epochs=10, splits=0),
        trained(FULL, epochs=10, waiting=5),
        left=100.0,
    )

    assert step_of(decision, Lengthen).strategy == FULL


# --- looking at the answers -----------------------------------------------------------------------------------------

HEAD_TWO, TWO_FOUR = (HEAD, TWO), (TWO, FOUR)


def looked(
    *standings: Standing, answers: Said, look: int = 0, left: float = math.inf, budget: float = math.inf
) -> Decision:
    """What a look at the answers leads to."""
    known = {one.strategy: one.splits for one in standings}
    return decide(
        Looking(look=look), state(*standings, left=left, budget=budget, answers=replace(answers, splits=known))
    )


@pytest.mark.parametrize(("look", "splits", "to"), [(0, 5, 10), (1, 10, 20)])
def test_what_is_open_goes_on_to_the_next_look(look: int, splits: int, to: int) -> None:
    """From five splits to ten and from ten to twenty: both sides of the question, and nothing else."""
    standings = [cheap(SOFTMAX_ON_LAST, splits=splits), cheap(HEAD, splits=splits), trained(TWO, splits=splits)]
    decision = looked(*standings, answers=Said({HEAD_TWO: 99}), look=look)
    step = decision.step

    assert isinstance(step, Measure)
    assert (step.strategies, step.split, step.phase.to) == (HEAD_TWO, splits, to)
    assert decision.say == (f"Open after {splits} splits: “last layer, trained”, “last 2 blocks”. On to {to} splits.",)


def test_a_race_is_over_after_the_last_look() -> None:
    """However open: twenty splits of the same images say all that they can."""
    standings = [cheap(HEAD, splits=20), trained(TWO, splits=20)]

    assert looked(*standings, answers=Said({HEAD_TWO: 99}), look=2) == Decision(stage=Over())


def test_nothing_open_is_said_and_ends_the_race() -> None:
    """With the number of splits after which it was so."""
    decision = looked(cheap(HEAD), trained(TWO), answers=Said())

    assert decision.stage == Over()
    assert decision.say == ("After 5 splits nothing is open that more splits of these images could settle.",)


def test_fewer_than_two_with_enough_splits_are_no_look() -> None:
    """One has four splits, one was left out, one was dropped: nobody asks and nothing is said."""
    others = [
        trained(ONE, splits=4),
        Standing(strategy=TWO, is_ready=False, status="left out"),
        replace(trained(FOUR), status="dropped"),
    ]

    assert decide(Looking(), state(cheap(HEAD), *others)) == Decision(stage=Over())


def test_the_costliest_stays_behind_where_time_is_short_and_so_does_what_was_only_asked_about_against_it() -> None:
    """Five more of four blocks take fifty seconds: with 45 and the last training of ten the others go on without.

    What needs both of them gets the single splits that fit.
    """
    standings = [cheap(HEAD, seconds=1.0), trained(TWO, seconds=2.0), trained(FOUR, seconds=10.0)]
    both = looked(*standings, answers=Said({HEAD_TWO: 99, TWO_FOUR: 99}), left=55.0, budget=100.0)
    none = looked(*standings, answers=Said({TWO_FOUR: 99}), left=55.0, budget=100.0)

    assert step_of(both, Measure).strategies == HEAD_TWO
    assert both.say == (
        "Open after 5 splits: “last layer, trained”, “last 2 blocks”, “last 4 blocks”. On to 10 splits, without "
        "“last 4 blocks”, for which no time "
        "is left; about 15 s.",
    )
    assert step_of(none, Measure).strategies == TWO_FOUR
    assert none.stage == Filling(steps=(TWO_FOUR,))
    assert none.say == (
        "Open after 5 splits: “last 2 blocks”, “last 4 blocks”. Time is left for no more than 5 splits of all.",
    )


def test_those_that_lag_behind_run_first() -> None:
    """Without time for the next split of all together there is another look, for which they have too few splits."""
    answers = Said()
    stage = Repeating(look=0, wanted=(HEAD, TWO, FOUR), until=60.0)
    standings = (cheap(HEAD, splits=7), trained(TWO, splits=6, seconds=10.0), trained(FOUR, splits=6, seconds=15.0))

    step = decide(stage, state(*standings, left=65.0, budget=100.0, answers=answers)).step
    assert isinstance(step, Measure)
    assert (step.strategies, step.split) == (TWO_FOUR, 6)
    assert decide(stage, state(*standings, left=64.0, budget=100.0, answers=answers)) == Decision(stage=Over())


def test_a_hopeless_depth_is_dropped_and_says_so() -> None:
    """Better than the best with a probability below one per cent; what is hardly above it stays."""
    standings = [cheap(HEAD), trained(ONE), trained(TWO)]
    answers = Said(order=(ONE, HEAD, TWO), chances={ONE: 0.009, HEAD: 0.0, TWO: 0.0})
    decision = looked(*standings, answers=answers)
    step = decision.step

    assert isinstance(step, Drop)
    assert step.strategy == ONE
    assert decision.stage == Looking(look=0)
    (said,) = decision.say
    assert said == (
        "“last block” is dropped after 5 splits: the probability of a better score than that of “last 2 blocks” is "
        "under 1 %."
    )
    assert looked(*standings, answers=replace(answers, chances={ONE: 0.01})).step is None
    assert looked(*standings, answers=replace(answers, chances={})).step is None


def test_what_waits_is_completed_from_cheap_to_expensive() -> None:
    """When nothing is left to try, by the seconds of a split and not by depth."""
    standings = [trained(TWO, splits=4, seconds=8.0), trained(FULL, splits=4, seconds=3.0)]
    done = [step_of(decide(NOTHING_ELSE, state(*standings)), Measure).strategies]
    done.append(step_of(decide(Completing(waiting=(TWO,)), state(*standings)), Measure).strategies)

    assert done == [(FULL,), (TWO,)]


def test_a_slow_classifier_on_codes_waits_until_what_was_postponed_had_its_turn() -> None:
    """An SVM of many classes lacks four splits: two blocks that were postponed come first, then the SVM goes on."""
    standings = [trained(ONE, seconds=1.0), trained(SVM_ON_LAST, splits=1, seconds=5.0)]
    waiting = Standing(strategy=TWO, is_ready=False)
    now = state(cheap(HEAD), *standings, waiting, left=100.0, budget=200.0, answers=Said())
    first = decide(Deeper(waiting=(), postponed=(TWO,)), replace(now, prices={TWO: None}))
    then = decide(Postponed(waiting=()), now)

    assert first.step == LeaveOut(strategy=TWO)
    assert step_of(then, Measure).strategies == (SVM_ON_LAST,)


# --- the time that is left in the end -------------------------------------------------------------------------------

HEAD_FOUR = (HEAD, FOUR)


def filled(*standings: Standing, left: float, answers: Said, stage: Filling | None = None) -> Decision:
    """What is done a hundred seconds in, when nothing else is left to do."""
    known = {one.strategy: one.splits for one in standings}
    answers = replace(answers, splits=known)
    return decide(stage or Filling(), state(*standings, left=left, budget=100 + left, answers=answers))


def test_what_is_open_gets_single_splits_while_they_fit() -> None:
    """The side that has fewer goes first; with its last training of ten seconds twenty are needed."""
    standings = [cheap(HEAD, splits=5, seconds=1.0), trained(TWO, splits=3, seconds=10.0)]
    step = step_of(filled(*standings, left=20.0, answers=Said({HEAD_TWO: 99})), Measure)

    assert (step.strategies, step.split) == ((TWO,), 3)
    assert filled(*standings, left=19.0, answers=Said({HEAD_TWO: 99})).stage == Over()
    assert filled(*standings, left=20.0, answers=Said({HEAD_TWO: 3})).stage == Over()


def test_one_split_that_could_not_be_completed_gets_a_second_one() -> None:
    """Four more did not fit: two are better than one, of which nothing is said. Not of a training cut down too far."""
    head = cheap(HEAD, splits=20, seconds=1.0)
    once, weak = trained(TWO, splits=1), trained(TWO, splits=1, repeatable=False)

    assert step_of(filled(head, once, left=3.0, answers=Said({HEAD_TWO: 99})), Measure).split == 1
    assert filled(head, weak, left=3.0, answers=Said({HEAD_TWO: 99})).stage == Over()


def test_cheap_steps_come_first_and_nothing_has_more_than_twenty_splits() -> None:
    """Two blocks before four; where two blocks and the head have twenty splits, four blocks."""
    few = [cheap(HEAD), trained(TWO, seconds=2.0), trained(FOUR, seconds=3.0)]
    many = [cheap(HEAD, splits=20), trained(TWO, splits=20, seconds=2.0), trained(FOUR, seconds=3.0)]
    answers = Said({HEAD_FOUR: 99, HEAD_TWO: 99})

    assert step_of(filled(*few, left=50.0, answers=answers), Measure).strategies == HEAD_TWO
    assert step_of(filled(*many, left=50.0, answers=answers), Measure).strategies == (FOUR,)


def test_missing_epochs_come_before_splits() -> None:
    """Ten epochs of five splits become twenty, as far as memory has kept them; else another split is what fits."""
    standings = [cheap(HEAD), trained(TWO, epochs=10, seconds=10.0, waiting=5)]
    answers = Said({HEAD_TWO: 99})

    assert step_of(filled(*standings, left=70.0, answers=answers), Lengthen).epochs == 20
    assert step_of(filled(*standings, left=21.0, answers=answers), Measure).strategies == HEAD_TWO


def test_no_look_between_single_splits_ends_them() -> None:
    """The step was open at first and would be told now: it goes on, and it is asked again only when nothing fits."""
    standings = [cheap(HEAD, splits=7, seconds=1.0), trained(TWO, splits=7)]
    begun = Filling(steps=(HEAD_TWO,))

    assert step_of(filled(*standings, left=50.0, answers=Said({HEAD_TWO: 6}), stage=begun), Measure).split == 7
    more = [*standings, trained(FOUR, splits=4, seconds=0.5)]
    asked = filled(*more, left=3.0, answers=Said({HEAD_FOUR: 99}), stage=begun)
    assert step_of(asked, Measure).strategies == HEAD_TWO
    asked = filled(*more, left=2.9, answers=Said({HEAD_FOUR: 99}), stage=begun)
    assert step_of(asked, Measure).strategies == (FOUR,)
    assert asked.stage == Filling(steps=(HEAD_FOUR,))


def test_a_hopeless_depth_gets_no_single_splits() -> None:
    """It is dropped, and its steps with it."""
    standings = [cheap(HEAD, splits=5), trained(TWO, splits=3)]
    answers = Said({HEAD_TWO: 99}, order=(TWO, HEAD), chances={TWO: 0.0})
    dropped = filled(*standings, left=50.0, answers=answers, stage=Filling(steps=(HEAD_TWO,)))

    assert step_of(dropped, Drop).strategy == TWO
    gone = [standings[0], replace(standings[1], status="dropped")]
    assert filled(*gone, left=50.0, answers=answers, stage=Filling(steps=(HEAD_TWO,))).stage == Over()


def test_nothing_that_an_earlier_life_measured_is_lost() -> None:
    """Without any time, in the end: splits of what it had, then more epochs where it has all splits of them."""
    splits = trained(TWO, splits=3, recorded=2)
    longer, part = (trained(TWO, epochs=10, longer=(15, number)) for number in (5, 4))

    def taken_up(one: Standing) -> Step | None:
        return decide(TakingUp(), state(cheap(HEAD), one, left=-5.0, budget=100.0)).step

    assert step_of(Decision(stage=Over(), step=taken_up(splits)), Measure).split == 3
    assert step_of(Decision(stage=Over(), step=taken_up(longer)), Lengthen).epochs == 15
    assert taken_up(part) is None


def test_what_is_still_short_says_so_in_the_end() -> None:
    """What was noted of it may be old: single splits have come since."""
    short = replace(trained(TWO, splits=5), status="shortened")
    decision = decide(TakingUp(), state(cheap(HEAD), short, left=0.0, budget=100.0))

    assert decision == Decision(stage=Over(), step=Settle(strategies=(TWO,)))
