"""In which precision and layout the learning part trains on this machine."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from unfreeze.core.plans import EXACT, Arithmetic, Layout, TrainingPrecision
from unfreeze.zoo.devices import Device

_MEMORY_FORMATS = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}


def arithmetics(device: Device) -> tuple[Arithmetic, ...]:
    """What is worth measuring on this device, the likeliest and most exact one first.

    bfloat16 only where the hardware has instructions for it: emulated it takes many times as long, the measuring too.
    """
    low = (Arithmetic(layout="channels_last", precision="bfloat16"),) if device.computes_bfloat16 else ()
    return (EXACT, *low, Arithmetic(layout="NCHW", precision="float32"))


def in_layout(network: nn.Module, layout: Layout) -> nn.Module:
    """The network itself, its weights laid out in memory as `layout` says."""
    return network.to(memory_format=_MEMORY_FORMATS[layout])


def inputs_in_layout(inputs: Tensor, layout: Layout) -> Tensor:
    """A batch laid out in memory as `layout` says; anything but maps as it is."""
    return inputs.contiguous(memory_format=_MEMORY_FORMATS[layout]) if inputs.ndim == 4 else inputs


@contextlib.contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Run torch on so many cores inside the block; None leaves it as it is.

    One is best for steps of a millisecond: sharing them out costs more than it gives, and fifty times as much on a busy
    machine, where the threads wait for each other (measured: 0.65 ms a step on one thread, 36 ms on two under other
    load).
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
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
def mixed_precision(network: nn.Module, precision: TrainingPrecision, device: Device) -> Iterator[None]:
    """Run forward passes inside the block in `precision`; weights and their gradients stay float32.

    On a CPU, depthwise convolutions stay in float32: their backward pass has no fast bfloat16 kernel (measured for
    EfficientNet-Lite0 on two cores with AMX, ms an image and step: all bfloat16 55, depthwise in float32 48, all
    float32 56).
    """
    if precision == "float32":
        yield
        return
    depthwise = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.groups > 1] if device.is_cpu else []
    for module in depthwise:
        module.__dict__["forward"] = _in_float32(module.forward)
    try:
        # Without the cache: it keeps the bfloat16 copies of the weights until the block ends, so that every step would
        # run on the weights of the first one.
        with torch.autocast(device.name, dtype=torch.bfloat16, cache_enabled=False):
            yield
    finally:
        for module in depthwise:
            del module.__dict__["forward"]
