"""Which photos are meant by what is named: patterns, lists, Parquet files, standard input."""

import io
import os
import shutil
import tarfile
from pathlib import Path
from types import SimpleNamespace

import datasets
import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from unfreeze.core.errors import DiskFullError, ImageSetError, InputError
from unfreeze.data.named_photos import NamedPhotos, named_photos
from zoo_servers import served_folder


def photo(path: Path, shade: int = 0) -> Path:
    """A small photo of one shade."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(path, "PNG")
    return path


def found(tmp_path: Path, *named: str | Path, given: bytes = b"") -> NamedPhotos:
    """What is found, with files that are unpacked in a folder of their own."""
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir(exist_ok=True)
    return named_photos([Path(name) for name in named], unpacked=unpacked, standard_input=lambda: given, here=tmp_path)


def called(photos: NamedPhotos) -> list[str]:
    """What answers call the photos."""
    return [photos.names[str(path)] for path in photos.paths]


def test_two_stars_reach_every_depth_and_what_is_no_photo_may_be_passed_over(tmp_path: Path) -> None:
    """As in a shell that knows them; a folder that matches is not read a second time."""
    top, deep = photo(tmp_path / "in/a.png"), photo(tmp_path / "in/x/y/b.png")
    (tmp_path / "in/x/notes.txt").write_text("b.png")

    everything, pngs = found(tmp_path, tmp_path / "in/**"), found(tmp_path, tmp_path / "in/**/*.png")

    assert set(pngs.paths) == {top, deep}
    assert set(everything.paths) == {top, deep, tmp_path / "in/x/notes.txt"}
    assert everything.loose == {str(path) for path in everything.paths}


def test_a_pattern_that_matches_folders_reads_what_is_in_them(tmp_path: Path) -> None:
    """As if the shell had written out their names."""
    inside = photo(tmp_path / "in-1/a.png")

    assert found(tmp_path, tmp_path / "in-?").paths == (inside,)


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    """Cameras and browsers write brackets into names."""
    odd = photo(tmp_path / "photo[1].png")

    assert found(tmp_path, odd).paths == (odd,)


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    """It names the pattern."""
    with pytest.raises(InputError, match=r"Nothing matches .*none-\*\.jpg"):
        found(tmp_path, tmp_path / "none-*.jpg")


def test_a_photo_that_is_named_twice_is_read_once_and_counted(tmp_path: Path) -> None:
    """However its name is written; named by hand it is never passed over, also where its folder came first."""
    one = photo(tmp_path / "in/a.png")

    twice = found(tmp_path, tmp_path / "in", one, tmp_path / "in/../in/a.png")

    assert twice.paths == (one,)
    assert twice.skipped == {"named more than once": 2}
    assert twice.loose == frozenset()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "\na.png\nin/b.png\n"),
        ("list.txt", "path\na.png\nin/b.png\n"),
        ("list.csv", "path,label,left_out\na.png,x,\nc.png,x,blurred\nin/b.png,y,\n"),
        ("list.tsv", "label\tfile\nx\ta.png\ny\tin/b.png\n"),
    ],
)
def test_lists_name_photos_with_or_without_labels(tmp_path: Path, name: str, text: str) -> None:
    """Relative to the list; they are called what the list calls them. What it leaves out is counted."""
    photo(tmp_path / "lists/a.png"), photo(tmp_path / "lists/in/b.png"), photo(tmp_path / "lists/c.png")
    (tmp_path / "lists" / name).write_text(text)

    photos = found(tmp_path, tmp_path / "lists" / name)

    assert called(photos) == ["a.png", "in/b.png"]
    assert photos.skipped == ({"left out by the list": 1} if "left_out" in text else {})


def test_what_a_list_names_in_vain_is_set_aside_by_its_line(tmp_path: Path) -> None:
    """The others are read all the same: one photo that was moved should not cost an answer on thousands."""
    photo(tmp_path / "a.png")
    (tmp_path / "list.csv").write_text("path,label\na.png,x\ngone.png,x\nb.png\n")

    gone, short = found(tmp_path, tmp_path / "list.csv").set_aside

    assert gone.name == "gone.png"
    assert gone.reason == f"missing: there is no file 'gone.png' (line 3 of {tmp_path / 'list.csv'})"
    assert "1 fields where the header has 2" in short.reason


def test_notes_beside_photos_are_one_file_that_is_set_aside(tmp_path: Path) -> None:
    """A shell that writes out a pattern names them too; each of their lines would be no news."""
    one = photo(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("taken in May\nwith the old camera\n")

    photos = found(tmp_path, one, tmp_path / "notes.txt")

    assert photos.paths == (one,)
    assert [item.name for item in photos.set_aside] == [str(tmp_path / "notes.txt")]


def test_a_table_without_paths_is_an_error(tmp_path: Path) -> None:
    """It says what is wanted and what was found."""
    (tmp_path / "list.csv").write_text("name;size\na.png;3\n")

    with pytest.raises(ImageSetError, match="needs a first line with a column path; found 'name;size'"):
        found(tmp_path, tmp_path / "list.csv")


def test_what_datasets_writes_is_read(tmp_path: Path) -> None:
    """Rows that hold the bytes of a photo give these bytes, rows that hold only its path the file; in their order."""
    first, second = photo(tmp_path / "a.png", 10), photo(tmp_path / "b.png", 20)
    rows = [{"bytes": first.read_bytes(), "path": "a.png"}, {"bytes": None, "path": str(second)}]
    table = datasets.Dataset.from_dict({"image": rows, "label": [0, 1]})
    table.cast_column("image", datasets.Image(decode=False)).to_parquet(tmp_path / "rows.parquet")

    photos = found(tmp_path, tmp_path / "rows.parquet")

    assert [path.read_bytes() for path in photos.paths] == [first.read_bytes(), second.read_bytes()]
    assert called(photos) == [f"{tmp_path / 'rows.parquet'}[0] a.png", str(second)]


@pytest.mark.parametrize("writer", ["pandas", "large_binary", "dictionary"])
def test_columns_of_bytes_and_of_paths_are_told_apart(tmp_path: Path, writer: str) -> None:
    """By type and name, as pandas and Arrow write them; a row without a photo is set aside by its number."""
    data = photo(tmp_path / "a.png").read_bytes()
    place = tmp_path / "rows.parquet"
    if writer == "pandas":
        pd.DataFrame({"file_name": ["a.png", None], "size": [1, 2]}).to_parquet(place)
    elif writer == "dictionary":
        pq.write_table(pa.table({"path": pa.array(["a.png", None]).dictionary_encode()}), place)
    else:
        pq.write_table(pa.table({"jpeg": pa.array([data, None], pa.large_binary())}), place)

    photos = found(tmp_path, place)

    assert [path.read_bytes() for path in photos.paths] == [data]
    assert [(item.name, item.reason) for item in photos.set_aside] == [(f"{place}[1]", "missing: no image")]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"label": [1]}, r"has no column of photos: .* Found label \(int64\)"),
        ({"left": [b"x"], "right": [b"y"]}, r"has 2 columns of photos \(left, right\)"),
    ],
)
def test_a_table_whose_photos_cannot_be_found_is_an_error(
    tmp_path: Path, columns: dict[str, list[object]], said: str
) -> None:
    """It says which columns there are."""
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")

    with pytest.raises(ImageSetError, match=said):
        found(tmp_path, tmp_path / "rows.parquet")


def test_a_file_that_is_no_table_is_an_error(tmp_path: Path) -> None:
    """Of Parquet it has the name alone."""
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 or not")

    with pytest.raises(ImageSetError, match="cannot be read as Parquet"):
        found(tmp_path, tmp_path / "rows.parquet")


def test_a_path_in_a_table_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    """Parquet says that it is UTF-8, and a flipped bit makes it something else."""
    pq.write_table(pa.table({"path": ["photo.png"]}), tmp_path / "rows.parquet", compression="none")
    data = (tmp_path / "rows.parquet").read_bytes()
    (tmp_path / "rows.parquet").write_bytes(data.replace(b"photo.png", b"photo.pn\xe8"))

    with pytest.raises(ImageSetError, match="cannot be read as Parquet"):
        found(tmp_path, tmp_path / "rows.parquet")


def test_photos_that_find_no_room_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before the first of them is written, with the folder that may be another one."""
    pq.write_table(pa.table({"image": [b"x" * 1000]}), tmp_path / "rows.parquet")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))

    with pytest.raises(DiskFullError, match="choose a place on another disk with TMPDIR"):
        found(tmp_path, tmp_path / "rows.parquet")
    assert list((tmp_path / "unpacked").iterdir()) == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
def test_standard_input_is_a_path_a_line_as_find_prints_them(tmp_path: Path, end: bytes) -> None:
    """Also with CRLF, with ``-print0``, and with a byte that is no UTF-8; relative to where the command was given."""
    odd = tmp_path / os.fsdecode(b"caf\xe9.png")
    photo(tmp_path / "a.png"), photo(odd)

    photos = found(tmp_path, "-", given=b"a.png" + end + os.fsencode(odd) + end)

    assert photos.paths == (tmp_path / "a.png", odd)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "PPM", "WEBP", "TIFF"])
def test_standard_input_may_be_one_image(tmp_path: Path, form: str) -> None:
    """It has no name of its own."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, form)

    photos = found(tmp_path, "-", given=file.getvalue())

    assert [path.read_bytes() for path in photos.paths] == [file.getvalue()]
    assert called(photos) == ["standard input"]


def test_empty_standard_input_is_an_error(tmp_path: Path) -> None:
    """A program before the pipe may have found nothing."""
    with pytest.raises(InputError, match="Standard input is empty"):
        found(tmp_path, "-", given=b"\n")


def packed(path: Path, *names: str) -> Path:
    """A tar of photos, each of another shade, with a label beside the first of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for shade, name in enumerate(names):
            file.add(photo(path.parent / "of-tar.png", shade), name)
        member = tarfile.TarInfo(f"{Path(names[0]).stem}.cls")
        file.addfile(member, io.BytesIO())
    (path.parent / "of-tar.png").unlink()
    return path


def test_photos_in_tars_are_called_by_the_tar_and_their_names_in_it(tmp_path: Path) -> None:
    """By name, by a range, by a pattern of tars, and in a folder of nothing else; labels are no photos."""
    tars = [packed(tmp_path / f"tars/t-{number}.tar", "a.png", "x/b.jpg") for number in range(2)]
    names = [f"{tar}/{name}" for tar in tars for name in ("a.png", "x/b.jpg")]
    inside = [photo(tmp_path / "one.png", shade).read_bytes() for shade in (0, 1)] * 2

    for named in (tars, ["tars/t-{0..1}.tar"], ["tars/*.tar"], ["tars"]):
        photos = found(tmp_path, *(tmp_path / name for name in named))
        assert called(photos) == names
        assert [path.read_bytes() for path in photos.paths] == inside
        assert photos.loose == frozenset()


def test_a_tar_beside_photos_is_none_of_them(tmp_path: Path) -> None:
    """Nobody has named it: a folder, or a pattern of everything, is searched for photos."""
    one = photo(tmp_path / "in/a.png")
    packed(tmp_path / "in/x.tar", "b.png")

    assert found(tmp_path, tmp_path / "in").paths == (one,)
    assert set(found(tmp_path, tmp_path / "in/**").paths) == {one, tmp_path / "in/x.tar"}
    assert found(tmp_path, tmp_path / "in/**").loose == {str(one), str(tmp_path / "in/x.tar")}


def test_photos_at_addresses_are_called_by_these(tmp_path: Path) -> None:
    """A photo, a folder, a pattern, a tar and a Parquet file of a store; what is named twice is read once."""
    store, data = fsspec.filesystem("memory"), photo(tmp_path / "a.png").read_bytes()
    tar = packed(tmp_path / "t.tar", "a.png").read_bytes()
    pq.write_table(pa.table({"image": [data]}), tmp_path / "rows.parquet")
    rows = (tmp_path / "rows.parquet").read_bytes()
    store.pipe({"/named/in/a.png": data, "/named/in/x/b.png": data, "/named/t.tar": tar, "/named/rows.parquet": rows})
    store.pipe("/named/in/notes.txt", b"a.png")

    assert called(found(tmp_path, "memory://named/in/a.png")) == ["memory://named/in/a.png"]
    both = found(tmp_path, "memory://named/in", "memory://named/in/a.png")
    assert called(both) == ["memory://named/in/a.png", "memory://named/in/x/b.png"]
    assert both.skipped == {"not an image by name": 1, "named more than once": 1}
    assert both.loose == {str(both.paths[1])}
    matching = found(tmp_path, "memory://named/in/*")
    assert {name.rpartition("/")[2] for name in called(matching)} == {"a.png", "b.png"}
    packs = found(tmp_path, "memory://named/t.tar", "memory://named/rows.parquet")
    assert called(packs) == ["memory://named/t.tar/a.png", "memory://named/rows.parquet[0]"]
    for photos in (both, matching, packs):
        assert {path.read_bytes() for path in photos.paths} == {data}


def test_photos_on_the_web_are_called_without_what_is_signed(tmp_path: Path) -> None:
    """What stands behind an address may be a secret."""
    data = photo(tmp_path / "web/a.png").read_bytes()
    with served_folder(tmp_path / "web") as address:
        photos = found(tmp_path, f"{address}/a.png?signature=1")

        assert called(photos) == [f"{address}/a.png"]
        assert [path.read_bytes() for path in photos.paths] == [data]
        with pytest.raises(ImageSetError, match=rf"There is nothing at {address}/b\.png\. Check the spelling\."):
            found(tmp_path, f"{address}/b.png?signature=1")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("memory://nothing/a.png", "There is nothing at memory://nothing/a.png"),
        ("memory://nothing/*.png", r"Nothing matches memory://nothing/\*\.png"),
        ("memory://named/list.csv", "memory://named/list.csv is a list, which is only read on this machine"),
        ("nowhere://a/b.png", "nowhere://a/b.png cannot be read: fsspec knows no such address"),
    ],
)
def test_addresses_that_give_no_photo_are_errors(tmp_path: Path, named: str, message: str) -> None:
    """Each in a sentence that names them."""
    with pytest.raises(InputError, match=message):
        found(tmp_path, named)
