"""Codes of a whole image set in memory."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unfreeze.core.records import SetAside
from unfreeze.core.settings import EngineSettings
from unfreeze.core.stop import Stop
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.data.tasks import Task
from unfreeze.features import streaming
from unfreeze.features.engines import REFERENCE, compile_prefix
from unfreeze.features.extraction import Codes, codes_of, read_codes, with_codes_only
from unfreeze.features.frozen import FrozenBackbone
from unfreeze.features.resources import Resources
from unfreeze.features.streaming import computed_shards
from unfreeze.images.geometry import centre
from unfreeze.images.pool import DecoderPool
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


def test_a_stop_loses_no_code(images: ImageSet, tiny: Backbone, resources: Resources) -> None:
    """Once somebody wants the work to stop, what is computed is given to be stored at once, not with the next shard."""
    engine = compile_prefix(tiny, codes=tiny.taps, engine=REFERENCE, device=CPU)

    def first_shard(stop: Stop) -> dict[str, Any]:
        return next(computed_shards(images.images, tiny.card, engine, resources.pool, [], stop=stop))

    stop = Stop()
    assert len(first_shard(stop)) == 10
    stop.request()
    assert len(first_shard(stop)) == 1


def test_equal_files_are_computed_once(images: ImageSet, tiny: Backbone, resources: Resources) -> None:
    """An image that is there under two names has two equal rows, and the second counts as reused."""
    twice = tuple(replace(image, sha256="same") if n in {2, 7} else image for n, image in enumerate(images.images))
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

    assert [(item.name, item.reason) for item in found.set_aside] == [(photos.images[1].name, "empty-file")]
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
