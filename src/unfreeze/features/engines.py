"""Prefix engines: the frozen part of a network as inference, with every tap as an output.

An engine takes uint8 pixels and gives float32 arrays. Batches have one fixed shape, the last one is padded: a batch of
another size can change the last bits of a row, and a run that is taken up again must give the same bits.
"""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unfreeze.core.errors import InputError

EngineName = Literal["auto", "openvino", "torch"]
BATCH_SIZE = 8
CHECK_TOLERANCE = 1e-3  # relative to the largest value of an output; float32 engines differ by about 1e-5

Pixels = NDArray[np.uint8]
Outputs = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class PrefixEngine:
    """A compiled prefix.

    Attributes:
        name: openvino or torch.
        precision: Of its arithmetic.
        run: Takes images, uint8 [size, size, 3] each, and yields the outputs of every image, in order.
    """

    name: str
    precision: str
    run: Callable[[Iterable[Pixels]], Iterator[Outputs]]


def compile_prefix(module: nn.Module, size: int, *, engine: str = "auto") -> PrefixEngine:
    """Compile a module that takes uint8 pixels [batch, size, size, 3] and gives a tuple of float32 arrays.

    Args:
        module: In eval mode; `Backbone.codes_module` makes it.
        size: Side of the images, pixels.
        engine: openvino, torch, or auto: openvino where it is installed and agrees with torch on a sample.

    Returns:
        The engine.

    Raises:
        InputError: The engine is unknown or not installed.
    """
    if engine not in get_args(EngineName):
        msg = f"Unknown engine {engine!r}. Choose one of {', '.join(get_args(EngineName))}."
        raise InputError(msg)
    if engine == "torch" or (engine == "auto" and torch.cuda.is_available()):
        return _torch_engine(module)
    try:
        compiled = _openvino_engine(module, size)
    except ImportError as error:
        if engine == "openvino":
            msg = "The engine openvino is not installed. Install it (pip install openvino), or choose --engine torch."
            raise InputError(msg) from error
        return _torch_engine(module)
    if engine == "auto" and not _agree(compiled, _torch_engine(module), size):
        return _torch_engine(module)
    return compiled


def _agree(first: PrefixEngine, second: PrefixEngine, size: int) -> bool:
    """Whether two engines give the same outputs for one image of noise."""
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    pairs = zip(next(first.run([image])), next(second.run([image])), strict=True)
    return all(np.abs(a - b).max() <= CHECK_TOLERANCE * max(np.abs(b).max(), 1e-6) for a, b in pairs)


def padded_batches(images: Iterable[Pixels], size: int) -> Iterator[tuple[Pixels, int]]:
    """Batches of `size` images, each with the number of real ones; the last is padded with its own last image."""
    iterator = iter(images)
    while rows := list(itertools.islice(iterator, size)):
        real = len(rows)
        yield np.stack(rows + [rows[-1]] * (size - real)), real


def _torch_engine(module: nn.Module) -> PrefixEngine:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def run(images: Iterable[Pixels]) -> Iterator[Outputs]:
        module.to(device)
        for batch, real in padded_batches(images, BATCH_SIZE):
            with torch.inference_mode():
                outputs = [out[:real].float().cpu().numpy() for out in module(torch.from_numpy(batch).to(device))]
            yield from zip(*outputs, strict=True)

    return PrefixEngine("torch", "f32", run)


def _openvino_engine(module: nn.Module, size: int) -> PrefixEngine:
    import openvino

    example = torch.zeros(BATCH_SIZE, size, size, 3, dtype=torch.uint8)
    with torch.no_grad(), warnings.catch_warnings():
        # OpenVINO still traces with torch.jit, whose deprecation is no business of our users.
        warnings.simplefilter("ignore")
        converted = openvino.convert_model(module, example_input=example, input=[list(example.shape)])
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(converted, "CPU", settings)
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

    return PrefixEngine("openvino", "f32", run)


def _finished(request: Any, real: int) -> Iterator[Outputs]:
    request.wait()
    outputs = [np.array(tensor.data[:real], dtype=np.float32) for tensor in request.output_tensors]
    yield from zip(*outputs, strict=True)
