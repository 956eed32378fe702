"""What zoos hold, and whether what is kept of them is whole; PyTorch is not needed for any of it."""

import fnmatch
from pathlib import Path

from unfreeze.core.errors import InputError, UnknownBackboneError
from unfreeze.core.files import sha256_of_file
from unfreeze.core.licences import may_sell
from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.zoo_documents import ZooDamage, ZooListRecord, ZooRow, ZooShowRecord, ZooVerifyRecord
from unfreeze.core.zoo_entries import EntryCard, ZooIndex
from unfreeze.zoo.bundled import BUNDLED, BUNDLED_LICENCE, BUNDLED_SHA256, damaged_package, file_in_package
from unfreeze.zoo.kept import OWN, checked_entry, is_kept, kept_names, read_entry_card, unknown_entry, zoo_folder
from unfreeze.zoo.published import PublishedNetwork, published_networks
from unfreeze.zoo.zoo_places import place_of

HERE = "the zoo of this machine, the packages or timm's list"


def list_zoo(pattern: str | None = None, *, zoo: str | None = None, cache: Path | None = None) -> ZooListRecord:
    """What there is to begin from.

    Args:
        pattern: Of names, with ``*`` and ``?``, or a part of them; None for all.
        zoo: Which one; None for what is kept here, what packages carry, and timm's list.
        cache: Folder of all that is kept between runs; the user's cache if None.

    Returns:
        The entries.

    Raises:
        InputError: The zoo does not answer, or is none.
        UnknownBackboneError: No name fits the pattern.
    """
    rows = _built_in(cache) if zoo is None else _rows_of(place_of(zoo).index())
    found = [row for row in rows if pattern is None or _fits(row.name, pattern)]
    if not found and pattern is not None:
        known = [row.name for row in rows]
        raise UnknownBackboneError(unknown_entry(pattern, known, HERE if zoo is None else zoo))
    return ZooListRecord(zoo=zoo, entries=tuple(found))


def _fits(name: str, pattern: str) -> bool:
    wanted = pattern.lower()
    return fnmatch.fnmatchcase(name.lower(), wanted if set(wanted) & set("*?[") else f"*{wanted}*")


def _rows_of(index: ZooIndex) -> list[ZooRow]:
    return [
        ZooRow(
            name=name,
            origin="zoo",
            network=one.network,
            outputs=one.outputs,
            size=one.size,
            licence=one.licence,
            may_sell=one.may_sell,
            bytes=one.bytes,
            measured=one.measured,
        )
        for name, one in sorted(index.entries.items())
    ]


def _built_in(cache: Path | None) -> list[ZooRow]:
    """Kept entries, then packages, then timm's list without what is kept of it."""
    kept = [_kept_row(name) for name in kept_names()]
    published = published_networks(cache)
    installed = [
        _published_row(published[name])
        for architecture, package in BUNDLED.items()
        if (name := f"{architecture}.in1k") in published and file_in_package(package) is not None
    ]
    before = {row.name for row in (*kept, *installed)}
    return [*kept, *installed, *(_published_row(one) for name, one in published.items() if name not in before)]


def _kept_row(name: str) -> ZooRow:
    """A damaged one is listed too, so that it can be seen; `verify` says what is wrong."""
    try:
        card = read_entry_card(zoo_folder() / name)
    except InputError:
        return ZooRow(
            name=name,
            origin="kept",
            network="?",
            outputs=0,
            size=0,
            licence="damaged",
            may_sell="unknown",
            bytes=None,
        )
    return ZooRow(
        name=name,
        origin="kept",
        network=card.network,
        outputs=card.outputs,
        size=card.size,
        licence=card.licence,
        may_sell=card.may_sell,
        bytes=card.bytes,
        measured=card.measured,
    )


def _published_row(one: PublishedNetwork) -> ZooRow:
    file = _installed(one.name)
    licence = one.licence if file is None else BUNDLED_LICENCE
    return ZooRow(
        name=one.name,
        origin="timm" if file is None else "package",
        network=one.name.partition(".")[0],
        outputs=one.outputs,
        size=one.size,
        licence=licence,
        may_sell=may_sell(licence),
        bytes=None if file is None else file.stat().st_size,
    )


def _installed(name: str) -> Path | None:
    architecture, _, tag = name.partition(".")
    package = BUNDLED.get(architecture) if tag == "in1k" else None
    return None if package is None else file_in_package(package)


def show_entry(name: str, *, zoo: str | None = None, cache: Path | None = None) -> ZooShowRecord:
    """What is known of an entry.

    Args:
        name: Of the entry, or of a network of timm's, with or without its tag.
        zoo: Which one; None for what is kept here, what packages carry, and timm's list.
        cache: Folder of all that is kept between runs; the user's cache if None.

    Returns:
        Its card.

    Raises:
        UnknownBackboneError: There is none of this name.
        InputError: Its card is damaged, or the zoo does not answer.
    """
    if zoo is not None:
        place = place_of(zoo)
        entries = place.index().entries
        if name not in entries:
            raise UnknownBackboneError(unknown_entry(name, list(entries), zoo))
        return ZooShowRecord(origin="zoo", where=zoo, card=place.card(name, entries[name].card_sha256))
    if is_kept(plain := name.removeprefix(OWN)):
        return ZooShowRecord(origin="kept", where=str(zoo_folder() / plain), card=read_entry_card(zoo_folder() / plain))
    published = published_networks(cache)
    one = published.get(_published_name(name, published))
    if one is None:
        raise UnknownBackboneError(unknown_entry(name, [*kept_names(), *published, *_untagged(published)], HERE))
    file = _installed(one.name)
    return ZooShowRecord(
        origin="timm" if file is None else "package",
        where=one.source if file is None else str(file),
        card=_card_of(one, BUNDLED_LICENCE if file else one.licence),
    )


def _untagged(published: dict[str, PublishedNetwork]) -> set[str]:
    return {name.partition(".")[0] for name in published}


def _published_name(name: str, published: dict[str, PublishedNetwork]) -> str:
    """Its name with a tag; of one without, the first that timm lists, and of our short names the long one."""
    plain = name.rpartition("/")[2]
    plain = f"tf_efficientnet_{plain}" if plain.startswith("lite") else plain
    if plain in published:
        return plain
    return next((one for one in published if one.partition(".")[0] == plain), plain)


def _card_of(one: PublishedNetwork, licence: str) -> EntryCard:
    return EntryCard(
        name=one.name,
        network=one.name.partition(".")[0],
        holds="network",
        source=one.source,
        licence=licence,
        may_sell=may_sell(licence),
        size=one.size,
        crop_pct=one.crop_pct,
        crop_mode=one.crop_mode,
        interpolation=one.interpolation,
        channels="RGB",
        scale=255.0,
        mean=one.mean,
        std=one.std,
        taps=(),
        parameters=0,
        outputs=one.outputs,
        classes=(),
        measured=(),
        files={},
    )


def verify_zoo(*, progress: Progress = SILENT) -> ZooVerifyRecord:
    """Hash all that is kept: entries of the user's zoo, and the weights of packages.

    Args:
        progress: Is told what happens.

    Returns:
        What was checked, and what is damaged.
    """
    checked: list[str] = []
    damaged: list[ZooDamage] = []
    files = size = 0
    for name in kept_names():
        progress.stop.check()
        progress.say(f"hashing {name}")
        checked.append(name)
        try:
            card = checked_entry(zoo_folder() / name)
        except InputError as error:
            damaged.append(ZooDamage(name=name, reason=str(error)))
        else:
            files, size = files + len(card.files), size + card.bytes
    for architecture, package in BUNDLED.items():
        file = file_in_package(package)
        if file is None:
            continue
        checked.append(architecture)
        files, size = files + 1, size + file.stat().st_size
        if sha256_of_file(file) != BUNDLED_SHA256[architecture]:
            damaged.append(ZooDamage(name=architecture, reason=damaged_package(architecture, file)))
    return ZooVerifyRecord(
        folder=str(zoo_folder()), entries=tuple(checked), files=files, bytes=size, damaged=tuple(damaged)
    )
