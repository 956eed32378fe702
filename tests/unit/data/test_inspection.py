"""Inspection: folders and lists of every shape, duplicates, and the account of every file."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from unfreeze.advisor.metric_choice import metric_for
from unfreeze.core.errors import ImageSetError, StoppedError
from unfreeze.core.progress import SILENT, Progress
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import listed_images, read_image_set
from unfreeze.data.tasks import make_task
from unfreeze.images.pool import DecoderPool


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """Decoders for all tests here."""
    with DecoderPool(workers=2) as pool:
        yield pool


_numbers = iter(range(10**9))


def write(path: Path, *, side: int = 40, content: int | None = None) -> Path:
    """Write an image; each is different unless `content` says otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(next(_numbers) if content is None else 10**9 + content)
    Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path, "PNG")
    return path


def fill(root: Path, *folders: str, count: int = 5) -> None:
    """Write a few images into each folder."""
    for folder in folders:
        for number in range(count):
            write(root / folder / f"{number}.png")


def read(source: Path, pool: DecoderPool, **settings: object) -> ImageSet:
    """Read without a progress bar."""
    return read_image_set(source, pool=pool, progress=SILENT, **settings)


@pytest.mark.parametrize("as_list", [False, True], ids=["folder", "list"])
def test_listing_looks_at_the_stop_for_every_file(*, as_list: bool, tmp_path: Path) -> None:
    """Whoever wants to stop does not wait until a million files are found."""
    fill(tmp_path, "a", "b", count=1)
    (tmp_path / "list.csv").write_text("path,label\na/0.png,a\nb/0.png,b\n")
    progress = Progress()
    progress.stop.request()

    with pytest.raises(StoppedError), listed_images(tmp_path / "list.csv" if as_list else tmp_path, progress=progress):
        pytest.fail("listed")


def names(image_set: ImageSet) -> list[str]:
    """Names of the images that are left."""
    return [image.name for image in image_set.images]


def texts(image_set: ImageSet) -> list[str]:
    """What the user should know: sentences with their advice."""
    return [found.text for found in image_set.findings]


def test_class_folders(pool: DecoderPool, tmp_path: Path) -> None:
    """Labels are the names of the first folders, at any depth; names are relative and sorted."""
    fill(tmp_path, "cat", "dog/big/old", count=2)

    seen = read(tmp_path, pool)

    assert names(seen) == ["cat/0.png", "cat/1.png", "dog/big/old/0.png", "dog/big/old/1.png"]
    assert [image.label for image in seen.images] == ["cat", "cat", "dog", "dog"]
    assert {image.split for image in seen.images} == {""}
    assert all(image.path.is_absolute() and len(image.sha256) == 64 for image in seen.images)


@pytest.mark.parametrize(
    ("folder", "split"), [("test", "test"), ("val", "val"), ("valid", "val"), ("Validation", "val")]
)
def test_split_folders(pool: DecoderPool, tmp_path: Path, folder: str, split: str) -> None:
    """Folders of splits give the splits; a list beside them changes nothing and is counted."""
    fill(tmp_path, "train/a", "train/b", f"{folder}/a", f"{folder}/b", count=2)
    (tmp_path / "list.csv").write_text("path,label\n")

    seen = read(tmp_path, pool)

    assert {image.split for image in seen.images} == {"train", split}
    assert len(seen.part(split).images) == 4
    assert dict(seen.skipped) == {"beside the class folders": 1}


def test_a_class_may_be_called_train(pool: DecoderPool, tmp_path: Path) -> None:
    """Pictures of trains beside pictures of buses are a class, not a split."""
    fill(tmp_path, "bus", "train")

    assert read(tmp_path, pool).classes == ("bus", "train")


def test_every_file_is_accounted_for(pool: DecoderPool, tmp_path: Path) -> None:
    """Hidden files, litter, other files, strays and bad images are counted, each once, and content beats the suffix."""
    fill(tmp_path, "a", "b")
    for folder in (".ipynb_checkpoints", "__MACOSX"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0.png").touch()
    (tmp_path / "stray.png").touch()
    for name in (".DS_Store", "._0.png", "Thumbs.db", "notes.txt", "labels.csv"):
        (tmp_path / "a" / name).write_text("hello")
    (tmp_path / "a" / "README").write_text("hello")
    (tmp_path / "a" / "empty.JPG").touch()
    write(tmp_path / "a" / "0.png").rename(tmp_path / "a" / "photo")
    write(tmp_path / "b" / "really_png.jfif")

    seen = read(tmp_path, pool)

    assert dict(seen.skipped) == {
        "hidden or left by a system": 5,
        "beside the class folders": 1,
        "not an image by name": 2,
        "not an image by name and content": 1,
    }
    assert [(item.name, item.reason) for item in seen.set_aside] == [("a/empty.JPG", "empty-file")]
    assert {"a/photo", "b/really_png.jfif"} <= set(names(seen))
    assert (seen.counts.found, seen.counts.used, seen.counts.set_aside) == (21, 11, 1)
    assert seen.counts.skipped == 9


def test_our_own_results_are_no_class(pool: DecoderPool, tmp_path: Path) -> None:
    """Results that an earlier run left among the class folders are passed over."""
    fill(tmp_path, "a", "b", "unfreeze-runs/photos-1")

    assert read(tmp_path, pool).classes == ("a", "b")


def test_links_below_class_folders(pool: DecoderPool, tmp_path: Path) -> None:
    """A linked image is read, a linked folder only if asked, when a loop ends; files keep the name of the link."""
    fill(tmp_path / "set", "a", "b", count=2)
    outside = write(tmp_path / "outside.png")
    try:
        (tmp_path / "set/a/link.png").symlink_to(outside)
    except OSError:
        pytest.skip("no links here")
    (tmp_path / "set/a/gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "set/a/loop").symlink_to(tmp_path / "set/a", target_is_directory=True)

    plain, followed = read(tmp_path / "set", pool), read(tmp_path / "set", pool, follow_links=True)

    assert dict(plain.skipped) == {"link to a folder below a class folder (not followed)": 1, "dangling link": 1}
    assert names(plain) == ["a/0.png", "a/1.png", "a/link.png", "b/0.png", "b/1.png"]
    assert names(followed) == ["a/0.png", "a/1.png", "a/link.png", "b/0.png", "b/1.png"]
    assert dict(followed.skipped) == {"dangling link": 1, "folder met before (link loop)": 1}
    assert followed.images[2].path == outside


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_are_skipped(pool: DecoderPool, tmp_path: Path) -> None:
    """A named pipe is neither opened nor counted as an image."""
    fill(tmp_path, "a", "b")
    os.mkfifo(tmp_path / "a" / "pipe.png")

    assert dict(read(tmp_path, pool).skipped) == {"not a regular file": 1}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_strange_names(pool: DecoderPool, tmp_path: Path) -> None:
    """Names with markup, newlines, spreadsheet formulas or bytes that are no text are read as they are."""
    strange = [
        os.fsdecode(b"\xff\xfe.png"),
        "a\nb.png",
        "<script>.png",
        "=cmd|' /C calc'!A0.png",
        "-rf.png",
        " .png",
        "x" * 251 + ".png",
    ]
    for name in strange:
        write(tmp_path / "a" / name)
    fill(tmp_path, "b")

    seen = read(tmp_path, pool)

    assert {f"a/{name}" for name in strange} <= set(names(seen))


def test_copies_keep_the_first_by_name(pool: DecoderPool, tmp_path: Path) -> None:
    """Of images with equal pixels on one side the first by name stays, whatever the file format."""
    fill(tmp_path, "a", "b")
    first = write(tmp_path / "a/x.png", content=1)
    Image.open(first).save(tmp_path / "a/y.bmp")

    seen = read(tmp_path, pool)

    assert [(item.name, item.same_as, item.why) for item in seen.duplicates] == [("a/y.bmp", "a/x.png", "same pixels")]
    assert seen.counts.duplicates_removed == 1


def test_copies_across_splits_leave_the_training_side(pool: DecoderPool, tmp_path: Path) -> None:
    """A copy of a test image leaves train and val, a copy of a val image leaves train, and a warning says so."""
    fill(tmp_path, *(f"{split}/{label}" for split in ("train", "val", "test") for label in "ab"))
    for split in ("train", "val", "test"):
        write(tmp_path / split / "a/same.png", content=2)
    for split in ("train", "val"):
        write(tmp_path / split / "b/same.png", content=3)

    seen = read(tmp_path, pool)

    assert {(item.name, item.same_as) for item in seen.duplicates} == {
        ("train/a/same.png", "test/a/same.png"),
        ("val/a/same.png", "test/a/same.png"),
        ("train/b/same.png", "val/b/same.png"),
    }
    assert {"test/a/same.png", "val/b/same.png"} <= set(names(seen))
    assert any("1 train images" in text and "copies of test images" in text for text in texts(seen))


def test_conflicting_labels_leave_altogether(pool: DecoderPool, tmp_path: Path) -> None:
    """One picture in two classes teaches nothing: all its copies go, and a warning names them."""
    fill(tmp_path, "a", "b")
    for name in ("a/x.png", "a/y.png", "b/z.png"):
        write(tmp_path / name, content=4)

    seen = read(tmp_path, pool)

    assert {item.why for item in seen.duplicates} == {"conflicting labels"}
    assert len(seen.duplicates) == 3
    assert any("conflicting labels" in text and "b/z.png" in text for text in texts(seen))


def test_warnings(pool: DecoderPool, tmp_path: Path) -> None:
    """Imbalance, small classes and small images are said."""
    fill(tmp_path, "a", count=23)
    fill(tmp_path, "b", count=2)

    text = " ".join(texts(read(tmp_path, pool)))

    assert "'a' has 23" in text
    assert "1 class has fewer than 5" in text
    assert "25 of 25 images are smaller than 64 pixels" in text


def test_a_group_on_both_sides_of_a_given_split_is_said(pool: DecoderPool, tmp_path: Path) -> None:
    """One patient's photos in both parts: what the test part says is too good to be true."""
    fill(tmp_path, "photos", count=4)
    rows = [
        ("0.png", "a", "train", "p"),
        ("1.png", "b", "train", "q"),
        ("2.png", "a", "test", "p"),
        ("3.png", "b", "test", ""),
    ]
    lines = [",".join((f"photos/{name}", *rest)) for name, *rest in rows]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,split,group", *lines]))

    text = " ".join(texts(read(tmp_path / "list.csv", pool)))

    assert "1 group has images in the test part and in the rest" in text


@pytest.mark.parametrize(
    ("folders", "strong"),
    [
        ({"a": 50, "b": 2}, True),
        ({"a": 11, "b": 11, "c": 2}, False),  # a stray one is passed over
        ({"a": 12, "b": 5, "c": 6}, True),  # one has more than half of three
        ({"train/a": 22, "train/b": 2, "test/b": 2}, True),
        ({"train/a": 22, "train/b": 2, "val/b": 8}, False),  # a run learns from a val part too
    ],
)
def test_the_finding_on_imbalance_and_the_metric_never_contradict(
    pool: DecoderPool, tmp_path: Path, folders: dict[str, int], strong: bool
) -> None:
    """UF103 is found exactly where balanced accuracy decides."""
    for folder, count in folders.items():
        fill(tmp_path, folder, count=count)

    seen = read(tmp_path, pool)

    assert any(found.code == "UF103" for found in seen.findings) == strong
    assert metric_for(make_task(seen, seed=0), None)[0] == ("balanced accuracy" if strong else "accuracy")


def test_balanced_large_images_need_no_warning(pool: DecoderPool, tmp_path: Path) -> None:
    """Where there is nothing to say, nothing is said."""
    for label in "ab":
        for number in range(5):
            write(tmp_path / label / f"{number}.png", side=64)

    assert read(tmp_path, pool).findings == ()


LIST = (
    "path,label,split,group\r\n{0}/0.png,cat,train,x\r\n{0}/1.png,dog,training,\r\n"
    "{0}/2.png,cat,Test,y\r\n\r\n{0}/3.png,dog,test,\r\n"
)


@pytest.mark.parametrize(
    "text", [LIST, "\ufeff" + LIST, LIST.replace(",", ";"), LIST.replace("{0}/0.png", '"{0}/0.png"')]
)
def test_csv_lists(pool: DecoderPool, tmp_path: Path, text: str) -> None:
    """A list is read with or without BOM and quotes, with CRLF and empty lines, with commas or semicolons."""
    fill(tmp_path, "all", count=4)
    (tmp_path / "my.csv").write_text(text.format("all"), newline="")

    seen = read(tmp_path / "my.csv", pool)

    assert [(image.name, image.label, image.split, image.group) for image in seen.images] == [
        ("all/0.png", "cat", "train", "x"),
        ("all/1.png", "dog", "train", ""),
        ("all/2.png", "cat", "test", "y"),
        ("all/3.png", "dog", "test", ""),
    ]


def test_quoted_paths(pool: DecoderPool, tmp_path: Path) -> None:
    """A path or label with a comma or a quote is read as a spreadsheet writes it."""
    fill(tmp_path, "a, b", count=4)
    rows = "".join(f'"a, b/{number}.png","say ""{number % 2}"""\n' for number in range(4))
    (tmp_path / "my.csv").write_text("path,label\n" + rows)

    seen = read(tmp_path / "my.csv", pool)

    assert names(seen) == [f"a, b/{number}.png" for number in range(4)]
    assert seen.classes == ('say "0"', 'say "1"')


def test_parquet_lists(pool: DecoderPool, tmp_path: Path) -> None:
    """A Parquet list says the same as a CSV list; an empty group is no group; absolute paths are welcome."""
    fill(tmp_path, "all", count=4)
    paths = ["all/0.png", str(tmp_path / "all/1.png"), "all/2.png", "./all/3.png"]
    table = pa.table({"path": paths, "label": ["a", "b", "a", "b"], "group": ["g", None, "g", ""]})
    pa.parquet.write_table(table, tmp_path / "my.parquet")

    seen = read(tmp_path / "my.parquet", pool)

    assert names(seen) == [f"all/{number}.png" for number in range(4)]
    assert [image.group for image in seen.images] == ["g", "", "g", ""]


def test_numbers_as_labels(pool: DecoderPool, tmp_path: Path) -> None:
    """Labels that a Parquet file holds as numbers become their text."""
    fill(tmp_path, "all", count=4)
    table = pa.table({"path": [f"all/{n}.png" for n in range(4)], "label": [0, 0, 1, 1]})
    pa.parquet.write_table(table, tmp_path / "my.parquet")

    assert read(tmp_path / "my.parquet", pool).classes == ("0", "1")


def test_few_bad_files_are_no_error(pool: DecoderPool, tmp_path: Path) -> None:
    """Two bad files of twelve are set aside with their reasons, and the rest is used."""
    fill(tmp_path, "a", "b")
    (tmp_path / "a/bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "b/bad.jpg").write_text("hello")

    seen = read(tmp_path, pool)

    assert [item.reason for item in seen.set_aside] == ["corrupt-png", 'not-an-image: starts with "hello"']
    assert all(len(item.sha256) == 64 for item in seen.set_aside)


def test_flags_reach_the_image(pool: DecoderPool, tmp_path: Path) -> None:
    """What the decoder noticed stands on the image."""
    fill(tmp_path, "a", "b")
    frames = [Image.new("RGB", (40, 40), (shade, 0, 0)) for shade in (0, 99)]
    frames[0].save(tmp_path / "a/moving.gif", save_all=True, append_images=frames[1:])

    flags = {image.name: image.flags for image in read(tmp_path, pool).images}

    assert flags["a/moving.gif"] == ("animated: frame 1 of 2",)


def test_reading_twice_gives_the_same(pool: DecoderPool, tmp_path: Path) -> None:
    """The set depends on the files alone, not on the order in which decoders answer."""
    fill(tmp_path, "a", "b", count=20)

    assert read(tmp_path, pool) == read(tmp_path, pool)


def test_unlabelled_test_images_are_said(pool: DecoderPool, tmp_path: Path) -> None:
    """A test folder without class folders is not used, and a warning says so."""
    fill(tmp_path, "train/a", "train/b", "test")

    seen = read(tmp_path, pool)

    assert {image.split for image in seen.images} == {"train"}
    assert any("5 files" in text and "have no label: they were not used" in text for text in texts(seen))


def test_a_missing_class_on_the_training_side_is_an_error(pool: DecoderPool, tmp_path: Path) -> None:
    """A class that only the test part has cannot be learned."""
    fill(tmp_path, "train/a", "train/b", "test/a", "test/c")

    with pytest.raises(ImageSetError, match="'c' \\(5 elsewhere\\)"):
        read(tmp_path, pool)
