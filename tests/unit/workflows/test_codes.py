"""Files of codes, written from portions of any size."""

import csv
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from unfreeze.core.errors import OutputError
from unfreeze.data.image_set import Image
from unfreeze.workflows.codes import write_npy, write_parquet

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
