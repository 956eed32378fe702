"""What gives classes away without being their content."""

import numpy as np

from unfreeze.advisor.shortcuts import paired, shortcuts
from unfreeze.data.image_set import Glances

CELLS = 432


def glances(numbers: np.ndarray, frames: np.ndarray, middles: np.ndarray) -> Glances:
    """Of two classes in turn."""
    count = len(numbers)
    return Glances(
        names=tuple(f"{row}.jpg" for row in range(count)),
        labels=tuple("ab"[row % 2] for row in range(count)),
        groups=("",) * count,
        numbers=numbers,
        frames=frames,
        middles=middles,
    )


def meaningless(count: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers, frames and middles that say nothing of the class."""
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 256, (2, count, CELLS), dtype=np.uint8)
    return rng.normal(size=(count, 4)), cells[0], cells[1]


def test_photos_that_differ_in_nothing_have_no_shortcut() -> None:
    """Numbers and frames by chance find nothing; so do few photos, and photos that nobody has looked at."""
    numbers, frames, middles = meaningless()

    assert shortcuts(glances(numbers, frames, middles), seed=0) == ()
    assert shortcuts(glances(numbers[:20], frames[:20], middles[:20]), seed=0) == ()
    assert shortcuts(None, seed=0) == ()


def test_one_class_of_larger_photos_is_found() -> None:
    """The finding says how often size and shape alone are right, and shows photos of both classes."""
    numbers, frames, middles = meaningless()
    numbers[1::2, 0] += 5

    (found,) = shortcuts(glances(numbers, frames, middles), seed=0)

    assert found.code == "UF127"
    assert "size and shape alone 9" in found.sentence
    assert "always naming one class is right on 50.0 %" in found.sentence
    assert {int(name.split(".")[0]) % 2 for name in found.images[:2]} == {0, 1}


def test_a_border_that_comes_with_a_class_is_found() -> None:
    """A stripe of one colour in the frame of one class is found; the same in the middle too is no frame's fault."""
    numbers, frames, middles = meaningless()
    frames[1::2, :60] = 250
    both = middles.copy()
    both[1::2, :60] = 250

    (found,) = shortcuts(glances(numbers, frames, middles), seed=0)

    assert found.code == "UF128"
    assert shortcuts(glances(numbers, frames, both), seed=0) == ()


def test_a_paired_interval_is_that_of_the_mean_difference() -> None:
    """Without groups it is the mean plus and minus standard errors of independent differences; groups make it wider."""
    rng = np.random.default_rng(0)
    before, after = rng.random(200) < 0.6, rng.random(200) < 0.8
    gains = after.astype(float) - before

    found = paired(before, after, np.arange(200), wider=2)
    grouped = paired(before, before, np.arange(200), wider=2)

    np.testing.assert_allclose(found.high - found.low, 4 * gains.std() / 200**0.5)
    np.testing.assert_allclose((found.high + found.low) / 2, gains.mean())
    assert grouped == (0.0, 0.0)
