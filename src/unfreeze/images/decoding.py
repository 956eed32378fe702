"""From the bytes of one file to upright 8-bit RGB pixels, or one reason why not.

Every choice that changes pixels is made here: EXIF rotation is applied, colour profiles are converted to sRGB,
transparent pixels lie on the background, 16-bit grey is scaled (and never clipped), and of several frames the first
counts.
"""

import contextlib
import functools
import hashlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from PIL import (  # noqa: F401 - plugins are imported for their registration: Pillow would import all 40 otherwise
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

# The pixel budget of one image: 100 megapixels are 300 MB as RGB.
MAX_PIXELS = 100_000_000
MAX_ASPECT = 100
TINY_SIDE = 32
# A multi-picture JPEG (MPO) comes through the JPEG plugin.
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]
_RGB = tuple[int, int, int]
WHITE: _RGB = (255, 255, 255)

# First bytes of formats that are recognised in order to be refused by name.
_REFUSED = (
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"%PDF", "PDF"),
    (b"SIMPLE  =", "FITS"),
    (b"\xd7\xcd\xc6\x9a", "WMF"),
    (b"8BPS", "PSD"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"DDS ", "DDS"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"II\xbc", "JPEG XR"),
    (b"<svg", "SVG"),
    (b"P5", "PPM"),
    (b"P6", "PPM"),
)
_KNOWN = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
_ORIENTATION, _TIFF_BITS, _TIFF_PHOTOMETRIC = 0x0112, 258, 262
_SAMPLES = {"F": "32-bit float", "I": "32-bit or signed", "LAB": "CIE Lab", "HSV": "HSV"}
_WORD_OF_FRAMES = dict.fromkeys(("GIF", "PNG", "WEBP", "AVIF"), "animated: frame 1 of {}") | {
    "TIFF": "pages: page 1 of {}"
}
_SRGB = ImageCms.createProfile("sRGB")


@final
class UnreadableImageError(Exception):
    """A file is no usable image; `reason` is a code such as ``truncated``, with details after a colon."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """Upright RGB pixels and what was noticed on the way.

    Attributes:
        image: Mode RGB; smaller than the file's if that was asked for.
        width: Of the upright image in the file, in pixels.
        height: The same.
        mode: Pillow's mode of the file.
        notes: For example ``animated: frame 1 of 7``.
    """

    image: Image.Image
    width: int
    height: int
    mode: str
    notes: tuple[str, ...]


def decode(data: bytes, *, background: _RGB = WHITE, at_least: int | None = None) -> Decoded:
    """Decode the first frame of an image file.

    Args:
        data: The whole file.
        background: Colour behind transparent pixels.
        at_least: Pixels that both sides must keep. A JPEG that is at least twice as large is decoded at a half, a
            quarter or an eighth, which its format allows at a fraction of the cost.

    Returns:
        Upright RGB pixels.

    Raises:
        UnreadableImageError: With the reason; nothing else, whatever the bytes are.
    """
    if not data:
        raise UnreadableImageError("empty-file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _decode(data, background, at_least)
        except UnreadableImageError:
            raise
        # Pillow raises OSError, ValueError, SyntaxError, KeyError, struct.error and more on broken files.
        except Exception as error:
            raise UnreadableImageError(_reason(data, error)) from error


def pixels_sha256(image: Image.Image) -> str:
    """Hash of size and pixels of an RGB image; equal for equal pixels, whatever the file format.

    Args:
        image: Mode RGB.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(f"{image.width}x{image.height}".encode())
    rows = max(1, 16_000_000 // max(1, image.width * 3))  # strips of 16 MB: a copy of a whole large image would not fit
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        strip = image if bottom - top == image.height else image.crop((0, top, image.width, bottom))
        digest.update(strip.tobytes())
    return digest.hexdigest()


def _decode(data: bytes, background: _RGB, at_least: int | None) -> Decoded:
    formats = [*FORMATS, "HEIF"] if _is_heif(data) and _heif_is_installed() else FORMATS
    with _pixel_budget(), Image.open(io.BytesIO(data), formats=formats) as image:
        _check_shape(image.width, image.height)
        mode, size = image.mode, image.size
        is_reduced = at_least is not None and image.draft(None, (at_least, at_least)) is not None
        image.load()
        turn, turn_notes = _turn(image)
        colour, alpha = _layers(image, data)
        rgb, colour_notes = _to_srgb(colour, image.info.get("icc_profile"))
        frame_notes = _frame_notes(image)
    if alpha is not None:
        canvas = Image.new("RGB", rgb.size, background)
        canvas.paste(rgb, mask=alpha)
        rgb = canvas
    if turn is not None:
        rgb = rgb.transpose(turn)
        size = size[::-1] if turn in _LYING else size
    # Some formats learn their size late, and Pillow turns a TIFF as it loads: the header counts only if it must.
    width, height = size if is_reduced else rgb.size
    size_notes = ("tiny",) if min(width, height) < TINY_SIDE else ()
    notes = (*frame_notes, *turn_notes, *colour_notes, *size_notes)
    return Decoded(image=rgb, width=width, height=height, mode=mode, notes=notes)


@contextlib.contextmanager
def _pixel_budget() -> Iterator[None]:
    """Let Pillow itself refuse headers that promise more than the budget; some formats learn their size late."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _check_shape(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnreadableImageError(f"too-many-pixels {width * height:,} > {MAX_PIXELS:,}")
    # Resizing by the shorter side would make a strip of 30,000 x 1 pixels 7,680,000 pixels long.
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise UnreadableImageError(f"aspect-ratio {max(width, height) / min(width, height):.0f}:1 > {MAX_ASPECT}:1")


def _turn(image: Image.Image) -> tuple[Image.Transpose | None, tuple[str, ...]]:
    """How to turn the image upright by EXIF (a TIFF is turned by Pillow as it loads)."""
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1)), ()
    except Exception:  # a broken EXIF block raises nearly anything, and the pixels are still good
        return None, ("exif-unreadable",)


def _layers(image: Image.Image, data: bytes) -> tuple[Image.Image, Image.Image | None]:
    """Colours (mode L, RGB or CMYK) and opacity (mode L, None if opaque)."""
    if image.mode.startswith("I;16"):
        return _sixteen_bit(image)
    if image.mode in {"F", "I", "LAB", "HSV"}:
        raise UnreadableImageError(f"sample-format: {_SAMPLES[image.mode]}")
    if image.mode in {"L", "RGB"} and "transparency" in image.info:
        image.info["transparency"] = _in_eight_bit(image.info["transparency"], data)
    if image.has_transparency_data:
        full = image.convert("RGBA")
        return full.convert("RGB"), full.getchannel("A")
    if image.mode in {"L", "RGB", "CMYK"}:
        return image.copy(), None
    return image.convert("L" if image.mode == "1" else "RGB"), None


def _sixteen_bit(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """16-bit grey by 1/257, rounded: Pillow's own conversion clips at 255, so that nearly every photo turns white."""
    values = np.asarray(image).astype(np.uint32)
    tags = getattr(image, "tag_v2", {})
    top = 4095 if tags.get(_TIFF_BITS) in {12, (12,)} else 65535
    grey = ((values * 255 + top // 2) // top).clip(max=255).astype(np.uint8)
    if tags.get(_TIFF_PHOTOMETRIC) == 0:  # "white is zero", which Pillow heeds at 8 bits only
        grey = 255 - grey
    clear = image.info.get("transparency")
    alpha = None if clear is None else Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))
    return Image.fromarray(grey), alpha


def _in_eight_bit(clear: Any, data: bytes) -> Any:
    """A PNG's transparent colour at 8 bits: Pillow scales 2-, 4- and 16-bit pixels but leaves this value as it is."""
    depth = data[24] if data.startswith(b"\x89PNG") else 8
    if depth == 16:
        return tuple(value >> 8 for value in clear) if isinstance(clear, tuple) else clear >> 8
    if depth < 8 and isinstance(clear, int):
        return clear * 255 // ((1 << depth) - 1)
    return clear


def _to_srgb(colour: Image.Image, profile: bytes | None) -> tuple[Image.Image, tuple[str, ...]]:
    """Colours in sRGB; a profile that is broken or fits other channels is ignored and noted."""
    if profile:
        try:
            transform = _transform(profile, colour.mode)
            if transform is not None:
                return transform.apply(colour), ("icc: converted to sRGB",)
        except Exception:  # lcms and Pillow raise OSError, PyCMSError, ValueError, TypeError ...
            return colour.convert("RGB"), ("icc-ignored",)
    return colour if colour.mode == "RGB" else colour.convert("RGB"), ()


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Transform of a profile to sRGB; None if it is sRGB already."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    # Converting sRGB to sRGB would only round; most cameras embed it.
    if mode == "RGB" and "srgb" in ImageCms.getProfileDescription(source).lower():
        return None
    return ImageCms.buildTransform(source, _SRGB, mode, "RGB")


def _frame_notes(image: Image.Image) -> tuple[str, ...]:
    if image.format not in _WORD_OF_FRAMES:
        return ()
    with contextlib.suppress(Exception):  # counting walks over bytes that may be broken; the first frame is good
        count = int(getattr(image, "n_frames", 1))
        if count > 1:
            return (_WORD_OF_FRAMES[image.format].format(count),)
    return ()


def _is_heif(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS


@functools.cache
def _heif_is_installed() -> bool:
    """Register HEIF with Pillow if the extra is there."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True


def _reason(data: bytes, error: Exception) -> str:
    """Reason code of whatever Pillow raised."""
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        found = re.search(r"\((\d+) pixels\)", str(error))
        return f"too-many-pixels {int(found[1]):,} > {MAX_PIXELS:,}" if found else "too-many-pixels"
    if isinstance(error, MemoryError):
        return "decoder-memory"
    kind = _kind(data)
    if kind is None:
        return _unrecognised(data)
    if isinstance(error, NotImplementedError):
        return f"{kind}-variant"
    return (
        "truncated"
        if re.search("truncated|unexpected end|end of file", str(error), re.IGNORECASE)
        else f"corrupt-{kind}"
    )


def _kind(data: bytes) -> str | None:
    """Which allowed format the first bytes announce."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp" and data[8:12] in {b"avif", b"avis"}:
        return "avif"
    if _is_heif(data) and _heif_is_installed():
        return "heic"
    return next((kind for start, kind in _KNOWN if data.startswith(start)), None)


def _unrecognised(data: bytes) -> str:
    """Reason for bytes of no allowed format."""
    if _is_heif(data):
        return "heic: install unfreeze[heif]"
    name = next((name for start, name in _REFUSED if data.startswith(start)), None)
    if name is None and b"<svg" in data[:1000]:
        name = "SVG"
    if name is not None:
        return f"format-not-allowed: {name}"
    start = data[:12]
    printable = start.isascii() and start.decode("ascii").isprintable()
    return "not-an-image: starts with " + (f'"{start.decode("ascii")}"' if printable else f"0x{start[:8].hex()}")
