"""Distances of codes from training, and what share is at least as far."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unfreeze.metrics.neighbours import directions
from unfreeze.metrics.novelty import CodeCloud, distances, likeness


def drawn_cloud(rng: np.random.Generator, *, code: int = 6, held_out: int = 99) -> CodeCloud:
    """Two classes, two directions of their own variance."""
    directions, _ = np.linalg.qr(rng.normal(size=(code, 2)))
    return CodeCloud(
        means=rng.normal(size=(2, code)),
        directions=directions.T,
        variances=np.array([4.0, 2.0]),
        rest=0.5,
        held_out=np.sort(rng.random(held_out)),
    )


def test_distances_are_those_of_the_whole_covariance(rng: np.random.Generator) -> None:
    """Of Mahalanobis to the nearer mean, with the covariance written out and inverted."""
    cloud, codes = drawn_cloud(rng), rng.normal(size=(50, 6))
    own = cloud.directions.T @ np.diag(cloud.variances) @ cloud.directions
    covariance = own + cloud.rest * (np.eye(6) - cloud.directions.T @ cloud.directions)

    found = distances(cloud, codes)

    apart = codes[:, None, :] - cloud.means
    wanted = np.einsum("pci,ij,pcj->pc", apart, np.linalg.inv(covariance), apart).min(axis=1)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


@pytest.mark.parametrize(("place", "share"), [(0, 1.0), (1, 0.99), (98, 0.02), (99, 0.01)])
def test_the_share_counts_what_is_at_least_as_far(place: int, share: float) -> None:
    """Of 99 that were held out at 1, 2, … 99 25ths: a photo between them has one more than those beyond it, of 100."""
    cloud = CodeCloud(
        means=np.array([[1.0, 0.0]]),
        directions=np.array([[0.0, 1.0]]),
        variances=np.ones(1),
        rest=1.0,
        held_out=np.arange(1.0, 100.0) / 25,
    )
    angle = np.arccos(1 - (place + 0.5) / 50)  # on the unit circle the squared distance is 2 - 2 cos

    found = likeness(cloud, np.array([[np.cos(angle), np.sin(angle)]]))

    assert found[0] == pytest.approx(share)


def test_the_length_of_a_code_does_not_count(rng: np.random.Generator) -> None:
    """Codes of eight times the length are as like; one of zeros has a share too."""
    cloud, codes = drawn_cloud(rng), rng.normal(size=(20, 6))

    assert (likeness(cloud, codes) == likeness(cloud, 8 * codes)).all()
    assert 0 < likeness(cloud, np.zeros((1, 6)))[0] <= 1


@given(st.integers(0, 10_000))
def test_a_photo_that_is_farther_is_never_more_alike(seed: int) -> None:
    """The order of the shares is that of the distances turned round; all lie above 0 and reach 1."""
    rng = np.random.default_rng(seed)
    cloud, codes = drawn_cloud(rng), rng.normal(size=(20, 6)) * rng.random((20, 1)) * 3

    codes = directions(codes)

    shares = likeness(cloud, codes)[np.argsort(distances(cloud, codes))]

    assert (np.diff(shares) <= 0).all()
    assert ((shares > 0) & (shares <= 1)).all()
