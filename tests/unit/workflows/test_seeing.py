"""The map of codes, and where a delivered network looks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unfreeze.core.records import Outcome
from unfreeze.core.strategies import SOFTMAX_ON_LAST, unfreeze
from unfreeze.strategies.experiment import Experiment
from unfreeze.workflows import seeing
from unfreeze.workflows.seeing import LACKS_CAPTUM, OF_EACH, code_map, looks
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.folders import save_model

MakeExperiment = Callable[..., Experiment]


def wrong_on(experiment: Experiment, rows: set[int]) -> Outcome:
    """A linear classifier on the last codes that was wrong on these rows when they were held out."""
    task = experiment.task
    splits = [task.split(number) for number in range(5)]
    predictions = tuple(
        tuple(int(1 - task.labels[row] if row in rows else task.labels[row]) for row in split.test.tolist())
        for split in splits
    )
    likelihoods = tuple(tuple(-float(row + 1) for row in split.test.tolist()) for split in splits)
    return Outcome(
        strategy=SOFTMAX_ON_LAST,
        description="",
        tap=experiment.source.taps[-1].name,
        predictions=predictions,
        log_likelihoods=likelihoods,
    )


@pytest.fixture
def model(tiny: Backbone, tmp_path: Path) -> Path:
    """A delivered network of two classes, its head drawn at random."""
    network, rng = tiny.with_classes(2), np.random.default_rng(0)
    for parameter in network.head_parameters():
        parameter.data.copy_(parameter.data.new_tensor(rng.normal(size=tuple(parameter.shape))))
    save_model(tmp_path / "model", network, class_names=("a", "b"), card_text="# A model\n")
    return tmp_path / "model"


def test_every_image_is_in_the_map(make_experiment: MakeExperiment) -> None:
    """Of the train part alone, and two classes that differ in colour have their own near them."""
    experiment = make_experiment(40, 10)

    found = code_map(experiment, wrong_on(experiment, set()), seconds=10)

    assert found.images == tuple(range(40))
    assert len(found.x) == len(found.y) == 40
    assert [one.images for one in found.neighbours] == [20, 20]
    assert all(one.same is not None and one.same > 0.7 for one in found.neighbours)
    assert found.codes == f"the last codes of the frozen network ({experiment.source.taps[-1].name})"
    assert found.note == ""
    assert found == code_map(experiment, wrong_on(experiment, set()), seconds=10)


def test_little_time_draws_fewer_images(make_experiment: MakeExperiment) -> None:
    """Half of them, as many of each class, and a sentence says so."""
    experiment = make_experiment(40)

    found = code_map(experiment, wrong_on(experiment, set()), seconds=20 * seeing.SECONDS_A_POINT + 1e-9)

    assert [one.images for one in found.neighbours] == [10, 10]
    assert found.note == "20 of 40 images are shown, drawn class by class."


@pytest.mark.parametrize(
    ("images", "seconds", "note"),
    [(40, 0.0, "The budget was nearly gone: there is no map."), (10, 9.0, "10 images make no map.")],
)
def test_without_a_map_a_sentence_says_why(
    make_experiment: MakeExperiment, images: int, seconds: float, note: str
) -> None:
    """Where no time is left, and where there are next to no images."""
    experiment = make_experiment(images)

    found = code_map(experiment, wrong_on(experiment, set()), seconds=seconds)

    assert (found.images, found.note) == ((), note)


def test_without_captum_a_sentence_says_how_to_get_it(
    make_experiment: MakeExperiment, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is tried."""
    monkeypatch.setattr(seeing, "can_look", lambda: False)
    experiment = make_experiment(20)

    found = looks(experiment, wrong_on(experiment, {3}), model, frozen=None, seconds=9)

    assert found.note == LACKS_CAPTUM
    assert found.maps == ()


def test_the_surest_mistakes_come_first(make_experiment: MakeExperiment, model: Path) -> None:
    """At most six, then as many right ones; each speaks of what the photo was called when it was held out."""
    pytest.importorskip("captum")
    experiment = make_experiment(40)
    wrong = set(range(10, 20))  # the surest are those with the largest numbers

    found = looks(experiment, wrong_on(experiment, wrong), model, frozen=None, seconds=60)

    names = [one.image for one in found.maps]
    assert names[:OF_EACH] == [f"{row:04}" for row in range(19, 13, -1)]
    assert [one.right for one in found.maps] == [False] * OF_EACH + [True] * OF_EACH
    assert {one.given for one in found.maps[OF_EACH:]} == {0, 1}
    assert all(one.called == 1 - one.given for one in found.maps[:OF_EACH])
    assert all(one.frozen == () for one in found.maps)
    assert found.photos == "held out"


def test_the_frozen_network_stands_beside(make_experiment: MakeExperiment, model: Path, tiny: Backbone) -> None:
    """A head of zeros finds nothing that speaks for a class; the delivered network has its strongest place at 255."""
    pytest.importorskip("captum")
    experiment = make_experiment(20)
    outcome = replace(wrong_on(experiment, {3}), strategy=unfreeze(1))

    found = looks(experiment, outcome, model, frozen=lambda: tiny.with_classes(2), seconds=60)

    assert len(found.maps) == 1 + OF_EACH
    assert {value for one in found.maps for row in one.frozen for value in row} == {0}
    assert {max(max(row) for row in one.delivered) for one in found.maps} <= {0, 255}
    assert any(max(row) == 255 for one in found.maps for row in one.delivered)


def test_what_there_is_no_time_for_is_said(make_experiment: MakeExperiment, model: Path) -> None:
    """With a clock that jumps an hour at every look one photo is shown."""
    pytest.importorskip("captum")
    experiment, hours = make_experiment(20), iter(range(0, 360_000, 3600))

    found = looks(
        experiment, wrong_on(experiment, {3}), model, frozen=None, seconds=60, clock=lambda: float(next(hours))
    )

    assert len(found.maps) == 1
    assert found.note == "1 photo of 7, since the budget was nearly gone."
