"""Where the codes of a model's training set lie, as a file in its folder."""

import hmac
import math
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from unfreeze.core.errors import InputError
from unfreeze.core.files import sha256_of, write_bytes
from unfreeze.core.wording import count, percent
from unfreeze.metrics.novelty import CodeCloud
from unfreeze.zoo.model_config import OUR_KEY, read_config, write_config

FILE = "unlike.safetensors"
KEY = "unlike"  # in our part of config.json
_CODES = "length 1"  # what lies in the cloud; those of other codes would give wrong shares


def write_cloud(folder: Path, cloud: CodeCloud) -> None:
    """Write a cloud into a model's folder; its hash goes into the settings last, and says that it is whole."""
    tensors = {
        "means": cloud.means.astype(np.float32),
        "directions": cloud.directions.astype(np.float32),
        "variances": cloud.variances.astype(np.float64),
        "rest": np.array([cloud.rest], np.float64),
        "held_out": cloud.held_out.astype(np.float64),
    }
    data = save({name: np.ascontiguousarray(value) for name, value in tensors.items()})
    write_bytes(folder / FILE, data)
    config = read_config(folder)
    config[OUR_KEY][KEY] = {
        "file": FILE,
        "sha256": sha256_of(data),
        "photos": len(cloud.held_out),
        "codes": _CODES,
    }
    write_config(folder, config)


def has_cloud(settings: dict[str, Any]) -> bool:
    """Whether our part of a model's settings names a cloud of codes as they are compared now."""
    said = settings.get(KEY)
    return isinstance(said, dict) and said.get("codes") == _CODES


def cannot_mark(folder: Path, settings: dict[str, Any], share: float) -> str:
    """Why a model marks no photo at this share of false alarms, in a sentence; empty if it does.

    Args:
        folder: Of the model.
        settings: Our part of its ``config.json``.
        share: Above 0.
    """
    if not has_cloud(settings):
        return f"{folder} does not know what its training photos look like: no photo is marked as unlike them."
    photos = settings[KEY].get("photos", 0)
    if isinstance(photos, int) and (1 + photos) * share < 1:
        return (
            f"{folder} knows {count(photos, 'training photo')}, too few for a share of {percent(share)}: no photo is "
            f"marked. Ask for --unlike {math.ceil(1000 / (1 + photos)) / 10:g}%, or more."
        )
    return ""


def read_cloud(folder: Path, settings: dict[str, Any]) -> CodeCloud | None:
    """The cloud of a model.

    Args:
        folder: Of the model.
        settings: Our part of its ``config.json``.

    Returns:
        The cloud; None if the model has none.

    Raises:
        InputError: It is not what was written.
    """
    if not has_cloud(settings):
        return None
    try:
        if (folder / FILE).is_symlink():
            raise ValueError
        data = (folder / FILE).read_bytes()
        if not hmac.compare_digest(sha256_of(data), str(settings[KEY]["sha256"])):
            raise ValueError
        found = {name: value.astype(np.float64) for name, value in load(data).items()}
        return CodeCloud(
            means=found["means"],
            directions=found["directions"],
            variances=found["variances"],
            rest=float(found["rest"][0]),
            held_out=found["held_out"],
        )
    except (OSError, ValueError, LookupError, TypeError, SafetensorError) as error:
        msg = f"What {folder} knows of its training photos is damaged: {FILE} is not what was written. Copy it again."
        raise InputError(msg) from error
