"""What the loop is fed with: pixels, or activations that were remembered."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from unfreeze.core.plans import LIGHT, NONE, Augmentation
from unfreeze.features.engines import REFERENCE
from unfreeze.images.geometry import centre
from unfreeze.strategies.experiment import Experiment
from unfreeze.training import examples
from unfreeze.training.examples import Pixels, Remembered, fits_in_memory, recomputed, remember, views_that_fit

MakeExperiment = Callable[..., Experiment]
ALL = np.arange(12)


def pixels_of(experiment: Experiment, recipe: Augmentation = LIGHT, seed: int = 0) -> Pixels:
    """The images of an experiment with an augmentation."""
    return Pixels(experiment.squares, experiment.source.card, recipe, seed, experiment.device)


def views(pixels: Pixels, rows: Sequence[int], epoch: int | None) -> list[np.ndarray]:
    """Views of some rows in an epoch."""
    return list(pixels.views(np.array(rows), epoch=epoch))


def test_evaluation_sees_the_centre(make_experiment: MakeExperiment) -> None:
    """Without an epoch nothing varies, whatever the augmentation is."""
    experiment = make_experiment(12)
    squares = list(experiment.squares.read(ALL))

    for seen, square in zip(views(pixels_of(experiment), list(ALL), None), squares, strict=True):
        np.testing.assert_array_equal(seen, centre(square[None], 32)[0])


def test_a_view_depends_on_image_epoch_and_seed_alone(make_experiment: MakeExperiment) -> None:
    """It is the same in any company, and another one in another epoch, for another seed and for another image."""
    experiment = make_experiment(12)
    pixels = pixels_of(experiment)
    (alone,) = views(pixels, [5], 3)

    np.testing.assert_array_equal(alone, views(pixels, [9, 5, 2], 3)[1])
    assert (alone != views(pixels, [5], 4)[0]).any()
    assert (alone != views(pixels_of(experiment, seed=1), [5], 3)[0]).any()


def test_batches_of_pixels_are_normalised_inputs(make_experiment: MakeExperiment) -> None:
    """Each batch has the wanted size but the last, and values are those of mean and standard deviation."""
    experiment = make_experiment(12)
    card, pixels = experiment.source.card, pixels_of(experiment, NONE)
    batches = list(pixels.batches(ALL, size=5, epoch=0))
    plain = np.stack(views(pixels, list(ALL), None)) / 255

    assert [tuple(batch.shape) for batch in batches] == [(5, 3, 32, 32), (5, 3, 32, 32), (2, 3, 32, 32)]
    expected = ((plain - card.mean) / card.std).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(torch.cat(batches).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("room", "number"), [(10**9, 4), (100 + 2 * 60, 2), (100 + 60, 1), (159, 0), (100, 0), (99, -1)]
)
def test_as_many_views_are_remembered_as_memory_holds(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch, room: int, number: int
) -> None:
    """A hundred plain images come first, then views of the sixty that train, and -1 says that not even those fit."""
    cut = make_experiment(4).source.head_cut
    one = 4 * int(np.prod(cut.shape))  # float32
    monkeypatch.setattr(examples, "fits_in_memory", lambda size: size <= room * one)

    assert views_that_fit([cut], images=100, train=60, wanted=4) == number


def test_a_quarter_of_the_free_memory_may_be_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 4,000 free bytes a thousand."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=4000))

    assert fits_in_memory(1000)
    assert not fits_in_memory(1001)


@pytest.mark.parametrize("blocks", [[0], [2], [7], [0, 2, 7]])
def test_remembered_activations_are_those_of_the_network(make_experiment: MakeExperiment, blocks: list[int]) -> None:
    """At any cut, or several in one pass, plain images and all views of those that train give what the prefix gives."""
    experiment = make_experiment(9, 3)
    source, pixels = experiment.source, pixels_of(experiment)
    cuts = [source.cut_before_blocks(number) for number in blocks]
    train = experiment.task.train_rows
    remembered = remember(source, cuts, pixels, experiment.resources, train_rows=train, views=2, engine=REFERENCE)

    assert len(remembered) == len(cuts)
    for cut, found in zip(cuts, remembered, strict=True):
        prefix = source.prefix([cut])
        with torch.inference_mode():
            for epoch, stored in ((None, found.plain), (0, found.views[0]), (1, found.views[1])):
                rows = ALL if epoch is None else train
                (expected,) = prefix(next(pixels.batches(rows, size=12, epoch=epoch)))
                np.testing.assert_allclose(stored, expected.numpy().reshape(stored.shape), rtol=1e-4, atol=1e-5)
        assert found.position.tolist() == [*range(9), -1, -1, -1]

    given = {"train_rows": train, "views": 2, "engine": REFERENCE}
    (last,) = remember(source, cuts, pixels, experiment.resources, **given, kept=cuts[-1:])
    assert np.array_equal(last.plain, remembered[-1].plain)
    assert np.array_equal(last.views, remembered[-1].views)


def test_without_memory_nothing_is_remembered(make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is recomputed in its place is what would have been."""
    experiment = make_experiment(12)
    source, pixels, cut = experiment.source, pixels_of(experiment), experiment.source.cut_before_blocks(1)

    def found() -> tuple[Remembered, ...]:
        return remember(source, [cut], pixels, experiment.resources, train_rows=ALL, views=1, engine=REFERENCE)

    (kept,) = found()
    monkeypatch.setattr(examples, "fits_in_memory", lambda size: False)
    again = recomputed(source, cut, pixels)

    assert found() == ()
    batches = [torch.cat(list(one.batches(ALL, size=5, epoch=None))) for one in (kept, again)]
    torch.testing.assert_close(batches[0], batches[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("seconds", "number"), [(0.0, 0), (float("inf"), 3)])
def test_views_are_made_as_long_as_there_is_time(
    make_experiment: MakeExperiment, heard: Any, seconds: float, number: int
) -> None:
    """Plain images are there in any case, and fewer views are said."""
    experiment = make_experiment(12)
    (found,) = remember(
        experiment.source,
        [experiment.source.cut_before_blocks(1)],
        pixels_of(experiment),
        experiment.resources,
        train_rows=ALL,
        views=3,
        engine=REFERENCE,
        seconds=seconds,
    )

    assert (len(found.plain), len(found.views)) == (12, number)
    assert ("Of 3 augmented views of each image there is time for 0." in heard.lines) == (number == 0)


def test_a_batch_can_be_changed_without_changing_what_is_remembered() -> None:
    """A view that training overwrites in place, as mixing does, is whole again in the next epoch."""
    found = Remembered(np.zeros((4, 2), np.float32), np.ones((1, 4, 2), np.float32), np.arange(4))
    for epoch in (0, 1, None):
        for batch in found.batches(np.arange(4), size=4, epoch=epoch):
            batch.add_(7.0)

    assert (found.plain == 0).all()
    assert (found.views == 1).all()
