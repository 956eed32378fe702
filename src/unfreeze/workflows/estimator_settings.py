"""Settings of the estimators, checked when `fit` begins: searches hand over NumPy's numbers, and people slips."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, cast

import numpy as np
from sklearn.utils import check_random_state

from unfreeze.core.cards import CROP_MODES
from unfreeze.core.errors import InputError
from unfreeze.core.settings import LARGEST_SIZE, SMALLEST_SIZE, ResizeWord
from unfreeze.core.strategies import StrategyId, parse_strategy

AUTO, CODES = "auto", "codes"  # what `strategy` may be beside the words of `core.strategies.parse_strategy`
_MOST_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Which network, and what it sees.

    Attributes:
        backbone: Name.
        size: Side of the input in pixels; the network's own if None.
        resize: How photos become squares; ``auto`` to measure it, the network's own way if None.
    """

    backbone: str
    size: int | None
    resize: ResizeWord | Literal["auto"] | None


@dataclass(frozen=True, kw_only=True)
class TrainingChoice:
    """What is trained.

    Attributes:
        strategy: One, ``auto`` to race them, ``codes`` for the better linear classifier on the last codes.
        budget: Seconds.
        seed: Of all that is random.
    """

    strategy: StrategyId | Literal["auto", "codes"]
    budget: float
    seed: int


def network_settings(backbone: Any, size: Any, resize: Any, *, may_measure: bool) -> NetworkSettings:
    """Check what an estimator was given.

    Args:
        backbone: A name.
        size: A whole number of pixels, or None.
        resize: A word, or None.
        may_measure: Whether `resize` may be ``auto``.

    Returns:
        The settings in Python's own types.

    Raises:
        InputError: One of them is not of this kind.
    """
    if not isinstance(backbone, str) or not backbone:
        msg = f"backbone must be the name of a network, such as 'resnet18'. Got {backbone!r}."
        raise InputError(msg)
    words = (AUTO, *CROP_MODES) if may_measure else tuple(CROP_MODES)
    if resize is not None and not _is_word(resize, words):
        msg = f"Unknown resize {resize!r}. Choose one of {', '.join(words)}, or None."
        raise InputError(msg)
    side = None if size is None else _side(size)
    known = None if resize is None else cast("ResizeWord | Literal['auto']", str(resize))
    return NetworkSettings(backbone=str(backbone), size=side, resize=known)


def training_choice(strategy: Any, budget: Any, random_state: Any) -> TrainingChoice:
    """Check what an estimator was given.

    Args:
        strategy: A word or a number of blocks.
        budget: A number of seconds.
        random_state: A whole number; None or a generator of NumPy's to draw one.

    Returns:
        The settings in Python's own types.

    Raises:
        InputError: One of them is not of this kind.
    """
    if isinstance(budget, bool) or not isinstance(budget, Real) or not 0 < float(budget) < math.inf:
        msg = f"budget must be a number of seconds above 0. Got {budget!r}."
        raise InputError(msg)
    return TrainingChoice(strategy=_strategy(strategy), budget=float(budget), seed=_seed(random_state))


def _strategy(given: Any) -> StrategyId | Literal["auto", "codes"]:
    if _is_word(given, (AUTO,)):
        return "auto"
    if _is_word(given, (CODES,)):
        return "codes"
    option = "strategy (auto, codes, or one word)"
    if isinstance(given, str):
        return parse_strategy(str(given), option=option)
    blocks = _integer(given)
    # What is neither is refused there, with what there is.
    return parse_strategy(repr(given) if blocks is None else blocks, option=option)


def _seed(given: Any) -> int:
    wanted = "a whole number, 0 or more, a numpy.random.RandomState or None"
    if given is None or isinstance(given, np.random.RandomState):
        return int(check_random_state(given).randint(_MOST_SEED))
    if isinstance(given, np.random.Generator):
        return int(given.integers(_MOST_SEED))
    return _whole(given, "random_state", wanted, least=0)


def _side(given: Any) -> int:
    wanted = f"a whole number of pixels from {SMALLEST_SIZE} to {LARGEST_SIZE}, or None"
    side = _whole(given, "size", wanted, least=SMALLEST_SIZE)
    if side > LARGEST_SIZE:  # it would ask for more memory than there is, and is mostly a slip
        msg = f"size must be {wanted}. Got {given!r}."
        raise InputError(msg)
    return side


def _whole(given: Any, name: str, wanted: str, *, least: int) -> int:
    """A whole number; a float that is one is taken, since `numpy.linspace` gives such to searches."""
    found = _integer(given)
    if found is None or found < least:
        msg = f"{name} must be {wanted}. Got {given!r}."
        raise InputError(msg)
    return found


def _integer(given: Any) -> int | None:
    if not isinstance(given, Real) or isinstance(given, bool):
        return None
    return int(float(given)) if float(given).is_integer() else None


def _is_word(given: Any, words: Collection[str]) -> bool:
    return isinstance(given, str) and given in words
