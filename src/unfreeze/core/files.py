"""Durable files: whole or not at all, also after a power cut."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unfreeze.core.errors import DiskError, DiskFailedError, DiskFullError, OutputError
from unfreeze.core.leftovers import temporary_path

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # of links; Windows makes them for administrators alone
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# Of the disk itself, of one behind a network, and of one that is not there any more.
BROKEN = frozenset({errno.EIO, getattr(errno, "EREMOTEIO", errno.EIO), getattr(errno, "ESTALE", errno.EIO)})
_REFUSED = frozenset({
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.EEXIST, errno.EISDIR, errno.ENOTEMPTY,
    errno.ELOOP, errno.ENAMETOOLONG,
})  # fmt: skip
# What a file system says that has no hard links: FAT, some network and FUSE ones.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})


def sha256_of(data: bytes) -> str:
    """Hash of bytes, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_json(content: Any) -> str:
    """Hash of plain data with text as keys, whatever their order: 64 hexadecimal digits."""
    return sha256_of(json.dumps(content, sort_keys=True).encode())


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
    """Turn a full disk, a broken one, or a place that cannot be written into an error that says so.

    Args:
        path: What is being written, named in the text.

    Raises:
        DiskFullError: No space is left, or a quota is used up.
        DiskFailedError: The disk, or the way to it, does not work.
        OutputError: The place cannot be written.
    """
    try:
        yield
    except OSError as error:
        explained = explained_error(error, path)
        if explained is None:
            raise
        raise explained from error


def explained_error(error: OSError, path: Path | None) -> DiskError | OutputError | None:
    """What an error of the system means for who waits for `path` to be written.

    Args:
        error: Of the system; one of ours is explained already.
        path: What is being written; None if that is not known.

    Returns:
        One of the errors of `disk_errors_explained`; None for an error of another kind.
    """
    if isinstance(error, (DiskError, OutputError)):
        return None
    what = path or error.filename or "a file"
    if error.errno in NO_ROOM:
        return DiskFullError(
            f"The disk is full: {what} could not be written. "
            "What was finished before is safe; free some space and run again."
        )
    if error.errno in BROKEN:
        return DiskFailedError(
            f"The disk does not work: {what} could not be written ({error.strerror}). "
            "What was finished before is safe as far as the disk is; check it, or choose a place on another one."
        )
    if error.errno in _REFUSED and path is not None:
        return OutputError(f"Cannot write {path}: {error.strerror}. Choose another place.")
    return None


@contextlib.contextmanager
def durable_file(path: Path, *, new: bool = False, private: bool = False) -> Iterator[Path]:
    """A temporary file beside `path` to be filled; then it is put there in one step that survives a power cut.

    It is made empty, under a name that nobody can guess, and never in place of something or behind a link. If the work
    fails, nothing is left.

    Args:
        path: Where the file goes.
        new: Whether something that is there by then stays as it is, and is an error; else it is replaced.
        private: Whether only its owner may read it, whatever the umask says.

    Yields:
        The temporary path, of an empty file.

    Raises:
        DiskFullError: No space is left, or a quota is used up.
        DiskFailedError: The disk does not work.
        OutputError: The place cannot be written, or something new appeared there.
    """
    temporary = temporary_path(path.parent)
    with disk_errors_explained(path):
        made = _made_anew(temporary, PRIVATE_FILE if private else 0o666)
        try:
            yield temporary
            handle = os.open(temporary, os.O_RDWR | NO_FOLLOW)  # Windows synchronises only handles that may write
            try:
                if not os.path.samestat(os.fstat(handle), made):
                    msg = f"Cannot write {path}: somebody else changes files in its folder. Choose another place."
                    raise OutputError(msg)
                os.fsync(handle)
            finally:
                os.close(handle)
            if new:
                _appear(temporary, path)
            else:
                temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _made_anew(path: Path, mode: int) -> os.stat_result:
    """Make an empty file where nothing is, not even a link."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | NO_FOLLOW, mode)
    try:
        return os.fstat(handle)
    finally:
        os.close(handle)


def _appear(temporary: Path, path: Path) -> None:
    """Give a finished file its name, unless something has it by now."""
    try:
        if os.name == "nt":
            temporary.rename(path)  # which refuses there what it would replace elsewhere
            return
        try:
            os.link(temporary, path, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _made_anew(path, 0o666)  # takes the name, in one step too
            temporary.replace(path)
        else:
            temporary.unlink()
    except FileExistsError as error:
        msg = f"{path} appeared while this worked and is not overwritten. Choose another name and run again."
        raise OutputError(msg) from error


@contextlib.contextmanager
def durable_folder(folder: Path, *, private: bool = False) -> Iterator[Path]:
    """A temporary folder beside `folder` to be filled; then it is put there in one step.

    If the work fails, nothing is left. What is written into it survives a power cut if it is written durably.

    Args:
        folder: Where it goes: to nothing, or onto an empty folder; its parents are made.
        private: Whether only its owner may look into it and what is made above it.

    Yields:
        The temporary folder.

    Raises:
        DiskFullError: No space is left, or a quota is used up.
        DiskFailedError: The disk does not work.
        OutputError: The place cannot be written, or is taken by now.
    """
    temporary = temporary_path(folder.parent)
    with disk_errors_explained(folder):
        make_folder(folder.parent, private=private)
        temporary.mkdir(mode=PRIVATE_FOLDER if private else 0o777)
        try:
            yield temporary
            if os.name == "nt" and folder.exists():
                folder.rmdir()  # Windows does not rename onto an empty folder
            temporary.rename(folder)  # POSIX: onto nothing, or onto an empty folder, in one step
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync_folder(folder.parent)


def make_folder(folder: Path, *, private: bool = False) -> None:
    """Make a folder, and those above it, where they are missing, so that they survive a power cut.

    Args:
        folder: Which.
        private: Whether only its owner may look into what is made, whatever the umask says.

    Raises:
        OSError: It cannot be made; see `disk_errors_explained`.
    """
    missing = []
    while not folder.is_dir() and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=PRIVATE_FOLDER if private else 0o777, exist_ok=True)
        with contextlib.suppress(OSError):  # a folder above that may not be read
            sync_folder(each.parent)


def write_bytes(path: Path, data: bytes, *, new: bool = False, private: bool = False) -> None:
    """Write `data` durably; see `durable_file`."""
    with durable_file(path, new=new, private=private) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, document: Any, *, private: bool = False) -> None:
    """Write a JSON document durably, in UTF-8, indented; see `durable_file`."""
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode("utf-8", "surrogateescape"), private=private)


def new_folder(parent: Path, name: str) -> Path:
    """Make the first of ``name-1``, ``name-2``, ... that `parent` does not have yet; two processes never get the same.

    Args:
        parent: Made where missing.
        name: Stem of the new folder's name.

    Returns:
        The new, empty folder.
    """
    with disk_errors_explained(parent):
        make_folder(parent)
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
    """Try it out, before work whose results would be lost.

    Raises:
        OSError: Nothing can be written there; see `disk_errors_explained`.
    """
    probe = temporary_path(folder)
    _made_anew(probe, PRIVATE_FILE)
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
