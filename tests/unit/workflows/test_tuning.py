"""One strategy alone: whatever step one holds is tuned, if it gives a model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from example_run import run_record
from unfreeze.core.errors import DidNotTrainError, InputError, PlanError
from unfreeze.core.events import Event, Said
from unfreeze.core.files import write_json
from unfreeze.core.plans import Arithmetic, TrainingSettings
from unfreeze.core.progress import Advance, Progress
from unfreeze.core.readouts import Readout
from unfreeze.core.records import Outcome
from unfreeze.core.settings import EngineSettings, ImageSettings, TuneSettings
from unfreeze.core.strategies import LINEAR_ON_ALL, SVM_ON_BEST, StrategyId, unfreeze
from unfreeze.data.tasks import Split
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import Request
from unfreeze.strategies.step_one import StepOne
from unfreeze.strategies.strategy import Fit
from unfreeze.training.processes import InProcesses
from unfreeze.workflows import tuning
from unfreeze.workflows.tuning import _check_shared, _pinned, _trainer_here, tuned
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import CPU, Device
from unfreeze.zoo.tap_classifier import TapClassifier

MakeExperiment = Callable[..., Experiment]
REQUEST = Request(allowance=60.0, splits=0)


@dataclass(frozen=True)
class Guesses:
    """A strategy of step one that learns nothing, and gives a model or none."""

    strategy: StrategyId
    model: TapClassifier | None
    work: int = 0
    refit_seconds: float = 0.0
    training: None = None

    @property
    def outcome(self) -> Outcome:
        """What it is."""
        return Outcome(strategy=self.strategy, description="guesses")

    def fit(self, split: Split, *, advance: Advance) -> Fit:
        """Nothing is learned."""
        return Fit(scores=np.zeros((len(split.test), 2), np.float32), model=self.model)


def with_step_one(monkeypatch: pytest.MonkeyPatch, *strategies: Guesses) -> None:
    """Let these be all of step one."""
    monkeypatch.setattr(tuning, "step_one", lambda experiment: (StepOne(experiment), list(strategies)))


def test_a_classifier_on_taps_is_tuned(make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The strategy of that name is fitted, and what its model takes stands in the record."""
    experiment = make_experiment(12)
    tap = experiment.source.taps[0]
    model = TapClassifier(
        backbone=experiment.source,
        readouts=(Readout(tap.name),),
        weight=np.zeros((2, tap.channels), np.float32),
        bias=np.zeros(2, np.float32),
    )
    with_step_one(monkeypatch, Guesses(SVM_ON_BEST, None), Guesses(LINEAR_ON_ALL, model))

    outcome, fit = tuned(experiment, LINEAR_ON_ALL, REQUEST)

    assert fit.model is model
    assert outcome.strategy == LINEAR_ON_ALL
    assert outcome.model_cost is not None
    assert outcome.model_cost.deepest_tap == tap.name


def test_what_gives_no_model_is_refused(make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strategy without a model, and one that there is not, are told in a sentence."""
    with_step_one(monkeypatch, Guesses(SVM_ON_BEST, None))

    for strategy, label in ((SVM_ON_BEST, "svm on the best tap"), (LINEAR_ON_ALL, "linear on all taps")):
        with pytest.raises(PlanError) as caught:
            tuned(make_experiment(12), strategy, REQUEST)
        assert str(caught.value) == f"The {label} gives no model on these images. Choose another strategy."


def test_a_block_is_tuned_for_the_epochs_that_were_asked_for(make_experiment: MakeExperiment) -> None:
    """Once, on everything, with the mean loss of each of them."""
    outcome, fit = tuned(make_experiment(12), unfreeze(1), REQUEST, epochs=2)

    assert (outcome.strategy, outcome.status) == (unfreeze(1), "done")
    assert isinstance(fit.settings, TrainingSettings)
    assert fit.settings.plan.epochs == 2
    assert len(fit.curve) == 2
    assert fit.audit is not None
    assert fit.audit.passed


def test_what_is_pinned_gives_the_same_bits(make_experiment: MakeExperiment) -> None:
    """Two trainings with layout and threads of another run are equal, also where the cache of the first is gone."""
    pinned = Arithmetic(layout="NCHW", precision="float32", threads=1)
    states = []
    for _ in range(2):
        outcome, fit = tuned(replace(make_experiment(12), pinned=pinned), unfreeze(1), REQUEST, epochs=2)
        assert isinstance(outcome.settings, TrainingSettings)
        assert outcome.settings.plan.arithmetic.layout == "NCHW"
        assert outcome.settings.timed[-1].arithmetic == pinned
        assert isinstance(fit.model, Backbone)
        states.append(fit.model.network.state_dict())

    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_a_run_tells_how_it_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads are those of a training alone, as the record has them last; what it did not train is said."""
    monkeypatch.setattr(Device, "computes_bfloat16", property(lambda _: True))
    record = run_record()
    done = next(one for one in record.strategies if isinstance(one.settings, TrainingSettings) and one.settings.timed)
    write_json(tmp_path / "run.json", record.to_json())

    assert isinstance(done.settings, TrainingSettings)
    assert _pinned(tmp_path, done.strategy, CPU) == done.settings.timed[-1].arithmetic
    assert _pinned(None, done.strategy, CPU) is None
    with pytest.raises(InputError, match=r"did not train .*\. Name a run that did, or leave --like out"):
        _pinned(tmp_path, unfreeze(97), CPU)


@pytest.mark.parametrize("allowance", [0.0, 1e-5])
def test_a_budget_that_holds_no_training_is_refused(make_experiment: MakeExperiment, allowance: float) -> None:
    """In a sentence that says what was needed, what there was, and what to do."""
    with pytest.raises(PlanError, match=r"^The budget is too small: .+\. Give a larger budget, or fewer epochs\.$"):
        tuned(make_experiment(12), unfreeze(1), Request(allowance=allowance, splits=0))


def test_a_training_whose_loss_rises_is_one_sentence(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the strategy, the losses and what to do; nothing is delivered that is worse than its start."""

    def rises(*_: object) -> None:
        raise DidNotTrainError((0.7, 12.3, 9.1))

    monkeypatch.setattr(tuning, "fit_everything", rises)
    with pytest.raises(PlanError) as caught:
        tuned(make_experiment(40), unfreeze(1), REQUEST, epochs=1)

    assert str(caught.value) == (
        "Unfreezing the last block did not train: its loss went 0.7, 12, 9.1, above that of its start, at an eighth of "
        "its rates too. Give more images or fewer classes, or leave this strategy out."
    )


def test_processes_share_a_training_of_blocks_alone() -> None:
    """What trains in seconds is not shared, nor what is to have the bits of a training that was not."""
    _check_shared(InProcesses(2), TuneSettings(strategy=2))
    with pytest.raises(PlanError, match="The head trains in one process, in seconds"):
        _check_shared(InProcesses(2), TuneSettings(strategy="head"))
    with pytest.raises(InputError, match="--like stands for the bits of a training in one process"):
        _check_shared(InProcesses(2), TuneSettings(strategy=2, like=Path("run")))


@pytest.mark.parametrize(("devices", "processes"), [(None, 1), (1, 1), (2, 2)])
def test_as_many_processes_train_as_were_asked_for(devices: int | None, processes: int, tmp_path: Path) -> None:
    """One needs no other; on a CPU two are not expected to be faster."""
    settings = ImageSettings(source=tmp_path, request=EngineSettings(device="cpu"))
    trainer = _trainer_here(settings, TuneSettings(strategy=1, devices=devices), Progress())

    assert (trainer.processes, trainer.speedup) == (processes, 1.0)


def test_more_processes_than_cores_are_told_to_be_slower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence; they train all the same."""
    monkeypatch.setattr(tuning, "usable_cores", lambda: 2)
    said: list[Event] = []
    settings = ImageSettings(source=tmp_path, request=EngineSettings(device="cpu"))

    assert _trainer_here(settings, TuneSettings(strategy=1, devices=3), Progress(said.append)).processes == 3
    assert [event.sentence for event in said if isinstance(event, Said)] == [
        "3 processes share 2 cores: that is slower than one process."
    ]
