"""Where networks run: the one file that asks PyTorch what this machine has."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, final

import torch

from unfreeze.core.errors import InputError

DeviceName = Literal["cpu", "cuda", "mps"]


@final
@dataclass(frozen=True)
class Device:
    """Where PyTorch computes; whether it is there was asked by `find_device`.

    Attributes:
        name: PyTorch's word: cpu, cuda (the current GPU) or mps (a Mac's GPU).
    """

    name: DeviceName

    @property
    def torch(self) -> torch.device:
        """What tensors and modules are moved to."""
        return torch.device(self.name)

    @property
    def is_cpu(self) -> bool:
        """Whether nothing has to be moved."""
        return self.name == "cpu"

    @property
    def computes_bfloat16(self) -> bool:
        """Whether it has instructions for bfloat16, which emulated takes many times as long; False for mps, untried."""
        if self.name == "cuda":
            return bool(torch.cuda.is_bf16_supported())
        # Private names, because torch has no public ones for it yet; a torch without them counts as a machine without.
        names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return self.is_cpu and any(bool(getattr(torch.cpu, name, bool)()) for name in names)

    @contextmanager
    def drawing_from(self, seed: int) -> Iterator[None]:
        """Inside, dropout and the like draw from this seed, here and on the CPU; then generators are as they were.

        On the CPU alone no GPU is touched, which would take its memory.
        """
        beside: list[int] | None = [] if self.is_cpu else None  # None: all of this type
        with torch.random.fork_rng(beside, device_type="cuda" if self.is_cpu else self.name):
            torch.default_generator.manual_seed(seed)
            if self.name == "cuda":
                torch.cuda.manual_seed_all(seed)
            elif self.name == "mps":
                torch.mps.manual_seed(seed)
            yield


CPU = Device("cpu")


def find_device(wanted: str = "auto") -> Device:
    """The device that a word stands for.

    Args:
        wanted: cpu, cuda, mps, or auto: cuda if it is there, else cpu. mps has to be asked for: it was never tried
            (we have no Mac), and it lacks pooling to a size that does not divide the map's, which AlexNet and VGG need
            at other sizes than their own (github.com/pytorch/pytorch/issues/96056).

    Returns:
        A device that is there.

    Raises:
        InputError: It is not.
    """
    there = _devices()
    found = next((device for device in there if device.name == wanted), None)
    if wanted == "auto":
        return next(device for device in there if device.name != "mps")
    if found is None:
        names = " and ".join(device.name for device in there)
        msg = (
            f"There is no device {wanted} here: PyTorch finds {names}. Choose another --device or leave it out, or "
            "install a PyTorch that is built for yours."
        )
        raise InputError(msg)
    return found


def _devices() -> list[Device]:
    """All that are there, expected to be fastest first."""
    found = [Device("cuda")] if torch.cuda.is_available() else []
    return [*found, *([Device("mps")] if torch.backends.mps.is_available() else []), CPU]
