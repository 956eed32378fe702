"""Which photos an export is compared on."""

from dataclasses import replace
from pathlib import Path

import pytest

from example_run import run_record
from unfreeze.core.errors import InputError
from unfreeze.core.files import write_json
from unfreeze.core.progress import SILENT
from unfreeze.workflows.export_photos import Photo, photos_for

NAMES = ("ant", "bee")


def test_photos_of_the_run_are_found_with_their_labels(tmp_path: Path) -> None:
    """Beside the model lies the run's record; a photo that has gone since is left out."""
    source, run = tmp_path / "photos", tmp_path / "run"
    for folder in (source, run / "model"):
        folder.mkdir(parents=True)
    record = run_record()
    for name in record.train_images[:5]:
        (source / name).write_bytes(b"a photo")
    record = replace(record, command=replace(record.command, source=source))
    write_json(run / "run.json", record.to_json())

    found = photos_for(run / "model", None, NAMES, most=99, progress=SILENT)

    labels = dict(zip(record.train_images, record.train_labels, strict=True))
    wanted = [Photo(source / name, record.classes[labels[name]]) for name in record.train_images[:5]]
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert len(photos_for(run / "model", None, NAMES, most=3, progress=SILENT)) == 3


def test_a_folder_of_photos_may_have_labels(tmp_path: Path) -> None:
    """Those in a folder that is called like a class of the model have one; the same ones are drawn every time."""
    for name in ("ant", "bee", "inbox"):
        (tmp_path / name).mkdir()
        for number in range(4):
            (tmp_path / name / f"{number}.jpg").write_bytes(b"a photo")

    found = photos_for(tmp_path, tmp_path, NAMES, most=99, progress=SILENT)

    assert {photo.path.parent.name: photo.label for photo in found} == {"ant": "ant", "bee": "bee", "inbox": ""}
    assert len(set(found)) == 12
    few = [photos_for(tmp_path, tmp_path, NAMES, most=6, progress=SILENT) for _ in range(2)]
    assert few[0] == few[1] == found[:6]


def test_where_there_is_no_photo_it_is_said(tmp_path: Path) -> None:
    """Neither beside the model nor in the folder."""
    with pytest.raises(InputError, match=r"are not there to compare on. Give some: --images FOLDER"):
        photos_for(tmp_path / "model", None, NAMES, most=9, progress=SILENT)
    (tmp_path / "notes.txt").write_text("no folder")
    with pytest.raises(InputError, match=r"notes\.txt is no folder\. Give a folder of photos with --images"):
        photos_for(tmp_path / "model", tmp_path / "notes.txt", NAMES, most=9, progress=SILENT)
    with pytest.raises(InputError, match=r"There is no image in .*Give a folder that holds some with --images"):
        photos_for(tmp_path / "model", tmp_path, NAMES, most=9, progress=SILENT)
