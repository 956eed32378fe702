"""What is written beside a record."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from example_run import run_record
from unfreeze.core.class_table import ClassTable
from unfreeze.core.errors import InputError
from unfreeze.core.files import write_json
from unfreeze.core.run_record import SCHEMA, RunRecord
from unfreeze.core.strategies import HEAD
from unfreeze.metrics.confusion import per_class
from unfreeze.workflows.reports import rewrite_report, write_report


@pytest.fixture
def run(tmp_path: Path) -> RunRecord:
    """The example's run, which picked the head that gets the first photo wrong; that one lies in a folder."""
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (20, 20), "red").save(tmp_path / "photos" / "0.jpg")
    record = run_record()
    head = record.outcome_of(HEAD)
    assert head is not None
    wrong = replace(head, predictions=((1, *head.predictions[0][1:]), *head.predictions[1:]))
    confusion = ((199, 1), (0, 200))
    return replace(
        record,
        command=replace(record.command, source=tmp_path / "photos"),
        strategies=tuple(wrong if one.strategy == HEAD else one for one in record.strategies),
        picked=HEAD,
        by_class=ClassTable(
            strategy=HEAD,
            predictions=(1, *record.train_labels[1:]),
            confusion=confusion,
            classes=per_class(np.array(confusion)),
        ),
    )


@pytest.mark.parametrize(("asked", "now", "shown"), [(True, True, True), (True, False, False), (False, True, False)])
def test_photos_are_shown_unless_somebody_said_no(
    run: RunRecord, tmp_path: Path, *, asked: bool, now: bool, shown: bool
) -> None:
    """Who began the run, or who writes the report again; then no file is named either."""
    html = write_report(replace(run, command=replace(run.command, photos=asked)), tmp_path, photos=now).read_text(
        encoding="utf-8"
    )

    assert [text in html for text in ("data:image/webp", "0.jpg", str(tmp_path))] == [shown] * 3


def test_a_report_without_its_photos_says_so(run: RunRecord, tmp_path: Path) -> None:
    """The page is whole, and the name stands in place of the picture."""
    (tmp_path / "photos" / "0.jpg").unlink()

    html = write_report(run, tmp_path).read_text(encoding="utf-8")

    assert "1 photo of 1 could not be read below" in html
    assert "data:image" not in html.replace("img-src data:", "")
    assert "0.jpg" in html


def test_a_report_is_written_beside_the_record_that_it_is_made_from(run: RunRecord, tmp_path: Path) -> None:
    """From a file that may have another name; the tables of classes lie there too."""
    write_json(tmp_path / "old.json", run.to_json())

    path, record = rewrite_report(tmp_path / "old.json")

    assert path == tmp_path / "report.html"
    assert record == run
    assert {found.name for found in tmp_path.iterdir()} >= {"report.html", "classes.csv", "confusion.csv"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "run.json is damaged: it is no JSON"),
        (b"{", "run.json is damaged: it is no JSON"),
        (b"\x00\xff", "run.json is damaged: it is no JSON"),
        (b"{}", "run.json is no record of a run: its schema is None"),
        (b"[]", "run.json is no record of a run: its schema is None"),
        (b'{"schema": "unfreeze.run/999"}', "run.json was written by a newer unfreeze"),
        (f'{{"schema": "{SCHEMA}"}}'.encode(), "run.json is damaged, or not what unfreeze wrote"),
        (None, "run.json cannot be read"),
    ],
)
def test_a_record_that_cannot_be_read_gets_one_sentence(tmp_path: Path, content: bytes | None, said: str) -> None:
    """Empty, cut off, of another kind or of a newer version: what was found and what to do; no report is written."""
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)

    with pytest.raises(InputError) as raised:
        rewrite_report(tmp_path)

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert str(raised.value).endswith(
        (" Run again, or restore the file.", " Give a run's folder.", " Update unfreeze.")
    )
    assert not (tmp_path / "report.html").exists()
