"""Files that are there whole or not at all."""

import contextlib
import errno
import json
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from unfreeze.core.errors import DiskFailedError, DiskFullError, OutputError
from unfreeze.core.files import (
    checked_new_file,
    disk_errors_explained,
    durable_file,
    durable_folder,
    make_folder,
    new_folder,
    sha256_of,
    write_bytes,
    write_json,
)
from unfreeze.core.leftovers import paths_in


def test_a_hash_is_the_published_one() -> None:
    """The hash of "abc" is the example of FIPS 180-2."""
    assert sha256_of(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_is_checked_before_the_work(tmp_path: Path) -> None:
    """A file that exists, and one whose folder does not, are refused, and the check leaves nothing behind."""
    (tmp_path / "codes.parquet").touch()

    with pytest.raises(OutputError, match="exists already"):
        checked_new_file(tmp_path / "codes.parquet")
    with pytest.raises(OutputError, match="There is no folder"):
        checked_new_file(tmp_path / "nowhere" / "codes.parquet")
    checked_new_file(tmp_path / "new.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["codes.parquet"]


def test_a_link_to_nothing_is_a_file_that_exists(tmp_path: Path) -> None:
    """A dangling link is refused, since writing would fill the place that it points to."""
    (tmp_path / "link.npy").symlink_to(tmp_path / "elsewhere.npy")

    with pytest.raises(OutputError, match="exists already"):
        checked_new_file(tmp_path / "link.npy")


@pytest.mark.parametrize("fails", [False, True], ids=["whole", "half"])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, fails: bool) -> None:
    """When writing fails half way the old content stays, and no temporary file is left either way."""
    path = tmp_path / "run.json"
    path.write_bytes(b"old")

    with contextlib.suppress(KeyboardInterrupt), durable_file(path) as temporary:
        temporary.write_bytes(b"new")
        if fails:
            raise KeyboardInterrupt

    assert path.read_bytes() == (b"old" if fails else b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_read_back(tmp_path: Path) -> None:
    """Names in any script stand as they are, and bytes of a file name that are no text keep their value."""
    strange = b"\xff.png".decode("utf-8", "surrogateescape")
    write_json(tmp_path / "a.json", {"name": "Käse", "file": strange})

    data = (tmp_path / "a.json").read_bytes()
    assert "Käse".encode() in data
    assert json.loads(data.decode("utf-8", "surrogateescape")) == {"name": "Käse", "file": strange}


@pytest.mark.parametrize(
    ("number", "error", "said"),
    [
        (errno.ENOSPC, DiskFullError, "The disk is full"),
        (errno.EDQUOT, DiskFullError, "The disk is full"),
        (errno.EIO, DiskFailedError, "The disk does not work"),
        (errno.ENOTEMPTY, OutputError, "Choose another place"),
        (errno.EROFS, OutputError, "Choose another place"),
        (errno.ENOENT, OutputError, "Choose another place"),
    ],
)
def test_errors_of_the_disk_say_what_to_do(number: int, error: type[Exception], said: str) -> None:
    """A full disk is told from a place that cannot be written, and both name what was written."""
    with pytest.raises(error, match=f"(?s)model.*{said}|{said}.*model"), disk_errors_explained(Path("model")):
        raise OSError(number, "words of the system")


def test_other_errors_of_the_disk_are_left_alone() -> None:
    """An error that has nothing to do with the disk comes out as it is."""
    with pytest.raises(OSError, match="broken") as caught, disk_errors_explained(Path("model")):
        raise OSError(errno.ECONNRESET, "broken")

    assert caught.type is ConnectionResetError


def test_folders_are_numbered_and_never_shared(tmp_path: Path) -> None:
    """Sixteen that ask at once get sixteen folders, numbered from 1 without a gap."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_folder(tmp_path / "runs", "photos"), range(16)))

    assert {folder.name for folder in made} == {f"photos-{number}" for number in range(1, 17)}
    assert all(folder.is_dir() for folder in made)


@pytest.mark.parametrize("make", [Path.touch, lambda path: None], ids=["a file", "nothing"])
def test_what_is_no_folder_holds_nothing(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A folder that is gone, or is none, has no paths and is no error."""
    make(tmp_path / "x")

    assert paths_in(tmp_path / "x") == []


def test_paths_are_sorted(tmp_path: Path) -> None:
    """What a folder holds comes by name, whatever the file system's order is."""
    for name in "cab":
        write_bytes(tmp_path / name, b"")

    assert [path.name for path in paths_in(tmp_path)] == ["a", "b", "c"]


def modes_below(folder: Path) -> set[int]:
    """Permissions of a folder and all that is in it."""
    return {stat.S_IMODE(path.lstat().st_mode) for path in (folder, *folder.rglob("*"))}


def test_what_is_private_stays_so(tmp_path: Path) -> None:
    """With umask 000, folders and files that are private are their owner's alone, also those that were made above."""
    before = os.umask(0)
    try:
        make_folder(tmp_path / "cache" / "codes" / "a", private=True)
        write_bytes(tmp_path / "cache" / "codes" / "a" / "shard", b"x", private=True)
        write_bytes(tmp_path / "result", b"x")
    finally:
        os.umask(before)

    assert modes_below(tmp_path / "cache") == {0o700, 0o600}
    assert stat.S_IMODE((tmp_path / "result").stat().st_mode) == 0o666, "results are as open as the user wants them"


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none"])
def test_what_appears_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, links: bool
) -> None:
    """A file or link that somebody puts there during the work stays as it is, and nothing else is left."""
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "precious").write_bytes(b"precious")
    path = tmp_path / "out.csv"

    def work() -> None:
        with durable_file(path, new=True) as temporary:
            temporary.write_bytes(b"ours")
            if kind == "file":
                path.write_bytes(b"theirs")
            else:
                path.symlink_to(tmp_path / ("precious" if kind == "link" else "nowhere"))

    with pytest.raises(OutputError, match="appeared while"):
        work()
    assert path.is_symlink() or path.read_bytes() == b"theirs"
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.csv", "precious"]


def no_links(*_: object, **__: object) -> None:
    """As a file system without hard links says."""
    raise OSError(errno.EPERM, "Operation not permitted")


def test_a_new_file_appears_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system has no hard links, a new file comes all the same, whole."""
    monkeypatch.setattr(os, "link", no_links)

    write_bytes(tmp_path / "out.csv", b"ours", new=True)

    assert (tmp_path / "out.csv").read_bytes() == b"ours"
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]


def test_names_on_the_way_are_no_trap(tmp_path: Path) -> None:
    """A link under the name that was once tried out, to see whether a folder can be written, is left alone."""
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / ".unfreeze-tmp-writable").symlink_to(tmp_path / "precious")

    checked_new_file(tmp_path / "codes.parquet")
    write_bytes(tmp_path / "codes.parquet", b"ours", new=True)

    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / ".unfreeze-tmp-writable").is_symlink()


def test_a_temporary_file_that_was_exchanged_is_noticed(tmp_path: Path) -> None:
    """If somebody puts another file, or a link, in place of ours while it is written, nothing goes to the place."""
    (tmp_path / "precious").write_bytes(b"precious")

    def work(*, link: bool) -> None:
        with durable_file(tmp_path / "out") as temporary:
            temporary.rename(tmp_path / "aside")
            if link:
                temporary.symlink_to(tmp_path / "precious")
            else:
                temporary.write_bytes(b"theirs")

    for link in (False, True):
        with pytest.raises(OutputError):
            work(link=link)
        (tmp_path / "aside").unlink()

    assert [each.name for each in tmp_path.iterdir()] == ["precious"]
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_folder_appears_whole_and_replaces_nothing(tmp_path: Path) -> None:
    """It goes to nothing or onto an empty folder; what somebody put there meanwhile stays, and nothing is left."""
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        with durable_folder(tmp_path / name) as temporary:
            (temporary / "a").write_bytes(b"ours")
        assert (tmp_path / name / "a").read_bytes() == b"ours"

    def work() -> None:
        with durable_folder(tmp_path / "late") as temporary:
            (temporary / "a").write_bytes(b"ours")
            (tmp_path / "late").mkdir()
            (tmp_path / "late" / "a").write_bytes(b"theirs")

    with pytest.raises(OutputError):
        work()
    assert (tmp_path / "late" / "a").read_bytes() == b"theirs"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["empty", "late", "new"]
