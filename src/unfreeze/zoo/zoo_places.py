"""Where zoos lie: a folder, an address of the web, a store that fsspec reaches, a repository of the Hub."""

import contextlib
import hashlib
import shutil
import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, final

from unfreeze.core.errors import InputError, OutputError
from unfreeze.core.files import (
    disk_errors_explained,
    durable_folder,
    make_folder,
    sha256_of,
    sha256_of_file,
    write_bytes,
)
from unfreeze.core.leftovers import paths_in
from unfreeze.core.zoo_entries import (
    CARD,
    INDEX,
    LARGEST_DOCUMENT,
    EntryCard,
    ZooIndex,
    card_in,
    index_in,
    index_of,
    is_entry_name,
)

SECONDS_TO_ANSWER = 20.0
CHUNK = 2**20  # bytes
MOST_ATTEMPTS = 20  # to write an index while others publish


class NothingThereError(InputError):
    """A file that was asked for is not there."""


@dataclass(frozen=True)
class ZooPlace(ABC):
    """Where a zoo lies.

    Attributes:
        where: As people write it.
    """

    where: str

    @abstractmethod
    def parts(self, path: str) -> Iterator[bytes]:
        """A file of the zoo, part by part, so that what goes wrong with the parts is none of the place's errors.

        Args:
            path: Below the zoo, with ``/``.

        Yields:
            At most `CHUNK` bytes.

        Raises:
            NothingThereError: It is not there.
            InputError: The place does not answer.
        """

    @abstractmethod
    def publish(self, card: EntryCard, folder: Path) -> bool:
        """Add an entry.

        Args:
            card: Of the entry.
            folder: That holds its files.

        Returns:
            Whether it was not there before.

        Raises:
            OutputError: The place cannot be written, or has another entry of that name by now.
        """

    def document(self, path: str) -> bytes:
        """An index or a card."""
        data = b""
        for part in self.parts(path):
            data += part
            if len(data) <= LARGEST_DOCUMENT:
                continue
            msg = f"{path} in {self.where} is larger than {LARGEST_DOCUMENT:,} bytes, so it is no index and no card."
            raise InputError(f"{msg} Check the address.")
        return data

    def index(self) -> ZooIndex:
        """What the zoo holds.

        Raises:
            InputError: There is no index, or it is not one.
        """
        try:
            data = self.document(INDEX)
        except NothingThereError as error:
            msg = f"{self.where} is no zoo: it has no {INDEX}. Check the address."
            raise InputError(msg) from error
        return index_in(data, where=self.where)

    def card(self, name: str, card_sha256: str) -> EntryCard:
        """The card of an entry.

        Args:
            name: Of the entry.
            card_sha256: As the index says.

        Raises:
            InputError: It is not there, damaged, or not the one that the index means.
        """
        data = self.document(f"{name}/{CARD}")
        if sha256_of(data) != card_sha256:
            msg = (
                f"The entry {name} in {self.where} cannot be used: its {CARD} has another SHA-256 than {INDEX} says. "
                "Publish it again, or ask whoever keeps that zoo."
            )
            raise InputError(msg)
        return card_in(data, name, where=self.where)

    def fetch(self, card: EntryCard, file: str, to: Path, check: Callable[[], None]) -> None:
        """Copy a file of an entry; no more of it than its card says is read.

        Args:
            card: Of the entry.
            file: Its name.
            to: Where it goes.
            check: Called between two parts; may raise to end it.

        Raises:
            InputError: The file is not there, or not the one that the card means.
        """
        left = card.files[file].size
        with to.open("wb") as target:
            for part in self.parts(f"{card.name}/{file}"):
                check()
                target.write(part)
                left -= len(part)
                if left < 0:
                    break
        if left or sha256_of_file(to) != card.files[file].sha256:
            msg = (
                f"The entry {card.name} in {self.where} cannot be used: {file} has another SHA-256 than its {CARD} "
                "says. Try again, or ask whoever keeps that zoo."
            )
            raise InputError(msg)

    def taken(self, card: EntryCard) -> bool:
        """Whether this very entry is there already.

        Raises:
            OutputError: Another one has its name.
        """
        try:
            there = self.document(f"{card.name}/{CARD}")
        except NothingThereError:
            return False
        if there == card.to_bytes():
            return True
        raise other_content(card.name, self.where)


def other_content(name: str, where: str) -> OutputError:
    """The error of a name that is taken."""
    return OutputError(
        f"{where} has an entry {name} of other content, and entries are never replaced. "
        "Choose another name with --name."
    )


def unanswered(where: str, why: object) -> InputError:
    """The error of a place that does not answer."""
    reason = (str(why).strip() or type(why).__name__).splitlines()[0][:160].rstrip(".")
    return InputError(f"{where} does not answer ({reason}). Check the address and the connection.")


def place_of(where: str) -> ZooPlace:
    """The place that people mean.

    Args:
        where: A folder, ``https://…``, ``hf://OWNER/NAME``, or an address that fsspec knows, such as ``s3://…``.

    Raises:
        InputError: fsspec knows no such address, or the library that it takes is missing.
    """
    scheme = urllib.parse.urlsplit(where).scheme if "://" in where else ""
    if scheme in {"", "file"}:
        return FolderPlace(where, Path(urllib.request.url2pathname(where.removeprefix("file://")) if scheme else where))
    if scheme in {"http", "https"}:
        return WebPlace(where)
    if scheme == "hf":
        from unfreeze.zoo.hub import hub_place

        return hub_place(where)
    return _store_place(where, scheme)


def parts_of(file: Any) -> Iterator[bytes]:
    """What is left of a file that was opened for its bytes, whoever opened it, part by part."""
    while part := file.read(CHUNK):
        yield part


# --- folders --------------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True)
class FolderPlace(ZooPlace):
    """A folder; also the user's own zoo.

    Attributes:
        folder: Which.
    """

    folder: Path

    def parts(self, path: str) -> Iterator[bytes]:
        """See `ZooPlace`."""
        try:
            with (self.folder / path).open("rb") as file:
                yield from parts_of(file)
        except (FileNotFoundError, NotADirectoryError) as error:
            if not self.folder.is_dir():
                msg = f"There is no zoo {self.where}: no such folder. Check the spelling."
                raise InputError(msg) from error
            msg = f"{self.where} has no {path}."
            raise NothingThereError(msg) from error
        except OSError as error:
            msg = f"{path} in {self.where} cannot be read ({error.strerror}). Check who may read that folder."
            raise InputError(msg) from error

    def publish(self, card: EntryCard, folder: Path) -> bool:
        """See `ZooPlace`; the entry appears whole or not at all, and then the index names it."""
        with disk_errors_explained(self.folder):
            make_folder(self.folder)
        if new := not self.taken(card):
            with self._not_taken(card), durable_folder(self.folder / card.name) as temporary:
                for name in card.files:
                    shutil.copyfile(folder / name, temporary / name)
                write_bytes(temporary / CARD, card.to_bytes())
        _renew_index(self._cards, lambda data: write_bytes(self.folder / INDEX, data))
        return new

    @contextlib.contextmanager
    def _not_taken(self, card: EntryCard) -> Iterator[None]:
        try:
            yield
        except OutputError as error:
            if (self.folder / card.name).exists():
                raise other_content(card.name, self.where) from error
            raise

    def _cards(self) -> dict[str, bytes]:
        found = [path for path in paths_in(self.folder) if is_entry_name(path.name) and (path / CARD).is_file()]
        return {path.name: (path / CARD).read_bytes() for path in found}


def _renew_index(cards: Callable[[], dict[str, bytes]], write: Callable[[bytes], None]) -> None:
    """Write the index of the cards that are there.

    Nobody is locked out. Whoever writes looks again afterwards and writes anew if there are other cards by then; so the
    last to write has seen all that was there, and of publishers at once none is lost.
    """
    found = cards()
    for _ in range(MOST_ATTEMPTS):
        write(index_of(found).to_bytes())
        before, found = found, cards()
        if found.keys() == before.keys():
            return


# --- the web --------------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True)
class WebPlace(ZooPlace):
    """An address of the web; it is only read."""

    def parts(self, path: str) -> Iterator[bytes]:
        """See `ZooPlace`."""
        address = f"{self.where.rstrip('/')}/{urllib.parse.quote(path)}"
        try:
            # An opener of its own: the usual one keeps the proxies of the first call in this process.
            with urllib.request.build_opener().open(address, timeout=SECONDS_TO_ANSWER) as answer:
                yield from parts_of(answer)
        except urllib.error.HTTPError as error:
            if error.code in {404, 410}:
                msg = f"{self.where} has no {path}."
                raise NothingThereError(msg) from error
            msg = f"{self.where} does not give {path}: it answers {error.code} {error.reason}. Check the address."
            raise InputError(msg) from error
        except urllib.error.URLError as error:
            raise unanswered(self.where, error.reason) from error
        except (OSError, ValueError) as error:
            raise unanswered(self.where, error) from error

    def publish(self, card: EntryCard, folder: Path) -> bool:  # noqa: ARG002 - as other places have it
        """See `ZooPlace`; never."""
        raise self.only_read(card.name)

    def only_read(self, name: str) -> OutputError:
        """The error of publishing an entry of this name here."""
        return OutputError(
            f"{self.where} can only be read. Publish {name} to a folder that is served there, "
            "to a store (s3://…), or to the Hugging Face Hub (hf://OWNER/NAME)."
        )


# --- stores that fsspec reaches -------------------------------------------------------------------------------------


def _store_place(where: str, scheme: str) -> ZooPlace:
    import fsspec

    try:
        store, root = fsspec.core.url_to_fs(where)
    except ImportError as error:
        msg = f"{where} takes another library: {str(error).rstrip('.')}."
        raise InputError(msg) from error
    except (ValueError, OSError) as error:
        msg = (
            f"{where} is no place of a zoo: {scheme}:// is not known to fsspec. Give a folder, https://…, "
            "hf://OWNER/NAME or s3://…."
        )
        raise InputError(msg) from error
    return StorePlace(where, store, root)


@final
@dataclass(frozen=True)
class StorePlace(ZooPlace):
    """A store that fsspec reaches.

    Attributes:
        store: fsspec's file system.
        root: Of the zoo, in it.
    """

    store: Any
    root: str

    def _path(self, path: str) -> str:
        return str(PurePosixPath(self.root) / path)

    def parts(self, path: str) -> Iterator[bytes]:
        """See `ZooPlace`."""
        try:
            with self.store.open(self._path(path), "rb") as file:
                yield from parts_of(file)
        except (FileNotFoundError, NotADirectoryError) as error:
            msg = f"{self.where} has no {path}."
            raise NothingThereError(msg) from error
        except Exception as error:  # each store raises its own
            raise unanswered(self.where, error) from error

    def publish(self, card: EntryCard, folder: Path) -> bool:
        """See `ZooPlace`; the card comes last, so that what is not whole is no entry, and then the index names it."""
        try:
            if new := not self.taken(card):
                for name in card.files:
                    self._put(card, name, folder)
                self._create(f"{card.name}/{CARD}", card.to_bytes(), card)
            _renew_index(self._cards, lambda data: self.store.pipe_file(self._path(INDEX), data))
            return new
        except InputError:
            raise
        except Exception as error:  # each store raises its own
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160].rstrip(".")
            msg = f"{self.where} cannot be written ({reason}). Check the address and your rights there."
            raise OutputError(msg) from error

    def _put(self, card: EntryCard, name: str, folder: Path) -> None:
        """A file; one that an earlier attempt left is kept if it is the same."""
        path = self._path(f"{card.name}/{name}")
        try:
            self.store.put_file(str(folder / name), path, mode="create")
        except FileExistsError as error:
            with self.store.open(path, "rb") as file:
                same = hashlib.file_digest(file, "sha256").hexdigest() == card.files[name].sha256
            if not same:
                raise other_content(card.name, self.where) from error

    def _create(self, path: str, data: bytes, card: EntryCard) -> None:
        try:
            self.store.pipe_file(self._path(path), data, mode="create")
        except FileExistsError as error:
            if not self.taken(card):
                raise other_content(card.name, self.where) from error

    def _cards(self) -> dict[str, bytes]:
        self.store.invalidate_cache()
        there = self.store.ls(self.root, detail=True)
        folders = [PurePosixPath(one["name"]).name for one in there if one["type"] == "directory"]
        found = {}
        for name in filter(is_entry_name, folders):
            with contextlib.suppress(NothingThereError):
                found[name] = self.document(f"{name}/{CARD}")
        return found
