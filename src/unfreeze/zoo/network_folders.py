"""Folders that hold a network to begin from: a model of ours, one that timm wrote, one of transformers."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from unfreeze.core.cards import card_from
from unfreeze.core.errors import UnknownBackboneError, WeightsError
from unfreeze.core.zoo_entries import CARD
from unfreeze.zoo.kept import checked_entry, entry_meant
from unfreeze.zoo.model_config import CONFIG, OUR_KEY, README, checked_weights, read_config
from unfreeze.zoo.networks import NetworkName, parse_name, with_default_tag
from unfreeze.zoo.preprocessing import Preprocessing
from unfreeze.zoo.transformers_names import image_settings, translation
from unfreeze.zoo.weights import bundled_package, read_weights

_FILES = ("model.safetensors", "pytorch_model.safetensors", "pytorch_model.bin", "model.bin")
_KNOWN = frozenset({"num_classes", "in_chans", "img_size", "global_pool"})  # or seen by their weights
_WANTED = "Give the folder of a model that this program, timm or transformers wrote."


@dataclass(frozen=True, eq=False, kw_only=True)
class FolderNetwork:
    """What a folder holds.

    Attributes:
        name: Of the network.
        weights: By name, perhaps below a prefix.
        images: How images are prepared; what is missing is as the network's library says.
        pool: How timm says that the network pools, or empty.
        source: Where the weights come from, for people.
        licence: Of the weights.
    """

    name: NetworkName
    weights: Mapping[str, Tensor]
    images: dict[str, Any]
    pool: str = ""
    source: str
    licence: str

    @property
    def size(self) -> int | None:
        """Side of its images, pixels; None if the folder does not say."""
        return self.images.get("size")

    def prepared(self, usual: Preprocessing, size: int | None) -> Preprocessing:
        """How images are prepared, at another size if one is given."""
        own = {field.name: getattr(usual, field.name) for field in fields(Preprocessing)}
        return Preprocessing(**{**own, **self.images, **({} if size is None else {"size": size})})

    def check_built(self, network: nn.Module) -> None:
        """Refuse a network that pools in another way than the folder says.

        Raises:
            WeightsError: It does.
        """
        own = getattr(network, "global_pool", "")
        if self.pool and isinstance(own, str) and own and own != self.pool:
            msg = (
                f"The network of {self.source} pools by {self.pool}, and {self.name} by {own}. "
                "Choose a network whose name says the pooling, and give the file with --weights."
            )
            raise WeightsError(msg)


def folder_named(name: str) -> Path | None:
    """The folder that a backbone's name means; None if it is a network's name, or nothing.

    A kept entry of a zoo comes first: none is kept under a network's name but that network itself. A network's name
    comes before a path, so that no folder that happens to lie here changes what it means.

    Raises:
        UnknownBackboneError: It asks for an entry that is not kept.
    """
    if (entry := entry_meant(name)) is not None:
        return entry
    try:
        network = parse_name(name)
    except UnknownBackboneError:
        path = Path(name).expanduser()
        return path if path.is_dir() else None
    return None if bundled_package(network) else entry_meant(str(with_default_tag(network)))


def checked_name(name: str) -> str:
    """A backbone's name; of a kept entry its folder, whose files were hashed.

    Raises:
        WeightsError: They are not what was pulled.
        UnknownBackboneError: It asks for an entry that is not kept.
    """
    folder = folder_named(name)
    if folder is None or not (folder / CARD).is_file():
        return name
    checked_entry(folder)
    return str(folder)


def read_folder(folder: Path) -> FolderNetwork:
    """The network in a folder.

    Args:
        folder: A model that `unfreeze` delivered, or that timm or transformers saved.

    Returns:
        Its name, weights and preprocessing.

    Raises:
        InputError: It holds none that can be used; the text says why.
    """
    config = _config_of(folder)
    if OUR_KEY in config:
        return _of_ours(folder)
    if isinstance(config.get("architecture"), str):
        return _of_timm(folder, config)
    if isinstance(config.get("model_type"), str):
        return _of_transformers(folder, config)
    msg = f"{folder} is no model: {CONFIG} names no network. {_WANTED}"
    raise WeightsError(msg)


def _config_of(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{folder} is no model: it has no {CONFIG}. {_WANTED}"
        raise WeightsError(msg) from error
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        msg = f"{folder} is no model: its {CONFIG} is damaged. Copy the folder again."
        raise WeightsError(msg)
    return config


def _of_ours(folder: Path) -> FolderNetwork:
    config = read_config(folder)
    ours, card = config[OUR_KEY], card_from(config[OUR_KEY]["card"])
    if "readouts" in ours:
        msg = (
            f"The model in {folder} is a linear classifier on codes of {card.name}, and nothing before "
            f"it has learned. Begin from {card.name}, or from a model that did (unfreeze tune --unfreeze 2)."
        )
        raise WeightsError(msg)
    try:
        weights = load(checked_weights(folder, config))
    except (SafetensorError, OSError, ValueError) as error:
        msg = f"The weights in {folder} are damaged. Copy the folder again."
        raise WeightsError(msg) from error
    images = {field.name: getattr(card, field.name) for field in fields(Preprocessing)}
    source = f"folder {folder.resolve().name}, from {card.source}"
    return FolderNetwork(
        name=parse_name(card.name), weights=weights, images=images, source=source, licence=card.licence
    )


def _of_timm(folder: Path, config: dict[str, Any]) -> FolderNetwork:
    """As timm's `save_for_hf` writes it, and the wrapper of timm's networks in transformers."""
    other = sorted(set(config.get("model_args") or {}) - _KNOWN)
    if other:
        msg = (
            f"The network in {folder} was built with settings of its own ({', '.join(other)}), which cannot be built "
            "again from its name. Give a network as timm names it."
        )
        raise WeightsError(msg)
    settings = config.get("pretrained_cfg") or {}
    name = parse_name(f"timm:{config['architecture']}")
    return FolderNetwork(
        name=name,
        weights=_weights_in(folder),
        images=_checked(folder, _timm_images(settings)),
        pool=str(config.get("global_pool") or ""),
        source=f"folder {folder.resolve().name}",
        licence=_licence_in(folder, str(settings.get("license") or "unknown")),
    )


def _timm_images(settings: Mapping[str, Any]) -> dict[str, Any]:
    images = {key: settings[key] for key in ("crop_pct", "crop_mode", "interpolation") if settings.get(key)}
    images |= {key: tuple(settings[key]) for key in ("mean", "std") if settings.get(key)}
    return images | ({"size": settings["input_size"][-1]} if settings.get("input_size") else {})


def _of_transformers(folder: Path, config: dict[str, Any]) -> FolderNetwork:
    found = translation(config, folder)
    weights: dict[str, Tensor] = {}
    for name, value in _weights_in(folder).items():
        weights |= found.renamed(name, value)
    return FolderNetwork(
        name=parse_name(found.network),
        weights=found.joined(weights),
        images=_checked(folder, image_settings(folder)),
        source=f"folder {folder.resolve().name}",
        licence=_licence_in(folder, "unknown"),
    )


def _checked(folder: Path, images: dict[str, Any]) -> dict[str, Any]:
    """Settings of images, if they can be meant."""
    right = (
        type(images.get("size", 224)) is int
        and 8 <= images.get("size", 224) <= 8192
        and isinstance(images.get("crop_pct", 1.0), float | int)
        and 0.1 <= images.get("crop_pct", 1.0) <= 1
        and images.get("crop_mode", "center") in {"center", "squash", "border"}
        and images.get("interpolation", "bicubic") in {"nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"}
        and all(
            len(images[key]) == 3 and all(isinstance(one, float | int) for one in images[key])
            for key in ("mean", "std")
            if key in images
        )
        and all(one > 0 for one in images.get("std", ()))
    )
    if not right:
        msg = f"The folder {folder} says of its images what no network takes ({images}). Mend its settings."
        raise WeightsError(msg)
    return images


def _weights_in(folder: Path) -> Mapping[str, Tensor]:
    file = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if file is None:
        several = any(folder.glob("*.index.json"))
        found = "its weights are in several files" if several else "it has no weights"
        msg = f"{folder} cannot be used: {found}. Save the network as one {_FILES[0]}."
        raise WeightsError(msg)
    return read_weights(file).tensors


def _licence_in(folder: Path, otherwise: str) -> str:
    """Of the model card: its header's ``license``."""
    try:
        text = (folder / README).read_text(encoding="utf-8", errors="replace")[:20_000]
    except OSError:
        return otherwise
    header = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^license:[ \t]*['\"]?([\w.+-]+)", header[1], re.MULTILINE) if header else None
    return found[1] if found else otherwise
