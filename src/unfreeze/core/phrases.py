"""Parts of sentences that the verdict, the progress of a run and its report share."""

from unfreeze.core.records import Answer, FolderStep, Settling
from unfreeze.core.settings import Metric
from unfreeze.core.wording import difference, difference_span, probability


def on_folder(step: FolderStep, metric: Metric) -> str:
    """What two trained strategies differ by on the user's own test folder, in a sentence."""
    seeds = f", mean of {step.seeds} seeds" if step.seeds > 1 else ""
    unknown = "; of one seed, whose variance is not in it" if step.seeds_differ and step.seeds == 1 else ""
    return (
        f"There {step.second.label} less {step.first.label} is {difference(step.difference, metric)}{seeds} "
        f"(95 % interval {difference_span(step.interval, metric)}{unknown})."
    )


def probability_of(answer: Answer, worse: float, equivalent: float, better: float, margin: str) -> str:
    """The probabilities that an answer rests on.

    Args:
        answer: Which of the four.
        worse: Probability of a loss of more than the margin.
        equivalent: Probability of a difference within the margin.
        better: Probability of a gain of more than the margin.
        margin: From `amount`.

    Returns:
        For a definite answer its own probability, else all three.

    Example:
        >>> probability_of("worth it", 0.0, 0.01, 0.99, "1 point")
        'probability 99 % of more than 1 point'
    """
    if answer == "worth it":
        return f"probability {probability(better)} of more than {margin}"
    if answer == "equivalent":
        return f"probability {probability(equivalent)} of a difference within {margin}"
    if answer == "not worth it":
        return f"probability {probability(worse + equivalent)} of no gain above {margin}"
    return (
        f"probability {probability(better)} of more than {margin} better, {probability(equivalent)} of a difference "
        f"within it, {probability(worse)} of more than {margin} worse"
    )


def settled_by(settling: Settling) -> str:
    """What would settle a step that cannot be told: half a sentence."""
    return {
        "splits": "more splits of the same images would probably settle it: give a larger budget",
        "images": f"about {settling.low or 0:,} to {settling.high or 0:,} more images would probably settle it",
        "beyond": "not settled by four times your data",
        "dropped": "one of the two was dropped and is not measured further",
        "few": "fewer than five common splits say little: a larger budget gives more",
    }[settling.kind]


def not_proved(*, gain: bool, probability: bool) -> str:
    """What of a forecast was no better, when it was tested, than the mean of other sets.

    Args:
        gain: Whether the forecast of the gain was.
        probability: Whether the probability that it pays was.

    Returns:
        A clause; empty if both were better.

    Example:
        >>> not_proved(gain=True, probability=False)
        'in tests the probability was no better than the mean of other sets'
    """
    left = [name for name, proved in (("gain", gain), ("probability", probability)) if not proved]
    if not left:
        return ""
    verb = "was" if len(left) == 1 else "were"
    return f"in tests the {' and the '.join(left)} {verb} no better than the mean of other sets"


def looked_at(test_looks: int) -> str:
    """How often the user's own test folder has been looked at in a run directory, in a sentence."""
    if test_looks == 1:
        return "No other run in this directory has looked at the folder."
    return (
        f"{test_looks} runs in this directory, this one included, have looked at the folder: whoever keeps the best of "
        "them has chosen on it."
    )
