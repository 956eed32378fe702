"""What the graphs that are kept were made by: a change of it makes them anew."""

from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

_LIBRARIES = ("torch", "torchvision", "timm", "openvino")


@cache
def made_by() -> dict[str, str]:
    """Versions of the libraries that build and convert networks, and a hash of our own code that does.

    They are read from files, since importing these libraries takes seconds.

    Returns:
        By name; ``none`` is the version of what is not installed.
    """
    return {**{name: _version(name) for name in _LIBRARIES}, "unfreeze": _own_code()}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def _own_code() -> str:
    """Of the folders in which networks are built, cut and converted, and of their values."""
    package = Path(__file__).parent.parent
    digest = sha256()
    for folder in ("core", "features", "zoo"):
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(package).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
