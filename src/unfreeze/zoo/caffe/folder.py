"""The folder of a network that came from Caffe: ``network.json`` and ``network.safetensors``, nothing that unpickles.

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
from unfreeze.zoo.caffe.description import Description, description_from
from unfreeze.zoo.caffe.importing import Imported, Input
from unfreeze.zoo.caffe.network import build_caffe

NETWORK, WEIGHTS = "network.json", "network.safetensors"
SCHEMA = "unfreeze.caffe/1"
LARGEST = 64 * 2**20  # bytes of network.json
_SIDES = range(8, 8193)


@dataclass(frozen=True, kw_only=True)
class StoredNetwork:
    """What ``network.json`` says.

    Attributes:
        folder: Where it was read.
        description: What is built.
        takes: Its input.
        source: Where the weights came from, for people.
        licence: Of the weights; ``unknown`` if not known.
        weights_sha256: Of the file of weights.
    """

    folder: Path
    description: Description
    takes: Input
    source: str
    licence: str
    weights_sha256: str


def is_network_folder(name: str) -> bool:
    """Whether a network's name is the folder of one that came from Caffe."""
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
    module = build_caffe(network.description)
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
    """As `build_caffe`, of a description that was read.

    Args:
        description: Of the network.
        folder: Named in errors.
        classes: Width of the head; None for its own.

    Raises:
        WeightsError: It describes no network.
    """
    try:
        return build_caffe(description, classes)
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        raise _damaged(folder, "what it describes cannot be built") from error


def _input_from(stored: Mapping[str, Any]) -> Input:
    mean, scale, size = stored["mean"], stored["scale"], stored["size"]
    numbers = [*mean, scale]
    right = len(mean) == 3 and all(type(one) in {int, float} and math.isfinite(one) for one in numbers) and scale > 0
    if not right or type(size) is not int or size not in _SIDES:
        msg = "no input"
        raise ValueError(msg)
    blue, green, red = mean
    return Input(size=size, mean=(blue, green, red), scale=scale)


def _damaged(folder: Path, why: str) -> WeightsError:
    return WeightsError(f"The network in {folder} cannot be used ({why}). Import it again with unfreeze zoo import.")
