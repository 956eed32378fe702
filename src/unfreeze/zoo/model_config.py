"""The settings of a delivered model, ``config.json`` in its folder; to read them takes no PyTorch."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from unfreeze.core.cards import Card, card_from
from unfreeze.core.errors import InputError
from unfreeze.core.files import sha256_of_file, write_bytes

CONFIG, WEIGHTS, README = "config.json", "model.safetensors", "README.md"
OUR_KEY = "unfreeze"  # timm ignores keys that it does not know
SCHEMA = "unfreeze.model/3"
READ = ("unfreeze.model/2", SCHEMA)  # the second is the first and what a cut-off network has


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write the settings of a model, in place of older ones."""
    # Escaped, so that a class named after a folder that is not UTF-8 still makes a file that timm reads.
    write_bytes(folder / CONFIG, (json.dumps(config, indent=1) + "\n").encode("ascii"))


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
    if sha256_of_file(folder / WEIGHTS) != config[OUR_KEY]["file_sha256"]:
        msg = f"The weights in {folder} are damaged: {WEIGHTS} is not what was written. Copy the folder again."
        raise InputError(msg)
    return config


def read_config(folder: Path) -> dict[str, Any]:
    """The settings of a model, checked as far as can be without its weights.

    Args:
        folder: Of the model.

    Returns:
        What ``config.json`` says.

    Raises:
        InputError: The folder holds no model of ours.
    """
    wanted = f"Give the folder of a model that this program wrote: {CONFIG}, {WEIGHTS} and {README}."
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        msg = f"{folder} is no model: {' and '.join(missing)} missing. {wanted}"
        raise InputError(msg)
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        ours = config[OUR_KEY]
        _check_version(ours["schema"], folder)
        complete = ours["schema"] in READ and {"file_sha256", "margins"} <= ours.keys() and "label_names" in config
        known = {field.name for field in fields(Card)}
        complete = complete and known - {"levels"} <= ours["card"].keys() <= known  # cards of before had no levels
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
    numbered = re.fullmatch(rf"{re.escape(kind)}/([0-9]{{1,9}})", found)
    if numbered is not None and found not in READ:
        age, remedy = ("an older", "Train it again") if int(numbered[1]) < int(ours) else ("a newer", "Update unfreeze")
        msg = f"{folder} was written by {age} unfreeze (schema {found}, this one reads {SCHEMA}). {remedy}."
        raise InputError(msg)
