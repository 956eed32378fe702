"""What becomes of an error."""

import errno
import json
import math
from pathlib import Path
from typing import Any, NoReturn

import pytest

from unfreeze.cli import main as command_line
from unfreeze.cli.output import json_text
from unfreeze.core.errors import AuditError, DiskFullError, ImageSetError, StoppedError, TooManyBadFilesError


def exits(monkeypatch: pytest.MonkeyPatch, error: BaseException, **settings: Any) -> int:
    """The exit code of a command that raises `error`."""

    def app(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(command_line, "app", app)
    return command_line.exit_code_of([], **settings)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ImageSetError("The folder is empty."), 2, "unfreeze: The folder is empty.\n"),
        (TooManyBadFilesError("9 of 10."), 3, "unfreeze: 9 of 10.\n"),
        (DiskFullError("Full."), 4, "unfreeze: Full.\n"),
        (AuditError("A frozen tensor moved."), 1, "unfreeze: A frozen tensor moved.\n"),
        (StoppedError(143, kept="All is kept."), 143, "unfreeze: stopped. All is kept.\n"),
        (KeyboardInterrupt(), 130, f"unfreeze: {StoppedError()}\n"),
    ],
)
def test_errors_on_purpose_are_one_sentence_and_a_code(
    error: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard error gets the sentence, standard output nothing, and the exit code is that of the error's kind."""
    assert exits(monkeypatch, error) == code
    assert capsys.readouterr() == ("", line)


def test_a_full_disk_that_nobody_named_is_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """ENOSPC from anywhere ends with exit code 4, and so does EIO, which is no fault of the program."""
    assert exits(monkeypatch, OSError(errno.ENOSPC, "No space left on device")) == 4
    assert "The disk is full: a file could not" in capsys.readouterr().err
    assert exits(monkeypatch, OSError(errno.EIO, "Input/output error", "shard")) == 4
    assert "The disk does not work: shard could not be written (Input/output error)" in capsys.readouterr().err


def test_a_fault_of_ours_names_the_file_with_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any other exception is one line; where it came from stands in a file."""
    assert exits(monkeypatch, RuntimeError("broken\nlines")) == 1

    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "this is a fault of unfreeze, please report it (RuntimeError: broken)" in line
    written = Path(line.rsplit(" ", 1)[-1].rstrip(".\n"))
    assert "RuntimeError: broken\nlines" in written.read_text()
    written.unlink()


def test_a_traceback_is_shown_when_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --traceback the user sees where an error came from, also one of the input."""
    assert exits(monkeypatch, ImageSetError("The folder is empty."), show_traceback=True) == 2

    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_name_in_an_error_cannot_pretend_to_be_another_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines after the first are indented, and escapes are shown."""
    exits(monkeypatch, ImageSetError("There is no a\nunfreeze: all is well\x1b[2J."))

    assert capsys.readouterr().err == "unfreeze: There is no a\n  unfreeze: all is well\\u001b[2J.\n"


def test_a_pipe_of_ours_that_breaks_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a reader of standard output may go quietly; a broken pipe elsewhere is a fault."""
    assert exits(monkeypatch, BrokenPipeError(errno.EPIPE, "Broken pipe"), show_traceback=True) == 1
    assert "a fault of unfreeze" in capsys.readouterr().err


def test_json_is_ascii_and_has_no_nan() -> None:
    """What is no number becomes null; names in any script or in no encoding at all survive the way through a pipe."""
    document = {"a": [math.nan, math.inf, 1.5], "b": ("Käse", b"\xe9".decode("utf-8", "surrogateescape"))}

    text = json_text(document)

    assert text.isascii()
    assert json.loads(text) == {"a": [None, None, 1.5], "b": ["Käse", "\udce9"]}
