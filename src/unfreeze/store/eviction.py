"""The size limit of all stores together: those that were not used for longest go first, whole."""

import contextlib
import os
import shutil
from pathlib import Path

from unfreeze.core.leftovers import TEMPORARY_PREFIX, paths_in
from unfreeze.core.sizes import parse_size
from unfreeze.store.locks import last_used, remove_store

LIMIT_VARIABLE = "UNFREEZE_CACHE_LIMIT"
DEFAULT_LIMIT = 20 * 10**9
DEFAULT_SHARE = 10  # of the disk: its tenth, if that is less


def size_limit(place: Path) -> int:
    """What all stores together may take.

    Args:
        place: A folder on the disk where they are.

    Returns:
        Bytes: the environment variable UNFREEZE_CACHE_LIMIT, else 20 GB or a tenth of the disk, whichever is less.

    Raises:
        InputError: The variable is set to something that is no size.
    """
    given = os.environ.get(LIMIT_VARIABLE)
    if given:
        return parse_size(given, option=LIMIT_VARIABLE)
    return min(DEFAULT_LIMIT, shutil.disk_usage(place).total // DEFAULT_SHARE)


def store_folders(stores: Path) -> list[Path]:
    """Folders of all stores in the folder `stores`."""
    return [path for path in paths_in(stores) if not path.name.startswith(".") and path.is_dir()]


def bytes_in(folder: Path) -> int:
    """Size of the files in a store; those that vanish meanwhile count nothing."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                total += entry.stat().st_size
    return total


def evict(stores: Path, limit: int, *, keep: Path | None = None) -> list[Path]:
    """Remove stores until the rest fits the limit, the least recently used first, never one in use.

    Args:
        stores: The folder of all stores.
        limit: What they may take together, bytes.
        keep: One that stays in any case.

    Returns:
        What was removed. Where all that is left is in use, more than the limit remains.
    """
    for folder in half_removed(stores):
        shutil.rmtree(folder, ignore_errors=True)
    sizes = {folder: bytes_in(folder) for folder in store_folders(stores)}
    total = sum(sizes.values())
    removed = []
    for folder in sorted(sizes, key=last_used):
        if total <= limit:
            break
        if folder != keep and remove_store(folder):
            total -= sizes[folder]
            removed.append(folder)
    return removed


def half_removed(stores: Path) -> list[Path]:
    """What is left of stores whose removal was interrupted."""
    return [path for path in paths_in(stores) if path.name.startswith(TEMPORARY_PREFIX)]
