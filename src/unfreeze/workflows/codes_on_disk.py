"""Codes that lie in files, as `unfreeze codes` writes them: labels are read, codes stay on the disk."""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from jaxtyping import Bool, Float32, Int

from unfreeze.core.errors import InputError
from unfreeze.core.room import check_room
from unfreeze.core.wording import listed
from unfreeze.store.columns import codes_of_column

_NAMES = ("label", "split")
_NUMBERS = re.compile(r"(\d+)")

Codes = Float32[np.ndarray, "row code"]


@dataclass(frozen=True, eq=False, kw_only=True)
class CodesOnDisk:
    """Labelled codes at one tap or several.

    Attributes:
        classes: Names, sorted.
        labels: Class index of every row.
        is_test: Which rows are of the part ``test``.
        places: File of codes by tap, shallow to deep; the same one for all taps of a Parquet file.
    """

    classes: tuple[str, ...]
    labels: Int[np.ndarray, " row"]
    is_test: Bool[np.ndarray, " row"]
    places: Mapping[str, Path]

    @property
    def taps(self) -> tuple[str, ...]:
        """Names of the taps."""
        return tuple(self.places)

    @contextmanager
    def at(self, tap: str) -> Iterator[Codes]:
        """Codes at a tap, as a memory map: of a Parquet file a copy is made that lasts as long as the block.

        Raises:
            InputError: There are not as many rows as labels, or the codes are of another kind.
            DiskFullError: There is no room for the copy.
        """
        place = self.places[tap]
        if place.suffix == ".npy":
            yield self._checked(_mapped(place), place)
            return
        with tempfile.TemporaryDirectory(prefix="unfreeze-codes-") as folder:
            copy = Path(folder) / "codes.npy"
            _copy_column(place, tap, copy)
            yield self._checked(_mapped(copy), place)

    def _checked(self, codes: Codes, place: Path) -> Codes:
        if codes.ndim != 2 or codes.dtype != np.float32 or len(codes) != len(self.labels):
            msg = (
                f"{place} should hold {len(self.labels):,} rows of float32 codes, as many as there are labels; it "
                f"holds {codes.dtype} of shape {codes.shape}. Write the codes anew with unfreeze codes."
            )
            raise InputError(msg)
        return codes


def are_codes(source: Path) -> bool:
    """Whether a source is a file of codes and no list of photos.

    Args:
        source: ``NAME.npy``, also where the files are ``NAME.TAP.npy``, or a Parquet file with a column of codes.
    """
    if source.suffix.lower() == ".npy":
        return True
    if source.suffix.lower() != ".parquet" or not source.is_file():
        return False
    try:
        return bool(_columns_of_codes(pq.read_schema(source)))
    except (pa.ArrowException, OSError):
        return False  # whoever reads it as a list says what is wrong with it


def read_codes_on_disk(source: Path) -> CodesOnDisk:
    """Find the files of a source and read the labels.

    Args:
        source: As for `are_codes`.

    Returns:
        The codes, which stay where they are.

    Raises:
        InputError: Files or columns are missing, cannot be read, or rows have no label.
    """
    is_array = source.suffix.lower() == ".npy"
    rows = source.with_suffix(".csv") if is_array else source
    places = _arrays(source) if is_array else dict.fromkeys(_columns_of_codes(pq.read_schema(source)), source)
    for path in (rows, *places.values()):
        if not path.is_file():
            msg = f"{path} is missing, which unfreeze codes writes beside the arrays: it names their rows."
            raise InputError(msg)
    try:
        label, split = _row_names(rows)
    except (pa.ArrowException, OSError) as error:
        msg = f"{rows} cannot be read as the labels of codes: {' '.join(str(error).split())[:200]}."
        raise InputError(msg) from error
    names, numbers = np.unique(label.dictionary.to_pylist(), return_inverse=True)
    if label.null_count or not len(names) or "" in names:
        msg = f"{rows} has rows without a label. Linear classifiers learn from labels: give the photos class folders."
        raise InputError(msg)
    parts = split.dictionary.to_pylist()
    test = parts.index("test") if "test" in parts else -1
    return CodesOnDisk(
        classes=tuple(map(str, names)),
        labels=numbers[label.indices.to_numpy()].astype(np.int64),
        is_test=split.indices.to_numpy(zero_copy_only=False) == test,
        places=places,
    )


def _arrays(source: Path) -> dict[str, Path]:
    """The array of every tap, by the numbers in their names."""
    if source.is_file():
        return {"codes": source}
    found = {path.name[len(source.stem) + 1 : -4]: path for path in source.parent.glob(f"{source.stem}.*.npy")}
    if not found:
        msg = f"There is no {source}, and no {source.stem}.TAP.npy beside it. Check the spelling."
        raise InputError(msg)
    return {tap: found[tap] for tap in sorted(found, key=_by_numbers)}


def _by_numbers(name: str) -> list[tuple[int, str]]:
    """`blocks.10` comes after `blocks.9`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _NUMBERS.split(name)]


def _columns_of_codes(schema: pa.Schema) -> list[str]:
    lists = [field for field in schema if pa.types.is_fixed_size_list(field.type)]
    return [field.name for field in lists if field.type.value_type == pa.float32()]


def _row_names(rows: Path) -> tuple[pa.DictionaryArray, pa.DictionaryArray]:
    """Label and part of every row, each name once."""
    if rows.suffix == ".csv":
        kinds = dict.fromkeys(_NAMES, pa.dictionary(pa.int32(), pa.string()))
        options = pyarrow.csv.ConvertOptions(
            include_columns=list(_NAMES), column_types=kinds, strings_can_be_null=False
        )
        lines = pyarrow.csv.ParseOptions(newlines_in_values=True)
        table = pyarrow.csv.read_csv(rows, convert_options=options, parse_options=lines)
    else:
        table = pq.read_table(rows, columns=list(_NAMES), read_dictionary=list(_NAMES))
    missing = [name for name in _NAMES if name not in table.column_names]
    if missing:
        msg = f"{rows} has no column {listed(missing)}. A file of codes has the columns path, label and split."
        raise InputError(msg)
    label, split = (table[name].unify_dictionaries().combine_chunks() for name in _NAMES)
    return label, split


def _mapped(place: Path) -> Codes:
    try:
        codes: Codes = np.load(place, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError) as error:
        msg = f"{place} is no array of codes: {' '.join(str(error).split())[:200]}."
        raise InputError(msg) from error
    return codes


def _copy_column(place: Path, tap: str, copy: Path) -> None:
    """Write a column of a Parquet file as an array, a row group at a time."""
    try:
        with pq.ParquetFile(place, page_checksum_verification=True) as file:
            shape = (file.metadata.num_rows, file.schema_arrow.field(tap).type.list_size)
            check_room(copy.parent, 4 * shape[0] * shape[1], f"the codes at {tap}, which are copied,", option="TMPDIR")
            groups = (file.read_row_group(group, columns=[tap])[tap] for group in range(file.num_row_groups))
            write_array(copy, shape, (codes_of_column(column, shape[1]) for column in groups))
    except pa.ArrowException as error:
        msg = f"{place} is damaged: {' '.join(str(error).split())[:200]}. Write the codes anew with unfreeze codes."
        raise InputError(msg) from error


def write_array(place: Path, shape: tuple[int, int], blocks: Iterable[Codes]) -> None:
    """Write an array of this shape, a block of its rows at a time."""
    with place.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for block in blocks:
            file.write(block.astype("<f4", copy=False).tobytes())
