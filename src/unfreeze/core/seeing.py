"""What a run leaves to look at, as plain data: the map of its codes, and where its network looks."""

from dataclasses import dataclass
from typing import Literal

SIDE_OF_MAP = 1000  # coordinates of a map of codes go from 0 to this

Grid = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class ClassNeighbours:
    """What lies near the images of a class, among the codes themselves and not in the map.

    Attributes:
        images: How many of the class the map shows.
        same: Share of their nearest neighbours that are of the class; None without any image.
        among: Other classes with the largest shares, largest first: class index and share.
    """

    images: int
    same: float | None
    among: tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class CodeMap:
    """Images in a plane, near each other where their codes are.

    Attributes:
        codes: Which codes, in words.
        images: Places in `RunRecord.train_images` of the images that are shown.
        x: Of each, from 0 to `SIDE_OF_MAP`.
        y: Of each, from 0 to `SIDE_OF_MAP`.
        neighbours: A row for each of `RunRecord.classes`; empty without a map.
        note: Why there is no map, or why it shows fewer images; else empty.
    """

    codes: str
    images: tuple[int, ...] = ()
    x: tuple[int, ...] = ()
    y: tuple[int, ...] = ()
    neighbours: tuple[ClassNeighbours, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """What in a photo speaks for the class that it was called, by the last map of a network.

    Attributes:
        image: Name of the image.
        given: Its class index.
        called: The class index that the map speaks of.
        delivered: Rows of the map of the delivered model, from top to bottom: 0 where nothing speaks for the class, 255
            where most does.
        frozen: The same of the head on the frozen network; empty where the delivered network is the frozen one.
    """

    image: str
    given: int
    called: int
    delivered: Grid
    frozen: Grid = ()

    @property
    def right(self) -> bool:
        """Whether it was called what it is given."""
        return self.given == self.called


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Where the delivered network looks.

    Attributes:
        photos: Which were chosen: those of the user's own test folder as the delivered model calls them, or those that
            were held out as the model of their split called them.
        layer: Whose map is shown; empty without one.
        maps: Wrong ones and right ones.
        note: Why there are none, or fewer; else empty.
    """

    photos: Literal["test folder", "held out"]
    layer: str = ""
    maps: tuple[HeatMap, ...] = ()
    note: str = ""
