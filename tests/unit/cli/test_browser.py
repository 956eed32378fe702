"""Opening a page."""

import webbrowser
from pathlib import Path

import pytest

from unfreeze.cli.browser import open_page


def test_the_page_is_opened_by_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The browser gets the absolute address of the file, spaces and all, and nothing is printed."""
    opened: list[str] = []

    def opens(address: str) -> bool:
        opened.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", opens)

    open_page(tmp_path / "my report.html")

    assert opened == [(tmp_path / "my report.html").as_uri()]
    assert capsys.readouterr() == ("", "")


def test_without_a_browser_one_sentence_says_where_the_page_lies(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is no error: nothing is raised, and standard output stays empty."""
    monkeypatch.setattr(webbrowser, "open", lambda _: False)

    open_page(Path("runs/1/report.html"))

    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "runs/1/report.html" in err
