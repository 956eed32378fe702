"""What an image takes, forecast before it is made."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from unfreeze.features.engines import REFERENCE
from unfreeze.strategies.experiment import Experiment
from unfreeze.training import pace
from unfreeze.training.examples import Pixels
from unfreeze.training.pace import seconds_an_image, seconds_of_pixels, seconds_of_remembering
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


def test_activations_are_timed_on_a_few_images(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second pass over thirty-two counts, the same ones again where there are fewer; no more is decoded."""
    experiment, asked, views = make_experiment(20), list[int](), Pixels.views

    def noted(self: Pixels, rows: np.ndarray, *, epoch: int | None) -> Iterator[np.ndarray]:
        asked.append(len(rows))
        return views(self, rows, epoch=epoch)

    monkeypatch.setattr(Pixels, "views", noted)
    monkeypatch.setattr(pace.time, "perf_counter", clock_of(9.0, 1.0))
    source = experiment.source
    found = seconds_of_remembering(
        source, source.cut_before_blocks(1), experiment.pixels, np.arange(20), engine=REFERENCE, cache=experiment.cache
    )

    assert (found, asked) == (pytest.approx(1.0 / 32), [32])
