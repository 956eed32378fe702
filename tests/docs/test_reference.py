"""The documentation names everything that a user can meet, and shows what the program really prints."""

import inspect
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import unfreeze
from unfreeze.cli.main import app
from unfreeze.core import errors, records

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


needs_reference = pytest.mark.skipif(
    not (ROOT / "docs" / "reference").is_dir(), reason="the reference pages (docs/reference) are not written yet"
)


def missing(names: list[str]) -> list[str]:
    """Names that no page shows as code."""
    return [name for name in names if f"`{name}`" not in ALL]


@needs_reference
def test_every_public_name_is_documented() -> None:
    """Each name of the package has an entry."""
    assert missing(list(unfreeze.__all__)) == []


@needs_reference
def test_every_command_is_documented() -> None:
    """Each command is shown."""
    assert missing([f"unfreeze {command}" for command in COMMANDS]) == []


@needs_reference
def test_every_error_is_documented() -> None:
    """Each error that is raised on purpose has an entry."""
    found = [name for name, thing in vars(errors).items() if inspect.isclass(thing) and issubclass(thing, Exception)]

    assert missing(found) == []


@needs_reference
@pytest.mark.parametrize("record", [records.RunRecord, records.Outcome, records.Comparison, records.DepthPoint])
def test_every_field_of_a_record_is_documented(record: type) -> None:
    """Each key of run.json has an entry in the reference of the document."""
    page = PAGES["docs/reference/run-json.md"]

    assert [field.name for field in fields(record) if f"`{field.name}`" not in page] == []


@needs_reference
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


def test_links_between_pages_lead_somewhere() -> None:
    """Each relative link points at a file that is there."""
    broken = []
    for name, text in PAGES.items():
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
            if not ((ROOT / name).parent / target).exists():
                broken.append(f"{name}: {target}")

    assert broken == []


def test_python_in_the_pages_compiles() -> None:
    """Each block of Python is Python."""
    for name, text in PAGES.items():
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            compile(block, name, "exec")
