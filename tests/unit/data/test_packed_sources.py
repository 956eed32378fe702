"""Photos that lie in tars and Parquet files: which they are, what is known of them, and what is refused."""

import io
import json
import tarfile
import tracemalloc
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import datasets
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset

from conftest import PhotoFolder
from dropping_proxy import dropping_proxy
from object_store import ask_store, object_store
from unfreeze.core import remote_files
from unfreeze.core.errors import ImageSetError
from unfreeze.data import tar_photos
from unfreeze.data.inspection import listed_images
from unfreeze.data.tar_photos import ODD_MEMBER, OTHER_MEMBER, SECOND_PHOTO
from unfreeze.data.unpacking import SAME_NAME

Rows = dict[str, tuple[str, str, bytes]]


def rows(source: Path, *, labelled: bool = True) -> Rows:
    """Label, split and bytes of what a source holds, by name."""
    with listed_images(source, labelled=labelled) as table:
        return {one.name: (one.label, one.split, one.path.read_bytes()) for one in table.candidates()}


def tar(path: Path, members: Mapping[str, bytes]) -> Path:
    """A tar with these members, in this order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, data in members.items():
            add(file, name, data)
    return path


def add(file: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    """A member, of whatever kind."""
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = len(data), kind, link
    file.addfile(member, io.BytesIO(data))


def samples(folder: Path) -> list[tuple[str, str, bytes]]:
    """Key, class and bytes of each photo of a folder of class folders."""
    return [(f"{one.parent.name}-{one.stem}", one.parent.name, one.read_bytes()) for one in sorted(folder.glob("*/*"))]


def test_tars_of_webdataset_hold_what_went_into_them(photo_folder: PhotoFolder, tmp_path: Path) -> None:
    """With the classes, and the part of the split that each tar is by its name; a folder of tars is all of them."""
    photos = samples(photo_folder("ant", "bee", count=4))
    (tmp_path / "tars").mkdir()
    for split in ("train", "test"):
        with webdataset.ShardWriter(str(tmp_path / f"tars/{split}-%03d.tar"), maxcount=3, verbose=0) as sink:
            for key, label, data in photos:
                sink.write({"__key__": key, "png": data, "cls": label})

    found = rows(tmp_path / "tars")

    assert len(found) == 16
    for split in ("train", "test"):
        expected = {
            f"{split}-{place // 3:03}.tar/{key}.png": (label, split, data)
            for place, (key, label, data) in enumerate(photos)
        }
        assert {name: row for name, row in found.items() if name.startswith(split)} == expected
    some = rows(tmp_path / "tars/train-{001..002}.tar")
    assert some == {name: (row[0], "", row[2]) for name, row in found.items() if name[:9] in {"train-001", "train-002"}}
    assert some == rows(tmp_path / "tars/train-00[12].tar")


def test_names_are_taken_apart_as_webdataset_takes_them_apart(tmp_path: Path) -> None:
    """The ending begins at the first dot of the file's own name, whatever its case."""
    names = ["a/b.c/x.png", "a/b.c/x.cls", "y.PNG", "y.cls", "z.seg.png", "z.png", "z.cls"]
    source = tar(tmp_path / "odd.tar", {name: b"1" if name.endswith("cls") else name.encode() for name in names})

    theirs = webdataset.DataPipeline(webdataset.SimpleShardList(str(source)), webdataset.tarfile_samples)
    expected = {each["__key__"]: each["png"] for each in theirs}

    assert {name.removeprefix("odd.tar/").rpartition(".")[0]: row[2] for name, row in rows(source).items()} == expected


def test_parquet_of_hugging_face_names_its_classes(photo_folder: PhotoFolder, tmp_path: Path) -> None:
    """A number has the name that datasets has noted; rows are called by their numbers and paths."""
    photos = samples(photo_folder("ant", "bee", count=2))
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["bee", "ant"])})
    images = [{"bytes": data, "path": f"{key}.png"} for key, _, data in photos]
    table = {"image": images, "label": [label for _, label, _ in photos]}
    for name in ("train-00000-of-00001", "test-00000-of-00001"):
        datasets.Dataset.from_dict(table, features=features).to_parquet(tmp_path / f"data/{name}.parquet")

    assert rows(tmp_path / "data") == {
        f"{split}-00000-of-00001.parquet/{row:08}/{key}.png": (label, split, data)
        for split in ("train", "test")
        for row, (key, label, data) in enumerate(photos)
    }


def test_plain_parquet_with_labels_splits_and_a_gap(tmp_path: Path) -> None:
    """Without notes a label is what stands there; a row without bytes is set aside, and counted."""
    table = {"image": [b"1", b"2", None], "label": ["x", "none", "x"], "split": ["train", "test", "train"]}
    pq.write_table(pa.table(table), tmp_path / "my.parquet")

    assert rows(tmp_path / "my.parquet") == {
        "my.parquet/00000000": ("x", "train", b"1"),
        "my.parquet/00000001": ("none", "test", b"2"),
    }
    with listed_images(tmp_path / "my.parquet") as listed:
        assert [(one.name, one.reason) for one in listed.files_set_aside()] == [
            ("my.parquet/00000002", "missing: no image")
        ]


@pytest.mark.parametrize(
    ("texts", "label"),
    [
        ({"cls": b"7\n", "json": b'{"label": "cat"}'}, "7"),
        ({"json": b'{"label": "cat", "class": 1}', "txt": b"a cat"}, "cat"),
        ({"json": b'{"class": 0}'}, "0"),
        ({"json": b"[" * 100_000, "txt": b"cat"}, "cat"),
        ({"txt": b"one line\nand another"}, "folder"),
        ({"txt": b"word " * 100}, "folder"),
        ({}, "folder"),
    ],
)
def test_where_the_class_stands(texts: Mapping[str, bytes], label: str, tmp_path: Path) -> None:
    """In cls, else in json, else in one short line of txt, else in the name of the folder; a caption is no class."""
    members = {"photos/folder/1.jpg": b"photo"} | {f"photos/folder/1.{end}": text for end, text in texts.items()}

    assert [row[0] for row in rows(tar(tmp_path / "a.tar", members)).values()] == [label]


def test_a_packed_folder_of_class_folders_keeps_its_split(photo_folder: PhotoFolder, tmp_path: Path) -> None:
    """As tar packs it."""
    photos = photo_folder("ant", "bee", count=2, name="train"), photo_folder("ant", "bee", count=1, name="test")
    with tarfile.open(tmp_path / "all.tar", "w") as file:
        for folder in photos:
            file.add(folder, f"./{folder.name}")

    found = Counter((label, split) for label, split, _ in rows(tmp_path / "all.tar").values())
    with listed_images(tmp_path / "all.tar") as table:
        assert not table.skipped

    assert found == {("ant", "train"): 2, ("bee", "train"): 2, ("ant", "test"): 1, ("bee", "test"): 1}


def test_nothing_of_a_hostile_tar_goes_where_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names lead nowhere, links and devices are passed over and counted, and so is what is there twice."""
    monkeypatch.chdir(tmp_path)
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    with tarfile.open(tmp_path / "evil.tar", "w", format=tarfile.PAX_FORMAT) as file:
        add(file, "../escaped.png", b"1")
        add(file, str(tmp_path / "absolute.png"), b"2")
        add(file, "link.png", kind=tarfile.SYMTYPE, link=str(secret))
        add(file, "hard.png", kind=tarfile.LNKTYPE, link="../escaped.png")
        add(file, "device.png", kind=tarfile.CHRTYPE)
        add(file, "pipe.png", kind=tarfile.FIFOTYPE)
        add(file, "x/link", kind=tarfile.SYMTYPE, link="/")
        add(file, "a.png", b"3")
        add(file, "a.jpg", b"4")
        add(file, "a.pyd", b"5")
        add(file, ".hidden.png", b"6")
        add(file, "b\n c.png", b"7")
        add(file, "a.png", b"8")
    before = {path.name for path in tmp_path.iterdir()}

    with listed_images(tmp_path / "evil.tar", labelled=False) as table:
        found = {one.path.read_bytes() for one in table.candidates()}
        assert found == {b"1", b"2", b"3", b"7"}
        assert table.skipped == {ODD_MEMBER: 5, OTHER_MEMBER: 2, SECOND_PHOTO: 1, SAME_NAME: 1}

    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_member_that_unfolds_or_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sparse one says any size in few bytes; a large one is set aside before it is read."""
    monkeypatch.setattr(tar_photos, "MAX_BYTES", 100)
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as file:
        add(file, "large.png", b"1" * 101)
        sparse = tarfile.TarInfo("sparse.png")
        sparse.size = 100
        sparse.pax_headers = {"GNU.sparse.size": str(2**40), "GNU.sparse.map": "0,100"}
        file.addfile(sparse, io.BytesIO(b"2" * 100))

    with listed_images(tmp_path / "a.tar", labelled=False) as table:
        assert table.skipped == {ODD_MEMBER: 1}
        assert [one.reason for one in table.files_set_aside()] == ["file-too-large 101 > 100 bytes"]


def test_a_header_that_says_it_is_endless_is_refused(tmp_path: Path) -> None:
    """It would be taken into memory whole."""
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 2**33
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(member.tobuf(tarfile.GNU_FORMAT))
        file.truncate(2**33)

    with pytest.raises(ImageSetError, match="a header of 8,589,934,592 bytes"):
        rows(tmp_path / "a.tar", labelled=False)


def test_a_tar_that_was_cut_off_or_damaged_is_refused_wherever_that_is(tmp_path: Path) -> None:
    """Python's own reader takes most of these for the end: photos would be lost in silence."""
    whole = tar(tmp_path / "a.tar", {f"{number}.png": bytes([number]) * 700 for number in range(4)}).read_bytes()
    end = 4 * (512 + 1024)
    cut = [whole[:length] for length in range(0, end + 512, 256)]
    damaged = [whole[:place] + b"\xff" + whole[place + 1 :] for place in range(2, end, 1536)]

    for number, data in enumerate(cut + damaged):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(data)
        with pytest.raises(ImageSetError, match="cannot be read as a tar"):
            rows(path, labelled=False)


def test_one_photo_is_in_memory_at_a_time(tmp_path: Path) -> None:
    """However many a tar holds."""
    noise = np.random.default_rng(0).bytes(2**20)
    source = tar(tmp_path / "a.tar", {f"{number}.png": noise for number in range(64)})
    tracemalloc.start()
    try:
        with listed_images(source, labelled=False) as table:
            assert len(table) == 64
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_photos_without_a_class_are_named(tmp_path: Path) -> None:
    """Where classes are wanted; codes need none."""
    source = tar(tmp_path / "a.tar", {"1.png": b"1", "1.cls": b"cat", "2.png": b"2", "3.png": b"3", "3.cls": b"NA"})

    with pytest.raises(ImageSetError) as caught:
        rows(source)
    assert str(caught.value) == (
        f"The photos in {source} cannot be used; mend these: a.tar/2.png: label missing; a.tar/3.png: label is 'NA', "
        "which programs write for a missing value: fill it in, or rename the class."
    )
    assert set(rows(tar(tmp_path / "b.tar", {"2.png": b"2"}), labelled=False)) == {"b.tar/2.png"}


def test_what_is_not_there_and_what_holds_no_photo(tmp_path: Path) -> None:
    """One tar of a range that is missing is named, as is a pattern that matches something else."""
    tar(tmp_path / "0.tar", {"notes.md": b""})
    (tmp_path / "a.zip").write_bytes(b"")

    for name, said in {
        "{0..1}.tar": "There is nothing at .*1.tar. Check the spelling",
        "x-*.tar": "There is nothing at .*x-\\*.tar",
        "*.zip": "There are no .tar or .parquet files at",
        "0.tar": "holds no photo. Wanted tars as WebDataset writes them",
    }.items():
        with pytest.raises(ImageSetError, match=said):
            rows(tmp_path / name)


def test_class_folders_beside_tars_stay_class_folders(photo_folder: PhotoFolder) -> None:
    """As they were before tars were read."""
    source = photo_folder("ant", "bee", count=2)
    tar(source / "backup.tar", {"x.png": b""})

    assert {row[0] for row in rows(source).values()} == {"ant", "bee"}


def test_a_store_gives_the_same_photos_although_connections_drop(
    photo_folder: PhotoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tars and Parquet, by range, folder and name."""
    monkeypatch.setattr(remote_files, "PAUSES", (0.0,) * 4)
    photos = samples(photo_folder("ant", "bee", count=20))
    for number in range(2):
        members = {
            name: data
            for key, label, photo in photos
            for name, data in (
                (f"{key}.png", photo + bytes([number])),
                (f"{key}.json", json.dumps({"label": label}).encode()),
            )
        }
        tar(tmp_path / f"tars/{number}.tar", members)
    table = {"image": [data for *_, data in photos], "label": [label for _, label, _ in photos]}
    pq.write_table(pa.table(table), tmp_path / "photos.parquet", row_group_size=10)

    with object_store("bucket") as server, dropping_proxy(server, after=60_000, drops=4) as proxy:
        ask_store(monkeypatch, proxy.address)
        store = fsspec.filesystem("s3", skip_instance_cache=True)
        store.put(f"{tmp_path}/tars/", "bucket/tars/", recursive=True)
        store.put(f"{tmp_path}/photos.parquet", "bucket/photos.parquet")
        here = rows(tmp_path / "tars")

        assert len(here) == 80
        assert rows(Path("s3://bucket/tars")) == rows(Path("s3://bucket/tars/{0..1}.tar")) == here
        assert rows(Path("s3://bucket/photos.parquet")) == rows(tmp_path / "photos.parquet")
        assert proxy.dropped > 0
