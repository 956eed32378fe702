"""Laws that are known beforehand."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import lsq_linear
from scipy.stats import t as student

from unfreeze.core.errors import InputError
from unfreeze.metrics.extrapolation import EXPONENTS, band, inflation, mean_draws, overtaking, read_law

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


def test_a_band_at_a_measured_size_is_the_corrected_interval() -> None:
    """Draws of one size have Nadeau and Bengio's variance between splits, and Student's t with k - 1: by hand."""
    means = np.array([[0.6], [0.7], [0.5], [0.65], [0.62]])
    half = student.ppf(0.975, 4) * means.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4)

    measured = band(mean_draws(means, least=np.zeros(1), test_fraction=0.2, seed=0)[:, 0])

    assert measured.low == pytest.approx(means.mean() - half, abs=0.015)
    assert measured.high == pytest.approx(means.mean() + half, abs=0.015)


def test_inflation_is_that_of_nadeau_and_bengio() -> None:
    """1/k + r/(1-r): ten splits that test on a fifth give 0.1 + 0.25, and no number of them less than 0.25."""
    assert inflation(10, 0.2) == pytest.approx(0.35)
    assert inflation(4, 0.5) == pytest.approx(1.25)
    assert all(inflation(more, 0.2) < inflation(fewer, 0.2) for fewer, more in pairwise(range(1, 30)))
    assert inflation(10**9, 0.2) == pytest.approx(0.25)


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


def test_a_band_leaves_out_a_fortieth_at_either_end() -> None:
    """Of the numbers from 0 to 1 the middle 95 % lie between 0.025 and 0.975."""
    found = band(np.linspace(0, 1, 1001))

    assert (found.low, found.high) == pytest.approx((0.025, 0.975))


@pytest.mark.parametrize("fraction", [0.2, 0.5])
def test_each_size_spreads_by_its_own_splits_or_by_the_least_variance(fraction: float, seed: int) -> None:
    """The quartiles are Student's with the variance of the splits where it is larger, else with the least variance."""
    # six splits have the deviations 0.002 and 0.02 at the two sizes; the least variance is 0.01 squared at both
    spread = np.array([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]) * np.sqrt(5 / 6)  # with the variance one
    scores = np.array([0.4, 0.6]) + spread[:, None] * [0.002, 0.02]

    draws = mean_draws(scores, least=np.full(2, 1e-4), test_fraction=fraction, seed=seed)

    errors = np.array([0.01, 0.02]) * np.sqrt(1 / 6 + fraction / (1 - fraction))
    quartiles = np.quantile(draws, [0.25, 0.5, 0.75], axis=0)
    expected = np.array([0.4, 0.6]) + student.ppf([[0.25], [0.5], [0.75]], 5) * errors
    assert (np.abs(quartiles - expected) < 0.12 * errors).all()  # four standard errors of a quartile of 2,000


def test_two_splits_spread_as_cauchy_does(seed: int) -> None:
    """With one degree of freedom the quartiles lie one scale off the mean, which is s sqrt(1/2 + 1/4)."""
    # s² = 2 x 0.01² / 1
    draws = mean_draws(np.array([[0.49], [0.51]]), least=np.zeros(1), test_fraction=0.2, seed=seed)

    scale = np.sqrt(2e-4 * 0.75)
    assert np.quantile(draws, [0.25, 0.75]) == pytest.approx([0.5 - scale, 0.5 + scale], abs=0.25 * scale)


def test_sizes_move_together_as_the_splits_did(seed: int) -> None:
    """Two sizes that rise and fall together in the splits do so in the draws, and what is missing is each one's own."""
    # the first two sizes differ by a constant; the splits of the last two all score alike, so that what is drawn for
    # them falls on the same side of the mean by a coin
    spread = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) / 200
    scores = np.stack([0.5 + spread, 0.6 + spread, np.full(5, 0.4), np.full(5, 0.7)], axis=1)

    draws = mean_draws(scores, least=np.array([0.0, 0.0, 1e-4, 1e-4]), test_fraction=0.2, seed=seed)

    np.testing.assert_allclose(draws[:, 1] - draws[:, 0], 0.1, atol=1e-12)
    same_side = np.mean((draws[:, 2] > 0.4) == (draws[:, 3] > 0.7))
    assert same_side == pytest.approx(0.5, abs=0.05)


def test_only_what_the_splits_lack_of_the_least_variance_is_added(seed: int) -> None:
    """Splits with almost the least variance move all sizes alike, and 30 % more of it is drawn for each size alone."""
    spread = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) / 200
    scores = np.stack([0.5 + spread, 0.6 + spread], axis=1)
    variance = (4 + 1 + 0 + 1 + 4) / 4 / 200**2

    alike, apart = (
        mean_draws(scores, least=np.full(2, share * variance), test_fraction=0.2, seed=seed) for share in (0.999, 1.3)
    )

    np.testing.assert_allclose(alike[:, 1] - alike[:, 0], 0.1, atol=1e-12)
    error = np.sqrt(2 * 0.3 * variance * (1 / 5 + 1 / 4))  # of the difference between two sizes
    quartiles = np.quantile(apart[:, 1] - apart[:, 0], [0.25, 0.75])
    assert quartiles == pytest.approx(0.1 + student.ppf([0.25, 0.75], 4) * error, abs=0.12 * error)


def test_no_draw_is_worse_than_nothing_or_better_than_everything() -> None:
    """Splits that range from none right to all right give draws at exactly 0 and 1, and none beyond."""
    draws = mean_draws(np.array([[0.0], [1.0], [0.5]]), least=np.zeros(1), test_fraction=0.2, seed=0)

    assert (draws.min(), draws.max()) == (0, 1)


def test_a_seed_fixes_the_draws() -> None:
    """The same seed gives the same draws; another seed gives others."""
    scores = np.array([[0.4, 0.5], [0.5, 0.55], [0.45, 0.6]])
    once, again, other = (mean_draws(scores, least=np.full(2, 0.1), test_fraction=0.2, seed=s) for s in (1, 1, 2))

    assert once.tolist() == again.tolist()
    assert once.tolist() != other.tolist()


def test_the_exponent_is_the_best_of_scipys_bounded_fits(rng: np.random.Generator) -> None:
    """With four sizes the law gains what the best of scipy's bounded fits gains, over all exponents of the grid."""
    scores = np.sort(rng.uniform(0.3, 1, (8, 4)), axis=1)
    scores[:4] = [[0.30, 0.60, 0.85, 0.99], [0.5, 0.7, 0.9, 0.98], [0.2, 0.6, 0.8, 0.9], [0.4, 0.9, 0.97, 0.99]]

    read = read_law(SIZES, scores, PLACES)

    for row, found in zip(scores, read, strict=True):
        fits = []
        for exponent in EXPONENTS:
            design = np.stack([np.ones(4), -((SIZES / SIZES[-1]) ** -exponent)], axis=1)
            fit = lsq_linear(design, row, bounds=([-np.inf, 0], [1, np.inf]), method="bvls")
            fits.append((fit.cost, fit.x[1] * (1 - (PLACES / SIZES[-1]) ** -exponent)))
        np.testing.assert_allclose(found, np.minimum(row[-1] + min(fits, key=lambda one: one[0])[1], 1), atol=1e-6)


def test_a_single_place_is_read_and_none_before_the_largest_size() -> None:
    """The largest size alone gives back its score, and a place between the measured sizes is refused."""
    score = np.array([[0.5, 0.6, 0.7, 0.8]])

    assert read_law(SIZES, score, SIZES[-1:]) == pytest.approx(0.8)
    with pytest.raises(InputError, match=r"got sizes \[25.0, 50.0, 100.0, 200.0\] and places \[150.0\]"):
        read_law(SIZES, score, np.array([150.0]))


def test_errors_say_what_to_do() -> None:
    """Too few sizes and too few splits are refused with what is needed, what was found, and to measure further."""
    with pytest.raises(InputError, match=r"^A learning curve goes through 3 sizes .* Measure at further sizes\.$"):
        read_law(SIZES[:2], np.full((1, 2), 0.5), SIZES[1:2])
    with pytest.raises(InputError, match=r"^How far scores may be off .*; got 1\. Measure a further one\.$"):
        mean_draws(np.full((1, 3), 0.5), least=np.zeros(3), test_fraction=0.2, seed=0)


@pytest.mark.parametrize(
    ("gains", "answer"),
    [
        ([0.0, 0.0, 0.0], ("not within", None)),
        ([0.01, 0.01, 0.01], ("already ahead", None)),
        ([0.0, 0.01, 0.01], ("within", (200.0, 200.0))),
        ([-0.01, 0.0, 0.01], ("within", (400.0, 400.0))),
    ],
)
def test_ahead_is_more_than_level(gains: list[float], answer: tuple[str, tuple[float, float] | None]) -> None:
    """In draws that all agree the first place with any gain counts, and a gain of nothing is none."""
    assert overtaking(np.tile(gains, (50, 1)), np.array([100.0, 200.0, 400.0])) == answer
