"""Photos that are not square: cropped, squashed or padded, whichever cheap probes recognise best."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from unfreeze.advisor.resizing import (
    NOT_SQUARE,
    choose_resize,
    middle_aspect,
    not_screened,
    part_cut_away,
    resize_sentence,
)
from unfreeze.core.cards import CROP_MODES
from unfreeze.core.records import ScreenedResize
from unfreeze.core.settings import EngineSettings, Metric, ResizeWord
from unfreeze.data.image_set import ImageSet
from unfreeze.data.squares import geometry_of
from unfreeze.data.tasks import Split, Task
from unfreeze.features.extraction import images_without_codes
from unfreeze.features.frozen import FrozenBackbone
from unfreeze.metrics.repeated import Values, largest_outcome
from unfreeze.probes.cores import side_by_side
from unfreeze.probes.search import search_probe
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.predictions import predicted_of
from unfreeze.training.pace import seconds_of_remembering
from unfreeze.workflows.screening import Prepare
from unfreeze.zoo.backbones import Backbone

RESIZING_SHARE = 1 / 6  # of the budget, at most


@dataclass(frozen=True, kw_only=True)
class Resizing:
    """How photos become squares, and what came of screening the ways.

    Attributes:
        resize: The way that is used.
        rows: What each way gave; empty where none was screened.
        sentence: What the usual way costs, or why that was not measured; empty where photos are square.
    """

    resize: ResizeWord
    rows: tuple[ScreenedResize, ...] = ()
    sentence: str = ""


def screened_resize(
    usual: Experiment,
    image_set: ImageSet,
    prepare: Prepare,
    *,
    request: EngineSettings,
    metric: Metric,
    within: float,
    decoding: float,
) -> Resizing:
    """Screen the ways in which photos become squares, where they are not square and the time suffices.

    Args:
        usual: In the network's usual way, its codes read.
        image_set: The images.
        prepare: Reads codes, and details with them: a pass for those of the chosen way alone would take longer.
        request: Engine and precision.
        metric: What decides.
        within: Seconds for all of it: it is not begun if more are expected.
        decoding: Seconds that decoding all images once takes.

    Returns:
        What came of it.
    """
    card, started = usual.source.card, time.perf_counter()
    aspect = middle_aspect([(image.width, image.height) for image in image_set.images])
    if aspect < NOT_SQUARE:
        return Resizing(resize=card.resize)
    others = [usual.source.resized_by(word) for word in CROP_MODES if word != card.resize]
    needed = _seconds_of_codes(usual, others, image_set, request, decoding)
    if needed > within:
        return Resizing(resize=card.resize, sentence=not_screened(needed, within, card.resize))
    values = _probe_values([usual], metric)
    spent = time.perf_counter() - started
    needed += len(others) * spent
    if needed > within - spent:
        return Resizing(resize=card.resize, sentence=not_screened(needed, within - spent, card.resize))
    values |= _probe_values(_prepared(others, usual, image_set, prepare), metric)
    return _chosen(values, usual, metric, cut_away=part_cut_away(aspect, size=card.size, resized=card.resized_side))


def _prepared(others: Sequence[Backbone], usual: Experiment, image_set: ImageSet, prepare: Prepare) -> list[Experiment]:
    """With codes of photos that are resized in other ways, of images decoded once."""
    with usual.squares.pool.together([geometry_of(source.card) for source in others]):
        found = [prepare(image_set, source) for source in others]
    return [one for one in found if one.codes.names == usual.codes.names]  # an image may have become unreadable


def _probe_values(experiments: Sequence[Experiment], metric: Metric) -> dict[ResizeWord, Values]:
    """What a softmax on the last codes gives on the splits of the first round: a value per test image for each.

    Its C is chosen on the splits themselves, for every way alike. That flatters each a little, and takes a fifth of the
    time of a choice inside every split.
    """
    if not experiments:
        return {}
    task = experiments[0].task
    rows, splits = task.train_rows, _first_round(task)
    folds = [(np.searchsorted(rows, split.learn), np.searchsorted(rows, split.test)) for split in splits]

    def held_out(experiment: Experiment) -> Float32[np.ndarray, "image cls"]:
        return search_probe(
            experiment.codes.last[rows],
            task.labels[rows],
            folds,
            loss="softmax",
            class_count=task.class_count,
            balanced=metric == "balanced accuracy",
        ).held_out_scores

    found = side_by_side(
        held_out, experiments, size=lambda one: one.codes.last.size, advance=experiments[0].progress.checkpoint
    )
    return {
        experiment.source.card.resize: [
            predicted_of(scores[test], task, split).values(metric, task)
            for split, (_, test) in zip(splits, folds, strict=True)
        ]
        for experiment, scores in zip(experiments, found, strict=True)
    }


def _first_round(task: Task) -> list[Split]:
    return [task.split(number) for number in range(task.folds)]


def _chosen(values: dict[ResizeWord, Values], usual: Experiment, metric: Metric, *, cut_away: float) -> Resizing:
    task, own = usual.task, usual.source.card.resize
    if len(values) == 1:
        return Resizing(resize=own)
    tested = task.tested(_first_round(task), metric)
    rows = choose_resize(values, own, tested, largest=largest_outcome(metric, task.class_count))
    picked = next(row.resize for row in rows if row.picked)
    return Resizing(resize=picked, rows=rows, sentence=resize_sentence(rows, metric, cut_away=cut_away))


def _seconds_of_codes(
    usual: Experiment,
    others: Sequence[Backbone],
    image_set: ImageSet,
    request: EngineSettings,
    decoding: float,
) -> float:
    """What reading codes in the other ways is expected to take: the network per way, and decoding once for all."""
    lacking = [
        images_without_codes(image_set, FrozenBackbone(source, usual.device), usual.resources, request)
        for source in others
    ]
    if not any(lacking):
        return 0.0
    an_image = usual.codes.seconds_an_image
    if an_image is None:  # all were stored
        rows, engine, cache = usual.task.train_rows, usual.engine, usual.cache
        an_image = seconds_of_remembering(
            usual.source, usual.source.cuts[-1], usual.pixels, rows, engine=engine, cache=cache
        )
    return sum(lacking) * an_image + max(lacking) / len(image_set.images) * decoding


def resized(usual: Experiment, word: ResizeWord, image_set: ImageSet, prepare: Prepare) -> Experiment:
    """The experiment with photos that become squares in the way that was chosen; other squares are let go of.

    Args:
        usual: In the network's usual way.
        word: The way.
        image_set: The images.
        prepare: Reads codes.

    Returns:
        `usual` itself if that is the way.
    """
    sources = {other: usual.source.resized_by(other) for other in CROP_MODES}
    for other in CROP_MODES:
        if other != word:
            usual.squares.pool.forget_squares(geometry_of(sources[other].card))
    return usual if word == usual.source.card.resize else prepare(image_set, sources[word])
