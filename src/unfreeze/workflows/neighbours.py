"""Training photos of a run's model with their codes and small pictures, so that those most like a new photo are shown.

They lie beside the model and not in it: whoever is given the model alone is given no photo.
"""

import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load, save

from unfreeze.core.errors import InputError
from unfreeze.core.files import sha256_of, write_bytes
from unfreeze.images.decoding import UnreadableImageError
from unfreeze.metrics.neighbours import directions, nearest
from unfreeze.workflows.thumbnails import QUALITY, SIDE, webp
from unfreeze.zoo.model_config import OUR_KEY, read_config, write_config
from unfreeze.zoo.safetensors_notes import notes_of

FILE: Final = "neighbours.safetensors"  # of a run, beside its model
KEY: Final = "neighbours"  # in our part of the model's config.json

Square = UInt8[np.ndarray, "side side 3"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Neighbour:
    """A training photo that is like another photo.

    Attributes:
        name: As the run names it.
        label: That it was given.
        similarity: Cosine of the angle between their codes, up to 1.
        picture: WebP, 96 pixels at most.
    """

    name: str
    label: str
    similarity: float
    picture: bytes


@dataclass(frozen=True, eq=False, kw_only=True)
class Neighbourhood:
    """Training photos.

    Attributes:
        codes: Of each, of length 1.
        names: As the run names them.
        labels: That they were given.
        pictures: WebP of each.
    """

    codes: Float[np.ndarray, "row code"]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    pictures: tuple[bytes, ...]

    def near(self, code: Float[np.ndarray, " code"], count: int) -> tuple[Neighbour, ...]:
        """Those most like a photo.

        Args:
            code: Of the photo.
            count: How many, at most.
        """
        rows, cosines = nearest(self.codes, code[None], count)
        return tuple(
            Neighbour(
                name=self.names[row], label=self.labels[row], similarity=float(cosine), picture=self.pictures[row]
            )
            for row, cosine in zip(rows[0], cosines[0], strict=True)
        )


@dataclass(eq=False)
class Pictures:
    """Makes small pictures of squares that pass by."""

    made: list[bytes] = field(default_factory=list)

    def watching(self, squares: Iterable[Square | UnreadableImageError]) -> Iterator[Square | UnreadableImageError]:
        """The same squares; each that can be read leaves a picture."""
        for square in squares:
            if not isinstance(square, UnreadableImageError):
                self.made.append(_webp(square))
            yield square


def _webp(square: Square) -> bytes:
    image = Image.fromarray(square)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return webp(image, QUALITY)


def neighbourhood_of(
    codes: Float[np.ndarray, "row code"], names: Sequence[str], labels: Sequence[str], pictures: Sequence[bytes]
) -> Neighbourhood:
    """Training photos by their codes, of any length."""
    return Neighbourhood(codes=directions(codes), names=tuple(names), labels=tuple(labels), pictures=tuple(pictures))


def write_neighbourhood(folder: Path, found: Neighbourhood) -> None:
    """Write training photos beside a model; their hash goes into its settings last, and says that they are whole.

    Args:
        folder: Of the model, in a run's folder.
        found: What is written.
    """
    ends = np.cumsum([len(picture) for picture in found.pictures], dtype=np.int64)
    tensors: dict[str, np.ndarray] = {
        "codes": found.codes.astype(np.float16),
        "pictures": np.frombuffer(b"".join(found.pictures), np.uint8),
        "ends": ends,
    }
    texts = json.dumps({"names": found.names, "labels": found.labels})
    data = save(tensors, metadata={"photos": texts})
    write_bytes(folder.parent / FILE, data)
    config = read_config(folder)
    config[OUR_KEY][KEY] = {"sha256": sha256_of(data)}
    write_config(folder, config)


def read_neighbourhood(folder: Path, settings: dict[str, Any]) -> Neighbourhood | None:
    """The training photos beside a model.

    Args:
        folder: Of the model.
        settings: Our part of its ``config.json``.

    Returns:
        The photos; None if the model names none, or is no longer beside them.

    Raises:
        InputError: They are not what was written.
    """
    place = folder.resolve().parent / FILE
    if not isinstance(settings.get(KEY), dict) or not place.is_file():
        return None
    try:
        data = place.read_bytes()
        if not hmac.compare_digest(sha256_of(data), str(settings[KEY]["sha256"])):
            raise ValueError
        texts = json.loads(notes_of(data)["photos"])
        tensors = load(data)
    except (OSError, ValueError, LookupError, TypeError, SafetensorError) as error:
        msg = f"{place} is not what was written with the model in {folder}. Copy the run again, or leave that file out."
        raise InputError(msg) from error
    whole, starts = tensors["pictures"].tobytes(), [0, *tensors["ends"].tolist()]
    return Neighbourhood(
        codes=tensors["codes"].astype(np.float32),
        names=tuple(texts["names"]),
        labels=tuple(texts["labels"]),
        pictures=tuple(whole[start:end] for start, end in pairwise(starts)),
    )
