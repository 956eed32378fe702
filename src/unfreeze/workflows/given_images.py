"""Images as Python programs hold them (paths, files' bytes, Pillow images, arrays), as files that decoders read.

Everything becomes a file, so that an image gives the same codes and scores however it is handed over: palettes,
opacity, colour profiles, EXIF rotation and 16 bits are read in one place, `images.decoding`.
"""

import io
import os
import warnings
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFile

from unfreeze.core.errors import ImageSetError, InputError
from unfreeze.core.files import sha256_of
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.images.decoding import FORMATS
from unfreeze.images.geometry import Geometry
from unfreeze.images.pool import DecoderPool

_CHANNELS = (1, 3, 4)  # grey; red, green, blue; with opacity
_KEPT_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # that a PNG holds as they are
_TIFF_MODES = ("CMYK", "F", "LAB", "I")  # the last three are refused by the decoder, as their files are
_WITHOUT_FILE = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}  # else RGB
_TOP = 65_535  # of 16 bits
_BYTES = (bytes, bytearray, memoryview)
_WANTED = (
    "a list of paths, bytes of image files, PIL images, uint8 arrays or tensors of shape [height, width] or [height, "
    "width, channel] with 1, 3 or 4 channels"
)
_ORIENTATION = 0x0112


def image_list(X: object) -> list[Any]:
    """The images that `X` holds, one an item; nothing is read yet.

    Args:
        X: A list, an array or tensor with an axis of images, a column of a table, or a table of one column.

    Returns:
        Paths, bytes of image files, rows of Hugging Face's `datasets` ({"bytes": …, "path": …}), Pillow images, arrays
        and tensors.

    Raises:
        InputError: `X` is one image, a table of several columns, nothing that has an order, or empty.
    """
    if one := _one_image(X):
        msg = f"X must be a list of images, and {one} is one image. Write [image] for a list of one."
        raise InputError(msg)
    column = _only_column(X)
    try:
        if isinstance(column, (Mapping, AbstractSet)):
            raise TypeError
        items = list(column)
    except TypeError as error:
        msg = f"X must be {_WANTED}. Got {_in_words(X)}."
        raise InputError(msg) from error
    if not items:
        msg = "X must hold at least one image. Got none."
        raise InputError(msg)
    return items


def image_files(items: Sequence[Any], folder: Path) -> list[Path]:
    """A file of each image: paths as they are, all else written to `folder` without loss.

    Args:
        items: Of `image_list`.
        folder: For files that are written.

    Returns:
        A path an item.

    Raises:
        InputError: An item is no image.
    """
    return [_file_of(item, number, folder) for number, item in enumerate(items)]


def image_set_of(paths: Sequence[Path], places: NDArray[np.int64], pool: DecoderPool, geometry: Geometry) -> ImageSet:
    """Images that all train, in the order given; equal images stay, since the caller chose them.

    Args:
        paths: Of `image_files`.
        places: Number of the class of each.
        pool: Decoder pool.
        geometry: Of the squares that will be wanted next.

    Returns:
        The image set; its images are named by their numbers.

    Raises:
        ImageSetError: One of them cannot be read.
    """
    images = []
    for number, (path, place, seen) in enumerate(zip(paths, places, pool.inspect(paths, geometry), strict=True)):
        if seen.reason:
            msg = f"Image {number} of X cannot be read: {path} ({seen.reason})."
            raise ImageSetError(msg)
        images.append(
            Image(
                path=path.absolute(),
                name=f"{number:08d}",
                label=f"{place:08d}",
                sha256=seen.sha256 or sha256_of(str(path).encode()),
                width=seen.width,
                height=seen.height,
                mode=seen.mode,
                split="train",
            )
        )
    return ImageSet(root=Path(), images=tuple(images), skipped={})


# --- what X is ------------------------------------------------------------------------------------------------------


def _one_image(X: object) -> str:
    """What `X` is, in words, if it is one image and no list; else nothing."""
    if isinstance(X, (str, os.PathLike)):
        return f"the path {os.fsdecode(X)!r}"
    if isinstance(X, _BYTES) or (isinstance(X, Mapping) and "bytes" in X):
        return "a file's bytes"
    if isinstance(X, PillowImage.Image):
        return f"a PIL image of {X.width} x {X.height} pixels"
    uint8 = {np.dtype(np.uint8), torch.uint8}  # others are of paths or images, or no images, which is said of an item
    if not isinstance(X, (np.ndarray, torch.Tensor)) or X.dtype not in uint8:
        return ""
    ends = {X.shape[-1], X.shape[0]} if isinstance(X, torch.Tensor) and X.ndim == 3 else {*X.shape[-1:]}
    if X.ndim == 2 or (X.ndim == 3 and not ends.isdisjoint(_CHANNELS)):
        return _in_words(X)
    return ""


def _only_column(X: Any) -> Any:
    """The column of a table that has one; anything else as it is."""
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUST" and X.ndim == 2 and X.shape[1] == 1:
        return X[:, 0]
    names = getattr(X, "column_names", None)  # of Arrow and of Hugging Face's sets
    names = getattr(X, "columns", None) if names is None else names
    if names is None or isinstance(X, (np.ndarray, torch.Tensor)):
        return X.to_pylist() if hasattr(X, "to_pylist") else X
    names = list(names)
    if len(names) != 1:
        msg = (
            f"X must be one column of paths or images. Got a table of {len(names)} columns "
            f"({', '.join(map(str, names[:5]))}): choose one, as in X[{names[0] if names else 'image'!r}]."
        )
        raise InputError(msg)
    column = X[names[0]]
    return column.to_pylist() if hasattr(column, "to_pylist") else column


def _in_words(item: Any) -> str:
    """What was found, for an error."""
    if isinstance(item, (np.ndarray, torch.Tensor)):
        kind = "an array" if isinstance(item, np.ndarray) else "a tensor"
        return f"{kind} of {str(item.dtype).removeprefix('torch.')} of shape {tuple(item.shape)}"
    return f"{str(item)[:60]!r} of type {type(item).__name__}"


# --- one image ------------------------------------------------------------------------------------------------------


def _file_of(item: Any, number: int, folder: Path) -> Path:
    if isinstance(item, Mapping) and "bytes" in item:  # a row of Hugging Face's datasets, not decoded
        given = item["bytes"]
        item = item.get("path") if given is None else given
    if isinstance(item, (str, os.PathLike)):
        return Path(os.fsdecode(item))
    data: bytes | bytearray | memoryview
    if isinstance(item, _BYTES) and len(item):
        data = item
    elif isinstance(item, PillowImage.Image):
        data = _of_pillow(item, number)
    else:
        data = _written(PillowImage.fromarray(_pixels(item, number)), 1)
    path = folder / str(number)
    path.write_bytes(data)
    return path


def _pixels(item: Any, number: int) -> UInt8[np.ndarray, "height width *channel"]:
    """An array or tensor as Pillow takes it."""
    array = _as_array(item, number)
    if isinstance(item, torch.Tensor) and array.ndim == 3 and array.shape[0] in _CHANNELS:
        # torchvision has channels first; only where they cannot be, the last axis may be that of the channels.
        array = np.moveaxis(array, 0, -1)
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in _CHANNELS)
    if array.dtype != np.uint8 or not is_image or 0 in array.shape:
        msg = f"X must be {_WANTED}. Got {_in_words(array)} at position {number}."
        raise InputError(msg)
    return np.ascontiguousarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def _as_array(item: Any, number: int) -> NDArray[Any]:
    try:
        array = np.asarray(item.detach().cpu() if isinstance(item, torch.Tensor) else item)
    except Exception:  # whatever somebody else's object or a ragged list raises
        array = np.array(None)
    if array.ndim == 0:
        msg = f"X must be {_WANTED}. Got {_in_words(item)} at position {number}."
        raise InputError(msg)
    return array


def _of_pillow(image: PillowImage.Image, number: int) -> bytes:
    """A file that shows what a Pillow image shows: its own if it was opened and nothing was done with it yet."""
    try:
        if (data := _own_file(image)) is not None:
            return data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            orientation = _orientation(image)
            return _written(_storable(image), orientation)
    except InputError:
        raise
    except Exception as error:  # Pillow raises OSError, ValueError, SyntaxError, KeyError, struct.error and more
        msg = (
            f"The PIL image of mode {image.mode} at position {number} of X cannot be read ({error}). Give an image "
            "whose file is whole and still open, or its path."
        )
        raise InputError(msg) from error


def _own_file(image: PillowImage.Image) -> bytes | None:
    """The file of an image whose first frame was not even loaded; None of any other, whose pixels may have changed."""
    if not isinstance(image, ImageFile.ImageFile) or not image.tile or image.format not in {*FORMATS, "MPO"}:
        return None
    file = image.fp
    if file is None or file.closed or image.tell() != 0:
        return None
    before = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(before)
    return data


def _orientation(image: PillowImage.Image) -> int:
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a broken EXIF block raises nearly anything, and the pixels are still good
        return 1
    return found if found in range(1, 9) else 1


def _storable(image: PillowImage.Image) -> PillowImage.Image:
    """In a mode that a file can have, with the same pixels, profile and transparent colour."""
    if image.mode in _KEPT_MODES:
        return image
    if image.mode == "I" or image.mode.startswith("I;16"):
        levels = np.asarray(image)
        if levels.min() < 0 or levels.max() > _TOP:
            return image
        made = PillowImage.fromarray(levels.astype(np.uint16))
        made.info = dict(image.info)
        return made
    if image.mode in _TIFF_MODES:
        return image
    return image.convert(_WITHOUT_FILE.get(image.mode, "RGB"))


def _written(image: PillowImage.Image, orientation: int) -> bytes:
    exif, file = PillowImage.Exif(), io.BytesIO()
    if orientation != 1:
        exif[_ORIENTATION] = orientation
    profile = image.info.get("icc_profile")
    profile = profile if isinstance(profile, bytes) else None
    if image.mode in _TIFF_MODES:
        image.save(file, "TIFF", exif=exif, icc_profile=profile)
    else:
        image.save(file, "PNG", exif=exif if orientation != 1 else None, icc_profile=profile, compress_level=1)
    return file.getvalue()
