"""Progress on a terminal."""

import io
import re
from typing import final

import pytest

from unfreeze.cli.bars import Bars
from unfreeze.core.errors import StoppedError
from unfreeze.core.progress import Progress

RED = "\x1b[38;5;197m"  # rich's colour of a bar that is not full


@final
class Terminal(io.StringIO):
    """What a person would see, with its escapes."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 256 colours and 100 columns."""
    for name in ("NO_COLOR", "TTY_INTERACTIVE", "TTY_COMPATIBLE", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    return Terminal()


def last_lines(terminal: Terminal) -> str:
    """What stands on the screen once the bars are closed: what follows the last time that a line was erased."""
    return re.split(r"\x1b\[2K", terminal.getvalue())[-1]


def plain(text: str) -> str:
    """The text without escapes."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_phase_that_ends_leaves_a_full_bar(terminal: Terminal) -> None:
    """Also if it had less to do than was thought: the bar is full, and not in the colour of one that is not."""
    with Progress(Bars(terminal)).phase("codes", total=100, unit="image") as advance:
        advance(40)

    assert "codes" in plain(last_lines(terminal))
    assert "40/40" in plain(last_lines(terminal))
    assert RED not in last_lines(terminal)


def test_a_phase_that_is_stopped_leaves_a_line_and_no_bar(terminal: Terminal) -> None:
    """It says how far it came; the outer phase, which was stopped too, leaves no bar either."""
    progress = Progress(Bars(terminal))

    def work() -> None:
        with (
            progress.phase("whole", total=2, unit="fit"),
            progress.phase("part", total=100, unit="image") as advance,
        ):
            progress.stop.request()
            advance(40)

    with pytest.raises(StoppedError):
        work()

    assert "part: ended at 40 of 100 images" in plain(terminal.getvalue())
    assert "whole: ended at 0 of 2 fits" in plain(terminal.getvalue())
    assert RED not in last_lines(terminal)
    assert terminal.getvalue().endswith("\x1b[?25h")  # the cursor is shown again


def test_a_total_that_is_not_known_is_not_shown(terminal: Terminal) -> None:
    """While such a phase runs its bar has a count alone."""
    progress = Progress(Bars(terminal))

    with progress.phase("list", total=0, unit="file") as advance:
        advance(7)
        progress.say("hello")

    assert "hello" in plain(terminal.getvalue())
    assert "7/7" in plain(last_lines(terminal))
