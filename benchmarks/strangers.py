"""None of the above: how well scores tell photos of no class from those of the classes that a model knows.

    python benchmarks/strangers.py --panel PANEL --sets cifar10,trashnet --seeds 0,1,2,3,4,5,6,7,8,9

PANEL holds a folder a set with a `list.csv` (path, label, split, group). A seed draws the classes that are left out of
training, three of ten, and training photos of the others, as many as `unfreeze run` reads for it. What is known is
fitted as a run fits it: a softmax on the last codes, and where codes of training photos lie. Strangers are photos of
the left-out classes, and of each other set; the known are held back. A row has, for each score, the area under the ROC
curve (AUROC) with its interval and the difference from that of the distance, which paired photos make exact; and how
many photos `--unlike` would mark. Rows of the part `train` hold a fifth of the train part back and see nothing of the
test part: on them a score is chosen. Rows of the part `test` say how good it is. Rows are appended to `results.jsonl`
beside this file; those that are there for this commit are not measured again. Codes are kept in the cache
(UNFREEZE_CACHE).
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from panel import code_version, is_there, keep
from strangeness import DISTANCE, Fitted, Photos, Side, area_interval, estimate, fit, placements

from unfreeze.core.settings import EngineSettings, ImageSettings
from unfreeze.data.inspection import read_image_set
from unfreeze.data.squares import geometry_of
from unfreeze.features.extraction import codes_of
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.reading import frozen_network
from unfreeze.workflows.unlike import MOST_PHOTOS

MEASURE = "strangers"
SETS = "hymenoptera,trashnet,omniglot,magtile,eurosat,cifar10"
LEFT_OUT = 0.3  # of the classes
SHARES = (0.01, 0.05)  # of false alarms that are allowed
PARTS = ("train", "test")


@dataclass(frozen=True, eq=False, kw_only=True)
class Coded:
    """A set of photos with their codes.

    Attributes:
        photos: All of them.
        classes: Names.
        labels: Index of each photo's class.
        is_test: Whether each is of the test part.
    """

    photos: Photos
    classes: tuple[str, ...]
    labels: Int[np.ndarray, " photo"]
    is_test: Bool[np.ndarray, " photo"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Drawn:
    """What one seed draws of a set.

    Attributes:
        left_out: Names of the classes that nothing is learned of.
        learn: Rows of training photos.
        held_back: Rows of photos of the same classes that are only scored.
        strange: Rows of photos of the left-out classes.
    """

    left_out: tuple[str, ...]
    learn: Int[np.ndarray, " photo"]
    held_back: Int[np.ndarray, " photo"]
    strange: Int[np.ndarray, " photo"]


def read(source: Path, pool: DecoderPool) -> Coded:
    """Read photos, and their codes as a delivered model computes them."""
    settings = ImageSettings(source=source, request=EngineSettings(precision="f32"))
    network = frozen_network(settings, None)
    images = read_image_set(source, pool=pool, geometry=geometry_of(network.card))
    codes = codes_of(images, network, Resources(pool=pool), settings.request)
    joined = np.concatenate(list(codes.by_tap.values()), axis=1)
    return Coded(
        photos=Photos(codes.last, joined, [image.group for image in images.images]),
        classes=images.classes,
        labels=images.labels(),
        is_test=np.array([image.split == "test" for image in images.images]),
    )


def drawn(coded: Coded, part: str, *, seed: int, most: int) -> Drawn:
    """Draw classes, and photos of them; `most` of each kind that is only scored."""
    rng = np.random.default_rng(seed)
    number = round(LEFT_OUT * len(coded.classes))
    out = np.sort(rng.permutation(len(coded.classes))[:number])
    is_strange = np.isin(coded.labels, out)
    learn = rng.permutation(np.flatnonzero(~coded.is_test & ~is_strange))
    if part == "test":
        held_back = rng.permutation(np.flatnonzero(coded.is_test & ~is_strange))
    else:
        held_back, learn = np.split(learn, [len(learn) // 5])
    strange = rng.permutation(np.flatnonzero(is_strange & (coded.is_test == (part == "test"))))
    return Drawn(
        left_out=tuple(coded.classes[one] for one in out),
        learn=np.sort(learn[:MOST_PHOTOS]),
        held_back=held_back[:most],
        strange=strange[:most],
    )


def strangers(
    sets: dict[str, Coded], home: str, draw: Drawn, part: str, *, seed: int, most: int
) -> Iterator[tuple[str, Photos]]:
    """The left-out classes, then every other set."""
    yield "left-out classes", sets[home].photos.some(draw.strange)
    for name, other in sets.items():
        if name != home:
            rows = np.flatnonzero(other.is_test == (part == "test"))
            yield name, other.photos.some(np.random.default_rng(seed).permutation(rows)[:most])


def compared(fitted: Fitted, known: Photos, strange: Photos) -> dict[str, Any]:
    """How well each score tells two kinds of photos apart, and how many of each are marked."""
    of_known, of_strange = fitted.strangeness(known), fitted.strangeness(strange)
    places = {
        name: placements(Side(of_known[name], known.groups), Side(of_strange[name], strange.groups))
        for name in of_known
    }
    return {
        "photos": [len(known.last), len(strange.last)],
        "scores": {name: _area(*sides, *places[DISTANCE]) for name, sides in places.items()},
        "marked": {f"{share:g}": _marked(fitted, known, strange, share) for share in SHARES},
    }


def _marked(fitted: Fitted, known: Photos, strange: Photos, share: float) -> dict[str, list[int]]:
    """By each score, how many of the known photos and of the strange ones."""
    sides = [fitted.marked(photos, share) for photos in (known, strange)]
    return {name: [side[name] for side in sides] for name in sides[0]}


def _area(known: Side, strange: Side, known_by_distance: Side, strange_by_distance: Side) -> dict[str, Any]:
    area, error = estimate(known, strange)
    beside = (_less(known, known_by_distance), _less(strange, strange_by_distance))
    difference, of_difference = estimate(*beside)
    return {
        "auroc": round(area, 4),
        "interval": area_interval(area, error),
        "over_distance": round(difference, 4),
        "error": round(of_difference, 4),
    }


def _less(first: Side, second: Side) -> Side:
    return Side(first.values - second.values, first.groups)


def measure(
    sets: dict[str, Coded], home: str, part: str, *, seed: int, most: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of one draw: the name of the strangers, and what was found."""
    coded = sets[home]
    draw = drawn(coded, part, seed=seed, most=most)
    _, labels = np.unique(coded.labels[draw.learn], return_inverse=True)
    fitted = fit(coded.photos.some(draw.learn), labels, seed=seed)
    known = coded.photos.some(draw.held_back)
    right = fitted.probe.predict(known.last) == _among(coded.labels[draw.held_back], coded.labels[draw.learn])
    of_all = {"left_out": draw.left_out, "learned_from": len(labels), "accuracy": round(float(right.mean()), 4)}
    for name, strange in strangers(sets, home, draw, part, seed=seed, most=most):
        yield name, {**of_all, **compared(fitted, known, strange)}


def _among(labels: Int[np.ndarray, " photo"], learned: Int[np.ndarray, " other"]) -> Int[np.ndarray, " photo"]:
    """Labels as the classifier counts them: among the classes that it has learned."""
    return np.searchsorted(np.unique(learned), labels)


def missing(asked: argparse.Namespace, code: str) -> Iterator[tuple[str, str, int]]:
    """Set, part and seed of what has no rows yet."""
    for home in asked.sets.split(","):
        for part in PARTS:
            for seed in map(int, asked.seeds.split(",")):
                last = [name for name in asked.others.split(",") if name != home][-1]
                if not is_there({**_key(home, part, seed, asked.photos, code), "strangers": last}):
                    yield home, part, seed


def _key(home: str, part: str, seed: int, photos: int, code: str) -> dict[str, Any]:
    return {"measure": MEASURE, "set": home, "part": part, "seed": seed, "asked": photos, "code": code}


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--panel", type=Path, required=True)
    parser.add_argument("--sets", default="cifar10,trashnet", help="whose classes are left out")
    parser.add_argument("--others", default=SETS, help="sets that are strangers to them")
    parser.add_argument("--seeds", default="0,1,2,3,4,5,6,7,8,9")
    parser.add_argument("--photos", type=int, default=400, help="of each kind that are scored, at most")
    asked = parser.parse_args()
    code = code_version()
    wanted = list(missing(asked, code))
    if not wanted:
        return
    with DecoderPool() as pool:
        sets = {name: read(asked.panel / name / "list.csv", pool) for name in asked.others.split(",")}
    for home, part, seed in wanted:
        for name, found in measure(sets, home, part, seed=seed, most=asked.photos):
            key = _key(home, part, seed, asked.photos, code)
            keep({**key, "strangers": name, **found}, shown=("set", "part", "seed", "strangers", "accuracy"))


if __name__ == "__main__":
    main()
