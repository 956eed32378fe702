"""Where a checkpoint keeps the network's weights, among all else that training programs put beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# As timm takes them (timm.models._helpers.load_state_dict): averaged weights first.
AVERAGED = ("state_dict_ema", "model_ema")
_USUAL = ("state_dict", "model", "model_state_dict")
_NOT_OF_NETWORKS = ("optim", "opt", "sched", "lr_sched", "scaler", "loops", "callbacks", "rng", "args", "config")
_DEEPEST = 3


@dataclass(frozen=True)
class Chosen:
    """What was taken out of a checkpoint.

    Attributes:
        tensors: By name; none if there are no tensors, or more than one part could be meant.
        part: Names of the parts that they were in, outermost first.
        choices: Parts of which any could be meant.
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
    for _ in range(_DEEPEST):
        if not isinstance(found, Mapping):
            break
        inner = {str(name): value for name, value in found.items() if _holds_tensors(value, is_tensor)}
        usual = next((name for name in (*AVERAGED, *_USUAL) if name in inner), None)
        tensors = {str(name): value for name, value in found.items() if is_tensor(value)}
        if usual is None and tensors:
            return Chosen(tensors, part)
        others = [name for name in inner if not name.lower().startswith(_NOT_OF_NETWORKS)]
        if usual is None and len(others) != 1:
            return Chosen({}, part, choices=tuple(others))
        taken = usual or others[0]
        part, found = (*part, taken), inner[taken]
    return Chosen({}, part)


def _holds_tensors(value: Any, is_tensor: Callable[[Any], bool]) -> bool:
    """Whether there are tensors by name in it, or in a part of it."""
    if not isinstance(value, Mapping):
        return False
    inside = [value, *(one for one in value.values() if isinstance(one, Mapping))]
    return any(is_tensor(one) for part in inside for one in part.values())
