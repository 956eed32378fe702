"""Facts from plain data, by counting."""

from typing import Any

import pytest
from scipy.stats import entropy

from unfreeze.advisor.fact_finding import facts
from unfreeze.core.facts import Facts, Similarity

SIMILARITY = Similarity(value=0.7)


def facts_of(*counts: int, **more: Any) -> Facts:
    """Of classes with so many images, all 300 pixels wide."""
    labels = [str(place) for place, count in enumerate(counts) for _ in range(count)]
    return facts(labels, [300] * len(labels), input_size=224, similarity=SIMILARITY, **more)


def test_classes_are_counted() -> None:
    """Numbers of images per class, their ratio, and the entropy that scipy gives."""
    found = facts_of(10, 40, 20)

    assert (found.images, found.classes) == (70, 3)
    assert (found.smallest_class, found.median_class, found.largest_class) == (10, 20, 40)
    assert found.imbalance == 4
    assert found.balance == pytest.approx(entropy([10, 40, 20], base=3))
    assert found.similarity is SIMILARITY


@pytest.mark.parametrize(
    ("counts", "strong"),
    [
        ((50, 50), False),
        ((50, 5), False),  # two classes, one ten times the other
        ((51, 5), True),
        ((60, 40, 1), False),  # a class of one image is passed over
        ((51, 25, 24), True),  # one of three classes has more than half
        ((50, 25, 25), False),
        ((661, 23, 41, 58, 72, 81), True),
    ],
)
def test_strong_imbalance(counts: tuple[int, ...], strong: bool) -> None:
    """More than ten times the smallest class that is not tiny, or most images in one of three classes, is strong."""
    assert facts_of(*counts).is_imbalanced is strong


def test_balance_has_its_ends() -> None:
    """Equal classes have 1, also one class alone; a class with nearly everything is near 0."""
    assert facts_of(5, 5, 5).balance == pytest.approx(1)
    assert facts_of(5).balance == 1
    assert facts_of(10_000, 1).balance < 0.01


def test_resolution_is_of_shorter_sides() -> None:
    """A side equal to the network's input is not small."""
    found = facts(["a", "a", "b", "b"], [32, 100, 224, 500], input_size=224, similarity=SIMILARITY)

    assert found.median_side == 162
    assert found.small_images == 0.5


@pytest.mark.parametrize(
    ("groups", "count"), [(None, None), (["", "", ""], None), (["x", "x", "y"], 2), (["x", "", ""], 3)]
)
def test_groups_are_counted(groups: list[str] | None, count: int | None) -> None:
    """An image without a group is a group of its own, unless no image has one."""
    assert facts_of(2, 1, groups=groups).groups == count


def test_the_peak_of_the_depth_curve() -> None:
    """The best tap, its place between first and last, and its gain; the deepest of equals; nothing without probes."""
    curve = {"a": 0.5, "b": 0.8, "c": 0.7}
    found = facts_of(2, 2, accuracy_by_tap=curve)
    level = facts_of(2, 2, accuracy_by_tap=dict.fromkeys(curve, 0.9))

    assert (found.peak_tap, found.peak_depth) == ("b", 0.5)
    assert found.peak_gain == pytest.approx(0.1)
    assert (level.peak_tap, level.peak_depth, level.peak_gain) == ("c", 1.0, 0.0)
    assert found.probe_accuracy == 0.7
    assert facts_of(2, 2).peak_tap is None
    assert facts_of(2, 2).probe_accuracy is None


def test_lists_that_do_not_fit_are_refused() -> None:
    """No images, or fewer sides than labels, are mistakes."""
    with pytest.raises(ValueError, match="at least one image"):
        facts([], [], input_size=224, similarity=SIMILARITY)
    with pytest.raises(ValueError, match="got 2 and 1"):
        facts(["a", "b"], [1], input_size=224, similarity=SIMILARITY)
