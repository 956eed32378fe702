"""Real files that were made to break decoders: each is read or refused with a reason, and nothing dies."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faultlab.corpus import files
from unfreeze.images.pool import DecoderPool

pytestmark = pytest.mark.lab

COUNT = 300  # `make faults-long` takes all
OURS = re.compile(r"decoder-(error|crash|memory|timeout).*")


@pytest.fixture(scope="module")
def corpus() -> list[Path]:
    """A fixed part of it; their names are hashes, so the first ones are any."""
    found = files()
    if not found:
        pytest.skip("python tests/faultlab/corpus.py corpus builds it")
    return found[:COUNT]


def test_every_file_is_read_or_refused(corpus: list[Path]) -> None:
    """No crash, no hang, no error of ours; what plain Pillow reads of the usual formats is not refused as bad."""
    with DecoderPool(workers=2) as pool:
        seen = list(pool.inspect(corpus))

    assert [(path.name, one.reason) for path, one in zip(corpus, seen, strict=True) if OURS.match(one.reason)] == []
    refused = [path for path, one in zip(corpus, seen, strict=True) if one.reason.startswith(("corrupt", "truncated"))]
    assert [path.name for path in refused if reads(path)] == []


def reads(path: Path) -> bool:
    """Whether Pillow alone reads a file of a usual format as a picture of 8 bits."""
    try:
        with Image.open(path, formats=("JPEG", "PNG", "WEBP", "GIF", "BMP")) as image:
            image.load()
            return bool(np.asarray(image.convert("RGB")).size)
    except Exception:
        return False
