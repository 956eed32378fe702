"""Delivered models that are read from their folder, and converted to OpenVINO where that says the same."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unfreeze.features.classifiers import ENGINE, MANY, ONE_BY_ONE, Form, is_convertible, keep_classifier
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
from unfreeze.zoo.coded import WithCodes, with_map
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


def torch_classifier(folder: Path, device: Device, *, form: Form = MANY) -> PrefixEngine:
    """A model's folder, run by torch in float32.

    Args:
        folder: Written by a run.
        device: Where it runs.
        form: What it gives; of batches only whether they are padded, on a CPU.

    Returns:
        The engine; its outputs are the scores, the codes, and what else the form gives.

    Raises:
        InputError: The folder is no model.
    """
    return _run_by_torch(_in_form(read_model(folder), form), device, _torch_batch(device, form))


def classifier_in_memory(module: nn.Module, device: Device) -> PrefixEngine:
    """A model that is there already, run by torch in float32; any number of threads may use it at once.

    Args:
        module: From uint8 images ``[batch, size, size, 3]`` to scores; is moved to the device and no longer trains.
        device: Where it runs.

    Returns:
        The engine; its one output are the scores.
    """
    return _run_by_torch(module.eval(), device, _torch_batch(device, ONE_BY_ONE))


def converted_classifier(folder: Path, device: Device, *, cache: Path | None = None, form: Form = MANY) -> PrefixEngine:
    """A model's folder, converted to OpenVINO if that can be and says the same as torch, else run by torch.

    What is converted is kept for `features.classifiers.kept_classifier`.

    Args:
        folder: Written by a run.
        device: Where torch runs; OpenVINO runs on the CPU.
        cache: Folder of all that is kept; the user's cache if None.
        form: What it takes and gives.

    Returns:
        The engine; its outputs are the scores, the codes, and what else the form gives, in float32.

    Raises:
        InputError: The folder is no model.
    """
    saved = read_model(folder)
    module = _in_form(saved, form)
    by_torch = _run_by_torch(module, device, _torch_batch(device, form))
    settings = read_config(folder)[OUR_KEY]
    if not (device.is_cpu and openvino_is_installed() and is_convertible(settings, cache, form=form)):
        return by_torch
    compiled = _converted(module, saved.card.size, by_torch, form)
    keep_classifier(settings, compiled, cache, form=form)
    return by_torch if compiled is None else openvino_engine(compiled, ENGINE)


def _run_by_torch(module: nn.Module, device: Device, batch_size: int) -> PrefixEngine:
    module = module.to(device.torch)

    def run(images: Iterable[Pixels]) -> Iterator[Outputs]:
        for batch, real in padded_batches(images, batch_size):
            with torch.inference_mode():
                found = module(torch.from_numpy(batch).to(device.torch))
            outputs = [one.float().cpu().numpy()[:real] for one in (found if isinstance(found, tuple) else (found,))]
            yield from zip(*outputs, strict=True)

    return PrefixEngine(REFERENCE, batch_size, run)


def _in_form(saved: SavedModel, form: Form) -> nn.Module:
    return with_map(saved.module) if form.gives_map else WithCodes(saved.module)


def _torch_batch(device: Device, form: Form) -> int:
    return BATCH_SIZE_IN_MEMORY if form.batch_size == 1 and device.is_cpu else TORCH_BATCH_SIZE


def _converted(module: nn.Module, side: int, by_torch: PrefixEngine, form: Form) -> Any | None:
    """The model, compiled by OpenVINO in float32; None if it cannot be converted, or scores differ from torch's."""
    noise = np.random.default_rng(0).integers(0, 256, (BATCH_SIZE, side, side, 3), np.uint8)
    try:
        with TRACING:
            model = converted_module(module, side, batch_size=form.batch_size)
        compiled = compiled_for_processor(model, "f32")
        found = _outputs(openvino_engine(compiled, ENGINE), noise)
    except Exception:  # whatever OpenVINO raises at somebody else's network
        return None
    same = all(map(_are_same, found, _outputs(by_torch, noise)))
    return compiled if same else None


def _outputs(engine: PrefixEngine, images: Pixels) -> list[NDArray[np.float32]]:
    return [np.stack(rows) for rows in zip(*engine.run(images), strict=True)]


def _are_same(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> bool:
    largest = max(1.0, float(np.abs(wanted).max()))
    return float(np.abs(found - wanted).max()) <= CONVERTED_DIFFERENCE * largest
