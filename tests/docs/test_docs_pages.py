"""The pages as a whole: links, commands that are shown, words."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import unfreeze
from unfreeze.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = {page.relative_to(ROOT).as_posix(): page for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])}
# Words of English that public names are joined with.
JOINING = {
    "fit",
    "load",
    "name",
    "predict",
    "read",
    "save",
    "search",
    "settings",
    "transfer",
    "transformer",
    "unfreeze",
    "linear",
}


def without_code(text: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Relative links of a page: file (empty for the page itself) and anchor."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield path, anchor


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_headings(name: str) -> None:
    """Each relative link leads to a file that is there, and to a heading of it."""
    broken = []
    for path, anchor in links(PAGES[name]):
        target = (PAGES[name].parent / path).resolve() if path else PAGES[name]
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}")

    assert broken == []


def test_every_page_can_be_reached() -> None:
    """From README.md, by links, every page of the documentation is found."""
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        waiting += [(page.parent / path).resolve() for path, _ in links(page) if path]

    assert [name for name, page in PAGES.items() if page not in reached] == []


def shown_commands() -> Iterator[tuple[str, str]]:
    """Lines of shell blocks that call unfreeze, with their page."""
    for name, page in PAGES.items():
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = line.split("#")[0].removeprefix(".venv/bin/").strip()
                if words.startswith("unfreeze "):
                    yield name, words


def parsed(line: str) -> str:
    """What is wrong with a command line, by the program's own parser, which looks at values too; empty if nothing."""
    command: Any = typer.main.get_command(app)
    _, *words = [word for word in shlex.split(re.split(r" [|>] ?| < ", line)[0]) if word != "…"]
    try:
        while words and hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context(line, words)
    except KeyError as error:
        return f"no command {error}"
    except Exception as error:
        return getattr(error, "message", "") or repr(error)
    return ""


def test_commands_that_are_shown_are_understood() -> None:
    """Each command line in a shell block names a command that there is, options that it has, and values they take."""
    lines = list(shown_commands())
    wrong = [f"{name}: {line}: {said}" for name, line in lines if (said := parsed(line))]

    assert len(lines) > 60
    assert wrong == []


def printed_blocks() -> list[tuple[str, str, str]]:
    """Blocks of Python right before a block of what they print: page, code, text."""
    pattern = r"```python\n(.*?)```\n\n```text\n(.*?)```"
    return [
        (name, code, text)
        for name, page in PAGES.items()
        for code, text in re.findall(pattern, page.read_text(encoding="utf-8"), re.DOTALL)
    ]


@pytest.mark.parametrize(("code", "text"), [block[1:] for block in printed_blocks()], ids=lambda value: "")
def test_python_prints_what_the_page_shows(code: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A block of Python with its output below it prints just that."""
    exec(compile(code, "page", "exec"), {})

    assert capsys.readouterr().out == text


def test_public_names_use_the_words_of_the_glossary() -> None:
    """Every word that a public name is made of is in the glossary, or joins words that are."""
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    entries = " ".join(re.findall(r"^\| ([^|]+) \|", glossary, re.MULTILINE))
    names = [name for name in unfreeze.__all__ if name not in {"__version__", "UnfreezeError"}]
    words = {word.lower() for name in names for word in re.findall(r"[A-Z]?[a-z]+", name)}
    unknown = [word for word in words - JOINING if not re.search(rf"\b{word.rstrip('s')}", entries)]

    assert sorted(unknown) == []


def test_the_tutorial_shows_the_same_run_as_the_first_page() -> None:
    """The answer and the table of the demo are pasted in both places, and are the same; the rest is in the tutorial."""
    shown = [
        re.findall(
            r"<!-- (\w+) of the demo -->\n```text\n(.+?)```\n", PAGES[name].read_text(encoding="utf-8"), re.DOTALL
        )
        for name in ("README.md", "docs/tutorial.md")
    ]

    assert [part for part, _ in shown[0]] == ["answer", "table"]
    assert [part for part, _ in shown[1]] == ["table", "answer", "rest"]
    assert dict(shown[0]).items() <= dict(shown[1]).items()


@pytest.mark.parametrize("name", PAGES)
def test_python_in_the_pages_compiles(name: str) -> None:
    """Each block of Python is Python."""
    for block in re.findall(r"```python\n(.*?)```", PAGES[name].read_text(encoding="utf-8"), re.DOTALL):
        compile(block, name, "exec")


def test_pictures_are_small() -> None:
    """Each picture of the documentation stays below 200 kB."""
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()}

    assert {name: size for name, size in sizes.items() if size >= 200_000} == {}
