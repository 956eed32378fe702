"""The depth curve: a linear SVM and a softmax classifier on the codes of every tap."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unfreeze.core.progress import Advance, ignore
from unfreeze.core.records import DepthPoint
from unfreeze.core.strategies import Loss
from unfreeze.data.tasks import Split, Task
from unfreeze.metrics.accuracy import accuracy
from unfreeze.probes.cores import side_by_side
from unfreeze.probes.search import ProbeSearch, held_out_temperature, search_probe
from unfreeze.probes.solver import LinearProbe

LOSSES: tuple[Loss, ...] = ("softmax", "svm")


class ProbeSpec(NamedTuple):
    """Which probe: on which split, at which tap, with which loss."""

    split: Split
    tap: str
    loss: Loss


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
        temperature: By what held-out rows of the learning side say that a softmax's scores should be divided; 1 for an
            SVM.
        seconds: Its part of the wall time of all that were fitted side by side, by their processor times: parts add up.
        cpu_seconds: Processor time of search and fit.
    """

    tap: str
    loss: Loss
    probe: LinearProbe
    C: float
    Cs: tuple[float, ...]
    cv_accuracy: float
    test_scores: Float[np.ndarray, "row cls"]
    temperature: float
    seconds: float
    cpu_seconds: float

    @property
    def seconds_alone(self) -> float:
        """Wall time of the same with nothing beside it: it runs on one core."""
        return max(self.seconds, self.cpu_seconds)


def fit_tap_probes(
    by_tap: Mapping[str, Float[np.ndarray, "image code"]],
    task: Task,
    specs: Sequence[ProbeSpec],
    *,
    balanced: bool = False,
    advance: Advance = ignore,
) -> list[TapProbe]:
    """Fit every probe, side by side; the splits' test rows are only scored.

    Args:
        by_tap: Codes of every row.
        task: Labels.
        specs: Split, tap and loss of each.
        balanced: Make all classes count the same, as `probes.search.search_probe` says.
        advance: Reports progress per probe.

    Returns:
        The probes, in the order of `specs`.
    """

    def fit(spec: ProbeSpec) -> tuple[ProbeSearch, Float[np.ndarray, "row cls"], float, float]:
        started, codes, learn = time.thread_time(), by_tap[spec.tap], spec.split.learn
        search = search_probe(
            codes[learn],
            task.labels[learn],
            spec.split.folds_in_learn,
            loss=spec.loss,
            class_count=task.class_count,
            balanced=balanced,
        )
        temperature = held_out_temperature(search, task.labels[learn]) if spec.loss == "softmax" else 1.0
        return search, search.probe.scores(codes[spec.split.test]), temperature, time.thread_time() - started

    started = time.perf_counter()
    found = side_by_side(fit, specs, size=lambda spec: by_tap[spec.tap].shape[1], advance=advance)
    seconds, of_all = time.perf_counter() - started, sum(cpu_seconds for *_, cpu_seconds in found) or 1.0
    return [
        TapProbe(
            tap=spec.tap,
            loss=spec.loss,
            probe=search.probe,
            C=search.C,
            Cs=search.Cs,
            cv_accuracy=search.cv_accuracy,
            test_scores=scores,
            temperature=temperature,
            seconds=seconds * cpu_seconds / of_all,
            cpu_seconds=cpu_seconds,
        )
        for spec, (search, scores, temperature, cpu_seconds) in zip(specs, found, strict=True)
    ]


def depth_points(split: Split, probes: Sequence[TapProbe], task: Task) -> tuple[DepthPoint, ...]:
    """The probes of one split, for the record.

    Args:
        split: Where they were fitted.
        probes: Fitted there.
        task: Labels.

    Returns:
        One point per probe, in their order.
    """
    return tuple(
        DepthPoint(
            tap=probe.tap,
            width=probe.probe.weight.shape[1],
            loss=probe.loss,
            C=probe.C,
            cv_accuracy=probe.cv_accuracy,
            accuracy=accuracy(task.labels[split.test], probe.test_scores.argmax(axis=1)),
        )
        for probe in probes
    )


def mean_points(of_splits: Sequence[Sequence[DepthPoint]]) -> tuple[DepthPoint, ...]:
    """The depth curve over several splits.

    Args:
        of_splits: The points of each split, in the same order of taps and losses; later splits may lack a loss.

    Returns:
        One point per tap and loss: means over splits, and the median C.
    """
    same: dict[tuple[str, Loss], list[DepthPoint]] = {}
    for points in of_splits:
        for point in points:
            same.setdefault((point.tap, point.loss), []).append(point)
    return tuple(_mean_point(points) for points in same.values())


def _mean_point(points: Sequence[DepthPoint]) -> DepthPoint:
    return replace(
        points[0],
        C=float(np.quantile([p.C for p in points], 0.5, method="lower")),
        cv_accuracy=float(np.mean([p.cv_accuracy for p in points])),
        accuracy=float(np.mean([p.accuracy for p in points])),
    )


def best_probe(probes: Sequence[TapProbe]) -> TapProbe:
    """The probe with the best cross-validated accuracy; the deepest one among equals."""
    return max(enumerate(probes), key=lambda placed: (placed[1].cv_accuracy, placed[0]))[1]
