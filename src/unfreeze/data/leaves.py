"""Pictures of leaves that the program draws: a sample that looks like photos, needs no download and has no owner."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageFilter

SIDE = 192
LEAVES_OF_A_TREE = 120
_Field = Float[np.ndarray, "height width"]
_Picture = Float[np.ndarray, "height width 3"]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """What the leaf of a tree looks like; each leaf departs from it by chance.

    Attributes:
        name: The class.
        width: Half the breadth, as a part of the length.
        widest: Where it is broadest, from 0 (stalk) to 1 (tip).
        teeth: Number of teeth along a side, and their depth as a part of the breadth.
        lobes: The same of lobes: along a side of a feather, around the stalk of a palm.
        oblique: By how much one half begins further up than the other, as a part of the length.
        veins: Number of side veins.
        palm: Whether lobes and veins start at the stalk, as in a maple, and not along a midrib.
        shade: The colour that most of a leaf has, by its place in `_LEAF_COLOURS`.
    """

    name: str
    width: float
    widest: float = 0.45
    teeth: tuple[int, float] = (0, 0.0)
    lobes: tuple[int, float] = (0, 0.0)
    oblique: float = 0.0
    veins: int = 8
    palm: bool = False
    shade: int = 0


# Beech, birch and elm differ in their edges, veins and colours, as outdoors. The others differ in shape.
TREES = (
    Tree(name="beech", width=0.33, widest=0.5, veins=7, shade=4),
    Tree(name="birch", width=0.34, widest=0.32, teeth=(12, 0.22), veins=6, shade=3),
    Tree(name="elm", width=0.31, widest=0.48, teeth=(20, 0.13), oblique=0.14, veins=11, shade=1),
    Tree(name="maple", width=0.62, lobes=(5, 0.55), teeth=(9, 0.07), veins=5, palm=True, shade=3),
    Tree(name="oak", width=0.34, widest=0.6, lobes=(4, 0.42), veins=5, shade=4),
    Tree(name="willow", width=0.12, widest=0.42, teeth=(18, 0.08), veins=14),
)
_LEAF_COLOURS = np.array([(84, 122, 48), (58, 98, 44), (128, 138, 52), (176, 140, 48), (150, 88, 40)], np.float64)
_GROUND_COLOURS = np.array(
    [(94, 76, 58), (150, 146, 138), (206, 200, 186), (92, 104, 66), (128, 104, 78), (70, 72, 76)], np.float64
)
_WOOD = np.array((72, 58, 38), np.float64)
_USUAL = 0.75  # of a leaf has the colour that is usual for its tree
_STALK = 0.16  # of the length of a leaf


def draw_leaf(tree: Tree, *, seed: int | tuple[int, ...]) -> Image.Image:
    """A leaf of a tree on the ground, seen from above.

    Args:
        tree: One of `TREES`.
        seed: Decides everything that is by chance: place, turn, bend, shape, colours, light, damage, ground.

    Returns:
        A picture of `SIDE` pixels a side.
    """
    rng = np.random.default_rng(seed)
    along, across = _coordinates(rng)
    inside, vein = (_palm if tree.palm else _feather)(tree, along, across, rng)
    ground = _ground(rng)
    leaf = _surface(tree, inside, vein, rng)
    mask = np.clip(0.5 + inside * 55, 0, 1) * _damage(rng)  # an edge of about one pixel
    shade = _blurred(np.roll(mask, tuple(rng.integers(2, 7, 2)), (0, 1)), rng.uniform(1.5, 4))
    picture = ground * (1 - 0.55 * shade[..., None])
    picture = picture * (1 - mask[..., None]) + leaf * mask[..., None]
    return _photographed(_with_straws(picture, rng), rng)


def _coordinates(rng: np.random.Generator) -> tuple[_Field, _Field]:
    """For each pixel, where it lies along a bent midrib (0 at the stalk, 1 at the tip) and how far beside it."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    turn, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.72, 0.96)
    x, y = x - rng.uniform(-0.1, 0.1), y - rng.uniform(-0.1, 0.1)
    along = (x * np.cos(turn) + y * np.sin(turn)) / length + 0.5
    across = (y * np.cos(turn) - x * np.sin(turn)) / length / rng.uniform(0.75, 1.0)  # seen at a slant
    return along, across + rng.normal(0, 0.12) * (along - 0.5) ** 2 * 2


def _feather(tree: Tree, along: _Field, across: _Field, rng: np.random.Generator) -> tuple[_Field, _Field]:
    """How far inside a leaf with a midrib a pixel lies (negative outside), and how much of a vein it shows."""
    start = np.where(across > 0, tree.oblique * rng.uniform(0.6, 1.4), 0.0)
    u = np.clip((along - start) / (1 - start), 1e-6, 1 - 1e-6)
    before, rate = tree.widest + rng.normal(0, 0.03), rng.uniform(1.5, 1.8)
    rise, fall = rate * before, rate * (1 - before)
    outline = (u / before) ** rise * ((1 - u) / (1 - before)) ** fall
    outline *= tree.width * rng.uniform(0.85, 1.15)
    outline *= 1 + 0.05 * np.sin(2 * np.pi * (u * rng.uniform(2, 4) + rng.uniform()))  # wavy, as real leaves are
    side = np.where(across > 0, rng.uniform(), rng.uniform())
    (teeth, depth), (lobes, cut) = tree.teeth, tree.lobes
    if teeth:
        count = teeth * rng.uniform(0.85, 1.15)
        outline *= 1 + depth * rng.uniform(0.7, 1.3) * ((u * count + side) % 1 - 0.5)
    if lobes:
        waves = 0.5 + 0.5 * np.cos(2 * np.pi * ((lobes + rng.uniform(-0.4, 0.4)) * u + 0.15 * side))
        outline *= 1 - cut * rng.uniform(0.8, 1.2) * waves * np.clip((1 - u) * 4, 0, 1)
    stalk = 0.011 - np.abs(across) - np.clip(np.abs(along + _STALK / 2) - _STALK / 2, 0, None)
    inside = np.maximum(np.where((along > 0) & (along < 1), outline - np.abs(across), -1.0), stalk)
    rib = np.exp(-((across / 0.009) ** 2))
    veins = tree.veins * rng.uniform(0.9, 1.1)
    phase = (u - 0.75 * np.abs(across)) * veins + side
    return inside, np.maximum(rib, 0.7 * np.exp(-(((phase % 1 - 0.5) / (0.011 * veins)) ** 2)))


def _palm(tree: Tree, along: _Field, across: _Field, rng: np.random.Generator) -> tuple[_Field, _Field]:
    """The same for a leaf whose lobes spread from the stalk."""
    x, y = along - 0.22, across
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    lobes, cut = tree.lobes
    spread = np.deg2rad(rng.uniform(50, 60))
    axes = (np.arange(lobes) - (lobes - 1) / 2) * spread
    reach = 1 - 0.19 * np.abs(np.arange(lobes) - (lobes - 1) / 2) + rng.normal(0, 0.03, lobes)
    beside = np.abs(angle[..., None] - axes)
    peaks = reach * (1 - cut * rng.uniform(0.85, 1.15) * np.clip(beside / (spread / 2), 0, 1.6) ** rng.uniform(0.8, 1))
    edge = np.clip(peaks.max(-1), 0.06, None) * tree.width * rng.uniform(1.0, 1.2)
    teeth, depth = tree.teeth
    edge *= 1 + depth * (np.abs((angle * teeth * 1.2 + rng.uniform()) % 2 - 1) - 0.5)
    stalk = 0.013 - np.abs(y) - np.clip(np.abs(x + 0.2) - 0.2, 0, None)
    nearest = beside.min(-1) * radius
    return np.maximum(edge - radius, stalk), np.exp(-((nearest / 0.009) ** 2))


def _surface(tree: Tree, inside: _Field, vein: _Field, rng: np.random.Generator) -> _Picture:
    """The colours of a leaf: two shades that run into each other, veins, spots, a darker rim."""
    first, second = _LEAF_COLOURS[tree.shade], _LEAF_COLOURS[int(rng.integers(len(_LEAF_COLOURS)))]
    blend = np.clip(_USUAL + _clouds(rng, 3) * 0.25, 0, 1)[..., None]
    leaf = first * blend + second * (1 - blend)
    light = 1 + 0.1 * _clouds(rng, 12) + 0.07 * _clouds(rng, 48)
    light = light * (0.82 + 0.18 * np.clip(inside * 12, 0, 1))
    leaf = leaf * light[..., None]
    leaf += rng.uniform(12, 55) * rng.choice([-0.6, 1]) * vein[..., None]
    spots = np.clip(_clouds(rng, 20) - rng.uniform(1.6, 3), 0, 1)[..., None]
    marked: _Picture = leaf * (1 - spots) + _WOOD * spots
    return marked


def _damage(rng: np.random.Generator) -> _Field:
    """One where the leaf is whole, zero where something has eaten of it."""
    return 1 - np.clip((_clouds(rng, 7) - rng.uniform(1.9, 3.2)) * 8, 0, 1)


def _ground(rng: np.random.Generator) -> _Picture:
    """Earth, stone, sand or paper."""
    colour = _GROUND_COLOURS[rng.integers(len(_GROUND_COLOURS))] + rng.normal(0, 12) + rng.normal(0, 4, 3)
    rough = rng.uniform(0.3, 1.6)
    grain = 0.07 * _clouds(rng, 4) + 0.09 * rough * _clouds(rng, 24) + 0.09 * rough * _clouds(rng, 90)
    ground: _Picture = colour * (1 + grain)[..., None]
    return ground


def _with_straws(picture: _Picture, rng: np.random.Generator) -> _Picture:
    """Thin stalks that lie about, some of them over the leaf."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    for _ in range(rng.integers(0, 4)):
        turn, reach = rng.uniform(0, np.pi), rng.uniform(0.1, 0.35)
        x0, y0 = rng.uniform(-0.5, 0.5, 2)
        along = (x - x0) * np.cos(turn) + (y - y0) * np.sin(turn)
        across = (y - y0) * np.cos(turn) - (x - x0) * np.sin(turn) + along**2 * rng.normal(0, 0.5)
        there = np.clip((0.008 - np.abs(across)) * 200, 0, 1) * (np.abs(along) < reach)
        colour = _GROUND_COLOURS[rng.integers(len(_GROUND_COLOURS))] * rng.uniform(0.8, 1.3)
        picture = picture * (1 - there[..., None]) + colour * there[..., None]
    return picture


def _photographed(picture: _Picture, rng: np.random.Generator) -> Image.Image:
    """Light from one side, a tint, a lens that is not quite sharp, and the noise of a camera."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    turn = rng.uniform(0, 2 * np.pi)
    light = rng.uniform(0.75, 1.2) * (1 + rng.uniform(0, 0.5) * (x * np.cos(turn) + y * np.sin(turn)))
    lit = picture * light[..., None] * rng.normal(1, 0.025, 3)
    sharp = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
    seen = np.asarray(sharp.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9))), np.float64)
    noisy = seen + rng.normal(0, rng.uniform(2, 9), seen.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _clouds(rng: np.random.Generator, cells: int) -> _Field:
    """Smooth noise of mean 0 and deviation 1, with so many cells a side."""
    grid = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    field = np.asarray(grid.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float64)
    clouds: _Field = (field - field.mean()) / max(float(field.std()), 1e-9)
    return clouds


def _blurred(field: _Field, pixels: float) -> _Field:
    """A field between 0 and 1, blurred."""
    grey = Image.fromarray((255 * field).astype(np.uint8))
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(pixels)), np.float64) / 255
