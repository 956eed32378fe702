"""From the bytes of one file to upright 8-bit RGB pixels, or one reason why not.

Every choice that changes pixels is made here: EXIF rotation is applied, colour profiles are converted to sRGB,
transparent pixels lie on the background, 16-bit photos are scaled by the range of their set, and of several frames the
first counts.
"""

import contextlib
import functools
import hashlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from PIL import (  # noqa: F401 - plugins are imported for their registration: Pillow would import all 40 otherwise
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from unfreeze.images import tags
from unfreeze.images.camera_raw import camera_raw
from unfreeze.images.capture_time import capture_time
from unfreeze.images.frames import frame_note
from unfreeze.images.levels import WHOLE, Range, deep_levels, eight_bit, is_deep, used_range
from unfreeze.images.refusals import is_heif, known_kind, refusal, too_many_pixels

# The pixel budget of one image, of what is decoded: 100 megapixels are 300 MB as RGB.
MAX_PIXELS = 100_000_000
# A JPEG is decoded at a half, a quarter or an eighth until it fits; phones make 200 megapixels.
MAX_JPEG_PIXELS = 500_000_000
MAX_ASPECT = 100
TINY_SIDE = 32
# A multi-picture JPEG (MPO) comes through the JPEG plugin.
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM"]
_RGB = tuple[int, int, int]
WHITE: _RGB = (255, 255, 255)

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
_ORIENTATION = 0x0112
_SAMPLES = {"F": "32-bit float", "I": "32-bit or signed", "LAB": "CIE Lab", "HSV": "HSV"}
_SCALES = (1, 2, 4, 8)  # of libjpeg
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
        levels: What the file holds of a photo with 16 bits a channel, from 0 to 65,535, shape (height, width) or
            (height, width, 3), not turned; None of others.
        taken: When it was taken by the camera's clock, seconds since 1970; None if the file does not say.
    """

    image: Image.Image
    width: int
    height: int
    mode: str
    notes: tuple[str, ...]
    levels: NDArray[np.uint16] | None = None
    taken: int | None = None

    @property
    def pixels_sha256(self) -> str:
        """Hash of what the file shows; equal for equal pixels, whatever the format, and of 16 bits where there are."""
        # Levels that eight bits can hold are the same picture as one of eight bits.
        if self.levels is None or not any((row % 257).any() for row in self.levels):
            return pixels_sha256(self.image)
        digest = hashlib.sha256(f"16 bits {self.width}x{self.height} {self.levels.shape}".encode())
        digest.update(np.ascontiguousarray(self.levels).data)
        return digest.hexdigest()


def decode(data: bytes, *, background: _RGB = WHITE, at_least: int | None = None, levels: Range = WHOLE) -> Decoded:
    """Decode the first frame of an image file.

    Args:
        data: The whole file.
        background: Colour behind transparent pixels.
        at_least: Pixels that both sides must keep. A JPEG that is at least twice as large is decoded at a half, a
            quarter or an eighth, which its format allows at a fraction of the cost.
        levels: Of a photo with 16 bits a channel, what becomes black and what becomes white.

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
            return _decode(data, background, at_least, levels)
        except UnreadableImageError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise UnreadableImageError(too_many_pixels(error, _most_pixels(data))) from error
        # Pillow raises OSError, ValueError, SyntaxError, KeyError, struct.error and more on broken files.
        except Exception as error:
            raise UnreadableImageError(refusal(data, error, heif=_heif_is_installed())) from error


def levels_in(data: bytes) -> Range | None:
    """Between which levels a photo of 16 bits a channel lies.

    Args:
        data: The whole file.

    Returns:
        The range; None of a file that has 8 bits, or cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if camera_raw(data):
                return None
            with _pixel_budget(MAX_PIXELS), Image.open(io.BytesIO(data), formats=["PNG", "TIFF", "PPM"]) as image:
                if not is_deep(image, data):
                    return None
                image.load()
                levels = deep_levels(image, data)
        except Exception:  # whatever it is, it will be said when the file is inspected
            return None
    return None if levels is None else used_range(levels)


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


def _decode(data: bytes, background: _RGB, at_least: int | None, levels: Range) -> Decoded:
    raw = camera_raw(data)
    if raw:
        raise UnreadableImageError(f"camera-raw: {raw}")
    if data.startswith(b"P") and known_kind(data) is None:  # Pillow's own inventions beside PBM, PGM and PPM
        raise UnreadableImageError(refusal(data, ValueError(), heif=False))
    formats = [*FORMATS, "HEIF"] if is_heif(data) and _heif_is_installed() else FORMATS
    with _pixel_budget(_most_pixels(data)), Image.open(io.BytesIO(data), formats=formats) as image:
        mode, size = image.mode, image.size
        is_reduced = _reduce(image, at_least)
        _check_shape(image.width, image.height)
        image.load()
        turn, turn_notes = _turn(image)
        taken = capture_time(image)
        deep = deep_levels(image, data) if is_deep(image, data) else None
        colour, alpha = _layers(image, data, deep, levels)
        rgb, colour_notes = _to_srgb(colour, image.info.get("icc_profile"))
        frame_notes = (*_frame_notes(image, data), *_band_notes(image))
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
    return Decoded(image=rgb, width=width, height=height, mode=mode, notes=notes, levels=deep, taken=taken)


def _most_pixels(data: bytes) -> int:
    """What the header of a file may promise."""
    return MAX_JPEG_PIXELS if data.startswith(b"\xff\xd8\xff") else MAX_PIXELS


@contextlib.contextmanager
def _pixel_budget(most: int) -> Iterator[None]:
    """Let Pillow itself refuse headers that promise more than the budget; some formats learn their size late."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = most
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _reduce(image: Image.Image, at_least: int | None) -> bool:
    """Have a JPEG decoded as small as is wanted, and as is allowed; whether it is a JPEG that this concerns."""
    width, height = image.size
    fits = next((scale for scale in _SCALES if width * height <= MAX_PIXELS * scale**2), _SCALES[-1])
    if at_least is None and fits == 1:
        return False
    wanted = min(width // fits, height // fits, at_least or width + height)
    return image.draft(None, (max(1, wanted), max(1, wanted))) is not None


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


def _layers(
    image: Image.Image, data: bytes, deep: NDArray[np.uint16] | None, levels: Range
) -> tuple[Image.Image, Image.Image | None]:
    """Colours (mode L, RGB or CMYK) and opacity (mode L, None if opaque)."""
    if deep is not None and deep.ndim == 2:
        return Image.fromarray(eight_bit(deep, levels)), _opacity_of_levels(image)
    if image.mode in {"F", "I", "LAB", "HSV"}:
        raise UnreadableImageError(f"sample-format: {_SAMPLES[image.mode]}")
    if image.mode == "La":  # Pillow knows no way from premultiplied grey to RGBA
        image = image.convert("LA")
    if image.mode in {"L", "RGB"} and "transparency" in image.info:
        image.info["transparency"] = _in_eight_bit(image.info["transparency"], data)
    alpha = None
    if image.has_transparency_data:
        full = image.convert("RGBA")
        image, alpha = full.convert("RGB"), full.getchannel("A")
    if deep is not None and levels != WHOLE:
        return Image.fromarray(eight_bit(deep, levels)), alpha
    if image.mode in {"L", "RGB", "CMYK"}:
        return image.copy(), alpha
    return image.convert("L" if image.mode == "1" else "RGB"), alpha


def _opacity_of_levels(image: Image.Image) -> Image.Image | None:
    clear = image.info.get("transparency")
    return None if clear is None else Image.fromarray(np.where(np.asarray(image) == clear, 0, 255).astype(np.uint8))


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


def _frame_notes(image: Image.Image, data: bytes) -> tuple[str, ...]:
    with contextlib.suppress(Exception):  # the first frame is good, whatever the headers of the others are
        return frame_note(image, data)
    return ()


def _band_notes(image: Image.Image) -> tuple[str, ...]:
    """A TIFF may have more bands than are shown: infrared, say, or the mask of an annotation."""
    bands = getattr(image, "tag_v2", {}).get(tags.SAMPLES, 0)
    shown = len(image.getbands())
    return (f"bands: {shown} of {bands} are used",) if isinstance(bands, int) and bands > shown > 1 else ()


@functools.cache
def _heif_is_installed() -> bool:
    """Register HEIF with Pillow if the extra is there."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True
