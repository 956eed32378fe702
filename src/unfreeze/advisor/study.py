"""The whole run: inspect, read codes, measure strategy after strategy within a budget, choose one, answer.

Everything is decided on the train part. The test part is read once, after the choice, from the model as delivered; the
other strategies' scores on it are reported beside it and decide nothing.
"""

import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from unfreeze.advisor.model_card import model_card
from unfreeze.advisor.verdict import comparisons_for, verdict
from unfreeze.core.errors import AuditError
from unfreeze.core.files import write_bytes, write_json
from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.records import Comparison, DepthPoint, Outcome, RunRecord, plain
from unfreeze.data.decoder_pool import DecoderPool
from unfreeze.data.geometry import Geometry
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.splits import split_image_set
from unfreeze.data.transforms import RECIPES
from unfreeze.features.extraction import geometry_of
from unfreeze.strategies.depth import depth_points, fit_tap_probes, last_probe, probe_strategies
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import (
    from_head,
    full_strategy,
    head_strategy,
    scratch_strategy,
    unfreeze_strategy,
)
from unfreeze.strategies.measuring import Measured, groups_of_test, with_test_scores
from unfreeze.strategies.prediction import predict_images
from unfreeze.strategies.preparation import prepare, with_measured_flips
from unfreeze.strategies.selection import Selection, select_strategy
from unfreeze.zoo.backbones import DEFAULT_BACKBONE, Backbone, load_backbone
from unfreeze.zoo.folders import save_model

RESERVE = 0.05  # of the budget, for saving, predicting and writing
SHARE_OF_STEP_TWO = 0.4  # of what is left, when the whole network is still to come
SHARE_OF_FULL = 0.6  # of what is left, when training from scratch is still to come
LIBRARIES = ("torch", "torchvision", "timm", "openvino", "numpy", "scipy", "scikit-learn", "pillow", "pyarrow")


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What a run is asked to do.

    Attributes:
        source: Folder or list of labelled images.
        backbone: Name of the network.
        weights: File of weights, instead of the network's usual ones.
        size: Side of the network's input in pixels, instead of its usual one.
        unfreeze: How many blocks step two unfreezes.
        scratch: Also train from random weights.
        budget_seconds: What the run may take.
        seed: Of everything.
        max_bad: Largest share of files that may be unreadable.
        engine: auto, openvino or torch.
        precision: auto, f32, bf16 or int8; of the frozen layers.
        augment: light, standard, strong or none; of training images.
    """

    source: Path
    backbone: str = DEFAULT_BACKBONE
    weights: Path | None = None
    size: int | None = None
    unfreeze: int = 2
    scratch: bool = False
    budget_seconds: float = 900.0
    seed: int = 0
    max_bad: float = 0.01
    engine: str = "auto"
    precision: str = "auto"
    augment: str = "light"


@dataclass
class _Notes:
    """What a run has found so far; an interrupt leaves it as it is."""

    started: float
    measured: list[Measured] = field(default_factory=list)
    depth_curve: tuple[DepthPoint, ...] = ()
    phases: dict[str, float] = field(default_factory=dict)
    forecasts: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False

    def elapsed(self) -> float:
        return time.perf_counter() - self.started

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.phases[phase] = round(self.phases.get(phase, 0.0) + time.perf_counter() - begun, 3)


def run_study(settings: StudySettings, *, out: Path, progress: Progress = SILENT) -> RunRecord:
    """Measure every strategy that fits the budget, deliver one model and answer.

    Args:
        settings: What is asked.
        out: An empty folder; `run.json` and `model/` go into it.
        progress: Is told where the work stands.

    Returns:
        The record, as written to `run.json`. After an interrupt (Ctrl-C) it holds what there was by then.

    Raises:
        UnfreezeError: The input cannot be used, the disk is full, or an audit failed.
    """
    notes = _Notes(time.perf_counter())
    with DecoderPool() as pool:
        with notes.timed("load network"):  # first, since a mistake in its name should not cost an inspection
            source = load_backbone(settings.backbone, weights=settings.weights, size=settings.size)
            source.cut_before_blocks(settings.unfreeze)
        with notes.timed("inspect"):
            image_set = _inspected(settings, geometry_of(source.card), pool, progress)
        with notes.timed("codes"):
            experiment = prepare(
                image_set,
                source,
                pool=pool,
                progress=progress,
                engine=settings.engine,
                precision=settings.precision,
                seed=settings.seed,
                augmentation=RECIPES[settings.augment],
            )
        try:
            _measure_strategies(settings, experiment, notes)
        except KeyboardInterrupt:
            notes.interrupted = True
            progress.say("Interrupted: keeping what there is so far.")
        return _conclude(settings, experiment, notes, out=out, pool=pool)


def _inspected(settings: StudySettings, geometry: Geometry, pool: DecoderPool, progress: Progress) -> ImageSet:
    image_set = read_image_set(
        settings.source, pool=pool, progress=progress, max_bad=settings.max_bad, geometry=geometry
    )
    for warning in image_set.warnings:
        progress.say(warning)
    counts = image_set.counts
    progress.say(
        f"{counts.found:,} files found: {counts.used:,} used, {counts.set_aside:,} set aside, "
        f"{counts.duplicates_removed:,} duplicates removed; {len(image_set.classes)} classes."
    )
    return split_image_set(image_set, seed=settings.seed)


def _measure_strategies(settings: StudySettings, experiment: Experiment, notes: _Notes) -> None:
    """From cheap to dear; everything that was measured is noted at once."""
    task, seed = experiment.task, settings.seed
    with notes.timed("probes"):
        probes = fit_tap_probes(
            experiment.codes.by_tap, task, balanced=experiment.balanced, progress=experiment.progress
        )
        notes.depth_curve = depth_points(probes, task)
        notes.measured += probe_strategies(probes, task, experiment.source, seed=seed)
    C = last_probe(probes, "softmax").search.C
    with notes.timed("head"):
        head = head_strategy(experiment, C=C)
        notes.measured.append(head)
    with notes.timed("flips"):
        experiment = with_measured_flips(experiment, C=C)
    beginning = from_head(head)
    if settings.unfreeze:
        share = SHARE_OF_STEP_TWO
        with notes.timed("unfreeze"):
            step_two = unfreeze_strategy(
                experiment, beginning, blocks=settings.unfreeze, allowance=share * _left(settings, notes)
            )
            _note(notes, step_two)
    with notes.timed("full"):
        share = SHARE_OF_FULL if settings.scratch else 1.0
        _note(notes, full_strategy(experiment, beginning, allowance=share * _left(settings, notes)))
    if settings.scratch:
        with notes.timed("scratch"):
            _note(notes, scratch_strategy(experiment, allowance=_left(settings, notes)))


def _left(settings: StudySettings, notes: _Notes) -> float:
    """Seconds of the budget that training may still use."""
    return (1 - RESERVE) * settings.budget_seconds - notes.elapsed()


def _note(notes: _Notes, measured: Measured) -> None:
    outcome = measured.outcome
    notes.measured.append(measured)
    notes.forecasts.append(
        {
            "strategy": outcome.name,
            "forecast_seconds": outcome.settings["forecast"],
            "seconds": outcome.seconds,
            "status": outcome.status,
        }
    )


def _conclude(
    settings: StudySettings, experiment: Experiment, notes: _Notes, *, out: Path, pool: DecoderPool
) -> RunRecord:
    """Choose, deliver, read the test part from what is delivered, compare, and write."""
    task, seed = experiment.task, settings.seed
    selection = select_strategy(notes.measured, task)
    outcomes = _with_selection([m.outcome for m in notes.measured], selection)
    if selection is not None:
        with notes.timed("deliver"):
            delivered = _delivered(settings, experiment, selection, out=out, pool=pool)
        outcomes = [delivered if o.name == delivered.name else o for o in outcomes]
    picked = next((o for o in outcomes if selection and o.name == selection.picked.outcome.name), None)
    labels, groups = task.labels[task.test_rows], groups_of_test(task)
    comparisons = comparisons_for(outcomes, labels, groups, seed=seed)
    sentences = verdict(
        outcomes,
        comparisons,
        picked=picked,
        depth_curve=notes.depth_curve,
        test_size=len(labels),
        interrupted=notes.interrupted,
    )
    record = _record(settings, experiment, notes, outcomes, comparisons)
    record = replace(
        record,
        picked=picked.name if picked else None,
        picked_because=selection.because if selection else "",
        verdict=sentences,
        model="model" if selection else None,
        seconds=round(notes.elapsed(), 3),
    )
    write_json(out / "run.json", record.to_json())
    return record


def _with_selection(outcomes: Sequence[Outcome], selection: Selection | None) -> list[Outcome]:
    """Outcomes with their held-out accuracy on the rows that all candidates share."""
    accuracies = selection.accuracies if selection else {}
    return [replace(o, selection_accuracy=accuracies.get(o.name, o.selection_accuracy)) for o in outcomes]


def _delivered(
    settings: StudySettings, experiment: Experiment, selection: Selection, *, out: Path, pool: DecoderPool
) -> Outcome:
    """Save the picked model and measure it as saved: in float32, loaded from its folder."""
    backbone, outcome = selection.picked.backbone, selection.picked.outcome
    assert backbone is not None  # noqa: S101 - only what can be delivered is selected
    folder = out / "model"
    task = experiment.task
    images = [task.image_set.images[row] for row in task.test_rows]
    _save(folder, backbone, outcome, experiment)
    said = predict_images(folder, [image.path for image in images], pool=pool, progress=experiment.progress)
    if said.set_aside:
        msg = f"{said.set_aside[0].name} could be read at the start of the run and cannot be read any more. Run again."
        raise AuditError(msg)
    outcome = with_test_scores(
        replace(outcome, selection_accuracy=selection.accuracies[outcome.name]),
        said.scores,
        task,
        seed=settings.seed,
        probabilities=outcome.log_loss is not None,
    )
    _rewrite_card(folder, outcome, experiment, selection.because)
    return outcome


def _save(folder: Path, backbone: Backbone, outcome: Outcome, experiment: Experiment) -> None:
    card = _card(outcome, experiment, "Measured in memory, not yet on the saved model.")
    names = experiment.task.image_set.classes
    save_model(folder, backbone, class_names=names, card_text=card, margins=outcome.log_loss is None)


def _rewrite_card(folder: Path, outcome: Outcome, experiment: Experiment, because: str) -> None:
    """The card again, now with what was measured on the saved model."""
    text = _card(outcome, experiment, f"{because} The test part was then read once, with this saved folder in float32.")
    write_bytes(folder / "README.md", text.encode("utf-8", "surrogateescape"))


def _card(outcome: Outcome, experiment: Experiment, how: str) -> str:
    image_set = experiment.task.image_set
    return model_card(
        title=f"{outcome.name} on {image_set.root.name}",
        outcome=outcome,
        network=plain(experiment.source.card),
        classes=image_set.classes,
        images=image_set.counts,
        test_size=len(experiment.task.test_rows),
        measured=(how, "The variance over training sets is not in the interval."),
    )


def _record(
    settings: StudySettings,
    experiment: Experiment,
    notes: _Notes,
    outcomes: Sequence[Outcome],
    comparisons: Sequence[Comparison],
) -> RunRecord:
    """Everything but the choice and the verdict."""
    task, image_set = experiment.task, experiment.task.image_set
    names = [image.name for image in image_set.images]
    return RunRecord(
        command={key: str(value) if isinstance(value, Path) else value for key, value in vars(settings).items()},
        versions=library_versions(),
        images=image_set.counts,
        classes=image_set.classes,
        set_aside=tuple({"name": s.name, "reason": s.reason} for s in image_set.set_aside),
        duplicates=tuple({"name": d.name, "same_as": d.same_as, "why": d.why} for d in image_set.duplicates),
        warnings=image_set.warnings,
        train_images=tuple(names[row] for row in task.train_rows),
        test_images=tuple(names[row] for row in task.test_rows),
        test_labels=tuple(int(label) for label in task.labels[task.test_rows]),
        test_groups=tuple(task.groups[row] for row in task.test_rows),
        network=plain(experiment.source.card),
        depth_curve=notes.depth_curve,
        strategies=tuple(outcomes),
        comparisons=tuple(comparisons),
        picked=None,
        picked_because="",
        verdict=(),
        model=None,
        codes={"computed": experiment.codes.computed, "reused": experiment.codes.reused},
        phases=notes.phases,
        forecasts=tuple(notes.forecasts),
        seconds=notes.elapsed(),
        seed=settings.seed,
        budget_seconds=settings.budget_seconds,
        interrupted=notes.interrupted,
    )


def library_versions() -> dict[str, str]:
    """Versions of what moves numbers."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("unfreeze", *LIBRARIES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
