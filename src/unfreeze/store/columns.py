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


def codes_column(codes: NDArray[np.float32], kind: pa.DataType) -> pa.FixedSizeListArray:
    """A column of fixed-size lists.

    Args:
        codes: Shape (row, width).
        kind: ``pyarrow.list_(value, width)`` with float32 values.

    Returns:
        Of the type `kind`, no nulls; shares the memory of `codes` where that is contiguous.
    """
    flat = np.ascontiguousarray(codes, dtype=np.float32).reshape(-1)
    values = pa.Array.from_buffers(pa.float32(), flat.size, [None, pa.py_buffer(flat)])
    return pa.FixedSizeListArray.from_arrays(values, type=kind)


def codes_of_column(column: pa.ChunkedArray, width: int) -> NDArray[np.float32]:
    """What `codes_column` was given.

    Args:
        column: Fixed-size lists of float32, no nulls.
        width: Length of each list.

    Returns:
        Shape (row, width); read-only.
    """
    return np.asarray(np.from_dlpack(column.combine_chunks().flatten()), np.float32).reshape(-1, width)
