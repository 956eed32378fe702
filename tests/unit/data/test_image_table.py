"""The table of images on disk says what the image set in memory says, whatever the size of a portion."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from unfreeze.core.errors import TooManyBadFilesError
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.data.image_table import ImageTable, State, image_table
from unfreeze.data.inspection import inspected_portions, listed_images, read_image_set
from unfreeze.data.listed_files import Candidate
from unfreeze.data.splits import split_image_set, split_table
from unfreeze.images.pool import DecoderPool, Inspection


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """Decoders for all tests here."""
    with DecoderPool(workers=1) as pool:
        yield pool


def candidate(name: str, label: str = "a", split: str = "", group: str = "") -> Candidate:
    """A file that exists in words only."""
    return Candidate(path=Path("/") / name, name=name, label=label, split=split, group=group)


def seen(content: int) -> Inspection:
    """What a decoder says of an image; equal contents are equal pixels."""
    return Inspection(
        sha256=f"{content:064x}", pixels_sha256=f"{content:064x}", width=1, height=1, mode="RGB", notes=(), reason=""
    )


def found(table: ImageTable, candidates: list[Candidate]) -> None:
    """Add images, each with its own pixels, as inspection does."""
    table.add(candidates)
    table.record((item, State.USED, seen(number)) for number, item in enumerate(candidates))


def photos(folder: Path) -> Path:
    """Eleven images of which four are copies, two of them in another class; one bad file, one stranger."""
    rng = np.random.default_rng(0)
    for name in ("a/0", "a/1", "a/7", "b/2", "b/3", "b/8", "c/4", "c/5", "c/6"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        PillowImage.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    (folder / "a/9.png").write_bytes((folder / "a/0.png").read_bytes())
    PillowImage.open(folder / "c/4.png").save(folder / "c/3.bmp")
    (folder / "c/7.png").write_bytes((folder / "b/8.png").read_bytes())
    (folder / "b/bad.png").write_bytes(b"")
    (folder / "b/README").write_text("hello")
    return folder


@pytest.mark.parametrize("portion", [1, 3, 4, 1000])
def test_the_size_of_a_portion_changes_nothing(pool: DecoderPool, tmp_path: Path, portion: int) -> None:
    """Images, duplicates across portions, bad files and warnings are those of `read_image_set`."""
    source = photos(tmp_path / "photos")
    whole = read_image_set(source, pool=pool)

    with listed_images(source) as table:
        portions = list(inspected_portions(table, pool=pool, portion=portion))
        assert tuple(table.images()) == whole.images
        assert tuple(table.duplicates()) == whole.duplicates
        assert tuple(table.files_set_aside()) == whole.set_aside
        assert dict(table.skipped) == dict(whole.skipped)
        assert tuple(table.findings) == whole.findings
        assert table.number_of(State.USED) == whole.counts.used
    assert len(whole.duplicates) == 4
    assert {image.name for image in whole.images} <= {image.name for some in portions for image in some}
    assert max(len(some) for some in portions) <= portion


def test_the_whole_is_checked_before_the_last_portion(pool: DecoderPool, tmp_path: Path) -> None:
    """Where everything is one portion, nothing is computed for a folder that is refused."""
    source = photos(tmp_path / "photos")
    for number in range(3):
        (source / f"a/empty{number}.png").touch()

    with listed_images(source) as table, pytest.raises(TooManyBadFilesError):
        next(inspected_portions(table, pool=pool))


def test_rows_come_in_the_order_of_texts() -> None:
    """Names sort as Python sorts them, bytes that are no text and letters outside the first 65,536 included."""
    undecodable = b"\xff".decode(errors="surrogateescape")
    names = ["b", "B", "é", "e\u0301", "\U0001f600", "\ufffd", "a/1", "a-1", undecodable]
    random.Random(0).shuffle(names)
    with image_table(Path()) as table:
        found(table, [candidate(name) for name in names])

        assert [image.name for image in table.images()] == sorted(names)


def test_more_rows_than_are_held_at_a_time() -> None:
    """Every one of 2,500 rows comes once, also while the table is being changed."""
    with image_table(Path()) as table:
        assert table.add(candidate(f"{number:04}") for number in range(2500)) == 2500
        names = []
        for item in table.candidates():
            table.record([(item, State.USED, seen(int(item.name)))])
            names.append(item.name)

        assert names == [f"{number:04}" for number in range(2500)]
        assert table.counts().used == 2500
        assert [image.name for image in table.spread(3)] == ["0000", "1249", "2499"]


@given(
    labels=st.lists(st.sampled_from("abc"), min_size=2, max_size=60),
    groups=st.integers(1, 12),
    splits=st.sampled_from([("",), ("train",), ("train", "val"), ("train", "test")]),
    seed=st.integers(0, 5),
)
def test_the_split_is_that_of_the_set(labels: list[str], groups: int, splits: tuple[str, ...], seed: int) -> None:
    """With and without groups and given parts, every image goes to the side where `split_image_set` has it."""
    draw = random.Random(seed)
    candidates = [
        candidate(f"{n:03}", label, draw.choice(splits), draw.choice(["", f"g{n % groups}"]) if groups > 2 else "")
        for n, label in enumerate(labels)
    ]
    images = tuple(
        Image(
            path=c.path, name=c.name, label=c.label, sha256="", width=1, height=1, mode="", split=c.split, group=c.group
        )
        for c in candidates
    )
    if sum(c.split != "val" for c in candidates) < 2:
        return
    expected = split_image_set(ImageSet(root=Path("/"), images=images), seed=seed)

    with image_table(Path()) as table:
        found(table, candidates)
        split_table(table, seed=seed)

        assert [image.split for image in table.images()] == [image.split for image in expected.images]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory is resident")
def test_a_row_costs_no_memory(tmp_path: Path) -> None:
    """From 50,000 rows to 200,000, with pixels, counts and split, the process grows by less than 48 bytes a row."""
    code = """
import itertools, resource, sys
from pathlib import Path
from unfreeze.data.listed_files import Candidate
from unfreeze.images.pool import Inspection
from unfreeze.data.image_table import State, image_table
from unfreeze.data.splits import split_table
root = Path("/" + "x" * 60)
with image_table(root) as table:
    table.add(Candidate(path=root / str(n), name=str(n), label=str(n % 9)) for n in range(int(sys.argv[1])))
    numbered = enumerate(table.candidates())
    while some := list(itertools.islice(numbered, 1000)):
        hashes = [f"{(n * 2654435761) % 2**64:016x}" * 4 for n, _ in some]
        table.record((item, State.USED, Inspection(
            sha256=key, pixels_sha256=key, width=1, height=1, mode="RGB", notes=(), reason=""
        )) for (_, item), key in zip(some, hashes))
    list(table.twins())
    split_table(table, seed=0)
    sum(1 for _ in table.images())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
    peaks = [
        int(subprocess.run([sys.executable, "-c", code, str(n)], capture_output=True, text=True, check=True).stdout)
        for n in (50_000, 200_000)
    ]

    assert peaks[1] - peaks[0] < 48 * 150_000
