"""One training in several processes: the losses, the weights and the end of it are those of one process."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch

from unfreeze.core.errors import DidNotTrainError, PlanError, UnfreezeError
from unfreeze.core.plans import NONE, Plan, Rule
from unfreeze.core.progress import ignore
from unfreeze.core.strategies import FULL
from unfreeze.training.processes import InProcesses
from unfreeze.training.states import state_from
from unfreeze.training.trials import Inputs, TrainingRun
from unfreeze.zoo.backbones import Backbone

ROWS = np.arange(24)
PLAN = Plan(strategy=FULL, rules=(Rule(".*", 1e-3),), batch_size=5, warmup=4, augmentation=NONE)


def trained(start: Backbone, inputs: Inputs, plan: Plan, trainer: InProcesses | None, *, epochs: int) -> TrainingRun:
    """A training on the first rows, here or in processes."""
    run = TrainingRun(start, plan, inputs, ROWS, seed=0)
    if trainer is None:
        run.train_to(epochs)
    else:
        trainer.train_to(run, epochs, advance=ignore)
    return run


def test_two_processes_have_the_losses_of_one(start: Backbone, inputs: Inputs) -> None:
    """Over 50 steps of five images, shared out as two and three; what is delivered passes its audit, too."""
    alone = trained(start, inputs, PLAN, None, epochs=13)
    together = trained(start, inputs, PLAN, InProcesses(2), epochs=13)

    assert len(alone.state.losses) == 52
    assert together.state.losses == pytest.approx(alone.state.losses, abs=1e-4)
    result = together.result()
    assert result.audit.passed
