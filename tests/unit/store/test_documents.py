"""Small documents that are kept."""

import json
from pathlib import Path

import pytest

from unfreeze.store.documents import keep_document, kept_document


def test_what_is_kept_is_given_back(tmp_path: Path) -> None:
    """Also from a folder that was not there, with tuples as JSON has them; a later document replaces it."""
    path = tmp_path / "new" / "one.json"

    keep_document(path, {"old": 1})
    keep_document(path, {"sizes": (1, 2), "name": "ä"})

    assert kept_document(path) == {"sizes": [1, 2], "name": "ä"}


def test_what_was_not_kept_is_none(tmp_path: Path) -> None:
    """A missing file is no error."""
    assert kept_document(tmp_path / "none.json") is None


@pytest.mark.parametrize("damage", ["changed", "cut", "no object", "not text"])
def test_a_damaged_document_is_none(tmp_path: Path, damage: str) -> None:
    """Whatever happened to the file, nothing that was not kept is given back."""
    path = tmp_path / "one.json"
    keep_document(path, {"size": 224})
    data = path.read_bytes()
    damaged = {
        "changed": json.dumps({**json.loads(data), "content": {"size": 225}}).encode(),
        "cut": data[: len(data) // 2],
        "no object": b"[1, 2]",
        "not text": b"\xff\xfe\x00",
    }
    path.write_bytes(damaged[damage])

    assert kept_document(path) is None
