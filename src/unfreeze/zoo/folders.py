"""The delivered model: a folder that timm loads without this package."""

import hashlib
import json
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, cast

import timm
import torch
from safetensors.torch import load_file, save
from torch import nn

from unfreeze.core.cards import Card
from unfreeze.core.errors import InputError, OutputError
from unfreeze.core.files import TEMPORARY_PREFIX, disk_errors_explained, sync_folder, write_bytes
from unfreeze.zoo.backbones import Backbone, describe
from unfreeze.zoo.networks import Preprocessing, build_network, parse_name, timm_arguments
from unfreeze.zoo.weights import load_strictly

CONFIG, WEIGHTS, README = "config.json", "model.safetensors", "README.md"
OUR_KEY = "unfreeze"  # timm ignores keys that it does not know
SCHEMA = "unfreeze.model/1"


def save_model(
    folder: Path, backbone: Backbone, *, class_names: Sequence[str], card_text: str, margins: bool = False
) -> None:
    """Write the model as a folder that ``timm.create_model("local-dir:FOLDER", pretrained=True)`` loads.

    The folder appears whole or not at all. A torchvision network gets the same files, which only `load_model` reads.

    Args:
        folder: Must not exist yet, or be empty.
        backbone: With its trained head.
        class_names: In the order of the head's outputs.
        card_text: The model card, Markdown.
        margins: The head's outputs are an SVM's margins: they order the classes, but softmax makes no probabilities
            of them. `gives_probabilities` finds it again.

    Raises:
        OutputError: The folder holds something already, or cannot be written.
    """
    assert len(class_names) == backbone.classes, (len(class_names), backbone.classes)  # noqa: S101
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder} exists and is not empty, and a model never replaces another. Choose another folder."
        raise OutputError(msg)
    temporary = folder.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}"
    with disk_errors_explained(folder):
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary.mkdir()
            _fill(temporary, backbone, class_names, card_text, margins=margins)
            if folder.exists():
                folder.rmdir()  # Windows does not rename onto an empty folder
            temporary.rename(folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync_folder(folder.parent)


def _fill(folder: Path, backbone: Backbone, class_names: Sequence[str], card_text: str, *, margins: bool) -> None:
    # Copies, since safetensors refuses tensors that share memory, as tied weights do.
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in backbone.network.state_dict().items()}
    write_bytes(folder / WEIGHTS, save(weights, metadata={"format": "pt"}))
    config = _config(backbone, class_names)
    config[OUR_KEY]["margins"] = margins
    config[OUR_KEY]["file_sha256"] = _file_sha256(folder / WEIGHTS)
    # Escaped, so that a class named after a folder that is not UTF-8 still makes a file that timm reads.
    write_bytes(folder / CONFIG, (json.dumps(config, indent=1) + "\n").encode("ascii"))
    write_bytes(folder / README, card_text.encode("utf-8", "surrogateescape"))


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _config(backbone: Backbone, class_names: Sequence[str]) -> dict[str, Any]:
    """As timm writes it (timm.models._hub.save_config_for_hf), with the true preprocessing, and our own part."""
    card, network = backbone.card, backbone.network
    name = parse_name(card.name)
    source = dict(getattr(network, "pretrained_cfg", None) or {})
    config: dict[str, Any] = {
        "architecture": name.architecture,
        "num_classes": len(class_names),
        "num_features": int(getattr(network, "num_features", card.num_features)),
        "label_names": list(class_names),
        "pretrained_cfg": {
            **{
                key: source[key] for key in ("first_conv", "classifier", "license", "fixed_input_size") if key in source
            },
            "custom_load": False,
            "input_size": [3, card.size, card.size],
            "interpolation": card.interpolation,
            "crop_pct": card.crop_pct,
            "crop_mode": card.crop_mode,
            "mean": list(card.mean),
            "std": list(card.std),
            "num_classes": len(class_names),
        },
        OUR_KEY: {"schema": SCHEMA, "library": name.library, "card": asdict(card)},
    }
    if isinstance(pool := getattr(network, "global_pool", None), str):
        config["global_pool"] = pool
    if name.library == "timm" and (arguments := timm_arguments(name, None, card.size)):
        arguments.pop("num_classes", None)
        config["model_args"] = arguments
    return config


def load_model(folder: Path) -> tuple[Backbone, tuple[str, ...]]:
    """Read a model that `save_model` wrote.

    Args:
        folder: Of the model.

    Returns:
        The backbone with its trained head, and the class names in the order of its outputs.

    Raises:
        InputError: The folder holds no model of ours, or its weights are not those that were written.
    """
    config = _read_config(folder)
    ours, names = config[OUR_KEY], tuple(config["label_names"])
    if _file_sha256(folder / WEIGHTS) != ours["file_sha256"]:
        msg = f"The weights in {folder} are damaged: {WEIGHTS} is not what was written. Copy the folder again."
        raise InputError(msg)
    stored = _card(ours["card"])
    network = _load_network(folder, stored, len(names))
    images = Preprocessing(**{field.name: getattr(stored, field.name) for field in fields(Preprocessing)})
    backbone = describe(parse_name(stored.name), network, images, source=stored.source, licence=stored.licence)
    return replace(backbone, card=replace(backbone.card, source=f"folder {folder.name}, from {stored.source}")), names


def gives_probabilities(folder: Path) -> bool:
    """Whether the softmax of the outputs of a model that `save_model` wrote are probabilities.

    Args:
        folder: Of the model.

    Returns:
        False if its head is an SVM's.

    Raises:
        InputError: The folder holds no model of ours.
    """
    return not _read_config(folder)[OUR_KEY]["margins"]


def _read_config(folder: Path) -> dict[str, Any]:
    wanted = f"Give the folder of a model that this program wrote: {CONFIG}, {WEIGHTS} and {README}."
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        msg = f"{folder} is no model: {' and '.join(missing)} missing. {wanted}"
        raise InputError(msg)
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        ours = config[OUR_KEY]
        complete = ours["schema"] == SCHEMA and {"file_sha256", "margins"} <= ours.keys() and "label_names" in config
        complete = complete and ours["card"].keys() == {field.name for field in fields(Card)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        complete = False
    if not complete:
        msg = f"{folder} is no model of this program: {CONFIG} does not have its part {OUR_KEY!r} as {SCHEMA}. {wanted}"
        raise InputError(msg)
    return cast("dict[str, Any]", config)


def _card(stored: dict[str, Any]) -> Card:
    """Lists of JSON become tuples again."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
    return Card(**values)


def _load_network(folder: Path, card: Card, classes: int) -> nn.Module:
    if card.library == "timm":
        with torch.random.fork_rng(devices=[]):
            return cast("nn.Module", timm.create_model(f"local-dir:{folder}", pretrained=True).eval())
    network = build_network(parse_name(card.name), classes=classes, size=card.size)
    load_strictly(network, load_file(folder / WEIGHTS), head=None, source=str(folder))
    return network
