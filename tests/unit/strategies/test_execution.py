"""Trials are carried out in their order, once each: what the journal knows is read back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unfreeze.core.errors import DidNotTrainError, StoppedError
from unfreeze.core.journal import NO_JOURNAL, FileJournal, Journal, MemoryJournal
from unfreeze.core.plans import Plan, ProbeSettings, Rule, TrainingSettings
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.records import Audit, DepthPoint, Outcome
from unfreeze.core.strategies import FULL, HEAD, SOFTMAX_ON_LAST, SVM_ON_LAST, StrategyId, unfreeze
from unfreeze.core.trials import Activations, Training, Trial, TrialOutcome
from unfreeze.data.tasks import Split, Task
from unfreeze.strategies.catalogue import LeftOut
from unfreeze.strategies.execution import InThisProcess, Keeping, outcome_on
from unfreeze.strategies.finetuning import Request
from unfreeze.strategies.strategy import Fit, Strategy

MakeTask = Callable[..., Task]
TWO = unfreeze(2)
PLAN = Plan(strategy=TWO, rules=(Rule(".*", 1e-3),), epochs=2)
TRAINING = Training(settings=TrainingSettings(plan=PLAN), activations=Activations(cut="layer3", remembered=True))
GOOD = Audit(frozen_tensors=3, frozen_unchanged=True, codes_difference=0.0, codes_agree=True, optimizer_matches=True)
POINT = DepthPoint(tap="layer1", width=64, loss="softmax", C=0.01, cv_accuracy=1 / 3, accuracy=2 / 3)


@dataclass(eq=False)
class Known:
    """A strategy whose scores depend on its name and on the split alone."""

    strategy: StrategyId
    task: Task
    log: list[str]
    work: int = 0
    refit_seconds: float = 0.0
    training: Training | None = None
    stops_on: str = ""
    fails_on: str = ""
    fit_with: dict[str, Any] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """Nothing measured."""
        return Outcome(strategy=self.strategy, description="")

    def fit(self, split: Split, *, advance: Advance) -> Fit:
        """Some scores; it passes over every image that learns, work times."""
        self.log.append(f"{self.strategy.key} on {split.name}")
        if split.name == self.stops_on:
            raise StoppedError
        if split.name == self.fails_on:
            raise DidNotTrainError((0.7, 0.9, 9.0))
        advance(len(split.learn) * max(1, self.work))
        rng = np.random.default_rng([len(self.strategy.key), *split.test])
        return Fit(scores=rng.normal(size=(len(split.test), 2)).astype(np.float32), **self.fit_with)


class Shelf:
    """Three cheap strategies and one that trains; notes what happens."""

    def __init__(self, task: Task) -> None:
        self.log: list[str] = []
        self.noted: list[tuple[str, TrialOutcome]] = []
        self.known = {one: Known(one, task, self.log) for one in (SOFTMAX_ON_LAST, SVM_ON_LAST, HEAD)}
        self.known[TWO] = Known(TWO, task, self.log, work=2, training=TRAINING)
        self.known[SOFTMAX_ON_LAST].fit_with = {
            "settings": ProbeSettings(loss="softmax", C=0.1 + 0.2, Cs=(0.1, 0.3), cv_accuracy=2 / 3),
            "tap": "layer4",
            "description": "softmax",
            "probes": (POINT,),
            "shared_usage": (1.5, 2.25),
        }
        self.known[SVM_ON_LAST].fit_with = {"probabilities": False}
        self.known[TWO].fit_with = {"settings": TRAINING.settings, "audit": GOOD, "curve": (0.7, 1 / 3)}

    def step_one(self) -> list[Strategy]:
        """The cheap ones."""
        return [one for one in self.known.values() if not one.work]

    def price(self, strategy: StrategyId, *, epochs: int | None, affordable: float) -> LeftOut:
        """Nobody asks."""
        raise AssertionError(strategy)

    def ready(self, strategy: StrategyId, request: Request) -> LeftOut:
        """Nobody asks."""
        raise AssertionError(strategy)

    def strategy(self, trial: Trial) -> Strategy:
        """The one of the trial."""
        return self.known[trial.strategy]

    def share(self, strategies: Sequence[Strategy], split: Split) -> None:
        """Nothing but a note."""
        self.log.append(f"share {', '.join(one.outcome.strategy.key for one in strategies)} on {split.name}")

    def take_note(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Nothing but a note."""
        self.noted.append((trial.name, outcome))


@pytest.fixture
def shelf(make_rows: MakeTask) -> Shelf:
    """On fifty images."""
    return Shelf(make_rows(50))


@pytest.fixture
def task(shelf: Shelf) -> Task:
    """Of the strategies on the shelf."""
    return shelf.known[HEAD].task


def trial(strategy: StrategyId, split: str = "split 0", seed: int = 0) -> Trial:
    """What trains has its training."""
    return Trial(strategy=strategy, split=split, seed=seed, training=TRAINING if strategy == TWO else None)


ALL_FOUR = tuple(map(trial, (SOFTMAX_ON_LAST, SVM_ON_LAST, HEAD, TWO)))


def on_disk(folder: Path) -> FileJournal:
    """A journal whose clock stands."""
    return FileJournal(folder / "journal", elapsed=lambda: 0.0, turn_to=lambda _: None)


def keeping(shelf: Shelf, task: Task, journal: Journal) -> Keeping:
    """In this process."""
    return Keeping(InThisProcess(shelf, task), shelf, journal)


def without_usage(outcome: TrialOutcome) -> TrialOutcome:
    """What equal trials have in common."""
    return replace(outcome, seconds=0.0, cpu_seconds=0.0, peak_bytes=0)


# --- in this process ------------------------------------------------------------------------------------------------


def test_trials_run_in_their_order_and_share_the_work_of_a_split_once(shelf: Shelf, task: Task) -> None:
    """What the strategies of a split need is done before the first of them, and each outcome is of its own trial."""
    trials = [trial(HEAD), trial(SVM_ON_LAST), trial(TWO, "split 1"), trial(HEAD, "everything")]
    outcomes = list(InThisProcess(shelf, task).outcomes(trials))

    assert shelf.log == [
        "share head, svm-last on split 0",
        "head on split 0",
        "svm-last on split 0",
        "share unfreeze-2 on split 1",
        "unfreeze-2 on split 1",
        "share head on everything",
        "head on everything",
    ]
    alone = [outcome_on(shelf.known[one.strategy], task, one.split) for one in trials]
    assert list(map(without_usage, outcomes)) == list(map(without_usage, alone))


def test_each_outcome_is_there_before_the_next_trial_begins(shelf: Shelf, task: Task) -> None:
    """Who takes one and stops has not waited for the others."""
    outcomes = InThisProcess(shelf, task).outcomes(ALL_FOUR)
    next(outcomes)

    assert shelf.log == ["share softmax-last, svm-last, head, unfreeze-2 on split 0", "softmax-last on split 0"]


def test_progress_is_counted_for_what_trains_alone(shelf: Shelf, task: Task) -> None:
    """Two passes over the learning side; a classifier in the same trials advances nothing."""
    advanced: list[int] = []
    list(InThisProcess(shelf, task).outcomes(ALL_FOUR, advance=advanced.append))

    assert advanced == [2 * len(task.split(0).learn)]


def test_no_trials_are_no_work(shelf: Shelf, task: Task) -> None:
    """Nothing is shared on no split."""
    assert list(InThisProcess(shelf, task).outcomes([])) == []
    assert shelf.log == []


def test_an_outcome_has_predictions_and_likelihoods_of_the_scores(shelf: Shelf, task: Task) -> None:
    """By hand: the larger of two scores, and the log of its class's share of the exponentials; an SVM has none."""
    split = task.split(0)
    scores = shelf.known[HEAD].fit(split, advance=ignore).scores.astype(np.float64)
    labels = task.labels[split.test]
    found, svm = (outcome_on(shelf.known[one], task, "split 0") for one in (HEAD, SVM_ON_LAST))
    expected = [row[label] - np.log(np.exp(row).sum()) for row, label in zip(scores, labels, strict=True)]

    assert found.predictions == tuple(int(row[1] > row[0]) for row in scores)
    assert found.log_likelihoods == pytest.approx(expected)
    assert svm.log_likelihoods is None


def test_a_training_that_did_not_train_is_an_outcome_and_the_others_go_on(shelf: Shelf, task: Task) -> None:
    """It has a reason and its curve in place of predictions, and it took time like any other."""
    shelf.known[TWO].fails_on = "split 0"
    failed, other = InThisProcess(shelf, task).outcomes([trial(TWO), trial(HEAD)])

    assert failed.failure.startswith("did not train: its loss went 0.7, 0.9, 9, above that of its start")
    assert (failed.predictions, failed.log_likelihoods, failed.curve) == ((), None, (0.7, 0.9, 9.0))
    assert failed.seconds >= 0
    assert other.failure == ""
    assert len(other.predictions) == len(task.split(0).test)


# --- once in the life of a run --------------------------------------------------------------------------------------


def test_a_failure_is_kept_like_any_outcome(shelf: Shelf, task: Task, tmp_path: Path) -> None:
    """The next life of the run does not try again what did not train."""
    shelf.known[TWO].fails_on = "split 0"
    (made,) = keeping(shelf, task, on_disk(tmp_path)).outcomes([trial(TWO)])
    again = Shelf(task)
    (back,) = keeping(again, task, on_disk(tmp_path)).outcomes([trial(TWO)])

    assert back == made
    assert again.log == []


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_what_the_journal_knows_is_read_back_equal_and_not_run_again(
    make_rows: MakeTask, tmp_path: Path, where: str
) -> None:
    """Another process, or another life of the run, has the same outcomes bit for bit, what they took included."""
    task = make_rows(50)
    first, second, memory = Shelf(task), Shelf(make_rows(50)), MemoryJournal({})

    def journal() -> Journal:
        return memory if where == "memory" else on_disk(tmp_path)

    made = list(keeping(first, task, journal()).outcomes(ALL_FOUR))
    advanced: list[int] = []
    back = list(keeping(second, task, journal()).outcomes(ALL_FOUR, advance=advanced.append))

    assert back == made
    assert [[x.hex() for x in one.log_likelihoods or ()] for one in back] == [
        [x.hex() for x in one.log_likelihoods or ()] for one in made
    ]
    assert second.log == advanced == []
    assert first.noted == []
    assert second.noted == [(one.name, outcome) for one, outcome in zip(ALL_FOUR, made, strict=True)]


def test_what_is_lacking_is_run_between_what_is_known(shelf: Shelf, task: Task) -> None:
    """Two of four are known: the others run, share their work without them, and all come in the order of trials."""
    journal = MemoryJournal({})
    known = list(keeping(Shelf(task), task, journal).outcomes([ALL_FOUR[0], ALL_FOUR[2]]))
    outcomes = list(keeping(shelf, task, journal).outcomes(ALL_FOUR))

    assert shelf.log == ["share svm-last, unfreeze-2 on split 0", "svm-last on split 0", "unfreeze-2 on split 0"]
    assert [outcomes[0], outcomes[2]] == known
    assert outcomes[1].log_likelihoods is None
    assert outcomes[3].audit == GOOD
    assert [name for name, _ in shelf.noted] == [ALL_FOUR[0].name, ALL_FOUR[2].name]
    assert all(journal.knows(one.name) for one in ALL_FOUR)


@pytest.mark.parametrize("changed", ["plan", "activations", "seed"])
def test_an_outcome_of_another_trial_of_that_name_is_made_anew(
    shelf: Shelf, task: Task, tmp_path: Path, changed: str
) -> None:
    """Kept with other epochs, other activations or another seed, it is not believed, and the new one replaces it."""
    plan = replace(TRAINING, settings=replace(TRAINING.settings, plan=replace(PLAN, epochs=3)))
    activations = replace(TRAINING, activations=replace(TRAINING.activations, remembered=False))
    mine = trial(TWO)
    other = {
        "plan": replace(mine, training=plan),
        "activations": replace(mine, training=activations),
        "seed": replace(mine, seed=1),
    }[changed]
    assert other.name == mine.name
    list(keeping(Shelf(task), task, on_disk(tmp_path)).outcomes([other]))

    for _ in range(2):
        list(keeping(shelf, task, on_disk(tmp_path)).outcomes([mine]))

    assert shelf.log == ["share unfreeze-2 on split 0", "unfreeze-2 on split 0"]
    assert [name for name, _ in shelf.noted] == [mine.name]


def test_a_stop_keeps_what_was_measured_before_it(shelf: Shelf, task: Task, tmp_path: Path) -> None:
    """Stopped in the third of four: two are kept, and the next life runs the other two."""
    shelf.known[HEAD].stops_on = "split 0"
    outcomes = keeping(shelf, task, on_disk(tmp_path)).outcomes(ALL_FOUR)
    made = [next(outcomes), next(outcomes)]
    with pytest.raises(StoppedError):
        next(outcomes)

    assert [on_disk(tmp_path).knows(one.name) for one in ALL_FOUR] == [True, True, False, False]
    again = Shelf(task)
    back = list(keeping(again, task, on_disk(tmp_path)).outcomes(ALL_FOUR))
    assert back[:2] == made
    assert again.log[1:] == ["head on split 0", "unfreeze-2 on split 0"]


def test_a_damaged_entry_is_run_again(shelf: Shelf, task: Task, tmp_path: Path) -> None:
    """Half of a file is none."""
    made = list(keeping(Shelf(task), task, on_disk(tmp_path)).outcomes([trial(HEAD)]))
    (file,) = (tmp_path / "journal").iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    back = list(keeping(shelf, task, on_disk(tmp_path)).outcomes([trial(HEAD)]))

    assert "head on split 0" in shelf.log
    assert list(map(without_usage, back)) == list(map(without_usage, made))


def test_only_the_first_splits_without_a_gap_count_as_recorded(shelf: Shelf, task: Task) -> None:
    """Splits 0, 1 and 3 are two; halves, everything and other strategies are none."""
    names = ["split 0", "split 1", "split 3", "split 2, half", "everything"]
    executor = keeping(shelf, task, MemoryJournal({}))
    list(executor.outcomes([trial(HEAD, name) for name in names]))
    list(executor.outcomes([trial(TWO, "split 1")]))

    assert executor.recorded(HEAD, None) == 2
    assert [executor.recorded(one, None) for one in (TWO, SVM_ON_LAST, FULL)] == [0, 0, 0]
    list(executor.outcomes([trial(HEAD, "split 2")]))
    assert executor.recorded(HEAD, None) == 4
    assert keeping(shelf, task, NO_JOURNAL).recorded(HEAD, None) == 0


def test_what_was_lengthened_is_recorded_on_its_own(shelf: Shelf, task: Task) -> None:
    """Three splits with the epochs that there was time for at first, and two of them with more."""
    executor = keeping(shelf, task, MemoryJournal({}))
    longer = replace(TRAINING, lengthened=1)
    trials = [trial(TWO, f"split {number}") for number in range(3)]
    list(executor.outcomes([*trials, *(replace(one, training=longer) for one in trials[:2])]))

    assert executor.recorded(TWO, TRAINING) == 3
    assert executor.recorded(TWO, longer) == 2
    assert executor.recorded(TWO, replace(TRAINING, lengthened=2)) == 0
