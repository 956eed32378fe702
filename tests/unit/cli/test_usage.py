"""Mistakes in the use of commands, in our words."""

from pathlib import Path

import pytest

from unfreeze.cli.main import exit_code_of

COMMANDS = (
    "run, inspect, codes, probe, tune, predict, evaluate, export, serve, ui, report, compare, sample, version, "
    "cache and zoo"
)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("fly", f"There is no command fly. The commands are {COMMANDS}. See unfreeze --help."),
        ("prob x", "There is no command prob. Did you mean: unfreeze probe"),
        ("train x", "There is no command train. Did you mean: unfreeze run"),
        (
            "cache fly",
            "There is no command fly. The commands are list, verify, repair and prune. See unfreeze cache --help.",
        ),
        ("cache lst", "There is no command lst. Did you mean: unfreeze cache list"),
        ("run x --budgt 3m", "run has no option --budgt. Did you mean --budget? See unfreeze run --help."),
        ("run x --colour", "run has no option --colour. See unfreeze run --help."),
        ("run x --seed x", "--seed takes a whole number of at least 0; got 'x'. See unfreeze run --help."),
        ("run x --seed=1.5", "--seed takes a whole number of at least 0; got '1.5'. See unfreeze run --help."),
        ("run x --rounds 0", "--rounds takes a whole number from 1 to 20; got '0'. See unfreeze run --help."),
        ("run x --epochs -1", "--epochs takes a whole number of at least 1; got '-1'. See unfreeze run --help."),
        ("run x --threads 0", "--threads takes a whole number of at least 1; got '0'. See unfreeze run --help."),
        ("run x --max-bad 2", "--max-bad takes a number from 0 to 1; got '2'. See unfreeze run --help."),
        ("probe x --size 3", "--size takes a whole number from 16 to 4096; got '3'. See unfreeze probe --help."),
        (
            "run x --engine openvno",
            "--engine takes one of auto, openvino, torch; got 'openvno'. Did you mean openvino? See unfreeze run "
            "--help.",
        ),
        ("run x --seed", "--seed needs a value: seed of every random choice. See unfreeze run --help."),
        ("run x --json=yes", "--json takes no value. See unfreeze run --help."),
        (
            "tune x --out y",
            "--unfreeze is missing: what learns: the head, the last K blocks too, or everything; from "
            "scratch with random weights. See unfreeze tune --help.",
        ),
        (
            "predict model",
            "IMAGES is missing: files, folders, patterns, lists (.txt, .csv, .parquet), tars, addresses, "
            "or - for standard input. See unfreeze predict --help.",
        ),
        (
            "run a b c",
            "run takes SOURCE; found b c besides. Put a name with spaces in quotes. See unfreeze run --help.",
        ),
        (
            "version x",
            "version takes no argument; found x besides. Put a name with spaces in quotes. See unfreeze version "
            "--help.",
        ),
    ],
)
def test_a_mistake_says_what_was_wanted_and_found(
    typed: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on standard error with no word of the parser's, and the exit code of a mistake."""
    assert exit_code_of(typed.split()) == 2
    assert capsys.readouterr() == ("", f"unfreeze: {sentence}\n")


def test_a_folder_in_place_of_a_command_is_answered_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command can be copied: it has all that was typed, in quotes where a shell needs them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my photos").mkdir()

    assert exit_code_of(["my photos", "--seed", "1"]) == 2
    assert capsys.readouterr().err == (
        "unfreeze: There is no command my photos. Did you mean: unfreeze run 'my photos' --seed 1\n"
    )


def test_help_may_be_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    """`help cache list` prints what `cache list --help` prints."""
    printed = []
    for typed in (["help", "cache", "list"], ["cache", "list", "--help"]):
        assert exit_code_of(typed) == 0
        printed.append(capsys.readouterr().out)

    assert printed[0] == printed[1]
    assert "List the stores of codes" in printed[0]
