"""The race, with strategies whose accuracy and cost are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.questions import Question
from unfreeze.advisor.selection import select_strategy
from unfreeze.core.errors import DidNotTrainError
from unfreeze.core.journal import NO_JOURNAL, FileJournal, Journal
from unfreeze.core.plans import Plan, TrainingSettings
from unfreeze.core.progress import SILENT, Advance
from unfreeze.core.records import Outcome
from unfreeze.core.strategies import FULL, HEAD, SOFTMAX_ON_LAST, SVM_ON_LAST, StrategyId, unfreeze
from unfreeze.core.trials import Activations, Training, Trial, TrialOutcome
from unfreeze.data.tasks import Split, Task
from unfreeze.metrics.repeated import LOOKS
from unfreeze.strategies.catalogue import LeftOut
from unfreeze.strategies.execution import InThisProcess, Keeping
from unfreeze.strategies.finetuning import Forecast, Price, Request, forecast
from unfreeze.strategies.strategy import Fit, Strategy
from unfreeze.workflows.clock import Clock
from unfreeze.workflows.race import Race
from unfreeze.workflows.steps import Lengthen, Phase

MakeTask = Callable[..., Task]
ONE, TWO, FOUR = unfreeze(1), unfreeze(2), unfreeze(4)
WHOLE = Forecast(epochs=20, wanted=20, splits=5, seconds=0.0)


class Time:
    """A clock that moves only when a strategy trains."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@dataclass
class Known:
    """A strategy that is right with a known chance on images that it has not seen; trainings can go on.

    Attributes:
        outcome: Its record.
        chance: Of being right with all twenty epochs; a point less for each that is missing.
        seconds: Of a split with all epochs.
        task: Labels.
        time: Moves when it trains.
        expected: What was forecast.
        work: 0 where it trains no blocks.
        fails_on: A split on which it ends.
        failure: With what.
        lengthenings: How many there were.
        waiting: Epochs by split.
        ran: The split and the epochs of each fit.
    """

    outcome: Outcome
    chance: float
    seconds: float
    task: Task
    time: Time
    expected: Forecast = WHOLE
    work: int = 0
    fails_on: str = ""
    failure: BaseException = field(default_factory=lambda: DidNotTrainError((0.7, 0.9)))
    lengthenings: int = 0
    waiting: dict[str, int] = field(default_factory=dict)
    ran: list[tuple[str, int]] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """Of each of its trainings."""
        return self.expected.epochs

    @property
    def training(self) -> Training | None:
        """With its epochs; None where it trains no blocks."""
        if not self.work:
            return None
        plan = Plan(strategy=self.outcome.strategy, rules=(), epochs=self.epochs)
        activations = Activations(cut="input", remembered=False)
        return Training(settings=TrainingSettings(plan=plan), activations=activations, lengthened=self.lengthenings)

    @property
    def refit_seconds(self) -> float:
        """As long as a split."""
        return self.seconds * self.epochs / 20

    def lengthened(self, epochs: int) -> "Known":
        """With more epochs."""
        note = f"{epochs} of 20 epochs fit the budget" if epochs < 20 else ""
        outcome = replace(self.outcome, status="shortened" if note else "done", note=note)
        expected = replace(self.expected, epochs=epochs, repeatable=True)
        return replace(self, outcome=outcome, expected=expected, lengthenings=self.lengthenings + 1)

    def fit(self, split: Split, *, advance: Advance) -> Fit:
        """Guess with the known chance; the same images are hard for every strategy."""
        self.time.now += self.seconds * (self.epochs - self.waiting.pop(split.name, 0)) / 20
        self.ran.append((split.name, self.epochs))
        if split.name == self.fails_on:
            raise self.failure
        if self.epochs < 20:
            self.waiting[split.name] = self.epochs
        advance(self.work * len(split.learn))
        luck = np.random.default_rng(split.test).random(len(split.test))
        truth = self.task.labels[split.test]
        said = np.where(luck < self.chance - 0.01 * (20 - self.epochs), truth, 1 - truth)
        return Fit(scores=np.eye(2, dtype=np.float32)[said])


class Contest:
    """Two cheap strategies and as many expensive ones as `chances` names; they may be slower than their price says."""

    def __init__(
        self, task: Task, time: Time, chances: dict[StrategyId, float], *, seconds: float, slower: float = 1.0
    ) -> None:
        def known(strategy: StrategyId, chance: float, seconds: float) -> Known:
            return Known(Outcome(strategy=strategy, description=""), chance, seconds, task, time)

        self.task, self.time, self.slower = task, time, slower
        self.cheap = [known(SOFTMAX_ON_LAST, 0.8, 0.1), known(HEAD, 0.8, 0.1)]
        self.expensive = {strategy: known(strategy, chance, seconds) for strategy, chance in chances.items()}
        self.prepared: list[StrategyId] = []

    def step_one(self) -> list[Strategy]:
        """The cheap ones."""
        return list(self.cheap)

    def share(self, strategies: Sequence[Strategy], split: Split) -> None:
        """They have nothing in common."""

    def strategy(self, trial: Trial) -> Known:
        """The one of the trial, with the epochs that it is to have."""
        if trial.training is None:
            return next(known for known in self.cheap if known.outcome.strategy == trial.strategy)
        known, epochs = self.expensive[trial.strategy], trial.training.settings.plan.epochs
        if known.training != trial.training:
            known = self.expensive[trial.strategy] = known.lengthened(epochs)
        assert known.training == trial.training
        return known

    def take_note(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Nothing is carried out elsewhere."""

    def price(self, strategy: StrategyId, *, epochs: int | None, affordable: float) -> Price | LeftOut:
        """Twenty epochs, on everything as long as on a split; none where it takes hundreds of times what there is."""
        each = self.expensive[strategy].seconds / 20
        if each > 100 * affordable:
            return LeftOut(Outcome(strategy=strategy, description="", status="left out", note="too expensive"))
        return Price(
            strategy=strategy,
            epochs=epochs or 20,
            fewest=4,
            seconds_an_epoch=each,
            refit_an_epoch=each,
            preparation=0.0,
        )

    def ready(self, price: Price, request: Request) -> Known | LeftOut:
        """The strategy, for as many epochs and splits as fit."""
        strategy = price.strategy
        self.prepared.append(strategy)
        known, expected = self.expensive[strategy], forecast(price, request)
        note = f"{expected.epochs} of 20 epochs fit the budget" if expected.epochs < 20 else ""
        outcome = replace(known.outcome, status="shortened" if note else "done", note=note)
        seconds = known.seconds * self.slower
        self.expensive[strategy] = replace(known, outcome=outcome, expected=expected, seconds=seconds, work=1)
        return self.expensive[strategy]

    def race(self, clock: Clock, journal: Journal = NO_JOURNAL) -> Race:
        """A race over these strategies that has not begun."""
        question = Question(task=self.task, metric="accuracy", margin=0.01, seed=0)
        executor = Keeping(InThisProcess(self, self.task), self, journal)
        return Race(
            Comparisons(question), self, clock, SILENT, executor=executor, recorded=executor.recorded, journal=journal
        )


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """What the clock of the race shows, and `time.perf_counter` to the meter of what strategies take."""
    now = Time()
    monkeypatch.setattr("time.perf_counter", now)
    return now


def race_of(contest: Contest, *, budget: float) -> Race:
    """A race that has been run over all strategies of the contest."""
    race = contest.race(Clock(contest.time, budget))
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
        assert strategy.ran == [(f"split {number}", 20) for number in range(len(strategy.ran))]


def test_a_clear_difference_is_not_repeated(make_rows: MakeTask, time: Time) -> None:
    """From 80 % to 97 % five splits of four hundred images are enough, and the rest of the budget is left alone."""
    contest = Contest(make_rows(400), time, {TWO: 0.97}, seconds=1.0)
    race = race_of(contest, budget=1000)

    assert splits_of(race)[TWO] == 5
    assert "nothing is open" in race.story[-1]


def test_a_hopeless_strategy_is_dropped_and_the_rest_goes_on(make_rows: MakeTask, time: Time) -> None:
    """A depth that costs thirty points ends after two splits, while an open question beside it is repeated."""
    contest = Contest(make_rows(400), time, {ONE: 0.815, TWO: 0.5}, seconds=1.0)
    race = race_of(contest, budget=1000)
    status = {strategy: outcome.status for strategy, outcome in outcomes_of(race).items()}

    assert status[TWO] == "dropped"
    assert splits_of(race)[TWO] == 2
    assert splits_of(race)[ONE] > 5
    assert [(found.strategy, found.status) for found in race.forecasts] == [(ONE, "done"), (TWO, "dropped")]


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


def test_no_time_is_kept_for_a_last_training_that_will_hardly_come(make_rows: MakeTask, time: Time) -> None:
    """A depth as good as the head is open to the end and is not picked: all time goes to its splits, 7 s each."""
    contest = Contest(make_rows(150), time, {TWO: 0.79}, seconds=7.0)
    race = race_of(contest, budget=75.0)

    assert splits_of(race)[TWO] == 10
    assert not race.state().of(TWO).may_be_picked
    selection = select_strategy(race.measured, race.comparisons)
    assert selection is not None
    assert not selection.picked.trains_blocks


def test_time_is_kept_for_the_last_training_of_what_is_picked(make_rows: MakeTask, time: Time) -> None:
    """Whatever depth wins in the end, by however little, its training on everything ends in the budget."""
    for chance in (0.79, 0.8, 0.81, 0.82, 0.83, 0.85):
        for budget in (70.0, 75.0, 80.0, 100.0, 150.0):
            time.now = 0.0
            race = race_of(Contest(make_rows(400), time, {ONE: 0.8, TWO: chance}, seconds=3.0), budget=budget)
            selection = select_strategy(race.measured, race.comparisons)
            assert selection is not None
            assert time.now + race.entry(selection.picked).refit_seconds <= budget + 1e-6, (chance, budget)


@pytest.mark.parametrize(
    ("seconds", "note"),
    [
        (1000.0, "4 epochs on one split and a last training need about 6 min 40 s and 59 s are left"),
        (1e6, "too expensive"),
    ],
)
def test_what_does_not_fit_is_left_out_with_its_reason(
    make_rows: MakeTask, time: Time, seconds: float, note: str
) -> None:
    """The story and the record both say why, and nothing was prepared for it."""
    contest = Contest(make_rows(400), time, {TWO: 0.9}, seconds=seconds)
    race = race_of(contest, budget=60)
    left_out = race.measured[-1].outcome

    assert (left_out.status, left_out.note) == ("left out", note)
    assert f"Left out: “last 2 blocks”; {note}." in race.story
    assert contest.prepared == []


@pytest.mark.parametrize(("chance", "splits"), [(0.8, 5), (0.77, 20)])
def test_what_turned_out_the_same_is_no_open_question(
    make_rows: MakeTask, time: Time, chance: float, splits: int
) -> None:
    """A head that predicts what the softmax does ends after one round; one that differs a little goes on to four."""
    contest = Contest(make_rows(100), time, {}, seconds=1.0)
    contest.cheap[1].chance = chance
    race = contest.race(Clock(time, 1000.0))
    race.run([])

    assert [one.splits for one in race.measured] == [splits, splits]


def test_an_expensive_strategy_that_is_slower_than_forecast_keeps_the_splits_that_it_had(
    make_rows: MakeTask, time: Time
) -> None:
    """Fewer than five splits: it is shortened, and the story says so; of one there are no probabilities either."""
    seen = set()
    for slower in (2.0, 4.0):
        time.now = 0.0
        race = race_of(Contest(make_rows(400), time, {TWO: 0.9}, seconds=2.0, slower=slower), budget=13.5)
        expensive = race.measured[-1]

        assert 1 <= expensive.splits < 5
        assert expensive.outcome.status == "shortened"
        assert f"{expensive.splits} of 5 splits fit the budget" in expensive.outcome.note
        assert any("no probabilities" in sentence for sentence in race.story) == (expensive.splits == 1)
        seen.add(expensive.splits)
    assert len(seen) == 2


@pytest.mark.parametrize(("budget", "kept", "minutes"), [(300.0, 0.0, 7), (420.0, 120.0, 9)])
def test_what_is_shortened_says_which_budget_would_hold_all_of_it(
    make_rows: MakeTask, time: Time, budget: float, kept: float, minutes: int
) -> None:
    """Of five splits and a last training of a minute each five minutes hold 16 epochs of 20.

    With step one all of it needs six minutes and more, and two more where so many are kept for a test folder.
    """
    contest = Contest(make_rows(400), time, {TWO: 0.9}, seconds=60.0)
    clock = Clock(time, budget)
    clock.keep(kept)
    race = contest.race(clock)
    race.run([TWO])

    assert splits_of(race)[TWO] == 5
    note = f"16 of 20 epochs fit the budget; all would need a budget of about {minutes} min"
    assert race.measured[-1].outcome.note == note


def test_what_is_postponed_has_the_time_that_is_left(make_rows: MakeTask, time: Time) -> None:
    """Beside two blocks with all of theirs a whole network has no time for five splits: it gets one, in the end."""
    contest = Contest(make_rows(400), time, {TWO: 0.97, FULL: 0.97}, seconds=8.0)
    contest.expensive[FULL].seconds = 20.0
    race = race_of(contest, budget=61.0)

    assert contest.prepared == [TWO, FULL]
    assert (splits_of(race)[TWO], splits_of(race)[FULL]) == (5, 1)
    assert "Postponed: “everything”. Time does not hold 5 splits of everything." in race.story
    assert outcomes_of(race)[TWO].note == ""


def test_a_slow_probe_does_not_keep_the_cheap_ones_from_five_splits(make_rows: MakeTask, time: Time) -> None:
    """Its second split would be too late; what takes a moment goes on by itself, so that the head can be told."""
    contest = Contest(make_rows(400), time, {TWO: 0.9}, seconds=10.0)
    slow = replace(contest.cheap[0], outcome=Outcome(strategy=SVM_ON_LAST, description=""), seconds=20.0, ran=[])
    contest.cheap.insert(1, slow)
    race = race_of(contest, budget=100.0)

    splits = splits_of(race)

    assert splits.pop(SVM_ON_LAST) == 1
    assert all(number >= 5 for number in splits.values())
    assert any(
        sentence.startswith("Fewer splits than 5 so far: “linear, last layer (SVM)” (1)") for sentence in race.story
    )
    svm = race.measured[1].outcome
    assert (svm.status, svm.note) == ("shortened", "1 of 5 splits fit the budget")


def test_short_trainings_go_on_where_time_is_left(make_rows: MakeTask, time: Time) -> None:
    """A whole network took its share until it did not train: with its time two blocks go on to all of their epochs.

    Their record is that of the longer trainings, on the same splits, and what both parts took.
    """
    contest = Contest(make_rows(400), time, {TWO: 0.9, FULL: 0.9}, seconds=10.0)
    contest.expensive[FULL].fails_on = "split 0"
    race = race_of(contest, budget=81.0)
    first, longer = outcomes_of(race)[FULL], race.entry(TWO)
    ran = longer.strategy.ran  # type: ignore[union-attr]

    assert (first.status, splits_of(race)[FULL]) == ("left out", 0)
    assert first.note.startswith("did not train: its loss went 0.7, 0.9, above that of its start")
    assert [found for found in ran if found[1] < 20] == [(f"split {number}", 14) for number in range(5)]
    assert ran[5:10] == [(f"split {number}", 20) for number in range(5)]
    assert (longer.outcome.status, longer.outcome.note) == ("done", "")
    assert longer.outcome.cost.split_seconds[:5] == pytest.approx((10.0,) * 5)
    rows = np.concatenate([task.split(n).test for task in [contest.task] for n in range(5)])
    luck = np.concatenate([np.random.default_rng(contest.task.split(n).test).random(80) for n in range(5)])
    assert len(rows) == len(luck)
    right = np.concatenate([one.predictions for one in longer.measured.predicted[:5]]) == contest.task.labels[rows]
    assert (right == (luck < 0.9)).all()
    assert time.now + longer.refit_seconds <= 81.0
    assert [found.strategy for found in race.forecasts] == [TWO, FULL]


def test_steps_are_estimated_anew_when_trainings_went_on(make_rows: MakeTask, time: Time) -> None:
    """What was said of the shorter trainings is forgotten, also of the same splits."""
    contest = Contest(make_rows(400), time, {TWO: 0.9}, seconds=60.0)
    race = race_of(contest, budget=300.0)
    head, two = race.entry(HEAD), race.entry(TWO)
    before = race.comparisons.estimate(head.measured, two.measured)

    race.clock.keep(-1000.0)
    race._lengthen(Lengthen(strategy=TWO, epochs=20, phase=Phase(name="", strategies=(TWO,), to=5, clock="repeat")))
    after = race.comparisons.estimate(head.measured, two.measured)

    assert after.splits == before.splits
    assert after.difference > before.difference


def test_a_race_goes_on_with_the_epochs_that_it_had_decided_on(make_rows: MakeTask, time: Time, tmp_path: Path) -> None:
    """What an earlier life made, also of trainings that went on, is read back: nothing that trains runs again."""
    task = make_rows(400)

    def life() -> tuple[Contest, Race, float]:
        time.now = 0.0
        contest, clock = Contest(task, time, {TWO: 0.9, FULL: 0.9}, seconds=10.0), Clock(time, 81.0)
        contest.expensive[FULL].fails_on = "split 0"
        race = contest.race(clock, FileJournal(tmp_path / "journal", elapsed=clock.elapsed, turn_to=clock.turn_to))
        race.run([TWO, FULL])
        return contest, race, clock.elapsed()

    _, first, ended = life()
    contest, again, ended_again = life()

    assert [known.ran for known in contest.expensive.values()] == [[], []]
    assert splits_of(again) == splits_of(first)
    assert outcomes_of(again) == outcomes_of(first)
    assert ended_again == pytest.approx(ended)
    assert any(sentence == "“last 2 blocks” goes on to 20 epochs: time is left." for sentence in again.story)


def test_a_training_that_was_cut_down_too_far_is_not_repeated(make_rows: MakeTask, time: Time) -> None:
    """Five epochs of twenty: five splits of them would give an interval of another strategy than the wanted one."""
    contest = Contest(make_rows(400), time, {TWO: 0.9}, seconds=10.0)
    race = race_of(contest, budget=6.0)
    weak = outcomes_of(race)[TWO]

    assert splits_of(race)[TWO] == 1
    assert weak.status == "shortened"
    assert weak.note == (
        "5 of 20 epochs fit the budget; 1 of 5 splits fit the budget; all would need a budget of about 2 min"
    )


def test_what_does_not_train_is_left_out_with_what_it_gave_before(make_rows: MakeTask, time: Time) -> None:
    """Its third split fails: the two before say nothing either, and the others go on."""
    contest = Contest(make_rows(400), time, {ONE: 0.815, TWO: 0.9}, seconds=1.0)
    contest.expensive[TWO].fails_on = "split 2"
    race = race_of(contest, budget=1000.0)
    failed = race.entry(TWO)

    assert (failed.splits, failed.strategy, failed.outcome.status) == (0, None, "left out")
    assert failed.outcome.curve == (0.7, 0.9)
    assert any(sentence.startswith("Left out: “last 2 blocks”; did not train") for sentence in race.story)
    assert splits_of(race)[ONE] > 5


def test_an_interrupt_leaves_what_was_measured(make_rows: MakeTask, time: Time) -> None:
    """Ctrl-C in the third split of an expensive strategy: two splits of it are there, and all of the cheap ones."""
    contest = Contest(make_rows(400), time, {TWO: 0.9}, seconds=1.0)
    race = contest.race(Clock(time, 1000.0))
    contest.expensive[TWO].fails_on, contest.expensive[TWO].failure = "split 2", KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        race.run([TWO])

    assert splits_of(race) == {SOFTMAX_ON_LAST: 5, HEAD: 5, TWO: 2}
    stopped_at = race.measured[-1].outcome
    assert (stopped_at.status, stopped_at.note) == ("interrupted", "2 of 5 splits were finished")


def test_forecasts_say_what_was_expected_and_what_it_took(make_rows: MakeTask, time: Time) -> None:
    """Each strategy that was made ready has one in the record, in the order of trying."""
    contest = Contest(make_rows(400), time, {TWO: 0.97, FULL: 0.97}, seconds=1.0)
    contest.expensive[FULL].seconds = 2.0
    race = race_of(contest, budget=1000)

    assert [(found.strategy, found.status) for found in race.forecasts] == [(TWO, "done"), (FULL, "done")]
    assert [found.seconds for found in race.forecasts] == pytest.approx([5.0, 10.0])


def test_a_race_is_in_the_order_of_cost(make_rows: MakeTask, time: Time) -> None:
    """Whatever is tried or left out first, the record goes from the probe by the depths to the whole network."""
    contest = Contest(make_rows(400), time, {ONE: 0.85, TWO: 0.85, FOUR: 0.85, FULL: 0.9}, seconds=2.0)
    race = race_of(contest, budget=12.0)

    assert list(splits_of(race)) == [SOFTMAX_ON_LAST, HEAD, ONE, TWO, FOUR, FULL]


def test_the_race_and_the_record_share_their_estimates(make_rows: MakeTask, time: Time) -> None:
    """A step that the race asked about is the same estimate when it is asked for again after the race."""
    contest = Contest(make_rows(400), time, {ONE: 0.815}, seconds=1.0)
    race = race_of(contest, budget=1000)
    found = {measured.strategy: measured for measured in race.measured}

    estimate = race.comparisons.estimate(found[HEAD], found[ONE])

    assert estimate.splits == min(found[HEAD].splits, found[ONE].splits)
    assert race.comparisons.estimate(found[HEAD], found[ONE]) is estimate
