"""Columns of Parquet files, to and from NumPy arrays, without pandas.

`pyarrow.array` and ``to_numpy`` import pandas to see whether they were given something of its own: a third of a second,
as much as the codes of a hundred images.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def text_column(texts: Sequence[str]) -> pa.StringArray:
    """A column of texts.

    Args:
        texts: One a row, without lone surrogates.

    Returns:
        Type ``string``, no nulls.
    """
    data = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, data)])
    return pa.StringArray.from_buffers(len(data), pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(data)))


def codes_column(codes: NDArray[np.floating], kind: pa.DataType) -> pa.FixedSizeListArray:
    """A column of fixed-size lists.

    Args:
        codes: Shape (row, width).
        kind: ``pyarrow.list_(value, width)`` with float32 or float16 values; see `in_half_precision` for the latter.

    Returns:
        Of the type `kind`, no nulls; shares the memory of `codes` where that is contiguous and of this type already.
    """
    wanted = in_half_precision(codes) if kind.value_type == pa.float16() else codes.astype(np.float32, copy=False)
    flat = np.ascontiguousarray(wanted).reshape(-1)
    values = pa.Array.from_buffers(kind.value_type, flat.size, [None, pa.py_buffer(flat)])
    return pa.FixedSizeListArray.from_arrays(values, type=kind)


def in_half_precision(codes: NDArray[np.floating]) -> NDArray[np.float16]:
    """Codes with 11 significant bits; what is too large for the format becomes its largest number, 65,504."""
    largest = float(np.finfo(np.float16).max)
    clipped = np.where(np.isfinite(codes), np.clip(codes, -largest, largest), codes)  # damage stays visible
    return clipped.astype(np.float16)


def codes_of_column(column: pa.ChunkedArray, width: int) -> NDArray[np.floating]:
    """What `codes_column` was given.

    Args:
        column: Fixed-size lists of floats, no nulls.
        width: Length of each list.

    Returns:
        Shape (row, width), of the column's type; read-only.
    """
    return np.asarray(np.from_dlpack(column.combine_chunks().flatten())).reshape(-1, width)
