"""Time of all linear probes of a run, beside scikit-learn's on the same codes.

    python benchmarks/probes.py --panel PANEL --sets hymenoptera,trashnet --repeats 5

PANEL holds a folder a set with a `list.csv` (path, label, split, group). The job: at every tap of the default network,
both losses, seven values of C, five folds, a refit at the best. scikit-learn gets it as LogisticRegressionCV and
GridSearchCV of LinearSVC, with n_jobs=-1, on codes that are standardised already (ours once for all folds).
Both sides run in turn in one process, on the cores that it may use; clocks start after imports. A side that takes over
ten minutes is not repeated. Rows are appended to `results.jsonl` beside this file; a set and side that is there already
(same commit) is not run again.
"""

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from panel import code_version, is_there, keep
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_info

from unfreeze.core.strategies import Loss
from unfreeze.core.versions import versions
from unfreeze.data.inspection import read_image_set
from unfreeze.data.splits import folds
from unfreeze.data.tasks import Task, make_task
from unfreeze.features.frozen import read_codes
from unfreeze.images.pool import DecoderPool
from unfreeze.probes.cores import side_by_side
from unfreeze.probes.search import DEFAULT_CS, ProbeSearch, search_probe
from unfreeze.strategies.depth_curve import LOSSES
from unfreeze.zoo.backbones import load_backbone

MEASURE = "probes"
SEED = 0
CS = DEFAULT_CS[:7]
LONG_SECONDS = 600
# The defaults of scikit-learn (LogisticRegressionCV, LinearSVC), and what converges.
MOST_STEPS = {"scikit-learn": (100, 1_000), "scikit-learn, more steps": (10_000, 100_000)}

Codes = dict[str, np.ndarray]
Found = dict[str, Any]


def five_folds(task: Task) -> list[tuple[np.ndarray, np.ndarray]]:
    """As places among the train rows."""
    groups = [task.groups[row] for row in task.train_rows]
    return folds(task.labels[task.train_rows], groups, count=5, seed=SEED)


def ours(by_tap: Codes, task: Task) -> Found:
    """All probes by unfreeze."""
    train, cuts = task.train_rows, five_folds(task)

    def fit(place: tuple[str, Loss]) -> ProbeSearch:
        tap, loss = place
        codes, labels = by_tap[tap][train], task.labels[train]
        return search_probe(codes, labels, cuts, loss=loss, Cs=CS, class_count=task.class_count)

    places = [(tap, loss) for tap in by_tap for loss in LOSSES]
    searches = side_by_side(fit, places, size=lambda place: by_tap[place[0]].shape[1])
    return {
        f"{tap} {loss}": (search.C, search.cv_accuracy) for (tap, loss), search in zip(places, searches, strict=True)
    }


def theirs(standardised: Codes, task: Task, most_steps: tuple[int, int]) -> Found:
    """All probes by scikit-learn."""
    labels, cuts = task.labels[task.train_rows], five_folds(task)
    # Two classes: scikit-learn has one row of weights where ours has two, opposite; twice the C is the same problem.
    factor = 2 if task.class_count == 2 else 1
    found, unfinished = {}, 0
    for tap, codes in standardised.items():
        softmax = LogisticRegressionCV(
            Cs=[factor * C for C in CS], cv=cuts, n_jobs=-1, max_iter=most_steps[0], use_legacy_attributes=False
        ).fit(codes, labels)
        unfinished += int((softmax.n_iter_ >= most_steps[0]).sum())
        found[f"{tap} softmax"] = (float(softmax.C_) / factor, float(softmax.scores_.mean(axis=0).max()))
        svm = GridSearchCV(
            LinearSVC(max_iter=most_steps[1]), {"C": CS}, cv=cuts, n_jobs=-1, scoring=with_steps, refit="accuracy"
        ).fit(codes, labels)
        steps = np.array([svm.cv_results_[f"split{fold}_test_steps"] for fold in range(len(cuts))])
        unfinished += int((steps >= most_steps[1]).sum())
        found[f"{tap} svm"] = (svm.best_params_["C"], float(svm.best_score_))
    return {**found, "unfinished fits": unfinished}


def with_steps(model: LinearSVC, codes: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy, and the steps that were taken: warnings of worker processes are lost."""
    return {"accuracy": model.score(codes, labels), "steps": model.n_iter_}


def timed(sides: dict[str, Callable[[], Found]], repeats: int) -> dict[str, tuple[list[float], Found]]:
    """Seconds of every repeat, sides in turn."""
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    found = {}
    for _ in range(repeats):
        for side, fit in sides.items():
            if seconds[side] and seconds[side][-1] > LONG_SECONDS:
                continue
            started = time.perf_counter()
            found[side] = fit()
            seconds[side].append(round(time.perf_counter() - started, 4))
    return {side: (seconds[side], found[side]) for side in sides}


def read(source: Path) -> tuple[Codes, Codes, Task]:
    """Codes of every row; those of the train part, standardised; the task."""
    with DecoderPool() as pool:
        task = make_task(read_image_set(source, pool=pool), seed=SEED)
        by_tap = read_codes(task.image_set, load_backbone(), pool=pool).by_tap
    train = task.train_rows
    standardised = {tap: StandardScaler().fit_transform(codes[train].astype(float)) for tap, codes in by_tap.items()}
    return by_tap, standardised, task


def measure(source: Path, missing: list[str], repeats: int) -> dict[str, dict[str, Any]]:
    """One row a side."""
    by_tap, standardised, task = read(source)
    sides: dict[str, Callable[[], Found]] = {"unfreeze": lambda: ours(by_tap, task)}
    for side, most_steps in MOST_STEPS.items():
        sides[side] = lambda most_steps=most_steps: theirs(standardised, task, most_steps)
    job = {
        "cores": len(psutil.Process().cpu_affinity() or []) or os.cpu_count(),
        "threads": max(pool["num_threads"] for pool in threadpool_info()),
        "Cs": CS,
        "taps": list(by_tap),
        "train_images": len(task.train_rows),
        "versions": versions(),
    }
    return {
        side: {
            "median_seconds": statistics.median(seconds),
            "least_seconds": min(seconds),
            "most_seconds": max(seconds),
            "seconds": seconds,
            "most_steps": MOST_STEPS.get(side),
            "found": found,
            **job,
        }
        for side, (seconds, found) in timed({side: sides[side] for side in missing}, repeats).items()
    }


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default="hymenoptera,trashnet")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # fits that end unfinished are counted instead
    for name in asked.sets.split(","):
        key = {"measure": MEASURE, "set": name, "seed": SEED, "code": code_version()}
        sides = ["unfreeze", *MOST_STEPS]
        missing = [s for s in sides if not is_there({**key, "side": s})]
        if not missing:
            continue
        for side, measured in measure(asked.panel / name / "list.csv", missing, asked.repeats).items():
            keep({**key, "side": side, **measured}, shown=("set", "side", "median_seconds", "seconds"))


if __name__ == "__main__":
    main()
