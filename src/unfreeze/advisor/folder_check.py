"""Whether the user's own test folder and the splits say the same of the strategy that was picked."""

import math
from typing import Final

from unfreeze.core.findings import Finding, finding
from unfreeze.core.records import Interval, Outcome
from unfreeze.core.wording import percent, percent_range

CONTRADICTS: Final = "UF131"
_WIDER = 2.575829 / 1.959964  # half-widths of normal intervals: 99 % over 95 %

_WORSE = (
    "Trust the folder, not the splits. Either photos come in groups (of one thing, one place or one day) that lie on "
    "both sides of a split: name them in a column group of a list. Or the folder is from elsewhere than the photos "
    "that were learned from: add photos like its own."
)
_BETTER = (
    "Do not count on the folder. Either it holds photos of the same groups (of one thing, one place or one day) as "
    "the photos that were learned from: give whole groups to one part. Or it is from elsewhere, and easier."
)


def difference_of_two(first: tuple[float, Interval], second: tuple[float, Interval], wider: float = 1.0) -> Interval:
    """Interval of the second of two independent estimates less the first, from the interval of each.

    Args:
        first: Estimate and its interval.
        second: The same.
        wider: What half-widths are multiplied by, for another coverage than that of the two intervals.

    Returns:
        The interval; not symmetric where the others are not.

    Source:
        Method of variance estimates recovery: G. Y. Zou & A. Donner, Statistics in Medicine 27 (2008), eq. 4; for
        two proportions R. G. Newcombe, Statistics in Medicine 17 (1998), method 10.

    Example:
        >>> difference_of_two((0.5, Interval(0.25, 0.75)), (0.75, Interval(0.75, 0.75)))
        Interval(low=0.0, high=0.5)
    """
    (one, of_one), (two, of_two) = first, second
    below = math.hypot(two - of_two.low, of_one.high - one)
    above = math.hypot(of_two.high - two, one - of_one.low)
    return Interval(two - one - wider * below, two - one + wider * above)


def contradicting_folder(picked: Outcome | None, *, margin: float = 0.0) -> Finding | None:
    """That the accuracy on the user's own test folder is another one than on the held-out photos of the splits.

    The two are of different photos, so that they are compared as independent estimates. It is said at 99 %, since an
    alarm that is false in one run of twenty would soon be ignored, and for a difference beyond the margin.

    Args:
        picked: What was delivered, with its interval over splits and its confirmation.
        margin: Differences up to this do not matter; a fraction.

    Returns:
        UF131, with both numbers; None where they agree, or where one of them is missing.
    """
    if picked is None or picked.confirmation is None or picked.accuracy is None or picked.interval is None:
        return None
    found = picked.confirmation
    gain = difference_of_two((picked.accuracy, picked.interval), (found.accuracy, found.interval), _WIDER)
    if gain.low <= margin and gain.high >= -margin:
        return None
    sentence = (
        f"Your own test folder contradicts the splits: the model is right on {percent(found.accuracy)} of its photos "
        f"(95 % interval {percent_range(found.interval)}), where {percent(picked.accuracy)} were expected from "
        f"held-out photos ({percent_range(picked.interval)})."
    )
    return finding(CONTRADICTS, sentence, _BETTER if gain.low > margin else _WORSE)
