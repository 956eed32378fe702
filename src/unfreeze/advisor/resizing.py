"""Whether photos are cropped, squashed or padded to a square: decided from the scores of probes alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from unfreeze.core.records import ScreenedResize
from unfreeze.core.settings import Metric, ResizeWord
from unfreeze.core.wording import capital, difference, difference_span, duration, listed, nats, points
from unfreeze.metrics.repeated import Tested, Values, compare_folds, mean_score

# Longer over shorter side, from which a photo is not square: between a square with a ragged edge and 5:4, the shape
# nearest to a square that cameras take.
NOT_SQUARE = 1.15

_SHOWN: MappingProxyType[ResizeWord, str] = MappingProxyType(
    {
        "crop": "the centre crop",
        "squash": "the whole photo squeezed into the square",
        "pad": "the whole photo with a border",
    }
)


def middle_aspect(sizes: Sequence[tuple[int, int]]) -> float:
    """Longer over shorter side of the photo in the middle of all.

    Args:
        sizes: Width and height of every photo, pixels.

    Returns:
        1 or more.

    Example:
        >>> middle_aspect([(40, 40), (60, 40), (40, 90)])
        1.5
    """
    return float(np.median([max(size) / min(size) for size in sizes]))


def part_cut_away(aspect: float, *, size: int, resized: int) -> float:
    """The part of a photo's area that a centre crop does not show.

    Args:
        aspect: Longer over shorter side.
        size: Side of the crop, pixels.
        resized: Shorter side of the photo that it is cut from, pixels.

    Returns:
        A fraction.

    Example:
        >>> part_cut_away(4 / 3, size=224, resized=224)
        0.25
    """
    return 1 - size**2 / (resized**2 * aspect)


def choose_resize(
    values: Mapping[ResizeWord, Values], usual: ResizeWord, tested: Tested, *, largest: float = 1.0
) -> tuple[ScreenedResize, ...]:
    """The network's usual way, unless another one scores better by more than one standard error.

    It stays at the smaller ones, since weights were learned on photos that were resized like that. The standard error
    is that of the paired difference.

    Args:
        values: For each way, on each of two or more common splits, a value per test image
            (`metrics.repeated.outcome_values`), larger being better.
        usual: The network's own way; one of `values`.
        tested: What the splits tested.
        largest: Difference that one image can make (`metrics.repeated.largest_outcome`).

    Returns:
        A row for each, one of them picked; the usual way first.
    """
    rows = []
    for word in sorted(values, key=lambda word: word != usual):
        step = compare_folds(values[usual], values[word], tested, margin=0.0, largest=largest)
        same = word == usual
        rows.append(
            ScreenedResize(
                resize=word,
                splits=step.splits,
                score=mean_score(values[word], tested),
                difference=step.difference,
                interval=None if same else step.interval,
                standard_error=None if same else step.standard_error,
            )
        )
    better = [row for row in rows if row.standard_error is not None and row.difference > row.standard_error]
    picked = max(better, key=lambda row: row.difference, default=rows[0])
    return tuple(replace(row, picked=row is picked) for row in rows)


def resize_sentence(rows: Sequence[ScreenedResize], metric: Metric, *, cut_away: float) -> str:
    """What the usual way costs, and what is used.

    Args:
        rows: From `choose_resize`.
        metric: What decides.
        cut_away: Part of the middle photo that the crop does not show.

    Returns:
        A sentence or two.
    """
    usual, *others = rows
    picked = next(row for row in rows if row.picked)
    crop = _SHOWN[usual.resize].replace("the ", "the usual ", 1)
    if usual.resize == "crop":
        crop += f", which cuts {100 * cut_away:.0f} % of the middle photo away"
    if picked is not usual:
        assert picked.interval is not None  # noqa: S101 - the usual way alone has none
        gain = f"{nats(picked.difference)} nats" if metric == "log-loss" else points(picked.difference)
        span = difference_span(picked.interval, metric)
        return (
            f"{capital(_SHOWN[picked.resize])} is recognised {gain} better (95 % interval {span}) than {crop}: "
            f"{picked.resize} is used. It was chosen on splits that also measure it, which flatters it a little."
        )
    tried = listed([f"{row.resize} {difference(row.difference, metric)}" for row in others])
    return (
        f"{capital(crop)}, costs nothing that a probe can tell from chance ({tried}): {usual.resize} is used."
        if usual.resize == "crop"
        else f"{capital(crop)} is as good as any other way, as far as a probe can tell ({tried}): it is used."
    )


def not_screened(needed: float, allowed: float, usual: ResizeWord) -> str:
    """That there is no time to screen.

    Args:
        needed: Seconds that it would take.
        allowed: Seconds that it may take.
        usual: The way that is used then.

    Returns:
        A sentence.
    """
    others = " or ".join(f"--resize {word}" for word in _SHOWN if word != usual)
    return (
        f"The photos are not square, and whether {usual} costs anything was not measured: about {duration(needed)} are "
        f"needed, and {duration(allowed)} of the budget are for it. {others} can be tried."
    )
