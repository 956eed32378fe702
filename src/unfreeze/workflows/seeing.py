"""What a run leaves to look at: the map of its codes, and where the delivered network looks."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, Int, UInt8

from unfreeze.core.plans import ProbeSettings
from unfreeze.core.readouts import Readout
from unfreeze.core.records import Outcome
from unfreeze.core.seeding import derive_seed, generator
from unfreeze.core.seeing import CodeMap, HeatMap, Looks
from unfreeze.core.wording import count
from unfreeze.data.tasks import Task
from unfreeze.features.extraction import Codes
from unfreeze.features.heat import can_look, heat
from unfreeze.metrics.class_activation import as_grid
from unfreeze.metrics.code_map import FEWEST_POINTS, MOST_POINTS, class_neighbours, comparable, drawn_rows, plane
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.joined import in_words
from unfreeze.zoo.backbones import Backbone, PixelClassifier
from unfreeze.zoo.folders import read_model
from unfreeze.zoo.last_map import Watched, watched
from unfreeze.zoo.tap_classifier import CutNetwork

SECONDS_A_POINT: Final = 0.004  # of t-SNE on one core of a server: 8 s for 2,000 points
OF_EACH: Final = 6  # wrong photos, and right ones, that heat maps are made of
LACKS_CAPTUM: Final = (
    'captum is not installed, which shows where a network looks: `pip install "unfreeze[look]"` and run again.'
)


def code_map(experiment: Experiment, picked: Outcome, *, seconds: float) -> CodeMap:
    """The images of the train part in a plane, by the codes that the picked strategy reads.

    Of a strategy that trains the network these are the last codes of the network as it was before.

    Args:
        experiment: Images and codes.
        picked: What was picked.
        seconds: What it may take; with less of it there are fewer images.

    Returns:
        The map, or why there is none.
    """
    readouts = _readouts(picked, experiment.codes)
    words = _codes_in_words(readouts, experiment.codes)
    rows = experiment.task.train_rows
    most = int(min(MOST_POINTS, seconds / SECONDS_A_POINT, len(rows)))
    if most < FEWEST_POINTS:
        few = len(rows) < FEWEST_POINTS
        why = f"{count(len(rows), 'image')} make no map." if few else "The budget was nearly gone: there is no map."
        return CodeMap(codes=words, note=why)
    seed = derive_seed(experiment.seed, "code map")
    places = drawn_rows(experiment.task.labels[rows], most, rng=np.random.default_rng(seed))
    drawn = rows[places]
    codes = comparable(np.concatenate([experiment.codes.at(one)[drawn] for one in readouts], axis=1))
    points = plane(codes, seed=seed % 2**32)  # scikit-learn takes no larger ones
    of_class = class_neighbours(codes, experiment.task.labels[drawn], classes=experiment.task.class_count)
    return CodeMap(
        codes=words,
        images=tuple(places.tolist()),
        x=tuple(points[:, 0].tolist()),
        y=tuple(points[:, 1].tolist()),
        neighbours=of_class,
        note=f"{len(places):,} of {len(rows):,} images are shown, drawn class by class." if most < len(rows) else "",
    )


def _readouts(picked: Outcome, codes: Codes) -> tuple[Readout, ...]:
    """What the picked strategy reads of the frozen network; the last codes where it trains the network."""
    names = picked.settings.readouts if isinstance(picked.settings, ProbeSettings) else ()
    if names:
        return tuple(one for one in codes.readouts if one.name in names)
    taps = list(codes.by_tap)
    return (Readout(picked.tap if picked.tap in taps else taps[-1]),)


def _codes_in_words(readouts: tuple[Readout, ...], codes: Codes) -> str:
    if len(readouts) > 1:
        return f"the codes that the picked classifier reads of the frozen network ({in_words(readouts)})"
    tap = readouts[0].tap
    which = "the last codes" if tap == list(codes.by_tap)[-1] else "the codes"
    return f"{which} of the frozen network ({tap})"


@dataclass(frozen=True, eq=False, kw_only=True)
class _Answers:
    """Photos with what they were called by a model that had not learned from them; one a row."""

    rows: Int[np.ndarray, " photo"]
    called: Int[np.ndarray, " photo"]
    left: Float[np.ndarray, " photo"]  # log of the probability of the given class; 0 without


def looks(
    experiment: Experiment,
    picked: Outcome,
    folder: Path,
    *,
    frozen: Callable[[], Backbone] | None,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Looks:
    """Where the delivered model looks, on a few photos that it calls right and wrong.

    Args:
        experiment: Images and network.
        picked: What was picked, with its predictions.
        folder: Of the delivered model.
        frozen: Gives the head on the frozen network, to be shown beside it; None where the delivered network is frozen.
        seconds: What the maps may take, without what the library and the model take to load.
        clock: Seconds.

    Returns:
        Heat maps, or why there are none.
    """
    task = experiment.task
    found = Looks(photos="test folder" if picked.confirmation else "held out")
    if not can_look():
        return replace(found, note=LACKS_CAPTUM)
    if seconds <= 0:
        return replace(found, note="The budget was nearly gone: nobody asked where the network looks.")
    answers = _on_folder(picked, task) if picked.confirmation else _held_out(picked, task)
    chosen = _chosen(answers, task, experiment.seed)
    model = _delivered(folder, experiment.source)
    if model is None:
        return replace(found, note=f"{experiment.source.card.name} has no map of places: where it looks is not known.")
    before = _of_backbone(frozen()) if frozen else None
    maps: list[HeatMap] = []
    begun = clock()
    for photo in chosen:
        if maps and clock() - begun > seconds:
            break
        maps.append(_heat_map(experiment, answers, photo, model, before))
    maps.sort(key=lambda one: one.right)  # wrong ones first
    fewer = f"{count(len(maps), 'photo')} of {len(chosen)}, since the budget was nearly gone."
    return replace(found, layer=model.cut.name, maps=tuple(maps), note=fewer if len(maps) < len(chosen) else "")


def _held_out(picked: Outcome, task: Task) -> _Answers:
    """What the first split that tested an image called it."""
    answers: dict[int, tuple[int, float]] = {}
    for number, called in enumerate(picked.predictions):
        left = picked.log_likelihoods[number] if picked.log_likelihoods else (0.0,) * len(called)
        for row, one, likelihood in zip(task.split(number).test.tolist(), called, left, strict=True):
            answers.setdefault(row, (one, likelihood))
    rows = np.array(sorted(answers), np.int64)
    pairs = [answers[row] for row in rows.tolist()]
    return _Answers(
        rows=rows,
        called=np.array([called for called, _ in pairs], np.int64),
        left=np.array([left for _, left in pairs], np.float64),
    )


def _on_folder(picked: Outcome, task: Task) -> _Answers:
    """What the delivered model called the images of the user's own test folder."""
    confirmation = picked.confirmation
    assert confirmation is not None  # noqa: S101 - asked before
    rows = np.asarray(task.test_rows, np.int64)
    left = confirmation.log_likelihoods or (0.0,) * len(rows)
    return _Answers(rows=rows, called=np.array(confirmation.predictions, np.int64), left=np.array(left, np.float64))


def _chosen(answers: _Answers, task: Task, seed: int) -> list[int]:
    """Places in `answers`: the surest mistakes, and right answers of as many classes as there are, in turn."""
    given = task.labels[answers.rows]
    wrong = np.flatnonzero(given != answers.called)
    wrong = wrong[np.argsort(answers.left[wrong], kind="stable")][:OF_EACH]
    right = np.flatnonzero(given == answers.called)
    if len(right):
        right = right[drawn_rows(given[right], OF_EACH, rng=generator(seed, "right photos"))]
    in_turn = chain.from_iterable(zip_longest(wrong.tolist(), right.tolist()))
    return [place for place in in_turn if place is not None]


def _delivered(folder: Path, source: Backbone) -> Watched | None:
    """The model in a folder; its layers are called as those of the network that it was made of."""
    module = read_model(folder).module
    assert isinstance(module, PixelClassifier | CutNetwork)  # noqa: S101 - there is nothing else
    return watched(module, source.cuts)


def _of_backbone(backbone: Backbone) -> Watched | None:
    return watched(backbone.module(), backbone.cuts, graph=backbone.graph)


def _heat_map(experiment: Experiment, answers: _Answers, place: int, model: Watched, before: Watched | None) -> HeatMap:
    row, called = int(answers.rows[place]), int(answers.called[place])
    pixels: UInt8[np.ndarray, "1 side side 3"] = np.stack(list(experiment.pixels.views(np.array([row]), epoch=None)))
    return HeatMap(
        image=experiment.task.image_set.images[row].name,
        given=int(experiment.task.labels[row]),
        called=called,
        delivered=as_grid(heat(model, pixels, called)[0]),
        frozen=as_grid(heat(before, pixels, called)[0]) if before else (),
    )
