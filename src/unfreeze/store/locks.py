"""Which stores are in use, when each was opened last, and how one is removed that nobody uses.

Every store holds an empty file. A process that has the store open holds a shared lock on it (flock), which the system
releases when the process ends, however it ends; the file's modification time is that of the last use. Removing a store
requires the exclusive lock. Windows has no such lock, but does not move a folder in which a file is open. Where a file
system has no locks at all, nothing is ever removed.
"""

import contextlib
import os
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import final

from unfreeze.core.files import disk_errors_explained, make_folder
from unfreeze.core.leftovers import temporary_path

USE_FILE = "last-used"
_TRIES = 10


@final
class Use:
    """One process's mark on a store that it uses; gone with `close` or with the process.

    Args:
        folder: Of the store.
        handle: Holds the lock.
    """

    def __init__(self, folder: Path, handle: int) -> None:
        self.folder = folder
        self._close_handle = weakref.finalize(self, os.close, handle)

    def close(self) -> None:
        """Take the mark off; a second time does nothing."""
        if _latest.get(self.folder) is self:
            del _latest[self.folder]
        self._close_handle()


# A store that was opened may be needed again as long as the process lives, also when nobody holds the object any more.
_latest: dict[Path, Use] = {}


def mark_in_use(folder: Path) -> Use | None:
    """Make the store's folder where there is none, and mark it as used by this process, now.

    Args:
        folder: Of the store.

    Returns:
        The mark, which lasts as long as the process or until it is closed. None where nothing can be written, and where
        the file system has no locks.

    Raises:
        OutputError: The folder is not there and cannot be made.
    """
    for _ in range(_TRIES):  # the store may be removed between any two of these steps
        try:
            make_folder(folder, private=True)
            handle = os.open(folder / USE_FILE, os.O_RDONLY | os.O_CREAT, 0o600)
        except OSError:
            continue
        if _locked(handle, shared=True) and _is_still_there(handle, folder / USE_FILE):
            touch(folder)
            _latest[folder] = Use(folder, handle)
            return _latest[folder]
        os.close(handle)
    with disk_errors_explained(folder):
        make_folder(folder, private=True)
    return None


def touch(folder: Path) -> None:
    """Set the time of the store's last use to now, where that can be written."""
    with contextlib.suppress(OSError):
        os.utime(folder / USE_FILE)


def last_used(folder: Path) -> float:
    """When the store was opened or written last, in seconds since 1970; 0 if it is gone."""
    for path in (folder / USE_FILE, folder):
        with contextlib.suppress(OSError):
            return path.stat().st_mtime
    return 0.0


def is_in_use(folder: Path) -> bool:
    """Whether a process has the store open, this one included; not known on Windows."""
    if not (folder / USE_FILE).exists():
        return False
    with unused(folder) as free:
        return not free


def remove_store(folder: Path) -> bool:
    """Remove a store whole, unless a process uses it.

    Args:
        folder: Of the store.

    Returns:
        Whether it was removed.
    """
    doomed = temporary_path(folder.parent)
    with unused(folder) as free:
        if not free:
            return False
        try:
            folder.rename(doomed)  # in one step: nobody ever meets half a store
        except OSError:
            return False
    shutil.rmtree(doomed, ignore_errors=True)
    return True


@contextlib.contextmanager
def unused(folder: Path) -> Iterator[bool]:
    """Keep other processes from opening a store, if none has it open.

    Args:
        folder: Of the store.

    Yields:
        Whether nobody uses it, and nobody will before this ends.
    """
    if os.name == "nt":
        yield True
        return
    try:
        handle = os.open(folder / USE_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield False
        return
    try:
        yield _locked(handle, shared=False) and _is_still_there(handle, folder / USE_FILE)
    finally:
        os.close(handle)


def _locked(handle: int, *, shared: bool) -> bool:
    """Whether the lock could be had: a shared one is waited for, an exclusive one is not."""
    if os.name == "nt":
        return True
    import fcntl  # POSIX only

    try:
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False
