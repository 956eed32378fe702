"""The frozen part of a backbone, compiled for any engine."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from unfreeze.core.errors import InputError
from unfreeze.core.readouts import Readout
from unfreeze.features.engines import Engine, Outputs, Pixels, PrefixEngine, openvino_engine, padded_batches
from unfreeze.features.openvino_graphs import BATCH_SIZE, output_names
from unfreeze.features.openvino_prefix import compiled_prefix, quantised_prefix
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import Device
from unfreeze.zoo.graph import Cut

GPU_BATCH_SIZE = 64


def compile_prefix(
    backbone: Backbone,
    *,
    codes: Sequence[Cut] = (),
    details: Sequence[Readout] = (),
    raw: Sequence[Cut] = (),
    engine: Engine,
    device: Device,
    calibration: Sequence[Pixels] = (),
    cache: Path | None = None,
) -> PrefixEngine:
    """Compile the network up to the deepest of some cuts.

    Args:
        backbone: The network.
        codes: Taps at which codes are wanted.
        details: What else is wanted at these taps.
        raw: Taps, or cuts before blocks, at which the tensor itself is wanted.
        engine: What runs it.
        device: Where torch does; OpenVINO runs on the CPU.
        calibration: Images of the user's, uint8 [size, size, 3], from which int8 takes its ranges.
        cache: Folder where what is converted is kept; the user's cache if None.

    Returns:
        The engine; outputs are the codes, then the details, then the raw tensors.

    Raises:
        InputError: The engine is not installed, or does not have this precision.
    """
    if engine.name == "torch":
        module = backbone.codes_module(cuts=codes, raw=raw, details=details)
        return _torch_engine(module, engine, device, keeps_raw=bool(raw))
    names = output_names(codes, details, raw)
    if engine.precision == "int8":
        batches = [batch for batch, _ in padded_batches(calibration, BATCH_SIZE)]
        return openvino_engine(quantised_prefix(backbone, names, batches, cache=cache), engine)
    # Codes are wanted in every run; there are many cuts, and seldom the same one twice.
    compiled = compiled_prefix(backbone, names, engine.precision, keep=not raw, cache=cache)
    return openvino_engine(compiled, engine)


def _torch_engine(module: nn.Module, engine: Engine, device: Device, *, keeps_raw: bool) -> PrefixEngine:
    if engine.precision == "int8":
        msg = "The engine torch has no int8. Choose --engine openvino, or --precision f32."
        raise InputError(msg)
    size = BATCH_SIZE if device.is_cpu else GPU_BATCH_SIZE
    if not device.is_cpu:  # a copy, since the network's own layers stay where they are
        module = copy.deepcopy(module).to(device.torch).to(memory_format=torch.channels_last)
    # Raw tensors are read once, for a training that takes longer than compiling saves.
    if engine.compiled and not keeps_raw:
        module.compile(dynamic=False)

    def run(images: Iterable[Pixels]) -> Iterator[Outputs]:
        for batch, real in padded_batches(images, size):
            pixels = torch.from_numpy(batch).to(device.torch, non_blocking=True)
            with torch.inference_mode(), _autocast(device, engine.precision):
                outputs = [out[:real].float().cpu().numpy() for out in module(pixels)]
            yield from zip(*outputs, strict=True)

    return PrefixEngine(engine, size, run)


def _autocast(device: Device, precision: str) -> torch.autocast:
    return torch.autocast(device.name, dtype=torch.bfloat16, enabled=precision == "bf16")
