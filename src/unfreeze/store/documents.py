"""Small JSON documents that are kept beside the codes; each carries the hash of its content, so that damage is seen."""

import json
from pathlib import Path
from typing import Any

from unfreeze.core.files import disk_errors_explained, make_folder, sha256_of_json, write_json


def keep_document(path: Path, content: Any) -> None:
    """Write a document, in place of an older one; its folder is made where missing.

    Args:
        path: Where.
        content: Of JSON values.

    Raises:
        DiskFullError: No space is left.
        OutputError: The place cannot be written.
    """
    plain = json.loads(json.dumps(content))  # tuples become lists now, not when it is read again
    with disk_errors_explained(path):
        make_folder(path.parent, private=True)
    write_json(path, {"content": plain, "sha256": sha256_of_json(plain)}, private=True)


def kept_document(path: Path) -> Any:
    """What `keep_document` was given; None if it was not, or the file is damaged."""
    try:
        document = json.loads(path.read_bytes())
        return document["content"] if document["sha256"] == sha256_of_json(document["content"]) else None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
