"""What a delivered model says of an image."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy.special import softmax

from unfreeze.core.documents import Guess
from unfreeze.core.errors import InputError, TooManyBadFilesError
from unfreeze.core.progress import Progress
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.prediction import Predictions, predict, prediction_record
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.folders import save_model

SCORES = np.array([[-0.25, 1.5, -2.0]], np.float32)


def said(*, gives_probabilities: bool) -> Predictions:
    """Predictions for one image."""
    return Predictions(("x.png",), ("ant", "bee", "cat"), SCORES, (), gives_probabilities)


def test_a_softmax_head_gives_probabilities() -> None:
    """The best labels come first, with their softmax."""
    (row,) = prediction_record(said(gives_probabilities=True), top=2).images

    assert [guess.label for guess in row.top] == ["bee", "ant"]
    assert row.probability == pytest.approx(softmax(SCORES[0])[1], abs=1e-6)


def test_an_svm_head_gives_scores_and_no_probability() -> None:
    """A margin is given as it is: a softmax of margins would look like a probability and be none."""
    (row,) = prediction_record(said(gives_probabilities=False), top=1).images

    assert row.top == (Guess(label="bee", probability=None, score=1.5),)
    assert (row.probability, row.score) == (None, 1.5)


@pytest.mark.parametrize(("threshold", "label"), [(0.7, "bee"), (0.99, None)])
def test_below_the_threshold_the_label_is_left_open(threshold: float, label: str | None) -> None:
    """The likeliest class and its probability, here 0.83, are told all the same."""
    (row,) = prediction_record(said(gives_probabilities=True), top=1, threshold=threshold).images

    assert row.label == label
    assert row.probability == pytest.approx(softmax(SCORES[0])[1], abs=1e-6)
    assert row.top[0].label == "bee"


def saved_model(folder: Path, *, margins: bool = False) -> Path:
    """A model of two classes with random weights."""
    save_model(
        folder,
        load_backbone("test_resnet", pretrained=False, size=32).with_classes(2),
        class_names=("ants", "bees"),
        card_text="",
        margins=margins,
    )
    return folder


def test_a_folder_is_read_by_content(tmp_path: Path) -> None:
    """Photos without a suffix are found; other files are counted, hidden ones too; broken photos are set aside."""
    inbox = tmp_path / "inbox"
    (inbox / "deeper").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    for name in ("photo.png", "deeper/no_suffix", ".hidden"):
        Image.fromarray(noise).save(inbox / name, format="PNG")
    (inbox / "notes.txt").write_text("not read")
    (inbox / "thing").write_text("read, and no image")
    (inbox / "broken.jpg").write_text("claims to be an image")
    lines: list[str] = []

    with DecoderPool(workers=1) as pool:
        progress = Progress(lambda event: lines.append(str(event)))
        record = predict(saved_model(tmp_path / "model"), [inbox], resources=Resources(pool=pool, progress=progress))

    assert [image.path for image in record.images] == [str(inbox / "deeper/no_suffix"), str(inbox / "photo.png")]
    assert [item.name for item in record.set_aside] == [str(inbox / "broken.jpg")]
    assert record.skipped == {
        "not an image by name": 1,
        "not an image by name and content": 1,
        "hidden or left by a system": 1,
    }
    assert any("3 files skipped" in line for line in lines)


def test_a_file_that_is_named_is_never_passed_over(tmp_path: Path) -> None:
    """Also if neither its name nor its content claims to be an image."""
    (tmp_path / "thing").write_text("no image")

    with DecoderPool(workers=1) as pool, pytest.raises(TooManyBadFilesError, match="None of 1 file can be used"):
        predict(saved_model(tmp_path / "model"), [tmp_path / "thing"], resources=Resources(pool=pool))


@pytest.mark.parametrize("name", ["thing", "notes.txt"])
def test_a_folder_without_images_is_an_error(tmp_path: Path, name: str) -> None:
    """Whether its files were read or not."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / name).write_text("no image")

    with DecoderPool(workers=1) as pool, pytest.raises(InputError, match="There is no image in"):
        predict(saved_model(tmp_path / "model"), [tmp_path / "inbox"], resources=Resources(pool=pool))


def test_a_threshold_needs_probabilities(tmp_path: Path) -> None:
    """An SVM's scores are none, so a threshold is refused."""
    model = saved_model(tmp_path / "model", margins=True)

    with DecoderPool(workers=1) as pool, pytest.raises(InputError, match="A threshold needs probabilities"):
        predict(model, [tmp_path], threshold=0.5, resources=Resources(pool=pool))


def test_whatever_is_named_is_answered_or_counted(tmp_path: Path) -> None:
    """A folder, a pattern, a list, a table with the photos in it and standard input: what was found is the sum."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 40, 40, 3), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "0.png").rename(tmp_path / "inbox/0.png")
    (tmp_path / "inbox/notes.txt").write_text("not read")
    (tmp_path / "list.csv").write_text("path\n2.png\ngone.png\n1.png\n")
    pq.write_table(pa.table({"image": [(tmp_path / "3.png").read_bytes(), b"no image"]}), tmp_path / "rows.parquet")
    named = [tmp_path / name for name in ("inbox", "1.*", "list.csv", "rows.parquet")] + [Path("-")]
    model = saved_model(tmp_path / "model")

    with DecoderPool(workers=1) as pool:
        given = (tmp_path / "3.png").read_bytes
        record = predict(model, named, standard_input=given, resources=Resources(pool=pool))
        alone = predict(model, [tmp_path / "3.png"], resources=Resources(pool=pool)).images[0]

    rows = tmp_path / "rows.parquet"
    names = [str(tmp_path / "inbox/0.png"), str(tmp_path / "1.png"), "2.png", f"{rows}[0]", "standard input"]
    assert [image.path for image in record.images] == names
    assert record.images[-1].top == record.images[-2].top == alone.top
    assert [item.name for item in record.set_aside] == ["gone.png", f"{rows}[1]"]
    assert record.skipped == {"not an image by name": 1, "named more than once": 1}
    assert record.files_found.found == 9
