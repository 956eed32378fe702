"""The report of a run."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from unfreeze.report.page import page, write_page

VOID = {"meta"}


class Tree(HTMLParser):
    """Checks nesting and collects tags and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """It must close the last one that was opened."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Remember it."""
        self.text.append(data)


def test_the_page_is_whole_and_needs_nothing_else(document: dict[str, Any]) -> None:
    """Every tag is closed; there is no script and nothing is loaded from anywhere."""
    tree = Tree(page(document))

    assert tree.open == []
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in tree.tags}
    loading = [
        name
        for _, attributes in tree.tags
        for name in attributes
        if name in {"src", "href", "xlink:href"} or name.startswith("on")
    ]
    assert loading == []


def test_strangers_names_stay_text(document: dict[str, Any]) -> None:
    """Markup, template code and escapes in names and sentences are shown, not obeyed."""
    html = page(document)

    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "\x1b" not in html
    assert "{{ 7*7 }}" in "".join(Tree(html).text)


def test_the_page_shows_the_records(document: dict[str, Any]) -> None:
    """Verdict, table, left-out reason, set-aside file and settings are all there."""
    text = " ".join("".join(Tree(page(document)).text).split())

    shown = ("The head alone is enough here.", "93.0 %", "88.0 to 96.0 %", "needs 40 min of 15 min", "truncated")
    for expected in (*shown, "same pixels", "Few images.", "unfreeze"):
        assert expected in text


def test_an_old_run_gives_the_same_page(document: dict[str, Any]) -> None:
    """The document read back from run.json gives the page that the run gave."""
    assert page(json.loads(json.dumps(document))) == page(document)


def test_an_interrupted_run_has_a_page(interrupted_document: dict[str, Any]) -> None:
    """Where no strategy was measured, the page says so and still shows the depth curve."""
    text = "".join(Tree(page(interrupted_document)).text)

    assert "Nothing was measured." in text
    assert "interrupted" in text
    assert "Depth curve" in text


def test_a_run_without_anything_has_a_page(interrupted_document: dict[str, Any]) -> None:
    """Empty lists everywhere are no reason to fail."""
    empty: dict[str, list[Any]] = {
        key: [] for key in ("depth_curve", "comparisons", "set_aside", "duplicates", "warnings", "test_images")
    }

    assert Tree(page({**interrupted_document, **empty})).open == []


def test_the_page_is_written_as_utf_8(document: dict[str, Any], tmp_path: Path) -> None:
    """A name that is no text can be written."""
    document["set_aside"][0]["name"] = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")

    write_page(tmp_path / "report.html", document)

    assert "caf\\udce9.jpg" in (tmp_path / "report.html").read_text(encoding="utf-8")
