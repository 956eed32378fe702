"""Paste the help of every command into docs/reference/cli.md: ``python docs/paste_help.py``.

A test compares the page with what the commands say, so that neither changes alone. Help is set for 80 columns.
"""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parent / "reference" / "cli.md"
COMMANDS = (
    *("", "run", "inspect", "codes", "probe", "tune", "predict", "evaluate"),
    *("export", "serve", "ui", "report", "compare", "sample"),
    *("cache", "cache list", "cache verify", "cache repair", "cache prune"),
    *("zoo", "zoo list", "zoo show", "zoo pull", "zoo import", "zoo verify", "zoo publish", "version"),
)
# The help of one command, under a comment that names it.
_PASTED = re.compile(r"(<!-- help: (?P<command>[\w ]*) -->\n```text\n)(?P<help>.*?)(```\n)", re.DOTALL)
# typer's own words around our pages change with its version.
_SET_BY = re.compile(r"typer [\w.]+\.")


def help_of(command: str) -> str:
    """What ``unfreeze COMMAND --help`` prints; of ``unfreeze --help`` if the command is empty."""
    arguments = [sys.executable, "-m", "unfreeze", *command.split(), "--help"]
    settings = {**os.environ, "COLUMNS": "80", "TERMINAL_WIDTH": "80", "NO_COLOR": "1"}
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=settings)  # noqa: S603 - ourselves
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def pasted(page: str) -> dict[str, str]:
    """The help that a page holds, by command."""
    return {found["command"]: found["help"] for found in _PASTED.finditer(page)}


def set_by(page: str) -> str:
    """The version of typer that the page names."""
    found = _SET_BY.search(page)
    return "" if found is None else found[0].removeprefix("typer ").removesuffix(".")


def with_current_help(page: str) -> str:
    """The page with the help as it is now."""
    page = _PASTED.sub(lambda found: found[1] + help_of(found["command"]) + found[4], page)
    return _SET_BY.sub(f"typer {version('typer')}.", page)


if __name__ == "__main__":
    PAGE.write_text(with_current_help(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
