"""Where a checkpoint keeps the network's weights, among all else that training programs put beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

# As timm takes them (timm.models._helpers.load_state_dict): averaged weights first.
AVERAGED = ("state_dict_ema", "model_ema")
_USUAL = ("state_dict", "model", "model_state_dict")
_NOT_OF_NETWORKS = ("optim", "opt", "sched", "lr_sched", "scaler", "loops", "callbacks", "rng", "args", "config")
_DEEPEST = 6  # VISSL: classy_state_dict, base_model, model, trunk


@dataclass(frozen=True)
class Chosen:
    """What was taken out of a checkpoint.

    Attributes:
        tensors: By name; none if there are none. Where several parts could be meant, those of all of them, each with
            its part before its name.
        part: Names of the parts that they were in, outermost first.
        choices: Parts of which any could be meant; the network that they are for may tell.
    """

    tensors: dict[str, Any]
    part: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()

    @property
    def averaged(self) -> bool:
        """Whether they are a moving average of the trained weights."""
        return any(name in AVERAGED for name in self.part)


def chosen_part(found: Any, is_tensor: Callable[[Any], bool]) -> Chosen:
    """The part of a checkpoint that is the network's state dict.

    Args:
        found: What the checkpoint holds.
        is_tensor: Tells tensors from other values.

    Returns:
        Its tensors, and where they were.
    """
    part: tuple[str, ...] = ()
    holding = _Holding(is_tensor)
    for _ in range(_DEEPEST):
        if not isinstance(found, Mapping):
            break
        inner = {str(name): value for name, value in found.items() if holding(value)}
        usual = next((name for name in (*AVERAGED, *_USUAL) if name in inner), None)
        tensors = {str(name): value for name, value in found.items() if is_tensor(value)}
        if usual is None and tensors:
            return Chosen(tensors, part)
        others = [name for name in inner if not name.lower().startswith(_NOT_OF_NETWORKS)]
        if usual is None and len(others) != 1:
            return Chosen(_together({name: inner[name] for name in others}, is_tensor), part, choices=tuple(others))
        taken = usual or others[0]
        part, found = (*part, taken), inner[taken]
    return Chosen({}, part)


def _together(parts: Mapping[str, Any], is_tensor: Callable[[Any], bool]) -> dict[str, Any]:
    """The tensors of several parts, such as student and teacher, under their names; what is there twice, once."""
    tensors: dict[str, Any] = {}
    left = [(name, value, 1) for name, value in reversed(list(parts.items()))]
    seen: set[int] = set()
    while left:
        name, value, depth = left.pop()
        if is_tensor(value):
            tensors[name] = value
        elif isinstance(value, Mapping) and depth <= _DEEPEST and id(value) not in seen:
            seen.add(id(value))
            left += [(f"{name}.{below}", one, depth + 1) for below, one in reversed(list(value.items()))]
    return tensors


@final
class _Holding:
    """Tells what holds tensors by name, at any depth; asks each part once, since a part may stand in many places."""

    def __init__(self, is_tensor: Callable[[Any], bool]) -> None:
        self._is_tensor = is_tensor
        self._known: dict[int, bool] = {}

    def __call__(self, value: Any, depth: int = _DEEPEST) -> bool:
        """Whether there are tensors by name in it, or in a part of it."""
        if not isinstance(value, Mapping) or not depth:
            return False
        if id(value) not in self._known:
            self._known[id(value)] = False  # while it is looked at: it may hold itself
            self._known[id(value)] = any(self._is_tensor(one) or self(one, depth - 1) for one in value.values())
        return self._known[id(value)]
