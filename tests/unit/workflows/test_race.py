"""The race, with strategies whose accuracy and cost are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from unfreeze.advisor.questions import Question
from unfreeze.core.progress import Advance, Silent
from unfreeze.core.records import Outcome
from unfreeze.data.tasks import Split, Task
from unfreeze.metrics.repeated import LOOKS
from unfreeze.strategies.catalogue import Depth
from unfreeze.strategies.finetuning import Forecast, Wish
from unfreeze.strategies.strategy import Fit, Strategy
from unfreeze.workflows.clock import Clock
from unfreeze.workflows.race import Race

MakeTask = Callable[..., Task]


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

    @property
    def refit_seconds(self) -> float:
        """As long as a split."""
        return self.seconds

    @property
    def expected(self) -> Forecast:
        """Of the five splits that are wished for, and of a training on everything."""
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
    """Two cheap strategies and as many dear ones as `chances` names; notes what each was allowed."""

    def __init__(self, task: Task, time: Time, chances: dict[Depth, float], *, seconds: float) -> None:
        def known(name: str, kind: str, chance: float, seconds: float, blocks: int | None = 0) -> Known:
            outcome = Outcome(name=name, kind=kind, trained="", blocks=blocks)
            return Known(outcome, chance, seconds, task, time)

        self.cheap = [known("softmax on the last codes", "probe", 0.8, 0.1), known("head", "head", 0.8, 0.1)]
        self.dear = {
            depth: known(f"unfreeze {depth}", "unfreeze", chance, seconds, depth if isinstance(depth, int) else None)
            for depth, chance in chances.items()
        }
        self.allowances: dict[Depth, float] = {}

    def step_one(self) -> list[Strategy]:
        """The cheap ones."""
        return list(self.cheap)

    def share(self, strategies: Sequence[Strategy], split: Split) -> None:
        """They have nothing in common."""

    def ready(self, depth: Depth, wish: Wish) -> Known | Outcome:
        """The strategy, if what it is forecast to take fits."""
        strategy, self.allowances[depth] = self.dear[depth], wish.allowance
        if wish.allowance < strategy.expected.seconds:
            return Outcome(name=f"unfreeze {depth}", kind="unfreeze", trained="", status="left out", note="too dear")
        return strategy


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """What `time.perf_counter` shows to the race and to the meter."""
    now = Time()
    monkeypatch.setattr("time.perf_counter", now)
    return now


def race_of(task: Task, contest: Contest, time: Time, *, budget: float) -> Race:
    """A race that has been run over all depths of the contest."""
    question = Question(task=task, metric="accuracy", margin=0.01, seed=0)
    race = Race(question, contest, Clock(budget, time.now), Silent())
    race.run(list(contest.dear))
    return race


def splits_of(race: Race) -> dict[str, int]:
    """On how many splits each strategy was measured."""
    return {m.name: m.splits for m in race.measured}


def test_every_strategy_runs_on_the_same_first_splits(make_rows: MakeTask, time: Time) -> None:
    """With time enough the numbers of splits are those of the looks, and the splits are common to all."""
    contest = Contest(make_rows(400), time, {1: 0.82, 2: 0.81}, seconds=1.0)
    race = race_of(contest.cheap[0].task, contest, time, budget=1000)

    assert set(splits_of(race).values()) <= set(LOOKS)
    for strategy in [*contest.cheap, *contest.dear.values()]:
        assert strategy.ran == [f"split {number}" for number in range(len(strategy.ran))]


def test_a_clear_difference_is_not_repeated(make_rows: MakeTask, time: Time) -> None:
    """From 80 % to 97 % five splits of four hundred images are enough, and the rest of the budget is left alone."""
    contest = Contest(make_rows(400), time, {2: 0.97}, seconds=1.0)
    race = race_of(contest.cheap[0].task, contest, time, budget=1000)

    assert splits_of(race)["unfreeze 2"] == 5
    assert "nothing is open" in race.story[-1]


def test_a_hopeless_strategy_is_dropped_and_the_rest_goes_on(make_rows: MakeTask, time: Time) -> None:
    """A depth that costs thirty points is not repeated, while an open question beside it is."""
    contest = Contest(make_rows(400), time, {1: 0.815, 2: 0.5}, seconds=1.0)
    race = race_of(contest.cheap[0].task, contest, time, budget=1000)
    status = {m.name: m.outcome.status for m in race.measured}

    assert status["unfreeze 2"] == "dropped"
    assert splits_of(race)["unfreeze 2"] == 5
    assert splits_of(race)["unfreeze 1"] > 5


def test_the_head_is_never_dropped(make_rows: MakeTask, time: Time) -> None:
    """However far behind it is: whether step one is enough is asked of it, on as many splits as of the others."""
    contest = Contest(make_rows(400), time, {1: 0.97, 2: 0.975}, seconds=1.0)
    race = race_of(contest.cheap[0].task, contest, time, budget=1000)

    assert {m.name: m.outcome.status for m in race.measured}["head"] == "done"


def test_the_budget_is_kept_with_room_for_the_last_training(make_rows: MakeTask, time: Time) -> None:
    """Whatever is tried, time is left to train the dearest strategy once more, within 1.2 times the budget."""
    for budget in (20.0, 60.0, 150.0, 500.0):
        time.now = 0.0
        contest = Contest(make_rows(400), time, {1: 0.81, 2: 0.82, 4: 0.82}, seconds=5.0)
        race = race_of(contest.cheap[0].task, contest, time, budget=budget)
        ran = max(m.refit_seconds for m in race.measured)

        assert time.now + ran <= 1.2 * budget


def test_what_does_not_fit_is_left_out_with_its_reason(make_rows: MakeTask, time: Time) -> None:
    """The story and the record both say why."""
    contest = Contest(make_rows(400), time, {2: 0.9}, seconds=100.0)
    race = race_of(contest.cheap[0].task, contest, time, budget=60)
    left_out = race.measured[-1].outcome

    assert (left_out.status, left_out.note) == ("left out", "too dear")
    assert any("too dear" in sentence for sentence in race.story)


def test_a_dear_strategy_that_is_slower_than_forecast_keeps_the_splits_that_it_had(
    make_rows: MakeTask, time: Time
) -> None:
    """Fewer than five splits: it is shortened, and the story says that there are no probabilities."""
    contest = Contest(make_rows(400), time, {2: 0.9}, seconds=2.0)
    contest.dear[2].seconds = 2.0
    race = Race(
        Question(task=contest.cheap[0].task, metric="accuracy", margin=0.01, seed=0),
        contest,
        Clock(14.0, time.now),
        Silent(),
    )
    ready = contest.ready

    def slow(depth: Depth, wish: Wish) -> Known | Outcome:
        strategy = ready(depth, wish)
        if isinstance(strategy, Known):
            strategy.seconds = 4.0
        return strategy

    contest.ready = slow  # type: ignore[method-assign]
    race.run([2])
    dear = race.measured[-1]

    assert 1 <= dear.splits < 5
    assert dear.outcome.status == "shortened"
    assert any("no probabilities" in sentence for sentence in race.story)


def test_what_is_shortened_says_which_budget_would_hold_all_of_it(make_rows: MakeTask, time: Time) -> None:
    """Two of five splits of a minute each: with step one and the last training all of it needs six minutes and more."""
    contest = Contest(make_rows(400), time, {2: 0.9}, seconds=60.0)
    contest.dear[2].splits = 2
    race = race_of(contest.cheap[0].task, contest, time, budget=300.0)

    assert splits_of(race)["unfreeze 2"] == 2
    assert race.measured[-1].outcome.note == "2 of 5 splits fit the budget; all of it would fit into about 7m"


def test_time_kept_for_a_test_folder_counts_in_the_budget_that_would_do(make_rows: MakeTask, time: Time) -> None:
    """As above, with two minutes more that the race may not use: nine minutes and not seven."""
    contest = Contest(make_rows(400), time, {2: 0.9}, seconds=60.0)
    contest.dear[2].splits = 2
    question = Question(task=contest.cheap[0].task, metric="accuracy", margin=0.01, seed=0)
    race = Race(question, contest, Clock(420.0, time.now).keeping(120.0), Silent())
    race.run([2])

    assert race.clock.left() <= 300.0
    assert race.measured[-1].outcome.note == "2 of 5 splits fit the budget; all of it would fit into about 9m"


@pytest.mark.parametrize(
    ("seconds_an_image", "tried"),
    [(2.0, {"unfreeze 1", "unfreeze 2", "unfreeze 4"}), (0.5, {"unfreeze 2", "unfreeze 4"})],
)
def test_the_shorter_the_time_the_fewer_depths(
    make_rows: MakeTask, time: Time, seconds_an_image: float, tried: set[str]
) -> None:
    """What is not tried says how little time was left; all stand in the order of their depth."""
    contest = Contest(make_rows(400), time, {1: 0.85, 2: 0.85, 4: 0.85}, seconds=1.0)
    race = race_of(contest.cheap[0].task, contest, time, budget=400 * seconds_an_image + 2)
    dear = {m.name: m for m in race.measured if m.outcome.kind == "unfreeze"}

    assert list(dear) == ["unfreeze 1", "unfreeze 2", "unfreeze 4"]
    assert {name for name, m in dear.items() if m.splits} == tried
    assert all(f"{seconds_an_image:.1f} s an image" in dear[name].outcome.note for name in dear.keys() - tried)


def test_a_slow_probe_does_not_keep_the_cheap_ones_from_five_splits(make_rows: MakeTask, time: Time) -> None:
    """Its second split would be too late; what takes a moment goes on by itself, so that the head can be told."""
    contest = Contest(make_rows(400), time, {2: 0.9}, seconds=10.0)
    slow = replace(contest.cheap[0], outcome=Outcome(name="svm", kind="probe", trained=""), seconds=20.0, ran=[])
    contest.cheap.insert(1, slow)
    race = race_of(contest.cheap[0].task, contest, time, budget=100.0)

    splits = splits_of(race)

    assert splits.pop("svm") == 1
    assert all(number >= 5 for number in splits.values())
    assert any(sentence.startswith("Fewer splits than 5 so far: svm (1)") for sentence in race.story)
    svm = race.measured[1].outcome
    assert (svm.status, svm.note) == ("shortened", "1 of 5 splits fit the budget")


def test_what_has_few_splits_gets_more_once_all_have_been_tried(make_rows: MakeTask, time: Time) -> None:
    """Two splits fitted its share; another depth was too dear, and with its time two become five."""
    contest = Contest(make_rows(400), time, {2: 0.9, "all": 0.9}, seconds=10.0)
    contest.dear[2].splits, contest.dear["all"].seconds = 2, 1000.0
    race = race_of(contest.cheap[0].task, contest, time, budget=100.0)
    completed = next(m.outcome for m in race.measured if m.name == "unfreeze 2")

    assert splits_of(race)["unfreeze 2"] == 5
    assert (completed.status, completed.note) == ("done", "")


@pytest.mark.parametrize(("seconds", "tried"), [(3.0, {"unfreeze 2", "unfreeze 4"}), (6.0, {"unfreeze 2"})])
def test_where_time_is_short_the_second_depth_comes_first(
    make_rows: MakeTask, time: Time, seconds: float, tried: set[str]
) -> None:
    """A tenth of a second an image: two blocks get five splits, four blocks what is left if it holds a split."""
    contest = Contest(make_rows(400), time, {1: 0.85, 2: 0.85, 4: 0.85}, seconds=seconds)
    contest.dear[4].splits = 1
    race = race_of(contest.cheap[0].task, contest, time, budget=42.0)
    dear = {m.name: m for m in race.measured if m.outcome.kind == "unfreeze"}

    assert list(dear) == ["unfreeze 1", "unfreeze 2", "unfreeze 4"]
    assert {name for name, m in dear.items() if m.splits} == tried
    assert dear["unfreeze 2"].splits >= 5
    assert all("s an image are left" in dear[name].outcome.note for name in dear.keys() - tried)


def test_the_whole_network_keeps_its_share_where_time_is_short(make_rows: MakeTask, time: Time) -> None:
    """Four blocks do not take what a whole network that fits was to get; without room for all of them they are out."""
    contest = Contest(make_rows(400), time, {1: 0.85, 2: 0.85, 4: 0.85, "all": 0.9}, seconds=1.0)
    contest.dear["all"].seconds = 4.0
    race = race_of(contest.cheap[0].task, contest, time, budget=44.0)

    assert contest.allowances[2] == pytest.approx(43 / 3)
    assert contest.allowances[4] == pytest.approx((43 - 5) / 3)
    assert splits_of(race)["unfreeze all"] >= 5

    time.now = 0.0
    short = Contest(contest.cheap[0].task, time, {1: 0.85, 2: 0.85, 4: 0.85, "all": 0.9}, seconds=2.0)
    race = race_of(contest.cheap[0].task, short, time, budget=42.0)

    assert 4 not in short.allowances
    assert short.allowances["all"] == pytest.approx(42 - 1 - 10)


def test_a_training_that_was_cut_down_too_far_is_not_repeated(make_rows: MakeTask, time: Time) -> None:
    """Time is left, but five splits of a few epochs would give an interval of another strategy than the wanted one."""
    contest = Contest(make_rows(400), time, {2: 0.9, "all": 0.9}, seconds=10.0)
    contest.dear[2].splits, contest.dear[2].repeatable, contest.dear["all"].seconds = 1, False, 1000.0
    race = race_of(contest.cheap[0].task, contest, time, budget=100.0)
    weak = next(m.outcome for m in race.measured if m.name == "unfreeze 2")

    assert splits_of(race)["unfreeze 2"] == 1
    assert weak.status == "shortened"


def test_an_interrupt_leaves_what_was_measured(make_rows: MakeTask, time: Time) -> None:
    """Ctrl-C in the third split of a dear strategy: two splits of it are there, and all of the cheap ones."""
    contest = Contest(make_rows(400), time, {2: 0.9}, seconds=1.0)
    race = Race(
        Question(task=contest.cheap[0].task, metric="accuracy", margin=0.01, seed=0),
        contest,
        Clock(1000.0, time.now),
        Silent(),
    )
    fit = contest.dear[2].fit

    def stopped(split: Split, *, advance: Advance) -> Fit:
        if split.name == "split 2":
            raise KeyboardInterrupt
        return fit(split, advance=advance)

    contest.dear[2].fit = stopped  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        race.run([2])

    assert splits_of(race) == {"softmax on the last codes": 5, "head": 5, "unfreeze 2": 2}
    stopped_at = race.measured[-1].outcome
    assert (stopped_at.status, stopped_at.note) == ("interrupted", "2 of 5 splits were finished")


def test_time_is_not_kept_for_a_whole_network_that_will_not_fit(make_rows: MakeTask, time: Time) -> None:
    """Where time is short and the whole network too dear for its share, two blocks get all of the time."""
    contest = Contest(make_rows(400), time, {2: 0.9, "all": 0.9}, seconds=5.0)
    contest.dear["all"].seconds = 100.0
    race = race_of(contest.cheap[0].task, contest, time, budget=61.0)

    assert contest.allowances[2] == pytest.approx(60.0)
    assert {m.name: m.outcome.status for m in race.measured}["unfreeze all"] == "left out"
    assert splits_of(race)["unfreeze 2"] >= 5
