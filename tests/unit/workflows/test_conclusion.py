"""What comes after a race, with strategies that predict what we say and a delivery that only says so."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from example_run import CARD, FINDINGS, LEARNING, NO_RULE
from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.questions import Question, pairs
from unfreeze.advisor.verdict import verdict
from unfreeze.core.errors import DidNotTrainError, DiskFullError
from unfreeze.core.facts import Similarity
from unfreeze.core.findings import finding
from unfreeze.core.photo_checks import LabelCheck, PhotoCheck, Suspect
from unfreeze.core.progress import SILENT, Advance
from unfreeze.core.records import CodeCounts, Cost, Outcome
from unfreeze.core.run_folder import owned_run
from unfreeze.core.run_record import RunRecord, read_run
from unfreeze.core.seeing import CodeMap, Looks
from unfreeze.core.settings import StudySettings
from unfreeze.core.strategies import FULL, HEAD, SOFTMAX_ON_BEST, SOFTMAX_ON_LAST, StrategyId, unfreeze
from unfreeze.data.tasks import Split, Task
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.catalogue import PhotoCatalogue
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.measurement import Measurement
from unfreeze.strategies.predictions import Measured, predicted_of
from unfreeze.strategies.step_one import StepOne
from unfreeze.strategies.strategy import Fit
from unfreeze.workflows import conclusion
from unfreeze.workflows.clock import Clock
from unfreeze.workflows.conclusion import SOON, Raced, conclude
from unfreeze.workflows.confirmation import confirmed
from unfreeze.workflows.race import Race
from unfreeze.workflows.resizing import Resizing
from unfreeze.workflows.setup import Setup

MakeTask = Callable[..., Task]
Conclude = Callable[..., RunRecord]
TWO, FOUR = unfreeze(2), unfreeze(4)
CHECK = PhotoCheck(
    findings=(finding("UF125", "1 label of 100 looks wrong.", images=("0007",)),),
    labels=LabelCheck(
        judged=100, classifiers=2, suspects=(Suspect(image="0007", given=1, called=0, probability=0.01, agree=1.0),)
    ),
    note="There was no time to look for shortcuts.",
)
SETTINGS = StudySettings(source=Path("/photos"), budget_seconds=1000.0, seed=3)


@dataclass(frozen=True)
class Known:
    """A strategy that is wrong on given rows; trains for so many seconds, if it is believed."""

    outcome: Outcome
    task: Task
    wrong: Sequence[int] = ()
    refit_seconds: float = 1.0
    work: int = 1
    training: None = None

    def fit(self, split: Split, *, advance: Advance) -> Fit:
        """Says the truth but for the rows that are wrong."""
        advance(self.work * len(split.learn))
        truth = self.task.labels[split.test]
        said = np.where(np.isin(split.test, self.wrong), 1 - truth, truth)
        return Fit(scores=5 * np.eye(2, dtype=np.float32)[said])


def entry(
    strategy: StrategyId,
    task: Task,
    wrong: Sequence[int] = (),
    *,
    splits: int = 5,
    refit_seconds: float = 1.0,
) -> Measurement:
    """A strategy that was measured on its splits."""
    cost = Cost(seconds=0.5 * splits, split_seconds=(0.5,) * splits, cpu_seconds=0.5 * splits)
    outcome = Outcome(strategy=strategy, description=strategy.in_words, cost=cost)
    known = Known(outcome, task, wrong, refit_seconds, work=int(strategy.trains_blocks))
    found = tuple(
        predicted_of(known.fit(split, advance=lambda _: None).scores, task, split)
        for split in map(task.split, range(splits))
    )
    return Measurement(known, Measured(outcome, found))


def left_out(strategy: StrategyId) -> Measurement:
    """A strategy that did not fit."""
    return Measurement(None, Measured(Outcome(strategy=strategy, description="", status="left out", note="no time")))


def raced(task: Task, *entries: Measurement, interrupted: bool = False, budget: float = 1000.0) -> Raced:
    """What a race of these strategies gave, of which 100 seconds have passed by a clock that stands."""
    codes = Mock(computed=30, reused=70, by_tap={"last": np.zeros((len(task.labels), 4), np.float32)})
    experiment = Mock(spec=Experiment, task=task, source=Mock(card=CARD), codes=codes, progress=SILENT, seed=0)
    shared = Mock(spec=StepOne)
    shared.depth_curve.return_value = ()
    catalogue = Mock(spec=PhotoCatalogue, experiment=experiment, shared=shared)
    question = Question(task=task, metric="accuracy", margin=0.01, seed=0)
    setup = Mock(
        spec=Setup,
        catalogue=catalogue,
        experiment=experiment,
        question=question,
        metric_because="As asked.",
        screening=(),
        resizing=Resizing(resize="crop"),
    )
    clock = Clock(lambda: 100.0, budget)
    clock.turn_to(100.0)
    race = Race(Comparisons(question), catalogue, clock, SILENT, entered=list(entries))
    race.say("It was run.")
    return Raced(
        race=race,
        setup=setup,
        similarity=Similarity(value=None, because="no BatchNorm"),
        prediction=NO_RULE.prediction,
        findings=FINDINGS,
        interrupted=interrupted,
    )


@pytest.fixture
def task(make_rows: MakeTask) -> Task:
    """A hundred rows, of which each split tests on twenty."""
    return make_rows(100)


@pytest.fixture
def curves(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What stands for the learning curves: there are none."""
    fake = Mock(return_value=None)
    monkeypatch.setattr(conclusion, "learning_curves", fake)
    return fake


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What stands for the program of a model: it is written, and lacks nothing."""

    def written(folder: Path) -> str:
        (folder / "model.pt2").write_bytes(b"program")
        return ""

    fake = Mock(side_effect=written)
    monkeypatch.setattr(conclusion, "add_program", fake)
    return fake


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What stands for the map of codes."""
    fake = Mock(return_value=CodeMap(codes="the last codes", note="Nobody drew it."))
    monkeypatch.setattr(conclusion, "code_map", fake)
    return fake


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What stands for the check of the photos: one label looks wrong."""
    fake = Mock(return_value=CHECK)
    monkeypatch.setattr(conclusion, "check_photos", fake)
    return fake


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What stands for what the model learns of its photos."""
    fake = Mock(return_value=None)
    monkeypatch.setattr(conclusion, "add_unlike_of", fake)
    return fake


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What stands for where the model looks."""
    fake = Mock(return_value=Looks(photos="held out", note="Nobody asked."))
    monkeypatch.setattr(conclusion, "looks", fake)
    return fake


@pytest.fixture
def deliver(monkeypatch: pytest.MonkeyPatch, curves: Mock, program: Mock, mapped: Mock, looked: Mock) -> Mock:
    """What stands for the delivery: a folder with one file, and the outcome with the time of a training."""

    def delivered(
        experiment: Experiment,
        picked: Measurement,
        because: str,
        folder: Path,
        *,
        pool: DecoderPool,
        confirm: bool,
        margin: float,
        warnings: Sequence[str],
    ) -> Outcome:
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"weights")
        outcome = picked.measured.record(experiment.task)
        return replace(outcome, cost=replace(outcome.cost, refit_seconds=7.0))

    fake = Mock(side_effect=delivered)
    monkeypatch.setattr(conclusion, "deliver", fake)
    return fake


@pytest.fixture
def concluded(deliver: Mock, tmp_path: Path) -> Conclude:
    """Concludes what was raced, in a folder of the test's own; no image is decoded."""

    def build(found: Raced, settings: StudySettings = SETTINGS) -> RunRecord:
        with owned_run(tmp_path, settings) as run:
            return conclude(run, found, Resources(pool=Mock(spec=DecoderPool)))

    return build


def test_every_measured_strategy_is_a_candidate(task: Task) -> None:
    """Where nobody stopped the run, all that was raced may be picked, and nothing was passed over."""
    found = raced(task, entry(HEAD, task), entry(FULL, task, refit_seconds=1e6))

    assert [candidate.strategy for candidate in found.candidates()] == [HEAD, FULL]
    assert found.passed_over() == ""


def test_an_interrupted_run_trains_only_what_is_there_soon(task: Task) -> None:
    """A second is waited for a model and no more, and the sentence names what was measured and passed over."""
    entries = (
        entry(HEAD, task),
        entry(TWO, task, refit_seconds=SOON),
        entry(FOUR, task, refit_seconds=SOON + 0.1),
        left_out(unfreeze(8)),
        entry(FULL, task, refit_seconds=1e6),
    )
    found = raced(task, *entries, interrupted=True)

    assert SOON == 1.0
    assert [candidate.strategy for candidate in found.candidates()] == [HEAD, TWO]
    assert found.passed_over() == (
        "The run was stopped, and there was no time to train “last 4 blocks” or “everything” for it."
    )


def test_an_entry_is_found_by_its_strategy(task: Task) -> None:
    """What was picked is the very entry of the race."""
    head, two = entry(HEAD, task), entry(TWO, task)

    assert raced(task, head, two).entry(TWO) is two


def test_a_run_without_a_split_leaves_a_record(task: Task, concluded: Conclude, tmp_path: Path) -> None:
    """Stopped at once, it picks and delivers nothing, says so, and its file can be loaded again."""
    record = concluded(raced(task, left_out(TWO), interrupted=True))

    assert (record.picked, record.picked_because, record.model, record.winner) == (None, "", None, None)
    assert record.interrupted
    assert record.splits == ()
    assert record.comparisons == ()
    assert "No split was finished, so nothing here is measured." in record.details
    assert record.verdict[0].startswith("There is no model yet: no strategy was finished")
    assert read_run(tmp_path) == record


def test_the_best_strategy_is_delivered_and_everything_is_written(
    task: Task, concluded: Conclude, deliver: Mock, tmp_path: Path
) -> None:
    """Two blocks that are right everywhere are picked over a head that is wrong on thirty rows of a hundred."""
    wrong = range(30)
    found = raced(task, entry(SOFTMAX_ON_LAST, task, wrong), entry(HEAD, task, wrong), entry(TWO, task), left_out(FULL))
    record = concluded(found)

    assert deliver.call_args.args[1] is found.entry(TWO)
    assert deliver.call_args.args[3] == tmp_path / "model"
    assert (record.picked, record.model, record.interrupted) == (TWO, "model", False)
    assert "It scores best, and gains +30.0 points" in record.picked_because
    assert record.picked_because.endswith("over the best of what is cheaper, softmax on the last codes.")
    assert [outcome.strategy for outcome in record.strategies] == [SOFTMAX_ON_LAST, HEAD, TWO, FULL]
    assert [outcome.cost.refit_seconds for outcome in record.strategies] == [0.0, 0.0, 7.0, 0.0]
    assert {(step.first, step.second) for step in record.comparisons} == set(pairs([SOFTMAX_ON_LAST, HEAD, TWO]))
    assert record.winner is not None
    assert (record.winner.strategy, record.winner.among, record.winner.naive) == (TWO, 3, 1.0)
    assert record.verdict == verdict(record)
    assert read_run(tmp_path) == record


def test_a_pick_that_always_names_one_class_is_told_of_first(task: Task, concluded: Conclude, deliver: Mock) -> None:
    """In the verdict, among the findings of the record, and to whoever writes the model card."""
    record = concluded(raced(task, entry(HEAD, task, np.flatnonzero(task.labels == 1).tolist())))

    found, *others = record.findings
    assert (found.code, tuple(one for one in others if one.code != "UF125")) == ("UF130", FINDINGS)
    assert found.sentence.startswith("Head is no better than always answering 'a': accuracy 50.0 % against 50.0 %")
    assert record.details[0] == found.text
    assert record.verdict[0].startswith("Do not rely on this model (last layer, trained): about 50 of 100 new photos")
    assert deliver.call_args.kwargs["warnings"] == [found.text]


def test_the_record_has_the_classes_of_the_pick(make_rows: MakeTask, concluded: Conclude) -> None:
    """Every image of the train part once, those that it was wrong on off the diagonal; nothing without a pick."""
    task = make_rows(100, 10)
    record = concluded(raced(task, entry(HEAD, task, [3, 4, 5])))

    assert record.by_class is not None
    assert record.by_class.strategy == HEAD
    answers, labels = np.array(record.by_class.predictions), np.array(record.train_labels)
    assert np.flatnonzero(answers != labels).tolist() == [3, 4, 5]
    confusion = np.array(record.by_class.confusion)
    assert (confusion.sum(), confusion.trace()) == (100, 97)


def test_a_contradicting_folder_is_found(make_rows: MakeTask, concluded: Conclude, deliver: Mock) -> None:
    """Right on all splits and wrong on sixty of eighty test photos: among the findings first, and in the verdict."""
    task = make_rows(100, 80)
    usual = deliver.side_effect

    def confirming(experiment: Experiment, picked: Measurement, *args: object, **named: object) -> Outcome:
        outcome: Outcome = usual(experiment, picked, *args, **named)
        assert picked.strategy is not None
        return confirmed(outcome, experiment, picked.strategy, picked.measured)

    deliver.side_effect = confirming
    record = concluded(raced(task, entry(HEAD, task, [1, *range(100, 160)])))

    found, *others = record.findings
    assert (found.code, tuple(one for one in others if one.code != "UF125")) == ("UF131", FINDINGS)
    assert found.sentence in record.verdict
    assert found.text in record.details


def test_the_record_holds_what_was_asked_and_what_was_found(make_rows: MakeTask, concluded: Conclude) -> None:
    """Settings, images, splits by places in the train part, codes, findings, story and time are the run's own."""
    task = make_rows(100, 10)
    record = concluded(raced(task, entry(HEAD, task, splits=3)))

    assert (record.command, record.seed, record.budget_seconds) == (SETTINGS, 3, 1000.0)
    assert record.train_images == tuple(f"{row:04}" for row in range(100))
    assert record.test_images == tuple(f"{row:04}" for row in range(100, 110))
    assert [split.number for split in record.splits] == [0, 1, 2]
    for split in record.splits:
        assert split.test == tuple(task.split(split.number).test.tolist())
    assert record.codes == CodeCounts(computed=30, reused=70)
    assert tuple(one for one in record.findings if one.code != "UF125") == FINDINGS
    assert record.network == CARD
    assert record.race[0] == "It was run."
    assert record.seconds == 100.0
    assert (record.facts.images, record.facts.classes) == (100, 2)
    assert record.rule.prediction == NO_RULE.prediction


@pytest.fixture
def two_do_not_train(deliver: Mock) -> Mock:
    """The delivery, of which two blocks do not train on everything, though they did on splits."""
    usual = deliver.side_effect

    def delivered(experiment: Experiment, picked: Measurement, *args: object, **named: object) -> Outcome:
        if picked.outcome.strategy == TWO:
            raise DidNotTrainError((0.7, 0.9))
        outcome: Outcome = usual(experiment, picked, *args, **named)
        return outcome

    deliver.side_effect = delivered
    return deliver


def test_what_does_not_train_on_everything_gives_way_to_the_next_best(
    task: Task, concluded: Conclude, two_do_not_train: Mock, tmp_path: Path
) -> None:
    """Two blocks are right everywhere on splits: they are left out with the reason, and the second is delivered."""
    wrong = range(30)
    entries = entry(SOFTMAX_ON_LAST, task, wrong), entry(HEAD, task, range(15)), entry(TWO, task)
    record = concluded(raced(task, *entries))
    left_out = record.strategies[-1]

    assert two_do_not_train.call_count == 2
    assert (record.picked, record.model) == (HEAD, "model")
    assert (left_out.strategy, left_out.status, left_out.splits) == (TWO, "left out", 0)
    assert "did not train" in left_out.note
    assert any(sentence.startswith("Left out: “last 2 blocks”; did not train") for sentence in record.race)
    assert {(step.first, step.second) for step in record.comparisons} == set(pairs([SOFTMAX_ON_LAST, HEAD]))
    assert record.winner is not None
    assert record.winner.strategy == HEAD
    assert read_run(tmp_path) == record


def test_where_nothing_trains_on_everything_there_is_no_model(
    task: Task, concluded: Conclude, two_do_not_train: Mock, tmp_path: Path
) -> None:
    """The record says so, and can be read."""
    record = concluded(raced(task, entry(TWO, task)))

    assert (record.picked, record.model) == (None, None)
    assert not (tmp_path / "model").exists()
    assert read_run(tmp_path) == record


def test_a_model_of_another_strategy_is_not_taken_for_what_is_picked(
    task: Task, concluded: Conclude, deliver: Mock, program: Mock
) -> None:
    """A life that was killed had delivered the head, since two blocks did not train; picked anew, they are trained."""
    wrong = range(30)
    program.side_effect = RuntimeError("killed")
    with pytest.raises(RuntimeError, match="killed"):
        concluded(raced(task, entry(HEAD, task)))
    program.side_effect = None
    program.return_value = ""
    record = concluded(raced(task, entry(HEAD, task, wrong), entry(TWO, task)))

    assert [call.args[1].outcome.strategy for call in deliver.call_args_list] == [HEAD, TWO]
    assert record.picked == TWO


def test_an_interrupt_of_the_delivery_leaves_no_half_of_a_model(
    task: Task, concluded: Conclude, deliver: Mock, tmp_path: Path
) -> None:
    """Ctrl-C while the model is trained: what was picked is said, no folder is left, and the record is whole."""

    def stopped(*args: object, **named: object) -> Outcome:
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "half").write_bytes(b"")
        raise KeyboardInterrupt

    deliver.side_effect = stopped
    record = concluded(raced(task, entry(HEAD, task)))

    assert (record.picked, record.model, record.interrupted) == (HEAD, None, True)
    assert not (tmp_path / "model").exists()
    assert record.verdict[0].startswith("There is no model, since the run was stopped")
    assert read_run(tmp_path) == record


def test_a_disk_that_is_full_costs_the_model_alone(
    task: Task, concluded: Conclude, deliver: Mock, tmp_path: Path
) -> None:
    """No room for the model: the error says so, what was measured is written, and the same command goes on."""
    whole = deliver.side_effect

    def full(*args: object, **named: object) -> Outcome:
        (tmp_path / "model").mkdir()
        raise DiskFullError("full")

    deliver.side_effect = full
    with pytest.raises(DiskFullError):
        concluded(raced(task, entry(HEAD, task)))
    assert not (tmp_path / "model").exists()
    assert json.loads((tmp_path / "stopped.json").read_text())["picked"] == HEAD.key
    assert (tmp_path / "report.html").exists()
    assert not (tmp_path / "run.json").exists()

    deliver.side_effect = whole
    assert concluded(raced(task, entry(HEAD, task))).model == "model"
    assert (tmp_path / "run.json").exists()


def test_an_interrupt_after_the_delivery_keeps_the_model(
    task: Task, concluded: Conclude, curves: Mock, tmp_path: Path
) -> None:
    """Ctrl-C while learning curves are drawn costs the curves alone."""
    curves.side_effect = KeyboardInterrupt
    record = concluded(raced(task, entry(HEAD, task)))

    assert (record.picked, record.model, record.interrupted, record.learning_curve) == (HEAD, "model", True, None)
    assert (tmp_path / "model" / "model.safetensors").exists()
    assert record.strategies[0].cost.refit_seconds == 7.0


def test_an_interrupted_race_gets_no_learning_curve(task: Task, concluded: Conclude, curves: Mock) -> None:
    """Who stops a run wants its model and nothing that takes longer."""
    record = concluded(raced(task, entry(HEAD, task), interrupted=True))

    assert not curves.called
    assert (record.picked, record.model, record.interrupted) == (HEAD, "model", True)


@pytest.mark.parametrize("times", [(1000.0, 5.0, 895.0), (110.0, 3.3, 6.7), (100.0, 3.0, -3.0)])
def test_learning_curves_get_what_is_left(
    task: Task, concluded: Conclude, curves: Mock, times: tuple[float, float, float]
) -> None:
    """The probe at most five seconds or 3 % of the budget, fine-tuning what is then left of it after 100 seconds."""
    budget, at_most, rest = times
    settings = replace(SETTINGS, budget_seconds=budget)
    concluded(raced(task, entry(HEAD, task), budget=budget), settings)

    asked = curves.call_args.kwargs
    assert (asked["probe_seconds"], asked["seconds"]) == (pytest.approx(at_most), pytest.approx(rest))


def test_the_test_folder_is_asked_about_cheap_strategies_and_what_was_delivered(
    make_rows: MakeTask, concluded: Conclude, deliver: Mock
) -> None:
    """Of twenty images the probe gets two wrong; what would take too long or trains blocks is not asked beside it."""
    task = make_rows(100, 20)
    wrong = [*range(30), 100, 101]
    entries = [
        entry(SOFTMAX_ON_LAST, task, wrong),
        entry(HEAD, task, wrong, refit_seconds=1e6),
        entry(unfreeze(1), task, wrong),
        entry(TWO, task),
    ]
    entries[1].strategy = replace(entries[1].strategy, work=1)  # type: ignore[type-var]
    usual = deliver.side_effect

    def confirming(experiment: Experiment, picked: Measurement, *args: object, **named: object) -> Outcome:
        outcome: Outcome = usual(experiment, picked, *args, **named)
        assert picked.strategy is not None
        return confirmed(outcome, experiment, picked.strategy, picked.measured)

    deliver.side_effect = confirming
    record = concluded(raced(task, *entries))
    asked = {outcome.strategy: outcome.confirmation for outcome in record.strategies}

    assert record.picked == TWO
    assert {strategy for strategy, confirmation in asked.items() if confirmation} == {SOFTMAX_ON_LAST, TWO}
    of_probe = asked[SOFTMAX_ON_LAST]
    assert of_probe is not None
    assert of_probe.accuracy == 0.9
    assert record.folder_step is not None
    assert (record.folder_step.first, record.folder_step.second) == (SOFTMAX_ON_LAST, TWO)
    assert record.folder_step.difference == pytest.approx(0.1)
    assert record.test_looks == 1


def test_a_probe_at_an_earlier_tap_can_be_picked(task: Task, concluded: Conclude) -> None:
    """The best tap is right everywhere, and the head is not: the first is delivered, and the step is there."""
    best = entry(SOFTMAX_ON_BEST, task)
    record = concluded(raced(task, best, entry(HEAD, task, range(30))))

    assert record.picked == SOFTMAX_ON_BEST
    assert [(s.first, s.second, s.answer) for s in record.comparisons] == [(HEAD, SOFTMAX_ON_BEST, "worth it")]


def test_learning_curves_come_into_the_record(task: Task, concluded: Conclude, curves: Mock) -> None:
    """What was found of more images stands in the record as it was found."""
    curves.return_value = LEARNING
    record = concluded(raced(task, entry(HEAD, task)))

    assert record.learning_curve == LEARNING


def test_a_stop_while_the_program_is_made_keeps_the_model(
    task: Task, concluded: Conclude, program: Mock, tmp_path: Path
) -> None:
    """The program comes after the model, so that nothing is lost but itself."""
    program.side_effect = KeyboardInterrupt

    record = concluded(raced(task, entry(HEAD, task)))

    assert (record.model, record.interrupted) == ("model", True)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["model.safetensors"]


def test_a_run_that_was_stopped_does_without_a_program(task: Task, concluded: Conclude, program: Mock) -> None:
    """With a second left, the model is delivered and no more."""
    record = concluded(raced(task, entry(HEAD, task), interrupted=True))

    assert record.model == "model"
    program.assert_not_called()


def test_a_network_that_cannot_be_exported_is_told_of(task: Task, concluded: Conclude, program: Mock) -> None:
    """The model stands, and the story of the run says why it has no program."""
    program.side_effect = ["There is no model.pt2."]

    record = concluded(raced(task, entry(HEAD, task)))

    assert (record.model, record.interrupted) == ("model", False)
    assert "There is no model.pt2." in record.race


def test_the_record_has_what_is_there_to_see(concluded: Conclude, task: Task) -> None:
    """The map of codes and where the model looks, as they were made."""
    record = concluded(raced(task, entry(SOFTMAX_ON_LAST, task)))

    assert record.code_map == CodeMap(codes="the last codes", note="Nobody drew it.")
    assert record.looks == Looks(photos="held out", note="Nobody asked.")


def test_what_is_doubtful_about_photos_comes_into_the_record(concluded: Conclude, task: Task, checked: Mock) -> None:
    """Findings before those on the images, labels beside them, what was left out in the story; asked of all splits."""
    record = concluded(raced(task, entry(SOFTMAX_ON_LAST, task), entry(TWO, task)))

    assert record.label_check == CHECK.labels
    assert record.findings[-1 - len(FINDINGS) : -len(FINDINGS)] == CHECK.findings
    assert CHECK.note in record.race
    assert checked.call_args.kwargs["classifiers"] == 2
    assert sum(len(one.rows) for one in checked.call_args.args[2]) == 2 * len(task.train_rows)


def test_a_run_that_was_stopped_checks_no_photo(concluded: Conclude, task: Task, checked: Mock) -> None:
    """It should end soon."""
    record = concluded(raced(task, entry(SOFTMAX_ON_LAST, task, refit_seconds=SOON), interrupted=True))

    assert record.label_check is None
    checked.assert_not_called()


def test_nobody_looks_where_no_photo_may_be_shown(concluded: Conclude, task: Task, looked: Mock) -> None:
    """The map, which needs none, is there."""
    record = concluded(raced(task, entry(SOFTMAX_ON_LAST, task)), replace(SETTINGS, photos=False))

    assert record.looks is None
    assert record.code_map is not None
    looked.assert_not_called()


def test_a_run_that_was_stopped_looks_at_nothing(concluded: Conclude, task: Task, mapped: Mock, looked: Mock) -> None:
    """It should end soon."""
    record = concluded(raced(task, entry(SOFTMAX_ON_LAST, task, refit_seconds=SOON), interrupted=True))

    assert (record.code_map, record.looks) == (None, None)
    mapped.assert_not_called()
    looked.assert_not_called()


@pytest.mark.parametrize(("deep", "seconds", "there"), [(True, 1.0, True), (False, 1.0, False), (True, 1e6, False)])
def test_the_frozen_head_is_shown_beside_an_unfrozen_network(
    concluded: Conclude, task: Task, looked: Mock, *, deep: bool, seconds: float, there: bool
) -> None:
    """Not beside a frozen one, and not where it takes longer to train than there is time."""
    head, wrong = entry(HEAD, task, range(50), refit_seconds=seconds), () if deep else range(60)
    concluded(raced(task, head, entry(TWO, task, wrong)))

    assert (looked.call_args.kwargs["frozen"] is not None) == there


def test_the_race_may_have_used_up_the_budget(concluded: Conclude, task: Task, mapped: Mock, looked: Mock) -> None:
    """Both may then take three hundredths of it, and ten seconds of a long one."""
    concluded(raced(task, entry(SOFTMAX_ON_LAST, task), budget=50.0), replace(SETTINGS, budget_seconds=50.0))
    seconds = [fake.call_args.kwargs["seconds"] for fake in (mapped, looked)]

    assert seconds == [pytest.approx(1.5)] * 2
