"""The statistics behind the answer of a run: the sentences that say what came of each step that it asked about.

A pure function of what a run measured, so that they can be written again without a network or an image. Answers,
intervals and probabilities are those of the comparisons; nothing is judged here.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from unfreeze.advisor.baseline import NO_BETTER
from unfreeze.advisor.folder_check import CONTRADICTS
from unfreeze.advisor.questions import best_probe, between, deeper, measured_strategies
from unfreeze.core.findings import Finding
from unfreeze.core.phrases import (
    CAVEAT,
    CAVEAT_OF_SEVERAL,
    agreement,
    best_score,
    looked_at,
    not_ruled_out,
    on_folder,
    probability_of,
    settled_by,
)
from unfreeze.core.records import Comparison, Outcome
from unfreeze.core.run_record import RunResults
from unfreeze.core.strategies import (
    FULL,
    HEAD,
    LINEAR_ON_ALL,
    SCRATCH,
    SOFTMAX_ON_BEST,
    SOFTMAX_ON_LAST,
    SVM_ON_LAST,
    StrategyId,
)
from unfreeze.core.wording import (
    MOST,
    amount,
    capital,
    count,
    difference,
    difference_span,
    duration,
    listed,
    score,
    score_span,
    storage,
)

AGREE = 0.02  # of predictions: so many differ by rounding, early stopping and the few images on the border
LATE = 1.2  # times its budget: a run ends within that, as a rule


def agrees(step: Comparison) -> bool:
    """Whether two strategies are said to agree: few predictions differ, and neither is shown to be worth more."""
    return step.answer != "worth it" and step.disagreements <= AGREE * step.predictions


@dataclass(frozen=True)
class _Run:
    """What a run measured, as sentences ask for it."""

    results: RunResults

    @property
    def margin(self) -> str:
        return amount(self.results.margin, self.results.metric)

    @property
    def splits(self) -> int:
        return len(self.results.splits)

    def measured(self, strategy: StrategyId) -> Outcome | None:
        outcome = self.results.outcome_of(strategy)
        return outcome if outcome is not None and outcome.measured else None

    def step(self, first: StrategyId | None, second: StrategyId | None) -> Comparison | None:
        return between(self.results.comparisons, first, second)

    def score(self, outcome: Outcome) -> str:
        return score(outcome.score(self.results.metric), self.results.metric)

    def step_in_words(self, comparison: Comparison) -> str:
        """The answer on a step, with what both sides took and with its numbers."""
        sides = (comparison.second, comparison.first)
        step = " instead of ".join(f"{side.in_words} ({self._took(side)})" for side in sides)
        if comparison.answer == "cannot tell":
            return f"It is unclear whether {step} is worth it: {self.numbers(comparison)}"
        return f"{capital(step)} is {comparison.answer}: {self.numbers(comparison)}"

    def _took(self, strategy: StrategyId) -> str:
        outcome = self.results.outcome_of(strategy)
        return duration(outcome.cost.seconds if outcome else 0.0)

    def numbers(self, comparison: Comparison) -> str:
        """Difference, interval, probabilities, and what would settle a step that cannot be told."""
        metric = self.results.metric
        parts = [difference(comparison.difference, metric)]
        parts.append(f"95 % interval {difference_span(comparison.interval, metric)}")
        worse, equivalent, better = comparison.worse, comparison.equivalent, comparison.better
        agree = agrees(comparison)
        if agree:
            parts.append(agreement(comparison, metric, len(self.results.train_images)))
        if comparison.answer == "cannot tell":
            parts.append("" if agree else not_ruled_out(comparison.interval, metric))
        elif worse is not None and equivalent is not None and better is not None:
            parts.append(probability_of(comparison.answer, worse, equivalent, better, self.margin))
        if comparison.splits != self.splits:
            parts.append(f"on {count(comparison.splits, 'common split')}")
        ending = f"; {settled_by(comparison.settling, self.results.seconds)}" if comparison.settling else ""
        return ", ".join(filter(None, parts)) + ending


def details(results: RunResults) -> tuple[str, ...]:
    """What a run found of each step, with its numbers.

    In this order: that what was picked is no better than always naming one class, where that is so; is step one (the
    head alone) enough; is it any different from the feature extractor; do earlier layers' codes do better; which
    strategy to use; what the user's own test folder confirms; the rule of thumb; what more images are expected to give;
    what was left out; and how it was measured.

    Args:
        results: What the run measured and chose; a whole record too, whose own verdict does not matter.

    Returns:
        The sentences.
    """
    run = _Run(results)
    picked = results.outcome_of(results.picked)
    budget = math.inf if results.budget_seconds is None else results.budget_seconds
    overrun = on_overrun(results.seconds, budget, results.phases)
    return (
        *(found.text for found in _on_baseline(run)),
        *_on_step_one(run),
        *_on_feature_extractor(run),
        *_on_depth(run),
        *_on_all_layers(run),
        *_on_scratch(run),
        *_on_choice(picked, run),
        *_on_winner(run),
        *_on_delivery(picked, run),
        *_on_test_folder(picked, run),
        results.rule.sentence,
        *_on_more_images(run),
        *_on_gaps(run),
        *filter(None, [overrun]),
        *_on_estimate(run),
    )


def _on_baseline(run: _Run) -> list[Finding]:
    """What was found where the pick is no better than naming one class always."""
    return [found for found in run.results.findings if found.code == NO_BETTER]


def _on_step_one(run: _Run) -> Iterable[str]:
    trained = deeper(outcome.strategy for outcome in run.results.strategies)
    steps = [step for strategy in trained if (step := run.step(HEAD, strategy)) is not None]
    if not steps:
        head = run.measured(HEAD)
        missing = "the head alone was not measured" if head is None else "no pretrained block was trained"
        yield f"Whether step one (the head alone) is enough here was not measured: {missing}."
        return
    everything = len(steps) == len(trained) and FULL in trained
    yield _answer_on_step_one(steps, run, everything=everything)
    for step in steps:
        yield f"{run.step_in_words(step)}."
    metric, measured = run.results.metric, deeper(measured_strategies(run.results.strategies))
    said = [
        f"{shallower.label} to {strategy.label}: {step.answer} ({difference(step.difference, metric)})"
        for shallower, strategy in pairwise(measured)
        if (step := run.step(shallower, strategy)) is not None
    ]
    if said:
        yield f"From one depth to the next, {'; '.join(said)}."


def _answer_on_step_one(steps: Sequence[Comparison], run: _Run, *, everything: bool) -> str:
    answers, metric = {step.answer for step in steps}, run.results.metric
    if "worth it" in answers:
        opening = "Step one (the head alone) is not enough here: training more than the head is worth it"
        joined = [run.step(LINEAR_ON_ALL, step.second) for step in steps]
        settled = all(step is not None and step.answer in {"not worth it", "equivalent"} for step in joined)
        return f"{opening}, though not over a linear classifier on all taps." if settled else f"{opening}."
    if "cannot tell" not in answers:
        limits = "" if everything else f", as far as was measured ({', '.join(step.second.label for step in steps)})"
        return (
            f"Step one (the head alone) is enough here{limits}: training more than the head gains no more than "
            f"{run.margin}."
        )
    highest = max(step.interval.high for step in steps)
    says = run.results.margin < highest < MOST[metric]
    limit = f", though hardly more than {amount(round(highest, 3), metric)}" if says else ""
    return (
        "It is unclear whether step one (the head alone) is enough here: training more may or may not gain more than "
        f"{run.margin}{limit}."
    )


def _on_feature_extractor(run: _Run) -> Iterable[str]:
    step = run.step(SOFTMAX_ON_LAST, HEAD)
    head, extractor = run.measured(HEAD), run.measured(SOFTMAX_ON_LAST)
    if step is None or head is None or extractor is None:
        yield (
            "Whether step one is any different from the feature extractor (softmax on the last codes) was not "
            "measured: one of the two is missing."
        )
    else:
        same = step.answer == "same" or agrees(step)
        name = "the feature extractor (softmax on the last codes)"
        opening = {
            "worth it": f"Step one does better than {name}",
            "not worth it": f"Step one does no better than {name}",
            "equivalent": f"Step one is equivalent to {name} within your margin",
            "cannot tell": f"Step one is not the same as {name}, and it is unclear which is better",
            "same": "",
        }[step.answer]
        parts = [f"they disagree on {step.disagreements:,} of {step.predictions:,} predictions"]
        if head.splits == extractor.splits:  # means over other splits differ where predictions do not
            parts.append(f"{run.results.metric} {run.score(head)} and {run.score(extractor)}")
        if not same:
            parts.append(run.numbers(step))
        yield f"{f'Step one is no different from {name}' if same else opening}: {'; '.join(parts)}."
    by_svm = run.step(SOFTMAX_ON_LAST, SVM_ON_LAST)
    if by_svm is not None and by_svm.answer != "cannot tell":
        yield f"{run.step_in_words(by_svm)}."


def _on_depth(run: _Run) -> Iterable[str]:
    curve = run.results.depth_curve
    chosen = best_probe(measured_strategies(run.results.strategies))
    best = run.measured(chosen) if chosen else None
    if best is None or len({point.tap for point in curve}) < 2:
        yield "Whether earlier layers do better than the last codes was not measured."
        return
    of_loss = [point for point in curve if point.loss == best.strategy.loss]
    tap = max(of_loss, key=lambda point: point.cv_accuracy).tap
    at_last = tap == curve[-1].tap
    codes = "the last codes" if at_last else f"the codes of {tap}"
    picks = f"the tap is chosen inside each split, where on average {codes} score best in cross-validation"
    last = run.measured(SOFTMAX_ON_LAST if best.strategy == SOFTMAX_ON_BEST else SVM_ON_LAST)
    step = run.step(last.strategy, best.strategy) if last else None
    if step is not None and last is not None and step.answer == "same":
        yield f"Earlier layers do no better here: {best.name} predicts what {last.name} does ({run.score(best)})."
        return
    if step is None or last is None:
        yield f"Whether earlier layers do better was not compared: nothing on the last codes was measured; {picks}."
        return
    opening = {
        "worth it": "Earlier layers do better here",
        "not worth it": f"Earlier layers gain no more than {run.margin} here",
        "equivalent": "Earlier layers do as well as the last codes here, and no better",
        "cannot tell": "It is unclear whether earlier layers do better here",
        "same": "",
    }[step.answer]
    scores = f"{best.name} over {last.name} "
    if best.splits == last.splits:  # else means over other splits differ where the strategies do not
        scores = f"{best.name} {run.score(best)}, {last.name} {run.score(last)}, "
    yield f"{opening}: {scores}{run.numbers(step)}; {picks}."


def _on_all_layers(run: _Run) -> Iterable[str]:
    """The feature extractor's best answer against step one and against unfreezing."""
    head = run.step(HEAD, LINEAR_ON_ALL) or run.step(SOFTMAX_ON_LAST, LINEAR_ON_ALL)
    if head is not None:
        yield f"{run.step_in_words(head)}."
    trained = deeper(measured_strategies(run.results.strategies))
    for step in filter(None, (run.step(LINEAR_ON_ALL, strategy) for strategy in trained)):
        yield f"{run.step_in_words(step)}."


def _on_scratch(run: _Run) -> Iterable[str]:
    step = run.step(SCRATCH, FULL)
    if step is not None:
        yield f"{run.step_in_words(step)}; that is what the pretrained weights give."


def _on_choice(picked: Outcome | None, run: _Run) -> Iterable[str]:
    if picked is None:
        yield "No strategy was finished, so none can be recommended; run again with a larger budget."
        return
    words = "" if picked.kind == "probe" else f" ({picked.strategy.in_words})"
    interval = f"95 % interval {score_span(picked.interval, 'accuracy')}" if picked.interval else ""
    accuracy = f"accuracy {score(picked.accuracy, 'accuracy')}"
    with_interval = f"{accuracy}{f', {interval}' if interval else ''}"
    metric = run.results.metric
    reached = with_interval if metric == "accuracy" else f"{metric} {run.score(picked)} ({with_interval})"
    of_all = f" of {run.splits}" if picked.strategy in run.results.on_part else ""
    over = f"on {f'{picked.splits}{of_all} splits' if of_all else count(picked.splits, 'split')}"
    cost = picked.cost
    memory = f", at most {storage(cost.peak_bytes)} of memory" if cost.peak_bytes else ""
    use = "The pick is" if _on_baseline(run) else "Use"
    yield (
        f"{use} {picked.name}{words}: {reached}, {over}. It took {duration(cost.seconds)} "
        f"({duration(cost.cpu_seconds)} of processor time{memory})."
    )


def _on_winner(run: _Run) -> Iterable[str]:
    winner, metric = run.results.winner, run.results.metric
    if winner is None:
        return
    opening = "That is" if run.results.picked == winner.strategy else f"{capital(winner.strategy.label)} has"
    yield best_score(opening, winner, metric, splits=run.splits)


def _on_delivery(picked: Outcome | None, run: _Run) -> Iterable[str]:
    if picked is None:
        return
    if run.results.model is None:
        yield "There is no model: the run was stopped before one was made."
    else:
        train = len(run.results.train_images)
        saw = f"about {train - len(picked.predictions[0]):,}" if picked.measured else "a part"
        yield (
            f"The delivered model was trained on all {train:,} images; the scores are those of models that saw {saw} "
            "of them, so it should do no worse."
        )


def _on_test_folder(picked: Outcome | None, run: _Run) -> Iterable[str]:
    images = count(len(run.results.test_images), "image")
    if not run.results.test_images:
        return
    found = picked.confirmation if picked is not None else None
    if found is None:
        yield f"Your own test folder ({images}) was not used: there is no delivered model to confirm."
        return
    yield (
        f"On your own test folder ({images}) the delivered model reaches accuracy "
        f"{score(found.accuracy, 'accuracy')} (95 % interval {score_span(found.interval, 'accuracy')}), balanced "
        f"accuracy {score(found.balanced_accuracy, 'balanced accuracy')}. The folder has chosen nothing: it only "
        "confirms this model."
    )
    step = run.results.folder_step
    if step is not None:
        yield on_folder(step, run.results.metric)
    yield from (alarm.text for alarm in run.results.findings if alarm.code == CONTRADICTS)
    yield CAVEAT if step is None else CAVEAT_OF_SEVERAL
    yield from filter(None, [looked_at(run.results.test_looks)])


def _on_more_images(run: _Run) -> Iterable[str]:
    curves = run.results.learning_curve
    if curves is None:
        return
    probe, tuned = curves.probe, curves.fine_tuning
    yield (
        f"With twice as many training images {probe.strategy.label} is expected to reach {curves.metric} "
        f"{score_span(probe.expected_bands[0], curves.metric)} %; with {probe.sizes[-1]:,} it reaches "
        f"{score(probe.scores[-1], curves.metric)} ({count(probe.splits, 'split')})."
    )
    if tuned is None:
        return
    words, other = tuned.strategy.in_words, probe.strategy.label
    if curves.overtakes == "already ahead":
        yield f"{capital(words)} is ahead of {other} already."
    elif curves.overtakes == "not within":
        yield f"{capital(words)} is not expected to overtake {other} within four times your data."
    elif curves.between is not None:
        low, high = (int(float(f"{size:.2g}")) for size in curves.between)
        where = f"between about {low:,} and {high:,}" if low > probe.sizes[-1] else f"by about {high:,}"
        yield f"{capital(words)} is expected to overtake {other} {where} training images."
    else:
        why = f": {curves.note}" if curves.note else ""
        yield (f"The learning curve does not tell whether {words} overtakes {other} within four times your data{why}.")


def _on_gaps(run: _Run) -> Iterable[str]:
    if run.results.interrupted:
        yield "The run was interrupted; this verdict rests on what was finished until then."
    if run.results.resumed and run.results.budget_seconds is not None:
        times = count(run.results.resumed, "time")
        yield (
            f"The run was stopped and continued {times}: every split that had been measured counts, but with the same "
            "budget in one piece other strategies or splits might have come next."
        )
    alike: dict[tuple[str, str], list[str]] = {}
    for outcome in run.results.strategies:
        if outcome.status != "done":
            alike.setdefault((outcome.status, outcome.note), []).append(outcome.strategy.in_words)
    for (status, note), names in alike.items():
        reason = f": {note.rstrip('.')}" if note else ""
        yield f"{capital(listed(names))} {'was' if len(names) == 1 else 'were'} {status}{reason}."


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
    named = " and ".join(f"{phase} ({duration(phases[phase])})" for phase in longest)
    return (
        f"The run took {duration(seconds)}, more than its budget of {duration(budget)}, the most of it for {named}: "
        "inspecting the images, reading their codes, one split of step one, and training what is delivered on all "
        "images are never cut down, and on a machine that is busy with other work everything takes longer."
    )


def _on_estimate(run: _Run) -> Iterable[str]:
    measured = next((outcome for outcome in run.results.strategies if outcome.measured), None)
    if not run.splits or measured is None:
        yield "No split was finished, so nothing here is measured."
        return
    train, tested = len(run.results.train_images), len(measured.predictions[0])
    held_out = f"the same for all strategies, about {tested:,} of {train:,} images were held out to test on"
    differences = f"Differences in {run.results.metric}"
    if run.splits == 1:
        yield (
            f"How this was measured: once, {held_out} and the others trained. {differences} up to {run.margin} do not "
            "matter."
        )
        yield (
            "One split does not show what another set of training images would change, so nothing is decided; a larger "
            "budget gives more splits."
        )
        return
    yield (
        f"How this was measured: up to {run.splits} times, {held_out} and the others trained; a round of splits tests "
        f"every image once. {differences} are those expected of other training sets, images and seeds of this size; up "
        f"to {run.margin} they do not matter."
    )
