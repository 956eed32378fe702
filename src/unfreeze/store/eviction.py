"""The size limit of all stores together: those that were not used for longest go first, whole."""

import contextlib
import math
import os
import shutil
from pathlib import Path
from typing import final

from unfreeze.core.leftovers import TEMPORARY_PREFIX, paths_in
from unfreeze.core.sizes import parse_size
from unfreeze.store.locks import last_used, remove_store

LIMIT_VARIABLE = "UNFREEZE_CACHE_LIMIT"
DEFAULT_LIMIT = 20 * 10**9
DEFAULT_SHARE = 10  # of the disk: its tenth, if that is less
LOOKS = 100  # that a process takes while it writes as much as the limit


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


@final
class LimitKeeper:
    """Keeps the limit while one process writes, and does not look at all files after every shard.

    A look asks for the size of every file. One after each of the 390,625 shards of 100 million images would ask the
    file system 76 billion times.
    """

    def __init__(self) -> None:
        self._unseen = math.inf  # the first shard may be the one too many

    def wrote(self, folder: Path, number: int) -> None:
        """Note what was written, and evict what has to go if that has become a hundredth of the limit.

        Args:
            folder: Of the store that was written; it stays.
            number: Of bytes.
        """
        self._unseen += number
        limit = size_limit(folder)
        if self._unseen * LOOKS >= limit:
            self._unseen = 0
            evict(folder.parent, limit, keep=folder)


def half_removed(stores: Path) -> list[Path]:
    """What is left of stores whose removal was interrupted."""
    return [path for path in paths_in(stores) if path.name.startswith(TEMPORARY_PREFIX)]
