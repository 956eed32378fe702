"""Running a strategy on a split, and what is noted of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from unfreeze.core.plans import ProbeSettings
from unfreeze.core.progress import Advance
from unfreeze.core.records import Audit, Cost, Outcome
from unfreeze.core.strategies import HEAD
from unfreeze.core.trials import Trial
from unfreeze.data.tasks import Split, Task
from unfreeze.strategies.execution import outcome_on
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.measurement import Measurement, fit_everything, with_fit
from unfreeze.strategies.predictions import Measured
from unfreeze.strategies.strategy import Fit

MakeTask = Callable[..., Task]
MakeExperiment = Callable[..., Experiment]
GOOD = Audit(frozen_tensors=3, frozen_unchanged=True, codes_difference=0.0, codes_agree=True, optimizer_matches=True)
BAD = replace(GOOD, frozen_unchanged=False)
NOTHING = np.empty((0, 2), np.float32)


@dataclass(eq=False)
class Known:
    """A strategy that is always right, and says what it is told to."""

    task: Task
    work: int = 0
    refit_seconds: float = 0.0
    fit_with: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    asked: list[str] = field(default_factory=list)
    advances: list[Advance] = field(default_factory=list)
    training: None = None

    outcome = Outcome(strategy=HEAD, description="before")

    def fit(self, split: Split, *, advance: Advance) -> Fit:
        """Right on every test row."""
        self.asked.append(split.name)
        self.advances.append(advance)
        time.sleep(self.seconds)
        return Fit(scores=np.eye(2, dtype=np.float32)[self.task.labels[split.test]], **self.fit_with)


def measurement(strategy: Known) -> Measurement:
    """Nothing measured yet."""
    return Measurement(strategy, Measured(strategy.outcome))


def measure(found: Measurement, number: int) -> None:
    """Run its strategy on a split, and note what it gave."""
    known = found.strategy
    assert isinstance(known, Known)
    trial = Trial(strategy=HEAD, split=f"split {number}", seed=0)
    found.add(known.task, trial, outcome_on(known, known.task, trial.split))


def test_what_a_split_gave_and_took_is_noted(make_rows: MakeTask) -> None:
    """Predictions come in the order of the splits, and seconds of splits add up to the cost."""
    task = make_rows(50)
    found = measurement(Known(task, seconds=0.02))
    for number in range(2):
        measure(found, number)

    assert [one.split.name for one in found.measured.predicted] == ["split 0", "split 1"]
    assert all((one.values("accuracy", task) == 1).all() for one in found.measured.predicted)
    cost = found.outcome.cost
    assert len(cost.split_seconds) == found.splits == 2
    assert min(cost.split_seconds) >= 0.02
    assert cost.seconds == pytest.approx(sum(cost.split_seconds))
    assert found.seconds_a_split == pytest.approx(cost.seconds / 2)


def test_work_that_others_did_already_costs_what_it_took_them(make_rows: MakeTask) -> None:
    """A probe that is fitted beside others has its own part of the time, not the moment that asking for it takes."""
    task = make_rows(50)
    found = measurement(Known(task, fit_with={"shared_usage": (1.5, 2.25)}))
    measure(found, 0)

    assert found.outcome.cost.split_seconds == (1.5,)
    assert (found.outcome.cost.seconds, found.outcome.cost.cpu_seconds) == (1.5, 2.25)


def test_a_refit_of_what_trains_nothing_takes_one_core(make_rows: MakeTask) -> None:
    """Four processor seconds on a split, which has 80 % of the images, are five on all of them."""
    task = make_rows(50)
    found = measurement(Known(task, fit_with={"shared_usage": (1.0, 4.0)}))
    measure(found, 0)

    assert found.refit_seconds == pytest.approx(4.0 / 0.8)


@pytest.mark.parametrize(("own", "expected"), [(9.0, 9.0), (1.0, 5.0)])
def test_a_refit_of_a_training_is_its_forecast_or_what_splits_took(
    make_rows: MakeTask, own: float, expected: float
) -> None:
    """A forecast below what smaller splits took is not believed, and processor time of all cores does not count."""
    task = make_rows(50)
    found = measurement(Known(task, work=10, refit_seconds=own, fit_with={"shared_usage": (4.0, 40.0)}))
    measure(found, 0)

    assert found.refit_seconds == pytest.approx(expected)


def test_what_was_left_out_has_no_work() -> None:
    """It has a label and a reason, and forecasts nothing."""
    found = Measurement(None, Measured(Outcome(strategy=HEAD, description="", status="left out", note="no time")))

    assert (found.work, found.refit_seconds, found.splits, found.label) == (0, 0.0, 0, "head")


def test_another_record_keeps_the_predictions(make_rows: MakeTask) -> None:
    """What was noted of a strategy that is dropped does not lose what it gave."""
    task = make_rows(50)
    found = measurement(Known(task))
    measure(found, 0)
    found.note(replace(found.outcome, status="dropped", note="hopeless"))

    assert (found.outcome.status, found.splits) == ("dropped", 1)


def test_what_did_not_train_forgets_what_it_gave(make_rows: MakeTask) -> None:
    """It is left out with the reason and the losses that are numbers, cannot run any more, and what it cost stays."""
    found = measurement(Known(make_rows(50), work=3, refit_seconds=9.0, fit_with={"shared_usage": (1.5, 2.25)}))
    for number in range(2):
        measure(found, number)
    found.give_up("did not train", (0.7, 9.0, float("nan"), 1.0))

    assert (found.strategy, found.splits, found.work) == (None, 0, 0)
    assert (found.outcome.status, found.outcome.note) == ("left out", "did not train")
    assert found.outcome.curve == (0.7, 9.0)
    assert found.outcome.cost.split_seconds == (1.5, 1.5)


def test_a_longer_training_takes_the_place_of_what_it_went_on_from(make_rows: MakeTask) -> None:
    """Predictions, curve and record are the longer one's, and a split has taken both times together."""
    task = make_rows(50)
    before = measurement(Known(task, work=3, fit_with={"shared_usage": (4.0, 8.0), "curve": (0.9,)}))
    before.note(
        replace(before.outcome, status="shortened", note="3 of 5", cost=Cost(preparation_seconds=2.0, seconds=2.0))
    )
    for number in range(2):
        measure(before, number)
    longer = Known(task, work=5, fit_with={"shared_usage": (1.5, 3.0), "curve": (0.9, 0.5)})
    trials = [Trial(strategy=HEAD, split=f"split {number}", seed=0) for number in range(2)]
    found = [(trial, replace(outcome_on(longer, task, trial.split), predictions=(0,) * 10)) for trial in trials]
    before.lengthen(longer, task, found)

    assert before.strategy is longer
    assert before.outcome.status == "done"
    assert before.outcome.curve == (0.9, 0.5)
    assert [one.predictions.tolist() for one in before.measured.predicted] == [[0] * 10] * 2
    cost = before.outcome.cost
    assert cost.split_seconds == (5.5, 5.5)
    assert (cost.seconds, cost.cpu_seconds) == (2.0 + 2 * 5.5, 2 * 11.0)
    assert cost.preparation_seconds == 2.0


def test_a_failed_audit_is_never_overwritten() -> None:
    """A later fit that passed does not hide that one did not."""
    before = Outcome(strategy=HEAD, description="", audit=BAD)

    assert with_fit(before, Fit(scores=NOTHING, audit=GOOD)).audit == BAD
    assert with_fit(replace(before, audit=GOOD), Fit(scores=NOTHING, audit=BAD)).audit == BAD


def test_a_fit_says_only_what_it_knows() -> None:
    """Settings, tap and words of the record stay where a fit has none, and are replaced where it has."""
    settings = ProbeSettings(loss="softmax", C=0.1, Cs=(0.1,), cv_accuracy=0.9)
    before = Outcome(strategy=HEAD, description="before", tap="low", settings=settings)
    new = replace(settings, C=3.0)

    assert with_fit(before, Fit(scores=NOTHING)) == before
    after = with_fit(before, Fit(scores=NOTHING, settings=new, tap="high", description="after", curve=(0.5,)))
    assert (after.settings, after.tap, after.description, after.curve) == (new, "high", "after", (0.5,))


@pytest.mark.parametrize(
    ("work", "phase"), [(3, ("last layer, trained", 60, "image")), (0, ("last layer, trained", 1, "fit"))]
)
def test_the_last_training_is_counted_by_what_it_passes_over(
    make_experiment: MakeExperiment, heard: Any, work: int, phase: tuple[str, int, str]
) -> None:
    """Three epochs on twenty images are sixty, and what trains no network is one fit that reports nothing itself."""
    experiment = make_experiment(20, 4)
    strategy = Known(experiment.task, work=work, seconds=0.02)
    strategy.outcome = replace(strategy.outcome, cost=Cost(seconds=1.0, preparation_seconds=1.0))
    outcome, fit = fit_everything(experiment, strategy)

    assert strategy.asked == ["everything"]
    assert heard.phases[-1] == phase
    assert len(fit.scores) == 4
    assert outcome.cost.refit_seconds >= 0.02
    assert outcome.cost.seconds == pytest.approx(1.0 + outcome.cost.refit_seconds)
    assert (strategy.advances == [experiment.progress.checkpoint]) or work
