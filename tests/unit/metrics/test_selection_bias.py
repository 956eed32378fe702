"""The winner's optimism, by enumeration of every set that can be drawn."""

from itertools import product

import numpy as np
import pytest

from unfreeze.core.errors import InputError
from unfreeze.core.records import Interval
from unfreeze.metrics.selection_bias import corrected_winner, mean_by_image


def every_score(totals: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """What the winner of each set that can be drawn scores on what was left out, all sets alike in probability."""
    scores = []
    for drawn in product(range(len(sizes)), repeat=len(sizes)):
        out = [unit for unit in range(len(sizes)) if unit not in drawn]
        if out:
            means = totals[:, drawn].sum(axis=1) / sizes[list(drawn)].sum()
            scores.append(totals[np.argmax(means)][out].sum() / sizes[out].sum())
    return np.array(scores)


def test_each_of_two_that_wins_where_it_is_not_scored_is_worth_nothing() -> None:
    """Drawing one of two units leaves the other: the winner on the one has nothing right on the other."""
    found = corrected_winner(np.array([[1.0, 0.0], [0.0, 1.0]]), ["a", "b"], seed=0, draws=50)

    assert (found.winner, found.naive, found.corrected) == (0, 0.5, 0.0)
    assert found.interval == Interval(0.0, 0.0)


def test_the_corrected_estimate_is_the_mean_over_all_sets(rng: np.random.Generator, seed: int) -> None:
    """For units of one to four images the mean and the quartiles are those of all 256 sets but the 24 full ones."""
    values = rng.random((3, 10))
    sizes = np.array([1, 2, 3, 4])
    units = np.repeat(["d", "a", "c", "b"], sizes)
    totals = np.stack([np.bincount(np.repeat([0, 1, 2, 3], sizes), weights=row) for row in values])
    exact = every_score(totals, sizes)

    found = corrected_winner(values, units, seed=seed, level=0.5, draws=20_000)

    assert found.corrected == pytest.approx(exact.mean(), abs=5 * exact.std() / 20_000**0.5)
    for end, share in ((found.interval.low, 0.25), (found.interval.high, 0.75)):
        assert np.mean(exact < end - 1e-9) <= share + 0.02  # up to ties, a quartile of the exact scores
        assert np.mean(exact <= end + 1e-9) >= share - 0.02
    assert found.winner == values.mean(axis=1).argmax()
    assert found.naive == pytest.approx(values.mean(axis=1).max())


def test_of_equals_the_first_wins() -> None:
    """Of two equal strategies behind a worse one the first of the two, the second of all, is named."""
    values = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])

    found = corrected_winner(values, ["a", "b", "c"], seed=0, draws=10)

    assert found.winner == 1
    assert found.naive == pytest.approx(2 / 3)


def test_the_interval_covers_95_percent_unless_told_otherwise(seed: int) -> None:
    """For one strategy the ends are the 2.5 and 97.5 % quantiles of the means over what 200,000 draws leave out."""
    values = np.arange(10.0)
    drawn = np.random.default_rng(99).integers(10, size=(200_000, 10))
    out = np.ones((200_000, 10), bool)
    out[np.arange(200_000)[:, None], drawn] = False
    some = out.any(axis=1)
    means = (out @ values)[some] / out.sum(axis=1)[some]

    found = corrected_winner(values[None], np.arange(10), seed=seed, draws=8000)

    assert (found.interval.low, found.interval.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.3)


def test_a_seed_fixes_the_estimate() -> None:
    """The same seed gives the same estimate; another seed gives another."""
    values = np.random.default_rng(0).random((4, 30))

    once, again, other = (corrected_winner(values, np.arange(30), seed=seed, draws=50) for seed in (1, 1, 2))

    assert once == again
    assert once.corrected != other.corrected


def test_a_winner_needs_strategies_and_units() -> None:
    """Without strategies, with one unit, or with too few names, the error counts what was found."""
    with pytest.raises(InputError, match=r"^The optimism of a winner .*; got 0 strategies, 3 units and 3 names"):
        corrected_winner(np.zeros((0, 3)), ["a", "b", "c"], seed=0)
    with pytest.raises(InputError, match=r"got 2 strategies, 1 units and 3 names of units for 3 images"):
        corrected_winner(np.ones((2, 3)), ["a", "a", "a"], seed=0)
    with pytest.raises(InputError, match=r"got 2 strategies, 2 units and 2 names of units for 3 images"):
        corrected_winner(np.ones((2, 3)), ["a", "b"], seed=0)


def test_an_image_counts_with_the_mean_of_its_splits() -> None:
    """An image that three splits tested on has the mean of three values, and the images come in sorted order."""
    values, names = mean_by_image(
        [np.array([1.0, 0.0]), np.array([0.0, 3.0]), np.array([0.5])],
        [np.array([7, 2]), np.array([7, 5]), np.array([7])],
    )

    assert names.tolist() == [2, 5, 7]
    assert values.tolist() == [0.0, 3.0, 0.5]
