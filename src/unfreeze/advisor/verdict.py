"""The answer of a run: which differences are asked about, and the sentences that say what came of them.

Pure functions of records, so that a verdict can be written again without a network or an image. Nothing is called
better or worse unless the interval of the paired difference excludes zero.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Int

from unfreeze.core.records import Comparison, DepthPoint, Interval, Outcome
from unfreeze.metrics.comparison import disagreements, paired_difference
from unfreeze.metrics.intervals import wilson

SOFTMAX_ON_LAST = "softmax on the last codes"
SVM_ON_LAST = "svm on the last codes"

CAVEAT = (
    "The variance over training sets is not in these intervals: they hold for these trained models on images like "
    "these test images."
)

_SMALL_TEST = 100  # images; an accuracy of 90 % then has an interval 12 points wide
_TYPICAL_ACCURACY = 0.9  # for that note where nothing was measured


def compare(
    first: Outcome,
    second: Outcome,
    labels: Int[np.ndarray, " image"] | Sequence[int],
    groups: Sequence[str] | None,
    *,
    seed: int,
) -> Comparison:
    """Compare two strategies on the same test images.

    Args:
        first: What is compared against; measured.
        second: What is asked about; measured.
        labels: Class index of every test image.
        groups: Group of every test image, "" where there is none; or None.
        seed: Of the bootstrap.

    Returns:
        Second minus first; "better" or "worse" only if the interval excludes zero.
    """
    truth = np.asarray(labels)
    ours, theirs = np.asarray(first.predictions), np.asarray(second.predictions)
    difference, interval = paired_difference(ours == truth, theirs == truth, groups, seed=seed)
    answer: Literal["better", "worse", "cannot tell"] = (
        "better" if interval.low > 0 else "worse" if interval.high < 0 else "cannot tell"
    )
    return Comparison(
        first=first.name,
        second=second.name,
        difference=difference,
        interval=interval,
        disagreements=disagreements(ours, theirs),
        answer=answer,
    )


def comparisons_for(
    outcomes: Sequence[Outcome],
    labels: Int[np.ndarray, " image"] | Sequence[int],
    groups: Sequence[str] | None,
    *,
    seed: int,
) -> tuple[Comparison, ...]:
    """The differences that a verdict speaks of, as far as both sides were measured.

    Head against the softmax on the last codes; unfreezing and the whole network against the head and each other; the
    probe at the best tap (by cross-validation on the train part) against the same probe on the last codes and against
    what could be delivered; SVM against softmax; pretrained against random weights.

    Args:
        outcomes: What was measured.
        labels: Class index of every test image.
        groups: Group of every test image, "" where there is none; or None.
        seed: Of the bootstrap.

    Returns:
        One comparison per pair, in the order of the verdict.
    """
    pairs = {(first.name, second.name): (first, second) for first, second in _pairs(outcomes)}
    return tuple(compare(first, second, labels, groups, seed=seed) for first, second in pairs.values())


def _pairs(outcomes: Sequence[Outcome]) -> Iterable[tuple[Outcome, Outcome]]:
    measured = [outcome for outcome in outcomes if outcome.measured]
    heads, unfrozen, whole, scratch = (_of_kind(measured, kind) for kind in ("head", "unfreeze", "full", "scratch"))
    on_last = [outcome for outcome in measured if outcome.name == SOFTMAX_ON_LAST]
    svm_on_last = [outcome for outcome in measured if outcome.name == SVM_ON_LAST]
    best = best_probe(measured)
    for firsts, seconds in (
        (heads, [*unfrozen, *whole]),
        (unfrozen, whole),
        (on_last, heads),
        (on_last, svm_on_last),
        (scratch, whole),
    ):
        yield from ((first, second) for first in firsts for second in seconds)
    if best is None or _is_on_last(best):
        return
    yield from ((other, best) for other in [*on_last, *svm_on_last, *heads, *unfrozen, *whole, *scratch])


def pairs(outcomes):
    return tuple({(a.name, b.name): (a, b) for a, b in _pairs(outcomes)}.values())


def best_probe(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The probe at the tap that cross-validation on the train part likes best; the test part does not choose.

    Args:
        outcomes: What was measured.

    Returns:
        A softmax where there is one, since an SVM at another tap would answer two questions at once; None if no probe
        was measured. Of equals the one on the last codes, then the one that comes last.
    """
    probes = [o for o in outcomes if o.kind == "probe" and o.measured and True]
    candidates = [probe for probe in probes if _loss_of(probe) == "softmax"] or probes
    ranked = [(0, _is_on_last(probe), place) for place, probe in enumerate(candidates)]
    return candidates[max(ranked)[2]] if ranked else None


def verdict(
    outcomes: Sequence[Outcome],
    comparisons: Sequence[Comparison],
    *,
    picked: Outcome | None,
    depth_curve: Sequence[DepthPoint],
    test_size: int,
    interrupted: bool,
) -> tuple[str, ...]:
    """The answers of a run, in sentences that a person can act on.

    In this order: is step one (the head alone) enough; is it any different from the feature extractor; do earlier
    layers' codes do better; which strategy to use; what was left out; and what the intervals do not hold.

    Args:
        outcomes: What each strategy gave.
        comparisons: From `comparisons_for`.
        picked: The strategy that was chosen on the train part; None if nothing was finished.
        depth_curve: Probes at every tap, shallow to deep.
        test_size: Number of test images.
        interrupted: Whether the user stopped the run.

    Returns:
        The sentences.
    """
    return (
        *_on_step_one(outcomes, comparisons, test_size),
        *_on_feature_extractor(outcomes, comparisons, test_size),
        *_on_depth(outcomes, comparisons, depth_curve),
        *_on_scratch(outcomes, comparisons),
        *_on_choice(outcomes, comparisons, picked),
        *_on_gaps(outcomes, interrupted=interrupted),
        *_on_test_size(picked, test_size),
        CAVEAT,
    )


def _on_step_one(outcomes: Sequence[Outcome], comparisons: Sequence[Comparison], test_size: int) -> Iterable[str]:
    head = _first(_of_kind(outcomes, "head"))
    further = [*_of_kind(outcomes, "unfreeze"), *_of_kind(outcomes, "full")]
    found = [(o, c) for o in further if head and (c := _between(comparisons, head, o)) is not None]
    if not found:
        missing = "the head alone was not measured" if head is None or not head.measured else "nothing more was trained"
        yield f"Whether step one (the head alone) is enough here was not measured: {missing}."
        return
    answers = {comparison.answer for _, comparison in found}
    if "better" in answers:
        yield "Step one (the head alone) is not enough here: training more than the head gains accuracy."
    elif answers == {"worse"}:
        yield "Step one (the head alone) is enough here: training more than the head loses accuracy."
    else:
        ceiling = _points(max(comparison.interval.high for _, comparison in found), sign="")
        limit = "and a gain is unlikely" if ceiling == "0.0" else f"and a gain above {ceiling} points is unlikely"
        yield (
            "Cannot tell whether step one (the head alone) is enough here: no gain from training more was shown, "
            f"{limit}."
        )
    for outcome, comparison in found:
        yield f"{_capital(_called(outcome))}, against the head alone: {_said(comparison)}, on {test_size} test images."
    for second in _of_kind(outcomes, "full"):
        for first in _of_kind(outcomes, "unfreeze"):
            if between := _between(comparisons, first, second):
                yield f"{_capital(_called(second))}, against {_called(first)}: {_said(between)}."


def _on_feature_extractor(
    outcomes: Sequence[Outcome], comparisons: Sequence[Comparison], test_size: int
) -> Iterable[str]:
    head, extractor = _first(_of_kind(outcomes, "head")), _named(outcomes, SOFTMAX_ON_LAST)
    between = _between(comparisons, extractor, head)
    if between is None or head is None or extractor is None:
        yield (
            "Whether step one is any different from the feature extractor (softmax on the last codes) was not "
            "measured: one of the two is missing."
        )
    else:
        # One test image in a hundred (at least two) comes from rounding and early stopping alone.
        same = between.disagreements <= max(2, test_size / 100)
        opening = "Step one is no different from" if same else "Step one is not the same as"
        yield (
            f"{opening} the feature extractor (softmax on the last codes): they disagree on {between.disagreements} of "
            f"{test_size} test images; accuracies {_percent(head.accuracy)} and {_percent(extractor.accuracy)}"
            + ("." if same else f"; the head against the softmax: {_said(between)}.")
        )
    svm = _between(comparisons, extractor, _named(outcomes, SVM_ON_LAST))
    if svm is not None and svm.answer != "cannot tell":
        yield f"A linear SVM instead of the softmax on the last codes: {_said(svm)}."


def _on_depth(
    outcomes: Sequence[Outcome], comparisons: Sequence[Comparison], depth_curve: Sequence[DepthPoint]
) -> Iterable[str]:
    best = best_probe(outcomes)
    if best is None or len({point.tap for point in depth_curve}) < 2:
        yield "Whether earlier layers do better than the last codes was not measured."
        return
    if _is_on_last(best) or best.tap == depth_curve[-1].tap:
        yield (
            "Earlier layers do not do better here: of all layers, cross-validation on the training part likes the last "
            "codes best."
        )
        return
    last = _named(outcomes, SOFTMAX_ON_LAST if _loss_of(best) == "softmax" else SVM_ON_LAST)
    between = _between(comparisons, last, best)
    if between is None or last is None:
        yield f"Cross-validation likes the codes of {best.tap} best, but nothing on the last codes compares with them."
        return
    opening = {
        "better": "Earlier layers do better here",
        "worse": "Earlier layers do worse here, although cross-validation likes one best",
        "cannot tell": "Cannot tell whether earlier layers do better here",
    }[between.answer]
    rule = "; the rule of thumb for images unlike the source holds" if between.answer == "better" else ""
    yield (
        f"{opening}: {best.name} {_percent(best.accuracy)}, {last.name} {_percent(last.accuracy)}, "
        f"{_said(between)}{rule}."
    )


def _on_scratch(outcomes: Sequence[Outcome], comparisons: Sequence[Comparison]) -> Iterable[str]:
    scratch, whole = _first(_of_kind(outcomes, "scratch")), _first(_of_kind(outcomes, "full"))
    if between := _between(comparisons, scratch, whole):
        yield f"Starting the whole network from the pretrained weights instead of random ones: {_said(between)}."


def _on_choice(outcomes: Sequence[Outcome], comparisons: Sequence[Comparison], picked: Outcome | None) -> Iterable[str]:
    if picked is None:
        yield "No strategy was finished, so none can be recommended; run again with a larger budget."
        return
    chosen = "It was chosen on the training part"
    if picked.selection_accuracy is not None and picked.selection_folds:
        chosen = f"It was chosen on held-out folds of the training part ({_percent(picked.selection_accuracy)} there)"
    reached = "it was not measured on the test images"
    if picked.accuracy is not None:
        interval = f" (95 % interval {_range(picked.interval, sign='')})" if picked.interval else ""
        reached = f"on the test images it reaches {_percent(picked.accuracy)}{interval}"
    words = "" if picked.kind == "probe" else f" ({_called(picked)})"
    yield f"Use {picked.name}{words}. {chosen}; {reached}; it took {_duration(picked.seconds)}."
    for outcome in outcomes:
        between = _between(comparisons, picked, outcome)
        if outcome.kind == "probe" and not outcome.deliverable and between and between.answer == "better":
            yield (
                f"{_capital(outcome.name)} measured better than that: {_said(between)}. It is not delivered as the "
                f"model, because it needs the network cut off at {outcome.tap}."
            )


def _on_gaps(outcomes: Sequence[Outcome], *, interrupted: bool) -> Iterable[str]:
    if interrupted:
        yield "The run was interrupted; this verdict rests on what was finished until then."
    for outcome in outcomes:
        if outcome.status != "done":
            reason = f": {outcome.note.rstrip('.')}" if outcome.note else ""
            yield f"{_capital(_called(outcome))} was {outcome.status}{reason}."


def _on_test_size(picked: Outcome | None, test_size: int) -> Iterable[str]:
    if test_size == 0:
        yield "There are no test images, so nothing here is measured."
    elif test_size < _SMALL_TEST:
        accuracy = picked.accuracy if picked is not None and picked.accuracy is not None else _TYPICAL_ACCURACY
        interval = wilson(accuracy * test_size, test_size)
        yield (
            f"The test part is small: with {test_size} images the interval of an accuracy spans about "
            f"{100 * (interval.high - interval.low):.0f} points, and small differences cannot be seen."
        )


def _of_kind(outcomes: Iterable[Outcome], kind: str) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.kind == kind]


def _named(outcomes: Iterable[Outcome], name: str) -> Outcome | None:
    return _first([outcome for outcome in outcomes if outcome.name == name])


def _first(outcomes: Sequence[Outcome]) -> Outcome | None:
    return outcomes[0] if outcomes else None


def _between(comparisons: Iterable[Comparison], first: Outcome | None, second: Outcome | None) -> Comparison | None:
    if first is None or second is None:
        return None
    return next((c for c in comparisons if (c.first, c.second) == (first.name, second.name)), None)


def _is_on_last(outcome: Outcome) -> bool:
    return outcome.name in {SOFTMAX_ON_LAST, SVM_ON_LAST}


def _loss_of(probe: Outcome) -> str:
    return probe.name.split(" ", 1)[0]


def _called(outcome: Outcome) -> str:
    """The strategy as part of a sentence."""
    if outcome.kind == "unfreeze":
        return "unfreezing the last block" if outcome.blocks == 1 else f"unfreezing the last {outcome.blocks} blocks"
    in_words = {"head": "the head alone", "full": "fine-tuning the whole network", "scratch": "training from scratch"}
    return in_words.get(outcome.kind, f"the {outcome.name}")


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _said(comparison: Comparison) -> str:
    return (
        f"{comparison.answer} ({_points(comparison.difference)} points, "
        f"95 % interval {_range(comparison.interval, sign='+')})"
    )


def _points(fraction: float, sign: str = "+") -> str:
    """Percentage points with one decimal; a zero has no minus sign."""
    return f"{round(100 * fraction, 1) + 0.0:{sign}.1f}"


def _range(interval: Interval, *, sign: str) -> str:
    return f"{_points(interval.low, sign)} to {_points(interval.high, sign)}"


def _percent(fraction: float | None) -> str:
    return "not measured" if fraction is None else f"{100 * fraction:.1f} %"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} seconds" if seconds >= 1 else "less than a second"
    return f"{seconds / 60:.0f} minutes"
