"""Splits of any labels and groups: disjoint, complete, never through a group, with every class where it can be."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from unfreeze.core.errors import ImageSetError
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.data.splits import folds, split_image_set, whole_round

SEEDS = st.integers(0, 2**31)


@st.composite
def tasks(draw: st.DrawFn) -> tuple[np.ndarray, list[str]]:
    """Labels of up to six classes, and groups, some of them empty."""
    size = draw(st.integers(4, 60))
    labels = draw(st.lists(st.integers(0, 5), min_size=size, max_size=size))
    groups = draw(st.lists(st.sampled_from(["", "", "a", "b", "c", "d", "e", "f"]), min_size=size, max_size=size))
    return np.array(labels, dtype=np.int64), groups


def groups_of(label: int, labels: np.ndarray, groups: list[str]) -> set[object]:
    """The groups that a class lies in; an image without one is its own."""
    return {group or place for place, group in enumerate(groups) if labels[place] == label}


def image_set(labels: np.ndarray, groups: list[str], splits: list[str] | None = None) -> ImageSet:
    """A set that exists in words only."""
    images = [
        Image(path=Path("/"), name=f"{place:04d}", label=f"class {label}", sha256="", width=1, height=1, mode="RGB",
              group=group, split=splits[place] if splits else "")
        for place, (label, group) in enumerate(zip(labels, groups, strict=True))
    ]  # fmt: skip
    return ImageSet(root=Path("/"), images=tuple(images))


@example((np.array([0, 1, 0, 0, 0]), ["a", "", "a", "a", "b"]), 0)
@given(tasks(), SEEDS)
@settings(max_examples=200, deadline=None)
def test_a_round_tests_every_image_once_in_folds_of_whole_groups(task: tuple[np.ndarray, list[str]], seed: int) -> None:
    """No fold is empty and no group is cut; a class of two single images or more is never tested by one fold alone."""
    labels, groups = task
    units = np.array([hash(group or place) for place, group in enumerate(groups)])
    count = min(5, len(set(units)))
    if count < 2:
        return

    fold_of = whole_round(labels, groups, count=count, rng=np.random.default_rng(seed))

    assert set(fold_of) == set(range(count))
    for unit in set(units):
        assert len(set(fold_of[units == unit])) == 1
    singles = all(group == "" for group in groups)
    for label in set(labels):
        if singles and np.count_nonzero(labels == label) > 1:
            assert len(set(fold_of[labels == label])) > 1


@given(st.lists(st.integers(5, 40), min_size=1, max_size=4), SEEDS)
@settings(max_examples=60, deadline=None)
def test_folds_of_a_round_are_stratified(sizes: list[int], seed: int) -> None:
    """Of single images each fold has a fifth of every class, to one image, and of all images to one of each class."""
    labels = np.repeat(np.arange(len(sizes)), sizes)

    fold_of = whole_round(labels, [""] * len(labels), count=5, rng=np.random.default_rng(seed))

    for label, size in enumerate(sizes):
        assert np.abs(np.bincount(fold_of[labels == label], minlength=5) - size / 5).max() < 1
    assert np.ptp(np.bincount(fold_of, minlength=5)) <= 2


@example((np.array([0, 1, 0, 0]), ["a", "", "a", "a"]), 2, 0)  # a class that one group holds whole
@example((np.array([1, 0, 1, 1]), ["a", "", "a", "a"]), 2, 0)
@given(tasks(), st.integers(2, 10), SEEDS)
@settings(max_examples=150, deadline=None)
def test_folds_partition_and_keep_groups(task: tuple[np.ndarray, list[str]], count: int, seed: int) -> None:
    """Every image is held out exactly once, training sides are the rest, and no group is cut."""
    labels, groups = task
    if len({group or place for place, group in enumerate(groups)}) < 2:
        return
    made = folds(labels, groups, count=count, seed=seed)

    assert 2 <= len(made) <= count
    assert sorted(np.concatenate([held for _, held in made])) == list(range(len(labels)))
    for train, held in made:
        assert sorted([*train, *held]) == list(range(len(labels)))
        assert len(held)
        assert len(train)
        assert not {groups[place] for place in train} & {groups[place] for place in held} - {""}


@given(st.lists(st.integers(0, 5), min_size=4, max_size=80), st.integers(2, 10), SEEDS)
@settings(max_examples=150, deadline=None)
def test_folds_without_groups_are_stratified(numbers: list[int], count: int, seed: int) -> None:
    """Without groups a class differs by at most one image between folds, as do the folds themselves, and nearly so."""
    labels = np.array(numbers, dtype=np.int64)
    made = folds(labels, [""] * len(labels), count=count, seed=seed)

    rarest = min(Counter(numbers).values())
    assert len(made) == max(2, min(count, rarest))
    for label, size in Counter(numbers).items():
        held = [int((labels[places] == label).sum()) for _, places in made]
        assert max(held) - min(held) <= 1
        if size >= 2:
            assert all((labels[train] == label).any() for train, _ in made)
    sizes = [len(held) for _, held in made]
    assert max(sizes) - min(sizes) <= 1


def test_folds_are_as_even_as_scikit_learns() -> None:
    """On sizes like real ones the class counts per fold match StratifiedKFold's to one image."""
    labels = np.random.default_rng(0).choice(7, size=500, p=[0.4, 0.2, 0.15, 0.1, 0.08, 0.05, 0.02])
    theirs = StratifiedKFold(5, shuffle=True, random_state=0).split(labels, labels)
    ours = folds(labels, [""] * 500, count=5, seed=0)

    for (_, mine), (_, other) in zip(ours, theirs, strict=True):
        assert np.abs(np.bincount(labels[mine], minlength=7) - np.bincount(labels[other], minlength=7)).max() <= 1


@pytest.mark.parametrize("seed", range(5))
def test_grouped_folds_are_about_as_even_as_scikit_learns(seed: int) -> None:
    """With groups the spread of class shares over folds is at most a little above StratifiedGroupKFold's."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 60, 600)
    labels = (numbers % 4 + rng.integers(0, 2, 600)) % 4
    groups = [f"g{number}" for number in numbers]

    def spread(held_out: list[np.ndarray]) -> float:
        counts = np.array([np.bincount(labels[places], minlength=4) for places in held_out])
        return float((counts / counts.sum(axis=0)).std(axis=0).mean())

    theirs = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(labels, labels, groups)
    ours = folds(labels, groups, count=5, seed=seed)

    assert spread([held for _, held in ours]) <= 1.5 * spread([held for _, held in theirs]) + 0.02, f"seed {seed}"


@given(tasks(), SEEDS)
@settings(max_examples=200, deadline=None)
def test_split_keeps_groups_and_classes(task: tuple[np.ndarray, list[str]], seed: int) -> None:
    """Groups stay on one side; without groups a class of two images or more is on both, within one of its share."""
    labels, groups = task
    if len({group or place for place, group in enumerate(groups)}) < 2:
        return
    for some_groups in (groups, [""] * len(labels)):
        made = split_image_set(image_set(labels, some_groups), seed=seed)

        sides = np.array([image.split for image in made.images])
        assert set(sides) <= {"train", "test"}
        assert not {g for g, s in zip(some_groups, sides, strict=True) if g and s == "train"} & {
            g for g, s in zip(some_groups, sides, strict=True) if g and s == "test"
        }
    for label, size in Counter(labels.tolist()).items():
        in_test = int(((labels == label) & (sides == "test")).sum())
        if size >= 2:
            assert 1 <= in_test < size
        assert abs(in_test - 0.2 * size) <= 1


@given(st.lists(st.integers(2, 6), min_size=2, max_size=5), SEEDS)
@settings(max_examples=100, deadline=None)
def test_grouped_classes_are_on_both_sides(groups_per_class: list[int], seed: int) -> None:
    """If each group has one class, a class of two groups or more is on both sides."""
    pairs = [(label, f"{label}-{group}") for label, many in enumerate(groups_per_class) for group in range(many)]
    labels = np.array([label for label, _ in pairs for _ in range(3)], dtype=np.int64)
    groups = [group for _, group in pairs for _ in range(3)]

    made = split_image_set(image_set(labels, groups), seed=seed)

    for label in range(len(groups_per_class)):
        assert {image.split for image in made.images if image.label == f"class {label}"} == {"train", "test"}


@pytest.mark.parametrize("seed", range(10))
def test_a_group_too_large_to_test_on_trains(seed: int) -> None:
    """Six images of ten in one group: it lies on the larger side, and the others fill the smaller one."""
    labels = np.tile([0, 1], 100)
    groups = ["large"] * 120 + [""] * 80

    made = split_image_set(image_set(labels, groups), seed=seed)

    assert {image.split for image in made.images if image.group == "large"} == {"train"}
    assert sum(image.split == "test" for image in made.images) == 40


def test_groups_that_hold_every_class() -> None:
    """Fourteen drawers who each drew every letter: about a fifth of them test, and each letter is on both sides."""
    labels = np.repeat(np.arange(30), 14)
    groups = [f"drawer {number}" for number in range(14)] * 30

    made = split_image_set(image_set(labels, groups), seed=0)

    testers = {image.group for image in made.images if image.split == "test"}
    assert len(testers) in {2, 3, 4}
    assert [len(held) for _, held in folds(labels, groups, count=5, seed=0)].count(90) >= 3


@given(tasks(), SEEDS)
@settings(max_examples=30, deadline=None)
def test_same_seed_same_split(task: tuple[np.ndarray, list[str]], seed: int) -> None:
    """Splits and folds depend on the seed alone."""
    labels, _ = task
    groups = [""] * len(labels)
    first, second = (split_image_set(image_set(labels, groups), seed=seed) for _ in range(2))

    assert first == second
    for one, other in zip(*(folds(labels, groups, count=5, seed=seed) for _ in range(2)), strict=True):
        np.testing.assert_array_equal(one[1], other[1])


def test_other_seed_other_split() -> None:
    """Another seed gives another split."""
    labels = np.arange(100) % 4
    first, second = (split_image_set(image_set(labels, [""] * 100), seed=seed) for seed in (0, 1))

    assert first != second


def test_given_splits_stay() -> None:
    """A test part that the user gave is not touched."""
    given_set = image_set(np.array([0, 1, 0, 1]), [""] * 4, ["train", "train", "test", "val"])

    assert split_image_set(given_set, seed=0) is given_set


def test_val_is_never_the_test_part() -> None:
    """With train and val only, the test part is taken from train; val stays what it is."""
    labels = np.arange(40) % 2
    made = split_image_set(image_set(labels, [""] * 40, ["train"] * 30 + ["val"] * 10), seed=0)

    assert [image.split for image in made.images[30:]] == ["val"] * 10
    assert Counter(image.split for image in made.images[:30]) == {"train": 24, "test": 6}


def test_one_group_cannot_be_split() -> None:
    """If everything is one group, nothing can be held out."""
    with pytest.raises(ImageSetError, match="one group"):
        folds(np.array([0, 1, 0, 1]), ["g"] * 4, count=5, seed=0)


def test_large_sets_are_quick() -> None:
    """A hundred thousand images and a thousand classes need no quadratic work: this test would not end otherwise."""
    labels = np.random.default_rng(0).integers(0, 1000, 100_000)

    assert len(folds(labels, [""] * 100_000, count=5, seed=0)) == 5
