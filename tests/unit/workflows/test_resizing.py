"""Photos that are not square, screened by probes."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from unfreeze.core.journal import FileJournal, MemoryJournal
from unfreeze.core.settings import EngineSettings
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.preparation import prepare
from unfreeze.workflows.resizing import Resizing, resized, screened_resize
from unfreeze.zoo.backbones import Backbone

TORCH = EngineSettings("torch", "f32")


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Photos three times as wide as high, whose classes differ in the colour of both ends alone."""
    rng = np.random.default_rng(0)
    for channel, label in enumerate(("red", "green")):
        (tmp_path / "wide" / label).mkdir(parents=True)
        for number in range(40):
            pixels = rng.integers(0, 90, (40, 120, 3), dtype=np.uint8)
            pixels[:, :30, channel] += 120
            pixels[:, 90:, channel] += 120
            PillowImage.fromarray(pixels).save(tmp_path / "wide" / label / f"{number}.png")
    return tmp_path / "wide"


@pytest.fixture
def pool() -> Iterator[DecoderPool]:
    """One decoder."""
    with DecoderPool(workers=1) as pool:
        yield pool


def screened(images: ImageSet, source: Backbone, resources: Resources, *, within: float) -> tuple[Resizing, Experiment]:
    """What comes of screening, and the experiment that goes on."""
    preparing = partial(prepare, resources=resources, request=TORCH)
    usual = preparing(images, source)
    found = screened_resize(usual, images, preparing, request=TORCH, metric="accuracy", within=within, decoding=0.01)
    return found, resized(usual, found.resize, images, preparing)


def test_what_the_crop_cuts_off_is_found(wide: Path, tiny: Backbone, pool: DecoderPool, tmp_path: Path) -> None:
    """Classes that differ at the ends of the photo alone are told apart only where the whole photo is shown."""
    images = read_image_set(wide, pool=pool, geometry=geometry_of(tiny.card))
    resources = Resources(pool=pool, cache=tmp_path / "cache", journal=MemoryJournal({}))

    found, best = screened(images, tiny, resources, within=1e9)

    journal = FileJournal(tmp_path / "state", elapsed=lambda: 0.0, turn_to=lambda _: None)
    journal.keep("resizing", found)
    assert journal.kept("resizing", Resizing) == found  # so that a run that is continued goes on in this way
    scores = {row.resize: row.score for row in found.rows}
    assert list(scores) == ["crop", "squash", "pad"]
    assert scores["crop"] < 0.8
    assert min(scores["squash"], scores["pad"]) > 0.95
    assert found.resize in {"squash", "pad"}
    assert best.source.card.resize == best.squares.card.resize == found.resize
    assert "than the usual centre crop, which cuts " in found.sentence


def test_the_codes_of_each_way_are_kept_apart(wide: Path, tiny: Backbone, pool: DecoderPool, tmp_path: Path) -> None:
    """Every way computes all codes, once; a second screening computes none, without the files."""
    images = read_image_set(wide, pool=pool, geometry=geometry_of(tiny.card))
    resources = Resources(pool=pool, cache=tmp_path / "cache")
    first, _ = screened(images, tiny, resources, within=1e9)
    for image in images.images:
        image.path.unlink()
    pool.forget()

    again, _ = screened(images, tiny, resources, within=1e9)
    for word in ("crop", "squash", "pad"):
        codes = prepare(images, tiny.resized_by(word), resources, TORCH).codes
        assert (codes.computed, codes.reused) == (0, 80)

    assert again == first


def test_nothing_is_screened_without_time_or_need(
    wide: Path, tiny: Backbone, pool: DecoderPool, tmp_path: Path
) -> None:
    """Square photos are not screened and nothing is said; without time the crop stays, and a sentence says so."""
    images = read_image_set(wide, pool=pool, geometry=geometry_of(tiny.card))
    resources = Resources(pool=pool, cache=tmp_path / "cache")

    late, _ = screened(images, tiny, resources, within=0.0)
    square = replace(images, images=tuple(replace(image, width=40, height=44) for image in images.images))
    none, _ = screened(square, tiny, resources, within=1e9)

    assert (late.resize, late.rows) == ("crop", ())
    assert "was not measured" in late.sentence
    assert none == Resizing(resize="crop")
