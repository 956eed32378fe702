"""The settings of a delivered model, ``config.json`` in its folder; to read them takes no PyTorch."""

import hmac
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors.numpy import load

from unfreeze.core.cards import CROP_MODES, Card, card_from
from unfreeze.core.errors import InputError
from unfreeze.core.files import sha256_of, sha256_of_file, sha256_of_json, write_bytes

CONFIG, WEIGHTS, README = "config.json", "model.safetensors", "README.md"
OUR_KEY = "unfreeze"  # timm ignores keys that it does not know
SCHEMA = "unfreeze.model/4"
# The third is the second and what a cut-off network has, the fourth is that and a hash of the settings themselves.
READ = ("unfreeze.model/2", "unfreeze.model/3", SCHEMA)
HASH_KEY = "config_sha256"  # in our part: of all else in the file
LARGEST = 64 * 2**20  # bytes of settings: a million class names
SIDES = range(8, 8193)  # pixels


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write the settings of a model, in place of older ones."""
    ours = {name: value for name, value in config[OUR_KEY].items() if name != HASH_KEY}
    ours |= {"schema": SCHEMA}
    ours[HASH_KEY] = sha256_of_json({**config, OUR_KEY: ours})
    # Escaped, so that a class named after a folder that is not UTF-8 still makes a file that timm reads.
    write_bytes(folder / CONFIG, (json.dumps({**config, OUR_KEY: ours}, indent=1) + "\n").encode("ascii"))


def read_card(folder: Path) -> tuple[Card, bool]:
    """The card of a model, and whether it gives probabilities, without its weights; see `read_model`."""
    ours = read_config(folder)[OUR_KEY]
    return card_from(ours["card"]), not ours["margins"]


def checked_config(folder: Path) -> dict[str, Any]:
    """As `read_config`, of a folder whose weights are those that were written.

    Raises:
        InputError: They are not, or the folder holds no model of ours.
    """
    config = read_config(folder)
    _check_hash(sha256_of_file(folder / WEIGHTS), config, folder)
    return config


def checked_weights(folder: Path, config: dict[str, Any]) -> bytes:
    """What the file of weights holds, if it is what was written: the bytes that are checked are those that are used.

    Args:
        folder: Of the model.
        config: Of `read_config`.

    Raises:
        InputError: They are not what was written.
    """
    data = (folder / WEIGHTS).read_bytes()
    _check_hash(sha256_of(data), config, folder)
    return data


def head_weight(folder: Path, config: dict[str, Any]) -> Float[np.ndarray, "cls code"]:
    """The weights of a model's head, without PyTorch.

    Args:
        folder: Of the model.
        config: Of `read_config`.

    Raises:
        InputError: The weights are not what was written.
    """
    ours = config[OUR_KEY]
    name = "linear.weight" if "readouts" in ours else f"{ours['card']['head']}.weight"
    weight = load(checked_weights(folder, config))[name]
    flat: Float[np.ndarray, "cls code"] = weight.reshape(len(weight), -1)  # a convolution's has two more axes
    return flat


def _check_hash(found: str, config: dict[str, Any], folder: Path) -> None:
    if not hmac.compare_digest(found, config[OUR_KEY]["file_sha256"]):
        msg = f"The weights in {folder} are damaged: {WEIGHTS} is not what was written. Copy the folder again."
        raise InputError(msg)


def read_config(folder: Path) -> dict[str, Any]:
    """The settings of a model, checked as far as can be without its weights.

    Args:
        folder: Of the model.

    Returns:
        What ``config.json`` says.

    Raises:
        InputError: The folder holds no model of ours.
    """
    _check_files(folder)
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        ours = config[OUR_KEY]
        _check_version(ours["schema"], folder)
        written = ours.pop(HASH_KEY, None)
        complete = ours["schema"] in READ and all(is_right(config) for is_right in _RIGHT)
    except InputError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        complete = False
    if not complete:
        msg = (
            f"{folder} is no model of this program: {CONFIG} does not have its part {OUR_KEY!r} as {SCHEMA}. {_WANTED}"
        )
        raise InputError(msg)
    settings: dict[str, Any] = config
    if ours["schema"] == SCHEMA and written != sha256_of_json(settings):
        msg = f"The settings in {folder} are damaged: {CONFIG} is not what was written. Copy the folder again."
        raise InputError(msg)
    return settings


_WANTED = f"Give the folder of a model that this program wrote: {CONFIG}, {WEIGHTS} and {README}."


def _check_files(folder: Path) -> None:
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        msg = f"{folder} is no model: {' and '.join(missing)} missing. {_WANTED}"
        raise InputError(msg)
    for name in (CONFIG, WEIGHTS):
        if (folder / name).is_symlink():
            msg = f"{name} in {folder} is a link, which is not followed. Put the file itself there."
            raise InputError(msg)
    if (size := (folder / CONFIG).stat().st_size) > LARGEST:
        msg = f"{folder} is no model of this program: {CONFIG} has {size:,} bytes, {LARGEST:,} at most. {_WANTED}"
        raise InputError(msg)


def _is_whole(value: Any, allowed: range) -> bool:
    return type(value) is int and value in allowed


def _is_positive(value: Any) -> bool:
    return type(value) in {int, float} and math.isfinite(value) and value > 0


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _are_colours(values: Any, is_right: Callable[[Any], bool]) -> bool:
    return isinstance(values, list) and len(values) == 3 and all(map(is_right, values))


def _are_levels(values: Any) -> bool:
    return isinstance(values, list) and len(values) == 2 and all(_is_whole(v, range(2**16)) for v in values)


def _card_is_right(config: dict[str, Any]) -> bool:
    card, many = config[OUR_KEY]["card"], range(2**48)
    known = {field.name for field in fields(Card)}
    return (
        known - {"levels"} <= card.keys() <= known  # cards of older models have none
        and _are_levels(card.get("levels", [0, 65_535]))
        and all(isinstance(card[name], str) for name in ("name", "source", "licence", "weights_sha256", "head"))
        and card["library"] in {"timm", "torchvision", "imported"}
        and card["crop_mode"] in CROP_MODES.values()
        and card["interpolation"] in _INTERPOLATIONS
        and card["channels"] in {"RGB", "BGR"}
        and _is_whole(card["size"], SIDES)
        and _is_whole(card["parameters"], many)
        and _is_whole(card["num_features"], many)
        and _is_positive(card["crop_pct"])
        and card["size"] / card["crop_pct"] < SIDES.stop
        and _is_positive(card["scale"])
        and _are_colours(card["mean"], lambda value: type(value) in {int, float} and math.isfinite(value))
        and _are_colours(card["std"], _is_positive)
        and _are_texts(card["blocks"])
        and _are_texts(card["taps"])
    )


def _labels_are_right(config: dict[str, Any]) -> bool:
    names: Sequence[Any] = config["label_names"]
    return _are_texts(names) and len(names) == config["num_classes"] >= 1 and len(set(names)) == len(names)


def _ours_is_right(config: dict[str, Any]) -> bool:
    ours = config[OUR_KEY]
    cut = [ours[name] for name in ("readouts", "cuts") if name in ours]
    return (
        type(ours["margins"]) is bool
        and re.fullmatch("[0-9a-f]{64}", ours["file_sha256"]) is not None
        and all(isinstance(part, list) and all(isinstance(one, dict) for one in part) for part in cut)
        and len(cut) in {0, 2}
    )


_INTERPOLATIONS = frozenset({"nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"})
_RIGHT = (_ours_is_right, _card_is_right, _labels_are_right)


def _check_version(found: str, folder: Path) -> None:
    """Tell a model of another version from one that is none."""
    kind, _, ours = SCHEMA.rpartition("/")
    numbered = re.fullmatch(rf"{re.escape(kind)}/([0-9]{{1,9}})", found)
    if numbered is not None and found not in READ:
        age, remedy = ("an older", "Train it again") if int(numbered[1]) < int(ours) else ("a newer", "Update unfreeze")
        msg = f"{folder} was written by {age} unfreeze (schema {found}, this one reads {SCHEMA}). {remedy}."
        raise InputError(msg)
