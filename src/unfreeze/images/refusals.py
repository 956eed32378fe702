"""Why bytes that Pillow refused are no image that is read: a reason code, with what the file says of itself."""

import re

from PIL import Image, UnidentifiedImageError

from unfreeze.images import tags
from unfreeze.images.tags import Directory, directories

# First bytes of formats that are recognised in order to be refused by name.
_REFUSED = (
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"%PDF", "PDF"),
    (b"SIMPLE  =", "FITS"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    (b"8BPS", "PSD"),
    (b"8BPB", "PSD"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"DDS ", "DDS"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"II\xbc", "JPEG XR"),
    (b"<svg", "SVG"),
    (b"P7\n", "PAM"),
    (b"PF\n", "PFM"),
    (b"Pf\n", "PFM"),
    (b"gimp xcf", "XCF"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x93NUMPY", "NumPy"),
    (b"\x1aE\xdf\xa3", "video"),  # Matroska and WebM
    (b"\x00\x00\x01\xba", "video"),  # MPEG
    (b"\x00\x00\x01\xb3", "video"),
    (b"FLV\x01", "video"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video"),  # ASF: WMV
)
_KNOWN = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
)
_NETPBM = re.compile(rb"P[1-6](?:\s|#[^\r\n]*[\r\n])+[0-9]")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_TRUNCATED = re.compile("truncated|unexpected end|end of file|not enough image data", re.IGNORECASE)
_SAMPLE_KINDS = {2: "signed", 3: "float", 5: "complex", 6: "complex"}
# JPEG's kinds of frame, ITU-T T.81 table B.1: baseline, extended and progressive Huffman are read.
_FRAMES = {0xC3: "lossless", 0xC9: "arithmetic", 0xCA: "arithmetic", 0xCB: "lossless"} | dict.fromkeys(
    (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "hierarchical"
)
_READ_FRAMES = (0xC0, 0xC1, 0xC2)
_FIRST_OF_SCAN = 0xDA


def refusal(data: bytes, error: Exception, *, heif: bool) -> str:
    """Reason code of what could not be decoded.

    Args:
        data: The whole file.
        error: What Pillow raised.
        heif: Whether HEIC can be read here.

    Returns:
        A code of ``docs/reference/errors.md``, with details after a colon.
    """
    if isinstance(error, MemoryError):
        return "decoder-memory"
    kind = known_kind(data)
    if kind is None or (kind == "heic" and not heif):
        return _unrecognised(data)
    if isinstance(error, NotImplementedError):
        return f"{kind}-variant"
    if _TRUNCATED.search(str(error)):
        return "truncated"
    variant = ""
    if kind == "tiff" and isinstance(error, UnidentifiedImageError):
        variant = _tiff_variant(data)
    elif kind == "jpeg":
        variant = _jpeg_variant(data)
    return variant or f"corrupt-{kind}"


def too_many_pixels(error: Image.DecompressionBombError | Image.DecompressionBombWarning, most: int) -> str:
    """Reason code of a header that promises more pixels than are allowed."""
    found = re.search(r"\((\d+) pixels\)", str(error))
    return f"too-many-pixels {int(found[1]):,} > {most:,}" if found else "too-many-pixels"


def known_kind(data: bytes) -> str | None:
    """Which format that can be read the first bytes announce."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp" and data[8:12] in _AVIF_BRANDS:
        return "avif"
    if is_heif(data):
        return "heic"
    if _NETPBM.match(data[:1000]):
        return "ppm"
    return next((kind for start, kind in _KNOWN if data.startswith(start)), None)


def is_heif(data: bytes) -> bool:
    """Whether the first bytes announce HEIC."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS


def _unrecognised(data: bytes) -> str:
    """Reason for bytes of no format that is read."""
    if is_heif(data):
        return "heic: install unfreeze[heif]"
    name = next((name for start, name in _REFUSED if data.startswith(start)), None)
    if data[128:132] == b"DICM":
        name = "DICOM"
    elif data[344:348] in {b"n+1\x00", b"ni1\x00"}:
        name = "NIfTI"
    elif data[4:8] == b"ftyp" or data[4:8] in {b"moov", b"mdat"} or (data[:4] == b"RIFF" and data[8:12] == b"AVI "):
        name = "video"
    elif name is None and b"<svg" in data[:1000]:
        name = "SVG"
    if name is not None:
        return f"format-not-allowed: {name}"
    if data.startswith(b"version https://git-lfs"):
        return "not-an-image: a pointer of Git LFS (git lfs pull gets the file)"
    start = data[:12]
    printable = start.isascii() and start.decode("ascii").isprintable()
    return "not-an-image: starts with " + (f'"{start.decode("ascii")}"' if printable else f"0x{start[:8].hex()}")


def _tiff_variant(data: bytes) -> str:
    """What a TIFF that breaks no rule holds that is not read; empty if it breaks one."""
    first = next(directories(data), {})
    bits, bands = first.get(tags.BITS, (1,)), first.get(tags.SAMPLES, (1,))
    where = first.get(tags.STRIPS, ()) or first.get(tags.TILES, ())
    sizes = (*first.get(tags.WIDTH, ()), *first.get(tags.HEIGHT, ()))
    if len(sizes) != 2 or not all(sizes) or not where or not all(place < len(data) for place in where):
        return ""
    if not bits or not bands or not bands[0]:
        return ""
    kind = _sample_kind(first)
    if kind:
        return f"sample-format: {bits[0]}-bit {kind}"
    if bands[0] == 1:
        return f"tiff-variant: {bits[0]} bits"
    return f"bands: {bands[0]} of {bits[0]} bits"


def _sample_kind(directory: Directory) -> str:
    return next((_SAMPLE_KINDS[kind] for kind in directory.get(tags.SAMPLE_FORMAT, ()) if kind in _SAMPLE_KINDS), "")


def _jpeg_variant(data: bytes) -> str:
    """Which JPEG it is that the decoder does not know; empty if it should know it."""
    place = 2
    while place + 10 <= len(data) and data[place] == 0xFF and data[place + 1] != _FIRST_OF_SCAN:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == 0xFF:  # a byte that fills
            place += 1
            continue
        if marker in _FRAMES or marker in _READ_FRAMES:
            bits, channels = data[place + 4], data[place + 9]
            if marker in _FRAMES:
                return f"jpeg-variant: {_FRAMES[marker]}"
            if bits == 12:
                return "jpeg-variant: 12 bits"
            return f"jpeg-variant: {channels} channels" if channels in {2, *range(5, 11)} else ""
        place += 2 + length
    return ""
