"""Where the points of a map and the photos beside them stand."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from unfreeze.core.run_record import RunRecord
from unfreeze.core.seeing import ClassNeighbours, CodeMap
from unfreeze.report.code_map import HEIGHT, MOST_PHOTOS, PHOTO, WIDTH, map_chart


def with_map(record: RunRecord, classes: int = 2) -> RunRecord:
    """The same with a map of all its images, drawn at random."""
    rng, count = np.random.default_rng(0), len(record.train_images)
    x, y = rng.integers(0, 1001, (2, count)).tolist()
    row = ClassNeighbours(images=200, same=0.9, among=((1, 0.1),))
    found = CodeMap(codes="the codes", images=tuple(range(count)), x=tuple(x), y=tuple(y), neighbours=(row,) * classes)
    return replace(record, code_map=found)


def test_there_is_no_chart_without_a_map(record: RunRecord) -> None:
    """Of a run that has none, and of one that only says why."""
    assert map_chart(record) is None
    assert map_chart(replace(record, code_map=CodeMap(codes="the codes", note="The budget was nearly gone."))) is None


def test_mistakes_lie_on_top(mistaken: RunRecord) -> None:
    """The three images that the picked strategy got wrong are drawn last, each with what it was called."""
    chart = map_chart(with_map(mistaken))

    assert chart is not None
    assert chart.mistakes == 3
    assert [point.place for point in chart.points[-3:]] == [10, 21, 30]
    assert all(point.called == 1 - point.given for point in chart.points[-3:])
    assert not any(point.wrong for point in chart.points[:-3])


def test_photos_lie_on_no_other_photo(mistaken: RunRecord) -> None:
    """All are inside, none covers another, and no image has two."""
    chart = map_chart(with_map(mistaken))

    assert chart is not None
    assert 0 < len(chart.beside) <= MOST_PHOTOS
    assert all(0 <= one.x <= WIDTH - PHOTO and 0 <= one.y <= HEIGHT - PHOTO for one in chart.beside)
    assert all(abs(a.x - b.x) >= PHOTO or abs(a.y - b.y) >= PHOTO for a, b in combinations(chart.beside, 2))
    assert len(set(chart.names)) == len(chart.names)


@pytest.mark.parametrize(("classes", "text"), [(10, "class 9"), (11, "10")])
def test_many_classes_stand_there_by_number(record: RunRecord, classes: int, text: str) -> None:
    """Up to ten by name; beyond by number from 1, and then a legend is needed."""
    labels = tuple(place % classes for place in range(len(record.train_images)))
    many = replace(record, classes=tuple(f"class {n}" for n in range(classes)), train_labels=labels)

    chart = map_chart(with_map(many, classes))

    assert chart is not None
    assert chart.labels[9].text == text
    assert chart.numbered == (classes > 10)


def test_35_classes_differ_in_colour_or_shape(record: RunRecord) -> None:
    """No two have both in common."""
    labels = tuple(place % 35 for place in range(len(record.train_images)))
    many = replace(record, classes=tuple(f"class {n}" for n in range(35)), train_labels=labels)

    chart = map_chart(with_map(many, 35))

    assert chart is not None
    assert len({(point.colour, point.shape) for point in chart.points}) == 35
