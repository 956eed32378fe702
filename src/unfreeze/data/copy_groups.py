"""Near copies among inspected images: one group of every split, and what the user should know of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Int

from unfreeze.core.findings import Finding, finding
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.wording import count
from unfreeze.data.image_set import Image
from unfreeze.data.image_table import ImageTable
from unfreeze.data.near_copies import MOST, near_pairs

LARGEST_SHARE = 0.2  # of the images: a larger group of near copies is a set of drawings or textures, not of copies
_CHAIN = 3  # images that may be alike without each being alike to most of the others


def keep_near_copies_together(table: ImageTable, *, advance: Advance = ignore) -> None:
    """Make one group of the near copies in each part of the split, and note what was found.

    Groups that were given are never torn: those that hold near copies of each other become one, unless chains of them
    would make one group of a large part of all images; then all given groups stay as they are. No image is left out.

    Args:
        table: Inspected, with small copies; its groups and findings are changed.
        advance: Called with 0 again and again.
    """
    images, copies = table.small_copies(MOST)
    aspects = np.array([image.width / max(1, image.height) for image in images], np.float32)
    pairs = near_pairs(copies, aspects, advance=advance)
    clusters = _clusters(pairs, len(images))
    if not clusters:
        return
    together = [tuple(images[place] for place in cluster) for cluster in clusters]
    table.near_copies = tuple(tuple(image.name for image in same) for same in together)
    groups, apart = merged_groups(images, together), 0
    if _is_lumped(images, groups):
        within = [same for same in together if not _links_given_groups(same)]
        groups, apart = merged_groups(images, within), len(together) - len(within)
    table.set_groups(groups)
    table.findings += _findings(together, apart=apart)


def _is_lumped(images: Sequence[Image], groups: Mapping[str, str]) -> bool:
    """Whether joining made a group larger than a fold, and larger than any two given ones.

    Four alphabets drawn by twenty people each: a few strokes that look alike joined the drawings of most people.
    """
    given = Counter((image.split == "test", image.group) for image in images if image.group)
    joined = Counter((image.split == "test", groups.get(image.name, image.group)) for image in images)
    parts = Counter(image.split == "test" for image in images)
    for is_test, number in parts.items():
        largest = sorted((size for (part, _), size in given.items() if part is is_test), reverse=True)
        most = max(LARGEST_SHARE * number, sum(largest[:2]))
        if any(size > most for (part, group), size in joined.items() if part is is_test and group):
            return True
    return False


def _links_given_groups(same: Sequence[Image]) -> bool:
    """Whether near copies of one part lie in several groups that were given."""
    return any(
        len({image.group for image in same if image.group and (image.split == "test") is is_test}) > 1
        for is_test in (False, True)
    )


def _clusters(pairs: Int[np.ndarray, "pair 2"], number: int) -> list[tuple[int, ...]]:
    """Places of images that are near copies of each other, each once, ascending.

    Where one is like the next and the last not like the first, as in a film or among drawings, nothing is said of any.
    """
    of_image = list(range(number))
    for one, two in pairs.tolist():
        of_image[_first(of_image, one)] = _first(of_image, two)
    members: defaultdict[int, list[int]] = defaultdict(list)
    links: defaultdict[int, int] = defaultdict(int)
    for place in sorted(set(pairs.reshape(-1).tolist())):
        members[_first(of_image, place)].append(place)
    for one in pairs[:, 0].tolist():
        links[_first(of_image, one)] += 1
    return sorted(
        tuple(places) for root, places in members.items() if _hangs_together(len(places), links[root], number)
    )


def _hangs_together(size: int, links: int, number: int) -> bool:
    """Whether images are copies of one: few of all, and most of their pairs alike."""
    is_dense = size <= _CHAIN or links >= size * (size - 1) / 4
    return size <= max(_CHAIN, LARGEST_SHARE * number) and is_dense


def _first(of_image: list[int], place: int) -> int:
    while of_image[place] != place:
        of_image[place] = of_image[of_image[place]]
        place = of_image[place]
    return place


def merged_groups(images: Iterable[Image], together: Sequence[Sequence[Image]]) -> dict[str, str]:
    """New groups, by name, of images that must stay together and of all that share a given group with one of them.

    Args:
        images: All of them.
        together: Images that must stay on one side, a sequence each; those in the test part do not count with others.

    Returns:
        The group of every image whose group changes.
    """
    leader: dict[str, str] = {}

    def root(key: str) -> str:
        while leader.get(key, key) != key:
            key = leader[key]
        return key

    def key_of(image: Image) -> str:
        """Of its group, or of itself; a slash in front tells names from groups."""
        return image.group or f"/{image.name}"

    for same in together:
        for is_test in (False, True):
            roots = sorted({root(key_of(image)) for image in same if (image.split == "test") is is_test})
            given = [key for key in roots if not key.startswith("/")]
            if len(roots) > 1:
                leader |= dict.fromkeys(roots, (given or roots)[0])
    changed = ((image, root(key_of(image))) for image in images)
    return {
        image.name: key.removeprefix("/")
        for image, key in changed
        if key != key_of(image) or (key in leader and not image.group)
    }


def _findings(together: Sequence[Sequence[Image]], *, apart: int = 0) -> Iterator[Finding]:
    """What the user should know; no sentence names a file. So many groups lie across groups that were given."""
    number = sum(map(len, together))
    but = f" {apart} of them lie across groups that you gave, which stay as they are." if apart else ""
    yield finding(
        "UF113",
        f"{count(number, 'photo')} {'is a near copy' if number == 1 else 'are near copies'} of others (resized, "
        f"compressed anew, mirrored, or a little cropped): {count(len(together), 'group')}, each kept on one side of "
        f"every split{', except where they cross groups' * bool(apart)}.{but}",
        images=(image.name for same in together for image in same),
    )
    classes = [same for same in together if len({image.label for image in same}) > 1]
    if classes:
        yield finding(
            "UF114",
            f"{count(sum(map(len, classes)), 'photo')} in {count(len(classes), 'group')} of near copies lie in "
            "different classes: one of the labels is wrong, or the classes overlap.",
            "Look at them and decide which label is right.",
            images=(image.name for same in classes for image in same),
        )
    parts = [same for same in together if len({image.split == "test" for image in same}) > 1]
    if parts:
        in_test = [image for same in parts for image in same if image.split == "test"]
        are = "is a near copy" if len(in_test) == 1 else "are near copies"
        yield finding(
            "UF115",
            f"{count(len(in_test), 'photo')} of the test part {are}"
            " of photos to learn from: what the test part says of them is too good to be true.",
            "Leave them out of one of the two.",
            images=(image.name for same in parts for image in same),
        )
