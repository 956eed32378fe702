"""Which of several networks, or sizes of the input, is raced: decided from the scores of probes alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from unfreeze.core.findings import Finding, finding
from unfreeze.core.records import Screened
from unfreeze.core.settings import Metric
from unfreeze.core.wording import difference, measured_score, milliseconds
from unfreeze.metrics.repeated import Tested, compare_folds, mean_score

SMALL_PHOTOS = 0.5  # of the input's side: photos this small may not gain from being upscaled


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """A candidate and what its probe gave on each split.

    Attributes:
        row: What is known of it.
        values: For each common split a value per test image (`metrics.repeated.outcome_values`), larger being better;
            empty if it was left out.
    """

    row: Screened
    values: Sequence[Float[np.ndarray, " image"]] = ()


def choose(
    found: Sequence[Scores],
    tested: Tested,
    *,
    largest: float = 1.0,
) -> tuple[int, tuple[Screened, ...]]:
    """The cheapest candidate within one standard error of the best, on common splits.

    The standard error is that of the paired difference; the rule is that of Breiman et al. (1984), with time an image
    in place of the size of a tree.

    Args:
        found: At least one with values, on the same two or more splits.
        tested: What the splits tested.
        largest: Difference that one image can make (`metrics.repeated.largest_outcome`).

    Returns:
        Place of the choice in `found`; and a row per candidate with score, difference to the best and the choice.
    """
    measured = [place for place, one in enumerate(found) if one.values]
    means = {place: mean_score(found[place].values, tested) for place in measured}
    best = max(measured, key=lambda place: (means[place], -found[place].row.seconds_an_image))
    biggest = max(range(len(found)), key=lambda place: (found[place].row.parameters, found[place].row.size))
    rows, eligible = [one.row for one in found], []
    for place in measured:
        step = compare_folds(found[best].values, found[place].values, tested, margin=0.0, largest=largest)
        assert step.standard_error is not None  # noqa: S101 - there are two splits at least
        error = 0.0 if place == best else step.standard_error
        rows[place] = replace(
            rows[place], splits=step.splits, score=means[place], difference=step.difference, standard_error=error
        )
        if step.difference >= -error:
            eligible.append(place)
    picked = min(eligible, key=lambda place: (rows[place].seconds_an_image, -means[place]))
    rows[picked] = replace(rows[picked], picked=True)
    rows[biggest] = replace(rows[biggest], largest=True)
    return picked, tuple(rows)


def screening_sentence(rows: Sequence[Screened], metric: Metric) -> str:
    """What was chosen and why, beside the static rule, for the story of the race.

    Args:
        rows: From `choose`.
        metric: What decides.

    Returns:
        A few sentences.
    """
    picked = next(row for row in rows if row.picked)
    largest = next(row for row in rows if row.largest)
    measured = [row for row in rows if row.score is not None]
    best = max(measured, key=lambda row: (row.difference or 0.0, -row.seconds_an_image))
    said = f"Screened {len(measured)} candidates by a softmax on their last codes: {picked.name} is raced"
    said += f" ({measured_score(picked.score, metric)}, {milliseconds(picked.seconds_an_image)} per image)"
    if picked is best:
        said += ", which scored best."
    else:
        said += (
            f": the cheapest within one standard error of {best.name}"
            f" ({measured_score(best.score, metric)}, {milliseconds(best.seconds_an_image)} per image)."
        )
    if largest is picked:
        said += " The static rule, the largest network, would have taken the same."
    elif largest.score is None or picked.score is None:
        said += f" The static rule, the largest network, would have taken {largest.name}, which was left out."
    else:
        gap = difference(largest.score - picked.score, metric)
        said += f" The static rule, the largest network, would have taken {largest.name} ({gap})."
    if len(measured) > 1:
        said += f" {picked.name} was chosen on splits that also measure it, which flatters it a little."
    left_out = [f"{row.name} ({row.note})" for row in rows if row.note]
    return said + (f" Left out: {'; '.join(left_out)}." if left_out else "")


def size_finding(median_side: float, size: int) -> Finding | None:
    """That a smaller input may do, for small photos; None for others.

    Args:
        median_side: Of the photos' shorter sides, pixels.
        size: Side of the network's input, pixels.

    Returns:
        UF108, or nothing.

    Example:
        >>> size_finding(200, 224) is None
        True
    """
    if median_side > SMALL_PHOTOS * size:
        return None
    return finding(
        "UF108",
        f"Half of the photos are {median_side:g} pixels or less on their shorter side and are upscaled to {size}.",
        "--size auto measures whether a smaller input does as well, and may save time.",
    )
