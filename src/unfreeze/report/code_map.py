"""Where the points of the map of codes stand, and which have their photo beside them; the template draws them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from statistics import median
from typing import Final

from unfreeze.core.class_table import ClassTable
from unfreeze.core.run_record import RunRecord
from unfreeze.core.seeing import SIDE_OF_MAP, CodeMap

WIDTH, HEIGHT, EDGE = 720, 600, 40  # pixels of an SVG view box; the edge leaves room for photos
PHOTO: Final = 44  # side of a photo beside a point
MOST_PHOTOS: Final = 32
NAMED_CLASSES: Final = 10  # up to so many, names stand in the map; beyond, numbers
COLOURS, SHAPES = 7, 5  # without a common divisor, so that 35 classes differ in one of them
_AROUND: Final = 16  # directions in which a place for a photo is looked for
_DISTANCES: Final = (42.0, 60.0, 80.0)  # from a point to the middle of its photo
_CELL: Final = 11  # side of the squares in which points are counted
_MOST_COVERED: Final = 2  # points under a photo
_MISTAKES_SHOWN: Final = 0.6  # of the photos, at most, so that the rest shows what classes look like


@dataclass(frozen=True, kw_only=True)
class Point:
    """An image of the map.

    Attributes:
        place: In `RunRecord.train_images`.
        x: Across.
        y: Down.
        given: Its class index.
        called: What it was called when it was held out; None where it never was.
    """

    place: int
    x: float
    y: float
    given: int
    called: int | None

    @property
    def wrong(self) -> bool:
        """Whether it was called something else than it is given."""
        return self.called is not None and self.called != self.given

    @property
    def colour(self) -> int:
        """Number of its colour."""
        return self.given % COLOURS

    @property
    def shape(self) -> int:
        """Number of its shape."""
        return self.given % SHAPES


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A photo beside its point.

    Attributes:
        point: Of the image.
        name: Of the image.
        x: Left edge.
        y: Upper edge.
    """

    point: Point
    name: str
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class ClassLabel:
    """What stands at the middle of a class: its name, or its number from 1 where there are many."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, kw_only=True)
class MapChart:
    """The map of codes.

    Attributes:
        points: Right ones first, so that mistakes lie above them.
        beside: Photos that there is room for.
        labels: Of the classes that are there.
        numbered: Whether classes stand there by number, so that a legend is needed.
        mistakes: How many of the points are wrong.
    """

    points: tuple[Point, ...]
    beside: tuple[Beside, ...]
    labels: tuple[ClassLabel, ...]
    numbered: bool
    mistakes: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images whose photos are shown."""
        return tuple(one.name for one in self.beside)


def map_chart(record: RunRecord) -> MapChart | None:
    """Where the points stand.

    Args:
        record: Of a run.

    Returns:
        The map; None where there is none.
    """
    if record.code_map is None or not record.code_map.images:
        return None
    points = sorted(_points(record.code_map, record.train_labels, record.by_class), key=lambda point: point.wrong)
    by_class: dict[int, list[Point]] = {}
    for point in points:
        by_class.setdefault(point.given, []).append(point)
    numbered = len(record.classes) > NAMED_CLASSES
    return MapChart(
        points=tuple(points),
        beside=_photos_beside(points, by_class, record.train_images),
        labels=tuple(
            ClassLabel(
                x=round(median(one.x for one in inside), 1),
                y=round(median(one.y for one in inside), 1),
                text=str(given + 1) if numbered else record.classes[given],
            )
            for given, inside in sorted(by_class.items())
        ),
        numbered=numbered,
        mistakes=sum(point.wrong for point in points),
    )


def _points(found: CodeMap, labels: Sequence[int], table: ClassTable | None) -> Iterable[Point]:
    for place, x, y in zip(found.images, found.x, found.y, strict=True):
        yield Point(
            place=place,
            x=round(EDGE + (WIDTH - 2 * EDGE) * x / SIDE_OF_MAP, 1),
            y=round(EDGE + (HEIGHT - 2 * EDGE) * y / SIDE_OF_MAP, 1),
            given=labels[place],
            called=table.predictions[place] if table else None,
        )


def _photos_beside(
    points: Sequence[Point], by_class: dict[int, list[Point]], names: Sequence[str]
) -> tuple[Beside, ...]:
    """Mistakes first, then what lies in the middle of its class; each where it covers little and no other photo."""
    crowd = _Crowd.of(points)
    found: list[Beside] = []
    wrong = [point for point in points if point.wrong]
    for point, most in (*((one, _MISTAKES_SHOWN) for one in wrong), *((one, 1.0) for one in _typical(by_class))):
        if len(found) >= most * MOST_PHOTOS:
            continue
        corner = _corner(point, crowd, found)
        if corner is not None:
            found.append(Beside(point=point, name=names[point.place], x=corner[0], y=corner[1]))
    return tuple(found)


def _typical(by_class: dict[int, list[Point]]) -> list[Point]:
    """Points that were called right, of all classes in turn, first those nearest to the middle of their class."""
    ranked: list[tuple[int, int, Point]] = []
    for given, inside in by_class.items():
        x, y = median(one.x for one in inside), median(one.y for one in inside)
        right = sorted((one for one in inside if not one.wrong), key=lambda one: (one.x - x) ** 2 + (one.y - y) ** 2)
        ranked += [(rank, given, one) for rank, one in enumerate(right[:: max(1, len(right) // MOST_PHOTOS)])]
    return [one for _, _, one in sorted(ranked, key=lambda each: each[:2])]


@dataclass(frozen=True)
class _Crowd:
    """How many points lie where."""

    cells: dict[tuple[int, int], int]

    @classmethod
    def of(cls, points: Iterable[Point]) -> "_Crowd":
        """Count them."""
        cells: dict[tuple[int, int], int] = {}
        for point in points:
            cell = (int(point.x // _CELL), int(point.y // _CELL))
            cells[cell] = cells.get(cell, 0) + 1
        return cls(cells)

    def under(self, x: float, y: float) -> int:
        """Points that a photo with this corner would cover, or nearly."""
        columns = range(int(x // _CELL), int((x + PHOTO) // _CELL) + 1)
        rows = range(int(y // _CELL), int((y + PHOTO) // _CELL) + 1)
        return sum(self.cells.get((column, row), 0) for column in columns for row in rows)


def _corner(point: Point, crowd: _Crowd, others: Sequence[Beside]) -> tuple[float, float] | None:
    """Where a photo stands: the nearest place that covers fewest points; None if each place covers too much."""
    best, least = None, _MOST_COVERED + 1
    for distance in _DISTANCES:
        for step in range(_AROUND):
            angle = 2 * pi * step / _AROUND
            x = round(point.x + distance * cos(angle) - PHOTO / 2, 1)
            y = round(point.y + distance * sin(angle) - PHOTO / 2, 1)
            inside = 0 <= x <= WIDTH - PHOTO and 0 <= y <= HEIGHT - PHOTO
            if not inside or any(abs(x - one.x) < PHOTO + 2 and abs(y - one.y) < PHOTO + 2 for one in others):
                continue
            covered = crowd.under(x, y)
            if covered < least:
                best, least = (x, y), covered
    return best
