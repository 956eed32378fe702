"""How probable given labels are."""

import numpy as np

from unfreeze.metrics.label_quality import HeldOut, doubted, label_quality, neighbour_votes


def held(rows: list[int], called: list[int], probability: list[float] | None) -> HeldOut:
    """What a classifier says."""
    values = None if probability is None else np.array(probability)
    return HeldOut(rows=np.array(rows), called=np.array(called), probability=values)


def test_probabilities_are_averaged_and_votes_counted() -> None:
    """A classifier without probabilities only votes; an image that nobody was asked about has no rank."""
    labels = np.array([0, 1, 2, 0])
    found = label_quality(
        [held([0, 1], [1, 1], [0.25, 0.5]), held([0, 1], [1, 0], [0.5, 1.0]), held([0, 2], [1, 2], None)],
        labels,
        class_count=3,
    )

    np.testing.assert_allclose(found.probability, [0.375, 0.75, np.nan, np.nan])
    assert found.called.tolist() == [1, 1, 2, -1]  # of a tie the given class
    np.testing.assert_allclose(found.agree, [1, 0.5, 1, 0])
    assert found.ranked().tolist() == [0, 1]
    assert not doubted(found, labels).any()


def test_what_is_called_otherwise_and_hardly_probable_is_doubted() -> None:
    """Both are needed: a label that most agree with is not doubted however improbable it is."""
    labels = np.array([0, 0, 0])
    found = label_quality([held([0, 1, 2], [1, 0, 1], [0.01, 0.01, 0.3])], labels, class_count=2)

    assert doubted(found, labels).tolist() == [True, False, False]


def test_neighbours_of_the_same_group_do_not_vote() -> None:
    """Of pairs of equal codes, each image is judged by the others alone."""
    unit = np.repeat(np.eye(2, dtype=np.float32), 12, axis=0)
    labels, groups = np.repeat([0, 1], 12), np.arange(24)
    labels[0] = labels[1] = 1  # a group of two, labelled wrong

    alone = neighbour_votes(unit, labels, groups, class_count=2)
    together = neighbour_votes(unit, labels, np.where(groups < 2, 0, groups), class_count=2)

    np.testing.assert_allclose(alone.sum(axis=1), 1)
    np.testing.assert_allclose(together[0], [1, 0])
    np.testing.assert_allclose(alone[12], [0, 1])
