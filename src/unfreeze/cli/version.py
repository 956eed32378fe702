"""``unfreeze version``."""

import importlib.metadata
import platform

from unfreeze import __version__
from unfreeze.cli.options import AsJson
from unfreeze.cli.output import result_output

# What moves numbers or decodes images; read from the installed packages' metadata, since importing them takes seconds.
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


def version(*, json: AsJson = False) -> None:
    """Print versions."""
    found = versions()
    with result_output(as_json=json) as out:
        out.document(found)
        for name, number in found.items():
            out.line(f"{name} {number}")


def versions() -> dict[str, str]:
    """Versions of unfreeze, Python and the libraries that move numbers; ``not installed`` for what is missing."""
    return {
        "unfreeze": __version__,
        "python": platform.python_version(),
        **{name: _installed(name) for name in LIBRARIES},
    }


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
