"""A zoo as plain data: an index, and a card for each of its entries. Neither needs a library to be read.

::

    zoo.json            what there is, in short, and the hash of every card
    NAME/card.json      what the entry is, and the hash and size of every file in it
    NAME/…              the files of a model: settings, weights, its README.md
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from unfreeze.core.errors import InputError
from unfreeze.core.files import sha256_of
from unfreeze.core.licences import Sale

if TYPE_CHECKING:
    from pydantic import TypeAdapter

INDEX, CARD = "zoo.json", "card.json"
INDEX_SCHEMA, CARD_SCHEMA = "unfreeze.zoo/1", "unfreeze.entry/1"
LARGEST_DOCUMENT = 64 * 2**20  # bytes of an index or a card
Holds = Literal["network", "classifier"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_HASH = re.compile(r"[0-9a-f]{64}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # of Windows
_T = TypeVar("_T")
_STRICT = {"extra": "forbid", "strict": True, "allow_inf_nan": False}


@dataclass(frozen=True, kw_only=True)
class EntryFile:
    """A file of an entry.

    Attributes:
        sha256: Of its bytes, 64 hexadecimal digits.
        size: Bytes.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class MeasuredScore:
    """What was measured of an entry.

    Attributes:
        accuracy: Fraction right.
        low: Lower end of its 95 % interval; None if it has none.
        high: Upper end.
        protocol: On what, and how, in a sentence.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    accuracy: float
    low: float | None
    high: float | None
    protocol: str


@dataclass(frozen=True, kw_only=True)
class EntryCard:
    """What is known of an entry; its input is ``(pixels / scale - mean) / std`` for pixels from 0 to 255.

    Attributes:
        schema: Name and version of this document.
        name: Of the entry.
        network: Of the architecture.
        holds: A whole network, from which a run can begin, or a classifier on earlier taps, which only predicts.
        source: Where the weights came from, for people.
        licence: Of the weights, in the words of the source; ``unknown`` if not known.
        may_sell: Whether what is made with them may be sold, by that licence's name; see `core.licences`.
        size: Side of the square input in pixels.
        crop_pct: Side of the crop as a fraction of the resized image.
        crop_mode: timm's word.
        interpolation: Of the resizing.
        channels: Order in which the network takes red, green and blue.
        scale: What pixels are divided by.
        mean: Then subtracted from each channel, in the order of `channels`.
        std: Each channel is then divided by it.
        taps: Names of the taps, shallow to deep.
        parameters: How many numbers it holds.
        outputs: Width of its classifier.
        classes: Their names, in the order of the outputs; empty if not known.
        measured: What was measured of it.
        files: Beside this one, by name.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    schema: Literal["unfreeze.entry/1"] = "unfreeze.entry/1"
    name: str
    network: str
    holds: Holds
    source: str
    licence: str
    may_sell: Sale
    size: int
    crop_pct: float
    crop_mode: str
    interpolation: str
    channels: Literal["RGB", "BGR"]
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    taps: tuple[str, ...]
    parameters: int
    outputs: int
    classes: tuple[str, ...]
    measured: tuple[MeasuredScore, ...]
    files: dict[str, EntryFile]

    def to_bytes(self) -> bytes:
        """The file ``card.json``; equal cards give equal bytes."""
        return _bytes_of(asdict(self))

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(file.size for file in self.files.values())


@dataclass(frozen=True, kw_only=True)
class Listing:
    """An entry in short.

    Attributes:
        network: Of the architecture.
        outputs: Width of its classifier.
        size: Side of its images, pixels.
        licence: Of the weights.
        may_sell: Whether what is made with them may be sold.
        bytes: Of all its files.
        measured: What was measured of it.
        card_sha256: Of its card.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    network: str
    outputs: int
    size: int
    licence: str
    may_sell: Sale
    bytes: int
    measured: tuple[MeasuredScore, ...]
    card_sha256: str


@dataclass(frozen=True, kw_only=True)
class ZooIndex:
    """What a zoo holds.

    Attributes:
        entries: By name.
        schema: Name and version of this document.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    entries: dict[str, Listing]
    schema: Literal["unfreeze.zoo/1"] = "unfreeze.zoo/1"

    def to_bytes(self) -> bytes:
        """The file ``zoo.json``; equal indices give equal bytes."""
        return _bytes_of({"schema": self.schema, "entries": asdict(self)["entries"]})

    def with_entry(self, card: EntryCard) -> "ZooIndex":
        """The index with one entry more."""
        return ZooIndex(entries={**self.entries, card.name: listing_of(card, card.to_bytes())})


def listing_of(card: EntryCard, data: bytes) -> Listing:
    """An entry in short.

    Args:
        card: Of the entry.
        data: The file that the card was read from.
    """
    return Listing(
        network=card.network,
        outputs=card.outputs,
        size=card.size,
        licence=card.licence,
        may_sell=card.may_sell,
        bytes=card.bytes,
        measured=card.measured,
        card_sha256=sha256_of(data),
    )


def index_of(cards: Mapping[str, bytes]) -> ZooIndex:
    """The index of entries.

    Args:
        cards: The file of each card, by the folder that it lies in; what is no card of that name is left out.
    """
    entries = {}
    for name in sorted(cards):
        try:
            entries[name] = listing_of(card_in(cards[name], name, where=name), cards[name])
        except InputError:
            continue
    return ZooIndex(entries=entries)


def index_in(data: bytes, *, where: str) -> ZooIndex:
    """The index in a file.

    Args:
        data: What it holds.
        where: Of the zoo, for errors.

    Raises:
        InputError: It is none, or of another version.
    """
    index = _read(data, ZooIndex, INDEX_SCHEMA, f"{where} is no zoo: its {INDEX}")
    bad = [name for name in index.entries if not is_entry_name(name)]
    if bad:
        msg = f"{where} is no zoo: its {INDEX} has an entry that cannot be one ({bad[0][:60]!r}). Check the address."
        raise InputError(msg)
    return index


def card_in(data: bytes, name: str, *, where: str) -> EntryCard:
    """The card in a file.

    Args:
        data: What it holds.
        name: Of the entry.
        where: It was read, for errors.

    Raises:
        InputError: It is none, of another version, or of another entry.
    """
    card = _read(data, EntryCard, CARD_SCHEMA, f"The entry {name} in {where} cannot be used: its {CARD}")
    files_are_right = card.files and all(
        is_file_name(file) and file != CARD and _HASH.fullmatch(one.sha256) and one.size >= 0
        for file, one in card.files.items()
    )
    if card.name != name or not files_are_right:
        why = f"is that of {card.name!r}" if card.name != name else "names files that no entry has"
        msg = f"The entry {name} in {where} cannot be used: its {CARD} {why}. Publish it again."
        raise InputError(msg)
    return card


def is_entry_name(name: str) -> bool:
    """Whether an entry may have this name: what is a plain name of a folder on every system."""
    return _NAME.fullmatch(name) is not None and not name.endswith(".") and not _RESERVED.fullmatch(name)


is_file_name = is_entry_name


def _bytes_of(document: Any) -> bytes:
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode("ascii")


def _read(data: bytes, kind: Callable[..., _T], schema: str, beginning: str) -> _T:
    """A document, strictly; `beginning` names it in errors."""
    from pydantic import ValidationError

    try:
        found = json.loads(data)["schema"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        msg = f"{beginning} is not one of this program. Check the address, or publish again."
        raise InputError(msg) from error
    if found != schema:
        family, _, ours = schema.rpartition("/")
        newer = re.fullmatch(rf"{re.escape(family)}/([0-9]{{1,9}})", str(found))
        remedy = "Update unfreeze" if newer and int(newer[1]) > int(ours) else "Check the address, or publish again"
        msg = f"{beginning} has the schema {str(found)[:40]!r}, and {schema} is read. {remedy}."
        raise InputError(msg)
    try:
        document: _T = _adapter(kind).validate_json(data)
    except ValidationError as error:
        place = ".".join(map(str, error.errors(include_url=False)[0]["loc"]))[:80]
        msg = f"{beginning} is damaged at {place}. Publish it again."
        raise InputError(msg) from error
    return document


@cache
def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
