"""A trial as plain data: it goes to other processes and to disk, and comes back the same."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from unfreeze.core.errors import DidNotTrainError
from unfreeze.core.plans import LIGHT, Arithmetic, Plan, ProbeSettings, Timed, TrainingSettings
from unfreeze.core.records import Audit, DepthPoint, plain
from unfreeze.core.strategies import FULL, HEAD, SCRATCH, SOFTMAX_ON_BEST, SOFTMAX_ON_LAST, SVM_ON_LAST, unfreeze
from unfreeze.core.trials import Activations, Training, Trial, TrialOutcome
from unfreeze.training.plans import full_plan, head_plan, scratch_plan, unfreeze_plan
from unfreeze.zoo.backbones import Backbone

STRATEGIES = (SOFTMAX_ON_LAST, SVM_ON_LAST, SOFTMAX_ON_BEST, HEAD, unfreeze(1), unfreeze(12), FULL, SCRATCH)
SPLITS = [
    f"{whole}{part}" for whole in ("split 0", "split 12", "everything") for part in ("", ", half", ", half, half")
]
BF16 = Arithmetic(layout="NCHW", precision="bfloat16", threads=1)


def through_json(value: Any) -> Any:
    """`value` after a way through text, read back as its own type."""
    return TypeAdapter(type(value)).validate_json(json.dumps(plain(value)))


def training(plan: Plan) -> Training:
    """With everything in it that is chosen and timed."""
    timed = tuple(Timed(arithmetic=one, seconds=0.1 + 0.2, cost=1e-7) for one in (plan.arithmetic, BF16))
    settings = TrainingSettings(
        plan=replace(plan, arithmetic=BF16, augmentation=LIGHT),
        seconds_an_image=1 / 3,
        timed=timed,
        forecast_seconds=12.5,
        halvings=2,
    )
    return Training(settings=settings, activations=Activations(cut="layer3", remembered=True), lengthened=2)


@pytest.mark.parametrize("which", ["unfreeze", "full", "scratch", "head"])
def test_a_trial_comes_back_equal(tiny: Backbone, which: str) -> None:
    """With the plan of a network, all its rules, and what was timed; so does one that trains no blocks."""
    plans = {
        "unfreeze": unfreeze_plan(tiny, 2),
        "full": full_plan(tiny),
        "scratch": scratch_plan(),
        "head": head_plan(tiny, penalty=1e-3),
    }
    plan = plans[which]
    trial = Trial(strategy=plan.strategy, split="split 3", seed=2**40, training=training(plan))

    assert through_json(trial) == trial
    assert through_json(replace(trial, training=None)) == replace(trial, training=None)


@given(seconds=st.floats(allow_nan=False), likelihood=st.floats(allow_nan=False), whole=st.booleans())
def test_an_outcome_comes_back_bit_for_bit(seconds: float, likelihood: float, whole: bool) -> None:
    """Its numbers are the same floats after text; an SVM has no likelihoods, and a probe no audit."""
    audit = Audit(
        frozen_tensors=3, frozen_unchanged=True, codes_difference=0.1, codes_agree=True, optimizer_matches=True
    )
    point = DepthPoint(tap="layer1", width=64, loss="svm", C=0.01, cv_accuracy=1 / 3, accuracy=2 / 3)
    outcome = TrialOutcome(
        predictions=(0, 1, 1),
        log_likelihoods=(likelihood, 0.1 + 0.2) if whole else None,
        settings=ProbeSettings(loss="svm", C=0.01, Cs=(0.01, 0.1), cv_accuracy=1 / 3),
        tap="layer1",
        description="linear SVM",
        audit=audit if whole else None,
        curve=(seconds, likelihood),
        probes=(point,),
        seconds=seconds,
        cpu_seconds=0.0,
        peak_bytes=2**40,
    )
    back = through_json(outcome)

    assert back == outcome
    assert [value.hex() for value in back.curve] == [value.hex() for value in outcome.curve]


def test_what_did_not_train_comes_back_with_its_curve() -> None:
    """No predictions, the reason, and losses that may be no numbers."""
    error = DidNotTrainError((0.7, 1e30, float("inf")))
    outcome = TrialOutcome(
        predictions=(),
        log_likelihoods=None,
        curve=error.curve,
        failure=str(error),
        seconds=1.0,
        cpu_seconds=1.0,
        peak_bytes=1,
    )

    assert through_json(outcome) == outcome
    assert "0.7, 1e+30, inf, above that of its start" in outcome.failure


def test_a_training_that_goes_on_has_a_trial_of_its_own(tiny: Backbone) -> None:
    """So that a journal keeps both; what was never lengthened is called as what trains nothing."""
    plan = unfreeze_plan(tiny, 2)
    trial = Trial(strategy=plan.strategy, split="split 3", seed=0, training=training(plan))
    names = [replace(trial, training=replace(training(plan), lengthened=times)).name for times in (0, 1, 2)]

    assert names == [f"unfreeze-2-on-split-3{longer}" for longer in ("", "-lengthened-1", "-lengthened-2")]
    assert replace(trial, training=None).name == names[0]


def test_names_of_different_trials_differ_and_are_names_of_files() -> None:
    """Every strategy on every kind of split has one of its own: letters, digits and single hyphens."""
    names = [Trial(strategy=one, split=split, seed=0).name for one in STRATEGIES for split in SPLITS]

    assert len(set(names)) == len(STRATEGIES) * len(SPLITS)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


@given(st.integers(1, 9999), st.integers(0, 10**6), st.integers(1, 9999), st.integers(0, 10**6))
def test_names_of_any_number_differ(blocks: int, split: int, other_blocks: int, other_split: int) -> None:
    """Two trials have one name only where blocks and split are the same."""
    one = Trial(strategy=unfreeze(blocks), split=f"split {split}", seed=0)
    other = Trial(strategy=unfreeze(other_blocks), split=f"split {other_split}", seed=0)

    assert (one.name == other.name) == ((blocks, split) == (other_blocks, other_split))
