"""Labels as Python programs hold them, checked as scikit-learn checks targets: in one sentence each."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import type_of_target

from unfreeze.core.errors import InputError
from unfreeze.core.wording import count

_SHOWN = 5
_NUMBERS = (int, float, np.integer, np.floating, bool, np.bool_)


def class_labels(y: Any, *, images: int) -> NDArray[Any]:
    """A class label for each image.

    Args:
        y: A list, an array, a column of a table, or a table or array of one column (of an array that is warned of, as
            scikit-learn does).
        images: How many there must be.

    Returns:
        Flat, in the type that was given.

    Raises:
        InputError: They are no labels of two classes or more, one for each image.
    """
    values, given = _flat(y)
    if len(values) != images:
        msg = f"X and y must be equally long. Got {count(images, 'image')} and {count(len(values), 'label')}."
        raise InputError(msg)
    missing = [place for place, value in enumerate(values) if _is_missing(value)]
    if missing:
        msg = (
            f"y must have a label for each image. {count(len(missing), 'label')} of {len(values)} "
            f"{'is' if len(missing) == 1 else 'are'} missing, the first at position {missing[0]}. Leave these out."
        )
        raise InputError(msg)
    labels = given if given is not None else _as_array(values)
    _check_kind(labels)
    classes = np.unique(labels)
    if len(classes) < 2:
        msg = f"y must hold at least two classes. Got {count(len(classes), 'class')}: {classes.tolist()}."
        raise InputError(msg)
    return labels


def _flat(y: Any) -> tuple[Sequence[Any], NDArray[Any] | None]:
    """The labels one by one, and as the array that they were given as, if it is a flat one.

    Raises:
        InputError: There are none, or several for an image.
    """
    if y is None:
        # The words that scikit-learn's own checks look for.
        msg = "Training requires y to be passed, but the target y is None. Give a list with a label for each image."
        raise InputError(msg)
    if isinstance(y, (str, bytes)) or not (isinstance(y, Iterable) or hasattr(y, "__array__")):
        msg = f"y must be a list with a label for each image. Got {y!r:.60}."
        raise InputError(msg)
    y = y if isinstance(y, Iterable) else np.asarray(y)
    names = getattr(y, "columns", None)
    if names is not None and len(names) == 1:
        y = y[next(iter(names))]
    if names is None and getattr(y, "ndim", 1) < 2:
        values = y.to_pylist() if hasattr(y, "to_pylist") else list(y)
        _check_single(values)
        return values, y if isinstance(y, np.ndarray) else None
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        if names is None:
            what = "A column-vector y was passed when a 1d array was expected. Give y.ravel()."
            warnings.warn(what, DataConversionWarning, stacklevel=4)
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(_several(array))
    return list(array), array


def _several(table: NDArray[Any]) -> str:
    """What to say of a table of labels."""
    wanted, shape = "y must be flat, a label for each image", " x ".join(map(str, table.shape))
    if table.ndim == 2 and table.dtype.kind in "biuf" and set(np.unique(table).tolist()) <= {0, 1}:
        if (table.sum(axis=1) == 1).all():
            return f"{wanted}. Got a one-hot table of {shape}: give y.argmax(axis=1)."
        return f"{wanted}. Got a table of {shape} with several labels an image (multi-label): give each image one."
    return f"{wanted}. Got a table of {shape}: give one column."


def _check_single(values: Sequence[Any]) -> None:
    """Refuse labels that are lists themselves."""
    for place, value in enumerate(values):
        if isinstance(value, (list, tuple, set, frozenset, dict)) or (hasattr(value, "ndim") and value.ndim):
            if _are_equally_long(values):
                raise InputError(_several(np.asarray(values)))
            msg = (
                f"y must be flat, a label for each image. Got {str(value)[:60]} at position {place}: an image has one "
                "class, not several (multi-label)."
            )
            raise InputError(msg)


def _are_equally_long(values: Sequence[Any]) -> bool:
    shapes = {len(value) if isinstance(value, (list, tuple, np.ndarray)) else -1 for value in values}
    return len(shapes) == 1 and -1 not in shapes


def _is_missing(value: Any) -> bool:
    """None, NaN, NaT, and pandas' NA, which is neither equal to itself nor different."""
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124 - what is not equal to itself is not a number
    except TypeError:
        return True


def _as_array(values: Sequence[Any]) -> NDArray[Any]:
    """Of one kind: NumPy would silently write numbers beside words as words."""
    words = [isinstance(value, str) for value in values]
    if any(words) and not all(words):
        word, other = values[words.index(True)], values[words.index(False)]
        msg = f"y must hold labels of one kind. Got {word!r} and {other!r}: give words, or numbers, throughout."
        raise InputError(msg)
    return np.asarray(values)


def _check_kind(labels: NDArray[Any]) -> None:
    """Refuse what scikit-learn takes for no classes."""
    if labels.dtype.kind == "O":
        labels = _as_array(labels.tolist())
    elif labels.dtype.kind == "T":
        labels = labels.astype(str)
    try:
        kind = "missing" if labels.dtype.kind == "f" and not np.isfinite(labels).all() else type_of_target(labels)
    except (TypeError, ValueError):
        kind = "unknown"
    if kind in {"binary", "multiclass"}:
        return
    shown = ", ".join(str(label)[:20] for label in labels[:_SHOWN].tolist())
    if kind == "continuous":
        msg = f"y must hold classes. Got continuous numbers ({shown}, ...): sort them into a few named ranges."
    else:
        msg = f"y must hold classes: words or whole numbers. Got {shown}, ... of type {type(labels.flat[0]).__name__}."
    raise InputError(msg)
