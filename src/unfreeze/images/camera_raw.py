"""Camera RAW, recognised by content: most of it is TIFF whose first picture is a small preview, not the photo."""

from itertools import islice

from unfreeze.images import tags
from unfreeze.images.tags import Directory, directories

# First bytes of what is no plain TIFF.
_STARTS = (
    (b"FUJIFILMCCD-RAW", "RAF"),
    (b"IIRO", "ORF"),
    (b"IIRS", "ORF"),
    (b"MMOR", "ORF"),
    (b"IIU\x00", "RW2"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", "CRW"),
    (b"\x00MRM", "MRW"),
    (b"FOVb", "X3F"),
    (b"IIII\x00\x00\x00\x00", "IIQ"),
    (b"IIII\x01\x00\x00\x00", "IIQ"),
    (b"ARRI", "ARI"),
)
# TIFF/EP (ISO 12234-2) and DNG 1.7: the pixels of a colour filter array, and those that are linear already.
_SENSOR = {32803, 34892}
# Compressions that only cameras write: Sony ARW, Nikon NEF, Samsung SRW, Pentax PEF, Kodak DCR.
_CAMERA_COMPRESSIONS = {32767, 32769, 32770, 32772, 34713, 65000, 65535}
# Files of these names are RAW whatever they hold: cheap cameras and converters write TIFF without any sign of it.
SUFFIXES = frozenset((
    ".3fr", ".ari", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dcs", ".dng", ".drf", ".eip", ".erf",
    ".fff", ".gpr", ".iiq", ".k25", ".kdc", ".mdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".ori", ".pef",
    ".ptx", ".pxn", ".r3d", ".raf", ".rw2", ".rwl", ".rwz", ".sr2", ".srf", ".srw", ".x3f",
))  # fmt: skip


def camera_raw(data: bytes) -> str:
    """Which RAW format a file has.

    Args:
        data: The whole file, whatever it is.

    Returns:
        Its usual suffix in capitals, ``TIFF`` where only the sensor's pixels give it away; empty if it is none.
    """
    name = next((name for start, name in _STARTS if data.startswith(start)), "")
    if name:
        return name
    if data[4:12] == b"ftypcrx ":
        return "CR3"
    if data[:4] in {b"II*\x00", b"MM\x00*"} and data[8:10] == b"CR":
        return "CR2"
    found = list(islice(directories(data), tags.MOST_DIRECTORIES))
    if any(directory.get(tags.DNG_VERSION) for directory in found[:1]):
        return "DNG"
    return "TIFF" if any(map(_is_of_a_sensor, found)) else ""


def _is_of_a_sensor(directory: Directory) -> bool:
    return bool(
        _SENSOR & set(directory.get(tags.PHOTOMETRIC, ()))
        or _CAMERA_COMPRESSIONS & set(directory.get(tags.COMPRESSION, ()))
    )
