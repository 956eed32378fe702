"""Near copies: photos that show the same picture, resized, compressed anew, mirrored or a little cropped.

They are found by small grey copies (`images.small_copy`) alone, so that what is found depends on the photos and on no
network. A perceptual hash is the signs of the lowest frequencies of a cosine transform; here the frequencies themselves
are compared, all photos with all by products of matrices, since signs alone take many drawings for one. Of strokes on
paper even these say little more than where the ink lies: there the levels have to agree, too.

Source:
    The transform is that of imagehash's ``phash`` (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash
    Functions, 2010). Frequencies are weighted by their number, which evens out the spectrum of natural images (D. J.
    Field, J. Opt. Soc. Am. A 4, 1987). That a pair must stand out is D. Lowe's ratio test (IJCV 60, 2004).
    Thresholds: `benchmarks/copies.py`.
"""

from collections.abc import Iterator
from functools import cache
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from unfreeze.core.progress import Advance, ignore
from unfreeze.images.small_copy import SIDE

MOST: Final = 30_000  # photos that are compared all with all; the time grows with the square of their number
COARSE, FINE = 8, 12  # lowest frequencies along each side, to search by and to decide by
MAYBE: Final = 0.85  # likeness by the coarse ones from which a pair is looked at
SURE: Final = 0.993  # likeness by the fine ones that is enough
ALIKE: Final = 0.95  # the same for a pair that stands out of the others
STANDS_OUT: Final = 0.2  # what a pair lacks of likeness, at most, over what the `OTHERS`-th next photo lacks
OTHERS: Final = 10
CROP: Final = 0.9  # of the sides that a crop keeps
FLAT: Final = 0.7  # standard deviation in levels of 256 below which a photo shows nothing to compare
DRAWING: Final = 0.6  # share of one grey from which a picture is one of strokes on paper
STROKES: Final = 0.98  # correlation of the levels of two such pictures, without which they are no copies
OTHER_SHAPE: Final = 1.25  # ratio of two aspect ratios
_ROWS = 1024  # at a time
_EACH = 5  # pairs of one photo that are looked at, per way of cropping
_LOOKED_AT: Final = 20_000  # pairs at most
_STEPS = (0.025, 0.0125, 0.006)  # of a side, by which the edges of a crop are moved

_Copies = UInt8[np.ndarray, "image 32 32"]
_Spectra = Float32[np.ndarray, "image frequency"]
_Rectangles = Float32[np.ndarray, "pair 4"]  # left, right, top, bottom, as parts of the sides
_WHOLE = (0.0, 1.0, 0.0, 1.0)


def spectra(copies: UInt8[np.ndarray, "image 32 32"] | Float32[np.ndarray, "image 32 32"], lowest: int) -> _Spectra:
    """The lowest frequencies of small copies, without the mean, weighted, of length 1 (0 where there is nothing).

    Args:
        copies: Grey levels.
        lowest: Number of frequencies along each side.

    Returns:
        `lowest` squared numbers each; products of rows are likenesses from -1 to 1.
    """
    waves = _waves()[:lowest]
    found = waves @ copies.astype(np.float32) @ waves.T
    number = np.arange(lowest, dtype=np.float32)
    weighted = (found * np.hypot(number[:, None], number)).reshape(len(copies), -1)
    length = np.linalg.norm(weighted, axis=1, keepdims=True)
    return np.asarray(weighted / np.maximum(length, 1e-3), np.float32)


@cache
def _waves() -> Float32[np.ndarray, "frequency place"]:
    number = np.arange(SIDE)
    return np.cos(np.pi * (2 * number + 1) * number[:, None] / (2 * SIDE)).astype(np.float32)


def near_pairs(
    copies: UInt8[np.ndarray, "image 32 32"],
    aspects: Float32[np.ndarray, " image"],
    *,
    advance: Advance = ignore,
) -> Int[np.ndarray, "pair 2"]:
    """Pairs of photos that are near copies.

    Args:
        copies: Small grey copies; of more than `MOST` only the first are compared.
        aspects: Width over height of each photo.
        advance: Called with 0 again and again.

    Returns:
        Places of both, the smaller first, in ascending order.
    """
    usable = np.flatnonzero(copies.std(axis=(1, 2)) >= FLAT)[:MOST]
    if len(usable) < 2:
        return np.zeros((0, 2), np.int64)
    copies, aspects = copies[usable], aspects[usable]
    fine, drawn = spectra(copies, FINE), _are_drawings(copies)
    lacks = _lacked_by_others(fine, advance)
    pairs, starts, mirrored = _candidates(copies, aspects, advance)
    kept = np.zeros(len(pairs), bool)
    for begin in range(0, len(pairs), _ROWS):
        advance(0)
        some = slice(begin, begin + _ROWS)
        one, two = pairs[some].T
        other = _turned(copies[two], mirrored[some])
        likeness, part = _best_part(copies[one], other, starts[some])
        lack = 1 - likeness
        # Of both: a photo with many like it says nothing of a pair.
        stands_out = lack <= STANDS_OUT * np.minimum(lacks[one], lacks[two])
        same_strokes = ~(drawn[one] & drawn[two]) | (_correlation(part, other.astype(np.float32)) >= STROKES)
        kept[some] = same_strokes & ((likeness >= SURE) | ((likeness >= ALIKE) & stands_out))
    found = np.sort(usable[pairs[kept]], axis=1)
    return np.unique(found, axis=0).astype(np.int64).reshape(-1, 2)


def _are_drawings(copies: _Copies) -> Bool[np.ndarray, " image"]:
    """Whether one grey makes up most of each copy."""
    flat = np.sort(copies.reshape(len(copies), -1), axis=1)
    places = int(DRAWING * flat.shape[1])
    return np.asarray((flat[:, places:] == flat[:, : flat.shape[1] - places]).any(axis=1))


def _correlation(
    one: Float32[np.ndarray, "pair 32 32"], two: Float32[np.ndarray, "pair 32 32"]
) -> Float32[np.ndarray, " pair"]:
    """Pearson's, of the levels of each pair."""
    first, second = (some - some.mean(axis=(1, 2), keepdims=True) for some in (one, two))
    lengths = np.linalg.norm(first, axis=(1, 2)) * np.linalg.norm(second, axis=(1, 2))
    return np.asarray((first * second).sum(axis=(1, 2)) / np.maximum(lengths, 1e-3), np.float32)


def _turned(copies: _Copies, mirrored: Bool[np.ndarray, " image"]) -> _Copies:
    return np.where(mirrored[:, None, None], copies[:, :, ::-1], copies)


def _lacked_by_others(fine: _Spectra, advance: Advance) -> Float32[np.ndarray, " image"]:
    """What the `OTHERS`-th photo next to each lacks of its likeness; of fewer photos nothing is known: 1."""
    lacks = np.ones(len(fine), np.float32)
    if len(fine) <= OTHERS + 1:
        return lacks
    for begin in range(0, len(fine), _ROWS):
        advance(0)
        likeness = fine[begin : begin + _ROWS] @ fine.T
        lacks[begin : begin + _ROWS] = 1 - np.partition(likeness, -OTHERS - 1, axis=1)[:, -OTHERS - 1]
    return lacks


def _candidates(
    copies: _Copies, aspects: Float32[np.ndarray, " image"], advance: Advance
) -> tuple[Int[np.ndarray, "pair 2"], _Rectangles, Bool[np.ndarray, " pair"]]:
    """Pairs to look at: which part of the first the second may be, and whether it is mirrored; each pair once."""
    coarse = spectra(copies, COARSE)
    found = []
    for rectangle in _rectangles():
        seen = coarse if rectangle == _WHOLE else spectra(_parts(copies, np.array([rectangle], np.float32)), COARSE)
        for mirror in (False, True):
            other = spectra(copies[:, :, ::-1], COARSE) if mirror else coarse
            for one, two, likeness in _products(seen, other, advance):
                fits = (one != two) & (np.abs(np.log(aspects[one] / aspects[two])) <= np.log(OTHER_SHAPE))
                if rectangle == _WHOLE:  # the same both ways round
                    fits &= one < two
                count = int(np.count_nonzero(fits))
                rows = np.tile(np.array([*rectangle, mirror], np.float32), (count, 1))
                found.append((np.stack([one[fits], two[fits]], axis=1), likeness[fits], rows))
    pairs, likeness, rows = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(-likeness, kind="stable")
    _, first = np.unique(np.sort(pairs[order], axis=1), axis=0, return_index=True)
    chosen = order[np.sort(first)[:_LOOKED_AT]]
    return pairs[chosen], rows[chosen, :4], rows[chosen, 4] > 0


def _rectangles() -> Iterator[tuple[float, float, float, float]]:
    """Parts of a photo: all of it, and what is left in nine places when it is cropped."""
    yield _WHOLE
    starts = [(1 - CROP) * part for part in (0.0, 0.5, 1.0)]
    for left in starts:
        for top in starts:
            yield left, left + CROP, top, top + CROP


def _products(
    one: _Spectra, two: _Spectra, advance: Advance
) -> Iterator[tuple[Int[np.ndarray, " pair"], Int[np.ndarray, " pair"], Float32[np.ndarray, " pair"]]]:
    """Rows of both that are alike by `MAYBE`, the most alike ones of each row, and how much."""
    for begin in range(0, len(one), _ROWS):
        advance(0)
        likeness = one[begin : begin + _ROWS] @ two.T
        rows, columns = np.nonzero(likeness >= MAYBE)
        alike = likeness[rows, columns]
        order = np.lexsort((-alike, rows))
        rows, columns, alike = rows[order], columns[order], alike[order]
        rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
        few = rank <= _EACH  # one more, since a row is alike itself
        yield rows[few] + begin, columns[few], alike[few]


def _parts(copies: _Copies, rectangles: _Rectangles) -> Float32[np.ndarray, "image 32 32"]:
    """What lies in a rectangle of each copy, as large as the copy; one rectangle may stand for all."""
    left, right, top, bottom = rectangles.T
    across = _between(copies.astype(np.float32).transpose(0, 2, 1), left, right).transpose(0, 2, 1)
    return _between(across, top, bottom)


def _between(
    copies: Float32[np.ndarray, "image 32 32"], start: Float32[np.ndarray, " pair"], end: Float32[np.ndarray, " pair"]
) -> Float32[np.ndarray, "image 32 32"]:
    """Rows from `start` to `end`, parts of the height, interpolated."""
    place = start[:, None] * SIDE + (np.arange(SIDE) + 0.5) * (end - start)[:, None] - 0.5
    place = np.clip(place, 0, SIDE - 1)
    below = np.minimum(place.astype(np.int64), SIDE - 2)
    share = (place - below)[:, :, None].astype(np.float32)
    image = np.arange(len(copies))[:, None]
    between: Float32[np.ndarray, "image 32 32"] = copies[image, below] * (1 - share) + copies[image, below + 1] * share
    return between


def _best_part(
    one: _Copies, two: _Copies, starts: _Rectangles
) -> tuple[Float32[np.ndarray, " pair"], Float32[np.ndarray, "pair 32 32"]]:
    """Likeness of each second copy to the part of the first that it is most like, near where the search starts."""
    other, rectangles = spectra(two, FINE), starts.copy()
    best = (spectra(_parts(one, rectangles), FINE) * other).sum(axis=1)
    for step in _STEPS:
        for edge in range(4):
            for move in (-step, step):
                tried = rectangles.copy()
                tried[:, edge] = np.clip(tried[:, edge] + move, 0, 1)
                likeness = (spectra(_parts(one, tried), FINE) * other).sum(axis=1)
                better = likeness > best
                rectangles[better], best[better] = tried[better], likeness[better]
    return np.asarray(best, np.float32), _parts(one, rectangles)
