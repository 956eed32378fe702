"""How the layout, precision and threads of training are chosen, and what of that stays."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unfreeze.core.plans import EXACT, NONE, Arithmetic, Plan, Rule, Timed
from unfreeze.core.strategies import FULL, unfreeze
from unfreeze.training import timing
from unfreeze.training.precision import arithmetics
from unfreeze.training.timing import MadeUp, TooSlowError, fastest, time_training
from unfreeze.training.trials import Inputs
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import CPU, Device

WHOLE = Plan(strategy=FULL, rules=(Rule(".*", 1e-3),), batch_size=4, augmentation=NONE)
BLOCKS = replace(WHOLE, strategy=unfreeze(2))
NCHW = Arithmetic(layout="NCHW", precision="float32")
LOW = Arithmetic(layout="channels_last", precision="bfloat16")
PLAIN = Timed(arithmetic=EXACT, seconds=0.1, cost=0.050)
ALONE = replace(PLAIN, arithmetic=replace(EXACT, threads=1))
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
def at_costs(monkeypatch: pytest.MonkeyPatch) -> SetCosts:
    """Makes steps cost what a function of their arithmetic says, in wall and processor time; gives what was timed."""

    def set_costs(costs: Costs) -> list[Arithmetic]:
        asked: list[Arithmetic] = []

        def timed(start: Backbone, plan: Plan, made_up: Inputs, **_: Any) -> Timed:
            asked.append(plan.arithmetic)
            seconds, cost = costs(plan.arithmetic)
            return Timed(arithmetic=plan.arithmetic, seconds=seconds, cost=cost)

        monkeypatch.setattr(timing, "_time", timed)
        monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
        return asked

    return set_costs


def layout_decides(arithmetic: Arithmetic) -> tuple[float, float]:
    """NCHW takes half the time of the others, on one thread as on two."""
    return (0.5, 0.5) if arithmetic.layout == "NCHW" else (1.0, 1.0)


@pytest.mark.parametrize("damage", ["{", "[]", '{"layout": "NCHW", "precision": "float8"}', '{"layout": "NCHW"}'])
def test_a_choice_is_kept_and_a_damaged_one_made_again(
    start: Backbone, nothing_made: Inputs, at_costs: SetCosts, tmp_path: Path, damage: str
) -> None:
    """The first call times every candidate, the second one the kept choice alone; after damage all are timed again."""
    asked, every = at_costs(layout_decides), list(arithmetics(CPU))

    def choose() -> list[Arithmetic]:
        asked.clear()
        chosen, timed = time_training(start, BLOCKS, nothing_made, cache=tmp_path)
        assert chosen.arithmetic == NCHW
        assert chosen in timed
        return asked.copy()

    one_thread = replace(NCHW, threads=1)  # which is timed each time: it depends on what else runs
    assert choose() == [*every, one_thread]
    assert choose() == [NCHW, one_thread]
    (file,) = (tmp_path / "training").iterdir()
    file.write_text(damage)
    assert choose() == [*every, one_thread]


@pytest.mark.parametrize(("alone", "chosen"), [(0.70, 1), (0.80, None), (2.0, None)])
def test_one_thread_is_taken_where_it_is_much_faster(
    start: Backbone, nothing_made: Inputs, at_costs: SetCosts, tmp_path: Path, alone: float, chosen: int | None
) -> None:
    """By wall time, where another program has a core of its own; it costs less processor time anyway."""
    at_costs(lambda arithmetic: (alone, 0.1) if arithmetic.threads == 1 else (1.0, 1.0))
    found, timed = time_training(start, BLOCKS, nothing_made, cache=tmp_path)

    assert found.arithmetic == replace(EXACT, threads=chosen)
    assert timed[-1].arithmetic == replace(EXACT, threads=1)


@pytest.mark.parametrize("like", [PLAIN, ALONE])
def test_another_training_says_how_many_threads_are_best(
    start: Backbone, nothing_made: Inputs, at_costs: SetCosts, tmp_path: Path, like: Timed
) -> None:
    """All trainings of a run have as many, and nothing else is timed."""
    asked = at_costs(lambda arithmetic: (0.1, 0.1) if arithmetic.threads == 1 else (1.0, 1.0))
    found, _ = time_training(start, BLOCKS, nothing_made, cache=tmp_path, like=like)

    assert found.arithmetic.threads == like.arithmetic.threads
    assert {arithmetic.threads for arithmetic in asked} == {like.arithmetic.threads}


@pytest.mark.parametrize("has_low", [True, False])
def test_of_long_steps_the_likeliest_candidate_alone_is_timed(
    start: Backbone,
    nothing_made: Inputs,
    at_costs: SetCosts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_low: bool,
) -> None:
    """Where the whole network learns: in low precision where the processor has instructions for it."""
    monkeypatch.setattr(Device, "computes_bfloat16", property(lambda _: has_low))
    asked = at_costs(lambda _: (1.0, 1.0))
    found, _ = time_training(start, WHOLE, nothing_made, cache=tmp_path, like=PLAIN)

    assert asked == [LOW if has_low else EXACT]
    assert found.arithmetic == asked[0]


def test_nothing_is_prepared_to_time_a_step(start: Backbone, nothing_made: Inputs, tmp_path: Path) -> None:
    """No image is read, the network is not changed, and torch has as many threads and draws as ever after it."""
    before = {name: values.clone() for name, values in start.network.state_dict().items()}
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    chosen, timed = time_training(start, WHOLE, nothing_made, cache=tmp_path, like=PLAIN)

    assert chosen.seconds > 0
    assert chosen.cost > 0
    assert timed == (chosen,)
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == threads
    assert all(torch.equal(values, before[name]) for name, values in start.network.state_dict().items())


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
