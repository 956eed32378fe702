"""Versions of what moves numbers or decodes images."""

import platform
from importlib import metadata

# Read from the installed packages' metadata, since importing them takes seconds.
LIBRARIES = (
    "torch",
    "torchvision",
    "timm",
    "openvino",
    "numpy",
    "scipy",
    "scikit-learn",
    "pillow",
    "pyarrow",
    "safetensors",
)


def versions() -> dict[str, str]:
    """Versions of unfreeze, Python, libraries by name, and the machine; what is missing is ``not installed``."""
    return {
        "unfreeze": _installed("unfreeze"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: _installed(name) for name in LIBRARIES},
    }


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
