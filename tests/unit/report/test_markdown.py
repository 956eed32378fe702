"""A run in Markdown."""

from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from example_run import HOSTILE
from unfreeze.core.run_record import RunRecord
from unfreeze.report.markdown import markdown


def shown(record: RunRecord, **settings: bool) -> str:
    """The HTML that another program makes of it."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown(record, **settings))


def test_every_table_is_one(mistaken: RunRecord) -> None:
    """Three tables with a row per strategy, step and class, and no line of one is left as text."""
    html = shown(mistaken)

    assert html.count("<table>") == 3
    assert html.count("<tr>") == 3 + len(mistaken.strategies) + len(mistaken.comparisons) + 2
    assert "<p>|" not in html
    assert "last 2 blocks (picked)" in html
    assert "is wrong on 3 of 400 held-out photos" in html


def test_strangers_names_stay_text(mistaken: RunRecord) -> None:
    """A class that is named like markup is shown by its name, in its cell."""
    html = shown(replace(mistaken, classes=("a|b", HOSTILE)))

    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "<td>a|b</td>" in html


@pytest.mark.parametrize("photos", [True, False])
def test_no_photo_is_named(mistaken: RunRecord, *, photos: bool) -> None:
    """Neither an image nor, where the run was told so or the caller says so, a path."""
    command = replace(mistaken.command, source=Path("/home/me/cats"), photos=photos)
    text = markdown(replace(mistaken, command=command))

    assert ".jpg" not in text
    assert ("/home/me" in text) == photos
    assert "/home/me" not in markdown(replace(mistaken, command=command), paths=False)


def test_a_run_without_anything_has_its_sentences(interrupted_record: RunRecord) -> None:
    """Nothing was measured, so there is no table, and the verdict says so."""
    html = shown(interrupted_record)

    assert "<table>" not in html
    assert "no strategy was finished" in html
