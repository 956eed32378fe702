"""Parts of sentences that the verdict, the progress of a run and its report share."""

import math

from unfreeze.core.documents import CompareRecord
from unfreeze.core.records import Abstaining, Answer, Calibration, Comparison, FolderStep, Interval, Settling, Winner
from unfreeze.core.settings import Metric
from unfreeze.core.wording import (
    MOST,
    amount,
    count,
    difference_span,
    nats,
    of_hundred,
    percent,
    probability,
    score,
    score_span,
)

CAVEAT = "Another set of training images would give another model: that is not in this interval."
CAVEAT_OF_SEVERAL = "Another set of training images would give other models: that is not in these intervals."

# The mark of a strategy that was tested on part of the images, and what it says.
ON_PART_MARK = "†"
ON_PART = (
    f"{ON_PART_MARK} Tested on part of the images only, so that its scores do not compare with the others'; steps "
    "compare two strategies on the splits that both have."
)

_ROOM = 1.15  # a budget is kept from both ends: for what it takes to conclude, and for a machine that is a bit slower


def on_folder(step: FolderStep, metric: Metric) -> str:
    """What two trained strategies differ by on the user's own test folder, in a sentence."""
    seeds = f", mean of {step.seeds} seeds" if step.seeds > 1 else ""
    unknown = "; of one seed, whose variance is not in it" if step.seeds_differ and step.seeds == 1 else ""
    gain = round(step.difference, 3)
    how = f"{amount(abs(gain), metric)} {'better than' if gain > 0 else 'worse than'}" if gain else "as good as"
    return (
        f"There {step.second.label} is {how} {step.first.label}{seeds} "
        f"(95 % interval of the difference {difference_span(step.interval, metric)}{unknown})."
    )


def best_score(opening: str, winner: Winner, metric: Metric, *, splits: int) -> str:
    """Whose score is the best, and what is left of it without the luck of having been picked for it: a sentence.

    Args:
        opening: Subject and verb.
        winner: The best.
        metric: What decides.
        splits: How many the run has.

    Returns:
        The sentence.
    """
    shared = "the only split" if splits == 1 else "the splits that all of them have"
    return (
        f"{opening} the best score of {winner.among} strategies, {score(winner.naive, metric)} on {shared}; corrected "
        f"for having been picked as the best, {score(winner.corrected, metric)} (95 % interval "
        f"{score_span(winner.interval, metric)})."
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
        The probability of a definite answer; empty for any other.

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
    return ""


def budget_for(seconds: float) -> str:
    """The option that gives a run so many seconds, and some room: ``--budget 6m``."""
    return f"--budget {math.ceil(_ROOM * seconds / 60)}m"


def settled_by(settling: Settling, run_seconds: float) -> str:
    """What would settle a step that cannot be told: half a sentence.

    Args:
        settling: What would.
        run_seconds: What the run took.

    Returns:
        The half, with the budget that would hold more splits.

    Example:
        >>> settled_by(Settling(kind="splits", splits=10, seconds=90.0), 200.0)
        '10 common splits of the same images would probably settle it (--budget 6m)'
    """
    budget = budget_for(run_seconds + (settling.seconds or 0.0))
    return {
        "splits": f"{settling.splits} common splits of the same images would probably settle it ({budget})",
        "images": f"about {settling.low or 0:,} to {settling.high or 0:,} more images would probably settle it",
        "beyond": "neither more splits nor four times your data would probably settle it",
        "dropped": "one of the two was dropped and is not measured further",
        "few": f"too few common splits to tell: more need {budget}",
    }[settling.kind]


def agreement(comparison: Comparison, metric: Metric, images: int) -> str:
    """How nearly two strategies predict the same, and how far apart they can be at most.

    Args:
        comparison: Of the two.
        metric: What decides.
        images: That splits are made of: one round predicts each of them once.

    Returns:
        A clause.
    """
    differ, tested = comparison.disagreements, comparison.predictions
    what = "images" if tested <= images else "predictions"
    most = round(min(max(comparison.interval.high, -comparison.interval.low), MOST[metric]), 3)
    but = f"all but {differ:,} of {tested:,}" if differ else f"all {tested:,}"
    return f"they agree on {but} {what}: at most {amount(most, metric)} either way"


def not_ruled_out(interval: Interval, metric: Metric) -> str:
    """The largest gain and loss that an interval leaves, as far as it leaves any and a difference can reach.

    Example:
        >>> not_ruled_out(Interval(-0.011, 0.073), "accuracy")
        'a gain of up to 7.3 points or a loss of up to 1.1 points is not ruled out'
    """
    gain, loss = (round(min(end, MOST[metric]), 3) for end in (interval.high, -interval.low))
    left = [f"a gain of up to {amount(gain, metric)}"] if gain > 0 else []
    left += [f"a loss of up to {amount(loss, metric)}"] if loss > 0 else []
    return f"{' or '.join(left)} is not ruled out" if left else ""


def calibrated(found: Calibration) -> str:
    """What one temperature does to probabilities, and whether the delivered model has it: sentences."""
    before, after = found.before, found.after
    moved = (
        f"on {count(found.images, 'held-out image')} the log-loss goes from {nats(before.log_loss)} to "
        f"{nats(after.log_loss)} nats and the mean gap between how sure and how often right from "
        f"{percent(before.error)} to {percent(after.error)}"
    )
    if not found.applied:
        return f"The probabilities are as trained, since a temperature does not mend them: {moved}."
    lean = "too sure of itself" if found.temperature > 1 else "not sure enough"
    return (
        f"As trained the model is {lean}: its scores are divided by a temperature of {found.temperature:.2f}, in the "
        f"weights of its head, which changes no label: {moved} (each image with a temperature that others gave)."
    )


def answering(found: Abstaining, images: int) -> str:
    """What is answered, and how well, by a model that leaves open what it is less sure of: a sentence.

    Args:
        found: The probability, and what is answered from it on.
        images: How many there were.
    """
    part, opening = found.answered, f"Asked to answer only when at least {100 * found.below:g} % sure, it answers"
    if part.accuracy is None:
        return f"{opening} no photo."
    share = of_hundred(part.images / images)
    return f"{opening} {share} of 100 photos and {of_hundred(part.accuracy)} of 100 of those answers are right."


def looked_at(test_looks: int) -> str:
    """How often the user's own test folder was looked at in a run directory: a sentence, empty for a first look."""
    if test_looks <= 1:
        return ""
    return (
        f"{test_looks} runs in this directory, this one included, have looked at the folder: whoever keeps the best of "
        "them has chosen on it."
    )


def compared_on(record: CompareRecord) -> str:
    """What the comparison of two runs rests on: a sentence."""
    gone = f", {count(record.relabelled, 'image')} of another class left out" if record.relabelled else ""
    splits = "the same splits" if record.same_splits else "splits that differ"
    return (
        f"Compared in {record.metric} on {count(record.images, 'common image')}{gone}, on {splits}; with a minus the "
        "second run is the worse one."
    )
