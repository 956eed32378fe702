"""How scores, differences, probabilities and what would settle them are written; verdict and report write them alike.

A score is a fraction (accuracies) or nats (log-loss), as in a run record. A difference of accuracies is written in
points (percentage points), one of log-loss in nats, with the sign that makes more better.
"""

import math

from unfreeze.core.records import Answer, FolderStep, Interval, Metric

# The largest difference that there can be; of few splits an interval reaches beyond it.
MOST: dict[Metric, float] = {"accuracy": 1.0, "balanced accuracy": 1.0, "log-loss": math.inf}
# Where an outcome keeps the score that a metric names.
SCORE_FIELD: dict[Metric, str] = {
    "accuracy": "accuracy",
    "balanced accuracy": "balanced_accuracy",
    "log-loss": "log_loss",
}


def score(value: float | None, metric: Metric) -> str:
    """A score as ``91.2 %`` or ``0.213 nats``."""
    if value is None:
        return "not measured"
    return f"{value:.3f} nats" if metric == "log-loss" else f"{100 * value:.1f} %"


def measured_score(value: float | None, metric: Metric) -> str:
    """As `score`, of a mean in which larger is better: a log-loss, which has its sign turned there, as a loss."""
    return score(-value if value is not None and metric == "log-loss" else value, metric)


def score_span(interval: Interval, metric: Metric) -> str:
    """The interval of a score as ``88.9 to 93.5`` (per cent or nats)."""
    if metric == "log-loss":
        return f"{interval.low:.3f} to {interval.high:.3f}"
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def difference(value: float, metric: Metric) -> str:
    """A difference as ``+4.2 points`` or ``+0.031 nats``."""
    return f"{_signed(value, metric)} {'nats' if metric == 'log-loss' else 'points'}"


def difference_span(interval: Interval, metric: Metric) -> str:
    """The interval of a difference as ``+1.1 to +7.3`` (points or nats), as far as a difference can reach."""
    most = MOST[metric]
    return f"{_signed(max(interval.low, -most), metric)} to {_signed(min(interval.high, most), metric)}"


def on_folder(step: FolderStep, metric: Metric) -> str:
    """What two trained strategies differ by on the user's own test folder, in a sentence."""
    seeds = f", mean of {step.seeds} seeds" if step.seeds > 1 else ""
    unknown = "; of one seed, whose variance is not in it" if step.seeds_differ and step.seeds == 1 else ""
    return (
        f"There {step.second} less {step.first} is {difference(step.difference, metric)}{seeds} "
        f"(95 % interval {difference_span(step.interval, metric)}{unknown})."
    )


def amount(value: float, metric: Metric) -> str:
    """A margin as ``1 point``, ``0.5 points`` or ``0.02 nats``."""
    if metric == "log-loss":
        return f"{value:g} nats"
    points = f"{100 * value:.6g}"
    return f"{points} point{'' if points == '1' else 's'}"


def probability(value: float) -> str:
    """A probability as ``98 %``; never as certain."""
    if value >= 0.995:
        return "over 99 %"
    return "under 1 %" if value < 0.01 else f"{100 * value:.0f} %"


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


def settled_by(kind: str, low: int | None, high: int | None) -> str:
    """What would settle a step that cannot be told.

    Args:
        kind: few, splits, images, beyond or dropped, as in `Settling`.
        low: Of images to add, the lower end of the range.
        high: Its upper end.

    Returns:
        Half a sentence.
    """
    if kind == "splits":
        return "more splits of the same images would probably settle it: give a larger budget"
    if kind == "images":
        return f"about {low:,} to {high:,} more images would probably settle it"
    if kind == "beyond":
        return "not settled by four times your data"
    if kind == "dropped":
        return "one of the two was dropped and is not measured further"
    return "fewer than five common splits say little: a larger budget gives more"


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


def _signed(value: float, metric: Metric) -> str:
    """With its sign; a zero has a plus, not a minus."""
    if metric == "log-loss":
        return f"{round(value, 3) + 0.0:+.3f}"
    return f"{round(100 * value, 1) + 0.0:+.1f}"
