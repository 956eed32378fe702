"""What was measured before any training, in sentences."""

from unfreeze.core.facts import Facts
from unfreeze.core.run_record import RunRecord
from unfreeze.core.wording import count, percent, points

_ALIKE, _UNALIKE = 0.5, 0.25  # of a similarity of 0 to 1; the first as in `advisor/rules.py`


def fact_sentences(record: RunRecord) -> tuple[str, ...]:
    """Numbers, sizes, groups, likeness to the source, and depth: five sentences.

    Args:
        record: Of a run.

    Returns:
        The sentences; what was not measured has one that says so.
    """
    facts = record.facts
    return (
        _on_numbers(facts),
        _on_sizes(facts, record.network.size),
        _on_groups(facts),
        _on_likeness(facts),
        _on_depth(facts),
    )


def _on_numbers(facts: Facts) -> str:
    balance = "strongly unequal" if facts.is_imbalanced else "not strongly unequal"
    return (
        f"There are {count(facts.images, 'photo')} of {count(facts.classes, 'class')} to learn from; the smallest "
        f"class has {facts.smallest_class:,}, the largest {facts.largest_class:,}, which is {balance}."
    )


def _on_sizes(facts: Facts, size: int) -> str:
    small = facts.small_images
    upscaled = "none has to be upscaled" if not small else f"{percent(small)} of them have to be upscaled"
    return (
        f"The shorter side of a photo is {facts.median_side:,.0f} pixels (median); the network takes {size:,}, and "
        f"{upscaled}."
    )


def _on_groups(facts: Facts) -> str:
    if facts.groups is None:
        return "No groups were named, so every photo counts as independent of the others."
    return f"They come in {count(facts.groups, 'group')}, each of which lies whole on one side of every split."


def _on_likeness(facts: Facts) -> str:
    found = facts.similarity
    if found.value is None:
        return f"How like the network's own photos they are was not measured: {found.because or 'unknown'}."
    how = "much like" if found.value >= _ALIKE else "little like" if found.value >= _UNALIKE else "quite unlike"
    return f"To the network they look {how} the photos that it was trained on (similarity {found.value:.2f} of 1)."


def _on_depth(facts: Facts) -> str:
    if facts.peak_tap is None or facts.probe_accuracy is None or facts.peak_gain is None:
        return "Which layer serves a linear classifier best was not measured."
    if facts.peak_gain <= 0:
        return f"The last layer serves a linear classifier best: {percent(facts.probe_accuracy)} in cross-validation."
    return (
        f"The layer {facts.peak_tap} serves a linear classifier best in cross-validation, {points(facts.peak_gain)} "
        f"above the last layer ({percent(facts.probe_accuracy)})."
    )
