"""What the commands of ``unfreeze zoo`` give, as plain data; see `core.documents`."""

from dataclasses import dataclass
from typing import Literal

from unfreeze.core.licences import Sale
from unfreeze.core.zoo_entries import EntryCard, MeasuredScore

Origin = Literal["kept", "package", "timm", "zoo"]


@dataclass(frozen=True, kw_only=True)
class ZooRow:
    """An entry, or a network that is built in.

    Attributes:
        name: For ``--backbone``, or for ``unfreeze zoo pull``.
        origin: kept on this machine, in an installed package, in timm's list (downloaded when it is used), or in the
            zoo that was asked.
        network: Of the architecture.
        outputs: Width of its classifier; 0 without one.
        size: Side of its images, pixels.
        licence: Of the weights.
        may_sell: Whether what is made with them may be sold; see `core.licences`.
        bytes: Of its files; None if not known.
        measured: What was measured of it.
    """

    name: str
    origin: Origin
    network: str
    outputs: int
    size: int
    licence: str
    may_sell: Sale
    bytes: int | None
    measured: tuple[MeasuredScore, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ZooListRecord:
    """What a zoo holds, or what is built in and kept.

    Attributes:
        schema: Name and version of this document.
        zoo: That was asked; None for what is built in and kept here.
        entries: In order of their names; kept ones first, then those of packages.
    """

    schema: Literal["unfreeze.zoo-list/1"] = "unfreeze.zoo-list/1"
    zoo: str | None
    entries: tuple[ZooRow, ...]


@dataclass(frozen=True, kw_only=True)
class ZooShowRecord:
    """An entry.

    Attributes:
        schema: Name and version of this document.
        origin: See `ZooRow`.
        where: Its folder, or the zoo that was asked, or what publishes it.
        card: All that is known of it. Of a network that is built in, taps and files are not.
    """

    schema: Literal["unfreeze.zoo-show/1"] = "unfreeze.zoo-show/1"
    origin: Origin
    where: str
    card: EntryCard


@dataclass(frozen=True, kw_only=True)
class ZooPullRecord:
    """An entry that was pulled.

    Attributes:
        schema: Name and version of this document.
        name: For ``--backbone``.
        folder: Where it is kept.
        new: Whether it was not there before.
        card: Of the entry.
    """

    schema: Literal["unfreeze.zoo-pull/1"] = "unfreeze.zoo-pull/1"
    name: str
    folder: str
    new: bool
    card: EntryCard


@dataclass(frozen=True, kw_only=True)
class ZooDamage:
    """Something that is kept and is not what it was.

    Attributes:
        name: Of the entry, or of the package's network.
        reason: A sentence.
    """

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ZooVerifyRecord:
    """What was checked.

    Attributes:
        schema: Name and version of this document.
        folder: Of the entries that are kept.
        entries: That were checked, those of packages too.
        files: That were hashed.
        bytes: In them.
        damaged: What is not what it was.
    """

    schema: Literal["unfreeze.zoo-verify/1"] = "unfreeze.zoo-verify/1"
    folder: str
    entries: tuple[str, ...]
    files: int
    bytes: int
    damaged: tuple[ZooDamage, ...]


@dataclass(frozen=True, kw_only=True)
class ZooPublishRecord:
    """An entry that was published.

    Attributes:
        schema: Name and version of this document.
        zoo: Where.
        new: Whether it was not there before.
        card: Of the entry.
    """

    schema: Literal["unfreeze.zoo-publish/1"] = "unfreeze.zoo-publish/1"
    zoo: str
    new: bool
    card: EntryCard
