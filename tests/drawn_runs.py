"""Runs of any kind, for what must hold of the sentences that are made of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from example_run import CONFIRMED, LEARNING, run_results
from unfreeze.advisor.baseline import no_better_than_blind
from unfreeze.advisor.class_answers import class_table
from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.details import details
from unfreeze.advisor.folder_check import contradicting_folder
from unfreeze.advisor.questions import Question, pairs
from unfreeze.advisor.rule_check import rule_record
from unfreeze.advisor.rules import predicted
from unfreeze.advisor.selection import select_strategy, winner_of
from unfreeze.advisor.verdict import verdict
from unfreeze.core.facts import Similarity
from unfreeze.core.records import Cost, Interval, Outcome, SplitRecord
from unfreeze.core.run_record import RunRecord, RunResults
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


def record_of(
    sizes: tuple[int, ...], *, errors: tuple[float, ...] = (0.1, 0.2), splits: int = 5, metric: Metric = "accuracy"
) -> RunRecord:
    """A whole run with its answer and its classes: softmax on the last codes, the head, and two blocks.

    Args:
        sizes: Images of each class.
        errors: Shares of wrong answers: of what trains two blocks, and of the others.
        splits: Of every strategy.
        metric: What decides.

    Returns:
        Its record; images are named by their number.
    """
    task = task_of(sizes)
    deep, shallow = errors
    found = [
        measured(strategy, task, splits=splits, error=error, seed=seed)
        for strategy, error, seed in ((SOFTMAX_ON_LAST, shallow, 0), (HEAD, shallow, 1), (unfreeze(2), deep, 2))
    ]
    results = results_of(task, metric, found, margin=0.01)
    picked = next(one for one in found if one.strategy == results.picked)
    results = replace(
        results,
        classes=task.image_set.classes,
        train_labels=tuple(task.labels[task.train_rows].tolist()),
        train_groups=("",) * len(task.train_rows),
        by_class=class_table(picked, task),
    )
    return RunRecord.of(results, verdict=verdict(results), details=details(results))


def kinds_of_runs() -> Iterator[tuple[str, RunRecord]]:
    """Forty runs of every kind, always the same: name and record.

    All metrics, balanced and unbalanced classes, from no split to ten, from no strategy to nine, good and useless
    classifiers; with a test folder that confirms or contradicts, stopped, late, and with a learning curve.
    """
    for number in range(40):
        rng = np.random.default_rng(number)
        metric, sizes = METRICS[number % len(METRICS)], SIZES[number % len(SIZES)]
        splits = (1, 2, 5, 5, 10)[number % 5]
        chosen = [strategy for strategy in STRATEGIES if rng.random() < (number % 10) / 9]
        known = [
            measured(
                strategy,
                task_of(sizes),
                splits=splits if rng.random() < 0.8 else int(rng.choice((0, 1, 2))),
                error=float(rng.choice(ERRORS)),
                seed=int(rng.integers(4)),
            )
            for strategy in chosen
        ]
        results = results_of(task_of(sizes), metric, known, margin=(0.0, 0.01, 0.05)[number // 14])
        results = _with_folder(results, accuracy=(0.2, 0.9, 0.99)[number % 3]) if number % 4 == 0 else results
        results = replace(results, learning_curve=LEARNING if number % 4 == 1 and metric == "accuracy" else None)
        results = replace(results, interrupted=number % 8 == 2, seconds=2000.0 if number % 8 == 3 else results.seconds)
        results = replace(results, model="model" if results.picked and not results.interrupted else None)
        name = f"{number:02} {metric}, {'/'.join(map(str, sizes))} images, {len(known)} strategies"
        yield name, RunRecord.of(results, verdict=verdict(results), details=details(results))


def _with_folder(results: RunResults, *, accuracy: float) -> RunResults:
    """The same with a test folder of 300 photos, on which what was picked reaches that accuracy."""
    picked = results.outcome_of(results.picked)
    if picked is None:
        return results
    low, high = max(0.0, accuracy - 0.04), min(1.0, accuracy + 0.04)
    tested = replace(picked, confirmation=replace(CONFIRMED, accuracy=accuracy, interval=Interval(low, high)))
    alarm, example = contradicting_folder(tested, margin=results.margin), run_results()
    return replace(
        results,
        strategies=tuple(tested if one.strategy == tested.strategy else one for one in results.strategies),
        findings=(*results.findings, *filter(None, [alarm])),
        test_images=example.test_images,
        test_labels=example.test_labels,
        test_groups=example.test_groups,
        test_looks=1,
    )
