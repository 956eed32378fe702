"""Texts beside the tensors of a safetensors file; its library reads them from files alone, not from bytes."""

import json


def notes_of(data: bytes) -> dict[str, str]:
    """The texts by name.

    Args:
        data: Of the file: the length of its header in eight bytes, and the header in JSON.

    Raises:
        ValueError: The header is none; KeyError: it carries no texts.
    """
    notes: dict[str, str] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    return notes
