"""How layout, precision, threads and the number of trainings at a time are chosen, and what of that stays."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unfreeze.core.plans import EXACT, NONE, Arithmetic, Augmentation, Plan, Rule, Timed
from unfreeze.core.strategies import FULL, unfreeze
from unfreeze.training import timing
from unfreeze.training.precision import arithmetics, threads
from unfreeze.training.timing import MadeUp, TooSlowError, fastest, time_training
from unfreeze.training.trials import Inputs
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import CPU, Device

WHOLE = Plan(strategy=FULL, rules=(Rule(".*", 1e-3),), batch_size=4, augmentation=NONE)
BLOCKS = replace(WHOLE, strategy=unfreeze(2))
NCHW = Arithmetic(layout="NCHW", precision="float32")
LOW = Arithmetic(layout="channels_last", precision="bfloat16")
PLAIN = Timed(arithmetic=EXACT, seconds=0.1, cost=0.050)
Costs = Callable[[Arithmetic], tuple[float, float]]
SetCosts = Callable[[Costs], list[Arithmetic]]


def test_the_fastest_candidate_wins() -> None:
    """The smallest cost of three; wall time, which a busy machine stretches, does not decide."""
    low = Timed(arithmetic=LOW, seconds=0.3, cost=0.020)

    assert fastest([PLAIN, low, Timed(arithmetic=NCHW, seconds=0.1, cost=0.080)]) == low


def test_noise_does_not_choose() -> None:
    """A candidate that is a few per cent faster than one before it does not replace it."""
    assert fastest([PLAIN, Timed(arithmetic=NCHW, seconds=0.1, cost=0.047)]) == PLAIN


class Unasked:
    """Examples that nobody may look at."""

    def batches(self, rows: np.ndarray, *, size: int, epoch: int | None) -> Iterator[torch.Tensor]:
        """Fails."""
        pytest.fail("activations are made up, and nothing is prepared for a price")


@pytest.fixture
def nothing_made(inputs: Inputs) -> Inputs:
    """Inputs whose images nobody may look at."""
    return replace(inputs, examples=Unasked(), features=Unasked())


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Torch on two threads, as on a machine with two cores."""
    with threads(2):
        yield


@pytest.fixture
def at_costs(monkeypatch: pytest.MonkeyPatch, two_threads: None) -> SetCosts:
    """Makes steps cost what a function of their arithmetic says, in wall and processor time; gives what was timed."""

    def set_costs(costs: Costs) -> list[Arithmetic]:
        asked: list[Arithmetic] = []

        def timed(steps: Any, plan: Plan, *, at_once: int = 1) -> Timed:
            asked.append(plan.arithmetic)
            seconds, cost = costs(plan.arithmetic)
            return Timed(arithmetic=plan.arithmetic, seconds=seconds / at_once, cost=cost)

        monkeypatch.setattr(timing._Steps, "timed", timed)
        return asked

    return set_costs


def layout_decides(arithmetic: Arithmetic) -> tuple[float, float]:
    """NCHW takes half the time of the others, on one thread as on two."""
    return (0.5, 0.5) if arithmetic.layout == "NCHW" else (1.0, 1.0)


def on_one(arithmetic: Arithmetic) -> Arithmetic:
    """The same on one thread."""
    return replace(arithmetic, threads=1)


@pytest.mark.parametrize("damage", ["{", "[]", '{"layout": "NCHW", "precision": "float8"}', '{"layout": "NCHW"}'])
def test_a_choice_is_kept_and_a_damaged_one_made_again(
    start: Backbone, nothing_made: Inputs, at_costs: SetCosts, tmp_path: Path, damage: str
) -> None:
    """The first call times every candidate, the second one the kept choice alone; after damage all are timed again."""
    asked, every = at_costs(layout_decides), [on_one(candidate) for candidate in arithmetics(CPU)]

    def choose() -> list[Arithmetic]:
        asked.clear()
        pace = time_training(start, BLOCKS, nothing_made, cache=tmp_path)
        assert pace.timed.arithmetic == on_one(NCHW)
        assert pace.timed not in pace.others
        return asked.copy()

    # on all threads one training alone, each time: that depends on what else runs
    assert choose() == [*every, NCHW]
    assert choose() == [on_one(NCHW), NCHW]
    (file,) = (tmp_path / "training").iterdir()
    file.write_text(damage)
    assert choose() == [*every, NCHW]


def test_trainings_run_side_by_side_as_many_as_there_are_cores_and_room_for(
    start: Backbone, nothing_made: Inputs, at_costs: SetCosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two on two cores, half of the time an image each; one where memory holds no other one, on all threads."""
    at_costs(lambda _: (1.0, 1.0))
    pace = time_training(start, BLOCKS, nothing_made, cache=tmp_path)
    assert (pace.side_by_side, pace.timed.seconds, pace.draws) == (2, 0.5, False)

    memory = type("Memory", (), {"available": 1})()
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    pace = time_training(start, BLOCKS, nothing_made, cache=tmp_path)
    assert (pace.side_by_side, pace.timed.seconds, pace.timed.arithmetic.threads) == (1, 1.0, None)


@pytest.mark.parametrize(("on_all", "threads"), [(0.70, None), (0.80, 1), (20.0, 1)])
def test_what_trains_alone_has_all_threads_only_where_they_help(
    start: Backbone, nothing_made: Inputs, at_costs: SetCosts, tmp_path: Path, *, on_all: float, threads: int | None
) -> None:
    """Below three quarters of the wall time of one; another strategy has the same without a step."""
    asked = at_costs(lambda arithmetic: (1.0, 1.0) if arithmetic.threads == 1 else (on_all, 1.0))
    pace = time_training(start, BLOCKS, nothing_made, cache=tmp_path)
    assert pace.alone.arithmetic == replace(EXACT, threads=threads)
    assert pace.alone.seconds == pytest.approx(on_all if threads is None else 1.0)

    asked.clear()
    other = time_training(start, BLOCKS, nothing_made, cache=tmp_path, like=pace)
    assert (other.alone, asked) == (pace.alone, [on_one(EXACT)])


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_what_is_pinned_is_taken(
    start: Backbone, nothing_made: Inputs, at_costs: SetCosts, tmp_path: Path, threads: int | None
) -> None:
    """Layout, precision and threads are those that are asked for, though others are faster, and nothing is kept."""
    asked, pinned = at_costs(layout_decides), replace(LOW, threads=threads)
    pace = time_training(start, BLOCKS, nothing_made, cache=tmp_path, pinned=pinned)

    assert (pace.timed.arithmetic, pace.alone.arithmetic) == (on_one(LOW), pinned)
    assert asked == [on_one(LOW)]
    assert not (tmp_path / "training").exists()


def test_all_threads_are_given_up_after_a_step_where_one_is_held_up(start: Backbone, nothing_made: Inputs) -> None:
    """A step that takes many times what one thread takes ends their timing: nothing else is learned from more."""
    steps = timing._Steps(start, nothing_made, lambda _: None, math.inf)
    chosen = Timed(arithmetic=on_one(EXACT), seconds=1e-9, cost=1e-9)

    assert timing._alone(steps, BLOCKS, chosen, 2, None) == replace(chosen, seconds=2e-9)


@pytest.mark.parametrize("has_low", [True, False])
def test_of_long_steps_the_likeliest_candidate_alone_is_timed(
    start: Backbone, nothing_made: Inputs, at_costs: SetCosts, tmp_path: Path, *, has_low: bool
) -> None:
    """Where the whole network learns: in low precision where the processor has instructions for it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Device, "computes_bfloat16", property(lambda _: has_low))
        asked = at_costs(lambda _: (1.0, 1.0))
        pace = time_training(start, WHOLE, nothing_made, cache=tmp_path)

    assert asked[:1] == [on_one(LOW if has_low else EXACT)]
    assert pace.others == ()


def test_nothing_is_prepared_to_time_a_step(start: Backbone, nothing_made: Inputs, tmp_path: Path) -> None:
    """No image is read, the network is not changed, and torch has as many threads and draws as ever after it."""
    before = {name: values.clone() for name, values in start.network.state_dict().items()}
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    number = torch.get_num_threads()
    pace = time_training(start, WHOLE, nothing_made, cache=tmp_path)

    assert pace.timed.seconds > 0
    assert pace.timed.cost > 0
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == number
    assert all(torch.equal(values, before[name]) for name, values in start.network.state_dict().items())


def test_what_draws_random_numbers_trains_alone(
    start: Backbone, nothing_made: Inputs, tmp_path: Path, two_threads: None
) -> None:
    """Torch has one source of them for all threads: mixing batches draws from it, and the pace says so."""
    mixing = replace(BLOCKS, augmentation=Augmentation(mixup=0.2))
    pace = time_training(start, mixing, nothing_made, cache=tmp_path)

    assert (pace.draws, pace.side_by_side) == (True, 1)


def test_made_up_activations_have_the_shape_of_the_cut() -> None:
    """Batch after batch of the same random numbers, as many as rows ask for."""
    batches = list(MadeUp((4, 3, 2)).batches(np.arange(20), size=8, epoch=0))

    assert [tuple(batch.shape) for batch in batches] == [(8, 4, 3, 2)] * 3
    assert all(torch.equal(batch, batches[0]) for batch in batches)


def test_a_training_that_cannot_be_afforded_is_given_up_after_one_step(
    start: Backbone, nothing_made: Inputs, tmp_path: Path
) -> None:
    """Where a nanosecond an image is left; nothing is kept, so that a run with more time measures for itself."""
    looked: list[int] = []
    with pytest.raises(TooSlowError):
        time_training(start, WHOLE, nothing_made, cache=tmp_path, advance=looked.append, affordable=1e-9)

    assert looked == [0, 0]  # before the step and after it
    assert not list((tmp_path / "training").glob("*"))
