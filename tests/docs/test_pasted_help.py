"""The pages show every command, and the help that the program really prints."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from unfreeze.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in sorted(ROOT.glob("docs/**/*.md"))}
PAGES |= {page.name: page.read_text(encoding="utf-8") for page in sorted(ROOT.glob("*.md"))}
ALL = "\n".join(PAGES.values())
HELP = re.findall(r"<!-- help: ([\w ]*) -->\n```text\n(.*?)```\n", ALL, re.DOTALL)
COMMANDS = sorted(
    [
        *(str(command.name) for command in app.registered_commands),
        *(str(group.name) for group in app.registered_groups),
        *(
            f"{group.name} {command.name}"
            for group in app.registered_groups
            if group.typer_instance is not None
            for command in group.typer_instance.registered_commands
        ),
    ]
)


def test_every_command_is_documented() -> None:
    """Each command is shown."""
    assert [name for name in COMMANDS if f"`unfreeze {name}`" not in ALL] == []


def test_the_help_of_every_command_is_pasted() -> None:
    """The page of the command line shows the help of the program and of each command."""
    assert sorted(command for command, _ in HELP) == ["", *COMMANDS]


@pytest.mark.parametrize(("command", "shown"), HELP, ids=[command or "unfreeze" for command, _ in HELP])
def test_pasted_help_is_current(command: str, shown: str) -> None:
    """Our part of the pasted help, from the first sentence to the exit codes, is what the program prints now."""
    arguments = [sys.executable, "-m", "unfreeze", *command.split(), "--help"]
    printed = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout

    assert our_words(shown) == our_words(printed)


def our_words(page: str) -> list[str]:
    """The words between the usage line and the lists of options, which typer sets differently in each version."""
    _, _, body = page.partition("\n\n")
    return re.split(r"\n(?:Arguments|Options):", body)[0].split()
