"""A model's score on labelled images, against scikit-learn on what the model predicts."""

import shutil
import tarfile
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.special import softmax
from sklearn import metrics as sklearn_metrics

from unfreeze.core.errors import ImageSetError, InputError
from unfreeze.core.files import sha256_of_file
from unfreeze.core.progress import Progress
from unfreeze.core.trained_on import write_trained_on
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.metrics.intervals import accuracy_interval
from unfreeze.workflows.evaluation import SEED, Asked, evaluate
from unfreeze.workflows.prediction import Predictions, predict, predict_images
from unfreeze.workflows.unlike import add_unlike
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.devices import CPU
from unfreeze.zoo.folders import save_model

PhotoFolder = Callable[..., Path]
CLASSES = ("ants", "bees", "caf\u00e9")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of three classes with a random head."""
    folder = tmp_path_factory.mktemp("model")
    network = load_backbone("test_resnet", pretrained=False, size=32)
    classifier = network.with_classes(3)
    weight = np.random.default_rng(1).normal(scale=0.1, size=(3, network.card.num_features))
    classifier.set_head(torch.from_numpy(weight.astype(np.float32)), torch.zeros(3))
    save_model(folder, classifier, class_names=CLASSES, card_text="")
    return folder


@pytest.fixture(scope="module")
def resources() -> Iterator[Resources]:
    """One decoder."""
    with DecoderPool(workers=1) as pool:
        yield Resources(pool=pool)


def said(model: Path, paths: list[Path], resources: Resources) -> Predictions:
    """What the model predicts."""
    return predict_images(model, paths, pool=resources.pool)


def test_scores_are_those_of_scikit_learn(
    photo_folder: PhotoFolder, model: Path, resources: Resources, tmp_path: Path
) -> None:
    """Accuracy, balanced accuracy, log loss, confusion and F1 are scikit-learn's on the predictions of these photos."""
    photos = photo_folder(*CLASSES, count=7)
    paths = sorted(photos.rglob("*.png"))
    labels = np.array([CLASSES.index(path.parent.name) for path in paths])
    predictions = said(model, paths, resources)
    predicted = predictions.scores.argmax(axis=1)

    record = evaluate(model, photos, asked=Asked(rows=tmp_path / "rows.csv"), resources=resources)

    assert record.accuracy == sklearn_metrics.accuracy_score(labels, predicted)
    assert record.balanced_accuracy == pytest.approx(sklearn_metrics.balanced_accuracy_score(labels, predicted))
    assert record.log_loss == pytest.approx(
        sklearn_metrics.log_loss(labels, predictions.probabilities, labels=range(3)), rel=1e-5
    )
    assert record.confusion == tuple(map(tuple, sklearn_metrics.confusion_matrix(labels, predicted, labels=range(3))))
    f1 = sklearn_metrics.f1_score(labels, predicted, labels=range(3), average=None, zero_division=0)
    assert [row.f1 or 0 for row in record.per_class] == pytest.approx(f1.tolist())
    table = pd.read_csv(tmp_path / "rows.csv")
    assert table.file.tolist() == list(map(str, paths))
    assert (
        (table.given == table.predicted).tolist() == table.right.astype(bool).tolist() == (labels == predicted).tolist()
    )
    assert table.probability.to_numpy() == pytest.approx(predictions.probabilities.max(axis=1), abs=1e-6)


def test_the_surest_mistakes_come_first(photo_folder: PhotoFolder, model: Path, resources: Resources) -> None:
    """They are the wrong rows with the highest probabilities, and no more than were asked for."""
    photos = photo_folder(*CLASSES, count=7)
    paths = sorted(photos.rglob("*.png"))
    predictions = said(model, paths, resources)
    names = [predictions.class_names[place] for place in predictions.scores.argmax(axis=1)]
    wrong = [
        (-float(sure), str(path))
        for sure, path, name in zip(predictions.probabilities.max(axis=1), paths, names, strict=True)
        if path.parent.name != name
    ]
    assert len(wrong) > 3

    record = evaluate(model, photos, asked=Asked(mistakes=3), resources=resources)

    assert [mistake.path for mistake in record.mistakes] == [path for _, path in sorted(wrong)[:3]]
    assert sum(cell.images for cell in record.confusions) == len(wrong) == record.scored - record.right


def test_one_class_and_one_image_are_enough(photo_folder: PhotoFolder, model: Path, resources: Resources) -> None:
    """What nothing is to learn from needs no second class; classes of the model without images have no recall."""
    record = evaluate(model, photo_folder("bees", count=1), resources=resources)

    assert record.scored == 1
    assert [row.images for row in record.per_class] == [0, 1, 0]
    assert [row.recall is None for row in record.per_class] == [True, False, True]


def test_names_with_accents_are_matched_however_they_are_encoded(
    photo_folder: PhotoFolder, model: Path, resources: Resources
) -> None:
    """A folder whose accent is a character of its own, as some file systems write it, is the same class."""
    record = evaluate(model, photo_folder(unicodedata.normalize("NFD", CLASSES[2]), count=2), resources=resources)

    assert record.per_class[2].images == 2


def test_a_class_that_the_model_does_not_know_is_an_error(
    photo_folder: PhotoFolder, model: Path, resources: Resources
) -> None:
    """One sentence names it, the classes of the folder and those of the model."""
    photos = photo_folder("ants", "wasps", count=1)

    with pytest.raises(ImageSetError) as caught:
        evaluate(model, photos, resources=resources)

    assert str(caught.value) == (
        f"'wasps' is no class of the model. The images in {photos} are of 'ants', 'wasps'; the model knows 'ants', "
        "'bees', 'caf\u00e9'. Rename or remove what the model does not know."
    )


def test_groups_of_a_list_are_the_draws(photo_folder: PhotoFolder, model: Path, resources: Resources) -> None:
    """The interval is that over whole groups."""
    photos = photo_folder(*CLASSES[:2], count=8)
    paths = sorted(photos.rglob("*.png"))
    groups = [f"{path.parent.name}{int(path.stem) // 4}" for path in paths]
    rows = [f"{path},{path.parent.name},{group}" for path, group in zip(paths, groups, strict=True)]
    (photos / "list.csv").write_text("\n".join(["path,label,group", *rows]))
    predictions = said(model, paths, resources)
    names = np.array(CLASSES)[predictions.scores.argmax(axis=1)]
    right = np.array([path.parent.name == name for path, name in zip(paths, names, strict=True)])

    record = evaluate(model, photos / "list.csv", resources=resources)

    assert record.groups == 4
    assert record.interval == accuracy_interval(right, groups, seed=SEED)


def test_of_a_source_with_a_test_part_that_part_alone_is_scored(
    photo_folder: PhotoFolder, model: Path, resources: Resources
) -> None:
    """Photos of the train part are counted and not scored, so their classes need not be known."""
    photos = photo_folder("ants", "wasps", count=3)
    rows = [f"ants/{number:03}.png,ants,test" for number in range(3)]
    rows += [f"wasps/{number:03}.png,wasps,train" for number in range(3)]
    (photos / "list.csv").write_text("\n".join(["path,label,split", *rows]))

    record = evaluate(model, photos / "list.csv", resources=resources)

    assert (record.part, record.scored, record.images.used) == ("test", 3, 6)


def test_what_cannot_be_read_is_counted(photo_folder: PhotoFolder, model: Path, resources: Resources) -> None:
    """However many bad files there are, the others are scored; copies count once."""
    photos = photo_folder("ants", count=2)
    Image.open(photos / "ants" / "000.png").save(photos / "ants" / "copy.bmp")
    for number in range(5):
        (photos / "ants" / f"bad{number}.jpg").write_bytes(b"\xff\xd8\xff")

    record = evaluate(model, photos, resources=resources)

    counts = record.images
    assert (counts.found, counts.used, counts.set_aside, counts.duplicates_removed) == (8, 2, 5, 1)
    assert len(record.set_aside) == 5


def test_nothing_but_bad_files_is_an_error(photo_folder: PhotoFolder, model: Path, resources: Resources) -> None:
    """One sentence says why no image can be used."""
    photos = photo_folder("ants", count=0)
    (photos / "ants" / "bad.jpg").write_bytes(b"\xff\xd8\xff")

    with pytest.raises(ImageSetError, match=r"No image in .* can be used \(1 set aside: "):
        evaluate(model, photos, resources=resources)


def test_photos_that_trained_the_model_are_named(
    photo_folder: PhotoFolder, model: Path, resources: Resources, tmp_path: Path
) -> None:
    """Two of six files trained a copy of the model: these two are named; a model that does not tell says nothing."""
    photos = photo_folder(*CLASSES, count=2)
    learned = sorted(photos.rglob("*.png"))[1:3]
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    write_trained_on(copy, (sha256_of_file(path) for path in learned))
    known, unknown = (evaluate(folder, photos, resources=resources) for folder in (copy, model))

    (found,) = [one for one in known.findings if one.code == "UF132"]
    assert found.sentence.startswith("The model has learned from 2 of the 6 photos that are scored")
    assert found.images == tuple(path.relative_to(photos).as_posix() for path in learned)
    assert "UF132" not in {one.code for one in unknown.findings}


def test_what_is_left_open_is_what_predict_leaves_open(
    photo_folder: PhotoFolder, model: Path, resources: Resources
) -> None:
    """Of a probability, and of each in the curve: as many photos are answered as `predict` answers with it."""
    photos = photo_folder(*CLASSES, count=7)
    paths = sorted(photos.rglob("*.png"))
    sureness = np.sort(softmax(said(model, paths, resources).scores.astype(np.float64), axis=1).max(axis=1))
    below = round(float(sureness[10]), 6)

    record = evaluate(model, photos, asked=Asked(below=below), resources=resources)
    answers = predict(model, [photos], threshold=below, resources=resources).images

    named = {Path(image.path): image.label for image in answers if image.label is not None}
    right = [path.parent.name == label for path, label in named.items()]
    assert record.asked is not None
    assert record.asked.answered.images == len(named) == 11
    assert record.asked.answered.right == sum(right)
    assert record.asked.answered.interval == accuracy_interval(np.array(right), seed=SEED)
    assert [point.answered.images for point in record.abstaining] == [
        int((sureness >= probability).sum()) for probability in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
    ]


def test_an_svm_leaves_nothing_open(photo_folder: PhotoFolder, tmp_path: Path, resources: Resources) -> None:
    """Its scores are no probabilities: there is no curve, and a probability is refused before photos are read."""
    network = load_backbone("test_resnet", pretrained=False, size=32).with_classes(3)
    save_model(tmp_path / "svm", network, class_names=CLASSES, card_text="", margins=True)
    photos = photo_folder("ants", count=1)

    assert evaluate(tmp_path / "svm", photos, resources=resources).abstaining == ()
    with pytest.raises(InputError, match="A threshold needs probabilities"):
        evaluate(tmp_path / "svm", photos, asked=Asked(below=0.5), resources=resources)


def test_photos_unlike_those_in_training_are_counted_apart(
    photo_folder: PhotoFolder, model: Path, resources: Resources, tmp_path: Path
) -> None:
    """Those that `predict` marks, and how many of each part are right; a model that does not know says so."""
    photos = photo_folder(*CLASSES, count=20)
    paths = sorted(photos.rglob("*.png"))
    knowing, lines = tmp_path / "knowing", []
    shutil.copytree(model, knowing)
    places = np.arange(len(paths)) // 20
    add_unlike(knowing, paths, places, pool=resources.pool, device=CPU, seed=0)

    record = evaluate(knowing, photos, asked=Asked(unlike=0.9, rows=tmp_path / "rows.csv"), resources=resources)
    telling = Resources(pool=resources.pool, progress=Progress(lambda event: lines.append(str(event))))
    unknowing = evaluate(model, photos, asked=Asked(unlike=0.9), resources=telling)
    answers = predict(knowing, [photos], unlike=0.9, resources=resources).images

    found = record.unfamiliar
    assert found is not None
    marked = {Path(image.path) for image in answers if image.unlike and image.unlike.marked}
    right = {Path(image.path) for image in answers if Path(image.path).parent.name == image.label}
    assert 0 < found.marked.images == len(marked) < len(paths)
    assert (found.marked.right, found.others.right) == (len(marked & right), len(right - marked))
    assert found.marked.images + found.others.images == record.scored
    assert pd.read_csv(tmp_path / "rows.csv").unlike.sum() == len(marked)
    assert unknowing.unfamiliar is None
    assert any("does not know what its training photos look like" in line for line in lines)


def test_photos_in_a_store_and_in_tars_score_as_those_of_a_folder(
    photo_folder: PhotoFolder, model: Path, resources: Resources, tmp_path: Path
) -> None:
    """Each is called by what leads to it, in the scores and in predictions."""
    photos = photo_folder(*CLASSES, count=3)
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.png"))
    store = fsspec.filesystem("memory")
    store.pipe({f"/scored/{name}": (photos / name).read_bytes() for name in names})
    (tmp_path / "tars/x").mkdir(parents=True)
    with tarfile.open(tmp_path / "tars/x/a.tar", "w") as tar:
        tar.add(photos, ".")
    store.put(str(tmp_path / "tars/x/a.tar"), "/packed/a.tar")

    def rows(source: str | Path) -> pd.DataFrame:
        out = tmp_path / f"{len(list(tmp_path.glob('*.csv')))}.csv"
        evaluate(model, Path(source), asked=Asked(rows=out), resources=resources)
        return pd.read_csv(out)

    expected = rows(photos)
    for source, root in (
        ("memory://scored", "memory://scored"),
        ("memory://packed/a.tar", "memory://packed/a.tar/."),
        (tmp_path / "tars/*/a.tar", tmp_path / "tars/x/a.tar"),
    ):
        found = rows(source)
        assert [name.replace("/./", "/") for name in found.file] == [
            f"{root}/{name}".replace("/./", "/") for name in names
        ]
        pd.testing.assert_frame_equal(found.iloc[:, 1:], expected.iloc[:, 1:])
    said_of = [predict(model, [Path(named)], resources=resources).images for named in (str(photos), "memory://scored")]
    assert [one.path for one in said_of[1]] == [f"memory://scored/{name}" for name in names]
    assert [(one.label, one.probability) for one in said_of[0]] == [(one.label, one.probability) for one in said_of[1]]
