"""The answer of a run: which steps are asked about, and the sentences that say what came of them.

Pure functions of records, so that a verdict can be written again without a network or an image. Answers, intervals and
probabilities are those of the comparisons; nothing is judged here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from unfreeze.advisor.phrases import (
    MOST,
    SCORE_FIELD,
    amount,
    difference,
    difference_span,
    on_folder,
    probability_of,
    score,
    score_span,
    settled_by,
)
from unfreeze.core.records import Comparison, DepthPoint, FolderStep, LearningCurves, Metric, Outcome, Winner
from unfreeze.metrics.repeated import FEWEST_FOR_PROBABILITIES

SOFTMAX_ON_LAST = "softmax on the last codes"
SVM_ON_LAST = "svm on the last codes"
SOFTMAX_ON_BEST = "softmax on the best tap"
SVM_ON_BEST = "svm on the best tap"

CAVEAT = "The variance over training sets is not in this interval."

LATE = 1.2  # times its budget: a run ends within that, as a rule


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """What every sentence about a step is written in."""

    metric: Metric
    margin: float
    splits: int

    @property
    def margin_in_words(self) -> str:
        return amount(self.margin, self.metric)

    def score(self, outcome: Outcome) -> str:
        return score(getattr(outcome, SCORE_FIELD[self.metric]), self.metric)


def pairs(outcomes: Sequence[Outcome]) -> tuple[tuple[Outcome, Outcome], ...]:
    """The steps that a verdict speaks of, as far as both sides were measured.

    The head against the softmax on the last codes; each deeper strategy against the head; each deeper one against the
    next shallower one; SVM against softmax; pretrained against random weights; the probes at the best tap against the
    same probes on the last codes, and one of them (the softmax where there is one, since an SVM at another tap would
    answer two questions at once) against everything else that was measured.

    An SVM has no log-loss: where that decides, its pairs cannot be compared and have to be passed over.

    Args:
        outcomes: What was measured.

    Returns:
        Each pair once: what is compared against, and what is asked about.
    """
    measured = [outcome for outcome in outcomes if outcome.measured]
    found = {(first.name, second.name): (first, second) for first, second in _pairs(measured)}
    return tuple(found.values())


def _pairs(measured: Sequence[Outcome]) -> Iterable[tuple[Outcome, Outcome]]:
    heads, scratch, whole = (_of_kind(measured, kind) for kind in ("head", "scratch", "full"))
    deeper = _deeper(measured)
    softmax, svm = ([o for o in measured if o.name == name] for name in (SOFTMAX_ON_LAST, SVM_ON_LAST))
    for firsts, seconds in ((softmax, heads), (heads, deeper)):
        yield from ((first, second) for first in firsts for second in seconds)
    yield from pairwise(deeper)
    for firsts, seconds in (
        (softmax, svm),
        (scratch, whole),
        (softmax, [o for o in measured if o.name == SOFTMAX_ON_BEST]),
        (svm, [o for o in measured if o.name == SVM_ON_BEST]),
    ):
        yield from ((first, second) for first in firsts for second in seconds)
    best = best_probe(measured)
    if best is not None:
        yield from ((other, best) for other in [*softmax, *svm, *heads, *deeper, *scratch])


def best_probe(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The probe whose tap was chosen: the softmax where it was measured, else the SVM; None if neither was."""
    measured = [outcome for outcome in outcomes if outcome.measured]
    return _named(measured, SOFTMAX_ON_BEST) or _named(measured, SVM_ON_BEST)


def verdict(
    outcomes: Sequence[Outcome],
    comparisons: Sequence[Comparison],
    *,
    picked: Outcome | None,
    winner: Winner | None,
    depth_curve: Sequence[DepthPoint],
    metric: Metric,
    margin: float,
    train_size: int,
    splits: int,
    test_size: int,
    rule: Mapping[str, Any],
    interrupted: bool,
    delivered: bool = True,
    test_looks: int = 0,
    folder_step: FolderStep | None = None,
    learning_curve: LearningCurves | None = None,
    overrun: str = "",
) -> tuple[str, ...]:
    """The answers of a run, in sentences that a person can act on.

    In this order: is step one (the head alone) enough; is it any different from the feature extractor; do earlier
    layers' codes do better; which strategy to use; what the user's own test folder confirms; the rule of thumb; what
    more images are expected to give; what was left out; and what is estimated.

    Args:
        outcomes: What each strategy gave.
        comparisons: The steps that were compared, of those that `pairs` names.
        picked: The strategy that was chosen; None if nothing was finished.
        winner: The best score with and without its optimism; None below two strategies.
        depth_curve: Probes at every tap, shallow to deep.
        metric: What decides.
        margin: Differences up to this do not matter; a fraction, or nats.
        train_size: Number of images that splits are made of.
        splits: The largest number of splits that a strategy was measured on.
        test_size: Number of images of the user's own test folder; 0 without one.
        rule: What the rule of thumb said and whether it held, with a ``sentence``; empty if none applies.
        interrupted: Whether the user stopped the run.
        delivered: Whether what was picked was trained on everything and saved.
        test_looks: How many runs in this directory have looked at that folder, this one included; 0 if not known.
        folder_step: What was delivered against the feature extractor on that folder; None if it was not compared.
        learning_curve: Scores by number of training images; None without.
        overrun: What `on_overrun` says.

    Returns:
        The sentences.
    """
    terms = _Terms(metric=metric, margin=margin, splits=splits)
    return (
        *_on_step_one(outcomes, comparisons, terms),
        *_on_feature_extractor(outcomes, comparisons, terms),
        *_on_depth(outcomes, comparisons, depth_curve, terms),
        *_on_scratch(outcomes, comparisons, terms),
        *_on_choice(picked, terms),
        *_on_winner(picked, winner, terms),
        *_on_delivery(picked, train_size, delivered=delivered),
        *_on_cut_off_networks(outcomes, comparisons, picked, terms),
        *_on_test_folder(picked, test_size, test_looks, folder_step, terms),
        *([str(rule["sentence"])] if rule else []),
        *_on_more_images(outcomes, learning_curve),
        *_on_gaps(outcomes, interrupted=interrupted),
        *filter(None, [overrun]),
        *_on_estimate(outcomes, train_size, terms),
    )


def _on_step_one(outcomes: Sequence[Outcome], comparisons: Sequence[Comparison], terms: _Terms) -> Iterable[str]:
    head, deeper = _first(_of_kind(outcomes, "head")), _deeper(outcomes)
    found = [(o, c) for o in deeper if head and (c := _between(comparisons, head, o)) is not None]
    if head is None or not found:
        missing = (
            "the head alone was not measured"
            if head is None or not head.measured
            else "no pretrained block was trained"
        )
        yield f"Whether step one (the head alone) is enough here was not measured: {missing}."
        return
    everything = len(found) == len(deeper) and any(outcome.kind == "full" for outcome, _ in found)
    yield _answer_on_step_one([comparison for _, comparison in found], terms, everything=everything)
    for outcome, comparison in found:
        yield f"{_step(head, outcome, comparison, terms)}."
    measured = [outcome for outcome in deeper if outcome.measured]
    depths = [(a, b, c) for a, b in pairwise(measured) if (c := _between(comparisons, a, b))]
    if depths:
        said = [f"{a.name} to {b.name}: {c.answer} ({difference(c.difference, terms.metric)})" for a, b, c in depths]
        yield f"From one depth to the next, {'; '.join(said)}."


def _answer_on_step_one(found: Sequence[Comparison], terms: _Terms, *, everything: bool) -> str:
    answers = {comparison.answer for comparison in found}
    if "worth it" in answers:
        return "Step one (the head alone) is not enough here: training more than the head is worth it."
    if "cannot tell" not in answers:
        limits = "" if everything else f", as far as was measured ({', '.join(one.second for one in found)})"
        return (
            f"Step one (the head alone) is enough here{limits}: training more than the head gains no more than "
            f"{terms.margin_in_words}."
        )
    highest = max(comparison.interval.high for comparison in found)
    says = terms.margin < highest < MOST[terms.metric]
    limit = f"; a gain above {amount(round(highest, 3), terms.metric)} is unlikely" if says else ""
    return (
        "Cannot tell whether step one (the head alone) is enough here: that training more gains over "
        f"{terms.margin_in_words} is neither shown nor ruled out{limit}."
    )


def _on_feature_extractor(
    outcomes: Sequence[Outcome], comparisons: Sequence[Comparison], terms: _Terms
) -> Iterable[str]:
    head, extractor = _first(_of_kind(outcomes, "head")), _named(outcomes, SOFTMAX_ON_LAST)
    between = _between(comparisons, extractor, head)
    if between is None or head is None or extractor is None:
        yield (
            "Whether step one is any different from the feature extractor (softmax on the last codes) was not "
            "measured: one of the two is missing."
        )
    else:
        # One prediction in a hundred comes from rounding and early stopping alone.
        same = between.disagreements <= between.predictions / 100
        name = "the feature extractor (softmax on the last codes)"
        opening = {
            "worth it": f"Step one does better than {name}",
            "not worth it": f"Step one does not do better than {name}",
            "equivalent": f"Step one is equivalent to {name} within your margin",
            "cannot tell": f"Step one is not the same as {name}, and which is better cannot be told",
        }[between.answer]
        parts = [f"they disagree on {between.disagreements:,} of {between.predictions:,} predictions"]
        if head.splits == extractor.splits:  # means over other splits differ where predictions do not
            parts.append(f"{terms.metric} {terms.score(head)} and {terms.score(extractor)}")
        if not same:
            parts.append(_numbers(between, terms))
        yield f"{f'Step one is no different from {name}' if same else opening}: {'; '.join(parts)}."
    svm = _named(outcomes, SVM_ON_LAST)
    by_svm = _between(comparisons, extractor, svm)
    if extractor and svm and by_svm is not None and by_svm.answer != "cannot tell":
        yield f"{_step(extractor, svm, by_svm, terms)}."


def _on_depth(
    outcomes: Sequence[Outcome],
    comparisons: Sequence[Comparison],
    depth_curve: Sequence[DepthPoint],
    terms: _Terms,
) -> Iterable[str]:
    best = best_probe(outcomes)
    if best is None or len({point.tap for point in depth_curve}) < 2:
        yield "Whether earlier layers do better than the last codes was not measured."
        return
    loss = "softmax" if best.name == SOFTMAX_ON_BEST else "svm"
    liked = max((point for point in depth_curve if point.loss == loss), key=lambda point: point.cv_accuracy).tap
    at_last = liked == depth_curve[-1].tap
    likes = "the last codes" if at_last else f"the codes of {liked}"
    chosen = f"the tap is chosen inside each split; on average cross-validation likes {likes} best"
    last = _named(outcomes, SOFTMAX_ON_LAST if best.name == SOFTMAX_ON_BEST else SVM_ON_LAST)
    between = _between(comparisons, last, best)
    if between is None or last is None:
        yield f"Whether earlier layers do better was not compared: nothing on the last codes was measured; {chosen}."
        return
    opening = {
        "worth it": "Earlier layers do better here",
        "not worth it": "Earlier layers do not do better here",
        "equivalent": "Earlier layers do as well as the last codes here, and no better",
        "cannot tell": "Cannot tell whether earlier layers do better here",
    }[between.answer]
    if at_last and between.answer == "cannot tell":
        opening = "Earlier layers show no gain here"
    # means over other splits differ where the strategies do not
    scores = f"{best.name} {terms.score(best)}, {last.name} {terms.score(last)}, " if best.splits == last.splits else ""
    yield f"{opening}: {scores or f'{best.name} over {last.name} '}{_numbers(between, terms)}; {chosen}."


def _on_scratch(outcomes: Sequence[Outcome], comparisons: Sequence[Comparison], terms: _Terms) -> Iterable[str]:
    scratch, whole = _first(_of_kind(outcomes, "scratch")), _first(_of_kind(outcomes, "full"))
    between = _between(comparisons, scratch, whole)
    if scratch and whole and between:
        yield f"{_step(scratch, whole, between, terms)}; that is what the pretrained weights give."


def _on_choice(picked: Outcome | None, terms: _Terms) -> Iterable[str]:
    if picked is None:
        yield "No strategy was finished, so none can be recommended; run again with a larger budget."
        return
    words = "" if picked.kind == "probe" else f" ({_called(picked)})"
    interval = f"95 % interval {score_span(picked.interval, 'accuracy')}" if picked.interval else ""
    accuracy = f"accuracy {score(picked.accuracy, 'accuracy')}"
    if terms.metric == "accuracy":
        reached = f"{accuracy}{f', {interval}' if interval else ''}"
    else:
        reached = f"{terms.metric} {terms.score(picked)} ({accuracy}{f', {interval}' if interval else ''})"
    over = "on one split" if picked.splits == 1 else f"as the mean over {picked.splits} splits"
    cost = picked.cost
    memory = f", at most {cost.peak_bytes / 1e9:.1f} GB of memory" if cost.peak_bytes else ""
    yield (
        f"Use {picked.name}{words}: {reached}, {over}. It took {_duration(cost.seconds)} "
        f"({_duration(cost.cpu_seconds)} of processor time{memory})."
    )


def _on_winner(picked: Outcome | None, winner: Winner | None, terms: _Terms) -> Iterable[str]:
    if winner is None:
        return
    metric = terms.metric
    opening = "That is" if picked is not None and picked.name == winner.name else f"{_capital(winner.name)} has"
    yield (
        f"{opening} the best score of the {winner.among} that can be delivered and have enough splits: "
        f"{score(winner.naive, metric)} image by image over their common splits, {score(winner.corrected, metric)} "
        f"without the optimism of having been chosen as the best (95 % interval {score_span(winner.interval, metric)})."
    )


def _on_delivery(picked: Outcome | None, train_size: int, *, delivered: bool) -> Iterable[str]:
    if picked is not None and not delivered:
        yield "There is no model: the run was interrupted while it was made."
    elif picked is not None:
        yield (
            f"The delivered model is refitted on all {train_size:,} images; the scores are those of models that saw "
            "the training part of a split."
        )


def _on_cut_off_networks(
    outcomes: Sequence[Outcome], comparisons: Sequence[Comparison], picked: Outcome | None, terms: _Terms
) -> Iterable[str]:
    for outcome in outcomes:
        between = _between(comparisons, picked, outcome)
        if outcome.kind == "probe" and not outcome.deliverable and between and between.answer == "worth it":
            yield (
                f"{_capital(_called(outcome))} does better than that: {_numbers(between, terms)}. It is not delivered "
                f"as the model, because it needs the network cut off at {outcome.tap}."
            )


def _on_test_folder(
    picked: Outcome | None, test_size: int, test_looks: int, step: FolderStep | None, terms: _Terms
) -> Iterable[str]:
    if not test_size:
        return
    found = picked.confirmation if picked is not None else None
    if found is None:
        yield f"Your own test folder ({test_size:,} images) was not used: there is no delivered model to confirm."
        return
    yield (
        f"On your own test folder ({test_size:,} images) the delivered model reaches accuracy "
        f"{score(found.accuracy, 'accuracy')} (95 % interval {score_span(found.interval, 'accuracy')}), balanced "
        f"accuracy {score(found.balanced_accuracy, 'balanced accuracy')}. This confirms this trained model and has "
        "chosen nothing."
    )
    if step is not None:
        yield on_folder(step, terms.metric)
    yield CAVEAT if step is None else "The variance over training sets is not in these intervals."
    if test_looks:
        yield looked_at(test_looks)


def looked_at(test_looks: int) -> str:
    """How often the user's own test folder has been looked at in a run directory, in a sentence."""
    if test_looks == 1:
        return "No other run in this directory has looked at the folder."
    return (
        f"{test_looks} runs in this directory, this one included, have looked at the folder: whoever keeps the best of "
        "them has chosen on it."
    )


def _on_more_images(outcomes: Sequence[Outcome], curves: LearningCurves | None) -> Iterable[str]:
    if curves is None:
        return
    probe, tuned = curves.probe, curves.fine_tuning
    yield (
        f"With twice as many training images {probe.strategy} is expected to reach {curves.metric} "
        f"{score_span(probe.expected_bands[0], curves.metric)} %; with {probe.sizes[-1]:,} it reaches "
        f"{score(probe.scores[-1], curves.metric)} ({probe.splits} splits)."
    )
    dearer = _named(outcomes, tuned.strategy) if tuned else None
    if dearer is None:
        return
    opening = _capital(_called(dearer))
    if curves.overtakes == "already ahead":
        yield f"{opening} is ahead of {probe.strategy} already."
    elif curves.overtakes == "not within":
        yield f"{opening} is not expected to overtake {probe.strategy} within four times your data."
    elif curves.between is not None:
        low, high = (int(float(f"{size:.2g}")) for size in curves.between)
        where = f"between about {low:,} and {high:,}" if low > probe.sizes[-1] else f"by about {high:,}"
        yield f"{opening} is expected to overtake {probe.strategy} {where} training images."
    else:
        why = f": {curves.note}" if curves.note else ""
        yield (
            f"Whether {_called(dearer)} overtakes {probe.strategy} within four times your data cannot be told from the "
            f"learning curve{why}."
        )


def _on_gaps(outcomes: Sequence[Outcome], *, interrupted: bool) -> Iterable[str]:
    if interrupted:
        yield "The run was interrupted; this verdict rests on what was finished until then."
    alike: dict[tuple[str, str], list[str]] = {}
    for outcome in outcomes:
        if outcome.status != "done":
            alike.setdefault((outcome.status, outcome.note), []).append(_called(outcome))
    for (status, note), names in alike.items():
        reason = f": {note.rstrip('.')}" if note else ""
        listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        yield f"{_capital(listed)} {'was' if len(names) == 1 else 'were'} {status}{reason}."


def on_overrun(seconds: float, budget: float, phases: Mapping[str, float]) -> str:
    """That a run took longer than its budget, and with what.

    Args:
        seconds: What the run took.
        budget: What it was given, seconds.
        phases: Seconds by phase.

    Returns:
        A sentence; empty for a run that ended in time.
    """
    if seconds <= LATE * budget:
        return ""
    longest = sorted(phases, key=lambda phase: -phases[phase])[:2]
    named = " and ".join(f"{phase} ({_duration(phases[phase])})" for phase in longest)
    return (
        f"The run took {_duration(seconds)}, more than its budget of {_duration(budget)}, the most of it for {named}: "
        "inspecting the images, reading their codes, one split of step one, and training what is delivered on all "
        "images are never cut down, and on a machine that is busy with other work everything takes longer."
    )


def _on_estimate(outcomes: Sequence[Outcome], train_size: int, terms: _Terms) -> Iterable[str]:
    measured = _first([outcome for outcome in outcomes if outcome.measured])
    if not terms.splits or measured is None:
        yield "No split was finished, so nothing here is measured."
        return
    size = train_size - len(measured.predictions[0])
    several = f"stratified splits that strategies share, {terms.splits} at most"
    yield (
        f"What is estimated: the expected difference in {terms.metric} at the training size of a split (about {size:,} "
        f"of {train_size:,} images), over training sets, images and seeds, from "
        f"{'one stratified split' if terms.splits == 1 else several}; a difference matters above "
        f"{terms.margin_in_words}."
    )
    if terms.splits == 1:
        yield "With one split the variance over training sets is in no interval."
    if terms.splits < FEWEST_FOR_PROBABILITIES:
        yield (
            "With fewer than five common splits there are no probabilities and nothing is called equivalent; a larger "
            "budget gives more splits."
        )


def _of_kind(outcomes: Iterable[Outcome], kind: str) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.kind == kind]


def _deeper(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """What trains more than the head, shallow to deep; random weights apart."""
    known = list(outcomes)
    unfrozen = sorted(_of_kind(known, "unfreeze"), key=lambda outcome: outcome.blocks or 0)
    return [*unfrozen, *_of_kind(known, "full")]


def _named(outcomes: Iterable[Outcome], name: str) -> Outcome | None:
    return _first([outcome for outcome in outcomes if outcome.name == name])


def _first(outcomes: Sequence[Outcome]) -> Outcome | None:
    return outcomes[0] if outcomes else None


def _between(comparisons: Iterable[Comparison], first: Outcome | None, second: Outcome | None) -> Comparison | None:
    if first is None or second is None:
        return None
    return next((c for c in comparisons if (c.first, c.second) == (first.name, second.name)), None)


def _called(outcome: Outcome) -> str:
    """The strategy as part of a sentence."""
    if outcome.kind == "unfreeze":
        return "unfreezing the last block" if outcome.blocks == 1 else f"unfreezing the last {outcome.blocks} blocks"
    in_words = {"head": "the head alone", "full": "fine-tuning the whole network", "scratch": "training from scratch"}
    return in_words.get(outcome.kind, f"the {outcome.name}")


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _step(first: Outcome, second: Outcome, comparison: Comparison, terms: _Terms) -> str:
    """The answer on a step, with what both sides took and with its numbers."""
    step = " instead of ".join(f"{_called(o)} ({_duration(o.cost.seconds)})" for o in (second, first))
    numbers = _numbers(comparison, terms)
    if comparison.answer == "cannot tell":
        return f"Whether {step} is worth it cannot be told: {numbers}"
    return f"{_capital(step)} is {comparison.answer}: {numbers}"


def _numbers(comparison: Comparison, terms: _Terms) -> str:
    """Difference, interval, probabilities, and what would settle a step that cannot be told."""
    parts = [difference(comparison.difference, terms.metric)]
    parts.append(f"95 % interval {difference_span(comparison.interval, terms.metric)}")
    worse, equivalent, better = comparison.worse, comparison.equivalent, comparison.better
    if worse is not None and equivalent is not None and better is not None:
        parts.append(probability_of(comparison.answer, worse, equivalent, better, terms.margin_in_words))
    if comparison.splits != terms.splits:
        parts.append(f"on {comparison.splits} common split{'' if comparison.splits == 1 else 's'}")
    settling = comparison.settling
    ending = f"; {settled_by(settling.kind, settling.low, settling.high)}" if settling else ""
    return ", ".join(parts) + ending


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} seconds" if seconds >= 1 else "less than a second"
    return f"{seconds / 60:.0f} minutes"
