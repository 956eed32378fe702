"""Folders, names and lists that nobody would make on purpose: each is read with every file counted, or refused."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unfreeze.core.errors import UnfreezeError
from unfreeze.core.progress import SILENT
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.images.pool import DecoderPool

pytestmark = pytest.mark.lab

Make = Callable[[Path], Path | None]
HEAD = b"path,label\n"
ROWS = b"a/0.png,x\na/1.png,x\nb/0.png,y\nb/1.png,y\n"
_numbers = iter(range(10**9))


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """Decoders for all tests here."""
    with DecoderPool(workers=2) as pool:
        yield pool


def photo(path: Path | bytes, kind: str = "PNG") -> None:
    """Write a photo that no other one equals."""
    place = Path(os.fsdecode(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(next(_numbers)).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    with place.open("wb") as file:
        Image.fromarray(pixels).save(file, kind)


def added(*names: str) -> Make:
    """Photos with these names more."""

    def make(folder: Path) -> None:
        for name in names:
            photo(folder / name)

    return make


def done(*steps: Callable[[Path], object]) -> Make:
    """All of these, whatever they return."""

    def make(folder: Path) -> None:
        for step in steps:
            step(folder)

    return make


def listed(text: bytes, name: str = "list.csv") -> Make:
    """A list in place of the folder."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(text)
        return folder / name

    return make


def a_socket(folder: Path) -> None:
    """Bound by a short name, since the path may be too long for one."""
    here = Path.cwd()
    os.chdir(folder / "a")
    socket.socket(socket.AF_UNIX).bind("s.png")
    os.chdir(here)


def deep(folder: Path) -> None:
    """A path of 12,000 bytes, which no program can name in one piece."""
    here = Path.cwd()
    os.chdir(folder / "a")
    for _ in range(300):
        Path("d" * 40).mkdir()
        os.chdir("d" * 40)
    photo(Path("x") / "deep.png")
    os.chdir(here)


def foreign_bytes(folder: Path) -> None:
    """Names that are no text."""
    photo(os.fsencode(folder) + b"/a/\xff\xfe.png")
    for number in (b"1", b"2"):
        photo(os.fsencode(folder) + b"/\xffclass/" + number + b".png")


def split(folder: Path) -> None:
    """Parts of a split, and a photo in both."""
    for name in ("a", "b"):
        shutil.move(folder / name, folder / "train" / name)
        photo(folder / "test" / name / "t.png")
    shutil.copy(folder / "train/a/0.png", folder / "test/a/leak.png")


def only_bad(folder: Path) -> None:
    """A class in which nothing can be read."""
    (folder / "c").mkdir()
    for number in range(3):
        (folder / "c" / f"{number}.png").touch()


def elsewhere(folder: Path) -> None:
    """A class folder that is a link."""
    shutil.move(folder / "a", folder.parent / "moved")
    (folder / "a").symlink_to(folder.parent / "moved")


TORTURE: dict[str, Make] = {
    "nothing strange": lambda _: None,
    "link in a circle": done(lambda folder: (folder / "a" / "loop").symlink_to(folder)),
    "link to itself": done(lambda folder: (folder / "a" / "self").symlink_to("self")),
    "link to nothing": done(lambda folder: (folder / "a" / "d.png").symlink_to("/nowhere.png")),
    "link to a system folder": done(lambda folder: (folder / "a" / "etc").symlink_to("/etc")),
    "link to a system file": done(lambda folder: (folder / "a" / "p.png").symlink_to("/etc/passwd")),
    "class folder is a link": elsewhere,
    "hard link": done(lambda folder: (folder / "a" / "hard.png").hardlink_to(folder / "a" / "0.png")),
    "pipe": done(lambda folder: os.mkfifo(folder / "a" / "f.png")),
    "pipe without suffix": done(lambda folder: os.mkfifo(folder / "a" / "fifo")),
    "socket": a_socket,
    "folder named like a photo": done(lambda folder: (folder / "a" / "x.png").mkdir()),
    "newline, return, tab": added("a/two\nlines.png", "a/c\rr.png", "a/t\tb.png", "c\nd/1.png", "c\nd/2.png"),
    "bytes that are no text": foreign_bytes,
    "255 bytes": added("a/" + "x" * 251 + ".png", "y" * 255 + "/1.png", "y" * 255 + "/2.png"),
    "12,000 bytes": deep,
    "files that differ by case": added("a/X.png", "a/x.png"),
    "classes that differ by case": added("B/1.png", "B/2.png"),
    "classes that differ by accents' form": added(*(f"{c}/{n}.png" for c in ("e\u0301", "\u00e9") for n in "12")),
    "names like options": added("a/-rf.png", "a/ .png", "a/con.png", "a/dot.", "-c/1.png", "-c/2.png"),
    "other suffixes": done(*(
        lambda folder, name=name, kind=kind: photo(folder / "a" / name, kind)
        for name, kind in (("u.JPG", "JPEG"), ("j.jfif", "JPEG"), ("j.jpe", "JPEG"), ("none", "PNG"), ("x.dat", "PNG"))
    )),
    "litter of systems": added(".ipynb_checkpoints/1.png", "__MACOSX/1.png", "a/._0.png", "a/Thumbs.db", "a/.git/1"),
    "empty class": done(lambda folder: (folder / "c").mkdir()),
    "class of one": added("c/1.png"),
    "class of bad files": only_bad,
    "one class": done(lambda folder: shutil.rmtree(folder / "b")),
    "no photos": done(lambda folder: shutil.rmtree(folder / "a"), lambda folder: shutil.rmtree(folder / "b")),
    "missing": lambda folder: folder / "nothing",
    "a photo": lambda folder: folder / "a" / "0.png",
    "a device": lambda _: Path("/dev/null"),
    "photos beside classes": added("beside.png"),
    "folders in classes": added("a/deep/er/1.png"),
    "one photo in two classes": done(lambda folder: shutil.copy(folder / "a/0.png", folder / "b/copy.png")),
    "copy in train and test": split,
    "scripts": added("<script>alert(1)/1.png", "<script>alert(1)/2.png", "a/=cmd|'!A0.png"),
    "escapes": added("\x1b[2J/1.png", "\x1b[2J/2.png", "a/\u202egnp.exe.png"),
    "list": listed(HEAD + ROWS),
    "list with byte-order mark": listed(b"\xef\xbb\xbf" + (HEAD + ROWS).replace(b"\n", b"\r\n")),
    "list with a missing file": listed(HEAD + ROWS + b"b/no.png,y\n"),
    "list that leads outside": listed(HEAD + ROWS + b"../../../../../../etc/passwd,y\n/etc/passwd,y\n"),
    "list with a row twice": listed(HEAD + b"a/0.png,y\n" + ROWS),
    "list without labels": listed(b"path,class\na/0.png,x\n"),
    "list with an empty label": listed(HEAD + b"a/0.png,\n" + ROWS),
    "list with NUL": listed(HEAD + b"a/0\0.png,x\n" + ROWS),
    "list that is no UTF-8": listed(HEAD + b"a/\xff.png,x\n" + ROWS),
    "list with an open quote": listed(HEAD + b'"a/0.png,x\na/1.png,x\n'),
    "empty list": listed(b""),
    "list with a cell of a megabyte": listed(HEAD + ROWS + b"a/2.png," + b"x" * 10**6 + b"\n"),
    "broken parquet": listed(b"PAR1" + b"\0" * 40 + b"PAR1", "list.parquet"),
}  # fmt: skip


@pytest.mark.parametrize("make", TORTURE.values(), ids=TORTURE)
def test_it_is_read_or_refused(make: Make, pool: DecoderPool, tmp_path: Path) -> None:
    """No traceback and no hang; what is read adds up: found = used + set aside + removed + skipped."""
    folder = tmp_path / "photos"
    for label in "ab":
        for number in range(3):
            photo(folder / label / f"{number}.png")
    source = make(folder) or folder
    try:
        seen: ImageSet | UnfreezeError = read_image_set(source, pool=pool, progress=SILENT, max_bad=0.5)
    except UnfreezeError as refusal:
        seen = refusal
    shutil.rmtree(folder, ignore_errors=True)

    if isinstance(seen, UnfreezeError):
        assert seen.exit_code in {2, 3}
        assert len(str(seen)) > 30
    else:
        counts = seen.counts
        assert counts.found == counts.used + counts.set_aside + counts.duplicates_removed + counts.skipped
        assert counts.used == len(seen.images) >= 4
