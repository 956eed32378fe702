"""Lists as spreadsheets and programs write them: encodings, delimiters, paths, missing values, several labels."""

import os
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unfreeze.core.errors import ImageSetError
from unfreeze.data.inspection import listed_images

ROWS = [("fotos/käse.jpg", "Käse"), ("fotos/brot.jpg", "Brot")]


def photos(folder: Path, *names: str) -> None:
    """Write empty files; none is decoded here."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def rows(source: Path) -> list[tuple[str, str]]:
    """Name and label of every row."""
    with listed_images(source) as table:
        return [(candidate.name, candidate.label) for candidate in table.candidates()]


def refusal(source: Path) -> str:
    """Why a list is refused."""
    with pytest.raises(ImageSetError) as caught, listed_images(source):
        pytest.fail("listed")
    return str(caught.value).replace(str(source), "LIST").replace(str(source.parent), "FOLDER")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize(
    ("first", "delimiter"), [("", ","), ("", ";"), ("", "\t"), ("sep=;\r\n", ";"), ('"sep=|"\n', "|"), ("\n\n", ";")]
)
def test_spreadsheets(encoding: str, first: str, delimiter: str, tmp_path: Path) -> None:
    """Every encoding and delimiter in which Excel saves gives the same rows."""
    photos(tmp_path, *(name for name, _ in ROWS))
    lines = [delimiter.join(row) for row in [("Path", "Label"), *ROWS]]
    (tmp_path / "my.csv").write_bytes((first + "\r\n".join(lines)).encode(encoding))

    assert rows(tmp_path / "my.csv") == sorted(ROWS)


def test_a_list_that_ends_in_half_a_character(tmp_path: Path) -> None:
    """UTF-16 that was cut is one sentence."""
    (tmp_path / "my.csv").write_bytes("path,label\na.jpg,x".encode("utf-16")[:-1])

    assert refusal(tmp_path / "my.csv").startswith("LIST cannot be read as CSV: ")


def test_bytes_of_a_name_that_are_no_text(tmp_path: Path) -> None:
    """A file whose name is no text is found as it is, before any other reading of the bytes."""
    name = os.fsdecode(b"\xe4.jpg")
    photos(tmp_path, name)
    (tmp_path / "my.csv").write_bytes(b"path,label\n\xe4.jpg,K\xe4se\n")

    assert rows(tmp_path / "my.csv") == [(name, "Käse")]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_in_either_form(form: str, tmp_path: Path) -> None:
    """A name is found whichever way disk and list encode accents, in folders too."""
    other = "NFD" if form == "NFC" else "NFC"
    on_disk = unicodedata.normalize(form, "café/thé.jpg")
    photos(tmp_path, on_disk)
    (tmp_path / "my.csv").write_text(f"path,label\n{unicodedata.normalize(other, on_disk)},x\n")

    assert rows(tmp_path / "my.csv") == [(on_disk, "x")]


@pytest.mark.skipif(os.name == "nt", reason="there, a backslash is a slash")
def test_backslashes(tmp_path: Path) -> None:
    """A relative path of Windows is read; one with a drive is named as what it is."""
    photos(tmp_path, "cats/a.jpg")
    (tmp_path / "my.csv").write_text("path,label\ncats\\a.jpg,x\n")
    (tmp_path / "drive.csv").write_text("path,label\nC:\\photos\\a.jpg,x\n")

    assert rows(tmp_path / "my.csv") == [("cats/a.jpg", "x")]
    assert "line 2: 'C:\\\\photos\\\\a.jpg' is a path of Windows, which means nothing on this machine" in refusal(
        tmp_path / "drive.csv"
    )


def test_paths_from_where_the_command_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are taken from there if there is nothing at them beside the list, all of them, and that is said."""
    photos(tmp_path, "work/photos/a.jpg", "work/photos/b.jpg", "lists/photos/none.jpg")
    (tmp_path / "lists/my.csv").write_text("path,label\nphotos/a.jpg,x\nphotos/b.jpg,y\n")
    (tmp_path / "lists/mixed.csv").write_text("path,label\nphotos/none.jpg,x\nphotos/b.jpg,y\n")
    monkeypatch.chdir(tmp_path / "work")

    with listed_images(tmp_path / "lists/my.csv") as table:
        assert [candidate.path.name for candidate in table.candidates()] == ["a.jpg", "b.jpg"]
        assert [each.code for each in table.findings] == ["UF112"]
    assert refusal(tmp_path / "lists/mixed.csv").endswith(
        "line 3: there is no file 'photos/b.jpg'. Files were looked for in FOLDER."
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("Cats/1.jpg", "there is no file 'Cats/1.jpg'"),
        ("cats/1.JPG", "'cats/1.JPG' is not there, but '1.jpg' is, whose name differs in capital letters"),
        ("cats/1", "'cats/1' is not there, but '1.jpg' is: add the ending"),
        ("cats", "'cats' is a folder, and not a file"),
        ("data/cats/1.jpg", "'data/cats/1.jpg' is not there, but 'cats/1.jpg' is: write that"),
        ("/mnt/d/cats/1.jpg", "'/mnt/d/cats/1.jpg' is not there, but 'cats/1.jpg' is: write that"),
        ("D:\\cats\\1.jpg", "'D:\\\\cats\\\\1.jpg' is not there, but 'cats/1.jpg' is: write that"),
        ("1.jpg", "'1.jpg' is not there, but 'cats/1.jpg' is: write that"),
        ("https://x.org/1.jpg", "'https://x.org/1.jpg' is an address; images have to be files on this machine"),
    ],
)
def test_why_there_is_no_file(path: str, said: str, tmp_path: Path) -> None:
    """The cause, and where files were looked for."""
    photos(tmp_path, "cats/1.jpg")
    (tmp_path / "my.csv").write_text(f"path,label\n{path},x\n")

    assert refusal(tmp_path / "my.csv") == (
        f"LIST cannot be used as a list of images; mend these rows: line 2: {said}. Files were looked for in FOLDER "
        f"and in {Path.cwd()}."
    )


@pytest.mark.parametrize("missing", ["NA", "NaN", "nan", "null", "None", "<NA>", "#N/A", ""])
def test_missing_groups_and_splits(missing: str, tmp_path: Path) -> None:
    """Whatever a program writes for none is no group and no split."""
    photos(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "my.csv").write_text(f"path,label,split,group\na.jpg,x,{missing},{missing}\nb.jpg,y,{missing},g\n")

    with listed_images(tmp_path / "my.csv") as table:
        assert [(each.split, each.group) for each in table.candidates()] == [("", ""), ("", "g")]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (["cat", "NA"], "label is 'NA', which programs write for a missing value"),
        ([0.0, float("nan")], "row 2: label missing"),
        (["cat", None], "row 2: label missing"),
        (["cat", "['cat', 'pet']"], "label is the list ['cat', 'pet'], but an image has one class"),
        ([["cat"], ["cat", "pet"]], "an image may have several labels, while here it has one class"),
    ],
)
def test_labels_that_are_none_or_several(column: list[object], said: str, tmp_path: Path) -> None:
    """They never become a class."""
    photos(tmp_path, "a.jpg", "b.jpg")
    pq.write_table(pa.table({"path": ["a.jpg", "b.jpg"], "label": column}), tmp_path / "my.parquet")

    assert said in refusal(tmp_path / "my.parquet")


@pytest.mark.parametrize("mark", ["|", ";", ", "])
def test_several_labels_in_one_text(mark: str, tmp_path: Path) -> None:
    """A label whose parts are labels, too, is refused; a comma alone is none."""
    photos(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    (tmp_path / "my.csv").write_text(f'path,label\na.jpg,cat\nb.jpg,pet\nc.jpg,"cat{mark}pet"\n')
    (tmp_path / "one.csv").write_text('path,label\na.jpg,"crane, bird"\nb.jpg,"crane, machine"\n')

    assert f"the label 'cat{mark}pet' looks like several; give each image one class" in refusal(tmp_path / "my.csv")
    assert len(rows(tmp_path / "one.csv")) == 2


def test_one_image_with_two_labels(tmp_path: Path) -> None:
    """A path that stands twice, with the label that it had before."""
    photos(tmp_path, "a.jpg")
    (tmp_path / "my.csv").write_text("path,label\na.jpg,cat\n./a.jpg,pet\n")

    assert "line 3: './a.jpg' was already listed in line 2, as 'cat': an image has one class" in refusal(
        tmp_path / "my.csv"
    )


def test_a_column_that_is_there_twice(tmp_path: Path) -> None:
    """Neither wins."""
    (tmp_path / "my.csv").write_text("path,label,Label\na.jpg,cat,1\n")
    pq.write_table(pa.table({"path": ["a"], "label": ["x"], "LABEL": ["y"]}), tmp_path / "my.parquet")

    for name in ("my.csv", "my.parquet"):
        assert refusal(tmp_path / name) == ("LIST has 2 columns called label. Keep one of them, or rename the others.")


def test_paths_as_bytes(tmp_path: Path) -> None:
    """A binary column of paths is read as the text that it holds."""
    photos(tmp_path, "ä.jpg")
    pq.write_table(pa.table({"path": ["ä.jpg".encode()], "label": ["x"]}), tmp_path / "my.parquet")

    assert rows(tmp_path / "my.parquet") == [("ä.jpg", "x")]


def test_a_workbook_is_no_list(tmp_path: Path) -> None:
    """It is said how to make it one."""
    (tmp_path / "my.xlsx").write_bytes(b"PK")

    assert refusal(tmp_path / "my.xlsx") == (
        "LIST is neither a folder nor a .csv or .parquet list. Save the table as CSV, and give that."
    )


@pytest.mark.parametrize("name", ["my.csv", "my.parquet"])
def test_a_list_without_labels_is_read_where_none_are_needed(tmp_path: Path, name: str) -> None:
    """Labels are empty then; where they are needed it is refused, with the columns that are wanted."""
    photos(tmp_path, "a.jpg", "b.jpg")
    if name == "my.csv":
        (tmp_path / name).write_text("path\na.jpg\nb.jpg\n")
    else:
        pq.write_table(pa.table({"path": ["a.jpg", "b.jpg"]}), tmp_path / name)

    with listed_images(tmp_path / name, labelled=False) as table:
        assert [(candidate.name, candidate.label) for candidate in table.candidates()] == [("a.jpg", ""), ("b.jpg", "")]
    assert "the columns path and label (and, if wanted, split and group); found" in refusal(tmp_path / name)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("filename,class", "filename as path and class as label"),
        ("Image Path,Target", "Image Path as path and Target as label"),
        ("img_path,category", "img_path as path and category as label"),
        ("image,y", "image as path and y as label"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_as_people_call_them(header: str, said: str, suffix: str, tmp_path: Path) -> None:
    """They are read by the meaning of their names, and that is said."""
    photos(tmp_path, "a.jpg", "b.jpg")
    source, names = tmp_path / f"my.{suffix}", header.split(",")
    source.write_text(f"{header}\na.jpg,x\nb.jpg,y\n")
    if suffix == "parquet":
        pq.write_table(pa.table({names[0]: ["a.jpg", "b.jpg"], names[1]: ["x", "y"]}), source)

    assert rows(source) == [("a.jpg", "x"), ("b.jpg", "y")]
    with listed_images(source) as table:
        (said_of_it,) = table.findings
    assert said_of_it.sentence == f"Columns of the list were read by the meaning of their names: {said}."


def test_the_plain_name_of_a_column_wins(tmp_path: Path) -> None:
    """Of label and class the first is meant; of class and category neither is known to be."""
    photos(tmp_path, "a.jpg")
    (tmp_path / "my.csv").write_text("path,class,label\na.jpg,1,cat\n")
    (tmp_path / "two.csv").write_text("path,class,category\na.jpg,1,cat\n")

    assert rows(tmp_path / "my.csv") == [("a.jpg", "cat")]
    assert refusal(tmp_path / "two.csv") == (
        "LIST has the columns class and category, and any may be the label. Call that one label."
    )


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    """A patient or a fold that nobody reads makes an accuracy too good, so that it is said; a row's number does not."""
    photos(tmp_path, "a.jpg")
    (tmp_path / "my.csv").write_text(",path,label,patient_id,fold\n0,a.jpg,cat,p1,3\n")
    (tmp_path / "whole.csv").write_text("path,label,split,group,age\na.jpg,cat,train,p1,3\n")

    with listed_images(tmp_path / "my.csv") as table:
        (said,) = table.findings
    with listed_images(tmp_path / "whole.csv") as table:
        assert not table.findings
    assert said.sentence == "Columns patient_id and fold of the list were not read."


@pytest.mark.parametrize("name", ["set", "Subset", "partition", "split"])
def test_parts_as_people_call_them(name: str, tmp_path: Path) -> None:
    """A column of another name, and words of other languages, are a split that was given."""
    photos(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    (tmp_path / "my.csv").write_text(f"path,label,{name}\na.jpg,x,TRAINING\nb.jpg,x,hold-out\nc.jpg,x,Validierung\n")

    with listed_images(tmp_path / "my.csv") as table:
        assert [candidate.split for candidate in table.candidates()] == ["train", "test", "val"]


def test_a_column_for_each_class(tmp_path: Path) -> None:
    """Marks of 0 and 1 are refused with what to do."""
    (tmp_path / "my.csv").write_text("image,cat,dog\na.jpg,1.0,0.0\n")

    assert refusal(tmp_path / "my.csv").endswith(
        "found 'image,cat,dog'. The columns cat and dog seem to stand for a class each: write the name of each image's "
        "class into one column label."
    )


def test_what_spreadsheets_add(tmp_path: Path) -> None:
    """Empty cells at the end of rows, rows of empty cells, and spaces before quotes mean nothing."""
    photos(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "my.csv").write_text('path, label\n"a.jpg", "x",,\nb.jpg,y,\n,\n,,,\n')

    assert rows(tmp_path / "my.csv") == [("a.jpg", "x"), ("b.jpg", "y")]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("1", "1.0"), "the labels '1' and '1.0' are one number; write it in one way"),
        (("#N/A", "x"), "line 2: label is '#N/A', which programs write for a missing value"),
        (("#DIV/0!", "x"), "line 2: label is #DIV/0!, an error of the spreadsheet"),
        (("Err:502", "x"), "line 2: label is Err:502, an error of the spreadsheet"),
    ],
)
def test_labels_that_programs_have_spoilt(labels: tuple[str, str], said: str, tmp_path: Path) -> None:
    """One class would be two, or an error a class."""
    photos(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "my.csv").write_text(f"path,label\na.jpg,{labels[0]}\nb.jpg,{labels[1]}\n")

    assert said in refusal(tmp_path / "my.csv")


def test_a_label_that_may_mean_none_is_said(tmp_path: Path) -> None:
    """It is read, since a class may be called so."""
    photos(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "my.csv").write_text("path,label\na.jpg,?\nb.jpg,x\n")

    with listed_images(tmp_path / "my.csv") as table:
        assert [each.sentence for each in table.findings] == ["'?' was read as a class."]


def test_addresses_of_files(tmp_path: Path) -> None:
    """What a browser calls a file is read; quoted characters are meant."""
    photos(tmp_path, "my photo.jpg")
    (tmp_path / "my.csv").write_text(f"path,label\n{(tmp_path / 'my photo.jpg').as_uri()},x\n")

    assert rows(tmp_path / "my.csv") == [("my photo.jpg", "x")]
