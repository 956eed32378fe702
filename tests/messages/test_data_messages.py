"""What a person reads when images cannot be used: one sentence that says what was wanted, found, and what to do."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from unfreeze.core.errors import ImageSetError, InputError, OutputError, TooManyBadFilesError, UnfreezeError
from unfreeze.core.progress import SILENT
from unfreeze.data.inspection import read_image_set
from unfreeze.data.samples import write_sample
from unfreeze.images.pool import DecoderPool


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """Decoders for all tests here."""
    with DecoderPool(workers=2) as pool:
        yield pool


def write(root: Path, *names: str) -> None:
    """Write images, each with different pixels."""
    from PIL import Image

    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        stream = io.BytesIO()
        Image.new("RGB", (40, 40), (number, len(name), 7)).save(stream, "PNG")
        (root / name).write_bytes(stream.getvalue())


def complaint(source: Path, pool: DecoderPool, kind: type[UnfreezeError] = ImageSetError) -> str:
    """The text of the error that reading `source` gives."""
    with pytest.raises(kind) as caught:
        read_image_set(source, pool=pool, progress=SILENT)
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(str(source), "SOURCE").replace(str(source.parent), "PARENT")


def test_nothing_there(pool: DecoderPool, tmp_path: Path) -> None:
    """A path that does not exist is named."""
    assert complaint(tmp_path / "no", pool) == "There is no folder or list SOURCE. Check the spelling."


def test_neither_folder_nor_list(pool: DecoderPool, tmp_path: Path) -> None:
    """A single image is no image set."""
    write(tmp_path, "a.png")

    assert complaint(tmp_path / "a.png", pool) == (
        "SOURCE is neither a folder nor a .csv or .parquet list. Give the folder that holds the class folders."
    )


@pytest.mark.parametrize("name", ["photos.zip", "photos.tar.gz", "photos.7z"])
def test_a_packed_folder(pool: DecoderPool, tmp_path: Path, name: str) -> None:
    """An archive is to be unpacked."""
    (tmp_path / name).write_bytes(b"PK")

    assert complaint(tmp_path / name, pool) == (
        "SOURCE is neither a folder nor a .csv or .parquet list. "
        "Unpack it, and give the folder, or pack it as a .tar that is not compressed."
    )


def test_empty_folder(pool: DecoderPool, tmp_path: Path) -> None:
    """An empty folder says what should be in it."""
    assert complaint(tmp_path, pool) == (
        "SOURCE has no class folders with images. Put the images of each class into a folder of its own."
    )


def test_images_without_class_folders(pool: DecoderPool, tmp_path: Path) -> None:
    """Images that lie in the folder itself have no label; their number is said."""
    write(tmp_path, "a.png", "b.png")

    assert complaint(tmp_path, pool) == (
        "SOURCE has no class folders with images (2 file(s) beside). "
        "Put the images of each class into a folder of its own."
    )


def test_folders_without_images(pool: DecoderPool, tmp_path: Path) -> None:
    """Class folders that hold no image at all."""
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("hello")

    assert complaint(tmp_path, pool) == (
        "SOURCE has no class folders with images (a/ (1 file, in a folder without photos), b/ (1 file, in a folder "
        "without photos)). Put the images of each class into a folder of its own."
    )


def test_one_class(pool: DecoderPool, tmp_path: Path) -> None:
    """One class cannot be told from anything."""
    write(tmp_path, "only/a.png", "only/b.png")

    assert complaint(tmp_path, pool) == (
        "SOURCE has one class only, 'only'. A classifier needs the images of at least two."
    )


def test_class_with_one_image(pool: DecoderPool, tmp_path: Path) -> None:
    """A class needs an image on either side of a split; bad files are counted with their reasons."""
    write(tmp_path, "a/1.png", "a/2.png", "b/1.png")
    (tmp_path / "b/2.png").touch()
    (tmp_path / "c").mkdir()

    assert complaint(tmp_path, pool) == (
        "Each class needs at least two usable images, one to learn from and one to measure on, but 2 class(es) "
        "have fewer: "
        "'b' has 1 (1 set aside: empty-file 1), 'c' has 0. Add images or remove the folder."
    )


def test_classes_emptied_as_copies(pool: DecoderPool, tmp_path: Path) -> None:
    """A class whose images went as copies of each other, or of another class, says so."""
    write(tmp_path, "a/1.png", "a/2.png", "b/1.png", "c/1.png")
    for copy, first in (("b/2.png", "b/1.png"), ("b/3.png", "b/1.png"), ("d/1.png", "c/1.png")):
        (tmp_path / copy).parent.mkdir(exist_ok=True)
        (tmp_path / copy).write_bytes((tmp_path / first).read_bytes())

    assert complaint(tmp_path, pool) == (
        "Each class needs at least two usable images, one to learn from and one to measure on, but 3 class(es) have "
        "fewer: 'b' has 1 (2 removed as exact copies), 'c' has 0 (1 removed since the same picture lies in two "
        "classes), 'd' has 0 (1 removed since the same picture lies in two classes). Add images or remove the folder."
    )


def test_classes_of_other_files(pool: DecoderPool, tmp_path: Path) -> None:
    """What lies in a class folder in place of images is said, whether its name or its content tells."""
    write(tmp_path, "a/1.png", "a/2.png")
    for name in ("b/1.mp4", "b/2.mp4", "c/1.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"no image")

    assert complaint(tmp_path, pool) == (
        "Each class needs at least two usable images, one to learn from and one to measure on, but 2 class(es) have "
        "fewer: 'b' has 0 (2 skipped: video (not read: export frames as JPEG)), 'c' has 0 (1 skipped: DICOM (not read: "
        "export it as PNG)). Add images or remove the folder."
    )


def test_parts_without_one_to_learn_from(pool: DecoderPool, tmp_path: Path) -> None:
    """A val and a test part are named as what is there."""
    write(tmp_path, "val/a/1.png", "val/b/1.png", "test/a/1.png", "test/b/1.png")

    assert complaint(tmp_path, pool) == (
        "SOURCE has a test part and a val part and no train part to learn from. Name the folder to learn from train/, "
        "or give the folders apart: unfreeze run ONE --test OTHER."
    )


def test_test_class_unseen_in_train(pool: DecoderPool, tmp_path: Path) -> None:
    """A class of the test part without training images is named with its number of images."""
    write(tmp_path, "train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png")

    assert complaint(tmp_path, pool) == (
        "1 class(es) have no usable training image: 'c' (1 elsewhere). Add training images or remove the class."
    )


def test_training_images_without_class_folders(pool: DecoderPool, tmp_path: Path) -> None:
    """A train folder with images but without class folders."""
    write(tmp_path, "train/1.png", "train/2.png", "test/a/1.png")

    assert complaint(tmp_path, pool) == (
        "SOURCE/train has no class folders. Put the training images of each class into a folder of its own."
    )


def test_two_folders_for_one_split(pool: DecoderPool, tmp_path: Path) -> None:
    """Two folders that both mean validation."""
    write(tmp_path, "train/a/1.png", "val/a/1.png", "valid/a/1.png")

    assert complaint(tmp_path, pool) == "Both val/ and valid/ in SOURCE mean the val part. Keep one of them."


@pytest.mark.parametrize(
    "twins", [("Cat", "cat"), ("caf\u00e9", "cafe\u0301"), ("cat", "cat "), ("cat", "cat\u200b"), ("cat", "cat.")]
)
def test_colliding_class_names(pool: DecoderPool, tmp_path: Path, twins: tuple[str, str]) -> None:
    """Class names that some file systems take for the same."""
    write(tmp_path, *(f"{name}/{number}.png" for name in twins for number in range(2)))
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system takes them for the same")

    assert complaint(tmp_path, pool).startswith("Class names differ only in case, in how accents are encoded, ")


def test_too_many_bad_files(pool: DecoderPool, tmp_path: Path) -> None:
    """More bad files than allowed: how many, why, an example, and exit code 3."""
    write(tmp_path, *(f"{label}/{number}.png" for label in "ab" for number in range(4)))
    for number in range(2):
        (tmp_path / f"a/empty{number}.png").touch()
    (tmp_path / "b/text.jpg").write_text("hello")

    assert complaint(tmp_path, pool, TooManyBadFilesError) == (
        "3 of 11 files in SOURCE cannot be used (empty-file 2, not-an-image 1; for example a/empty0.png), but "
        "at most 1% may be. Mend or remove them, or allow more."
    )


def test_list_without_columns(pool: DecoderPool, tmp_path: Path) -> None:
    """A list without the columns that are needed shows what its first line is."""
    (tmp_path / "my.csv").write_text("id,species\na.png,b\n")

    assert complaint(tmp_path / "my.csv", pool) == (
        "SOURCE needs a first line with the columns path and label (and, if wanted, split and group); "
        "found 'id,species'."
    )


def test_list_with_bad_rows(pool: DecoderPool, tmp_path: Path) -> None:
    """Every kind of bad row is named by its line."""
    write(tmp_path, "a.png", "b.png")
    rows = [
        "path,label,split",
        "a.png,x,train",
        "a.png,x,train",
        "b.png,,train",
        "no.png,y,train",
        "b.png,y,extra",
        "b.png,y",
    ]
    (tmp_path / "my.csv").write_text("\n".join(rows))

    assert complaint(tmp_path / "my.csv", pool) == (
        "SOURCE cannot be used as a list of images; mend these rows: line 3: 'a.png' was already listed in line 2; "
        "line 4: label missing; line 5: there is no file 'no.png'; "
        "line 6: unknown split 'extra', wanted train, val or test; line 7: 2 fields where the header has 3. "
        "Files were looked for in PARENT."
    )


def test_list_with_many_bad_rows(pool: DecoderPool, tmp_path: Path) -> None:
    """Of many bad rows the first twenty are shown, and how many more there are."""
    (tmp_path / "my.csv").write_text("path,label\n" + "".join(f"{number}.png,x\n" for number in range(50)))

    text = complaint(tmp_path / "my.csv", pool)

    assert text.count("there is no file") == 20
    assert "; ... and 30 more. Files were looked for in " in text


def test_list_with_some_splits(pool: DecoderPool, tmp_path: Path) -> None:
    """A split for some images only leaves open what the others are."""
    write(tmp_path, "a.png", "b.png")
    (tmp_path / "my.csv").write_text("path,label,split\na.png,x,train\nb.png,y,\n")

    assert complaint(tmp_path / "my.csv", pool) == (
        "SOURCE cannot be used as a list of images; mend these rows: "
        "1 of 2 rows have no split; give one to all of them or to none"
    )


def test_empty_lists(pool: DecoderPool, tmp_path: Path) -> None:
    """A list with a header and no rows, and files that are no lists at all."""
    (tmp_path / "my.csv").write_text("path,label\n")
    (tmp_path / "zero.csv").touch()
    (tmp_path / "my.parquet").write_text("hello")

    assert complaint(tmp_path / "my.csv", pool).startswith("SOURCE names no image.")
    assert complaint(tmp_path / "zero.csv", pool).endswith("found ''.")
    assert complaint(tmp_path / "my.parquet", pool).startswith("SOURCE cannot be read as Parquet: ")


def test_unknown_sample(tmp_path: Path) -> None:
    """A misspelt sample is answered with the nearest name."""
    with pytest.raises(
        InputError, match=r"There is no sample 'flower102'\. Did you mean Flowers102\? Known: leaves, digits, "
    ):
        write_sample("flower102", tmp_path / "new", progress=SILENT)


def test_sample_never_overwrites(tmp_path: Path) -> None:
    """A folder that holds something stays as it is."""
    (tmp_path / "mine").touch()

    with pytest.raises(OutputError, match=r"is there already and not empty\. Choose a new folder\."):
        write_sample("digits", tmp_path, progress=SILENT)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
