"""Delivered models that are read from their folder, and converted to OpenVINO where that says the same."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unfreeze.features.classifiers import ENGINE, is_convertible, keep_classifier
from unfreeze.features.engines import (
    REFERENCE,
    Outputs,
    Pixels,
    PrefixEngine,
    openvino_engine,
    openvino_is_installed,
    padded_batches,
)
from unfreeze.features.openvino_graphs import BATCH_SIZE, compiled_for_processor
from unfreeze.features.openvino_prefix import converted_module
from unfreeze.zoo.devices import Device
from unfreeze.zoo.folders import SavedModel, read_model
from unfreeze.zoo.graph import TRACING
from unfreeze.zoo.model_config import OUR_KEY, read_config

TORCH_BATCH_SIZE = 32
# Of a model that stays in memory, on a CPU: one photo at a time is what loops and servers have, and a batch that is
# padded would cost as much as a full one.
BATCH_SIZE_IN_MEMORY = 1
# Between scores by OpenVINO and by torch, both in float32, of the largest score of a few images; rounding gave 3e-6.
CONVERTED_DIFFERENCE = 1e-4


def torch_classifier(folder: Path, device: Device, *, one_by_one: bool = False) -> PrefixEngine:
    """A model's folder, run by torch in float32; its one output are the scores.

    Args:
        folder: Written by a run.
        device: Where it runs.
        one_by_one: Whether photos come a few at a time, so that on a CPU no batch is padded.

    Returns:
        The engine.

    Raises:
        InputError: The folder is no model.
    """
    return _run_by_torch(read_model(folder).module, device, _torch_batch(device, one_by_one=one_by_one))


def classifier_in_memory(module: nn.Module, device: Device) -> PrefixEngine:
    """A model that is there already, run by torch in float32; any number of threads may use it at once.

    Args:
        module: From uint8 images ``[batch, size, size, 3]`` to scores; is moved to the device and no longer trains.
        device: Where it runs.

    Returns:
        The engine; its one output are the scores.
    """
    return _run_by_torch(module.eval(), device, _torch_batch(device, one_by_one=True))


def converted_classifier(
    folder: Path, device: Device, *, cache: Path | None = None, one_by_one: bool = False
) -> PrefixEngine:
    """A model's folder, converted to OpenVINO if that can be and says the same as torch, else run by torch.

    What is converted is kept for `features.classifiers.kept_classifier`.

    Args:
        folder: Written by a run.
        device: Where torch runs; OpenVINO runs on the CPU.
        cache: Folder of all that is kept; the user's cache if None.
        one_by_one: Whether photos come a few at a time, so that no batch is padded.

    Returns:
        The engine; its one output are the scores, in float32.

    Raises:
        InputError: The folder is no model.
    """
    saved = read_model(folder)
    by_torch = _run_by_torch(saved.module, device, _torch_batch(device, one_by_one=one_by_one))
    settings, batch_size = read_config(folder)[OUR_KEY], 1 if one_by_one else BATCH_SIZE
    if not (device.is_cpu and openvino_is_installed() and is_convertible(settings, cache, batch_size=batch_size)):
        return by_torch
    compiled = _converted(saved, by_torch, batch_size)
    keep_classifier(settings, compiled, cache, batch_size=batch_size)
    return by_torch if compiled is None else openvino_engine(compiled, ENGINE)


def _run_by_torch(module: nn.Module, device: Device, batch_size: int) -> PrefixEngine:
    module = module.to(device.torch)

    def run(images: Iterable[Pixels]) -> Iterator[Outputs]:
        for batch, real in padded_batches(images, batch_size):
            with torch.inference_mode():
                scores = module(torch.from_numpy(batch).to(device.torch)).float().cpu().numpy()
            yield from zip(scores[:real], strict=True)

    return PrefixEngine(REFERENCE, batch_size, run)


def _torch_batch(device: Device, *, one_by_one: bool) -> int:
    return BATCH_SIZE_IN_MEMORY if one_by_one and device.is_cpu else TORCH_BATCH_SIZE


def _converted(saved: SavedModel, by_torch: PrefixEngine, batch_size: int) -> Any | None:
    """The model, compiled by OpenVINO in float32; None if it cannot be converted, or scores differ from torch's."""
    side = saved.card.size
    noise = np.random.default_rng(0).integers(0, 256, (BATCH_SIZE, side, side, 3), np.uint8)
    try:
        with TRACING:
            model = converted_module(saved.module, side, batch_size=batch_size)
        compiled = compiled_for_processor(model, "f32")
        found = _scores(openvino_engine(compiled, ENGINE), noise)
    except Exception:  # whatever OpenVINO raises at somebody else's network
        return None
    wanted = _scores(by_torch, noise)
    largest = max(1.0, float(np.abs(wanted).max()))
    return compiled if float(np.abs(found - wanted).max()) <= CONVERTED_DIFFERENCE * largest else None


def _scores(engine: PrefixEngine, images: Pixels) -> NDArray[np.float32]:
    return np.stack([scores for (scores,) in engine.run(images)])
