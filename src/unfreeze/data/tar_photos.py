"""Photos in tars as WebDataset writes them: what belongs together has one name and several endings.

No member becomes a file under its own name, so that it does not matter what that is or what a link leads to.
"""

import io
import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, final

from unfreeze.core.errors import ImageSetError
from unfreeze.data.folders import IMAGE_SUFFIXES
from unfreeze.data.list_values import text_of
from unfreeze.data.packed_photos import PackedPhoto
from unfreeze.data.split_names import part_alone
from unfreeze.images.decoder import MAX_BYTES

ODD_MEMBER = "a link, or something else in a tar that is no file"
OTHER_MEMBER = "neither a photo nor its label, in a tar"
SECOND_PHOTO = "a second photo of one sample, in a tar"
_LARGEST_TEXT: Final = 2**20  # bytes of a label, or of a document that has one
_LARGEST_HEADER: Final = 2**22  # bytes; a member's name and what else is said of it
_LONGEST_LABEL: Final = 200  # characters of a text: a caption is no class
_LABELS: Final = ("cls", "json", "txt")  # endings that may give the class, the surest first
_IN_JSON: Final = ("label", "class", "cls")
# As WebDataset reads names: the ending begins at the first dot of the file's own name.
_NAME = re.compile(r"(?P<key>(?:.*/)?[^./][^/.]*)\.(?P<ending>[^/]+)", re.DOTALL)


@dataclass(eq=False)
class _Sample:
    """Members of one key, as far as they have come."""

    key: str
    name: str = ""  # of the photo
    data: bytes = b""
    fault: str = ""
    texts: dict[str, bytes] = field(default_factory=dict)


@final
class _ShortHeaders:
    """A file of which little is read at a time: `tarfile` takes the header of a member whole, however long it says.

    Args:
        file: A tar.
    """

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.tell, self.seek = file.tell, file.seek

    def read(self, size: int = -1) -> bytes:
        """Some bytes."""
        if not 0 <= size <= _LARGEST_HEADER:
            msg = f"a header of {size:,} bytes"
            raise tarfile.ReadError(msg)
        return self._file.read(size)


def photos_in_tar(file: io.BufferedReader, where: str, skipped: Counter[str]) -> Iterator[PackedPhoto]:
    """The photos of a tar, one in memory at a time.

    A photo's class is what its sample's ``cls`` says, else the label of its ``json``, else its ``txt`` of one short
    line; where there is none of these, the folder that it lies in.

    Args:
        file: The tar, which is read from its start to its end.
        where: As people write it.
        skipped: Counts members that are not read, by reason.

    Yields:
        Photos, in their order.

    Raises:
        ImageSetError: It is no tar, damaged, or cut off.
    """
    sample = _Sample("")
    try:
        for member, tar in _members(file):
            named = _NAME.fullmatch(member.name)
            if member.isdir():
                continue
            if not _is_plain(member):
                skipped[ODD_MEMBER] += 1
            elif named is None:
                skipped[OTHER_MEMBER] += 1
            else:
                if named["key"] != sample.key:
                    yield from _photo_of(sample)
                    sample = _Sample(named["key"])
                _take(sample, member, tar, named["ending"].lower(), skipped)
    except (tarfile.TarError, OSError, EOFError) as error:
        msg = (
            f"{where} cannot be read as a tar: {str(error).rstrip('.') or type(error).__name__}. Pack or fetch it anew."
        )
        raise ImageSetError(msg) from error
    yield from _photo_of(sample)


def _members(file: io.BufferedReader) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """Headers in their order, up to the mark at the end, which must be there: without it, something is lost."""
    with tarfile.open(fileobj=_ShortHeaders(file), mode="r:", errors="surrogateescape") as tar:  # type: ignore[call-overload]
        while (member := tar.next()) is not None:
            tar.members.clear()  # which would hold every header of a large tar
            yield member, tar
        file.seek(tar.offset)  # `tarfile` takes a damaged header for the end
        if file.read(tarfile.BLOCKSIZE).strip(b"\0") or file.tell() < tar.offset + tarfile.BLOCKSIZE:
            msg = f"damaged or cut off at byte {tar.offset:,}"
            raise tarfile.ReadError(msg)


def _is_plain(member: tarfile.TarInfo) -> bool:
    """Whether a member is a file whose bytes stand in the tar; a sparse one could unfold to any size."""
    return member.type in {tarfile.REGTYPE, tarfile.AREGTYPE} and member.sparse is None


def _take(sample: _Sample, member: tarfile.TarInfo, tar: tarfile.TarFile, ending: str, skipped: Counter[str]) -> None:
    """Note what a member says of its sample, or count it."""
    if f".{ending}" in IMAGE_SUFFIXES:
        if sample.name:
            skipped[SECOND_PHOTO] += 1
            return
        sample.name = member.name
        if member.size > MAX_BYTES:
            sample.fault = f"file-too-large {member.size:,} > {MAX_BYTES:,} bytes"
        else:
            sample.data = _bytes_of(member, tar)
    elif ending in _LABELS and member.size <= _LARGEST_TEXT:
        sample.texts[ending] = _bytes_of(member, tar)
    else:
        skipped[OTHER_MEMBER] += 1


def _bytes_of(member: tarfile.TarInfo, tar: tarfile.TarFile) -> bytes:
    file = tar.extractfile(member)
    data = b"" if file is None else b"".join(iter(lambda: file.read(_LARGEST_TEXT), b""))
    if len(data) != member.size:
        msg = "unexpected end of data"
        raise tarfile.ReadError(msg)
    return data


def _photo_of(sample: _Sample) -> Iterator[PackedPhoto]:
    if sample.name:
        folders = [part for part in sample.name.split("/")[:-1] if part not in {"", ".", ".."}]
        yield PackedPhoto(
            name=sample.name,
            data=sample.data,
            fault=sample.fault,
            label=_label_in(sample.texts) or (folders[-1] if folders else ""),
            split=part_alone(folders[-2]) if len(folders) > 1 else "",
        )


def _label_in(texts: Mapping[str, bytes]) -> str:
    for ending in _LABELS:
        if ending in texts:
            text = texts[ending].decode("utf-8", "surrogateescape").strip()
            label = _label_in_json(text) if ending == "json" else text
            if label and len(label) <= _LONGEST_LABEL and "\n" not in label:
                return label
    return ""


def _label_in_json(text: str) -> str:
    """The class that a document names; nothing where it names none, or is none."""
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    values = [document.get(name) for name in _IN_JSON] if isinstance(document, dict) else []
    return next((text_of(value) for value in values if isinstance(value, (str, int))), "")
