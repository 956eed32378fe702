"""Names of what is being written, and what processes left behind that died while they wrote.

The name says who writes: a mark of the machine and the number of the process. So what nobody will finish is known by
its name, in any folder, and what somebody is writing is left alone.
"""

import contextlib
import functools
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from pathlib import Path

TEMPORARY_PREFIX = ".unfreeze-tmp-"
OUT_PREFIX = f"{TEMPORARY_PREFIX}out-"  # locks of places, see `core.reservations`
# Of another machine that shares the folder, or a container that is gone, no process can be looked up: what was not
# touched for so long is nobody's.
SECONDS_UNTOUCHED = 7 * 24 * 3600.0

_NAME = re.compile(rf"{re.escape(TEMPORARY_PREFIX)}([0-9a-f]{{8}})-([0-9]{{1,10}})-[0-9a-f]{{16}}")


def paths_in(folder: Path) -> list[Path]:
    """What is in a folder, sorted; nothing if the folder is gone or cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def temporary_path(folder: Path) -> Path:
    """A name in `folder` that nobody else has or can guess, for something that this process writes.

    It is short, so that it fits wherever a name of 255 bytes does.
    """
    return folder / f"{TEMPORARY_PREFIX}{_machine()}-{os.getpid()}-{secrets.token_hex(8)}"


def is_left_over(path: Path) -> bool:
    """Whether `path` has a name of `temporary_path`, and the process that made it will not finish it."""
    found = _NAME.fullmatch(path.name)
    if found is None:
        return False
    if found[1] == _machine():
        return not _lives(int(found[2]))
    try:
        return time.time() - path.lstat().st_mtime > SECONDS_UNTOUCHED
    except OSError:
        return False


def sweep(folder: Path) -> list[Path]:
    """Remove from a folder what processes left that are dead; where it cannot be removed, it stays.

    Args:
        folder: May be missing.

    Returns:
        What was left there.
    """
    left = [path for path in paths_in(folder) if is_left_over(path)]
    for path in left:
        remove(path)
    return left


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it, as far as that can be."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


@functools.cache
def _machine() -> str:
    """What tells machines and containers apart: the same process number means another process in another of them."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # no Linux, so no containers of this kind
        namespace = ""
    return hashlib.sha256(f"{socket.gethostname()}\n{namespace}".encode()).hexdigest()[:8]


def _lives(process: int) -> bool:
    if os.name == "nt":  # where signal 0 would end it
        import psutil

        return bool(psutil.pid_exists(process))
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
