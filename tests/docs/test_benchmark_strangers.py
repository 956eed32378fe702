"""How well scores tell strangers: areas under ROC curves, and their errors."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap, norm
from sklearn.metrics import roc_auc_score


def drawn(rng: np.random.Generator, number: int, *, apart: float, groups: int) -> tuple[np.ndarray, list[str]]:
    """Values of photos, of which those of a group are alike; no groups if 0."""
    values = rng.normal(apart, 1.0, number)
    if not groups:
        return np.round(values, 1), [""] * number
    own = rng.integers(0, groups, number)
    return np.round(values + rng.normal(0.0, 1.0, groups)[own], 1), [f"group {one}" for one in own]


def test_an_area_is_that_of_another_library(scripts: Any, rng: np.random.Generator) -> None:
    """Ties count half, as in scikit-learn."""
    ways = scripts("strangeness")
    known, strange = (ways.Side(*drawn(rng, 80, apart=apart, groups=0)) for apart in (0.0, 1.0))

    area, _ = ways.estimate(*ways.placements(known, strange))

    truth = np.repeat([0, 1], 80)
    assert area == pytest.approx(roc_auc_score(truth, np.concatenate([known.values, strange.values])))


@pytest.mark.parametrize("groups", [0, 25])
def test_its_error_is_that_of_a_bootstrap(scripts: Any, groups: int, rng: np.random.Generator) -> None:
    """Of photos, or of whole groups of strangers, drawn again by SciPy: the same within a sixth."""
    ways = scripts("strangeness")
    known = ways.Side(*drawn(rng, 150, apart=0.0, groups=0))
    strange = ways.Side(*drawn(rng, 150, apart=1.0, groups=groups))
    names = np.array([name or str(place) for place, name in enumerate(strange.groups)])
    members = [strange.values[names == name] for name in np.unique(names)]

    def area(of_known: np.ndarray, of_strange: np.ndarray) -> float:
        chosen = np.concatenate([members[one] for one in of_strange])
        return float(roc_auc_score(np.repeat([0, 1], [150, len(chosen)]), [*known.values[of_known], *chosen]))

    _, error = ways.estimate(*ways.placements(known, strange))

    places = (np.arange(150), np.arange(len(members)))
    again = bootstrap(places, area, n_resamples=600, vectorized=False, method="percentile", rng=rng)
    assert error == pytest.approx(again.standard_error, rel=1 / 6)


def test_an_interval_stays_inside(scripts: Any) -> None:
    """By log-odds it lies around the area and below 1; near one half it is the textbook's."""
    ways = scripts("strangeness")

    low, high = ways.area_interval(0.98, 0.02)
    plain = ways.area_interval(0.5, 0.01)

    assert 0.8 < low < 0.98 < high < 1
    half = float(norm.ppf(0.975)) * 0.01
    assert plain == pytest.approx([0.5 - half, 0.5 + half], abs=1e-4)


def test_codes_tell_what_is_far_from_all_classes(scripts: Any, rng: np.random.Generator) -> None:
    """Photos around a class of their own, far from the others, are told from photos of those by codes."""
    ways = scripts("strangeness")
    means = rng.normal(size=(5, 40)) * 2

    def photos(labels: np.ndarray) -> Any:
        codes = (means[labels] + rng.normal(size=(len(labels), 40))).astype(np.float32)
        return ways.Photos(codes, np.concatenate([codes[:, :10], codes], axis=1), [""] * len(labels))

    labels = np.arange(400) % 4
    fitted = ways.fit(photos(labels), labels, seed=0)
    known, strange = photos(labels[:100]), photos(np.full(100, 4))

    of_known, of_strange = fitted.strangeness(known), fitted.strangeness(strange)

    for way in (ways.DISTANCE, "nearest neighbour"):
        assert roc_auc_score(np.repeat([0, 1], 100), np.concatenate([of_known[way], of_strange[way]])) > 0.95
    assert fitted.marked(known, 0.05)["distance"] <= 15
