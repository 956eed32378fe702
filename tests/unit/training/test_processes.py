"""One training in several processes: the losses and the end of it are those of one process."""

from pathlib import Path

import numpy as np
import psutil
import pytest

from unfreeze.core.errors import PlanError, StoppedError, UnfreezeError
from unfreeze.core.plans import NONE, Plan, Rule
from unfreeze.core.progress import ignore
from unfreeze.core.strategies import FULL
from unfreeze.training.examples import Remembered, kept_in, remembered_in
from unfreeze.training.processes import InProcesses
from unfreeze.training.trials import Inputs, TrainingRun
from unfreeze.zoo.backbones import Backbone

PLAN = Plan(strategy=FULL, rules=(Rule(".*", 1e-3),), batch_size=5, warmup=4, augmentation=NONE)


@pytest.fixture
def run(start: Backbone, inputs: Inputs) -> TrainingRun:
    """A training of four steps an epoch on the first rows, not begun."""
    return TrainingRun(start, PLAN, inputs, np.arange(24), seed=0)


def spawned() -> list[psutil.Process]:
    """The processes of a training that are there."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(start: Backbone, inputs: Inputs, run: TrainingRun) -> None:
    """Over 52 steps of five images, shared out as two and three; all images are counted, and the audit passes."""
    alone = TrainingRun(start, PLAN, inputs, np.arange(24), seed=0)
    alone.train_to(13)
    done: list[int] = []
    InProcesses(2).train_to(run, 13, advance=done.append)

    assert len(alone.state.losses) == 52
    assert run.state.losses == pytest.approx(alone.state.losses, abs=1e-4)
    assert sum(done) == 13 * 20
    assert run.result().audit.passed
    assert not spawned()


@pytest.mark.slow
def test_a_killed_process_ends_the_training_with_a_sentence(run: TrainingRun) -> None:
    """It says that one was killed, not that the others lost their connection; none is left."""
    killed: list[psutil.Process] = []

    def kill_one(done: int) -> None:
        if done and not killed:
            killed.append(spawned()[-1])
            killed[0].kill()

    with pytest.raises(UnfreezeError, match=r"process of the training ended by itself \(signal 9\)"):
        InProcesses(2).train_to(run, 10**6, advance=kill_one)

    assert not spawned()


def test_a_stop_ends_all_processes(run: TrainingRun) -> None:
    """Also while they start."""

    def stop(done: int) -> None:
        raise StoppedError(130)

    with pytest.raises(StoppedError):
        InProcesses(2).train_to(run, 1, advance=stop)

    assert not spawned()


def test_a_step_has_an_image_for_every_process(run: TrainingRun) -> None:
    """Six processes have nothing to share in a step of five images."""
    with pytest.raises(PlanError, match=r"takes 5 images, too few for 6 processes\. Ask for 5 at most"):
        InProcesses(6).train_to(run, 1, advance=ignore)


def test_what_is_remembered_is_the_same_from_files(tmp_path: Path) -> None:
    """Plain ones, and views whose turn it is."""
    rng = np.random.default_rng(0)
    given = Remembered(
        rng.normal(size=(5, 3)).astype(np.float32),
        rng.normal(size=(2, 4, 3)).astype(np.float32),
        np.array([0, 1, 2, 3, -1]),
    )
    kept_in(tmp_path, given)
    found = remembered_in(tmp_path)

    for epoch in (None, 0, 1, 2):
        (expected,) = given.batches(np.arange(4), size=4, epoch=epoch)
        (batch,) = found.batches(np.arange(4), size=4, epoch=epoch)
        assert batch.equal(expected)
