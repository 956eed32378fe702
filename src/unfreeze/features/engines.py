"""Prefix engines: the frozen part of a network as inference, with every tap as an output.

An engine takes uint8 pixels and gives float32 arrays. Batches have one fixed shape, the last one is padded: a batch of
another size can change the last bits of a row, and a run that is taken up again must give the same bits.
"""

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unfreeze.core.errors import InputError
from unfreeze.core.readouts import Readout
from unfreeze.core.settings import EngineSettings
from unfreeze.features.openvino_prefix import BATCH_SIZE, compiled_prefix, output_names, quantised_prefix
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import Device
from unfreeze.zoo.graph import Cut

EngineName = Literal["openvino", "torch"]
Precision = Literal["f32", "bf16", "int8"]

Pixels = NDArray[np.uint8]
Outputs = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class Engine:
    """What runs the frozen layers.

    Attributes:
        name: openvino or torch; a network that neither of them runs may have an engine of its own.
        precision: Of its arithmetic: f32, bf16 (bfloat16 products, float32 sums) or int8 (OpenVINO alone).
        compiled: Whether torch compiles the layers first; it takes a minute, which many images on a GPU are worth.
    """

    name: str
    precision: Precision = "f32"
    compiled: bool = False

    def __str__(self) -> str:
        return f"{self.name} in {self.precision}{', compiled' if self.compiled else ''}"


REFERENCE = Engine("torch", "f32")
GPU_BATCH_SIZE = 64


@dataclass(frozen=True)
class PrefixEngine:
    """A compiled prefix.

    Attributes:
        engine: What runs it.
        batch_size: Images that it computes at once; fewer are padded.
        run: Takes images, uint8 [size, size, 3] each, and yields the outputs of every image, in order.
    """

    engine: Engine
    batch_size: int
    run: Callable[[Iterable[Pixels]], Iterator[Outputs]]


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
        return _openvino_engine(quantised_prefix(backbone, names, batches, cache=cache), engine)
    # Codes are wanted in every run; there are many cuts, and seldom the same one twice.
    compiled = compiled_prefix(backbone, names, engine.precision, keep=not raw, cache=cache)
    return _openvino_engine(compiled, engine)


def openvino_is_installed() -> bool:
    """Whether the engine openvino can be used."""
    try:
        import openvino  # noqa: F401
    except ImportError:
        return False
    return True


def precisions_of(name: EngineName, device: Device) -> tuple[Precision, ...]:
    """What an engine computes faster than float32 on this machine, fastest first, then float32."""
    if name == "torch":
        return ("bf16", "f32") if not device.is_cpu and device.computes_bfloat16 else ("f32",)
    import openvino

    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("bf16", "f32") if "BF16" in able else ("f32",)


def engines_for(request: EngineSettings, device: Device) -> list[Engine]:
    """Engines that fit what the user asks for, expected to be fastest first.

    Args:
        request: Engine and precision; its device was found before.
        device: Where torch runs.

    Returns:
        At least one.

    Raises:
        InputError: There is no such engine here.
    """
    name = _engine_here(request.engine, device)
    variants = (False, True) if name == "torch" and device.name == "cuda" else (False,)
    precisions = _precisions(name, request.precision, device)
    found = [Engine(name, own, compiled) for own in precisions for compiled in variants]
    if not found:
        msg = f"The engine {name} has no {request.precision} here. Choose another --precision."
        raise InputError(msg)
    return found


def _engine_here(asked: str, device: Device) -> EngineName:
    """The engine that was asked for; if none was, torch on a GPU, and OpenVINO elsewhere if it is installed."""
    if asked == "openvino" and not openvino_is_installed():
        msg = "The engine openvino is not installed. Install it (pip install openvino), or choose --engine torch."
        raise InputError(msg)
    if asked == "auto":
        return "openvino" if openvino_is_installed() and device.is_cpu else "torch"
    return cast("EngineName", asked)


def _precisions(name: EngineName, asked: str, device: Device) -> list[Precision]:
    if asked == "auto":
        return list(precisions_of(name, device))
    able: set[str] = {"f32", "bf16"} | ({"int8"} if name == "openvino" else set())
    return [own for own in get_args(Precision) if own == asked and own in able]


def padded_batches(images: Iterable[Pixels], size: int) -> Iterator[tuple[Pixels, int]]:
    """Batches of `size` images, each with the number of real ones; the last is padded with its own last image."""
    iterator = iter(images)
    while rows := list(itertools.islice(iterator, size)):
        real = len(rows)
        yield np.stack(rows + [rows[-1]] * (size - real)), real


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


def _openvino_engine(compiled: Any, engine: Engine) -> PrefixEngine:
    jobs = max(2, int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")))

    def run(images: Iterable[Pixels]) -> Iterator[Outputs]:
        requests = [compiled.create_infer_request() for _ in range(jobs)]
        running: list[tuple[Any, int]] = []  # oldest first, so that rows come out in order
        for number, (batch, real) in enumerate(padded_batches(images, BATCH_SIZE)):
            if len(running) == jobs:
                yield from _finished(*running.pop(0))
            request = requests[number % jobs]
            request.start_async([batch], share_inputs=False)
            running.append((request, real))
        for request, real in running:
            yield from _finished(request, real)

    return PrefixEngine(engine, BATCH_SIZE, run)


def _finished(request: Any, real: int) -> Iterator[Outputs]:
    request.wait()
    outputs = [np.array(tensor.data[:real], dtype=np.float32) for tensor in request.output_tensors]
    yield from zip(*outputs, strict=True)
