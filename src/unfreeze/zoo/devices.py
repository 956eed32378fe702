"""Where networks run: the one file that asks PyTorch what this machine has.

PyTorch is imported only when it has to answer: on a machine without a GPU, files say that there is none.
"""

import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, final

from unfreeze.core.errors import InputError

if TYPE_CHECKING:  # seconds
    import torch

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
    def torch(self) -> "torch.device":
        """What tensors and modules are moved to."""
        import torch

        return torch.device(self.name)

    @property
    def is_cpu(self) -> bool:
        """Whether nothing has to be moved."""
        return self.name == "cpu"

    @property
    def computes_bfloat16(self) -> bool:
        """Whether it has instructions for bfloat16, which emulated takes many times as long; False for mps, untried."""
        import torch

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
        import torch

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
    if wanted == "cpu" or (wanted == "auto" and not _may_have_gpu()):
        return CPU
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


def check_processes(number: int, device: Device) -> None:
    """Make sure that so many processes can train on devices of this kind: a GPU each, or parts of one CPU.

    Args:
        number: Of processes.
        device: One of them.

    Raises:
        InputError: There are fewer GPUs, or the device is a Mac's GPU, which PyTorch does not connect.
    """
    if device.is_cpu:
        return
    import torch

    there = torch.cuda.device_count() if device.name == "cuda" else 1
    if number > there:
        msg = (
            f"Each of {number} processes needs a GPU of its own, and PyTorch finds {there} here. Choose --devices "
            f"{there}, or --device cpu."
        )
        raise InputError(msg)


def _devices() -> list[Device]:
    """All that are there, expected to be fastest first."""
    import torch

    found = [Device("cuda")] if torch.cuda.is_available() else []
    return [*found, *([Device("mps")] if torch.backends.mps.is_available() else []), CPU]


def _may_have_gpu() -> bool:
    """Whether PyTorch may find a GPU that is taken where none is asked for; once it is imported, it knows best."""
    return "torch" in sys.modules or (_is_built_for_gpus() and _has_gpu_files())


def _is_built_for_gpus() -> bool:
    """Whether the installed PyTorch was built for CUDA or ROCm, by its ``version.py``; also if that does not say."""
    try:
        spec = importlib.util.find_spec("torch")
        folders = [] if spec is None else [Path(place) for place in spec.submodule_search_locations or ()]
        text = "\n".join((folder / "version.py").read_text(encoding="utf-8") for folder in folders)
    except (OSError, ValueError):
        return True
    return not all(re.search(rf"^{build}\b[^=\n]*= None$", text, re.MULTILINE) for build in ("cuda", "hip"))


def _has_gpu_files() -> bool:
    """Whether the drivers' files are there without which Linux has no GPU for PyTorch; elsewhere it has to be asked."""
    names = ("nvidia*", "nvhost*", "nvmap", "nvgpu", "dxg", "kfd")  # NVIDIA, Jetson, Windows' Linux, AMD
    return sys.platform != "linux" or any(True for name in names for _ in Path("/dev").glob(name))
