"""The stores of codes: what is there, whether it is whole, and how it gets smaller."""

from datetime import datetime
from pathlib import Path

from unfreeze.core.documents import (
    DamagedShard,
    PruneRecord,
    RepairRecord,
    StoreRecord,
    StoresRecord,
    VerifyRecord,
)
from unfreeze.core.file_names import as_written
from unfreeze.core.progress import SILENT, Progress
from unfreeze.store.eviction import size_limit
from unfreeze.store.places import default_cache, stores_folder
from unfreeze.store.upkeep import StoreInfo, prune, repair, stored, verify


def list_stores(cache: Path | None = None) -> StoresRecord:
    """Every store, the one that was used last first.

    Args:
        cache: Folder of all stores; the user's cache if None.

    Returns:
        What is there.
    """
    found, folder = stored(cache), stores_folder(cache)
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return StoresRecord(
        folder=as_written(cache or default_cache()),
        limit=size_limit(place),
        size=sum(info.size for info in found),
        stores=tuple(map(_store, found)),
    )


def verify_stores(cache: Path | None = None, *, progress: Progress = SILENT) -> VerifyRecord:
    """Read every byte of every store; arguments as for `list_stores`."""
    checks = verify(cache, progress=progress)
    return VerifyRecord(
        stores=len(checks),
        shards=sum(check.shards for check in checks),
        damaged=tuple(
            DamagedShard(shard=str(check.folder / name), reason=reason)
            for check in checks
            for name, reason in check.damaged.items()
        ),
        manifests_lost=tuple(str(check.folder) for check in checks if check.manifest_lost),
        leftovers=tuple(str(check.folder / name) for check in checks for name in check.leftovers),
    )


def repair_stores(cache: Path | None = None, *, progress: Progress = SILENT) -> RepairRecord:
    """Remove damaged shards and leftovers, and write lost manifests anew; arguments as for `list_stores`."""
    done = repair(cache, progress=progress)
    return RepairRecord(
        removed=tuple(DamagedShard(shard=str(path), reason=reason) for path, reason in done.removed.items()),
        leftovers=tuple(map(str, done.leftovers)),
        rebuilt=tuple(map(str, done.rebuilt)),
        emptied=tuple(map(str, done.emptied)),
    )


def prune_stores(
    cache: Path | None = None, *, older_than: float | None = None, limit: int | None = None
) -> PruneRecord:
    """Remove stores; as `store.upkeep.prune`.

    Args:
        cache: Folder of all stores; the user's cache if None.
        older_than: Remove those whose last use was longer ago, seconds.
        limit: Then remove the least recently used until the rest fits, bytes.

    Returns:
        What was removed.
    """
    done = prune(cache, older_than=older_than, limit=limit)
    return PruneRecord(
        removed=tuple(map(_store, done.removed)),
        kept_in_use=tuple(str(info.folder) for info in done.kept),
        freed=sum(info.size for info in done.removed),
    )


def _store(info: StoreInfo) -> StoreRecord:
    manifest = info.manifest or {}
    return StoreRecord(
        folder=str(info.folder),
        description=manifest.get("description"),
        widths=manifest.get("widths"),
        notes=manifest.get("notes"),
        size=info.size,
        shards=info.shards,
        images=info.images,
        last_used=datetime.fromtimestamp(info.last_used).astimezone().isoformat(timespec="seconds"),
        in_use=info.in_use,
    )
