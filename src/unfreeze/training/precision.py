"""In which precision and layout the learning part trains on this machine."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor, nn

Precision = Literal["float32", "bfloat16"]


def fastest_precision() -> Precision:
    """bfloat16 where the processor multiplies matrices of it in hardware (AMX; CUDA from Ampere on), else float32.

    Fixed by the kind of machine, not by a measurement: the same machine must give the same bits twice.
    """
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    # A private name, because torch has no public one for it yet; a torch without it counts as without AMX.
    supported: Callable[[], bool] = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return "bfloat16" if supported() else "float32"


def training_device() -> torch.device:
    """Where the learning part trains."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one core inside the block.

    For steps of a millisecond: sharing them out costs more than it gives, and fifty times as much on a busy machine,
    where the threads wait for each other (measured: 0.65 ms a step on one thread, 36 ms on two under other load).
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _in_float32(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def wrapped(inputs: Tensor) -> Tensor:
        with torch.autocast(inputs.device.type, enabled=False):
            return forward(inputs.float())

    return wrapped


@contextlib.contextmanager
def mixed_precision(network: nn.Module, precision: Precision) -> Iterator[None]:
    """Run forward passes inside the block in `precision`; weights and their gradients stay float32.

    On a CPU, depthwise convolutions stay in float32: their backward pass has no fast bfloat16 kernel (measured for
    EfficientNet-Lite0 on two cores with AMX, ms an image and step: all bfloat16 55, depthwise in float32 48, all
    float32 56).
    """
    if precision == "float32":
        yield
        return
    device = training_device().type
    depthwise = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.groups > 1] if device == "cpu" else []
    for module in depthwise:
        module.__dict__["forward"] = _in_float32(module.forward)
    try:
        # Without the cache: it keeps the bfloat16 copies of the weights until the block ends, so that every step would
        # run on the weights of the first one.
        with torch.autocast(device, dtype=torch.bfloat16, cache_enabled=False):
            yield
    finally:
        for module in depthwise:
            del module.__dict__["forward"]
