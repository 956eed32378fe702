"""Files of codes, written from portions of any size."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from google.protobuf import text_format
from PIL import Image as PillowImage
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from unfreeze.core.errors import OutputError
from unfreeze.data.image_set import Image
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.code_files import write_datasets, write_npy, write_parquet, write_tensorboard

WIDTHS = {"low": 3, "last/one": 5}
Portions = list[tuple[list[Image], dict[str, np.ndarray]]]


def portions(codes: dict[str, np.ndarray], *ends: int) -> Portions:
    """Images and codes, cut at some rows."""
    count = len(codes["low"])
    images = [
        Image(path=Path(f"/{n}"), name=f"{n}.png", label="ab"[n % 2], sha256="", width=1, height=1, mode="")
        for n in range(count)
    ]
    return [
        (images[start:end], {tap: values[start:end] for tap, values in codes.items()})
        for start, end in pairwise((0, *ends, count))
    ]


@pytest.fixture
def codes(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Codes of seven images; not-a-number, minus zero and infinity among them."""
    made = {tap: rng.normal(size=(7, width)).astype(np.float32) for tap, width in WIDTHS.items()}
    made["low"][2] = np.nan, -0.0, np.inf
    return made


@pytest.mark.parametrize("ends", [(), (3,), (1, 2, 6)])
def test_parquet_holds_every_bit(codes: dict[str, np.ndarray], tmp_path: Path, ends: tuple[int, ...]) -> None:
    """Columns, rows and bits are the same however they came; a portion is a row group."""
    (path,) = write_parquet(tmp_path / "c.parquet", WIDTHS, portions(codes, *ends))

    file = pq.ParquetFile(path, page_checksum_verification=True)
    table = file.read()
    assert file.num_row_groups == len(ends) + 1
    assert table.column_names == ["path", "label", "split", *WIDTHS]
    assert table["path"].to_pylist() == [f"{n}.png" for n in range(7)]
    for tap, values in codes.items():
        assert table[tap].combine_chunks().flatten().to_numpy().tobytes() == values.tobytes()


@pytest.mark.parametrize("ends", [(), (3,), (1, 2, 6)])
def test_npy_holds_every_bit(codes: dict[str, np.ndarray], tmp_path: Path, ends: tuple[int, ...]) -> None:
    """NumPy reads back what was given, and the bytes are those that NumPy itself writes."""
    written = write_npy(tmp_path / "c.npy", WIDTHS, portions(codes, *ends), rows=7)

    assert [path.name for path in written] == ["c.low.npy", "c.last-one.npy", "c.csv"]
    for path, values in zip(written, codes.values(), strict=False):
        assert np.load(path).tobytes() == values.tobytes()
        np.save(tmp_path / "numpy.npy", values)
        assert path.read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    with written[-1].open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [f"{n}.png" for n in range(7)]


def test_nothing_is_left_of_files_that_were_not_finished(codes: dict[str, np.ndarray], tmp_path: Path) -> None:
    """Where reading fails half way, no file is there, neither whole nor in part."""

    def failing() -> Iterator[tuple[list[Image], dict[str, np.ndarray]]]:
        yield portions(codes, 3)[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_npy(tmp_path / "c.npy", WIDTHS, failing(), rows=7)
    with pytest.raises(RuntimeError):
        write_parquet(tmp_path / "c.parquet", WIDTHS, failing())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["c.parquet", "c.npy"])
def test_what_appears_during_the_work_is_kept(codes: dict[str, np.ndarray], tmp_path: Path, name: str) -> None:
    """A file that somebody puts in the place while codes are read stays, and one sentence says so."""
    path = tmp_path / name

    def slow() -> Iterator[tuple[list[Image], dict[str, np.ndarray]]]:
        yield from portions(codes)
        path.write_bytes(b"theirs")

    def work() -> None:
        if path.suffix == ".npy":
            write_npy(path, {"low": 3}, ((images, {"low": found["low"]}) for images, found in slow()), rows=7, one=True)
        else:
            write_parquet(path, WIDTHS, slow())

    with pytest.raises(OutputError, match="appeared while this worked and is not overwritten"):
        work()
    assert path.read_bytes() == b"theirs"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("ends", [(), (1, 2, 6)])
def test_datasets_reads_every_bit(codes: dict[str, np.ndarray], tmp_path: Path, ends: tuple[int, ...]) -> None:
    """`load_from_disk` gives columns, rows and bits; what is made of it is kept under a name of its own."""
    (tmp_path / "set").mkdir()  # an empty folder may be there

    written = write_datasets(tmp_path / "set", WIDTHS, portions(codes, *ends))

    found = datasets.load_from_disk(tmp_path / "set")
    assert sorted(path.name for path in written) == sorted(path.name for path in (tmp_path / "set").iterdir())
    assert found.column_names == ["path", "label", "split", *WIDTHS]
    assert found["path"][:] == [f"{n}.png" for n in range(7)]
    assert found.features["low"].length == 3
    for tap, values in codes.items():
        assert found.with_format("numpy")[tap][:].astype(np.float32).tobytes() == values.tobytes()
    assert found.filter(lambda row: row["label"] == "a").num_rows == 4


def small_photos(folder: Path, codes: dict[str, np.ndarray], *ends: int) -> Portions:
    """As `portions`, of photos that are there: each of one shade of red, the last one gone."""
    count = len(codes["low"])
    for number in range(count - 1):
        PillowImage.new("RGB", (90, 60), (30 * number, 0, 0)).save(folder / f"{number}.png")
    return [
        ([replace(image, path=folder / image.name, label="tab\there") for image in images], by_tap)
        for images, by_tap in portions(codes, *ends)
    ]


def test_the_projector_of_tensorboard_reads_what_is_written_for_it(
    codes: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Its own description parses the text; each table has its rows, the photos lie in the order of the rows."""
    with DecoderPool(workers=1) as pool:
        out = tmp_path / "out"
        write_tensorboard(out, WIDTHS, small_photos(tmp_path, codes, 3), rows=7, pool=pool)

    config = text_format.Parse((out / "projector_config.pbtxt").read_text(), ProjectorConfig())
    assert [(each.tensor_name, *each.tensor_shape) for each in config.embeddings] == [("last/one", 7, 5), ("low", 7, 3)]
    for each in config.embeddings:
        read = np.loadtxt(out / each.tensor_path, delimiter="\t", dtype=np.float32)
        np.testing.assert_array_equal(read, codes[each.tensor_name])
    heading, *rows = (out / config.embeddings[0].metadata_path).read_text().splitlines()
    assert heading.split("\t") == ["path", "label", "split"]
    assert rows[4].split("\t") == ["4.png", "tab here", ""]
    sprite, (width, height) = config.embeddings[0].sprite, config.embeddings[0].sprite.single_image_dim
    with PillowImage.open(out / sprite.image_path) as image:
        assert image.size == (3 * width, 3 * height)
        middles = [image.getpixel((width * (n % 3) + 24, height * (n // 3) + 24)) for n in range(9)]
    assert middles == [*((30 * n, 0, 0) for n in range(6)), *[(255, 255, 255)] * 3]


def test_one_tap_has_the_name_that_the_projector_s_page_asks_for(codes: dict[str, np.ndarray], tmp_path: Path) -> None:
    """Of more photos than a browser draws there are no small ones."""
    one = [(images, {"low": by_tap["low"]}) for images, by_tap in portions(codes)]
    with DecoderPool(workers=1) as pool:
        written = write_tensorboard(tmp_path / "out", {"low": 3}, one, rows=85**2 + 1, pool=pool)

    assert [path.name for path in written] == ["tensors.tsv", "metadata.tsv", "projector_config.pbtxt"]


@pytest.mark.parametrize("write", [write_datasets, write_tensorboard])
def test_nothing_is_left_of_a_folder_that_was_not_finished(
    codes: dict[str, np.ndarray], tmp_path: Path, write: Callable[..., object]
) -> None:
    """Where reading fails half way, there is no folder, and no temporary one."""

    def failing() -> Iterator[tuple[list[Image], dict[str, np.ndarray]]]:
        yield portions(codes, 3)[0]
        raise RuntimeError

    with DecoderPool(workers=1) as pool, pytest.raises(RuntimeError):
        write(tmp_path / "out", WIDTHS, failing(), **({"rows": 7, "pool": pool} if write is write_tensorboard else {}))
    assert list(tmp_path.iterdir()) == []
