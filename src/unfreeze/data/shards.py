"""Which files hold the photos of a source that is packed: tars and Parquet files, here or at an address."""

import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from unfreeze.core.errors import ImageSetError
from unfreeze.core.file_names import (
    SHARD_SUFFIXES,
    WEB,
    as_written,
    has_marks,
    is_pattern,
    is_range,
    matches,
    scheme_of,
    spelled_out,
)
from unfreeze.core.remote_files import files_matching, listed_in, open_remote, store_of
from unfreeze.data.folders import IMAGE_SUFFIXES
from unfreeze.data.packed_photos import holds_photos
from unfreeze.data.split_names import part_alone
from unfreeze.data.system_names import is_left_behind

_WORD = re.compile(r"[a-z]+", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One file that holds photos.

    Attributes:
        place: Where it lies: a path, or an address.
        name: Below what all shards have in common, with slashes.
        split: ``train``, ``val`` or ``test``, where the names of all shards say that; else empty.
    """

    place: str
    name: str
    split: str = ""

    @property
    def where(self) -> str:
        """Where it lies, as people are told: without what stands behind an address, which may be a secret."""
        return _path(self.place)

    @property
    def is_tar(self) -> bool:
        """Whether it is one; else it is a Parquet file."""
        return self.name.lower().endswith(".tar")

    def open(self) -> io.BufferedReader:
        """Its bytes, for reading.

        Raises:
            ImageSetError: It cannot be opened.
        """
        if scheme_of(Path(self.place)):
            return open_remote(self.place)
        try:
            return Path(self.place).open("rb")
        except OSError as error:
            msg = f"{self.place} cannot be read ({error.strerror})."
            raise ImageSetError(msg) from error


def shards_of(source: Path) -> tuple[Shard, ...]:
    """The files that a source stands for, if it is packed.

    Args:
        source: As for `data.inspection.read_image_set`, absolute.

    Returns:
        By name; nothing where the source is a folder of photos, also in a store, or a list.

    Raises:
        ImageSetError: It is packed, and there is none, or an address does not answer.
    """
    if scheme_of(source):
        places = [place for each in spelled_out(as_written(source)) for place in _at_address(each)]
        if not places and _may_be_folder(source):
            return ()
    elif is_range(source) or is_pattern(source):
        places = [str(path) for each in spelled_out(str(source)) for path in _named(Path(each))]
    elif source.is_dir():
        return _named_shards([str(path) for path in _in_folder(source)])
    else:
        places = [str(source)] if _may_hold_photos(source) else []
        return _named_shards(places)
    if not places or not all(map(_is_shard, places)):
        where = _path(as_written(source)) if scheme_of(source) in WEB else as_written(source)
        msg = f"There are no .tar or .parquet files at {where}. Check the spelling."
        raise ImageSetError(msg)
    return _named_shards(places)


def root_of(shards: Sequence[Shard]) -> Path:
    """The folder that the names of shards are relative to, which may be an address.

    Args:
        shards: Of `shards_of`, at least one.
    """
    return Path(shards[0].where.removesuffix(shards[0].name))


def _may_be_folder(address: Path) -> bool:
    """Whether something at an address may be a folder of photos: the web has none."""
    return scheme_of(address) not in WEB and not is_range(address) and not has_marks(as_written(address))


def _at_address(address: str) -> list[str]:
    """What an address stands for: itself, what a pattern matches, or the shards in a folder that holds nothing else."""
    if scheme_of(Path(address)) in WEB or (_is_shard(address) and not has_marks(address)):
        return [address]
    if has_marks(address):
        return list(filter(_is_shard, files_matching(address)))
    store, path = store_of(address)
    names = _shards_among((one.name, one.is_folder) for one in listed_in(store, path))
    return [f"{address.rstrip('/')}/{name}" for name in names]


def _is_shard(place: str) -> bool:
    return _path(place).lower().endswith(SHARD_SUFFIXES)


def _named(path: Path) -> list[Path]:
    """What a pattern matches, or the file of a name, which must be there."""
    found = matches(path) if is_pattern(path) else [path] if path.is_file() else []
    if not found:
        msg = f"There is nothing at {path}. Check the spelling."
        raise ImageSetError(msg)
    return found


def _in_folder(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = _shards_among((entry.name, entry.is_dir()) for entry in entries)
    except OSError:
        return []  # said where class folders are looked for
    return [path for path in (folder / name for name in names) if _may_hold_photos(path)]


def _shards_among(entries: Iterable[tuple[str, bool]]) -> list[str]:
    """Names of shards in a folder that holds neither photos nor folders, so that it cannot be one of class folders.

    Args:
        entries: Name of each thing in it, and whether that is a folder.

    Returns:
        By name.
    """
    found = []
    for name, is_folder in entries:
        suffix = Path(name).suffix.lower()
        if is_left_behind(name):
            continue
        if is_folder or suffix in IMAGE_SUFFIXES:
            return []
        if suffix in SHARD_SUFFIXES:
            found.append(name)
    return sorted(found)


def _may_hold_photos(path: Path) -> bool:
    suffix = path.suffix.lower()
    return path.is_file() and (suffix == ".tar" or (suffix == ".parquet" and holds_photos(path)))


def _path(place: str) -> str:
    """A place without what stands behind an address."""
    return place.partition("?")[0] if scheme_of(Path(place)) else Path(place).as_posix()


def _named_shards(places: Sequence[str]) -> tuple[Shard, ...]:
    """Shards, each called by what tells it apart."""
    if not places:
        return ()
    paths = [PurePosixPath(_path(place)) for place in places]
    above = os.path.commonpath([path.parent for path in paths])
    shards = [
        Shard(place=place, name=path.relative_to(above).as_posix()) for place, path in zip(places, paths, strict=True)
    ]
    return tuple(_with_splits(shards))


def _with_splits(shards: Sequence[Shard]) -> Iterator[Shard]:
    """Shards with the parts of the split that they are, if all are of one: ``train-00000.parquet``, ``test/0.tar``."""
    splits = [_split_in(shard.name) for shard in shards]
    known = all(splits) and len(set(splits)) > 1
    for shard, split in zip(shards, splits, strict=True):
        yield replace(shard, split=split if known else "")


def _split_in(name: str) -> str:
    """What the first word of a name says, of the file or of its folder."""
    for part in reversed(name.split("/")):
        word = _WORD.match(part)
        if word and (meant := part_alone(word[0])):
            return meant
    return ""
