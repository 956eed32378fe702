"""The user's own zoo: entries that were pulled, each a folder that is checked whenever it is read."""

import difflib
import hmac
import itertools
import os
import pickletools
import re
import zipfile
from pathlib import Path

import platformdirs

from unfreeze.core.errors import UnknownBackboneError, WeightsError
from unfreeze.core.files import sha256_of_file
from unfreeze.core.leftovers import TEMPORARY_PREFIX, paths_in
from unfreeze.core.zoo_entries import CARD, LARGEST_DOCUMENT, EntryCard, card_in, is_entry_name

OWN = "zoo:"  # before a name of an entry, where something else has that name too
PICKLES = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})
SUFFIXES = frozenset({".json", ".md", ".onnx", ".pt2", ".safetensors", ".txt"})
_HUB = re.compile(r"^(?:(?:hf[-_]hub:|https?://(?:www\.)?(?:huggingface\.co|hf\.co)/)?timm/|timm:)")


def zoo_folder() -> Path:
    """The user's zoo: the environment variable UNFREEZE_ZOO, else a folder among the user's data."""
    chosen = os.environ.get("UNFREEZE_ZOO")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("unfreeze", appauthor=False)) / "zoo"


def kept_names() -> list[str]:
    """Names of the entries that are kept, sorted."""
    return [path.name for path in paths_in(zoo_folder()) if is_entry_name(path.name) and (path / CARD).is_file()]


def is_kept(name: str) -> bool:
    """Whether an entry of this name is kept."""
    return is_entry_name(name) and (zoo_folder() / name / CARD).is_file()


def entry_meant(name: str) -> Path | None:
    """The folder of the entry that a backbone's name means; None if it means none.

    Args:
        name: Of an entry, perhaps after ``zoo:``, or as the Hub writes timm's names.

    Raises:
        UnknownBackboneError: It begins with ``zoo:``, and no such entry is kept.
    """
    plain = name.strip()
    if plain.startswith(OWN):
        if not is_kept(plain.removeprefix(OWN)):
            raise UnknownBackboneError(unknown_entry(plain.removeprefix(OWN), kept_names(), "the zoo of this machine"))
        return zoo_folder() / plain.removeprefix(OWN)
    plain = _HUB.sub("", plain)
    return zoo_folder() / plain if is_kept(plain) else None


def unknown_entry(name: str, known: list[str], where: str) -> str:
    """The sentence about an entry that is not there, with near names."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(close)}?" if close else "unfreeze zoo list shows what there is."
    return f"There is no entry {name!r} in {where}. {hint}"


def read_entry_card(folder: Path) -> EntryCard:
    """The card of an entry in a folder, without a look at its files.

    Raises:
        InputError: It is damaged.
    """
    try:
        with (folder / CARD).open("rb") as file:
            data = file.read(LARGEST_DOCUMENT)
    except OSError as error:
        msg = f"The entry {folder.name} in {folder.parent} has no {CARD} that can be read ({error.strerror})."
        raise WeightsError(f"{msg} Pull it again.") from error
    return card_in(data, folder.name, where=str(folder.parent))


def checked_entry(folder: Path) -> EntryCard:
    """The card of an entry, if its files are those that the card names: hashes of 64 digits, all of them.

    Args:
        folder: Of the entry.

    Returns:
        The card.

    Raises:
        InputError: The card is damaged.
        WeightsError: A file is missing, damaged, was added, or holds a pickle.
    """
    card = read_entry_card(folder)
    found = {path.name for path in paths_in(folder)} - {CARD}
    if added := sorted(name for name in found - card.files.keys() if not name.startswith(TEMPORARY_PREFIX)):
        raise _damaged(folder, f"{added[0]} is no part of it")
    for name, file in card.files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise _damaged(folder, f"{name} is missing")
        if not hmac.compare_digest(sha256_of_file(path), file.sha256):
            raise _damaged(folder, f"{name} has another SHA-256 than its {CARD} says")
        check_no_pickle(path, folder.name)
    return card


def _damaged(folder: Path, why: str) -> WeightsError:
    return WeightsError(
        f"The entry {folder.name} in {folder.parent} cannot be used: {why}. Remove that folder and pull it again."
    )


def check_no_pickle(path: Path, entry: str) -> None:
    """Refuse a file that is a pickle, or an archive with one: reading it could run what somebody else wrote.

    Args:
        path: Of the file.
        entry: That it is of, for errors.

    Raises:
        WeightsError: It is.
    """
    with path.open("rb") as file:
        first = file.read(_LOOKED_AT)
    pickled = _begins_as_pickle(first) or (_is_archive(first) and _archive_has_pickle(path))
    if pickled or path.suffix.lower() not in SUFFIXES:
        what = "holds a pickle" if pickled else "is of a kind that no entry has"
        msg = (
            f"The entry {entry} is refused: {path.name} {what}, and a zoo holds only safetensors and texts. "
            "Save the weights with safetensors, in a folder without other files."
        )
        raise WeightsError(msg)


def _is_archive(first: bytes) -> bool:
    return first[:2] == b"PK" and first[8:9] != _HEADER


def _begins_as_pickle(first: bytes) -> bool:
    """Whether a file begins with a pickle; the length with which one of safetensors begins may look like its start."""
    if first[:1] != b"\x80" or first[8:9] != _HEADER:
        return first[:1] == b"\x80"
    try:
        return len(list(itertools.islice(pickletools.genops(first), 3))) == 3
    except ValueError:  # the zeros of a length are no instruction
        return False


_LOOKED_AT = 4096  # bytes
_HEADER = b"{"  # of safetensors, at the ninth byte


def _archive_has_pickle(path: Path) -> bool:
    """Whether a zip archive holds a pickle, or an archive that could; one that cannot be read counts as one that does.

    A delivered model's program (``model.pt2``) holds none; torch.export itself writes its sample inputs as one.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for part in archive.infolist():
                if part.file_size and Path(part.filename).suffix.lower() in PICKLES:
                    return True
                with archive.open(part) as file:
                    if file.read(4) == b"PK\x03\x04":
                        return True
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError):
        return True
    return False
