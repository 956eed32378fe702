"""``unfreeze cache``: what the store of codes holds, whether it is whole, and how it gets smaller."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unfreeze.cli.durations import parse_duration
from unfreeze.cli.options import AsJson
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.progress import progress_on_stderr
from unfreeze.core.errors import InputError
from unfreeze.core.sizes import parse_size
from unfreeze.report.wording import count

if TYPE_CHECKING:
    from unfreeze.features.cache import StoreCheck, StoreInfo


def list_stores(*, json: AsJson = False) -> None:
    """List the stores."""
    with result_output(as_json=json) as out:
        from unfreeze.features.cache import stored
        from unfreeze.features.eviction import size_limit
        from unfreeze.features.store import default_cache, stores_folder

        found, folder = stored(), stores_folder()
        limit = size_limit(next(place for place in (folder, *folder.absolute().parents) if place.exists()))
        document: dict[str, Any] = {
            "schema": "unfreeze.cache-list/1",
            "folder": str(default_cache()),
            "limit": limit,
            "size": sum(info.size for info in found),
            "stores": [_entry(info) for info in found],
        }
        out.document(document)
        out.line(f"{count(len(found), 'store')} of codes in {folder}: {_size(document['size'])}; limit {_size(limit)}")
        if found and not out.as_json:
            out.line()
            _show_stores(document["stores"], out)


def _entry(info: "StoreInfo") -> dict[str, Any]:
    manifest = info.manifest or {}
    return {
        "folder": str(info.folder),
        "description": manifest.get("description"),
        "widths": manifest.get("widths"),
        "notes": manifest.get("notes"),
        "size": info.size,
        "shards": info.shards,
        "images": info.images,
        "last_used": datetime.fromtimestamp(info.last_used).astimezone().isoformat(timespec="seconds"),
        "in_use": info.in_use,
    }


def _show_stores(stores: Sequence[dict[str, Any]], out: Output) -> None:
    from unfreeze.report.table import add_row, plain_table

    headings = ("network", "taps", "engine", "precision", "images", "size", "last used")
    table = plain_table(*headings, right={"images", "size"})
    for store in stores:
        description = store["description"] or {}
        used = datetime.fromisoformat(store["last_used"]).strftime("%Y-%m-%d %H:%M")
        cells = (
            str(description.get("network", "?")),
            _taps(list(store["widths"] or ())),
            str(description.get("engine", "?")),
            str(description.get("precision", "?")),
            f"{store['images']:,}",
            _size(store["size"]),
            "in use" if store["in_use"] else used,
        )
        add_row(table, cells)
    out.table(table)


def _taps(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names) or "?"
    return f"{len(names)}: {names[0]} to {names[-1]}"


def _size(size: int) -> str:
    from rich.filesize import decimal

    return decimal(size)


def verify(*, json: AsJson = False) -> None:
    """Check every shard."""
    with result_output(as_json=json) as out:
        from unfreeze.features.cache import verify as checked

        checks = checked(progress=progress_on_stderr())
        document = {
            "schema": "unfreeze.cache-verify/1",
            "stores": len(checks),
            "shards": sum(check.shards for check in checks),
            "damaged": [
                {"shard": str(check.folder / name), "reason": reason}
                for check in checks
                for name, reason in check.damaged.items()
            ],
            "manifests_lost": [str(check.folder) for check in checks if check.manifest_lost],
            "leftovers": [str(check.folder / name) for check in checks for name in check.leftovers],
        }
        out.document(document)
        _show_check(document, out)
    if document["damaged"] or document["manifests_lost"]:
        raise InputError(_damage(checks))


def _show_check(document: dict[str, Any], out: Output) -> None:
    out.line(
        f"{count(document['shards'], 'shard')} in {count(document['stores'], 'store')} checked, "
        f"{len(document['damaged']):,} damaged"
    )
    for item in document["damaged"]:
        out.line(f"  {item['shard']}: {item['reason']}")
    for folder in document["manifests_lost"]:
        out.line(f"  {folder}: its manifest is lost or damaged")
    if document["leftovers"]:
        out.line(f"{count(len(document['leftovers']), 'temporary file')} left by an interrupted process")


def _damage(checks: Sequence["StoreCheck"]) -> str:
    damaged = sum(len(check.damaged) for check in checks)
    lost = sum(check.manifest_lost for check in checks)
    parts = [count(damaged, "shard")] if damaged else []
    parts += [count(lost, "manifest")] if lost else []
    return f"The cache is damaged ({', '.join(parts)}). unfreeze cache repair mends it; lost codes are computed again."


def repair(*, json: AsJson = False) -> None:
    """Mend what can be mended."""
    with result_output(as_json=json) as out:
        from unfreeze.features.cache import repair as repaired

        done = repaired(progress=progress_on_stderr())
        document = {
            "schema": "unfreeze.cache-repair/1",
            "removed": [{"shard": str(path), "reason": reason} for path, reason in done.removed.items()],
            "leftovers": [str(path) for path in done.leftovers],
            "rebuilt": [str(path) for path in done.rebuilt],
            "emptied": [str(path) for path in done.emptied],
        }
        out.document(document)
        for path, reason in done.removed.items():
            out.line(f"removed {path}: {reason}")
        for what, paths in (
            ("removed leftover", done.leftovers),
            ("rebuilt the manifest of", done.rebuilt),
            ("removed the empty store", done.emptied),
        ):
            for path in paths:
                out.line(f"{what} {path}")
        if not any((done.removed, done.leftovers, done.rebuilt, done.emptied)):
            out.line("Nothing was damaged.")


def prune(
    *,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="TIME", help="Stores not used for this long: 30d.", show_default=False),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="SIZE", help="The least recently used until this is left.", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All stores.")] = False,
    json: AsJson = False,
) -> None:
    """Remove stores."""
    if older_than is None and to is None and not everything:
        msg = "What shall go? Give --older-than 30d, --to 5GB or --all."
        raise InputError(msg)
    age = None if older_than is None else parse_duration(older_than, option="--older-than")
    limit = None if to is None else parse_size(to, option="--to")
    with result_output(as_json=json) as out:
        from unfreeze.features.cache import prune as pruned

        done = pruned(older_than=age, limit=0 if everything else limit)
        freed = sum(info.size for info in done.removed)
        out.document(
            {
                "schema": "unfreeze.cache-prune/1",
                "removed": [_entry(info) for info in done.removed],
                "kept_in_use": [str(info.folder) for info in done.kept],
                "freed": freed,
            }
        )
        for info in done.removed:
            network = ((info.manifest or {}).get("description") or {}).get("network", "?")
            out.line(f"removed {info.folder}: {network}, {count(info.images, 'image')}, {_size(info.size)}")
        out.line(f"{count(len(done.removed), 'store')} removed, {_size(freed)} freed")
        if done.kept:
            out.line(f"{count(len(done.kept), 'store')} kept, being in use")
