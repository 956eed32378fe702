"""What must hold of the sentences of a verdict whatever was measured."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from example_run import run_results
from unfreeze.advisor.baseline import no_better_than_blind
from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.questions import Question, pairs
from unfreeze.advisor.rule_check import rule_record
from unfreeze.advisor.rules import predicted
from unfreeze.advisor.selection import select_strategy, winner_of
from unfreeze.advisor.verdict import verdict
from unfreeze.core.facts import Similarity
from unfreeze.core.records import Cost, Outcome, SplitRecord
from unfreeze.core.run_record import RunResults
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import (
    FULL,
    HEAD,
    LINEAR_ON_ALL,
    SCRATCH,
    SOFTMAX_ON_BEST,
    SOFTMAX_ON_LAST,
    SVM_ON_LAST,
    StrategyId,
    unfreeze,
)
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.data.tasks import Task, make_task
from unfreeze.strategies.predictions import Measured, Predicted

STRATEGIES = (
    *(SOFTMAX_ON_LAST, SVM_ON_LAST, SOFTMAX_ON_BEST, LINEAR_ON_ALL, HEAD),
    *(unfreeze(1), unfreeze(2), FULL, SCRATCH),
)
METRICS: tuple[Metric, ...] = ("accuracy", "balanced accuracy", "log-loss")
SIZES = ((60, 60), (50, 2), (40, 30, 20), (90, 12))
ERRORS = (0.0, 0.02, 0.1, 0.3, 1.0)  # shares of wrong answers
TASKS: dict[tuple[int, ...], Task] = {}


def task_of(sizes: tuple[int, ...]) -> Task:
    """So many images of each class; made once, since its splits are."""
    if sizes not in TASKS:
        labels = [f"class {label}" for label, size in enumerate(sizes) for _ in range(size)]
        images = tuple(
            Image(path=Path(f"/{n}.png"), name=f"{n:04}", label=label, sha256=f"{n}", width=9, height=9, mode="L")
            for n, label in enumerate(labels)
        )
        TASKS[sizes] = make_task(ImageSet(root=Path("/"), images=images), seed=0)
    return TASKS[sizes]


def measured(strategy: StrategyId, task: Task, *, splits: int, error: float, seed: int) -> Measured:
    """A strategy that is wrong on that share of the images, the same ones in every round."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(task.labels)) < error
    found = []
    for split in map(task.split, range(splits)):
        truth = task.labels[split.test]
        said = np.where(wrong[split.test], (truth + 1) % task.class_count, truth)
        sure = np.log(np.where(said == truth, 0.9, 0.05))
        found.append(Predicted(split=split, predictions=said, log_likelihoods=None if strategy.loss == "svm" else sure))
    status = "left out" if not splits else "done"
    cost = Cost(seconds=2.0 * splits, split_seconds=(2.0,) * splits)
    return Measured(Outcome(strategy=strategy, description="", status=status, cost=cost), tuple(found))


@st.composite
def runs(draw: st.DrawFn) -> RunResults:
    """What a run of some strategies, each on some splits, leaves behind."""
    task, metric = task_of(draw(st.sampled_from(SIZES))), draw(st.sampled_from(METRICS))
    known = [
        measured(
            strategy,
            task,
            splits=draw(st.sampled_from((0, 1, 2, 5, 10))),
            error=draw(st.sampled_from(ERRORS)),
            seed=draw(st.integers(0, 3)),
        )
        for strategy in STRATEGIES
        if draw(st.booleans())
    ]
    return results_of(task, metric, known, margin=draw(st.sampled_from((0.0, 0.01, 0.05))))


def results_of(task: Task, metric: Metric, known: list[Measured], *, margin: float) -> RunResults:
    """Chosen and compared as a run does."""
    comparisons = Comparisons(Question(task=task, metric=metric, margin=margin, seed=0))
    selection = select_strategy(known, comparisons)
    by_id = {one.strategy: one for one in known}
    usable = [one.strategy for one in known if comparisons.has_metric(one)]
    picked = selection.picked if selection else None
    blind = no_better_than_blind(by_id[picked], comparisons.question) if picked else None
    example = run_results(test_folder=False)
    facts = replace(example.facts, similarity=Similarity(value=0.8, because=""))
    return replace(
        example,
        metric=metric,
        margin=margin,
        findings=(blind,) if blind else (),
        train_images=task.names(task.train_rows),
        splits=tuple(
            SplitRecord(number=n, test=tuple(task.split(n).test.tolist()))
            for n in range(max((one.splits for one in known), default=0))
        ),
        strategies=tuple(one.record(task) for one in known),
        comparisons=tuple(comparisons.compare(by_id[a], by_id[b]) for a, b in pairs(usable)),
        winner=winner_of(known, comparisons),
        picked=picked,
        rule=rule_record(predicted(facts), known, comparisons),
        learning_curve=None,
    )


def spoken(results: RunResults) -> list[str]:
    """The verdict, sentence by sentence."""
    return [part for said in verdict(results) for part in re.split(r"(?<=[.])\s+(?=[A-Z])", said)]


def is_plain(results: RunResults) -> None:
    """No sentence twice, none of one thing in the plural, no negative cost, no zero with a minus."""
    sentences = spoken(results)
    text = " ".join(sentences)

    assert [said for said, times in Counter(sentences).items() if times > 1] == []
    assert all(said.endswith(".") for said in sentences)
    assert not re.search(r"\bcosts? (\w+ ){0,2}-", text)
    assert not re.search(r"(?<![\d.,])1 (common )?(splits|images|strategies|predictions)\b", text)
    assert not re.search(r"-0\.0+(?!\d)", text)
    assert "enough splits" not in text


def each_step_has_one_answer(results: RunResults) -> None:
    """What is said of a step agrees with the record, and nowhere in the verdict is it both told and unclear."""
    sentences = spoken(results)
    for step in results.comparisons:
        first, second = re.escape(step.first.in_words), re.escape(step.second.in_words)
        sides = rf"{second} \([^)]*\) instead of {first} \([^)]*\) is "
        answers = {
            "unclear" if said.startswith("It is unclear") else answer
            for said in sentences
            for answer in re.findall(rf"(?i){sides}(worth it|not worth it|equivalent)", said)
        }
        assert answers <= {{"cannot tell": "unclear"}.get(step.answer, step.answer)}


def step_one_follows_from_its_steps(results: RunResults) -> None:
    """Not enough only beside a step that is worth it, enough only beside none that is or is open, unclear else."""
    said = next(one for one in verdict(results) if "tep one (the head alone)" in one)
    answers = {step.answer for step in results.comparisons if step.first == HEAD and step.second.is_deeper}
    expected = "is enough here"
    if not answers:
        expected = "was not measured"
    elif "worth it" in answers:
        expected = "is not enough here"
    elif "cannot tell" in answers:
        expected = "It is unclear"
    assert expected in said

    gained = [step for step in results.comparisons if (step.first, step.second) == (SOFTMAX_ON_LAST, HEAD)]
    if gained and gained[0].answer == "worth it":
        assert not any("no different from the feature extractor" in one for one in verdict(results))


def what_is_no_better_than_one_class_is_not_recommended(results: RunResults) -> None:
    """The finding opens the verdict, and only then is nothing said to be used."""
    first, *rest = verdict(results)
    recommended = any(said.startswith("Use ") for said in rest)

    assert (first in {found.text for found in results.findings}) == bool(results.findings)
    assert recommended == (results.picked is not None and not results.findings)


def a_best_score_is_that_of_all_images(results: RunResults) -> None:
    """The winner has as many images tested as any, and lies in its interval; a pick on part says of how many splits."""
    winner = results.winner
    assert winner is None or winner.strategy not in results.on_part
    assert winner is None or winner.interval.low <= winner.corrected <= winner.interval.high
    if results.picked in results.on_part:
        picked = results.outcome_of(results.picked)
        assert picked is not None
        assert f"on {picked.splits} of {len(results.splits)} splits." in " ".join(verdict(results))


@settings(max_examples=60, deadline=None)
@given(runs())
def test_a_verdict_does_not_contradict_itself(results: RunResults) -> None:
    """Neither one sentence another, nor one the record that it was made of."""
    is_plain(results)
    each_step_has_one_answer(results)
    step_one_follows_from_its_steps(results)
    what_is_no_better_than_one_class_is_not_recommended(results)
    a_best_score_is_that_of_all_images(results)
