"""Codes of a whole image set in memory."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from unfreeze.core.records import SetAside
from unfreeze.core.settings import EngineSettings
from unfreeze.core.stop import Stop
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.data.tasks import Task
from unfreeze.features import streaming
from unfreeze.features.engines import REFERENCE
from unfreeze.features.extraction import Codes, codes_of, with_codes_only
from unfreeze.features.frozen import FrozenBackbone, read_codes
from unfreeze.features.prefixes import compile_prefix
from unfreeze.features.resources import Resources
from unfreeze.features.streaming import computed_shards
from unfreeze.images.geometry import centre
from unfreeze.images.pool import DecoderPool
from unfreeze.store.upkeep import verify
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import CPU

MakeTask = Callable[..., Task]
Decoded = Callable[..., DecoderPool]
PhotoFolder = Callable[..., Path]
TORCH = EngineSettings("torch", "f32")


@pytest.fixture
def images(make_rows: MakeTask) -> ImageSet:
    """Ten images in words."""
    return make_rows(10).image_set


@pytest.fixture
def resources(images: ImageSet, decoded: Decoded, tiny: Backbone, heard: Any, tmp_path: Path) -> Resources:
    """Decoders that have the squares of the ten, and a cache of this test's own."""
    return Resources(pool=decoded(images.images, tiny.card), progress=heard.progress, cache=tmp_path)


def test_codes_are_what_the_network_gives_row_by_row(images: ImageSet, tiny: Backbone, resources: Resources) -> None:
    """Rows come in the order of the set, taps from shallow to deep, the last one being what the head sees."""
    backwards = replace(images, images=images.images[::-1])
    found = codes_of(backwards, FrozenBackbone(tiny, CPU), resources, TORCH)

    prefix = compile_prefix(tiny, codes=tiny.taps, engine=REFERENCE, device=CPU)
    squares = resources.pool.squares([image.path for image in backwards.images], geometry_of(tiny.card))
    expected = list(prefix.run(centre(square[None], tiny.card.size)[0] for square in squares))
    assert found.names == tuple(image.name for image in backwards.images)
    assert list(found.by_tap) == [tap.name for tap in tiny.taps]
    assert found.last is found.by_tap[tiny.taps[-1].name]
    np.testing.assert_allclose(found.last, np.stack([row[-1] for row in expected]), rtol=1e-5, atol=1e-6)


def test_what_is_stored_is_not_computed_again(
    images: ImageSet, tiny: Backbone, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second reading has the same bits without the network, and new images alone are computed."""
    few = replace(images, images=images.images[:6])
    first = codes_of(few, FrozenBackbone(tiny, CPU), resources, TORCH)
    more = codes_of(images, FrozenBackbone(tiny, CPU), resources, TORCH)
    monkeypatch.setattr(streaming, "computed_shards", lambda *_, **__: pytest.fail("computed again"))
    again = codes_of(few, FrozenBackbone(tiny, CPU), resources, TORCH)

    assert [(codes.computed, codes.reused) for codes in (first, more, again)] == [(6, 0), (4, 6), (0, 6)]
    assert all(values.tobytes() == first.by_tap[tap].tobytes() for tap, values in again.by_tap.items())


def test_details_are_added_to_codes_that_are_stored_already(
    images: ImageSet, tiny: Backbone, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store of codes from before is read with its own bits; what lacks is computed once; then nothing is."""
    network = FrozenBackbone(tiny, CPU)
    codes = codes_of(images, network, resources, TORCH)
    before = {path.name: path.read_bytes() for path in (tmp_codes(resources)).rglob("*.parquet")}
    detailed = codes_of(images, network, resources, TORCH, details=True)
    monkeypatch.setattr(streaming, "computed_shards", lambda *_, **__: pytest.fail("computed again"))
    again = codes_of(images, network, resources, TORCH, details=True)

    assert codes.details == {}
    assert [(found.computed, found.reused) for found in (codes, detailed, again)] == [(10, 0), (10, 0), (0, 10)]
    assert tuple(detailed.details) == tiny.details
    for found in (detailed, again):
        assert all(values.tobytes() == codes.by_tap[tap].tobytes() for tap, values in found.by_tap.items())
    assert all(values.tobytes() == detailed.details[one].tobytes() for one, values in again.details.items())
    kept = {path.name: path.read_bytes() for path in (tmp_codes(resources)).rglob("*.parquet")}
    assert before.items() <= kept.items()
    assert [check.damaged for check in verify(resources.cache)] == [{}, {}]


def tmp_codes(resources: Resources) -> Path:
    """The folder of all stores."""
    assert resources.cache is not None
    return resources.cache / "codes"


def test_only_the_details_that_lack_are_computed(images: ImageSet, tiny: Backbone, resources: Resources) -> None:
    """Images that have both are left alone, and rows that have codes alone are no rows yet."""
    network, few = FrozenBackbone(tiny, CPU), replace(images, images=images.images[:4])
    codes_of(few, network, resources, TORCH, details=True)
    codes_of(replace(images, images=images.images[:7]), network, resources, TORCH)

    found = codes_of(images, network, resources, TORCH, details=True)

    assert (found.computed, found.reused) == (6, 4)


def test_details_are_the_statistics_of_the_maps(images: ImageSet, tiny: Backbone, resources: Resources) -> None:
    """What is read is what NumPy makes of the map at the tap, in half precision: 11 bits."""
    found = codes_of(images, FrozenBackbone(tiny, CPU), resources, TORCH, details=True)

    tap = tiny.taps[1]
    prefix = compile_prefix(tiny, raw=[tap], engine=REFERENCE, device=CPU)
    squares = resources.pool.squares([image.path for image in images.images], geometry_of(tiny.card))
    maps = np.stack([row[0] for row in prefix.run(centre(square[None], tiny.card.size)[0] for square in squares)])
    half, side = maps.shape[2] // 2, maps.shape[2]
    quarters = [maps[:, :, y : y + half, x : x + half].mean(axis=(2, 3)) for y in (0, half) for x in (0, half)]
    expected = {
        "mean": maps.mean(axis=(2, 3)),
        "deviation": maps.std(axis=(2, 3)),
        "maximum": maps.max(axis=(2, 3)),
        "grid": np.stack(quarters, axis=2).reshape(len(maps), -1),
    }
    assert side % 2 == 0
    for readout in found.readouts:
        if readout.tap == tap.name:
            np.testing.assert_allclose(found.at(readout), expected[readout.statistic], rtol=1e-3, atol=1e-5)
    assert [one.statistic for one in found.readouts if one.tap == tap.name] == list(expected)


def test_a_stop_loses_no_code(images: ImageSet, tiny: Backbone, resources: Resources) -> None:
    """Once somebody wants the work to stop, what is computed is given to be stored at once, not with the next shard."""
    engine = compile_prefix(tiny, codes=tiny.taps, engine=REFERENCE, device=CPU)

    def first_shard(stop: Stop) -> dict[str, Any]:
        columns = tiny.card.taps
        return next(computed_shards(images.images, tiny.card, engine, resources.pool, [], columns=columns, stop=stop))

    stop = Stop()
    assert len(first_shard(stop)) == 10
    stop.request()
    assert len(first_shard(stop)) == 1


def test_equal_files_are_computed_once(images: ImageSet, tiny: Backbone, resources: Resources) -> None:
    """An image that is there under two names has two equal rows, and the second counts as reused."""
    third = images.images[2]
    copy = replace(images.images[7], path=third.path, sha256=third.sha256)
    twice = tuple(copy if n == 7 else image for n, image in enumerate(images.images))
    found = codes_of(replace(images, images=twice), FrozenBackbone(tiny, CPU), resources, TORCH)

    assert (found.computed, found.reused, len(found.names)) == (9, 1, 10)
    np.testing.assert_array_equal(found.last[2], found.last[7])


def test_an_image_that_cannot_be_decoded_any_more_has_no_row(
    photo_folder: PhotoFolder, tiny: Backbone, tmp_path: Path
) -> None:
    """It is set aside under its name, and the rows of the others are their own."""
    with DecoderPool(workers=1) as pool:
        photos = read_image_set(photo_folder("a", "b", count=2), pool=pool)
        whole = read_codes(photos, tiny, pool=pool, engine="torch", precision="f32", cache=tmp_path / "whole")
        photos.images[1].path.write_bytes(b"")
        pool.forget()
        found = read_codes(photos, tiny, pool=pool, engine="torch", precision="f32", cache=tmp_path / "other")

    assert [(item.name, item.reason) for item in found.set_aside] == [(photos.images[1].name, "changed")]
    assert found.names == (whole.names[0], *whole.names[2:])
    assert (found.computed, found.reused) == (3, 0)
    np.testing.assert_array_equal(found.last, np.delete(whole.last, 1, axis=0))


def test_a_set_keeps_its_classes_when_images_go(images: ImageSet) -> None:
    """Without the only image of a class the indices of the others stay, and the account of files adds up."""
    three = replace(images, images=images.images[:3])  # a, b, a
    aside = SetAside(name="0001", reason="empty-file")
    codes = Codes(names=("0000", "0002"), by_tap={}, computed=2, reused=0, set_aside=(aside,))

    found = with_codes_only(three, codes)

    assert [image.name for image in found.images] == ["0000", "0002"]
    assert found.classes == ("a", "b")
    assert (found.counts.found, found.counts.used, found.counts.set_aside) == (3, 2, 1)
    assert with_codes_only(three, replace(codes, set_aside=())) is three


def test_pandas_and_polars_take_codes_as_a_table() -> None:
    """A row an image, a list of fixed length a tap, every bit as it was."""
    rng = np.random.default_rng(0)
    by_tap = {"low": rng.normal(size=(3, 2)).astype(np.float32), "last": rng.normal(size=(3, 5)).astype(np.float32)}
    codes = Codes(names=("a", "b", "é"), by_tap=by_tap, computed=3, reused=0)

    by_pandas, by_polars = codes.to_arrow().to_pandas(), pl.from_arrow(codes.to_arrow())

    assert isinstance(by_polars, pl.DataFrame)
    assert by_pandas["name"].tolist() == by_polars["name"].to_list() == ["a", "b", "é"]
    assert by_polars.schema["low"] == pl.Array(pl.Float32, 2)
    for tap, values in by_tap.items():
        np.testing.assert_array_equal(np.stack(by_pandas[tap].tolist()), values)
        np.testing.assert_array_equal(by_polars[tap].to_numpy(), values)
