"""How the layout and precision of training are chosen, and that the choice stays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unfreeze.core.plans import EXACT, NONE, Arithmetic, Plan, Rule, Timed
from unfreeze.core.progress import Advance
from unfreeze.core.strategies import FULL
from unfreeze.data.squares import Squares
from unfreeze.images.pool import DecoderPool
from unfreeze.training.examples import Pixels, Remembered
from unfreeze.training.precision import arithmetics
from unfreeze.training.timing import TooSlowError, choose_arithmetic, fastest
from unfreeze.training.trials import Inputs, Trained, run_trial
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import CPU

PLAN = Plan(strategy=FULL, rules=(Rule(".*", 1e-3),), batch_size=4)
NCHW = Arithmetic(layout="NCHW", precision="float32")
PLAIN = Timed(arithmetic=EXACT, seconds=0.1, cost=0.050)


def test_the_fastest_candidate_wins() -> None:
    """The smallest cost of three; wall time, which a busy machine stretches, does not decide."""
    low = Timed(arithmetic=Arithmetic(layout="channels_last", precision="bfloat16"), seconds=0.3, cost=0.020)

    assert fastest([PLAIN, low, Timed(arithmetic=NCHW, seconds=0.1, cost=0.080)]) == low


def test_noise_does_not_choose() -> None:
    """A candidate that is a few per cent faster than one before it does not replace it."""
    assert fastest([PLAIN, Timed(arithmetic=NCHW, seconds=0.1, cost=0.047)]) == PLAIN


def small_training(network: Backbone, rng: np.random.Generator) -> tuple[Backbone, Inputs]:
    """A network with a new head, and eight images of noise in two classes."""
    start = network.with_classes(2)
    images = Remembered(
        rng.normal(size=(8, 3, 32, 32)).astype(np.float32), np.empty((0, 0, 3, 32, 32), np.float32), np.full(8, -1)
    )
    pixels = Pixels(Squares((), start.card, DecoderPool()), start.card, NONE, 0, CPU)
    return start, Inputs(cut=start.cuts[0], examples=images, features=images, pixels=pixels, labels=np.arange(8) % 2)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["{", "[]", '{"layout": "NCHW", "precision": "float8"}'])
def test_a_choice_is_kept_and_a_damaged_one_made_again(
    tiny: Backbone, tmp_path: Path, rng: np.random.Generator, damage: str
) -> None:
    """The first call times every candidate, the second one the kept choice alone; after damage all are timed again."""
    start, inputs = small_training(tiny, rng)

    def choose() -> tuple[Timed, tuple[Timed, ...]]:
        return choose_arithmetic(start, PLAN, inputs, np.arange(8), seed=0, cache=tmp_path)

    chosen, timed = choose()
    again, (only,) = choose()
    (file,) = (tmp_path / "training").iterdir()
    file.write_text(damage)

    assert len(timed) == len(arithmetics(CPU))
    assert chosen in timed
    assert again == only
    assert again.arithmetic == chosen.arithmetic
    assert len(choose()[1]) == len(arithmetics(CPU))


def test_a_training_that_cannot_be_afforded_is_given_up_after_one_step(
    tiny: Backbone, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a nanosecond an image is left; nothing is kept, so that a run with more time measures for itself."""
    start, inputs = small_training(tiny, rng)
    steps: list[int] = []

    def counted(*given: Any, advance: Advance, **settings: Any) -> Trained:
        def step(done: int) -> None:
            steps.extend([done] if done else [])  # with 0 it only looks at the stop
            advance(done)

        return run_trial(*given, advance=step, **settings)

    monkeypatch.setattr("unfreeze.training.timing.run_trial", counted)
    with pytest.raises(TooSlowError):
        choose_arithmetic(start, PLAN, inputs, np.arange(8), seed=0, cache=tmp_path, affordable=1e-9)

    assert steps == [4]
    assert not list((tmp_path / "training").glob("*"))
