"""Trials that another process carries out, which shares nothing but the store of codes."""

import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from other_process import carry_out, settle
from unfreeze.core.records import plain
from unfreeze.core.settings import StudySettings
from unfreeze.core.strategies import (
    FULL,
    HEAD,
    LINEAR_ON_ALL,
    SCRATCH,
    SOFTMAX_ON_LAST,
    SVM_ON_BEST,
    StrategyId,
    unfreeze,
)
from unfreeze.core.trials import Trial, TrialOutcome
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.catalogue import LeftOut, PhotoCatalogue, priced_and_ready
from unfreeze.strategies.execution import InThisProcess
from unfreeze.strategies.finetuning import Request
from unfreeze.workflows.bench import bench_of
from unfreeze.workflows.setup import set_up

pytestmark = pytest.mark.slow


def trial_of(catalogue: PhotoCatalogue, strategy: StrategyId, split: str) -> Trial:
    """One strategy on a split, prepared here."""
    training = None
    if strategy.trains_blocks:
        ready = priced_and_ready(catalogue, strategy, Request(allowance=1e9, splits=1), epochs=1)
        assert not isinstance(ready, LeftOut)
        training = ready.training
    return Trial(strategy=strategy, split=split, seed=3, training=training)


def without_cost(outcome: TrialOutcome) -> TrialOutcome:
    """What equal trials have in common."""
    return replace(outcome, seconds=0.0, cpu_seconds=0.0, peak_bytes=0)


def test_a_process_that_was_spawned_gives_equal_outcomes(photo_folder: Callable[..., Path], tmp_path: Path) -> None:
    """Linear classifiers, the head, one block with augmented views, everything and random weights: bit for bit."""
    source = photo_folder("red", "green", "blue", count=14)
    settings = StudySettings(source=source, size=64, resize="squash", seed=3, max_bad=0.0)
    strategies = (SOFTMAX_ON_LAST, SVM_ON_BEST, LINEAR_ON_ALL, HEAD, unfreeze(1), FULL, SCRATCH)
    wanted = [("split 0", one) for one in strategies] + [("split 3, half", one) for one in (HEAD, unfreeze(1))]
    with DecoderPool(workers=1) as pool:
        setup = set_up(settings, Resources(pool=pool, cache=tmp_path / "cache"))
        trials = [trial_of(setup.catalogue, strategy, split) for split, strategy in wanted]
        here = list(InThisProcess(setup.catalogue, setup.question.task).outcomes(trials))
        context = multiprocessing.get_context("spawn")
        bench = bench_of(setup.experiment, settings)
        with ProcessPoolExecutor(1, context, initializer=settle, initargs=(bench, tmp_path / "cache")) as other:
            texts = list(other.map(carry_out, [json.dumps(plain(trial)) for trial in trials]))
    outcomes = [TypeAdapter(TrialOutcome).validate_json(text) for text in texts]

    assert max(len(json.dumps(plain(trial))) for trial in trials) < 20_000
    for trial, ours, theirs in zip(trials, here, outcomes, strict=True):
        assert without_cost(theirs) == without_cost(ours), trial.name
