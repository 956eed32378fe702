"""Codes that come in portions are those that `read_codes` gives, and what is stored is not computed again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from unfreeze.core.errors import WeightsError
from unfreeze.core.settings import EngineSettings
from unfreeze.data.image_set import Image
from unfreeze.data.inspection import inspected_portions, listed_images, read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.features.extraction import Codes
from unfreeze.features.frozen import FrozenBackbone, read_codes
from unfreeze.features.resources import Resources
from unfreeze.features.streaming import codes_of_table
from unfreeze.images.pool import DecoderPool
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.devices import CPU

PhotoFolder = Callable[..., Path]
TORCH = EngineSettings("torch")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    """The default network with its real weights, small images."""
    return load_backbone(size=32)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """Decoders for all tests here."""
    with DecoderPool(workers=1) as pool:
        yield pool


def in_portions(
    source: Path, backbone: Backbone, pool: DecoderPool, cache: Path, *, portion: int
) -> tuple[list[Image], dict[str, np.ndarray], int]:
    """Images, codes by tap, and the number that was computed, all from portions of a size."""
    with listed_images(source) as table:
        portions = inspected_portions(table, pool=pool, geometry=geometry_of(backbone.card), portion=portion)
        with codes_of_table(
            table, portions, FrozenBackbone(backbone, CPU), Resources(pool=pool, cache=cache), TORCH
        ) as codes:
            images = list(table.images())
            parts = [codes.read(images[start : start + portion]) for start in range(0, len(images), portion)]
    by_tap = {tap: np.concatenate([part[tap] for part, _ in parts]) for tap in backbone.card.taps}
    return images, by_tap, sum(computed for _, computed in parts)


def in_memory(source: Path, backbone: Backbone, pool: DecoderPool, cache: Path) -> Codes:
    """The same from `read_codes`."""
    return read_codes(read_image_set(source, pool=pool), backbone, pool=pool, engine="torch", cache=cache)


def is_same(by_tap: dict[str, np.ndarray], codes: Codes) -> bool:
    """Whether all bits are equal."""
    return list(by_tap) == list(codes.by_tap) and all(
        values.tobytes() == codes.by_tap[tap].tobytes() for tap, values in by_tap.items()
    )


@pytest.fixture
def source(photo_folder: PhotoFolder) -> Path:
    """Twenty-four images, and a copy of the first at the end, which is far away in any order."""
    folder = photo_folder("ants", "bees")
    (folder / "ants" / "zzz.png").write_bytes((folder / "ants" / "000.png").read_bytes())
    return folder


@pytest.mark.parametrize("portion", [5, 8, 1000])
def test_portions_change_no_bit(
    source: Path, backbone: Backbone, pool: DecoderPool, tmp_path: Path, portion: int
) -> None:
    """Names, codes and counts are those of codes in memory; the copy, in another portion than its twin, is left out."""
    expected = in_memory(source, backbone, pool, tmp_path / "memory")

    images, by_tap, computed = in_portions(source, backbone, pool, tmp_path / "portions", portion=portion)

    assert tuple(image.name for image in images) == expected.names
    assert is_same(by_tap, expected)
    assert computed == expected.computed == 24


def test_each_finds_what_the_other_stored(source: Path, backbone: Backbone, pool: DecoderPool, tmp_path: Path) -> None:
    """One store serves both ways: whoever comes second computes nothing."""
    _, by_tap, _ = in_portions(source, backbone, pool, tmp_path / "one", portion=7)
    second = in_memory(source, backbone, pool, tmp_path / "one")
    assert (second.computed, second.reused) == (0, 24)
    assert is_same(by_tap, second)

    first = in_memory(source, backbone, pool, tmp_path / "other")
    _, by_tap, computed = in_portions(source, backbone, pool, tmp_path / "other", portion=7)
    assert computed == 0
    assert is_same(by_tap, first)


def test_a_damaged_shard_is_computed_again(source: Path, backbone: Backbone, pool: DecoderPool, tmp_path: Path) -> None:
    """One bit that flips in one of several shards costs the images of that shard and changes no result."""
    _, before, _ = in_portions(source, backbone, pool, tmp_path, portion=8)
    shards = sorted(tmp_path.glob("codes/*/*.parquet"))
    data = bytearray(shards[1].read_bytes())
    data[len(data) // 2] ^= 1
    shards[1].write_bytes(data)

    _, after, computed = in_portions(source, backbone, pool, tmp_path, portion=8)

    assert len(shards) == 4
    assert 0 < computed <= 8
    assert all(after[tap].tobytes() == before[tap].tobytes() for tap in before)


def test_what_goes_bad_meanwhile_is_set_aside(
    source: Path, backbone: Backbone, pool: DecoderPool, tmp_path: Path
) -> None:
    """An image that was read once and cannot be decoded any more has no row and costs no other image its codes."""
    with listed_images(source) as table:

        def portions() -> Iterator[list[Image]]:
            for some in inspected_portions(table, pool=pool, portion=10):
                if (source / "ants" / "003.png") in {image.path for image in some}:
                    (source / "ants" / "003.png").write_bytes(b"")
                yield some

        network, resources = FrozenBackbone(backbone, CPU), Resources(pool=pool, cache=tmp_path)
        with codes_of_table(table, portions(), network, resources, TORCH) as codes:
            images = list(table.images())
            by_tap, computed = codes.read(images)

        assert "ants/003.png" not in {image.name for image in images}
        assert [(item.name, item.reason) for item in table.files_set_aside()] == [("ants/003.png", "changed")]
    assert computed == len(images) == 23
    assert all(len(values) == 23 and values.any(axis=1).all() for values in by_tap.values())


def test_codes_that_are_no_numbers_are_refused(source: Path, pool: DecoderPool, tmp_path: Path) -> None:
    """Weights that are finite and overflow on the way give an error that names tap and photo, and nothing is stored."""
    network = load_backbone(size=32)
    with torch.no_grad():
        for parameter in network.network.parameters():
            parameter.mul_(1e20)

    with pytest.raises(WeightsError, match=r"codes that are not finite, at .*, for .*\.png"):
        in_portions(source, network, pool, tmp_path / "cache", portion=8)
    assert not list((tmp_path / "cache").rglob("*.parquet"))
