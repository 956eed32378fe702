"""What inspection says beyond counts, and the list that it writes."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.inspecting import inspect

PhotoFolder = Callable[..., Path]


@pytest.fixture(scope="module")
def resources() -> Iterator[Resources]:
    """Decoders for all tests here, and the user's cache."""
    with DecoderPool(workers=1) as pool:
        yield Resources(pool=pool)


def rows(path: Path) -> list[dict[str, str]]:
    """Rows of a list."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_class_of_larger_photos_is_a_shortcut(tmp_path: Path, resources: Resources) -> None:
    """Photos of noise whose class is their size give UF127; the same photos in one size give nothing."""
    rng = np.random.default_rng(0)
    for name, sides in (("sizes", (40, 60)), ("alike", (40, 40))):
        for label, side in zip("ab", sides, strict=True):
            (tmp_path / name / label).mkdir(parents=True)
            for number in range(40):
                pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / name / label / f"{number}.png")

    found = {name: {one.code for one in inspect(tmp_path / name, resources).findings} for name in ("sizes", "alike")}

    assert "UF127" in found["sizes"]
    assert "UF127" not in found["alike"]


def test_a_cleaned_list_says_why_something_is_left_out(photo_folder: PhotoFolder, resources: Resources) -> None:
    """Every file has a row; a copy and a broken file have a reason, all others none."""
    photos = photo_folder("ants", "bees", count=4)
    (photos / "ants" / "copy.png").write_bytes((photos / "ants" / "000.png").read_bytes())
    (photos / "bees" / "broken.png").write_bytes(b"\x89PNG")
    out = photos.parent / "cleaned.csv"

    record = inspect(photos, resources, fix=out)

    reasons = {row["path"]: row["left_out"] for row in rows(out)}
    assert len(reasons) == record.images.found == 10
    assert reasons.pop("photos/ants/copy.png") == "same pixels: as photos/ants/000.png"
    assert reasons.pop("photos/bees/broken.png") == record.set_aside[0].reason
    assert set(reasons.values()) == {""}


@pytest.mark.slow
def test_labels_changed_on_purpose_are_left_out(tmp_path: Path, resources: Resources) -> None:
    """Of red and blue photos, one of each with the other label is doubted, and no other; the list leaves them out."""
    rng = np.random.default_rng(0)
    for label, colour in (("red", 0), ("blue", 2)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(80):
            pixels = rng.integers(0, 80, (48, 48, 3), dtype=np.uint8)
            pixels[:, :, 2 - colour if number == 0 else colour] += 150
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.png")

    record = inspect(tmp_path / "photos", resources, deep=True, fix=tmp_path / "cleaned.csv")

    wrong = {"red/0.png", "blue/0.png"}
    assert record.label_check is not None
    assert {one.image for one in record.label_check.suspects} == wrong
    left_out = {row["path"] for row in rows(tmp_path / "cleaned.csv") if row["left_out"]}
    assert left_out == {f"photos/{name}" for name in wrong}
