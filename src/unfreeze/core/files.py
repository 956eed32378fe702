"""Durable files: whole or not at all, also after a power cut."""

import contextlib
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from unfreeze.core.errors import DiskFullError, OutputError

TEMPORARY_PREFIX = ".unfreeze-tmp-"


def sha256_of(data: bytes) -> str:
    """Hash of bytes, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hash of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make names that were added to or changed in `folder` survive a power cut."""
    if os.name == "nt":  # Windows has no handle on a folder that could be synchronised
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def disk_errors_explained(path: Path) -> Iterator[None]:
    """Turn a full disk or a place that cannot be written into an error that says so.

    Args:
        path: What is being written, named in the text.

    Raises:
        DiskFullError: No space is left, or a quota is used up.
        OutputError: The place cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            msg = (
                f"The disk is full: {path} could not be written. "
                "What was finished before is safe; free some space and run again."
            )
            raise DiskFullError(msg) from error
        if error.errno in {
            errno.EACCES,
            errno.EPERM,
            errno.EROFS,
            errno.ENOTDIR,
            errno.ENOENT,
            errno.EEXIST,
            errno.EISDIR,
        }:
            msg = f"Cannot write {path}: {error.strerror}. Choose another place."
            raise OutputError(msg) from error
        raise


@contextlib.contextmanager
def durable_file(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to be filled; then it is put there in one step that survives a power cut.

    The temporary name is random and short, so that a name of 255 bytes still works. If the work fails, nothing is left.

    Args:
        path: Where the file goes; an older one is replaced.

    Yields:
        The temporary path; whoever asked must create that file.

    Raises:
        DiskFullError: No space is left, or a quota is used up.
        OutputError: The place cannot be written.
    """
    temporary = path.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}"
    with disk_errors_explained(path):
        try:
            yield temporary
            handle = os.open(temporary, os.O_RDWR)  # Windows synchronises only handles that may write
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def write_durably(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file, which appears at `path` whole or not at all; see `durable_file`."""
    with durable_file(path) as temporary:
        write(temporary)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` durably."""

    def fill(temporary: Path) -> None:
        temporary.write_bytes(data)

    write_durably(path, fill)


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document durably, in UTF-8, indented."""
    write_bytes(path, (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape"))


def paths_in(folder: Path) -> list[Path]:
    """What is in a folder, sorted; nothing if the folder is gone or cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def new_folder(parent: Path, name: str) -> Path:
    """Make the first of ``name-1``, ``name-2``, ... that `parent` does not have yet; two processes never get the same.

    Args:
        parent: Made where missing.
        name: Stem of the new folder's name.

    Returns:
        The new, empty folder.
    """
    with disk_errors_explained(parent):
        parent.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            folder = parent / f"{name}-{number}"
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
            else:
                return folder


def check_writable(folder: Path) -> None:
    """Try it out, before work whose results would be lost; see `disk_errors_explained`."""
    probe = folder / ".unfreeze-tmp-writable"
    probe.write_bytes(b"")
    probe.unlink()


def checked_new_file(path: Path, *, option: str = "--out") -> None:
    """Make sure, before the work, that a file can be written at `path`.

    Args:
        path: Of the file.
        option: Which names it.

    Raises:
        OutputError: It exists already, or its folder cannot be written.
    """
    with disk_errors_explained(path):
        if path.is_symlink() or path.exists():
            msg = f"{path} exists already and is not overwritten. Remove it or choose another name with {option}."
            raise OutputError(msg)
        if not path.parent.is_dir():
            msg = f"There is no folder {path.parent} to write {path.name} into. Make it, or choose another {option}."
            raise OutputError(msg)
        check_writable(path.parent)
