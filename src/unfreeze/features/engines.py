"""Prefix engines: the frozen part of a network as inference, with every tap as an output.

An engine takes uint8 pixels and gives float32 arrays. Batches have one fixed shape, the last one is padded: a batch of
another size can change the last bits of a row, and a run that is taken up again must give the same bits.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from unfreeze.core.errors import InputError
from unfreeze.core.settings import EngineSettings
from unfreeze.zoo.devices import Device

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


def openvino_engine(compiled: Any, engine: Engine) -> PrefixEngine:
    """What runs a compiled graph.

    Args:
        compiled: An ``openvino.CompiledModel`` from uint8 pixels [batch, size, size, 3].
        engine: What it is.

    Returns:
        The engine.
    """
    jobs = max(2, int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")))
    batch_size = int(compiled.input(0).shape[0])

    def run(images: Iterable[Pixels]) -> Iterator[Outputs]:
        requests = [compiled.create_infer_request() for _ in range(jobs)]
        running: list[tuple[Any, int]] = []  # oldest first, so that rows come out in order
        for number, (batch, real) in enumerate(padded_batches(images, batch_size)):
            if len(running) == jobs:
                yield from _finished(*running.pop(0))
            request = requests[number % jobs]
            request.start_async([batch], share_inputs=False)
            running.append((request, real))
        for request, real in running:
            yield from _finished(request, real)

    return PrefixEngine(engine, batch_size, run)


def _finished(request: Any, real: int) -> Iterator[Outputs]:
    request.wait()
    outputs = [np.array(tensor.data[:real], dtype=np.float32) for tensor in request.output_tensors]
    yield from zip(*outputs, strict=True)
