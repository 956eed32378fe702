"""A network and its weights, out of Caffe's files: what is built, what it takes, and the values of its tensors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unfreeze.core.errors import PlanError, WeightsError
from unfreeze.zoo.caffe.conversion import Layer, operations_of, wiring
from unfreeze.zoo.caffe.description import Description, Operation
from unfreeze.zoo.caffe.files import CaffeFiles
from unfreeze.zoo.caffe.network import CaffeNetwork, shapes_of, with_global_pools

Colours = tuple[float, float, float]
MOST_NUMBERS = 2**28  # that a layer gives for an image: a gigabyte
TRUNK_CLASSES = 2  # of the head that a trunk gets: all zero, since every task brings its own

_HARMLESS = frozenset({"Dropout", "Flatten", "Reshape"})  # behind a classifier, and kept
_DROPPED = frozenset({"ELU", "PReLU", "ReLU", "Sigmoid", "Softmax"})  # behind a classifier, and left out


@dataclass(frozen=True, kw_only=True)
class Input:
    """What a network of Caffe's takes: ``(pixels - mean) * scale``, blue, green, red, pixels from 0 to 255."""

    size: int
    mean: Colours
    scale: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Imported:
    """A network that was read.

    Attributes:
        description: Ends in its classifier, or in a head of zeros if the trunk alone was asked for.
        takes: Its input.
        weights: By name, as `build_caffe` has them; BatchNorm's counters are not among them.
        left_out: Layers behind the classifier that were left out.
    """

    description: Description
    takes: Input
    weights: Mapping[str, Tensor]
    left_out: tuple[str, ...]


def imported(
    files: CaffeFiles,
    *,
    until: str | None = None,
    mean: Colours | None = None,
    scale: float | None = None,
    size: int | None = None,
) -> Imported:
    """A backbone out of Caffe's files.

    Args:
        files: What they hold.
        until: Last layer of the trunk; None for the whole network with its classifier.
        mean: Blue, green, red; None for what the prototxt says.
        scale: Factor of pixels less the mean; None for what the prototxt says, else 1.
        size: Side of the images; None for what the prototxt says.

    Returns:
        The network.

    Raises:
        PlanError: A layer is not known, the network ends in no classifier, or its input is not known.
        WeightsError: Layers and weights do not fit.
    """
    wired = wiring(files.network, until)
    converted = operations_of(wired, files.blobs)
    takes = _input(wired.images, mean=mean, scale=scale, size=size)
    whole = Description(operations=converted.operations, output=converted.output, head="", size=takes.size)
    shapes = _checked_shapes(whole)
    whole = with_global_pools(whole, shapes)
    tensors = {name: torch.from_numpy(np.array(value, np.float32)) for name, value in converted.tensors.items()}
    if until is not None:
        description, added = _trunk(whole, shapes[whole.output])
        left_out: tuple[str, ...] = ()
    else:
        description, added, left_out = _classifier(whole, shapes)
    _check_names(description, tensors | added)
    return Imported(description=description, takes=takes, weights=tensors | added, left_out=left_out)


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
            "Give its own size with --size PX, or a prototxt that belongs to the caffemodel."
        )
        raise WeightsError(msg) from error
    return shapes


def _check_names(description: Description, weights: Mapping[str, Tensor]) -> None:
    with torch.device("meta"):
        model = CaffeNetwork(description).state_dict()
    wanted = {name: tuple(value.shape) for name, value in model.items() if not name.endswith("num_batches_tracked")}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    odd = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if odd:
        name = odd[0]
        msg = (
            f"Layers and weights do not fit: {name} has the shape {wanted.get(name, 'of none')}, the caffemodel "
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
    elif len(shape) != 2:
        msg = f"The trunk gives numbers in the shape {list(shape)}, which make no codes. Cut at another layer."
        raise PlanError(msg)
    head = add("head", "Linear", {"inputs": shape[1], "outputs": TRUNK_CLASSES, "bias": True})
    zeros = {f"{head}.weight": torch.zeros(TRUNK_CLASSES, shape[1]), f"{head}.bias": torch.zeros(TRUNK_CLASSES)}
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


# --- its input ------------------------------------------------------------------------------------------------------


def _input(images: Layer, *, mean: Colours | None, scale: float | None, size: int | None) -> Input:
    transform = images["transform"] or {"given": [], "scale": 1.0, "crop_size": 0, "mean_value": [], "mean_file": ""}
    settings = images["settings"]
    old = settings if images["type"] == "Data" and not transform["given"] else {}  # of the first versions
    stated = transform["mean_value"]
    if mean is None and len(stated) in {1, 3}:
        mean = (stated[0], stated[len(stated) // 2], stated[-1])
    if mean is None:
        file = transform["mean_file"] or old.get("mean_file", "")
        where = f"names {file}, which holds it: --mean FILE" if file else "does not say"
        msg = (
            f"Which mean is to be subtracted from the pixels? The prototxt {where}. Give it with --mean FILE or with "
            "--mean 104,117,123 (blue, green, red; these are ImageNet's), or --mean 0,0,0 for none."
        )
        raise PlanError(msg)
    factor = scale if scale is not None else transform["scale"] if transform["given"] else old.get("scale", 1.0)
    if not factor > 0:
        msg = f"The pixels' scale is {factor:g}, and it has to be positive. Give another with --scale."
        raise PlanError(msg)
    side = _side(images, transform["crop_size"] or old.get("crop_size", 0), size)
    return Input(size=side, mean=mean, scale=factor)


def _side(images: Layer, crop: int, size: int | None) -> int:
    """Side of the images: as asked, else as the prototxt says."""
    settings = images["settings"]
    shape = list((settings.get("shape") or [[]])[0])
    if images["type"] == "MemoryData":
        shape = [1, settings["channels"], settings["height"], settings["width"]]
    if len(shape) == 4 and shape[1] != 3:
        msg = f"The network takes {shape[1]} channels, and photos have three. Choose another network."
        raise PlanError(msg)
    height, width = (shape[2], shape[3]) if len(shape) == 4 else (crop, crop)
    if size is not None:
        return size
    if height != width or not 8 <= height <= 4096:
        found = f"{height} x {width} pixels" if height or width else "no size"
        msg = f"The network takes squares here, and the prototxt says {found}. Give a side with --size PX."
        raise PlanError(msg)
    return int(height)
