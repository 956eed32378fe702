"""The pages, done as they say: each block is run, in its order, by somebody who has what the page speaks of.

Commands that train get a small input, one round and no expensive strategy where the page does not ask for one: what is
tried is that they run and fit together, not what they find.
"""

import csv
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from unfreeze.data.leaves import TREES, draw_leaf

ROOT = Path(__file__).parents[2]
TREES_SHOWN, LEAVES = TREES[:3], 16
pytestmark = [pytest.mark.pages]

# What cannot be run here, and why; a line is left out where one of these begins it or is in it.
LEFT_OUT = {
    "make ": "is what starts this",
    "pip ": "installs",
    "pip download": "installs",
    "python3 -m venv": "installs",
    "source .venv": "installs",
    "srun": "needs a cluster",
    "tail -f": "never ends",
    "unfreeze ui": "never ends",
    "unfreeze serve": "never ends",
    "tensorboard --logdir": "never ends",
    "ssd.": "needs a detector's weights",
    "net.caffemodel": "needs Caffe's weights",
    "nets/net": "needs Caffe's weights",
    "resnet50": "needs a download",
    "convnext_atto": "needs a download",
    "--device cuda": "needs a GPU",
    "focus.onnx": "needs the weights of a package",
    "OWNER/NAME": "needs a repository elsewhere",
    "--backbone beetles": "needs a repository elsewhere",
    "head.example": "needs a cluster",
    "benchmarks/": "takes hours",
    "lite1": "needs the weights of an extra",
    "zoo.example.org": "needs a zoo elsewhere",
    "data.example": "needs photos elsewhere",
    "--backbone leaves": "needs a zoo elsewhere",
    "zoo publish": "needs a zoo elsewhere",
    "prune --all": "takes away what the page reads next",
}
# Python that goes on from what a reader is said to have, and not from the blocks before it.
FRAGMENTS = {"docs/reference/python.md"}
# Pages with a test of their own.
ELSEWHERE = {"docs/how-to/serve.md", "docs/how-to/stop-and-resume.md"}
SHIM = """#!{python}
import sys

from unfreeze.__main__ import main

SMALL = {{"run": ["--size", "32"], "tune": ["--size", "32"], "codes": ["--size", "32"], "probe": ["--size", "32"]}}
words = sys.argv[1:]
given = {{"--size", "--resume", "--backbone", "--help"}} & set(words)
if words and words[0] in SMALL and not given and not any(word.startswith("codes.") for word in words[1:2]):
    words += SMALL[words[0]]
if words and words[0] == "run" and not {{"--resume", "--rounds", "--budget"}} & set(words):
    words += ["--rounds", "1"]
if words and words[0] == "run" and "--budget" in words:
    words[words.index("--budget") + 1] = "20s"
if words and words[0] == "run" and not {{"--resume", "--strategies"}} & set(words):
    words += ["--strategies", "none"]
if words and words[0] == "tune" and "--epochs" not in words:
    words += ["--epochs", "1"]
sys.argv[1:] = words
if __name__ == "__main__":  # processes that share a training read this file, too
    main()
"""


@dataclass(frozen=True)
class Block:
    """A block of a page."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that can be run."""
    found = re.findall(r"```(bash|python)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [Block(language, text) for language, text in found]


PAGES = {
    name: found
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    if (found := blocks(page)) and (name := page.relative_to(ROOT).as_posix()) not in FRAGMENTS | ELSEWHERE
}


def leaves(folder: Path, *, first: int = 0, suffix: str = "jpg", names: tuple[str, ...] = ()) -> None:
    """A folder of class folders, of leaves that no other call with another `first` draws."""
    for number, tree in enumerate(TREES_SHOWN):
        name = names[number] if names else tree.name
        (folder / name).mkdir(parents=True, exist_ok=True)
        for leaf in range(first, first + LEAVES):
            draw_leaf(tree, seed=(number, leaf)).save(folder / name / f"{leaf:03}.{suffix}")


def listed(folder: Path, path: Path) -> None:
    """A list of a folder's photos with groups of two."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group"])
        for number, photo in enumerate(sorted(folder.glob("*/*"))):
            writer.writerow([photo.relative_to(path.parent), photo.parent.name, f"g{number // 2}"])


def add_a_class(world: Path) -> None:
    """Photos of a new tree; the second run exists before it is scored."""
    leaves(world / "new" / "drawn", first=200)
    (world / "new" / "drawn" / TREES_SHOWN[0].name).rename(world / "new" / "hornbeam")


def loose_photos(world: Path) -> None:
    """New photos that lie in no class folder, one by itself, and a model that timm loads where the page has it."""
    (world / "new").mkdir()
    for leaf in range(200, 203):
        draw_leaf(TREES_SHOWN[0], seed=(0, leaf)).save(world / "new" / f"{leaf}.jpg")
    shutil.copy(world / "new" / "200.jpg", world / "photo.jpg")
    command = [sys.executable, "-m", "unfreeze", "tune", "photos", "--unfreeze", "softmax-last", "--out", "model"]
    subprocess.run(command, cwd=world, check=True)


def two_rounds(world: Path) -> None:
    """Photos of a first and of a second task."""
    leaves(world / "first", first=300)
    leaves(world / "second", first=400)


def new_folder(world: Path) -> None:
    """Labelled photos from elsewhere."""
    leaves(world / "new", first=200)


def wrong_photo(world: Path) -> None:
    """One that lies in the folder of another tree."""
    draw_leaf(TREES_SHOWN[2], seed=(2, 900)).save(world / "photos" / "birch" / "017.jpg")


def digits(world: Path) -> None:
    """The sample that an earlier page draws."""
    subprocess.run([sys.executable, "-m", "unfreeze", "sample", "digits", "digits"], cwd=world, check=True)


def events(world: Path) -> None:
    """A run under the name that the page gives it."""
    shutil.copytree(world / "unfreeze-runs" / "photos-1", world / "runs" / "photos")


def leaves_run(world: Path) -> None:
    """The run of the tutorial."""
    shutil.copytree(world / "unfreeze-runs" / "photos-1", world / "unfreeze-runs" / "leaves-1")


def tars(world: Path) -> None:
    """The photos, packed in ten tars."""
    (world / "tars").mkdir()
    photos = sorted((world / "photos").glob("*/*"))
    for number in range(10):
        with tarfile.open(world / "tars" / f"train-{number:03}.tar", "w") as file:
            for photo in photos[number::10]:
                file.add(photo, photo.relative_to(world))


MORE: dict[str, Callable[[Path], None]] = {
    "docs/how-to/add-a-class.md": add_a_class,
    "docs/how-to/good-on-paper.md": new_folder,
    "docs/how-to/look-at-mistakes.md": wrong_photo,
    "docs/how-to/score-a-model.md": digits,
    "docs/how-to/second-round.md": two_rounds,
    "docs/how-to/export.md": loose_photos,
    "docs/how-to/ship-the-model.md": loose_photos,
    "docs/how-to/tars-and-stores.md": tars,
    "docs/reference/run-json.md": leaves_run,
}


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which `unfreeze` is this checkout's, and the home folder is nobody's."""
    place = tmp_path_factory.mktemp("tools")
    (place / "home").mkdir()
    for name, text in (("unfreeze", SHIM), ("python", '#!/bin/sh\nexec {python} "$@"\n')):
        (place / name).write_text(text.format(python=sys.executable), encoding="utf-8")
        (place / name).chmod(0o755)
    (place / "xdg-open").write_text("#!/bin/sh\n", encoding="utf-8")
    (place / "xdg-open").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name not in {"UNFREEZE_CACHE", "XDG_CACHE_HOME"}}
    return kept | {"PATH": f"{place}:{os.environ['PATH']}", "HOME": str(place / "home"), "BROWSER": "true"}


@pytest.fixture(scope="session")
def whole_world(tmp_path_factory: pytest.TempPathFactory, tools: dict[str, str]) -> Path:
    """What every page takes for granted: photos, a list of them, labelled others, an inbox, a finished run."""
    world = tmp_path_factory.mktemp("world")
    leaves(world / "photos")
    leaves(world / "others", first=100)
    leaves(world / "holdout", first=120)
    (world / "inbox").mkdir()
    for leaf in range(3):
        draw_leaf(TREES_SHOWN[leaf], seed=(leaf, 500)).save(world / "inbox" / f"{leaf}.jpg")
    listed(world / "photos", world / "photos.csv")
    subprocess.run(["unfreeze", "run", "photos/"], cwd=world, env=tools, check=True, capture_output=True)
    return world


def is_possible(code: str) -> bool:
    """Whether all libraries are there that a block of Python imports."""
    names = re.findall(r"^(?:from|import) (\w+)", code, re.MULTILINE)
    return all(importlib.util.find_spec(name) for name in names)


def runnable(text: str) -> str:
    """A block of shell without the lines that cannot be run here."""
    lines = text.replace("\\\n", " ").replace("…", "").splitlines()
    return "\n".join(line for line in lines if not any(mark in line for mark in LEFT_OUT))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_followed(name: str, tmp_path: Path, tools: dict[str, str], whole_world: Path) -> None:
    """Every block of shell ends well, and so does the page's Python, read as one program up to each command."""
    world = tmp_path / "world"
    shutil.copytree(whole_world, world)
    MORE.get(name, lambda _: None)(world)
    program = ""
    for block in PAGES[name]:
        if block.language == "python":
            program += block.text if is_possible(block.text) else ""
            command, said = [sys.executable, "-c", program], block.text
        else:
            said = runnable(block.text)
            command = ["bash", "-euo", "pipefail", "-c", said]
        done = subprocess.run(command, check=False, cwd=world, env=tools, capture_output=True, text=True, timeout=900)

        assert done.returncode == 0, f"{name}:\n{said}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
