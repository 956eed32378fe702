"""What an image takes, forecast before it is made."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unfreeze.features.engines import REFERENCE, Engine
from unfreeze.strategies.experiment import Experiment
from unfreeze.training import pace
from unfreeze.training.pace import keep_pace, seconds_an_image, seconds_of_pixels, seconds_of_remembering
from unfreeze.zoo.backbones import Backbone

MakeExperiment = Callable[..., Experiment]


def clock_of(*durations: float) -> Callable[[], float]:
    """A clock that is asked before and after every piece of work, which takes so long."""
    times = itertools.accumulate(moment for duration in durations for moment in (0.0, duration))
    return lambda: next(times)


def test_an_image_through_the_network_takes_the_least_of_three_batches(
    tiny: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eight images each; the batch before them, which allocates, does not count even where it is the fastest."""
    monkeypatch.setattr(pace.time, "process_time", clock_of(1.0, 4.0, 2.0, 3.0))

    assert seconds_an_image(tiny) == pytest.approx(2.0 / 8)


def test_an_augmented_image_is_timed_when_it_is_decoded(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second pass over sixteen images counts, or over as many as there are."""
    pixels = make_experiment(20).pixels
    for rows, images in ((np.arange(20), 16), (np.arange(5), 5)):
        monkeypatch.setattr(pace.time, "perf_counter", clock_of(9.0, 1.0))
        assert seconds_of_pixels(pixels, rows) == pytest.approx(1.0 / images)


@pytest.fixture
def through_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole network takes eight seconds an image on one core, and there are four."""
    monkeypatch.setattr(pace, "seconds_an_image", lambda _: 8.0)
    monkeypatch.setattr(pace, "usable_cores", lambda: 4)


@pytest.mark.usefixtures("through_all")
def test_activations_take_what_they_took_the_last_time(tiny: Backbone, tmp_path: Path) -> None:
    """The first time what the whole network takes on all cores; another cut or engine knows nothing of it."""
    low, high, other = tiny.cut_before_blocks(3), tiny.cut_before_blocks(1), Engine("torch", "bf16")
    assert seconds_of_remembering(tiny, low, REFERENCE, tmp_path) == 2.0
    for seconds in (0.5, 0.25):
        keep_pace(tiny, low, REFERENCE, tmp_path, seconds=seconds)
        assert seconds_of_remembering(tiny, low, REFERENCE, tmp_path) == seconds

    assert seconds_of_remembering(tiny, high, REFERENCE, tmp_path) == 2.0
    assert seconds_of_remembering(tiny, low, other, tmp_path) == 2.0


@pytest.mark.usefixtures("through_all")
@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"seconds": "long"}', '{"seconds": NaN}', '{"seconds": -1}'])
def test_a_damaged_pace_is_as_none(tiny: Backbone, tmp_path: Path, damage: str) -> None:
    """Whatever stands in the file, a forecast is a number that can be."""
    cut = tiny.cut_before_blocks(1)
    keep_pace(tiny, cut, REFERENCE, tmp_path, seconds=0.5)
    (file,) = (tmp_path / "activations").iterdir()
    file.write_text(damage)

    assert seconds_of_remembering(tiny, cut, REFERENCE, tmp_path) == 2.0
