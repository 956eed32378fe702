"""The depth curve: a linear SVM and a softmax classifier on the codes of every tap."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from unfreeze.core.progress import Advance, ignore
from unfreeze.core.records import DepthPoint
from unfreeze.metrics.accuracy import accuracy
from unfreeze.probes.search import ProbeSearch, search_probes
from unfreeze.probes.solver import LinearProbe
from unfreeze.strategies.experiment import Split, Task
from unfreeze.zoo.backbones import Backbone

Loss = Literal["softmax", "svm"]
LOSSES: tuple[Loss, ...] = ("softmax", "svm")


@dataclass(frozen=True, eq=False, kw_only=True)
class TapProbe:
    """A probe at a tap, its C chosen and itself fitted on the learning side of a split.

    Attributes:
        tap: Where.
        loss: softmax or svm.
        probe: The classifier.
        C: The regularisation that cross-validation chose.
        Cs: What it chose from.
        cv_accuracy: Its cross-validated accuracy.
        test_scores: Of the split's test rows.
        seconds: Wall time of search and fit; what losses fitted together share is the first one's.
        cpu_seconds: Processor time of the same.
    """

    tap: str
    loss: Loss
    probe: LinearProbe
    C: float
    Cs: tuple[float, ...]
    cv_accuracy: float
    test_scores: Float[np.ndarray, "row cls"]
    seconds: float
    cpu_seconds: float


def fit_tap_probes(
    by_tap: dict[str, Float[np.ndarray, "image code"]],
    task: Task,
    split: Split,
    *,
    losses: Sequence[Loss] = LOSSES,
    balanced: bool = False,
    advance: Advance = ignore,
) -> list[TapProbe]:
    """Fit every loss at every tap, shallow to deep; the split's test rows are only scored.

    Args:
        by_tap: Codes of every row.
        task: Labels.
        split: Rows and folds.
        losses: Which linear classifiers.
        balanced: Make all classes count the same, as `probes.search.search_probes` says.
        advance: Is told of every probe.

    Returns:
        One probe per tap and loss.
    """
    found = []
    for tap, codes in by_tap.items():
        started = _clocks()
        searches = search_probes(
            codes[split.learn],
            task.labels[split.learn],
            split.folds_in_learn,
            losses=losses,
            class_count=task.class_count,
            balanced=balanced,
        )
        for loss, search in zip(losses, searches, strict=True):
            found.append(_tap_probe(tap, loss, search, codes[split.test], _clocks() - started))
            advance(1)
            started = _clocks()
    return found


def _clocks() -> Float[np.ndarray, "2"]:
    """Wall time and processor time, seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def _tap_probe(
    tap: str, loss: Loss, search: ProbeSearch, test: Float[np.ndarray, "row code"], took: Float[np.ndarray, "2"]
) -> TapProbe:
    return TapProbe(
        tap=tap,
        loss=loss,
        probe=search.probe,
        C=search.C,
        Cs=search.Cs,
        cv_accuracy=search.cv_accuracy,
        test_scores=search.probe.scores(test),
        seconds=float(took[0]),
        cpu_seconds=float(took[1]),
    )


def depth_points(fitted: Sequence[tuple[Split, Sequence[TapProbe]]], task: Task) -> tuple[DepthPoint, ...]:
    """The depth curve for the record.

    Args:
        fitted: The probes of each split, in the same order of taps and losses; later splits may lack a loss.
        task: Labels.

    Returns:
        One point per tap and loss: means over splits, and the median C.
    """
    same: dict[tuple[str, Loss], list[tuple[Split, TapProbe]]] = {}
    for split, probes in fitted:
        for probe in probes:
            same.setdefault((probe.tap, probe.loss), []).append((split, probe))
    return tuple(_depth_point(of_splits, task) for of_splits in same.values())


def _depth_point(of_splits: Sequence[tuple[Split, TapProbe]], task: Task) -> DepthPoint:
    probes = [probe for _, probe in of_splits]
    right = [accuracy(task.labels[split.test], probe.test_scores.argmax(axis=1)) for split, probe in of_splits]
    return DepthPoint(
        tap=probes[0].tap,
        width=probes[0].probe.weight.shape[1],
        loss=probes[0].loss,
        C=float(np.quantile([p.C for p in probes], 0.5, method="lower")),
        cv_accuracy=float(np.mean([p.cv_accuracy for p in probes])),
        accuracy=float(np.mean(right)),
    )


def best_probe(probes: Sequence[TapProbe]) -> TapProbe:
    """The probe with the best cross-validated accuracy; the deepest one among equals."""
    return max(enumerate(probes), key=lambda placed: (placed[1].cv_accuracy, placed[0]))[1]


def with_probe(source: Backbone, probe: LinearProbe) -> Backbone:
    """A copy of the network with a probe on the last codes as its head."""
    backbone = source.with_classes(len(probe.bias))
    backbone.set_head(torch.from_numpy(probe.weight), torch.from_numpy(probe.bias))
    return backbone
