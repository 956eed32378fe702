"""``unfreeze cache``: what the store of codes holds, whether it is whole, and how it gets smaller."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from unfreeze.cli.durations import parse_duration
from unfreeze.cli.options import AsJson
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.work import stoppable
from unfreeze.core.errors import InputError
from unfreeze.core.sizes import parse_size
from unfreeze.core.wording import count

if TYPE_CHECKING:  # records take a moment to import, and help needs none
    from unfreeze.core.documents import StoreRecord, VerifyRecord

NOTHING_CHANGED = "Nothing was changed."
MENDED = "What was mended stays mended; the same command mends the rest."


def list_stores(*, json: AsJson = False) -> None:
    """List the stores."""
    with result_output(as_json=json) as out:
        from unfreeze.store.places import stores_folder
        from unfreeze.workflows.stores import list_stores as listed

        record = listed()
        out.document(record)
        stores = count(len(record.stores), "store")
        out.line(f"{stores} of codes in {stores_folder()}: {_size(record.size)}; limit {_size(record.limit)}")
        if record.stores and not out.as_json:
            out.line()
            _show_stores(record.stores, out)
        _say_what_is_shared(out)


def _say_what_is_shared(out: Output) -> None:
    """That upkeep is of the folder of this machine, where the stores are shared."""
    from unfreeze.store.places import shared_stores

    if address := shared_stores():
        out.line(
            f"This is what this machine keeps of {address}. What lies there is compared with its name whenever it is "
            "read, and is never removed by unfreeze."
        )


def _show_stores(stores: "Sequence[StoreRecord]", out: Output) -> None:
    from unfreeze.report.table import add_row, plain_table

    headings = ("network", "taps", "engine", "precision", "images", "size", "last used")
    table = plain_table(*headings, right={"images", "size"})
    for store in stores:
        description = store.description or {}
        used = datetime.fromisoformat(store.last_used).strftime("%Y-%m-%d %H:%M")
        cells = (
            store.network,
            _taps(list(store.widths or ())),
            str(description.get("engine", "?")),
            str(description.get("precision", "?")),
            f"{store.images:,}",
            _size(store.size),
            "in use" if store.in_use else used,
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
    with result_output(as_json=json) as out, stoppable(NOTHING_CHANGED) as progress:
        from unfreeze.workflows.stores import verify_stores

        record = verify_stores(progress=progress)
        out.document(record)
        _show_check(record, out)
        _say_what_is_shared(out)
    if record.damaged or record.manifests_lost:
        raise InputError(_damage(record))


def _show_check(record: "VerifyRecord", out: Output) -> None:
    out.line(
        f"{count(record.shards, 'shard')} in {count(record.stores, 'store')} checked, {len(record.damaged):,} damaged"
    )
    for item in record.damaged:
        out.line(f"  {item.shard}: {item.reason}")
    for folder in record.manifests_lost:
        out.line(f"  {folder}: its manifest is lost or damaged")
    if record.leftovers:
        out.line(f"{count(len(record.leftovers), 'temporary file')} left by an interrupted process")


def _damage(record: "VerifyRecord") -> str:
    damaged, lost = len(record.damaged), len(record.manifests_lost)
    parts = [count(damaged, "shard")] if damaged else []
    parts += [count(lost, "manifest")] if lost else []
    return f"The cache is damaged ({', '.join(parts)}). unfreeze cache repair mends it; lost codes are computed again."


def repair(*, json: AsJson = False) -> None:
    """Mend what can be mended."""
    with result_output(as_json=json) as out, stoppable(MENDED) as progress:
        from unfreeze.workflows.stores import repair_stores

        record = repair_stores(progress=progress)
        out.document(record)
        lines = [f"removed {item.shard}: {item.reason}" for item in record.removed]
        for what, paths in (
            ("removed leftover", record.leftovers),
            ("rebuilt the manifest of", record.rebuilt),
            ("removed the empty store", record.emptied),
        ):
            lines += [f"{what} {path}" for path in paths]
        for line in lines or ["Nothing was damaged."]:
            out.line(line)
        _say_what_is_shared(out)


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
        from unfreeze.workflows.stores import prune_stores

        record = prune_stores(older_than=age, limit=0 if everything else limit)
        out.document(record)
        for store in record.removed:
            out.line(f"removed {store.folder}: {store.network}, {count(store.images, 'image')}, {_size(store.size)}")
        out.line(f"{count(len(record.removed), 'store')} removed, {_size(record.freed)} freed")
        if record.kept_in_use:
            out.line(f"{count(len(record.kept_in_use), 'store')} kept, being in use")
        _say_what_is_shared(out)
