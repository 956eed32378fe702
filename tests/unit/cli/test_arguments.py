"""What people type, before it is parsed."""

from pathlib import Path

import pytest

from unfreeze.cli.arguments import understood


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["help"], ["--help"]),
        (["help", "cache", "list"], ["cache", "list", "--help"]),
        (["run", "x", "--budget", "10", "min", "--json"], ["run", "x", "--budget", "10 min", "--json"]),
        (["run", "--budget", "1.5", "Hours", "x"], ["run", "--budget", "1.5 Hours", "x"]),
        (["cache", "prune", "--older-than", "30", "days"], ["cache", "prune", "--older-than", "30 days"]),
        (["run", "x", "--margin", "1", "%"], ["run", "x", "--margin", "1 %"]),
        (["run", "--seed", "10", "min"], ["run", "--seed", "10", "min"]),
        (["run", "--budget", "10m", "min"], ["run", "--budget", "10m", "min"]),
    ],
    ids=" ".join,
)
def test_two_words_that_belong_together_are_one(typed: list[str], meant: list[str]) -> None:
    """A number and its unit are one value, and the help of a command may be asked for by a word; all else stays."""
    assert understood(typed) == meant


def test_a_folder_called_like_a_unit_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is meant, not minutes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m").mkdir()

    assert understood(["run", "--budget", "600", "m"]) == ["run", "--budget", "600", "m"]
