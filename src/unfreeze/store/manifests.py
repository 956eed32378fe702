"""The manifest of a store: what its codes are codes of.

It stands in the store's ``manifest.json`` and again in the metadata of every shard, so it can be lost only with all of
them. It carries the hash of its own content, and the store's folder is named after the part that decides the numbers:
a manifest that has changed, or that belongs to another store, is seen.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from unfreeze.core.files import sha256_of_json

FORMAT = "unfreeze.codes/2"
MANIFEST_FILE = "manifest.json"

Manifest = dict[str, Any]
Values = Literal["float32", "float16"]


def new_manifest(
    description: Mapping[str, Any], widths: Mapping[str, int], notes: Mapping[str, Any] | None = None
) -> Manifest:
    """The manifest of a store.

    Args:
        description: Everything that decides the numbers, as JSON values.
        widths: Number of code values by name of the column: of the tap, or of another readout there.
        notes: What else is worth knowing and decides nothing, as JSON values.

    Returns:
        A JSON document with ``format``, ``widths``, ``description``, ``notes``, and ``sha256`` of these four.
    """
    content = {
        "format": FORMAT,
        "widths": dict(widths),
        "description": dict(description),
        "notes": dict(notes or {}),
    }
    plain: Manifest = json.loads(json.dumps(content))  # tuples become lists now, not when it is read again
    return {**plain, "sha256": sha256_of_json(plain)}


def values_in(manifest: Manifest) -> Values:
    """The type of a store's codes: float16 where the description says so (``values``), else float32."""
    half = manifest["description"].get("values") == "float16"
    return "float16" if half else "float32"


def key_of(manifest: Manifest) -> str:
    """Name of the store's folder: 32 hexadecimal digits of a hash of all but the notes."""
    return sha256_of_json({name: manifest.get(name) for name in ("format", "widths", "description")})[:32]


def checked_manifest(text: str | bytes, key: str) -> Manifest | None:
    """The manifest that `text` holds, if it is unchanged and that of the store `key`."""
    try:
        manifest = json.loads(text)
    except ValueError:  # also bytes that are not UTF-8
        return None
    if not isinstance(manifest, dict) or key_of(manifest) != key:
        return None
    content = {name: value for name, value in manifest.items() if name != "sha256"}
    return manifest if manifest.get("sha256") == sha256_of_json(content) else None
