"""How a network that was read becomes a backbone: its shapes are tried, and it ends in a classifier."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from unfreeze.core.errors import PlanError, WeightsError
from unfreeze.zoo.imported.description import Description, Operation
from unfreeze.zoo.imported.network import ImportedNetwork, shapes_of, with_global_pools
from unfreeze.zoo.preprocessing import Preprocessing

MOST_NUMBERS = 2**28  # that a layer gives for an image: a gigabyte
TRUNK_CLASSES = 2  # of the head that a trunk gets: all zero, since every task brings its own

_HARMLESS = frozenset({"Dropout", "Flatten", "Reshape"})  # behind a classifier, and kept
_DROPPED = frozenset({"ELU", "PReLU", "ReLU", "Sigmoid", "Softmax"})  # behind a classifier, and left out


@dataclass(frozen=True, eq=False, kw_only=True)
class Imported:
    """A network that was read.

    Attributes:
        description: Ends in its classifier, or in a head of zeros if the trunk alone was asked for.
        takes: What it takes.
        weights: By name, as `build_imported` has them; BatchNorm's counters are not among them.
        left_out: Layers behind the classifier that were left out.
    """

    description: Description
    takes: Preprocessing
    weights: Mapping[str, Tensor]
    left_out: tuple[str, ...]


def ended(whole: Description, tensors: Mapping[str, Tensor], takes: Preprocessing, *, trunk: bool) -> Imported:
    """A network with its end as a backbone needs it.

    Args:
        whole: As it was read; its `head` is not known yet.
        tensors: Weights by name.
        takes: What it takes.
        trunk: Whether it is a trunk, which gets a head, or has a classifier.

    Raises:
        PlanError: It ends in no classifier.
        WeightsError: Layers and weights do not fit.
    """
    shapes = _checked_shapes(whole)
    whole = with_global_pools(whole, shapes)
    if trunk:
        description, added = _trunk(whole, shapes[whole.output])
        left_out: tuple[str, ...] = ()
    else:
        description, added, left_out = _classifier(whole, shapes)
    weights = {**tensors, **added}
    _check_names(description, weights)
    return Imported(description=description, takes=takes, weights=weights, left_out=left_out)


def _checked_shapes(description: Description) -> dict[str, tuple[int, ...]]:
    try:
        shapes = shapes_of(description, description.size)
        if (largest := max(math.prod(shape) for shape in shapes.values())) > MOST_NUMBERS:
            msg = f"a layer would give {largest:,} numbers, {MOST_NUMBERS:,} at most"
            raise ValueError(msg)
    except (ArithmeticError, IndexError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
        msg = (
            f"The network does not take images of {description.size} pixels as its layers are described ({reason}). "
            "Give its own size with --size PX, or files that belong together."
        )
        raise WeightsError(msg) from error
    return shapes


def _check_names(description: Description, weights: Mapping[str, Tensor]) -> None:
    with torch.device("meta"):
        model = ImportedNetwork(description).state_dict()
    wanted = {name: tuple(value.shape) for name, value in model.items() if not name.endswith("num_batches_tracked")}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    odd = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if odd:
        name = odd[0]
        msg = (
            f"Layers and weights do not fit: {name} has the shape {wanted.get(name, 'of none')}, the file "
            f"{found.get(name, 'has none')}. Give files that belong together."
        )
        raise WeightsError(msg)


def _names(description: Description) -> set[str]:
    return {one.name for one in description.operations}


# --- the end of the network -----------------------------------------------------------------------------------------


def _trunk(whole: Description, shape: tuple[int, ...]) -> tuple[Description, dict[str, Tensor]]:
    """The trunk with a head of zeros on its pooled output."""
    taken, value = _names(whole), whole.output
    operations = list(whole.operations)

    def add(stem: str, kind: str, settings: Mapping[str, Any]) -> str:
        name = stem if stem not in taken else f"{stem}_of_trunk"
        operations.append(Operation(name=name, kind=kind, inputs=(value,), settings=settings))
        return name

    if len(shape) == 4:
        value = add("pool_of_all", "GlobalPool", {"method": "AVE"})
        value = add("codes", "Flatten", {"start": 1, "end": -1})
    elif len(shape) == 3:
        value = add("codes", "Mean", {"axes": [1], "keep": False})
    elif len(shape) != 2:
        msg = f"The trunk gives numbers in the shape {list(shape)}, which make no codes. Cut at another layer."
        raise PlanError(msg)
    width = shape[2] if len(shape) == 3 else shape[1]
    head = add("head", "Linear", {"inputs": width, "outputs": TRUNK_CLASSES, "bias": True})
    zeros = {f"{head}.weight": torch.zeros(TRUNK_CLASSES, width), f"{head}.bias": torch.zeros(TRUNK_CLASSES)}
    return replace(whole, operations=tuple(operations), output=head, head=head), zeros


def _classifier(
    whole: Description, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Description, dict[str, Tensor], tuple[str, ...]]:
    """The network down to its scores: affine in its last codes, without what makes them probabilities."""
    one, behind = _last_layer(whole)
    left_out = tuple(op.name for op in behind if op.kind in _DROPPED)
    operations, value = list(whole.operations), one.name
    for op in reversed(behind):
        place = operations.index(op)
        if op.kind in _DROPPED:
            del operations[place]
        else:
            operations[place] = replace(op, inputs=(value,))
            value = op.name
    added = {}
    if not one.settings["bias"]:
        operations[operations.index(one)] = replace(one, settings={**one.settings, "bias": True})
        added[f"{one.name}.bias"] = torch.zeros(one.settings["outputs"])
    if len(shapes[value]) > 2:
        operations.append(Operation(name="scores", kind="Flatten", inputs=(value,), settings={"start": 1, "end": -1}))
        value = "scores"
    return replace(whole, operations=tuple(operations), output=value, head=one.name), added, left_out


def _last_layer(whole: Description) -> tuple[Operation, list[Operation]]:
    """The classifier, and what follows it, last first."""
    by_name = {one.name: one for one in whole.operations}
    behind: list[Operation] = []
    one = by_name.get(whole.output)
    while one is not None and not _is_classifier(one):
        passable = one.kind in _HARMLESS | _DROPPED or _is_mean(one)
        behind.append(one)
        one = by_name.get(one.inputs[0]) if passable else None
    if one is None:
        last = whole.output.partition(":")[0]
        msg = (
            f"The network ends in {last}, and not in a linear layer or 1x1 convolution of classes. Name the last layer "
            "of its trunk with --until LAYER."
        )
        raise PlanError(msg)
    return one, behind


def _is_classifier(one: Operation) -> bool:
    plain = one.kind == "Convolution" and (one.settings["kernel"], one.settings["groups"]) == ([1, 1], 1)
    return one.kind == "Linear" or plain


def _is_mean(one: Operation) -> bool:
    return one.kind in {"GlobalPool", "Pool"} and one.settings["method"] == "AVE"
