"""Everything that an experiment computes goes to the device that it was given."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from unfreeze.core.plans import NONE, Plan, Rule
from unfreeze.core.settings import EngineSettings
from unfreeze.core.strategies import FULL, parse_strategy
from unfreeze.data.tasks import Task
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import Request
from unfreeze.strategies.preparation import prepare
from unfreeze.training.trials import Inputs, TrainingRun
from unfreeze.workflows.prediction import predict_images
from unfreeze.workflows.tuning import tuned
from unfreeze.zoo import devices
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import CPU, Device, find_device
from unfreeze.zoo.folders import save_model

MakeTask = Callable[..., Task]
Decoded = Callable[..., DecoderPool]


@final
class Recorder(TorchFunctionMode):
    """Notes where tensors are, and which are moved to a GPU, in whose place the CPU stands."""

    def __init__(self) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.moved: list[torch.Tensor] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the function and look at what it gives."""
        if func is torch.Tensor.to and torch.device("cuda") in args:
            self.moved.append(args[0])
            args = tuple("cpu" if one == torch.device("cuda") else one for one in args)
        found = func(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor):
            self.places.add(found.device.type)
        return found


@pytest.fixture
def experiment(make_rows: MakeTask, decoded: Decoded, tiny: Backbone, tmp_path: Path) -> Experiment:
    """Twenty-four images that train, with the codes of a small network, on the CPU as asked."""
    images = make_rows(24).image_set
    resources = Resources(pool=decoded(images.images, tiny.card), cache=tmp_path / "cache")
    return prepare(images, tiny, resources, EngineSettings("torch", "f32", "cpu"))


@pytest.mark.parametrize("strategy", ["head", "1"])
def test_the_cpu_is_used_throughout_beside_a_gpu(
    strategy: str, experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU that is there is left alone by all of training, and by predictions."""
    monkeypatch.setattr(devices, "_devices", lambda: [Device("cuda"), CPU])  # what alone asks PyTorch
    assert find_device() == Device("cuda")
    with Recorder() as seen:
        _, fit = tuned(experiment, parse_strategy(strategy), Request(allowance=60.0, splits=0), epochs=1)
        assert isinstance(fit.model, Backbone)
        save_model(tmp_path / "model", fit.model, class_names=("a", "b"), card_text="")
        paths = [image.path for image in experiment.task.image_set.images]
        found = predict_images(tmp_path / "model", paths, pool=experiment.squares.pool, device=experiment.device)

    assert experiment.device == CPU
    assert len(found.names) == 24
    assert (seen.places, seen.moved) == ({"cpu"}, [])


def test_every_parameter_and_every_batch_goes_to_the_device(experiment: Experiment) -> None:
    """Of a trial on a GPU, everything that learns and everything that it learns from is moved there."""
    start = experiment.source.with_classes(2)
    pixels = replace(experiment.pixels, device=Device("cuda"))
    inputs = Inputs(cut=start.cuts[0], examples=pixels, features=pixels, pixels=pixels, labels=experiment.task.labels)
    plan = Plan(strategy=FULL, rules=(Rule(".*", 1e-3),), epochs=2, batch_size=8, augmentation=NONE)

    with Recorder() as seen:
        run = TrainingRun(start, plan, inputs, np.arange(24), seed=0)
        run.train_to(2)
        run.result()

    moved = {id(tensor) for tensor in seen.moved}
    assert all(id(parameter) in moved for parameter in run._network.parameters())
    batches = [tensor for tensor in seen.moved if tensor.dtype == torch.uint8]
    assert [tuple(batch.shape) for batch in batches] == [(8, 32, 32, 3)] * 6  # three batches in each of two epochs
