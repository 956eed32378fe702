"""Decoders that die, stand still, or wait: the guilty photo alone is lost, and of those that only wait none."""

import random
from pathlib import Path

import pytest

from faultlab.decoders import HOWS, How, draw_slow_photos, squares, struck
from unfreeze.images.pool import DecoderPool

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Photos that take a while."""
    return draw_slow_photos(tmp_path_factory.mktemp("slow"))


@pytest.fixture(scope="module")
def right(photos: list[Path]) -> list[bytes | str]:
    """Their pixels when nothing happens."""
    with DecoderPool(workers=1) as pool:
        return squares(photos, pool)


@pytest.mark.parametrize("how", HOWS)
def test_the_guilty_photo_alone_is_lost(how: How, photos: list[Path], right: list[bytes | str], seed: int) -> None:
    """Killed, crashed, hung, stopped (Ctrl-Z) or kept waiting by a busy machine, twice each: the rest is bit-equal."""
    rng = random.Random(seed)

    assert [one for one in (struck(how, photos, right, rng) for _ in range(2)) if one.wrong] == []
