"""Which images were got wrong, and which of them are shown."""

from dataclasses import replace

import pytest

from unfreeze.core.run_record import RunRecord
from unfreeze.core.strategies import HEAD, unfreeze
from unfreeze.report.gallery import MOST_PHOTOS, gallery
from unfreeze.report.mistakes import MistakesOf, cells


def test_the_least_probability_that_was_left_comes_first(mistaken: RunRecord) -> None:
    """Three images are wrong, with e^-3, e^-2 and e^-1 left for their class; each has its classes."""
    found = MistakesOf(mistaken).of_picked()

    assert [(one.name, one.given, one.predicted) for one in found] == [
        ("10.jpg", 0, 1),
        ("21.jpg", 1, 0),
        ("30.jpg", 0, 1),
    ]
    assert [one.left for one in found] == pytest.approx([0.0498, 0.1353, 0.3679], abs=1e-4)


def test_a_later_round_does_not_count(mistaken: RunRecord) -> None:
    """The same images are tested twice; what the second round gets wrong is no mistake of the first."""
    picked = mistaken.outcome_of(mistaken.picked)
    assert picked is not None
    *first, sixth, seventh, eighth, ninth, tenth = picked.predictions
    wrong = tuple(1 - predicted for predicted in sixth)
    changed = replace(picked, predictions=(*first, wrong, seventh, eighth, ninth, tenth))
    record = replace(
        mistaken, strategies=tuple(changed if one.strategy == mistaken.picked else one for one in mistaken.strategies)
    )

    assert [one.name for one in MistakesOf(record).of_picked()] == ["10.jpg", "21.jpg", "30.jpg"]


def test_without_probabilities_the_others_decide(mistaken: RunRecord) -> None:
    """Of an SVM: first what others call the same, here the one that the head gets wrong too."""
    bare = tuple(replace(one, log_likelihoods=()) for one in mistaken.strategies)
    record = replace(mistaken, strategies=bare)
    found = MistakesOf(record).of_picked()

    assert {one.left for one in found} == {None}
    assert found[0].name == "10.jpg"
    assert found[0].agree > found[1].agree == found[2].agree
    assert not gallery(record).has_probabilities


def test_unfreezing_mends_what_the_head_alone_gets_wrong(mistaken: RunRecord) -> None:
    """The head is wrong on 10 and 40, the best deeper strategy on 10, 21 and 30."""
    change = MistakesOf(mistaken).changed()

    assert change is not None
    assert (change.shallow.strategy, change.deep.strategy, change.common) == (HEAD, unfreeze(2), 400)
    assert [one.name for one in change.mended] == ["40.jpg"]
    assert [one.name for one in change.broken] == ["21.jpg", "30.jpg"]


def test_without_a_deeper_strategy_nothing_is_mended(mistaken: RunRecord) -> None:
    """Then there is nothing to compare."""
    shallow = tuple(one for one in mistaken.strategies if not one.strategy.is_deeper)

    assert MistakesOf(replace(mistaken, strategies=shallow)).changed() is None


def test_what_one_strategy_gets_right_once_is_not_never_right(mistaken: RunRecord) -> None:
    """Image 10 is got right by others; where all predict one class, every image of the other class is never right."""
    found = MistakesOf(mistaken).never_right()
    always = tuple(
        replace(one, predictions=tuple((0,) * len(split) for split in one.predictions)) for one in mistaken.strategies
    )
    blind = MistakesOf(replace(mistaken, strategies=always)).never_right()

    assert found is not None
    assert (found.strategies, found.common, found.images) == (7, 400, ())
    assert blind is not None
    assert len(blind.images) == 200
    assert {one.given for one in blind.images} == {1}


def test_mistakes_on_the_test_folder_are_those_of_the_delivered_model(mistaken: RunRecord) -> None:
    """It is wrong on the first and the third photo of the folder, surest on the third; another model does not count."""
    picked = mistaken.outcome_of(mistaken.picked)
    assert picked is not None
    assert picked.confirmation is not None
    right = mistaken.test_labels
    wrong = (1 - right[0], right[1], 1 - right[2], *right[3:])
    likelihoods = (-1.0, -0.1, -2.0, *(-0.1,) * (len(right) - 3))
    found = replace(picked.confirmation, predictions=wrong, log_likelihoods=likelihoods)
    always = replace(found, predictions=tuple(1 - label for label in right))
    asked = {picked.strategy: found, HEAD: always}
    record = replace(
        mistaken, strategies=tuple(replace(one, confirmation=asked.get(one.strategy)) for one in mistaken.strategies)
    )

    first, second = MistakesOf(record).of_test_folder()

    assert [first.name, second.name] == ["test/2.jpg", "test/0.jpg"]
    assert [first.left, second.left] == pytest.approx([0.1353, 0.3679], abs=1e-4)
    assert (first.agree, gallery(record).folder_mistakes) == (1.0, 2)
    assert gallery(record).names[:2] == ("test/2.jpg", "test/0.jpg")


def test_without_a_test_folder_there_are_no_mistakes_on_it(mistaken: RunRecord) -> None:
    """Of a strategy that was not confirmed there is nothing to show."""
    bare = replace(mistaken, strategies=tuple(replace(one, confirmation=None) for one in mistaken.strategies))

    assert MistakesOf(bare).of_test_folder() == ()


def test_a_run_without_a_pick_has_no_mistakes(interrupted_record: RunRecord) -> None:
    """Nothing was measured, so nothing is shown."""
    shown = gallery(interrupted_record)

    assert (shown.mistakes, shown.surest, shown.change, shown.never, shown.cells) == (0, (), None, None, ())


def test_cells_hold_all_mistakes_the_most_frequent_first(mistaken: RunRecord) -> None:
    """Two ants called bees, one bee called an ant."""
    found = cells(MistakesOf(mistaken).of_picked())

    assert [(cell, [one.name for one in each]) for cell, each in found.items()] == [
        ((0, 1), ["10.jpg", "30.jpg"]),
        ((1, 0), ["21.jpg"]),
    ]


def test_a_page_has_room_for_so_many_photos(mistaken: RunRecord) -> None:
    """Where everything is wrong no more than the most are shown, and the counts speak of all."""
    picked = mistaken.outcome_of(mistaken.picked)
    assert picked is not None
    wrong = tuple(tuple(1 - place % 2 for place in split.test) for split in mistaken.splits)
    every = replace(picked, predictions=wrong)
    record = replace(
        mistaken, strategies=tuple(every if one.strategy == picked.strategy else one for one in mistaken.strategies)
    )
    shown = gallery(record)

    assert shown.mistakes == 400
    assert sum(cell.images for cell in shown.cells) == 400
    assert len(set(shown.names)) <= MOST_PHOTOS
