"""Which of many codes lie nearest to others."""

import numpy as np
from jaxtyping import Float, Int


def directions(codes: Float[np.ndarray, "row code"]) -> Float[np.ndarray, "row code"]:
    """Codes of length 1; one of zeros stays."""
    lengths = np.linalg.norm(codes, axis=1, keepdims=True)
    found: Float[np.ndarray, "row code"] = codes / np.where(lengths > 0, lengths, 1)
    return found


def nearest(
    known: Float[np.ndarray, "row code"], asked: Float[np.ndarray, "photo code"], count: int
) -> tuple[Int[np.ndarray, "photo near"], Float[np.ndarray, "photo near"]]:
    """The rows whose codes point most in the direction of others.

    Args:
        known: Codes of length 1.
        asked: Codes of any length.
        count: Of rows for each; fewer if there are fewer.

    Returns:
        Rows, the nearest first, and the cosine of the angle to each; of equal ones the first row comes first.
    """
    cosines = directions(asked) @ known.T
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    return rows, np.take_along_axis(cosines, rows, axis=1)
