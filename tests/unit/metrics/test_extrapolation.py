"""Laws that are known beforehand."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from unfreeze.core.errors import InputError
from unfreeze.metrics.extrapolation import band, mean_draws, overtaking, read_law
from unfreeze.metrics.repeated import compare_splits

SIZES = np.array([25.0, 50.0, 100.0, 200.0])
PLACES = np.array([200.0, 400.0, 800.0])


def law(sizes: np.ndarray, exponent: float) -> np.ndarray:
    """95 % with endless data, 90 points less with one image."""
    return 0.95 - 0.9 * sizes**-exponent


@pytest.mark.parametrize("exponent", [0.2, 0.5, 1.0])
def test_a_law_without_noise_is_recovered(exponent: float) -> None:
    """Through exact points the law goes on as it does; with three sizes it has the exponent one half."""
    read = read_law(SIZES, law(SIZES, exponent)[None], PLACES)
    of_three = read_law(SIZES[1:], law(SIZES[1:], 0.5)[None], PLACES)

    np.testing.assert_allclose(read[0], law(PLACES, exponent), atol=1e-9)
    np.testing.assert_allclose(of_three[0], law(PLACES, 0.5), atol=1e-9)


def test_bounded_least_squares_are_scipys(rng: np.random.Generator) -> None:
    """On three sizes the law gains what that of scipy's bounded least squares gains, also where a bound is met."""
    sizes, scores = SIZES[1:], rng.random((200, 3)) ** 0.3
    read = read_law(sizes, scores, PLACES)
    design = np.stack([np.ones(3), -((sizes / sizes[-1]) ** -0.5)], axis=1)
    for row, found in zip(scores, read, strict=True):
        limit, drop = lsq_linear(design, row, bounds=([-np.inf, 0], [1, np.inf]), method="bvls").x
        said = limit - drop * (PLACES / sizes[-1]) ** -0.5
        np.testing.assert_allclose(found, np.minimum(row[-1] + said - said[0], 1), atol=1e-7)


def test_the_law_never_falls_and_never_passes_everything_right(rng: np.random.Generator) -> None:
    """Whatever the scores are, more images never cost, and no more than all are right."""
    read = read_law(SIZES, rng.random((500, 4)), PLACES)

    assert (np.diff(read, axis=1) >= -1e-12).all()
    assert read.max() <= 1


@pytest.mark.parametrize(("sizes", "place"), [(SIZES, 801.0), (SIZES[:2], 50.0)])
def test_nothing_is_read_too_far_ahead_or_from_two_sizes(sizes: np.ndarray, place: float) -> None:
    """Beyond four times the largest size, and through fewer than three sizes, there is an error."""
    with pytest.raises(InputError, match="read up to 4 times"):
        read_law(sizes, np.full((1, len(sizes)), 0.5), np.array([place]))


def test_a_band_at_a_measured_size_is_the_corrected_interval(rng: np.random.Generator) -> None:
    """Draws of one size spread as the interval of repeated splits does."""
    right = [(rng.random(400) < chance).astype(float) for chance in (0.6, 0.7, 0.5, 0.65, 0.62)]
    units = [np.arange(400)] * 5
    found = compare_splits([np.zeros(400)] * 5, right, units=units, test_fraction=0.2, margin=0.0)
    means = np.array([[one.mean()] for one in right])
    draws = mean_draws(means, least=np.array([found.least_variance]), test_fraction=0.2, seed=0)

    assert found.interval is not None
    measured = band(draws[:, 0])
    assert measured.low == pytest.approx(found.interval.low, abs=0.015)
    assert measured.high == pytest.approx(found.interval.high, abs=0.015)


def test_splits_that_agree_by_chance_are_not_certain() -> None:
    """Where all splits score alike, the least variance spreads the draws; a single split says nothing."""
    scores = np.full((5, 3), 0.9)
    draws = mean_draws(scores, least=np.full(3, 1e-4), test_fraction=0.2, seed=0)

    assert (draws.std(axis=0) > 0.005).all()
    with pytest.raises(InputError, match="two splits at least"):
        mean_draws(scores[:1], least=np.full(3, 1e-4), test_fraction=0.2, seed=0)


@pytest.mark.slow
def test_bands_cover() -> None:
    """Of 100 noisy studies of a known law, bands at twice and four times the data hold the truth in 90 at least."""
    rng, inside = np.random.default_rng(0), np.zeros(2)
    for seed in range(100):
        scores = law(SIZES, 0.5) + rng.normal(0, 0.02, (5, 4))
        draws = mean_draws(scores, least=np.zeros(4), test_fraction=0.2, seed=seed)
        bands = [band(one) for one in read_law(SIZES, draws, PLACES[1:]).T]
        inside += [one.low <= truth <= one.high for one, truth in zip(bands, law(PLACES[1:], 0.5), strict=True)]

    assert (inside >= 90).all()


@pytest.mark.parametrize(
    ("crossing", "answer", "between"),
    [
        (np.full(100, 50.0), "already ahead", None),
        (np.full(100, 900.0), "not within", None),
        (np.linspace(50, 900, 100), "cannot tell", None),
        (np.linspace(50, 350, 100), "within", (100.0, 400.0)),
        (np.linspace(210, 350, 100), "within", (300.0, 400.0)),
    ],
)
def test_where_a_strategy_overtakes(crossing: np.ndarray, answer: str, between: tuple[float, float] | None) -> None:
    """Gains that change sign at known sizes give the first place behind these, or say that it is out of sight."""
    sizes = np.array([100.0, 200.0, 300.0, 400.0])
    gains = sizes - crossing[:, None]

    assert overtaking(gains, sizes) == (answer, between)
