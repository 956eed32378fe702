"""The race, with strategies whose accuracy and cost are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.questions import Question
from unfreeze.core.progress import SILENT, Advance
from unfreeze.core.records import Outcome
from unfreeze.core.strategies import FULL, HEAD, SOFTMAX_ON_LAST, SVM_ON_LAST, StrategyId, unfreeze
from unfreeze.core.trials import Trial, TrialOutcome
from unfreeze.data.tasks import Split, Task
from unfreeze.metrics.repeated import LOOKS
from unfreeze.strategies.catalogue import LeftOut
from unfreeze.strategies.finetuning import Forecast, Request
from unfreeze.strategies.strategy import Fit, Strategy
from unfreeze.workflows.clock import Clock
from unfreeze.workflows.race import Race

MakeTask = Callable[..., Task]
ONE, TWO, FOUR = unfreeze(1), unfreeze(2), unfreeze(4)


class Time:
    """A clock that moves only when a strategy trains."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@dataclass
class Known:
    """A strategy that is right with a known chance on images that it has not seen."""

    outcome: Outcome
    chance: float
    seconds: float
    task: Task
    time: Time
    splits: int = 5  # that it is forecast to have time for
    repeatable: bool = True
    work: int = 1
    ran: list[str] = field(default_factory=list)
    training: None = None

    @property
    def refit_seconds(self) -> float:
        """As long as a split."""
        return self.seconds

    @property
    def expected(self) -> Forecast:
        """Of the five splits that are asked for, and of a training on everything."""
        return Forecast(
            epochs=1,
            splits=self.splits,
            seconds=(self.splits + 1) * self.seconds,
            seconds_of_all=6 * self.seconds,
            repeatable=self.repeatable,
        )

    def fit(self, split: Split, *, advance: Advance) -> Fit:
        """Guess with the known chance; the same images are hard for every strategy."""
        self.time.now += self.seconds
        self.ran.append(split.name)
        advance(self.work * len(split.learn))
        luck = np.random.default_rng(split.test).random(len(split.test))
        truth = self.task.labels[split.test]
        said = np.where(luck < self.chance, truth, 1 - truth)
        return Fit(scores=np.eye(2, dtype=np.float32)[said])


class Contest:
    """Two cheap strategies and as many expensive ones as `chances` names; notes what each was allowed."""

    def __init__(self, task: Task, time: Time, chances: dict[StrategyId, float], *, seconds: float) -> None:
        def known(strategy: StrategyId, chance: float, seconds: float) -> Known:
            return Known(Outcome(strategy=strategy, description=""), chance, seconds, task, time)

        self.task, self.time = task, time
        self.cheap = [known(SOFTMAX_ON_LAST, 0.8, 0.1), known(HEAD, 0.8, 0.1)]
        self.expensive = {strategy: known(strategy, chance, seconds) for strategy, chance in chances.items()}
        self.allowances: dict[StrategyId, float] = {}

    def step_one(self) -> list[Strategy]:
        """The cheap ones."""
        return list(self.cheap)

    def share(self, strategies: Sequence[Strategy], split: Split) -> None:
        """They have nothing in common."""

    def strategy(self, trial: Trial) -> Known:
        """The one of the trial."""
        cheap = {known.outcome.strategy: known for known in self.cheap}
        return {**self.expensive, **cheap}[trial.strategy]

    def take_note(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Nothing is carried out elsewhere."""

    def ready(self, strategy: StrategyId, request: Request) -> Known | LeftOut:
        """The strategy, if what it is forecast to take fits."""
        known, self.allowances[strategy] = self.expensive[strategy], request.allowance
        if request.allowance < known.expected.seconds:
            return LeftOut(Outcome(strategy=strategy, description="", status="left out", note="too expensive"))
        return known

    def race(self, *, budget: float, kept: float = 0.0) -> Race:
        """A race over these strategies that has not begun; so much of its budget is kept for what follows."""
        question = Question(task=self.task, metric="accuracy", margin=0.01, seed=0)
        clock = Clock(self.time, budget)
        clock.keep(kept)
        return Race(Comparisons(question), self, clock, SILENT)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """What the clock of the race shows, and `time.perf_counter` to the meter of what strategies take."""
    now = Time()
    monkeypatch.setattr("time.perf_counter", now)
    return now


def race_of(contest: Contest, *, budget: float) -> Race:
    """A race that has been run over all strategies of the contest."""
    race = contest.race(budget=budget)
    race.run(list(contest.expensive))
    return race


def splits_of(race: Race) -> dict[StrategyId, int]:
    """On how many splits each strategy was measured."""
    return {measured.strategy: measured.splits for measured in race.measured}


def outcomes_of(race: Race) -> dict[StrategyId, Outcome]:
    """The record of each strategy, in the order of the race."""
    return {measured.strategy: measured.outcome for measured in race.measured}


def test_every_strategy_runs_on_the_same_first_splits(make_rows: MakeTask, time: Time) -> None:
    """With time enough the numbers of splits are those of the looks, and the splits are common to all."""
    contest = Contest(make_rows(400), time, {ONE: 0.82, TWO: 0.81}, seconds=1.0)
    race = race_of(contest, budget=1000)

    assert set(splits_of(race).values()) <= set(LOOKS)
    for strategy in [*contest.cheap, *contest.expensive.values()]:
        assert strategy.ran == [f"split {number}" for number in range(len(strategy.ran))]


def test_a_clear_difference_is_not_repeated(make_rows: MakeTask, time: Time) -> None:
    """From 80 % to 97 % five splits of four hundred images are enough, and the rest of the budget is left alone."""
    contest = Contest(make_rows(400), time, {TWO: 0.97}, seconds=1.0)
    race = race_of(contest, budget=1000)

    assert splits_of(race)[TWO] == 5
    assert "nothing is open" in race.story[-1]


def test_a_hopeless_strategy_is_dropped_and_the_rest_goes_on(make_rows: MakeTask, time: Time) -> None:
    """A depth that costs thirty points is not repeated, while an open question beside it is."""
    contest = Contest(make_rows(400), time, {ONE: 0.815, TWO: 0.5}, seconds=1.0)
    race = race_of(contest, budget=1000)
    status = {strategy: outcome.status for strategy, outcome in outcomes_of(race).items()}

    assert status[TWO] == "dropped"
    assert splits_of(race)[TWO] == 5
    assert splits_of(race)[ONE] > 5


def test_the_head_is_never_dropped(make_rows: MakeTask, time: Time) -> None:
    """However far behind it is: whether step one is enough is asked of it, on as many splits as of the others."""
    contest = Contest(make_rows(400), time, {ONE: 0.97, TWO: 0.975}, seconds=1.0)
    race = race_of(contest, budget=1000)

    assert outcomes_of(race)[HEAD].status == "done"


def test_the_budget_is_kept_with_room_for_the_last_training(make_rows: MakeTask, time: Time) -> None:
    """Whatever is tried, time is left to train the costliest strategy once more, within 1.2 times the budget."""
    for budget in (20.0, 60.0, 150.0, 500.0):
        time.now = 0.0
        contest = Contest(make_rows(400), time, {ONE: 0.81, TWO: 0.82, FOUR: 0.82}, seconds=5.0)
        race = race_of(contest, budget=budget)
        ran = max(entry.refit_seconds for entry in race.entered)

        assert time.now + ran <= 1.2 * budget


def test_what_does_not_fit_is_left_out_with_its_reason(make_rows: MakeTask, time: Time) -> None:
    """The story and the record both say why."""
    contest = Contest(make_rows(400), time, {TWO: 0.9}, seconds=100.0)
    race = race_of(contest, budget=60)
    left_out = race.measured[-1].outcome

    assert (left_out.status, left_out.note) == ("left out", "too expensive")
    assert any("too expensive" in sentence for sentence in race.story)


@pytest.mark.parametrize(("chance", "splits"), [(0.8, 5), (0.77, 20)])
def test_what_turned_out_the_same_is_no_open_question(
    make_rows: MakeTask, time: Time, chance: float, splits: int
) -> None:
    """A head that predicts what the softmax does ends after one round; one that differs a little goes on to four."""
    contest = Contest(make_rows(100), time, {}, seconds=1.0)
    contest.cheap[1].chance = chance
    race = contest.race(budget=1000.0)
    race.run([])

    assert [one.splits for one in race.measured] == [splits, splits]


def test_an_expensive_strategy_that_is_slower_than_forecast_keeps_the_splits_that_it_had(
    make_rows: MakeTask, time: Time
) -> None:
    """Fewer than five splits: it is shortened, and the story says so; of one there are no probabilities either."""
    contest = Contest(make_rows(400), time, {TWO: 0.9}, seconds=2.0)
    contest.expensive[TWO].seconds = 2.0
    race = contest.race(budget=14.0)
    ready = contest.ready

    def slow(strategy: StrategyId, request: Request) -> Known | LeftOut:
        found = ready(strategy, request)
        if isinstance(found, Known):
            found.seconds = 4.0
        return found

    contest.ready = slow  # type: ignore[method-assign]
    race.run([TWO])
    expensive = race.measured[-1]

    assert 1 <= expensive.splits < 5
    assert expensive.outcome.status == "shortened"
    assert f"{expensive.splits} of 5 splits fit the budget" in expensive.outcome.note
    assert any("no probabilities" in sentence for sentence in race.story) == (expensive.splits == 1)


def test_what_is_shortened_says_which_budget_would_hold_all_of_it(make_rows: MakeTask, time: Time) -> None:
    """Two of five splits of a minute each: with step one and the last training all of it needs six minutes and more."""
    contest = Contest(make_rows(400), time, {TWO: 0.9}, seconds=60.0)
    contest.expensive[TWO].splits = 2
    race = race_of(contest, budget=300.0)

    assert splits_of(race)[TWO] == 2
    assert race.measured[-1].outcome.note == "2 of 5 splits fit the budget; all would need a budget of about 7 min"


def test_time_kept_for_a_test_folder_counts_in_the_budget_that_would_do(make_rows: MakeTask, time: Time) -> None:
    """As above, with two minutes more that the race may not use: nine minutes and not seven."""
    contest = Contest(make_rows(400), time, {TWO: 0.9}, seconds=60.0)
    contest.expensive[TWO].splits = 2
    race = contest.race(budget=420.0, kept=120.0)
    race.run([TWO])

    assert race.clock.left() <= 300.0
    assert race.measured[-1].outcome.note == "2 of 5 splits fit the budget; all would need a budget of about 9 min"


@pytest.mark.parametrize(
    ("seconds_an_image", "tried"),
    [(2.0, {ONE, TWO, FOUR}), (0.5, {TWO, FOUR})],
)
def test_the_shorter_the_time_the_fewer_depths(
    make_rows: MakeTask, time: Time, seconds_an_image: float, tried: set[StrategyId]
) -> None:
    """What is not tried says how little time was left; all stand in the order of their depth."""
    contest = Contest(make_rows(400), time, {ONE: 0.85, TWO: 0.85, FOUR: 0.85}, seconds=1.0)
    race = race_of(contest, budget=400 * seconds_an_image + 2)
    blocks = {m.strategy: m for m in race.measured if m.strategy.kind == "unfreeze"}

    assert list(blocks) == [ONE, TWO, FOUR]
    assert {strategy for strategy, m in blocks.items() if m.splits} == tried
    assert all(
        f"only {seconds_an_image:.1f} s per image remained" in blocks[strategy].outcome.note
        for strategy in blocks.keys() - tried
    )


def test_a_slow_probe_does_not_keep_the_cheap_ones_from_five_splits(make_rows: MakeTask, time: Time) -> None:
    """Its second split would be too late; what takes a moment goes on by itself, so that the head can be told."""
    contest = Contest(make_rows(400), time, {TWO: 0.9}, seconds=10.0)
    slow = replace(contest.cheap[0], outcome=Outcome(strategy=SVM_ON_LAST, description=""), seconds=20.0, ran=[])
    contest.cheap.insert(1, slow)
    race = race_of(contest, budget=100.0)

    splits = splits_of(race)

    assert splits.pop(SVM_ON_LAST) == 1
    assert all(number >= 5 for number in splits.values())
    assert any(sentence.startswith("Fewer splits than 5 so far: svm on the last codes (1)") for sentence in race.story)
    svm = race.measured[1].outcome
    assert (svm.status, svm.note) == ("shortened", "1 of 5 splits fit the budget")


def test_what_has_few_splits_gets_more_once_all_have_been_tried(make_rows: MakeTask, time: Time) -> None:
    """Two splits fitted its share; another depth was too expensive, and with its time two become five."""
    contest = Contest(make_rows(400), time, {TWO: 0.9, FULL: 0.9}, seconds=10.0)
    contest.expensive[TWO].splits, contest.expensive[FULL].seconds = 2, 1000.0
    race = race_of(contest, budget=100.0)
    completed = outcomes_of(race)[TWO]

    assert splits_of(race)[TWO] == 5
    assert (completed.status, completed.note) == ("done", "")


@pytest.mark.parametrize(("seconds", "tried"), [(3.0, {TWO, FOUR}), (6.0, {TWO})])
def test_where_time_is_short_the_second_depth_comes_first(
    make_rows: MakeTask, time: Time, seconds: float, tried: set[StrategyId]
) -> None:
    """A tenth of a second an image: two blocks get five splits, four blocks what is left if it holds a split."""
    contest = Contest(make_rows(400), time, {ONE: 0.85, TWO: 0.85, FOUR: 0.85}, seconds=seconds)
    contest.expensive[FOUR].splits = 1
    race = race_of(contest, budget=42.0)
    blocks = {m.strategy: m for m in race.measured if m.strategy.kind == "unfreeze"}

    assert list(blocks) == [ONE, TWO, FOUR]
    assert {strategy for strategy, m in blocks.items() if m.splits} == tried
    assert blocks[TWO].splits >= 5
    assert all("s per image remained" in blocks[strategy].outcome.note for strategy in blocks.keys() - tried)


def test_the_whole_network_keeps_its_share_where_time_is_short(make_rows: MakeTask, time: Time) -> None:
    """Four blocks do not take what a whole network that fits was to get; without room for all of them they are out."""
    contest = Contest(make_rows(400), time, {ONE: 0.85, TWO: 0.85, FOUR: 0.85, FULL: 0.9}, seconds=1.0)
    contest.expensive[FULL].seconds = 4.0
    race = race_of(contest, budget=44.0)

    assert contest.allowances[TWO] == pytest.approx(43 / 3)
    assert contest.allowances[FOUR] == pytest.approx((43 - 5) / 3)
    assert splits_of(race)[FULL] >= 5

    time.now = 0.0
    short = Contest(contest.task, time, {ONE: 0.85, TWO: 0.85, FOUR: 0.85, FULL: 0.9}, seconds=2.0)
    race = race_of(short, budget=42.0)

    assert FOUR not in short.allowances
    assert short.allowances[FULL] == pytest.approx(42 - 1 - 10)


def test_a_training_that_was_cut_down_too_far_is_not_repeated(make_rows: MakeTask, time: Time) -> None:
    """Time is left, but five splits of a few epochs would give an interval of another strategy than the wanted one."""
    contest = Contest(make_rows(400), time, {TWO: 0.9, FULL: 0.9}, seconds=10.0)
    contest.expensive[TWO].splits, contest.expensive[TWO].repeatable, contest.expensive[FULL].seconds = 1, False, 1000.0
    race = race_of(contest, budget=100.0)
    weak = outcomes_of(race)[TWO]

    assert splits_of(race)[TWO] == 1
    assert weak.status == "shortened"


def test_an_interrupt_leaves_what_was_measured(make_rows: MakeTask, time: Time) -> None:
    """Ctrl-C in the third split of an expensive strategy: two splits of it are there, and all of the cheap ones."""
    contest = Contest(make_rows(400), time, {TWO: 0.9}, seconds=1.0)
    race = contest.race(budget=1000.0)
    fit = contest.expensive[TWO].fit

    def stopped(split: Split, *, advance: Advance) -> Fit:
        if split.name == "split 2":
            raise KeyboardInterrupt
        return fit(split, advance=advance)

    contest.expensive[TWO].fit = stopped  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        race.run([TWO])

    assert splits_of(race) == {SOFTMAX_ON_LAST: 5, HEAD: 5, TWO: 2}
    stopped_at = race.measured[-1].outcome
    assert (stopped_at.status, stopped_at.note) == ("interrupted", "2 of 5 splits were finished")


def test_time_is_not_kept_for_a_whole_network_that_will_not_fit(make_rows: MakeTask, time: Time) -> None:
    """Where time is short and the whole network too expensive for its share, two blocks get all of the time."""
    contest = Contest(make_rows(400), time, {TWO: 0.9, FULL: 0.9}, seconds=5.0)
    contest.expensive[FULL].seconds = 100.0
    race = race_of(contest, budget=61.0)

    assert contest.allowances[TWO] == pytest.approx(60.0)
    assert outcomes_of(race)[FULL].status == "left out"
    assert splits_of(race)[TWO] >= 5


def test_forecasts_say_what_was_expected_and_what_it_took(make_rows: MakeTask, time: Time) -> None:
    """Each strategy that trains blocks has one forecast in the record, in the order of trying."""
    contest = Contest(make_rows(400), time, {TWO: 0.97, FULL: 0.97}, seconds=1.0)
    contest.expensive[FULL].seconds = 10_000.0
    race = race_of(contest, budget=1000)

    assert [(found.strategy, found.status) for found in race.forecasts] == [(TWO, "done"), (FULL, "left out")]
    assert [found.seconds for found in race.forecasts] == pytest.approx([5.0, 0.0])


def test_a_race_is_in_the_order_of_cost(make_rows: MakeTask, time: Time) -> None:
    """Whatever is tried or left out first, the record goes from the probe by the depths to the whole network."""
    contest = Contest(make_rows(400), time, {ONE: 0.85, TWO: 0.85, FOUR: 0.85, FULL: 0.9}, seconds=2.0)
    race = race_of(contest, budget=42.0)

    assert list(splits_of(race)) == [SOFTMAX_ON_LAST, HEAD, ONE, TWO, FOUR, FULL]


def test_the_race_and_the_record_share_their_estimates(make_rows: MakeTask, time: Time) -> None:
    """A step that the race asked about is the same estimate when it is asked for again after the race."""
    contest = Contest(make_rows(400), time, {ONE: 0.815}, seconds=1.0)
    race = race_of(contest, budget=1000)
    found = {measured.strategy: measured for measured in race.measured}

    estimate = race.comparisons.estimate(found[HEAD], found[ONE])

    assert estimate.splits == min(found[HEAD].splits, found[ONE].splits)
    assert race.comparisons.estimate(found[HEAD], found[ONE]) is estimate
