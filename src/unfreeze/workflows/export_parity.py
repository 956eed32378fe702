"""What an exported model says of photos, against what `unfreeze predict` says of them."""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, get_args

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.special import softmax

from unfreeze.core.documents import Decoding, ExportParity, Int8Cost
from unfreeze.core.errors import AuditError, InputError
from unfreeze.core.files import sha256_of_file
from unfreeze.core.progress import Advance
from unfreeze.core.trained_on import trained_on
from unfreeze.features.export_parts import Runner, Said
from unfreeze.features.resources import Resources
from unfreeze.images.decoding import UnreadableImageError, decode
from unfreeze.images.geometry import Geometry, centre
from unfreeze.metrics.comparison import paired_difference
from unfreeze.metrics.intervals import wilson
from unfreeze.workflows.export_photos import SEED, Photo
from unfreeze.workflows.prediction import predict_images

ALLOWED: Final = 1e-4  # between probabilities of an exact export in float32 and those of unfreeze predict
_ROUNDED: Final = 1e-6  # float32
RANKS: Final = 3  # training photos by which a likeness may be off, whose distances lie close to that of a photo


@dataclass(frozen=True, eq=False, kw_only=True)
class Known:
    """Photos that could be read, and what `unfreeze predict` says of them.

    Attributes:
        photos: One a row.
        answers: Probabilities, or an SVM's margins.
        class_names: Of the model.
        largest: What differences are fractions of: 1 of probabilities, the largest margin of an SVM's.
        likeness: Of each photo to those in training; None if the model does not know.
    """

    photos: tuple[Photo, ...]
    answers: Float[np.ndarray, "photo cls"]
    class_names: tuple[str, ...]
    largest: float
    likeness: Float[np.ndarray, " photo"] | None = None

    def part(self, start: int, end: int | None = None) -> "Known":
        """Some of the photos."""
        like = None if self.likeness is None else self.likeness[start:end]
        return replace(self, photos=self.photos[start:end], answers=self.answers[start:end], likeness=like)


def known(model: Path, photos: Sequence[Photo], resources: Resources) -> Known:
    """What `unfreeze predict` says of photos, in float32 by torch.

    Args:
        model: Folder of the model.
        photos: Those that cannot be read are left out.
        resources: Decoders and progress.

    Raises:
        InputError: None can be read, or the folder is no model.
    """
    paths = [photo.path for photo in photos]
    found = predict_images(
        model, paths, pool=resources.pool, progress=resources.progress, engine="torch", with_likeness=True
    )
    if not found.names:
        first = found.set_aside[0]
        msg = (
            f"No photo can be read to compare on; for example {first.name}: {first.reason}. Give others with --images."
        )
        raise InputError(msg)
    by_name = {str(photo.path): photo for photo in photos}
    scores = found.scores.astype(np.float64)
    return Known(
        photos=tuple(by_name[name] for name in found.names),
        answers=softmax(scores, axis=1) if found.gives_probabilities else scores,
        class_names=found.class_names,
        largest=1.0 if found.gives_probabilities else max(1.0, float(np.abs(scores).max())),
        likeness=found.likeness,
    )


def squares_of(photos: Sequence[Photo], geometry: Geometry, resources: Resources) -> tuple[NDArray[np.uint8], ...]:
    """What a network sees of photos that can be read: uint8 [size, size, 3] each."""
    squares = resources.pool.squares([photo.path for photo in photos], geometry)
    return tuple(centre(one, geometry.size) for one in squares if not isinstance(one, UnreadableImageError))


@dataclass(frozen=True, kw_only=True)
class Compared:
    """How an exported model compares with `unfreeze predict`.

    Attributes:
        rows: One for each way of decoding; empty where nothing could run the model.
        reduced: How many photos `unfreeze predict` decodes at less than full size.
        milliseconds: Of one photo, decoded as `unfreeze predict` does, without the decoding; the median.
    """

    rows: tuple[ExportParity, ...] = ()
    reduced: int = 0
    milliseconds: float | None = None


def parity(
    run: Runner,
    expected: Known,
    geometry: Geometry,
    *,
    advance: Advance,
    clock: Callable[[], float] = time.perf_counter,
) -> Compared:
    """How an exported model compares, by the way in which photos are decoded for it.

    Args:
        run: The exported model.
        expected: What `unfreeze predict` says.
        geometry: How photos become squares.
        advance: Is told of each photo.
        clock: Seconds.

    Returns:
        What was found.
    """
    said: dict[Decoding, list[tuple[int, Said]]] = {name: [] for name in get_args(Decoding)}
    reduced, seconds = 0, []
    for row, photo in enumerate(expected.photos):
        pixels = dict(decodings(photo.path, geometry))
        reduced += "full" in pixels and pixels["full"].shape != pixels["predict"].shape
        begun = clock()
        first = run(pixels["predict"])
        seconds.append(clock() - begun)
        for name, answer in _answers(run, pixels, first).items():
            said[name].append((row, answer))
        advance(1)
    table = tuple(_row(name, rows, expected) for name, rows in said.items() if rows)
    return Compared(rows=table, reduced=reduced, milliseconds=round(1000 * float(np.median(seconds)), 2))


def _answers(run: Runner, pixels: Mapping[Decoding, NDArray[np.uint8]], first: Said) -> dict[Decoding, Said]:
    """By way of decoding; what is the same to the last pixel is run once."""
    answers: dict[Decoding, Said] = {"predict": first}
    for name, image in pixels.items():
        if name in answers:
            continue
        same = next((other for other in answers if np.array_equal(pixels[other], image)), None)
        answers[name] = run(image) if same is None else answers[same]
    return answers


def decodings(path: Path, geometry: Geometry) -> Iterator[tuple[Decoding, NDArray[np.uint8]]]:
    """The pixels of a photo, uint8 [height, width, 3], as unfreeze decodes them, and as Pillow alone does, if it can.

    Args:
        path: Of a photo that a decoder has read before.
        geometry: How it becomes a square.

    Yields:
        Name of the way, and the pixels.

    Raises:
        InputError: It has gone since, or changed.
    """
    try:
        data = path.read_bytes()
        image = decode(data, background=geometry.background, at_least=geometry.at_least, levels=geometry.levels).image
    except (OSError, UnreadableImageError) as error:
        msg = (
            f"{path} could be read a moment ago and cannot be read any more. Leave photos alone while they are in use."
        )
        raise InputError(msg) from error
    yield "predict", np.array(image)
    # HEIC without its plugin, a cut-off file, more pixels than Pillow alone decodes.
    with contextlib.suppress(OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        yield "pillow", by_pillow(path, geometry.at_least)
        yield "full", by_pillow(path, None)


def by_pillow(path: Path, at_least: int | None) -> NDArray[np.uint8]:
    """The pixels by the code in the card of an export: ``photo.draft``, ``exif_transpose`` and ``convert``."""
    with warnings.catch_warnings(action="ignore"), Image.open(path) as photo:
        if at_least is not None:
            photo.draft(None, (at_least, at_least))
        return np.array(ImageOps.exif_transpose(photo).convert("RGB"))


def _row(name: Decoding, rows: Sequence[tuple[int, Said]], expected: Known) -> ExportParity:
    places = [row for row, _ in rows]
    found, wanted = np.stack([said.answers for _, said in rows]), expected.answers[places]
    shares = [said.likeness for _, said in rows if said.likeness is not None]
    like = float(np.abs(shares - expected.likeness[places]).max()) if shares and expected.likeness is not None else None
    return ExportParity(
        decoding=name,
        photos=len(rows),
        same_top=int((found.argmax(1) == wanted.argmax(1)).sum()),
        largest_difference=float(np.abs(found - wanted).max()) / expected.largest,
        likeness_difference=like,
    )


def check_exact(rows: Sequence[ExportParity], *, known_photos: int = 0) -> None:
    """Make sure that an exact export in float32 says what `unfreeze predict` says.

    Args:
        rows: What was compared.
        known_photos: Training photos whose distances the model knows, of which likeness is a share.

    Raises:
        AuditError: It does not.
    """
    for row in rows:
        if row.decoding == "predict" and not row.largest_difference <= ALLOWED:
            msg = (
                f"The exported model does not say what unfreeze predict says: probabilities differ by "
                f"{row.largest_difference:.1e} on {row.photos:,} photos, where {ALLOWED:g} is allowed. Nothing was "
                "written; please report this."
            )
            raise AuditError(msg)
        off = row.likeness_difference
        if row.decoding == "predict" and off is not None and not off <= RANKS / (1 + known_photos) + _ROUNDED:
            msg = (
                f"The exported model does not mark the photos that unfreeze predict marks as unlike anything in "
                f"training: likeness differs by {off:.1e} on {row.photos:,} photos, where "
                f"{RANKS / (1 + known_photos):.1e} is allowed. Nothing was written; please report this."
            )
            raise AuditError(msg)


def int8_cost(
    run: Runner, expected: Known, geometry: Geometry, model: Path, *, calibrated_on: int, advance: Advance
) -> Int8Cost:
    """What int8 costs on photos that it was not calibrated on.

    Args:
        run: The exported model, in int8.
        expected: What the model says in float32.
        geometry: How photos become squares.
        model: Folder of the model.
        calibrated_on: How many other photos it was calibrated on.
        advance: Is told of each photo.

    Returns:
        Its cost.
    """
    said = []
    for photo in expected.photos:
        _, pixels = next(decodings(photo.path, geometry))
        said.append(int(run(pixels).answers.argmax()))
        advance(1)
    tops, wanted = np.array(said), expected.answers.argmax(1)
    same = int((tops == wanted).sum())
    learned = sum(trained_on(model, [sha256_of_file(photo.path) for photo in expected.photos]))
    labels = [photo.label for photo in expected.photos]
    accuracy = right = gap = interval = None
    if all(label in expected.class_names for label in labels):
        truth = np.array([expected.class_names.index(label) for label in labels])
        accuracy, right = float((wanted == truth).mean()), float((tops == truth).mean())
        gap, interval = paired_difference(wanted == truth, tops == truth, seed=SEED)
    return Int8Cost(
        calibrated_on=calibrated_on,
        photos=len(labels),
        learned=learned,
        same_top=same,
        same_interval=wilson(same, len(labels)),
        accuracy=accuracy,
        int8_accuracy=right,
        difference=gap,
        interval=interval,
    )
