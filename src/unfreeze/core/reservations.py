"""Places that a command will write to, kept for it from its start: of two with one ``--out``, one is told at once.

A lock lies beside the place while the command works. The system lets go of it when the process ends, however it ends.
Where nothing can be written beside the place, or a file system has no locks, nothing is kept; that nothing is
overwritten holds all the same, at the end.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from unfreeze.core.errors import OutputError
from unfreeze.core.files import NO_FOLLOW, PRIVATE_FILE, sha256_of
from unfreeze.core.leftovers import OUT_PREFIX, paths_in, sweep

_TRIES, _PAUSE = 10, 0.01  # seconds


@contextlib.contextmanager
def reserved(place: Path, *, option: str = "--out") -> Iterator[None]:
    """Keep a place for this process, and remove what dead processes left beside it.

    Args:
        place: A file or folder, which need not be there; the folder that it lies in must.
        option: Which names it.

    Raises:
        OutputError: Another process keeps it.
    """
    beside = place.resolve()
    sweep_beside(place)
    lock = beside.parent / f"{OUT_PREFIX}{sha256_of(os.fsencode(beside.name))[:16]}"
    try:
        handle = _kept(lock)
    except BlockingIOError as error:
        msg = f"Another process writes to {place}. Wait for it, or choose another name with {option}."
        raise OutputError(msg) from error
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(handle)


def sweep_beside(place: Path) -> None:
    """Remove what dead processes left beside a place: half-written files, and locks."""
    folder = place.resolve().parent
    sweep(folder)
    _sweep_locks(folder)


def _kept(lock: Path) -> int:
    """A handle that holds the lock.

    Raises:
        BlockingIOError: Another process holds it.
        OSError: It cannot be made.
    """
    for _ in range(_TRIES):  # somebody may just look whether a dead process left it, or remove it
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | NO_FOLLOW, PRIVATE_FILE)
        if lock_now(handle) and _is_still_there(handle, lock):
            return handle
        os.close(handle)
        time.sleep(_PAUSE)
    raise BlockingIOError


def _sweep_locks(folder: Path) -> None:
    """Remove the locks of processes that are dead."""
    for path in paths_in(folder):
        if not path.name.startswith(OUT_PREFIX):
            continue
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDWR | NO_FOLLOW)
            try:
                if lock_now(handle):
                    path.unlink()
            finally:
                os.close(handle)


def _is_still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return False


def lock_now(handle: int) -> bool:
    """Lock an open file for this process alone, without waiting.

    Returns:
        Whether it could be had; where the file system has no locks, it counts as had.
    """
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True
