"""Splits that all strategies share, and the folds inside them."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from unfreeze.core.errors import ImageSetError
from unfreeze.data.splits import whole_round
from unfreeze.data.tasks import TEST_FRACTION, Task

MakeTask = Callable[..., Task]


def test_a_split_tests_on_a_fifth_and_learns_from_the_rest(make_rows: MakeTask) -> None:
    """The two sides of every split are disjoint, together the train part, stratified, and never hold a test image."""
    task = make_rows(200, 40)
    for number in range(5):
        split = task.split(number)
        assert sorted([*split.learn, *split.test]) == list(range(200))
        assert len(split.test) == TEST_FRACTION * 200
        assert task.labels[split.test].mean() == pytest.approx(0.5)


def unequal_groups(sizes: Sequence[int]) -> list[str]:
    """Names of the groups of images, of these sizes."""
    return [f"g{group}" for group, size in enumerate(sizes) for _ in range(size)]


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_a_round_tests_every_image_once(make_rows: MakeTask, rounds: int) -> None:
    """Five splits test each row once, the next five once more, in other folds."""
    task = make_rows(103, 10)
    tested = [task.split(number).test for number in range(5 * rounds)]

    assert task.folds == 5
    assert np.bincount(np.concatenate(tested)).tolist() == [rounds] * 103
    assert len({tuple(one) for one in tested}) == 5 * rounds


@pytest.mark.parametrize(
    "sizes", [(50, 3, 2), (40, 1, 1, 1), (40, 30, 20, 5, 1), (90, 1, 1, 1, 1, 1), (2, 2, 60, 2, 30, 1, 3)]
)
def test_few_unequal_groups_make_whole_rounds_without_an_empty_fold(make_rows: MakeTask, sizes: Sequence[int]) -> None:
    """Of three to seven groups a round has as many folds as groups, five at most; each tests and leaves something."""
    groups = unequal_groups(sizes)
    task = make_rows(len(groups), groups=groups)

    assert task.folds == min(5, len(sizes))
    for of_round in range(3):
        splits = [task.split(task.folds * of_round + fold) for fold in range(task.folds)]
        assert sorted(np.concatenate([split.test for split in splits])) == list(range(len(groups)))
        for split in splits:
            assert len(split.test)
            assert len(split.learn)
            assert not {groups[row] for row in split.learn} & {groups[row] for row in split.test}


@pytest.mark.parametrize("sizes", [(30, 1), (1, 30), (2, 2)])
def test_of_two_groups_each_is_tested_once(sizes: Sequence[int]) -> None:
    """Both folds of a round have one; a run needs a third, as C cannot be chosen on a single one."""
    groups = unequal_groups(sizes)
    labels = np.arange(len(groups)) % 2

    for seed in range(5):
        fold_of = whole_round(labels, groups, count=2, rng=np.random.default_rng(seed))
        assert sorted({(group, fold) for group, fold in zip(groups, fold_of.tolist(), strict=True)}) in (
            [("g0", 0), ("g1", 1)],
            [("g0", 1), ("g1", 0)],
        )


@pytest.mark.parametrize(("groups", "found"), [(1, "there is 1 group"), (2, "there are 2 groups")])
def test_two_groups_cannot_be_split(make_rows: MakeTask, groups: int, found: str) -> None:
    """Besides the one that is tested, C needs two to be chosen on; the error says so."""
    with pytest.raises(
        ImageSetError, match=rf"needs at least 3 in the train part; {found}\. Give more groups, or none"
    ):
        make_rows(10, groups=[f"g{row % groups}" for row in range(10)]).split(0)


def test_what_splits_tested_is_known_by_unit_and_class(make_rows: MakeTask) -> None:
    """Units of the test rows of each; classes only where the metric is a mean over classes; folds of a round."""
    groups = unequal_groups((4, 4, 4))
    task = make_rows(12, groups=groups)
    splits = [task.split(0), task.split(1)]

    plain, balanced = (task.tested(splits, metric) for metric in ("accuracy", "balanced accuracy"))

    assert plain.classes is None
    assert balanced.classes is not None
    assert plain.folds == balanced.folds == 3
    for split, units, classes in zip(splits, plain.units, balanced.classes, strict=True):
        assert len(set(units)) == len({groups[row] for row in split.test})
        assert list(classes) == list(task.labels[split.test])


def test_splits_differ_from_each_other_and_not_from_run_to_run(make_rows: MakeTask) -> None:
    """Split 3 is the same in two tasks of one seed, and another one than split 4 and than split 3 of another seed."""
    mine, again, other = make_rows(100), make_rows(100), make_rows(100, seed=1)

    assert list(mine.split(3).test) == list(again.split(3).test)
    assert list(mine.split(3).test) != list(mine.split(4).test)
    assert list(mine.split(3).test) != list(other.split(3).test)


def test_groups_stay_on_one_side_of_splits_and_folds(make_rows: MakeTask) -> None:
    """No group is cut, neither between learning and testing nor between the two sides of an inner fold."""
    groups = [f"g{row // 4}" for row in range(200)]
    task = make_rows(200, groups=groups)
    split = task.split(0)
    for learn, held in [(split.learn, split.test), *split.folds]:
        assert not {groups[row] for row in learn} & {groups[row] for row in held}


def test_inner_folds_never_touch_what_their_split_tests_on(make_rows: MakeTask) -> None:
    """What C and the tap are chosen on lies inside the learning side, as the probes see it by place too."""
    split = make_rows(120).split(2)
    for (learn, select), (learn_places, select_places) in zip(split.folds, split.folds_in_learn, strict=True):
        assert sorted([*learn, *select]) == list(split.learn)
        np.testing.assert_array_equal(split.learn[learn_places], learn)
        np.testing.assert_array_equal(split.learn[select_places], select)


def test_a_val_part_trains_and_a_test_part_never_does(make_rows: MakeTask) -> None:
    """With train, val and test given, only test is kept from splits and from the last training."""
    task = make_rows(30, 10, val=10)

    assert list(task.everything().learn) == list(range(40))
    assert list(task.everything().test) == list(range(40, 50))
    assert max(max(task.split(number).test) for number in range(10)) < 40


@pytest.mark.parametrize("number", [0, 3, 12])
def test_a_split_can_be_made_again_from_its_name(make_rows: MakeTask, number: int) -> None:
    """In an equal task, as another process has it: splits, everything, and halves of halves."""
    mine, other = make_rows(160, 20), make_rows(160, 20)
    whole = [mine.split(number), mine.everything()]
    halves = [mine.half(split) for split in whole]
    quarters = [mine.half(split) for split in halves]
    splits = [*whole, *halves, *quarters]
    assert len({split.name for split in splits}) == len(splits)

    for split in splits:
        again = other.named(split.name)
        assert again.name == split.name
        np.testing.assert_array_equal(again.learn, split.learn)
        np.testing.assert_array_equal(again.test, split.test)
        assert len(again.folds) == len(split.folds)
        for mine_fold, other_fold in zip(split.folds, again.folds, strict=True):
            for one, two in zip(mine_fold, other_fold, strict=True):
                np.testing.assert_array_equal(one, two)


def test_only_a_numbered_split_is_whole(make_rows: MakeTask) -> None:
    """Neither everything, nor a half of a split, nor a half of that."""
    task = make_rows(160)
    halves = [task.half(split) for split in (task.split(3), task.everything())]

    assert all(task.split(number).is_whole for number in (0, 3, 12))
    parts = [task.everything(), *halves, *map(task.half, halves)]
    assert not any(part.is_whole for part in parts)


def test_a_name_of_another_task_is_another_split(make_rows: MakeTask) -> None:
    """The seed of the task is in none of its names, so both tasks must be equal."""
    mine, other = make_rows(160), make_rows(160, seed=1)

    assert list(mine.named("split 3, half").learn) != list(other.named("split 3, half").learn)
