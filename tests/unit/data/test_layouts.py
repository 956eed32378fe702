"""What folders are: classes, parts of a split, wrappings, or nothing of that. None of the files is decoded."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from unfreeze.core.errors import ImageSetError
from unfreeze.data.folders import files_below
from unfreeze.data.image_table import State
from unfreeze.data.inspection import listed_images
from unfreeze.data.system_names import written_by_unfreeze


def touch(root: Path, *names: str) -> None:
    """Write empty files; a name that ends in a slash stands for two photos in that folder."""
    for name in names:
        for each in [f"{name}1.jpg", f"{name}2.jpg"] if name.endswith("/") else [name]:
            (root / each).parent.mkdir(parents=True, exist_ok=True)
            (root / each).write_bytes(b"")


def listing(root: Path, **settings: object) -> tuple[set[tuple[str, str, int]], dict[str, int], list[str]]:
    """Number of files by class and part, what was skipped, and the findings."""
    with listed_images(root, **settings) as table:
        found = [(candidate.label, candidate.split) for candidate in table.candidates()]
        texts = [f"{each.code} {each.sentence}" for each in table.findings]
        rows = {(label, split, found.count((label, split))) for label, split in found}
        assert len(found) + sum(table.skipped.values()) + table.number_of(State.SET_ASIDE) == _files(root), (
            "a file is lost"
        )
        return rows, dict(table.skipped), texts


def _files(root: Path) -> int:
    """Number of files below a folder, and of folders that are links; counted by another walk than ours."""
    return sum(
        len(files) + sum((Path(folder) / name).is_symlink() for name in folders)
        for folder, folders, files in os.walk(root)
    )


CATS_AND_DOGS = {("cats", "train", 2), ("dogs", "train", 2), ("cats", "test", 2), ("dogs", "test", 2)}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("Train", "TEST"),
        ("training_set", "test_set"),
        ("seg_train", "seg_test"),
        ("train_images", "test_images"),
        ("Training Images", "Test Images"),
        ("trainset", "testset"),
        ("train2017", "test2017"),
        ("xray-train", "test"),
        ("training", "holdout"),
        ("train", "hold-out"),
        ("train", "eval"),
        ("Entraînement", "Essai"),
        ("entrenamiento", "prueba"),
        ("训练集", "测试集"),
        ("обучение", "тест"),
        ("学習", "テスト"),
        ("train/train", "test/test"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train/images", "test/images"),
        ("photos/train", "photos/test"),
        ("a/b/train", "a/b/test"),
        ("cats/train", "cats/test"),
    ],
)
def test_parts_of_a_split(train: str, test: str, tmp_path: Path) -> None:
    """Whatever the two are called and however deep they lie, the classes are the folders in them."""
    touch(tmp_path, *(f"{part}/{label}/" for part in (train, test) for label in ("cats", "dogs")))

    rows, skipped, _ = listing(tmp_path)

    assert (rows, skipped) == (CATS_AND_DOGS, {})


@pytest.mark.parametrize(("beside", "means"), [("test", "val"), ("val", "test"), ("other", "test")])
def test_eval_is_what_is_missing(beside: str, means: str, tmp_path: Path) -> None:
    """A part called eval is held out unless there is a test part besides."""
    touch(tmp_path, *(f"{part}/{label}/" for part in ("train", "eval", beside) for label in ("cats", "dogs")))

    rows, _, _ = listing(tmp_path)

    assert ("cats", means, 2) in rows


@pytest.mark.parametrize("names", ["{label}/{part}", "{label}_{part}", "{part}-{label}", "{part}/{label}"])
def test_the_part_may_stand_below_the_class_or_in_its_name(names: str, tmp_path: Path) -> None:
    """Test photos never train."""
    touch(
        tmp_path,
        *(names.format(label=label, part=part) + "/" for part in ("train", "test") for label in ("cats", "dogs")),
    )

    assert listing(tmp_path)[0] == CATS_AND_DOGS


def test_a_class_that_is_called_like_a_part_is_said(tmp_path: Path) -> None:
    """Photos in test/ beside class folders may well have no label."""
    touch(tmp_path, "cats/", "dogs/", "test/")

    assert listing(tmp_path)[2] == ["UF109 test/ is taken for a class."]


@pytest.mark.parametrize(
    "classes",
    [
        ("bus", "train"),
        ("steam_train", "crash_test"),
        ("test", "control"),
        ("test1", "test2"),
        ("trainers", "testers"),
        ("valid", "expired"),
        ("train/old", "bus/old"),
        ("exam/test", "exam/desk", "home/desk"),
        ("0", "1"),
        ("2023/a", "2024/b"),
        ("prueba", "essai"),
    ],
)
def test_classes_may_be_called_like_parts(classes: tuple[str, ...], tmp_path: Path) -> None:
    """Names alone do not make parts of what else would be classes."""
    touch(tmp_path, *(f"{name}/" for name in classes))

    rows, _, _ = listing(tmp_path)

    assert {label for label, _, _ in rows} == {name.partition("/")[0] for name in classes}
    assert {split for _, split, _ in rows} == {""}


def test_one_wrapping_folder(tmp_path: Path) -> None:
    """An archive in a folder of its own, beside files of programs: the classes are found, and it is said where."""
    touch(tmp_path, "data/cats/", "data/dogs/", "annotations/1.xml", "readme.txt")

    rows, skipped, texts = listing(tmp_path)

    assert rows == {("cats", "", 2), ("dogs", "", 2)}
    assert skipped == {"in a folder without photos": 1, "beside the class folders": 1}
    assert texts == [
        "UF109 The class folders lie deeper than was expected: they were read in data/.",
        "UF111 Left out, since it is neither a class nor a part of a split: annotations/ (1 file, in a folder without "
        "photos).",
    ]


def test_two_levels_are_the_classes_of_the_first(tmp_path: Path) -> None:
    """Animals and vehicles, and a note that cats and dogs are not told apart."""
    touch(tmp_path, "animals/cat/", "animals/dog/", "vehicles/car/", "vehicles/bus/")

    rows, _, (text,) = listing(tmp_path)

    assert rows == {("animals", "", 4), ("vehicles", "", 4)}
    assert text == (
        "UF110 The classes are animals/ and vehicles/. The 4 folders in them (cat, dog, bus and car) are not told "
        "apart."
    )


def refusal(root: Path) -> str:
    """Why a folder is refused."""
    with pytest.raises(ImageSetError) as caught, listed_images(root):
        pytest.fail("listed")
    return str(caught.value).replace(str(root), "SOURCE")


@pytest.mark.parametrize(
    ("folders", "sentence"),
    [
        (
            ["cats/train/", "cats/test/", "dogs/"],
            "cats/ in SOURCE is divided into test/ and train/, but dogs/ is not. Divide every class folder, or none.",
        ),
        (
            ["cats/", "cats/test/", "dogs/", "dogs/test/"],
            "Each class folder in SOURCE holds a folder such as cats/test/, which looks like a part of a split, beside "
            "other images. Put those into cats/train/ and so on, or rename test/ if it is none.",
        ),
        (
            ["fold1/cats/", "fold1/dogs/", "fold2/cats/", "fold2/dogs/"],
            "fold1/ and fold2/ in SOURCE look like numbered parts of one set, since each holds the same class folders. "
            "Put the images of each class into one folder, or give a list with a column split.",
        ),
        (
            ["2024-05-01/cats/", "2024-05-01/dogs/", "2024-05-02/cats/", "2024-05-02/dogs/"],
            "2024-05-01/ and 2024-05-02/ in SOURCE look like numbered parts of one set, since each holds the same "
            "class folders. Put the images of each class into one folder, or give a list with a column split.",
        ),
        (
            ["0/cats/", "0/dogs/", "1/cats/", "1/dogs/"],
            "0/ and 1/ in SOURCE look like numbered parts of one set, since each holds the same class folders. "
            "Put the images of each class into one folder, or give a list with a column split.",
        ),
        (
            ["train/cats/", "test/cats/", "holdout/cats/"],
            "Both holdout/ and test/ in SOURCE mean the test part. Keep one of them.",
        ),
    ],
)
def test_what_can_be_meant_in_two_ways_is_refused(folders: list[str], sentence: str, tmp_path: Path) -> None:
    """In one sentence that names the folders."""
    touch(tmp_path, *folders)

    assert refusal(tmp_path) == sentence


@pytest.mark.parametrize(
    "name",
    [
        *("#recycle", "@eaDir", "lost+found", "__MACOSX", ".ipynb_checkpoints", "$RECYCLE.BIN", ".Trash-1000"),
        *("System Volume Information", "@Recycle", "LOST.DIR", "#snapshot", "unfreeze-runs/photos-1"),
    ],
)
def test_what_systems_leave_behind_is_no_class(name: str, tmp_path: Path) -> None:
    """Its photos are counted, and it is named."""
    touch(tmp_path, "cats/", "dogs/", f"{name}/", f"cats/{name}/")

    rows, skipped, (text,) = listing(tmp_path)

    assert rows == {("cats", "", 2), ("dogs", "", 2)}
    assert skipped == {"hidden or left by a system": 4}
    assert f"{name.partition('/')[0]}/ (2 images" in text


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["out/run.json", "out/lock", "out/model/config.json"], "out/ (3 files, of a run of unfreeze)"),
        (["out/config.json", "out/model.safetensors"], "out/ (2 files, of a model)"),
        (["out/model.pth"], "out/ (1 file, in a folder without photos)"),
    ],
)
def test_results_among_the_photos_are_named(files: list[str], said: str, tmp_path: Path) -> None:
    """They are no class, are not refused, and may be named as what is left out."""
    touch(tmp_path, "cats/", "dogs/", *files)

    rows, _, (text,) = listing(tmp_path, exclude=["out"])

    assert rows == {("cats", "", 2), ("dogs", "", 2)}
    assert said in text


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (("cats/images/", "dogs/images/"), ("cats/masks/", "dogs/masks/")),
        (("images/cats/", "images/dogs/"), ("masks/cats/", "masks/dogs/")),
        (("train/cats/img/", "train/dogs/img/"), ("train/cats/ground_truth/", "train/dogs/ground_truth/")),
    ],
)
def test_masks_of_photos_are_no_photos(images: Iterable[str], masks: Iterable[str], tmp_path: Path) -> None:
    """A set made for segmentation: a classifier learns from the photos alone, and what is left out is named."""
    touch(tmp_path, *images, *masks)

    rows, skipped, texts = listing(tmp_path)

    assert {(label, number) for label, _, number in rows} == {("cats", 2), ("dogs", 2)}
    assert skipped == {"beside the folders that were read": 4}
    assert any(text.startswith("UF111 ") for text in texts)


def test_classes_may_be_called_like_masks(tmp_path: Path) -> None:
    """People with masks and without are two classes."""
    touch(tmp_path, "mask/", "no_mask/")

    assert listing(tmp_path)[0] == {("mask", "", 2), ("no_mask", "", 2)}


def test_digits_that_are_divided_are_classes(tmp_path: Path) -> None:
    """Folders that are called by numbers and hold train/ and test/ are classes, and no parts."""
    touch(tmp_path, "0/train/", "0/test/", "1/train/", "1/test/")

    rows, _, _ = listing(tmp_path)

    assert rows == {("0", "train", 2), ("0", "test", 2), ("1", "train", 2), ("1", "test", 2)}


@pytest.mark.parametrize("sign", ["run.json", "plan.json", "config.json model.safetensors"])
def test_results_below_a_class_folder_are_no_photos_of_it(sign: str, tmp_path: Path) -> None:
    """The pictures of a report are not learned from, wherever --out was."""
    touch(tmp_path, "cats/", "dogs/", "cats/mine/report/1.png", *(f"cats/mine/{name}" for name in sign.split()))

    rows, skipped, (text,) = listing(tmp_path)

    assert rows == {("cats", "", 2), ("dogs", "", 2)}
    assert sum(skipped.values()) == 1 + len(sign.split())
    assert "cats/mine/ (1 image, of a " in text


def test_a_folder_that_cannot_be_looked_into_is_none_of_ours() -> None:
    """Whether there is a file in it is not known, and no error: its name is too long, or it may not be entered."""
    assert written_by_unfreeze("/" + "x" * 5000) == ""


def test_what_lies_beside_the_parts_is_counted(tmp_path: Path) -> None:
    """Every photo of a folder that is none of the parts, and the folder by name."""
    touch(tmp_path, "train/cats/", "train/dogs/", "test/cats/", "unlabelled/1.jpg", "unlabelled/more/2.jpg")

    _, skipped, (text,) = listing(tmp_path)

    assert skipped == {"beside the folders that were read": 2}
    assert "unlabelled/ (2 images, beside the folders that were read)" in text


def test_links_to_class_folders_and_parts_are_followed(tmp_path: Path) -> None:
    """A class that is a link, a test part that is one, and files that are, all under the names of the links."""
    touch(tmp_path / "elsewhere", "wasps/", "test/ants/", "test/wasps/", "photo.jpg")
    touch(tmp_path / "set/train", "ants/")
    (tmp_path / "set/train/wasps").symlink_to("../../elsewhere/wasps")
    (tmp_path / "set/test").symlink_to("../elsewhere/test")
    (tmp_path / "set/train/ants/linked.jpg").symlink_to(tmp_path / "elsewhere/photo.jpg")

    with listed_images(tmp_path / "set") as table:
        names = [candidate.name for candidate in table.candidates()]

    assert names == [
        *("test/ants/1.jpg", "test/ants/2.jpg", "test/wasps/1.jpg", "test/wasps/2.jpg"),
        *("train/ants/1.jpg", "train/ants/2.jpg", "train/ants/linked.jpg", "train/wasps/1.jpg", "train/wasps/2.jpg"),
    ]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("..", "link to a folder around it"),
        (".", "link to a folder around it"),
        ("cats", "link to a folder that is read anyway"),
        ("nowhere", "dangling link"),
        ("wasps", "link that cannot be followed: too many levels of symbolic links"),
        ("x" * 300, "link that cannot be followed: file name too long"),
    ],
)
def test_a_link_that_leads_in_a_circle_is_named(target: str, reason: str, tmp_path: Path) -> None:
    """It is not followed, counted as one, and named with the reason."""
    touch(tmp_path / "set", "cats/", "dogs/")
    (tmp_path / "set/wasps").symlink_to(target)

    rows, skipped, (text,) = listing(tmp_path / "set")

    assert rows == {("cats", "", 2), ("dogs", "", 2)}
    assert skipped == {reason: 1}
    assert f"wasps ({reason})" in text


def test_two_links_to_one_folder(tmp_path: Path) -> None:
    """The photos are of the class whose link comes first."""
    touch(tmp_path / "elsewhere", "a/")
    touch(tmp_path / "set", "cats/")
    for name in ("wasps", "bees"):
        (tmp_path / "set" / name).symlink_to("../elsewhere/a")

    with listed_images(tmp_path / "set") as table:
        labels = [candidate.label for candidate in table.candidates()]
        skipped = dict(table.skipped)

    assert labels == ["bees", "bees", "cats", "cats"]
    assert skipped == {"second link to one folder": 1}


def deny(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Make folders that may not be opened, also for root."""
    scandir = os.scandir

    def refusing(path: str | Path) -> Iterable[os.DirEntry[str]]:
        if Path(path) in folders:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)


def test_a_class_folder_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is set aside under the name of its class with the reason."""
    touch(tmp_path, "cats/", "dogs/")
    deny(monkeypatch, tmp_path / "dogs")

    with listed_images(tmp_path) as table:
        assert table.labels() == {"cats", "dogs"}
        assert [(item.name, item.reason) for item in table.files_set_aside("dogs")] == [
            ("dogs/", "permission: the folder may not be read")
        ]


def test_a_source_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is said, not what is lacking."""
    touch(tmp_path, "cats/")
    deny(monkeypatch, tmp_path)

    assert refusal(tmp_path) == (
        "SOURCE may not be read (permission). Wanted a folder of class folders that can be opened."
    )


def test_a_test_folder_is_read_in_the_same_way(tmp_path: Path) -> None:
    """It may be wrapped, and all that it is is a test part."""
    touch(tmp_path / "photos", "cats/", "dogs/")
    touch(tmp_path / "held", "test/cats/", "test/dogs/", "#recycle/")

    with listed_images(tmp_path / "photos", test=tmp_path / "held") as table:
        splits = [candidate.split for candidate in table.candidates()]
        skipped = dict(table.skipped)

    assert (splits.count("train"), splits.count("test")) == (4, 4)
    assert skipped == {"hidden or left by a system": 2}


def test_a_test_folder_with_a_train_part_is_refused(tmp_path: Path) -> None:
    """Nothing that was meant to train tests."""
    touch(tmp_path / "photos", "cats/", "dogs/")
    touch(tmp_path / "held", "test/cats/", "train/cats/")

    with (
        pytest.raises(ImageSetError, match=r"has parts of its own \(test and train\)"),
        listed_images(tmp_path / "photos", test=tmp_path / "held"),
    ):
        pytest.fail("listed")


def test_files_below_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What predict reads of a folder: links where class folders may be, and a closed folder by name."""
    touch(tmp_path / "elsewhere", "a/")
    touch(tmp_path / "inbox", "1.jpg", "cats/", "closed/", "#recycle/", "notes.txt")
    (tmp_path / "inbox/dogs").symlink_to("../elsewhere/a")
    (tmp_path / "inbox/cats/up").symlink_to("..")
    deny(monkeypatch, tmp_path / "inbox/closed")

    below = files_below(tmp_path / "inbox")

    names = [path.relative_to(tmp_path / "inbox").as_posix() for path in below.paths]
    assert names == ["1.jpg", "cats/1.jpg", "cats/2.jpg", "dogs/1.jpg", "dogs/2.jpg"]
    assert below.skipped == {
        "hidden or left by a system": 2,
        "not an image by name": 1,
        "link to a folder around it": 1,
    }
    assert [(item.name, item.reason) for item in below.blocked] == [
        (f"{tmp_path / 'inbox/closed'}/", "permission: the folder may not be read")
    ]
