"""Files that are there whole or not at all."""

import errno
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from unfreeze.core.errors import DiskFullError, OutputError
from unfreeze.core.files import (
    checked_new_file,
    disk_errors_explained,
    new_folder,
    paths_in,
    sha256_of,
    write_bytes,
    write_durably,
    write_json,
)


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

    def fill(temporary: Path) -> None:
        temporary.write_bytes(b"new")
        if fails:
            raise KeyboardInterrupt

    if fails:
        with pytest.raises(KeyboardInterrupt):
            write_durably(path, fill)
    else:
        write_durably(path, fill)

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
        (errno.EROFS, OutputError, "Choose another place"),
        (errno.ENOENT, OutputError, "Choose another place"),
    ],
)
def test_errors_of_the_disk_say_what_to_do(number: int, error: type[Exception], said: str) -> None:
    """A full disk is told from a place that cannot be written, and both name what was written."""
    with pytest.raises(error, match=f"(?s)model.*{said}|{said}.*model"), disk_errors_explained(Path("model")):
        raise OSError(number, "words of the system")


def test_other_errors_of_the_disk_are_left_alone() -> None:
    """A disk that breaks is no mistake of the user's, so its error comes out as it is."""
    with pytest.raises(OSError, match="broken") as caught, disk_errors_explained(Path("model")):
        raise OSError(errno.EIO, "broken")

    assert caught.type is OSError


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
