"""One whole run on the sample digits, watched from outside."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from unfreeze.core.errors import ImageSetError
from unfreeze.core.events import Event, StrategyMeasured
from unfreeze.core.plans import TrainingSettings
from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.records import CodeCounts
from unfreeze.core.run_record import RunRecord, read_run
from unfreeze.core.settings import EngineSettings, StudySettings
from unfreeze.core.stop import Stop
from unfreeze.core.strategies import HEAD, LINEAR_ON_ALL, SOFTMAX_ON_LAST, unfreeze
from unfreeze.data.samples import write_sample
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.prediction import predict_images
from unfreeze.workflows.study import run_study

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("run")]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty digits of each class."""
    folder = tmp_path_factory.mktemp("sample") / "digits"
    write_sample("digits", folder, progress=SILENT)
    for label in folder.iterdir():
        for file in sorted(label.iterdir())[30:]:
            file.unlink()
    return folder


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run goes."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def record(digits: Path, run_folder: Path) -> RunRecord:
    """A run of one round and few epochs, with a budget that holds all strategies."""
    settings = StudySettings(
        source=digits, size=64, rounds=1, epochs=2, budget_seconds=150, max_bad=0.0, strategies=(2, "full")
    )
    return run_study(settings, out=run_folder, progress=SILENT)


def test_every_strategy_is_measured_and_audited(record: RunRecord) -> None:
    """Probes, head, blocks and the whole network are there; all that trained in the network passed its audit."""
    kinds = [o.kind for o in record.strategies]

    assert {"probe", "head", "unfreeze", "full"} <= set(kinds)
    assert all(o.audit.passed for o in record.strategies if o.kind != "probe" and o.measured)
    measured = {o.strategy for o in record.strategies if o.measured}
    assert {SOFTMAX_ON_LAST, LINEAR_ON_ALL, HEAD} <= measured  # the other probes wait for time, on a slow machine


def test_the_head_equals_the_softmax_probe(record: RunRecord) -> None:
    """Trained to convergence on the same codes, they say the same on all but two images or one in a hundred."""
    (step,) = [c for c in record.comparisons if (c.first, c.second) == (SOFTMAX_ON_LAST, HEAD)]

    assert step.disagreements <= max(2, 0.01 * step.predictions)
    assert step.predictions == 60 * step.splits


def test_codes_of_digits_are_worth_far_more_than_chance(record: RunRecord) -> None:
    """Ten classes: chance is 10 %."""
    assert all(o.accuracy > 0.5 for o in record.strategies if o.kind in {"probe", "head"} and o.measured)


def test_mirrored_digits_are_not_trained_on(record: RunRecord) -> None:
    """A mirrored digit is no digit: the measured check switches flips off."""
    trained = [o for o in record.strategies if o.kind in {"unfreeze", "full"} and o.measured]

    assert trained
    settings = [o.settings for o in trained if isinstance(o.settings, TrainingSettings)]
    assert len(settings) == len(trained)
    assert all(one.plan.augmentation.flip == 0.0 for one in settings)


def test_the_record_on_disk_is_the_record(record: RunRecord, run_folder: Path) -> None:
    """run.json holds what the run returned, with the schema first and counts that add up."""
    document = json.loads((run_folder / "run.json").read_text("utf-8"))

    assert document == json.loads(json.dumps(record.to_json()))
    assert RunRecord.from_json(document) == record
    assert next(iter(document)) == "schema"
    images = document["images"]
    assert images["found"] == images["used"] + images["set_aside"] + images["duplicates_removed"] == 300


WITH_TORCH_ALONE = """
import re, sys
folder, *paths = sys.argv[1:]
code = re.findall(r"```python\\n(.*?)```", open(f"{folder}/README.md").read(), flags=re.DOTALL)[-1]
for path in paths:
    exec(code.replace('"PATH"', repr(folder)).replace('"photo.jpg"', repr(path)))
assert not {name.split(".")[0] for name in sys.modules} & {"unfreeze", "timm"}
"""


def test_torch_alone_gets_our_predictions_from_the_folder(record: RunRecord, run_folder: Path, digits: Path) -> None:
    """A process without unfreeze and timm runs the code of the model card, and names the classes that we name."""
    paths = [digits / name for name in record.train_images[::60]]
    command = [sys.executable, "-P", "-c", WITH_TORCH_ALONE, str(run_folder / "model"), *map(str, paths)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    with DecoderPool(workers=1) as pool:
        ours = predict_images(run_folder / "model", paths, pool=pool, progress=SILENT)

    assert said[::2] == [record.classes[place] for place in ours.scores.argmax(axis=1)]
    assert [float(likely) for likely in said[1::2]] == pytest.approx(ours.probabilities.max(axis=1).tolist(), abs=1e-4)
    np.testing.assert_allclose(ours.probabilities.sum(axis=1), 1, rtol=1e-5)


def test_the_delivered_model_was_trained_on_everything(record: RunRecord, run_folder: Path, digits: Path) -> None:
    """It knows its own images no worse than any split's model knows images that it has not seen."""
    paths = [digits / name for name in record.train_images]
    with DecoderPool(workers=1) as pool:
        said = predict_images(run_folder / "model", paths, pool=pool, progress=SILENT)
    picked = record.outcome_of(record.picked)
    assert picked is not None
    assert picked.accuracy is not None

    assert (said.scores.argmax(axis=1) == np.array(record.train_labels)).mean() >= picked.accuracy


def test_accuracies_are_those_of_the_predictions(record: RunRecord) -> None:
    """Each strategy's accuracy is the share of images named rightly, one that was tested twice with its mean."""
    labels = np.array(record.train_labels)
    for outcome in record.strategies:
        tests = [list(split.test) for split, _ in zip(record.splits, outcome.predictions, strict=False)]
        right, tested = np.zeros(len(labels)), np.zeros(len(labels))
        for test, said in zip(tests, outcome.predictions, strict=True):
            right[test] += np.array(said) == labels[test]
            tested[test] += 1
        assert outcome.splits == len(tests)
        seen = tested > 0
        assert outcome.accuracy is None or outcome.accuracy == pytest.approx(np.mean(right[seen] / tested[seen]))


def test_running_again_reuses_all_codes_and_gives_the_same_numbers(
    record: RunRecord, digits: Path, tmp_path: Path
) -> None:
    """Nothing is computed twice, and what needs no clock comes out with the same bits."""
    settings = StudySettings(source=digits, size=64, rounds=1, budget_seconds=150, max_bad=0.0, strategies=())
    again = run_study(settings, out=tmp_path, progress=SILENT)
    # how many splits there are is the clock's business
    always = (SOFTMAX_ON_LAST, LINEAR_ON_ALL, HEAD)
    common = min(o.splits for found in (record, again) for o in found.strategies if o.strategy in always)
    first, second = (
        {o.strategy: o.predictions[:common] for o in found.strategies if o.strategy in always}
        for found in (record, again)
    )

    assert again.codes == CodeCounts(computed=0, reused=300)
    assert common >= 1
    assert first == second


def test_groups_that_no_split_can_keep_whole_are_refused_at_once(digits: Path, tmp_path: Path) -> None:
    """Two groups leave one to learn from, inside which nothing can be held out."""
    table = digits.parent / "2-groups.csv"
    files = sorted(digits.glob("*/*"))
    rows = [f"{file.relative_to(digits.parent)},{file.parent.name},{number % 2}" for number, file in enumerate(files)]
    table.write_text("\n".join(["path,label,group", *rows]))

    with pytest.raises(ImageSetError, match="needs at least 3 in the train part"):
        run_study(StudySettings(source=table, size=64), out=tmp_path, progress=SILENT)


def test_an_interrupt_keeps_what_there_is(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while step two trains: probes and head are reported, one of them is delivered, and the record says so."""

    def interrupted(*args: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("unfreeze.strategies.catalogue.ready", interrupted)
    found = run_study(StudySettings(source=digits, size=64, rounds=1, max_bad=0.0), out=tmp_path, progress=SILENT)

    assert found.interrupted
    assert found.learning_curve is None
    assert {o.kind for o in found.strategies} == {"probe", "head"}
    assert found.picked is not None
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_an_interrupt_while_the_model_is_made_keeps_the_verdict(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the race: what was measured and said is there, and no half of a model."""

    def stopped(_: object, __: object, ___: object, folder: Path, **____: object) -> None:
        folder.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr("unfreeze.workflows.conclusion.deliver", stopped)
    settings = StudySettings(source=digits, size=32, budget_seconds=30, strategies=())
    record = run_study(settings, out=tmp_path, progress=SILENT)

    assert record.interrupted
    assert record.picked is not None
    assert record.model is None
    assert record.verdict[0].startswith("There is no model, since the run was stopped")
    assert not (tmp_path / "model").exists()
    assert {path.name for path in tmp_path.iterdir()} >= {"stopped.json", "report.html", "plan.json"}


def test_a_run_in_a_thread_is_stopped_by_its_token(digits: Path, tmp_path: Path) -> None:
    """No signal reaches a thread: whoever has the stop asks, and the record and the files are those of Ctrl-C."""
    stop, records = Stop(), list[RunRecord]()

    def ask(event: Event) -> None:
        if isinstance(event, StrategyMeasured) and event.strategy == HEAD:
            stop.request()

    settings = StudySettings(source=digits, size=32, strategies=(1,), rounds=1, budget_seconds=None, max_bad=0.0)
    progress = Progress(ask, stop=stop)
    thread = Thread(target=lambda: records.append(run_study(settings, out=tmp_path, progress=progress)))
    thread.start()
    thread.join()
    (record,) = records

    assert record.interrupted
    assert unfreeze(1) not in {outcome.strategy for outcome in record.strategies}
    assert read_run(tmp_path) == record
    files = {
        "stopped.json",
        "report.html",
        "classes.csv",
        "confusion.csv",
        "events.jsonl",
        "plan.json",
        "state",
        "lock",
    }
    assert {path.name for path in tmp_path.iterdir()} - {"model"} == files


def test_a_run_with_time_left_has_learning_curves(photo_folder: Callable[..., Path], tmp_path: Path) -> None:
    """The probe from an eighth of a split's 32 images on, fine-tuning from a quarter, and a sentence on more images."""
    source = photo_folder("red", "green", count=20)
    # a margin that settles everything after five splits
    settings = StudySettings(
        source=source,
        size=64,
        max_bad=0.0,
        strategies=(1,),
        margin=50.0,
        epochs=2,
        request=EngineSettings("torch"),
    )
    (tmp_path / "run").mkdir()
    found = run_study(settings, out=tmp_path / "run", progress=SILENT)
    curves = found.learning_curve

    assert curves is not None
    assert curves.probe.sizes == (4, 8, 16, 32)
    assert curves.fine_tuning is not None
    assert curves.fine_tuning.strategy == unfreeze(1)
    assert curves.fine_tuning.sizes == (8, 16, 32)
    assert curves.note == ""
    assert any("twice as many training images" in sentence for sentence in found.details)


def test_a_test_folder_of_ones_own_confirms_and_is_counted(digits: Path, tmp_path: Path) -> None:
    """With train and test folders, splits lie inside train; the second run says that it is the second look."""
    source = tmp_path / "photos"
    for label in digits.iterdir():
        for number, file in enumerate(sorted(label.iterdir())):
            target = source / ("test" if number % 3 == 2 else "train") / label.name
            target.mkdir(parents=True, exist_ok=True)
            (target / file.name).write_bytes(file.read_bytes())
    settings = StudySettings(source=source, size=64, rounds=1, max_bad=0.0, strategies=())
    for name in ("first", "second"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    first, second = (run_study(settings, out=tmp_path / "runs" / name, progress=SILENT) for name in ("first", "second"))
    picked = first.outcome_of(first.picked)

    assert (len(first.train_images), len(first.test_images)) == (200, 100)
    assert (first.test_looks, second.test_looks) == (1, 2)
    assert picked is not None
    assert picked.confirmation is not None
    right = np.array(picked.confirmation.predictions) == np.array(first.test_labels)
    assert picked.confirmation.accuracy == pytest.approx(right.mean())
