"""The folder of an imported network: ``network.json`` and ``network.safetensors``, nothing that unpickles.

The first says what is built and what it takes, and holds the hash of the second and its own: its hash covers both.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from unfreeze.core.errors import OutputError, WeightsError
from unfreeze.core.files import durable_folder, sha256_of, sha256_of_json, write_bytes
from unfreeze.zoo.imported.description import Description, description_from
from unfreeze.zoo.imported.endings import Imported
from unfreeze.zoo.imported.network import build_imported
from unfreeze.zoo.preprocessing import Preprocessing

NETWORK, WEIGHTS = "network.json", "network.safetensors"
SCHEMA = "unfreeze.imported/1"
LARGEST = 64 * 2**20  # bytes of network.json
_SIDES = range(8, 8193)


@dataclass(frozen=True, kw_only=True)
class StoredNetwork:
    """What ``network.json`` says.

    Attributes:
        folder: Where it was read.
        description: What is built.
        takes: How an image becomes its input.
        source: Where the weights came from, for people.
        licence: Of the weights; ``unknown`` if not known.
        weights_sha256: Of the file of weights.
    """

    folder: Path
    description: Description
    takes: Preprocessing
    source: str
    licence: str
    weights_sha256: str


def is_network_folder(name: str) -> bool:
    """Whether a network's name is the folder of one that was imported."""
    try:
        return (Path(name) / NETWORK).is_file()
    except (OSError, ValueError):
        return False


def write_network(folder: Path, network: Imported, *, files: Mapping[str, str], licence: str) -> None:
    """Write a network as a folder, whole or not at all.

    Args:
        folder: Must not exist yet, or be empty.
        network: What was imported.
        files: SHA-256 by name of the files that it came from, the weights last.
        licence: Of the weights.

    Raises:
        OutputError: The folder holds something already, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder} exists and is not empty, and a network never replaces another. Choose another folder."
        raise OutputError(msg)
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "source": f"file {list(files)[-1]}",
        "files": dict(files),
        "licence": licence,
        "input": asdict(network.takes),
        "network": network.description.as_json(),
    }
    module = build_imported(network.description)
    module.load_state_dict(dict(network.weights), strict=False)  # all but BatchNorm's counters, as was checked
    weights = save({name: value.contiguous() for name, value in module.state_dict().items()}, metadata={"format": "pt"})
    content["weights_sha256"] = sha256_of(weights)
    content["network_sha256"] = _hash_of(content)
    with durable_folder(folder) as temporary:
        write_bytes(temporary / WEIGHTS, weights)
        write_bytes(temporary / NETWORK, (json.dumps(content, indent=1) + "\n").encode("ascii"))


def _hash_of(content: dict[str, Any]) -> str:
    """Of all that ``network.json`` says beside its hash."""
    rest = {name: value for name, value in content.items() if name != "network_sha256"}
    return sha256_of_json(rest)


def read_network(folder: Path | str) -> StoredNetwork:
    """What a folder's ``network.json`` says.

    Args:
        folder: Of the network.

    Raises:
        WeightsError: It is damaged, or of another version.
    """
    folder = Path(folder)
    try:
        if (folder / NETWORK).stat().st_size > LARGEST:
            raise _damaged(folder, f"{NETWORK} is too large")
        stored = json.loads((folder / NETWORK).read_bytes())
        if stored["schema"] != SCHEMA:
            raise _damaged(folder, f"it has the schema {str(stored['schema'])[:40]!r}, and {SCHEMA} is read")
        if stored["network_sha256"] != _hash_of(stored):
            raise _damaged(folder, f"{NETWORK} is not what was written")
        return StoredNetwork(
            folder=folder,
            description=description_from(stored["network"]),
            takes=_input_from(stored["input"]),
            source=str(stored["source"]),
            licence=str(stored["licence"]),
            weights_sha256=str(stored["weights_sha256"]),
        )
    except WeightsError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(folder, f"{NETWORK} is not what was written") from error


def read_tensors(network: StoredNetwork) -> dict[str, Tensor]:
    """The weights of a folder.

    Args:
        network: Of `read_network`.

    Raises:
        WeightsError: They are damaged, or of another network.
    """
    try:
        data = (network.folder / WEIGHTS).read_bytes()
        if sha256_of(data) != network.weights_sha256:
            raise _damaged(network.folder, f"{WEIGHTS} is not what was written")
        tensors: dict[str, Tensor] = load(data)
    except (OSError, SafetensorError) as error:
        raise _damaged(network.folder, f"{WEIGHTS} cannot be read") from error
    return tensors


def build_stored(description: Description, folder: Path, classes: int | None = None) -> torch.nn.Module:
    """As `build_imported`, of a description that was read.

    Args:
        description: Of the network.
        folder: Named in errors.
        classes: Width of the head; None for its own.

    Raises:
        WeightsError: It describes no network.
    """
    try:
        return build_imported(description, classes)
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        raise _damaged(folder, "what it describes cannot be built") from error


def _input_from(stored: Mapping[str, Any]) -> Preprocessing:
    found = Preprocessing(**{**stored, "mean": _three(stored["mean"]), "std": _three(stored["std"])})
    right = (
        type(found.size) is int
        and found.size in _SIDES
        and _is_number(found.crop_pct, 0.1, 1.0)
        and _is_number(found.scale, 1e-9, 1e9)
        and all(value > 0 for value in found.std)
        and found.channels in {"RGB", "BGR"}
        and found.crop_mode in {"center", "squash", "border"}
        and found.interpolation in {"nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"}
    )
    if not right:
        msg = "no input"
        raise ValueError(msg)
    return found


def _three(values: Any) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    if not all(map(math.isfinite, (first, second, third))):
        msg = "no number"
        raise ValueError(msg)
    return first, second, third


def _is_number(value: Any, least: float, most: float) -> bool:
    return type(value) in {int, float} and least <= value <= most


def _damaged(folder: Path, why: str) -> WeightsError:
    return WeightsError(f"The network in {folder} cannot be used ({why}). Import it again with unfreeze zoo import.")
