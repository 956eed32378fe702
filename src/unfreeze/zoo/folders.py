"""The delivered model: a folder that timm loads without this package."""

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast

import timm
from safetensors.torch import load_file, save
from torch import Tensor, nn

from unfreeze.core.cards import Card
from unfreeze.core.errors import InputError, OutputError
from unfreeze.core.files import TEMPORARY_PREFIX, disk_errors_explained, sync_folder, write_bytes
from unfreeze.zoo.backbones import Backbone, describe
from unfreeze.zoo.graph import is_live
from unfreeze.zoo.networks import Preprocessing, drawing_from, parse_name, seeded_network, timm_arguments
from unfreeze.zoo.weights import load_strictly

CONFIG, WEIGHTS, README = "config.json", "model.safetensors", "README.md"
OUR_KEY = "unfreeze"  # timm ignores keys that it does not know
SCHEMA = "unfreeze.model/2"


@dataclass(frozen=True, eq=False, kw_only=True)
class SavedModel:
    """A model that was read from its folder.

    Attributes:
        network: With its trained head, in evaluation mode.
        card: Of the source network, with the input that this one takes.
        class_names: In the order of the network's outputs.
        gives_probabilities: Whether the softmax of the outputs are probabilities; not if the head is an SVM's.
    """

    network: nn.Module
    card: Card
    class_names: tuple[str, ...]
    gives_probabilities: bool


def save_model(
    folder: Path, backbone: Backbone, *, class_names: Sequence[str], card_text: str, margins: bool = False
) -> None:
    """Write the model as a folder that ``timm.create_model("local-dir:FOLDER", pretrained=True)`` loads.

    The folder appears whole or not at all. A torchvision network gets the same files, which only `load_model` reads.
    What is saved takes red, green, blue and values from 0 to 1, since timm knows no other input: for a network that
    takes blue, green, red, the channels of its first convolution are written in reverse order.

    Args:
        folder: Must not exist yet, or be empty.
        backbone: With its trained head.
        class_names: In the order of the head's outputs.
        card_text: The model card, Markdown.
        margins: The head's outputs are an SVM's margins: they order the classes, but softmax makes no probabilities
            of them. `SavedModel.gives_probabilities` says it again.

    Raises:
        InputError: The network takes blue, green, red, and its first layer is no convolution that could be reversed.
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
    write_bytes(folder / WEIGHTS, save(_weights(backbone), metadata={"format": "pt"}))
    config = _config(backbone, class_names)
    config[OUR_KEY]["margins"] = margins
    config[OUR_KEY]["file_sha256"] = _file_sha256(folder / WEIGHTS)
    # Escaped, so that a class named after a folder that is not UTF-8 still makes a file that timm reads.
    write_bytes(folder / CONFIG, (json.dumps(config, indent=1) + "\n").encode("ascii"))
    write_bytes(folder / README, card_text.encode("utf-8", "surrogateescape"))


def _weights(backbone: Backbone) -> dict[str, Tensor]:
    """The network's weights, as one that takes red, green, blue has them."""
    # Copies, since safetensors refuses tensors that share memory, as tied weights do.
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in backbone.network.state_dict().items()}
    if backbone.card.channels == "BGR":
        name = f"{_first_convolution(backbone)}.weight"
        weights[name] = weights[name].flip(1)
    return weights


def _first_convolution(backbone: Backbone) -> str:
    """Module name of the convolution that alone takes the image."""
    image = next(node for node in backbone.graph.graph.nodes if node.op == "placeholder")
    takers = [node for node in image.users if is_live(node)]
    if len(takers) == 1 and takers[0].op == "call_module":
        path = str(takers[0].target)
        layer = backbone.network.get_submodule(path)
        if isinstance(layer, nn.Conv2d) and layer.groups == 1:
            return path
    msg = (
        f"{backbone.card.name} takes blue, green, red, and its first layer is no plain convolution that could be saved "
        "for red, green, blue. Choose another network."
    )
    raise InputError(msg)


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _config(backbone: Backbone, class_names: Sequence[str]) -> dict[str, Any]:
    """As timm writes it (timm.models._hub.save_config_for_hf), with the true preprocessing, and our own part."""
    card, network = backbone.card.in_unit_rgb(), backbone.network
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
    saved = read_model(folder)
    card = saved.card
    images = Preprocessing(**{field.name: getattr(card, field.name) for field in fields(Preprocessing)})
    source = f"folder {folder.name}, from {card.source}"
    backbone = describe(parse_name(card.name), saved.network, images, source=source, licence=card.licence)
    return backbone, saved.class_names


def read_model(folder: Path) -> SavedModel:
    """As `load_model`, but without finding blocks and taps: all that predictions need, in a fraction of the time.

    Args:
        folder: Of the model.

    Returns:
        The model.

    Raises:
        InputError: The folder holds no model of ours, or its weights are not those that were written.
    """
    config = _read_config(folder)
    ours, names = config[OUR_KEY], tuple(config["label_names"])
    if _file_sha256(folder / WEIGHTS) != ours["file_sha256"]:
        msg = f"The weights in {folder} are damaged: {WEIGHTS} is not what was written. Copy the folder again."
        raise InputError(msg)
    card = _card(ours["card"])
    return SavedModel(
        network=_load_network(folder, card, len(names)),
        card=card,
        class_names=names,
        gives_probabilities=not ours["margins"],
    )


def _read_config(folder: Path) -> dict[str, Any]:
    wanted = f"Give the folder of a model that this program wrote: {CONFIG}, {WEIGHTS} and {README}."
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        msg = f"{folder} is no model: {' and '.join(missing)} missing. {wanted}"
        raise InputError(msg)
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        ours = config[OUR_KEY]
        _check_version(ours["schema"], folder)
        complete = ours["schema"] == SCHEMA and {"file_sha256", "margins"} <= ours.keys() and "label_names" in config
        complete = complete and ours["card"].keys() == {field.name for field in fields(Card)}
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        complete = False
    if not complete:
        msg = f"{folder} is no model of this program: {CONFIG} does not have its part {OUR_KEY!r} as {SCHEMA}. {wanted}"
        raise InputError(msg)
    return cast("dict[str, Any]", config)


def _check_version(found: str, folder: Path) -> None:
    """Tell a model of another version from one that is none."""
    kind, _, ours = SCHEMA.rpartition("/")
    version = re.fullmatch(rf"{re.escape(kind)}/([0-9]{{1,9}})", found)
    if version is not None and int(version[1]) != int(ours):
        age, remedy = ("an older", "Train it again") if int(version[1]) < int(ours) else ("a newer", "Update unfreeze")
        msg = f"{folder} was written by {age} unfreeze (schema {found}, this one reads {SCHEMA}). {remedy}."
        raise InputError(msg)


def _card(stored: dict[str, Any]) -> Card:
    """Lists of JSON become tuples again."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
    return Card(**values)


def _load_network(folder: Path, card: Card, classes: int) -> nn.Module:
    if card.library == "timm":
        with drawing_from(0):
            return cast("nn.Module", timm.create_model(f"local-dir:{folder}", pretrained=True).eval())
    network = seeded_network(parse_name(card.name), classes=classes, size=card.size, seed=0)
    load_strictly(network, load_file(folder / WEIGHTS), head=None, source=str(folder))
    return network
