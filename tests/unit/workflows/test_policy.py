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
from unfreeze.strategies.finetuning import Forecast
from unfreeze.workflows.policy import decide
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
    Prepare,
    Repeating,
    Settle,
    Stage,
    Step,
    StepOne,
    Trying,
)

ONE, TWO, FOUR = unfreeze(1), unfreeze(2), unfreeze(4)
IMAGES = 100
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
    repeatable: bool = True,
    recorded: int = 0,
) -> Standing:
    """A strategy that trains blocks; a training on everything takes as long as one on a split."""
    expected = Forecast(
        epochs=20, splits=of, seconds=(of + 1) * seconds, seconds_of_all=6 * seconds, repeatable=repeatable
    )
    return Standing(
        strategy=strategy,
        splits=splits,
        seconds_a_split=seconds if splits else 0.0,
        refit_seconds=seconds,
        expected=expected,
        recorded=recorded,
    )


def state(
    *standings: Standing,
    left: float = math.inf,
    budget: float = math.inf,
    rounds: int | None = None,
    answers: Said | Unasked | None = None,
    seen: Mapping[StrategyId, bool] | None = None,
    recorded: Mapping[StrategyId, int] | None = None,
) -> RaceState:
    """A race of a hundred images of which so many seconds are left."""
    return RaceState(
        elapsed=budget - left if math.isfinite(budget) else 0.0,
        budget=budget,
        images=IMAGES,
        rounds=rounds,
        standings=standings,
        answers=answers or Unasked(),
        seen_to_fit=seen or {},
        recorded=recorded or {},
    )


# --- a race in which steps take time and nothing else ---------------------------------------------------------------

Entry = tuple[StrategyId, str, int]  # what a journal has: a split of a strategy, or its forecast for so many splits


@dataclass(frozen=True, kw_only=True)
class World:
    """What a simulated race is about.

    Attributes:
        budget: Seconds.
        rounds: As in `RaceState`.
        cheap: Strategies of step one, and the seconds of their splits.
        wanted: What trains blocks, and the seconds of a split with all epochs.
        preparing: Seconds that making a strategy ready takes; at most a tenth of what it may take.
        slower: What trainings take, times what was forecast.
        answers: What the predictions say.
    """

    budget: float = math.inf
    rounds: int | None = None
    cheap: Mapping[StrategyId, float]
    wanted: Mapping[StrategyId, float]
    preparing: float = 0.0
    slower: float = 1.0
    answers: Said = Said()

    def forecast(self, strategy: StrategyId, request: Prepare, left: float) -> Forecast | None:
        """All that fits: first fewer epochs, half of them at least; then fewer splits; then a fifth of the epochs."""
        split = self.wanted[strategy]
        for splits in range(request.splits, 0, -1):
            seconds = (splits + 1.25) * split
            share = min(1.0, left / seconds)
            if share >= (0.5 if splits > 1 else 0.2):
                return Forecast(
                    epochs=round(20 * share),
                    splits=splits,
                    seconds=share * seconds,
                    seconds_of_all=(request.splits + 1.25) * split,
                    repeatable=share >= 0.5,
                )
        return None


@dataclass
class Life:
    """A race from its start to its end, or until it is killed.

    Attributes:
        world: What it is about.
        earlier: What an earlier life has kept, and when.
        kept: What this life has made or read back, and when.
        steps: What was done.
        said: What was told.
    """

    world: World
    earlier: Mapping[Entry, tuple[float, Forecast | None]] = field(default_factory=dict)
    kept: dict[Entry, tuple[float, Forecast | None]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    elapsed: float = 0.0
    after_first_splits: float = 0.0
    standings: dict[StrategyId, Standing] = field(default_factory=dict)
    seen: dict[StrategyId, bool] = field(default_factory=dict)

    @property
    def splits(self) -> dict[StrategyId, int]:
        """Of every strategy that is ready."""
        return {one.strategy: one.splits for one in self.standings.values() if one.is_ready}

    @property
    def of_steps(self) -> Counter[type]:
        """How many there were of each kind."""
        return Counter(map(type, self.steps))

    def recorded(self, strategy: StrategyId) -> int:
        """On how many of the first splits the earlier life measured it."""
        return next(n for n in range(len(self.earlier) + 1) if (strategy, "split", n) not in self.earlier)

    def state(self) -> RaceState:
        """Where it stands."""
        standings = [
            replace(one, recorded=max(0, self.recorded(one.strategy) - one.splits)) for one in self.standings.values()
        ]
        return RaceState(
            elapsed=self.elapsed,
            budget=self.world.budget,
            images=IMAGES,
            rounds=self.world.rounds,
            standings=tuple(sorted(standings, key=lambda one: one.strategy.rank)),
            answers=replace(self.world.answers, splits=self.splits),
            seen_to_fit=dict(self.seen),
            recorded={strategy: self.recorded(strategy) for strategy in self.world.wanted},
        )

    def run(self, *, killed_after: int = 1000) -> "Life":
        """Do what is decided until it is over."""
        self.standings = {strategy: Standing(strategy=strategy) for strategy in self.world.cheap}
        stage: Stage = StepOne(tuple(self.world.wanted))
        while not isinstance(stage, Over) and len(self.steps) < killed_after:
            decision = decide(stage, self.state())
            assert decision == decide(stage, self.state())
            self.said += decision.say
            if decision.step is not None:
                self.do(decision.step)
            stage = decision.stage
        return self

    def do(self, step: Step) -> None:
        """Let it take its time and note what it gave."""
        self.steps.append(step)
        if isinstance(step, Measure):
            for strategy in step.strategies:
                self._measure(self.standings[strategy], step)
        elif isinstance(step, Prepare):
            self._prepare(step)
        elif isinstance(step, LeaveOut):
            assert step.strategy not in self.standings
            self.standings[step.strategy] = Standing(strategy=step.strategy, status="left out", is_ready=False)
        elif isinstance(step, Drop):
            self.standings[step.strategy] = replace(self.standings[step.strategy], status="dropped")
        elif isinstance(step, Settle):
            for one in map(self.standings.__getitem__, step.strategies):
                self.standings[one.strategy] = replace(one, status="done" if one.splits >= 5 else "shortened")

    def _keep(self, entry: Entry, seconds: float, forecast: Forecast | None = None) -> Forecast | None:
        """Note it; what was kept before turns the clock to where it was, as a journal on disk does."""
        if entry in self.earlier:
            self.elapsed, forecast = self.earlier[entry]
        else:
            self.elapsed += seconds
        self.kept[entry] = self.elapsed, forecast
        return forecast

    def _measure(self, one: Standing, step: Measure) -> None:
        assert one.is_ready
        assert one.status not in ("dropped", "left out")
        assert step.split == one.splits, "a strategy runs on its next split"
        assert one.splits < step.phase.to
        if one.expected is None:
            seconds = self.world.cheap[one.strategy]
        else:
            seconds = self.world.slower * self.world.wanted[one.strategy] * one.expected.epochs / 20
        self._keep((one.strategy, "split", step.split), seconds)
        after = replace(one, splits=one.splits + 1, seconds_a_split=seconds)
        self.standings[one.strategy] = replace(after, refit_seconds=max(one.refit_seconds, 1.25 * seconds))
        if step.phase.clock == "step one" and not one.splits:
            self.after_first_splits = self.elapsed + self.refit_seconds

    def _prepare(self, step: Prepare) -> None:
        assert step.strategy not in self.standings
        taken = min(self.world.preparing, step.allowance / 10) if step.allowance > 0 else 0.0
        found = self.world.forecast(step.strategy, step, step.allowance - taken)
        found = self._keep((step.strategy, "ready", step.splits), taken, found)
        if step.share_if_all is None:
            self.seen[step.strategy] = found is not None
            return
        one = Standing(strategy=step.strategy, expected=found, is_ready=found is not None)
        if found is None:
            self.standings[step.strategy] = replace(one, status="left out")
        else:
            refit = 1.25 * self.world.wanted[step.strategy] * found.epochs / 20
            self.standings[step.strategy] = replace(one, refit_seconds=refit)

    @property
    def refit_seconds(self) -> float:
        """Of the costliest strategy."""
        return max((one.refit_seconds for one in self.standings.values() if one.is_ready), default=0.0)


DEEPER = ((TWO,), (FULL,), (ONE, TWO), (TWO, FULL), (ONE, TWO, FULL), (ONE, TWO, FOUR, FULL), (FULL, SCRATCH), ())


def shares(least: float, most: float) -> st.SearchStrategy[float]:
    """Numbers between these, on a logarithmic scale."""
    return st.floats(math.log10(least), math.log10(most)).map(lambda power: 10**power)


@st.composite
def worlds(draw: st.DrawFn, *, timed: bool | None = None) -> World:
    """Races of any cost, with questions that close at some number of splits or never."""
    cheap_ones = [SOFTMAX_ON_LAST, SVM_ON_BEST, HEAD] if draw(st.booleans()) else [SOFTMAX_ON_LAST, HEAD]
    has_budget = draw(st.booleans()) if timed is None else timed
    budget = draw(st.sampled_from([3.0, 30.0, 300.0])) if has_budget else math.inf
    unit = budget if has_budget else 1.0  # seconds are shares of the budget, so that it matters
    wanted = draw(st.sampled_from(DEEPER))
    every = [*cheap_ones, *wanted]
    steps = [(first, second) for n, second in enumerate(every) for first in every[:n]]
    chances = st.dictionaries(st.sampled_from(every), st.sampled_from([0.0, 0.004, 0.02, 0.6]))
    return World(
        budget=budget,
        rounds=draw(st.sampled_from([None, None, 1, 2, 5])),
        cheap={one: unit * draw(shares(1e-4, 0.2)) for one in cheap_ones},
        wanted={one: unit * draw(shares(0.003, 1.5)) for one in wanted},
        preparing=unit * draw(st.sampled_from([0.0, 0.01, 0.05])),
        slower=draw(st.sampled_from([0.7, 1.0, 1.1])),
        answers=Said(
            open_until=draw(st.dictionaries(st.sampled_from(steps), st.sampled_from([6, 15, 99]), max_size=5)),
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


@settings(max_examples=40, deadline=None)
@given(world=worlds(timed=False))
def test_without_a_budget_everything_is_tried_and_nobody_speaks_of_time(world: World) -> None:
    """Every wanted strategy gets five splits at least, or as many rounds as were asked for."""
    life = Life(world).run()

    assert set(life.splits) == {*world.cheap, *world.wanted}
    assert min(life.splits.values()) >= 5 * (world.rounds or 1)
    assert not life.of_steps[LeaveOut]
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
def test_the_budget_holds_the_race_and_the_costliest_last_training(world: World) -> None:
    """Within 1.2 times the budget, where one split of step one and its last training are within it."""
    life = Life(world).run()
    assume(life.after_first_splits <= world.budget)

    assert life.elapsed + life.refit_seconds <= 1.2 * world.budget


@settings(max_examples=60, deadline=None)
@given(world=worlds(timed=True), part=st.floats(0.0, 1.0))
def test_what_was_measured_before_a_stop_is_in_the_race_that_goes_on(world: World, part: float) -> None:
    """Killed after any step: no strategy that was measured is left out then, or left with fewer splits."""
    whole = Life(world).run()
    killed = Life(world).run(killed_after=round(part * len(whole.steps)))
    again = Life(world, earlier=killed.kept).run()
    assume(whole.after_first_splits <= world.budget)

    for strategy, splits in killed.splits.items():
        assert again.splits.get(strategy, 0) >= splits
    assert again.elapsed + again.refit_seconds <= 1.2 * world.budget


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
    """The predictions are not looked at, and the last sentence says how many splits were asked for."""
    life = Life(replace(world, rounds=2))
    life.state = lambda state=life.state: replace(state(), answers=Unasked())  # type: ignore[method-assign,misc]
    life.run()

    assert life.said[-1] == "2 rounds of 5 splits, as asked."


# --- step one -------------------------------------------------------------------------------------------------------


Kind = TypeVar("Kind")


def step_of(decision: Decision, kind: type[Kind]) -> Kind:
    """Its step, which is of this kind."""
    assert isinstance(decision.step, kind), decision
    return decision.step


@pytest.mark.parametrize(("rounds", "to"), [(None, 5), (1, 5), (3, 15)])
def test_a_race_begins_with_one_split_of_all_that_is_cheap(rounds: int | None, to: int) -> None:
    """It is announced once, with the number of splits that each will have."""
    entries = [cheap(one, splits=0) for one in (SOFTMAX_ON_LAST, HEAD)]
    decision = decide(StepOne((TWO,)), state(*entries, rounds=rounds))

    step = decision.step
    assert isinstance(step, Measure)
    assert (step.strategies, step.split, step.phase.to) == ((SOFTMAX_ON_LAST, HEAD), 0, to)
    assert decision.say == (
        f"Step one and the feature extractor (softmax on the last codes, head) on {to} splits: they are cheap.",
    )
    assert decide(decision.stage, state(*entries, rounds=rounds)).say == ()


def slow_probe(left: float, *, svm: int, softmax: int = 5, recorded: int = 0) -> RaceState:
    """Of a hundred seconds so many are left; a split of the SVM takes ten, one of the softmax a tenth."""
    ones = [
        cheap(SOFTMAX_ON_LAST, splits=softmax, seconds=0.1),
        replace(cheap(SVM_ON_LAST, splits=svm, seconds=10.0), recorded=recorded),
    ]
    return state(*ones, left=left, budget=100.0)


def test_what_is_cheap_goes_on_while_a_slow_classifier_waits() -> None:
    """Five per cent of the budget for its other splits is cheap; after one split of both only the softmax goes on."""
    begun = StepOne((), announced=True)

    assert step_of(decide(begun, slow_probe(80.0, svm=1, softmax=1)), Measure).strategies == (SOFTMAX_ON_LAST,)
    assert step_of(decide(begun, slow_probe(80.0, svm=1)), Measure).strategies == (SVM_ON_LAST,)


def test_a_slow_classifier_goes_on_within_its_share_of_the_budget() -> None:
    """Up to three tenths; then it is said what it lacks, once for all. What is recorded takes no time and goes on."""
    begun = StepOne((), announced=True)
    within, beyond = slow_probe(80.0, svm=2), slow_probe(79.0, svm=2)
    decision = decide(begun, beyond)

    assert step_of(decide(begun, within), Measure).split == 2
    assert step_of(decision, Settle).strategies == (SVM_ON_LAST,)
    assert decision.say == ("Fewer splits than 5 so far: svm on the last codes (2). The time goes to training first.",)
    assert step_of(decide(begun, slow_probe(10.0, svm=2, recorded=1)), Measure).split == 2


def test_what_unfreezing_is_compared_with_goes_on_where_other_classifiers_wait() -> None:
    """Head and the classifier on all taps get their splits up to eight tenths of the budget, the cheaper one first."""
    begun = StepOne((), announced=True)
    ones = [
        cheap(SVM_ON_LAST, splits=1, seconds=3.0),
        cheap(LINEAR_ON_ALL, splits=1, seconds=6.0),
        cheap(HEAD, splits=1, seconds=5.0),
    ]

    within = decide(begun, state(*ones, left=25.0, budget=100.0))
    beyond = decide(begun, state(*ones, left=24.0, budget=100.0))

    assert step_of(within, Measure).strategies == (HEAD,)
    assert step_of(beyond, Settle).strategies == (SVM_ON_LAST, LINEAR_ON_ALL, HEAD)


# --- which of what trains blocks is tried, and with how much time ---------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "weight"),
    [
        ((ONE, TWO, FOUR, FULL), 2 / 10),
        ((TWO, FULL), 2 / 6),
        ((FULL, SCRATCH), 1 / 2),
        ((FULL,), 1.0),
        ((TWO, FOUR), 1 / 2),
    ],
)
def test_the_first_to_come_gets_its_share_of_what_is_left(wanted: tuple[StrategyId, ...], weight: float) -> None:
    """What trains the whole network weighs twice as much as some blocks do."""
    decision = decide(Choosing(wanted), state(cheap(HEAD), left=200.0, budget=300.0))
    step = decision.step

    assert isinstance(step, Prepare)
    assert (step.strategy, step.splits) == (wanted[0], 5)
    assert step.allowance == pytest.approx(200 * weight)
    assert step.share_if_all == pytest.approx(weight)
    assert isinstance(decision.stage, Trying)
    assert decision.stage.until == pytest.approx(100 + 1.1 * 200 * weight)


@pytest.mark.parametrize(
    ("wanted", "left", "left_out"),
    [
        ((ONE, TWO, FULL), 99.0, True),
        ((ONE, TWO, FULL), 100.0, False),
        ((ONE, TWO), 50.0, False),
        ((TWO, FULL, SCRATCH), 50.0, False),
    ],
)
def test_the_first_depth_is_left_out_where_time_is_short(
    wanted: tuple[StrategyId, ...], left: float, left_out: bool
) -> None:
    """Below a second an image, where two depths and more than two strategies are wanted."""
    step = decide(Choosing(wanted), state(cheap(HEAD), left=left, budget=300.0)).step

    assert isinstance(step, LeaveOut) == left_out
    if isinstance(step, LeaveOut):
        assert step.strategy == ONE
        assert step.note
        assert step.note.startswith("only 0.99 s per image remained")


def test_the_first_depth_is_not_left_out_where_an_earlier_life_measured_it() -> None:
    """Its splits take no time."""
    recorded = {ONE: 1, FULL: 0}
    step = decide(Choosing((ONE, TWO)), state(cheap(HEAD), left=50.0, budget=300.0, recorded=recorded)).step

    assert isinstance(step, Prepare)
    assert step.strategy == ONE


def test_whole_networks_are_asked_first_where_time_is_short() -> None:
    """For a single split, with the share that they would have; the answer decides what two blocks may take."""
    stage: Stage = Choosing((TWO, FULL))
    short = state(cheap(HEAD), left=60.0, budget=300.0)
    asked = decide(stage, short)

    assert asked.step == Prepare(strategy=FULL, allowance=4 / 6 * 60, splits=1)
    assert step_of(decide(asked.stage, replace(short, seen_to_fit={FULL: True})), Prepare).allowance == pytest.approx(
        20
    )
    alone = decide(asked.stage, replace(short, seen_to_fit={FULL: False}))
    assert step_of(alone, Prepare).allowance == pytest.approx(60.0)
    assert isinstance(alone.stage, Trying)
    assert decide(alone.stage.then, short).step == LeaveOut(strategy=FULL)


def test_nobody_asks_whether_fits_what_was_measured_or_has_no_rival() -> None:
    """Two blocks are made ready at once: the whole network is known to fit from an earlier life, or is not wanted."""
    known = state(cheap(HEAD), left=60.0, budget=300.0, recorded={FULL: 2})
    step = decide(Choosing((TWO, FULL)), known).step

    assert isinstance(step, Prepare)
    assert (step.strategy, step.allowance) == (TWO, pytest.approx(20.0))
    alone = decide(Choosing((FULL,)), state(cheap(HEAD), left=60.0, budget=300.0)).step
    assert isinstance(alone, Prepare)
    assert alone.share_if_all == 1.0


@pytest.mark.parametrize(
    ("seconds", "later", "recorded", "tried"),
    [
        (5.0, (), 0, True),  # alone it needs 2 * (1 + 1) * 5 = 20 of 50 seconds
        (13.0, (), 0, False),  # 52
        (13.0, (), 1, True),
        (1.3, (FULL,), 0, True),  # 2 * (5 + 1) * 1.3 = 15.6 of a third of 50
        (1.5, (FULL,), 0, False),  # 18
    ],
)
def test_a_deeper_one_is_tried_where_the_one_before_leaves_room(
    seconds: float, later: tuple[StrategyId, ...], recorded: int, tried: bool
) -> None:
    """Twice what the one before took for a split and everything; for five where more is to come."""
    stage = Deeper(chosen=(FOUR, *later), if_room=(FOUR,))
    now = state(cheap(HEAD), trained(TWO, seconds=seconds), left=50.0, budget=300.0, recorded={FOUR: recorded})
    step = decide(stage, now).step

    assert isinstance(step, Prepare if tried else LeaveOut)
    assert step.strategy == FOUR


def test_without_anything_tried_before_there_is_room() -> None:
    """What was left out before has taken nothing."""
    left_out = Standing(strategy=TWO, status="left out", is_ready=False)
    step = decide(Deeper(chosen=(FOUR,), if_room=(FOUR,)), state(left_out, left=50.0, budget=300.0)).step

    assert isinstance(step, Prepare)


# --- one strategy that was made ready -------------------------------------------------------------------------------

NOTHING_ELSE = Deeper(chosen=())


def trying(until: float) -> Trying:
    """Two blocks, which should be through by then."""
    return Trying(strategy=TWO, until=until, then=NOTHING_ELSE, announced=True)


def test_what_is_tried_is_announced_with_its_time_only_where_there_is_a_budget() -> None:
    """Three splits and a training on everything, of ten seconds each."""
    one, stage = trained(TWO, splits=0, of=3, seconds=10.0), replace(trying(100.0), announced=False)

    assert decide(stage, state(one, left=80.0, budget=100.0)).say == ("unfreeze 2 on 3 splits: about 40 s.",)
    assert decide(stage, state(one)).say == ("unfreeze 2 on 3 splits.",)


def test_the_first_split_is_measured_and_the_next_ones_while_they_fit() -> None:
    """Twenty seconds have passed: another split of ten and everything end at 40. What is missing is noted then."""

    def step(splits: int, until: float, recorded: int = 0) -> Step | None:
        one = trained(TWO, splits=splits, of=3, seconds=10.0, recorded=recorded)
        return decide(trying(until), state(one, left=80.0, budget=100.0)).step

    assert isinstance(step(0, until=0.0), Measure)
    assert isinstance(step(1, until=40.0), Measure)
    assert step(1, until=39.0) == Settle(strategies=(TWO,), forecast=True)
    assert isinstance(step(1, until=0.0, recorded=1), Measure)
    assert step(3, until=99.0) == Settle(strategies=(TWO,), forecast=True)


def test_room_is_kept_for_the_last_training_of_what_takes_longest() -> None:
    """A probe that takes 60 seconds on everything may be the best in the end: at 40 of 100 another ten are too many."""
    one = trained(TWO, splits=1, seconds=11.0)
    within = state(cheap(HEAD, refit=59.0), one, left=61.0, budget=100.0)
    beyond = state(cheap(HEAD, refit=61.0), one, left=61.0, budget=100.0)

    assert isinstance(decide(trying(90.0), within).step, Measure)
    assert isinstance(decide(trying(90.0), beyond).step, Settle)


def test_what_was_left_out_is_not_run() -> None:
    """The next one has its turn, or else what has few splits: here none has."""
    out = Standing(strategy=TWO, status="left out", is_ready=False)
    decision = decide(replace(trying(50.0), then=Deeper(chosen=(FULL,))), state(out, left=80.0, budget=100.0))

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
    assert decision.say == ("unfreeze 2 goes on to 5 splits: time is left.",)
    assert completed(trained(TWO, splits=2, seconds=10.0), left=39.0).step is None
    assert isinstance(completed(trained(TWO, splits=2, seconds=10.0, recorded=3), left=-5.0).step, Measure)


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
    """With five splits, or without time for the next; with rounds that is the end, with so many splits for each."""
    stage = Completing(waiting=(), running=TWO)
    slower = state(trained(TWO, splits=3, seconds=30.0), left=50.0, budget=100.0, rounds=1)
    done = state(trained(TWO, splits=5, seconds=1.0), left=50.0, budget=100.0, rounds=1)

    for now in (slower, done):
        decision = decide(stage, now)
        assert decision.step == Settle(strategies=(TWO,))
        assert decide(decision.stage, now) == Decision(stage=Over(), say=("1 round of 5 splits, as asked.",))


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
    assert decision.say == (f"Open after {splits} splits: head, unfreeze 2. On to {to} splits.",)


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
    """Five more of four blocks take fifty seconds: with 45 and the last training of ten the others go on without."""
    standings = [cheap(HEAD, seconds=1.0), trained(TWO, seconds=2.0), trained(FOUR, seconds=10.0)]
    both = looked(*standings, answers=Said({HEAD_TWO: 99, TWO_FOUR: 99}), left=55.0, budget=100.0)
    none = looked(*standings, answers=Said({TWO_FOUR: 99}), left=55.0, budget=100.0)

    assert step_of(both, Measure).strategies == HEAD_TWO
    assert both.say == (
        "Open after 5 splits: head, unfreeze 2, unfreeze 4. On to 10 splits, without unfreeze 4, for which no time "
        "is left; about 15 s.",
    )
    assert none.stage == Over()
    assert none.say == ("Open after 5 splits: unfreeze 2, unfreeze 4. Time is left for no more than 5 splits.",)


def test_recorded_splits_go_on_without_any_time() -> None:
    """An earlier life has measured all ten of both, and no time is left."""
    standings = [replace(cheap(HEAD, seconds=1.0), recorded=5), trained(TWO, seconds=2.0, recorded=5)]
    decision = looked(*standings, answers=Said({HEAD_TWO: 99}), left=-1.0, budget=100.0)

    assert step_of(decision, Measure).strategies == HEAD_TWO
    assert decision.say[-1].endswith("On to 10 splits; about 0.0 s.")


def test_those_that_lag_behind_run_first() -> None:
    """Without time for the next split of all together there is another look, for which they have too few splits."""
    stage = Repeating(look=0, wanted=(HEAD, TWO, FOUR), until=60.0)
    standings = (cheap(HEAD, splits=7), trained(TWO, splits=6, seconds=10.0), trained(FOUR, splits=6, seconds=15.0))

    step = decide(stage, state(*standings, left=65.0, budget=100.0)).step
    assert isinstance(step, Measure)
    assert (step.strategies, step.split) == (TWO_FOUR, 6)
    assert decide(stage, state(*standings, left=64.0, budget=100.0)) == Decision(stage=Over())


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
        "unfreeze 1 is dropped after 5 splits: the probability of a better score than that of unfreeze 2 is under 1 %."
    )
    assert looked(*standings, answers=replace(answers, chances={ONE: 0.01})).step is None
    assert looked(*standings, answers=replace(answers, chances={})).step is None


def test_what_waits_is_completed_from_cheap_to_expensive() -> None:
    """When nothing is left to try, by the seconds of a split and not by depth."""
    standings = [trained(TWO, splits=4, seconds=8.0), trained(FULL, splits=4, seconds=3.0)]
    done = [step_of(decide(NOTHING_ELSE, state(*standings)), Measure).strategies]
    done.append(step_of(decide(Completing(waiting=(TWO,)), state(*standings)), Measure).strategies)

    assert done == [(FULL,), (TWO,)]
