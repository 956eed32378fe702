"""How long models take for an image."""

from dataclasses import replace
from itertools import count
from unittest.mock import Mock

import pytest

from unfreeze.core.journal import MemoryJournal
from unfreeze.core.records import ModelCost, Outcome
from unfreeze.core.strategies import HEAD, SOFTMAX_ON_BEST
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.experiment import Experiment
from unfreeze.workflows import model_time
from unfreeze.workflows.model_time import milliseconds_an_image, with_milliseconds
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.devices import CPU


def test_a_batch_of_four_is_timed_and_divided() -> None:
    """With a clock that goes on by a second whenever it is looked at, a batch takes one: 250 ms an image."""
    source = load_backbone("resnet18", size=32, pretrained=False)
    ticks = count()

    for tap in (None, "layer1"):
        assert milliseconds_an_image(source, tap, CPU, clock=lambda: float(next(ticks))) == 250.0


def test_equal_depths_are_timed_once_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the journal knows is read back, so that a run that goes on says the same."""
    took = iter([5.0, 2.0, 99.0])
    monkeypatch.setattr(model_time, "milliseconds_an_image", lambda *_: next(took))
    resources = Resources(pool=Mock(spec=DecoderPool), journal=MemoryJournal({}))
    experiment = Mock(spec=Experiment, resources=resources, source=None, device=CPU)
    head = Outcome(strategy=HEAD, description="", model_cost=ModelCost(megabytes=9.0))
    best = Outcome(
        strategy=SOFTMAX_ON_BEST, description="", model_cost=ModelCost(megabytes=1.0, deepest_tap="blocks.4")
    )

    found = [with_milliseconds(one, experiment).model_cost for one in (head, best, head, best)]

    assert [cost.milliseconds_an_image for cost in found if cost] == [5.0, 2.0, 5.0, 2.0]
    assert with_milliseconds(replace(head, model_cost=None), experiment).model_cost is None
