"""All stores of codes together: what is there, what is damaged, what can go."""

import contextlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from unfreeze.core.files import write_json
from unfreeze.core.leftovers import TEMPORARY_PREFIX, paths_in
from unfreeze.core.progress import SILENT, Advance, Progress
from unfreeze.store.eviction import bytes_in, evict, half_removed, store_folders
from unfreeze.store.locks import is_in_use, last_used, remove_store, unused
from unfreeze.store.manifests import MANIFEST_FILE, Manifest
from unfreeze.store.places import Beside, kept_beside, stores_folder
from unfreeze.store.shards import (
    DamagedShardError,
    read_shard,
    rebuilt_manifest,
    recorded_manifest,
    rows_of_shard,
    shards_in,
)


@dataclass(frozen=True, kw_only=True)
class StoreInfo:
    """One store, as far as it can be told without reading codes.

    Attributes:
        folder: Where it is.
        manifest: What its codes are codes of; None if that is lost everywhere.
        size: Of all its files, bytes.
        shards: Number of its files of codes.
        images: Rows in them; an image that two processes computed at once counts twice.
        last_used: When it was opened or written last, seconds since 1970.
        in_use: Whether a process has it open.
    """

    folder: Path
    manifest: Manifest | None
    size: int
    shards: int
    images: int
    last_used: float
    in_use: bool


@dataclass(frozen=True, kw_only=True)
class StoreCheck:
    """What is wrong with one store.

    Attributes:
        folder: Where it is.
        shards: Number of its shards, damaged ones included.
        damaged: By the name of each damaged shard what is wrong with it.
        manifest_lost: Whether its manifest.json is missing or damaged.
        leftovers: Names of temporary files that nobody can be writing any more, since nobody uses the store.
    """

    folder: Path
    shards: int
    damaged: dict[str, str]
    manifest_lost: bool
    leftovers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """What was done.

    Attributes:
        removed: Damaged shards, by what was wrong with each.
        leftovers: Temporary files, and what remained of stores whose removal was interrupted; all removed.
        rebuilt: Manifests that were written anew from a shard.
        emptied: Stores that were removed, since neither manifest nor shards were left of them.
    """

    removed: dict[Path, str]
    leftovers: tuple[Path, ...]
    rebuilt: tuple[Path, ...]
    emptied: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What was removed.

    Attributes:
        removed: Stores as they were before.
        kept: Stores that would have been removed if no process used them.
    """

    removed: tuple[StoreInfo, ...]
    kept: tuple[StoreInfo, ...]


def stored(cache: Path | None = None) -> list[StoreInfo]:
    """Every store, the one that was used last first; reads footers alone, and passes over damage.

    Args:
        cache: Folder of all stores; `default_cache()` if None.

    Returns:
        One entry a store.
    """
    found = [_info(folder) for folder in store_folders(stores_folder(cache))]
    return sorted(found, key=lambda info: info.last_used, reverse=True)


def _info(folder: Path) -> StoreInfo:
    shards = shards_in(folder)
    return StoreInfo(
        folder=folder,
        manifest=recorded_manifest(folder) or rebuilt_manifest(folder),
        size=bytes_in(folder),
        shards=len(shards),
        images=sum(rows_of_shard(path) for path in shards),
        last_used=last_used(folder),
        in_use=is_in_use(folder),
    )


def verify(cache: Path | None = None, *, progress: Progress = SILENT) -> list[StoreCheck]:
    """Read every byte of every shard with all checksums compared; change nothing.

    Args:
        cache: Folder of all stores; `default_cache()` if None.
        progress: Reports progress per shard.

    Returns:
        One entry a store, also for those that are whole.
    """
    folders = store_folders(stores_folder(cache))
    total = sum(len(shards_in(folder)) for folder in folders)
    with progress.phase("verify", total=total, unit="shard") as advance:
        checks = [_checked(folder, advance) for folder in folders]
    return [check for check in checks if check.folder.exists()]  # others were removed meanwhile


def _checked(folder: Path, advance: Advance) -> StoreCheck:
    shards = shards_in(folder)
    damaged = {}
    for path in shards:
        try:
            read_shard(path)
        except DamagedShardError as error:
            damaged[path.name] = str(error)
        advance(1)
    in_use = is_in_use(folder)
    return StoreCheck(
        folder=folder,
        shards=len(shards),
        damaged=damaged,
        # A store that is being opened for the first time has neither shards nor a manifest for a moment.
        manifest_lost=recorded_manifest(folder) is None and (bool(shards) or not in_use),
        leftovers=() if in_use else tuple(path.name for path in _temporary_files(folder)),
    )


def _temporary_files(folder: Path) -> list[Path]:
    return [path for path in paths_in(folder) if path.name.startswith(TEMPORARY_PREFIX)]


def repair(cache: Path | None = None, *, progress: Progress = SILENT) -> Repaired:
    """Remove damaged shards and leftovers, and write lost manifests anew.

    A store in use is repaired too, except for its temporary files, which somebody may be writing.

    Args:
        cache: Folder of all stores; `default_cache()` if None.
        progress: Reports progress per shard.

    Returns:
        What was done.
    """
    checks = verify(cache, progress=progress)
    removed = {check.folder / name: reason for check in checks for name, reason in check.damaged.items()}
    rebuilt = tuple(check.folder for check in checks if check.manifest_lost and _rebuild(check.folder))
    for path in removed:
        path.unlink(missing_ok=True)
    leftovers = [*half_removed(stores_folder(cache)), *(path for check in checks for path in _swept(check.folder))]
    for path in half_removed(stores_folder(cache)):
        shutil.rmtree(path, ignore_errors=True)
    emptied = tuple(check.folder for check in checks if _is_empty(check.folder) and remove_store(check.folder))
    return Repaired(removed=removed, leftovers=tuple(leftovers), rebuilt=rebuilt, emptied=emptied)


def _rebuild(folder: Path) -> bool:
    """Write the manifest as a shard has it. Done before damaged shards go: one may be all that knows it."""
    manifest = rebuilt_manifest(folder)
    if manifest is not None:
        write_json(folder / MANIFEST_FILE, manifest, private=True)
    return manifest is not None


def _swept(folder: Path) -> list[Path]:
    """Temporary files of a store that nobody uses, after their removal."""
    with unused(folder) as free:
        leftovers = _temporary_files(folder) if free else []
        for path in leftovers:
            with contextlib.suppress(OSError):
                path.unlink()
    return leftovers


def _is_empty(folder: Path) -> bool:
    return not shards_in(folder) and recorded_manifest(folder) is None


def prune(cache: Path | None = None, *, older_than: float | None = None, limit: int | None = None) -> Pruned:
    """Remove stores that were not used for long, or that are too many; never one in use.

    Args:
        cache: Folder of all stores; `default_cache()` if None.
        older_than: Remove those whose last use was longer ago, seconds.
        limit: Then remove the least recently used until the rest fits, bytes; 0 removes all, and what is kept beside
            the codes: converted networks, and how training computes fastest.

    Returns:
        What was removed, and what was kept although it would have been its turn.
    """
    before, now = stored(cache), time.time()
    old = [info for info in before if older_than is not None and now - info.last_used > older_than]
    gone = {info.folder for info in old if remove_store(info.folder)}
    if limit is not None:
        gone.update(evict(stores_folder(cache), limit))
        if limit == 0:  # what is kept beside the codes is small, and made again in seconds
            for kind in get_args(Beside):
                shutil.rmtree(kept_beside(kind, cache), ignore_errors=True)
    left = [info for info in before if info.folder not in gone]
    too_large = limit is not None and sum(info.size for info in left) > limit
    return Pruned(
        removed=tuple(info for info in before if info.folder in gone),
        kept=tuple(info for info in left if too_large or info in old),
    )
