"""Splits that all strategies share, and the folds inside them."""

from collections.abc import Callable

import numpy as np
import pytest

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
    """In an equal task, as another process has it: splits, everything, halves and folds, one inside the other."""
    mine, other = make_rows(160, 20), make_rows(160, 20)
    whole = [mine.split(number), mine.everything()]
    halves = [mine.half(split) for split in whole]
    quarters = [mine.half(split) for split in halves]
    inside = [mine.inside(split) for split in [*whole, *halves]]
    halves_inside = [mine.half(split) for split in inside]
    splits = [*whole, *halves, *quarters, *inside, *halves_inside]
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


def test_a_name_of_another_task_is_another_split(make_rows: MakeTask) -> None:
    """The seed of the task is in none of its names, so both tasks must be equal."""
    mine, other = make_rows(160), make_rows(160, seed=1)

    assert list(mine.named("split 3, half").learn) != list(other.named("split 3, half").learn)
