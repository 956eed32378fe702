"""Sub-samples of a split, and the curves that are measured on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from unfreeze.core.errors import DidNotTrainError
from unfreeze.core.progress import Advance
from unfreeze.core.records import LearningCurves, Outcome
from unfreeze.core.strategies import StrategyId, unfreeze
from unfreeze.core.trials import Trial, TrialOutcome
from unfreeze.data.squares import Squares
from unfreeze.data.tasks import Split, Task
from unfreeze.features.extraction import Codes
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.catalogue import LeftOut
from unfreeze.strategies.execution import InThisProcess
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import Request
from unfreeze.strategies.learning_curve import halves, learning_curves
from unfreeze.strategies.measurement import Measurement
from unfreeze.strategies.predictions import Measured
from unfreeze.strategies.step_one import ProbeStrategy, StepOne
from unfreeze.strategies.strategy import Fit, Strategy
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.devices import CPU

MakeTask = Callable[..., Task]


@pytest.mark.parametrize("group_size", [1, 3])
def test_halves_are_nested_stratified_and_of_whole_groups(make_rows: MakeTask, group_size: int) -> None:
    """Each part lies in the one before with half of every class and no group cut; all test on the same images."""
    groups = None if group_size == 1 else [f"{row % 2}{row // 2 // group_size}" for row in range(240)]
    task = make_rows(240, groups=groups)
    for number in range(5):
        whole = task.split(number)
        parts = halves(task, whole, 3)
        assert len(parts) == 3
        for outer, inner in zip([whole, *parts], parts, strict=False):
            assert set(inner.learn) < set(outer.learn)
            assert list(inner.test) == list(whole.test)
            counts = [np.bincount(task.labels[part.learn]) for part in (outer, inner)]
            assert np.abs(counts[0] / 2 - counts[1]).max() <= group_size
            rest = np.setdiff1d(outer.learn, inner.learn)
            assert not set(task.units[inner.learn]) & set(task.units[rest])
            assert all(set(select) | set(learn) == set(inner.learn) for learn, select in inner.folds)


@pytest.mark.parametrize(("images", "parts"), [(160, 3), (20, 2), (12, 1), (6, 0)])
def test_halves_end_where_a_class_would_keep_one_image(make_rows: MakeTask, images: int, parts: int) -> None:
    """Of two classes with 64, 8, 4 or 5, and 2 or 3 training images each."""
    task = make_rows(images)

    assert len(halves(task, task.split(0), 3)) == parts


def test_halves_end_where_one_group_would_be_left(make_rows: MakeTask) -> None:
    """With half of the images in one group, a half may be that group alone, which has no folds to choose C on."""
    groups = [name for name, size in (("a", 100), ("b", 40), ("c", 40), ("d", 20)) for _ in range(size)]
    task = make_rows(200, groups=groups)
    for number in range(20):
        for part in halves(task, task.split(number), 3):
            assert len(np.unique(task.units[part.learn])) >= 2


@dataclass(frozen=True)
class Known:
    """A fine-tuning that is right on a known share of the test images, by number of training images."""

    task: Task
    chance: Callable[[int], float]
    fewest: int = 0  # images that it trains on
    work: int = 1
    refit_seconds: float = 0.0
    training: None = None

    @property
    def outcome(self) -> Outcome:
        """What it is."""
        return Outcome(strategy=unfreeze(2), description="")

    def fit(self, split: Split, *, advance: Advance) -> Fit:
        """The same images are hard at every size."""
        if len(split.learn) < self.fewest:
            raise DidNotTrainError((0.7, 9.0))
        luck = np.random.default_rng(split.test).permutation(len(split.test)) / len(split.test)
        truth = self.task.labels[split.test]
        said = np.where(luck < self.chance(len(split.learn)), truth, 1 - truth)
        return Fit(scores=np.eye(2, dtype=np.float32)[said])


@dataclass
class Both:
    """The strategies by name."""

    strategies: Mapping[StrategyId, Strategy]

    def step_one(self) -> list[Strategy]:
        """Not asked for."""
        return []

    def price(self, strategy: StrategyId, *, epochs: int | None, affordable: float) -> LeftOut:
        """Not asked for."""
        return LeftOut(Outcome(strategy=strategy, description=""))

    def ready(self, strategy: StrategyId, request: Request) -> LeftOut:
        """Not asked for."""
        return LeftOut(Outcome(strategy=strategy, description=""))

    def strategy(self, trial: Trial) -> Strategy:
        """Of a trial."""
        return self.strategies[trial.strategy]

    def share(self, strategies: Sequence[Strategy], split: Split) -> None:
        """They have nothing in common."""

    def take_note(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Nothing is carried out elsewhere."""


@pytest.fixture
def shared(make_rows: MakeTask) -> StepOne:
    """Codes of two classes that lie near each other."""
    task, source = make_rows(400), load_backbone("mobilenetv3_small_050", pretrained=False, size=32)
    codes = np.random.default_rng(0).normal(size=(400, source.card.num_features)).astype(np.float32)
    codes[:, :20] += 0.6 * task.labels[:, None]
    names = tuple(image.name for image in task.image_set.images)
    experiment = Experiment(
        task=task,
        source=source,
        codes=Codes(names=names, by_tap={source.taps[-1].name: codes}, computed=0, reused=400),
        squares=Squares((), source.card, DecoderPool()),
        seed=0,
        device=CPU,
        resources=Resources(pool=DecoderPool()),
    )
    return StepOne(experiment)


def curves(
    shared: StepOne,
    chance: Callable[[int], float],
    *,
    probe_seconds: float = 1e9,
    seconds: float = 1e9,
    fewest: int = 0,
) -> LearningCurves | None:
    """Of the softmax probe and a fine-tuning whose chances are known, after five splits."""
    task = shared.experiment.task
    strategies = {
        one.outcome.strategy: one for one in (ProbeStrategy(shared, "softmax", last=True), Known(task, chance, fewest))
    }
    executor = InThisProcess(Both(strategies), task)
    measured = [Measurement(strategy, Measured(strategy.outcome)) for strategy in strategies.values()]
    for one in measured:
        trials = [Trial(strategy=one.outcome.strategy, split=f"split {number}", seed=0) for number in range(5)]
        for trial, outcome in zip(trials, executor.outcomes(trials), strict=True):
            one.add(task, trial, outcome)
    return learning_curves(shared, measured, executor, metric="accuracy", probe_seconds=probe_seconds, seconds=seconds)


def test_the_probe_learns_more_from_more_images(shared: StepOne) -> None:
    """Scores rise from an eighth to the whole, which is the mean of the splits; bands hold what they belong to."""
    found = curves(shared, lambda images: 0.5)
    task = shared.experiment.task
    splits = [task.split(number) for number in range(5)]

    assert found is not None
    probe = found.probe
    assert probe.sizes == (40, 80, 160, 320)
    assert probe.ahead == (640, 1280)
    assert probe.scores[-1] > probe.scores[0]
    probes = [shared.on_last(split, "softmax") for split in splits]
    right = [
        (probe.test_scores.argmax(axis=1) == task.labels[split.test]).mean()
        for probe, split in zip(probes, splits, strict=True)
    ]
    assert probe.scores[-1] == pytest.approx(np.mean(right))
    for value, ends in zip([*probe.scores, *probe.expected], [*probe.bands, *probe.expected_bands], strict=True):
        assert ends.low <= value <= ends.high


@pytest.mark.parametrize(
    ("chance", "answer"),
    [
        (lambda images: 0.98, "already ahead"),
        (lambda images: 0.5, "not within"),
        (lambda images: 1.0 - 4.2 * images**-0.5, "cannot tell"),
    ],
)
def test_fine_tuning_overtakes_where_its_chances_say(
    shared: StepOne, chance: Callable[[int], float], answer: str
) -> None:
    """Far ahead, far behind, and level at the training size of a split."""
    found = curves(shared, chance)

    assert found is not None
    assert found.fine_tuning is not None
    assert found.fine_tuning.sizes == (80, 160, 320)
    assert found.overtakes == answer


def test_fine_tuning_that_does_not_train_on_fewer_images_has_its_whole_splits(shared: StepOne) -> None:
    """Its loss rose on the smallest parts: there is no curve of it, and the run goes on with that of the probe."""
    found = curves(shared, lambda images: 0.98, fewest=100)

    assert found is not None
    assert found.fine_tuning is not None
    assert found.fine_tuning.sizes == (320,)
    assert found.note == "time or images did not suffice to train unfreeze 2 on fewer images"
    assert found.overtakes == "already ahead"


@pytest.mark.slow
def test_without_time_fine_tuning_has_its_whole_splits(shared: StepOne) -> None:
    """One size, no law, and the reason, but it may be ahead there; without time for the probe there is no curve."""
    found = curves(shared, lambda images: 0.8, seconds=-1.0)
    ahead = curves(shared, lambda images: 1.0, seconds=-1.0)

    assert found is not None
    assert found.fine_tuning is not None
    assert found.fine_tuning.sizes == (320,)
    assert found.fine_tuning.expected == ()
    assert (found.overtakes, found.between) == ("cannot tell", None)
    assert "did not suffice" in found.note
    assert ahead is not None
    assert ahead.overtakes == "already ahead"
    assert curves(shared, lambda images: 0.8, probe_seconds=-1.0) is None
