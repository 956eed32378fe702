"""The decoder that stays."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unfreeze.images.decoding import UnreadableImageError
from unfreeze.images.geometry import Geometry
from unfreeze.images.pool import DecoderPool
from unfreeze.images.standing import FEW, pool_for, squares_of

GEOMETRY = Geometry(size=8, resize=8)


def photo(path: Path, level: int) -> Path:
    """A grey photo."""
    Image.new("RGB", (8, 8), (level,) * 3).save(path)
    return path


def test_it_gives_what_other_decoders_give(tmp_path: Path) -> None:
    """A few images, many, and one that is broken: the same squares and the same reason, in the same order."""
    paths = [photo(tmp_path / f"{number}.png", number) for number in range(FEW + 1)]
    paths[1].write_bytes(b"nothing")
    with DecoderPool() as pool:
        wanted = list(pool.squares(paths, GEOMETRY))

    for found in (list(squares_of(paths[:3], GEOMETRY)), list(squares_of(paths, GEOMETRY))):
        for one, other in zip(found, wanted, strict=False):
            if isinstance(other, UnreadableImageError):
                assert isinstance(one, UnreadableImageError)
                assert one.reason == other.reason
            else:
                np.testing.assert_array_equal(one, other)


def test_a_few_images_start_no_decoder_anew(tmp_path: Path) -> None:
    """The same pool serves the next few; many have a pool of their own."""
    with pool_for(1) as first:
        pass
    with pool_for(2) as second, pool_for(FEW + 1) as many:
        pass

    assert first is second
    assert many is not first


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    """Nothing of what a file held stays."""
    before, after = (next(iter(squares_of([photo(tmp_path / "a.png", level)], GEOMETRY))) for level in (10, 200))

    assert isinstance(before, np.ndarray)
    assert isinstance(after, np.ndarray)
    assert (before[0, 0, 0], after[0, 0, 0]) == (10, 200)


def test_threads_take_turns(tmp_path: Path) -> None:
    """Each thread gets the squares of its own photos."""
    found: dict[int, int] = {}

    def work(level: int) -> None:
        (square,) = squares_of([photo(tmp_path / f"{level}.png", level)], GEOMETRY)
        assert isinstance(square, np.ndarray)
        found[level] = int(square[0, 0, 0])

    threads = [threading.Thread(target=work, args=(level,)) for level in range(0, 200, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {level: level for level in range(0, 200, 25)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_has_a_decoder_of_its_own(tmp_path: Path) -> None:
    """It decodes, and the parent's decoder goes on."""
    path = photo(tmp_path / "a.png", 7)
    list(squares_of([path], GEOMETRY))

    child = os.fork()
    if child == 0:
        try:
            (square,) = squares_of([path], GEOMETRY)
            with pool_for(1) as pool:
                pool.close()
            os._exit(0 if isinstance(square, np.ndarray) and square[0, 0, 0] == 7 else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert isinstance(next(iter(squares_of([path], GEOMETRY))), np.ndarray)
