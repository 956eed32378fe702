"""The depth curve: a linear SVM and a softmax classifier on the codes of every tap."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from unfreeze.core.progress import Progress
from unfreeze.core.records import DepthPoint, Outcome
from unfreeze.metrics.accuracy import accuracy
from unfreeze.probes.search import ProbeSearch, search_probes
from unfreeze.strategies.experiment import Task
from unfreeze.strategies.measuring import Measured, nothing_held_out, with_test_scores
from unfreeze.zoo.backbones import Backbone

Loss = Literal["softmax", "svm"]
LOSSES: tuple[Loss, ...] = ("softmax", "svm")


@dataclass(frozen=True, eq=False)
class TapProbe:
    """A probe at a tap, chosen and fitted on the train part.

    Attributes:
        tap: Where.
        loss: softmax or svm.
        search: What cross-validation gave.
        test_scores: Of the test rows.
        seconds: Wall time of search and fit; the first loss at a tap carries what all losses share.
    """

    tap: str
    loss: Loss
    search: ProbeSearch
    test_scores: Float[np.ndarray, "row cls"]
    seconds: float


def fit_tap_probes(
    by_tap: dict[str, Float[np.ndarray, "image code"]],
    task: Task,
    *,
    losses: Sequence[Loss] = LOSSES,
    balanced: bool = False,
    progress: Progress,
) -> list[TapProbe]:
    """Fit every loss at every tap, shallow to deep; the test part is only scored.

    Args:
        by_tap: Codes of every row.
        task: Rows and folds.
        losses: Which linear classifiers.
        balanced: Make all classes count the same, as `probes.search.search_probes` says.
        progress: Is told of every probe.

    Returns:
        One probe per tap and loss.
    """
    found = []
    with progress.phase("probes", total=len(by_tap) * len(losses), unit="probe") as advance:
        for tap, codes in by_tap.items():
            started = time.perf_counter()
            searches = search_probes(
                codes[task.train_rows],
                task.labels[task.train_rows],
                task.folds_in_train,
                losses=losses,
                class_count=task.class_count,
                balanced=balanced,
            )
            for loss, search in zip(losses, searches, strict=True):
                scores = search.probe.scores(codes[task.test_rows])
                found.append(TapProbe(tap, loss, search, scores, time.perf_counter() - started))
                advance(1)
                started = time.perf_counter()
    return found


def depth_points(probes: Sequence[TapProbe], task: Task) -> tuple[DepthPoint, ...]:
    """The depth curve for the record."""
    labels = task.labels[task.test_rows]
    return tuple(
        DepthPoint(
            tap=p.tap,
            width=p.search.probe.weight.shape[1],
            loss=p.loss,
            C=p.search.C,
            cv_accuracy=p.search.cv_accuracy,
            accuracy=accuracy(labels, p.test_scores.argmax(axis=1)),
        )
        for p in probes
    )


def best_probe(probes: Sequence[TapProbe], loss: Loss) -> TapProbe:
    """The probe with the best cross-validated accuracy; the deepest one among equals."""
    mine = [p for p in probes if p.loss == loss]
    return max(mine, key=lambda p: (p.search.cv_accuracy, mine.index(p)))


def last_probe(probes: Sequence[TapProbe], loss: Loss) -> TapProbe:
    """The probe on the last codes."""
    return [p for p in probes if p.loss == loss][-1]


def probe_strategies(probes: Sequence[TapProbe], task: Task, source: Backbone, *, seed: int) -> list[Measured]:
    """The feature extractor as strategies: both losses on the last codes, and on the tap that cross-validation chose.

    Args:
        probes: At every tap.
        task: Rows and folds.
        source: The network whose codes they are.
        seed: Of intervals.

    Returns:
        Two to four strategies; a probe at an earlier tap is a cut-off network and cannot be delivered for timm.
    """
    last = [last_probe(probes, loss) for loss in LOSSES]
    earlier = [best for loss in LOSSES if (best := best_probe(probes, loss)) not in last]
    return [_measured(p, task, source, seed=seed, is_last=p in last) for p in (*last, *earlier)]


def _measured(probe: TapProbe, task: Task, source: Backbone, *, seed: int, is_last: bool) -> Measured:
    held_out = nothing_held_out(task)
    seen = np.isfinite(probe.search.held_out_scores).all(axis=1)
    held_out[task.train_rows[seen]] = probe.search.held_out_scores[seen].argmax(axis=1)
    kind = "SVM" if probe.loss == "svm" else "softmax"
    where = "the last codes" if is_last else f"the codes of {probe.tap}"
    outcome = Outcome(
        name=f"{probe.loss} on {where}",
        kind="probe",
        tap=probe.tap,
        trained=f"linear {kind} on {probe.search.probe.weight.shape[1]:,} codes of {probe.tap}",
        selection_accuracy=probe.search.cv_accuracy,
        selection_folds=len(task.folds),
        seconds=probe.seconds,
        settings={
            "loss": probe.loss,
            "C": probe.search.C,
            "Cs": list(probe.search.Cs),
            "balanced": probe.search.balanced,
        },
        deliverable=is_last,
    )
    outcome = with_test_scores(outcome, probe.test_scores, task, seed=seed, probabilities=probe.loss == "softmax")
    backbone = with_probe(source, probe.search.probe.weight, probe.search.probe.bias) if is_last else None
    return Measured(outcome, held_out, backbone)


def with_probe(source: Backbone, weight: Float[np.ndarray, "cls code"], bias: Float[np.ndarray, " cls"]) -> Backbone:
    """A copy of the network with a probe as its head."""
    backbone = source.with_classes(len(bias))
    backbone.set_head(torch.from_numpy(weight), torch.from_numpy(bias))
    return backbone
