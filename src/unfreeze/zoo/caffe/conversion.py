"""From Caffe's layers to the operations of a description, and their weights to PyTorch's names and shapes."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from unfreeze.core.errors import PlanError, WeightsError
from unfreeze.zoo.imported.description import IMAGE, Operation
from unfreeze.zoo.imported.network import module_name

Layer = Mapping[str, Any]
Blobs = Mapping[str, tuple[np.ndarray, ...]]
Tensors = dict[str, np.ndarray]

DATA = frozenset({"Data", "DummyData", "HDF5Data", "ImageData", "Input", "MemoryData", "WindowData", "AnnotatedData"})
_LOSSES = frozenset(
    {
        *("SoftmaxWithLoss", "SoftmaxLoss", "SigmoidCrossEntropyLoss", "HingeLoss", "EuclideanLoss", "InfogainLoss"),
        *("MultinomialLogisticLoss", "ContrastiveLoss", "ArgMax"),
    }
)
_PASSED_OVER = frozenset({"Accuracy", "HDF5Output", "Silence"})
_DETECTION = frozenset(
    {
        *("DetectionEvaluate", "DetectionOutput", "MultiBoxLoss", "Normalize", "PSROIPooling", "Permute", "PriorBox"),
        *("Proposal", "ROIPooling", "SmoothL1Loss"),
    }
)


@dataclass(frozen=True)
class Node:
    """A layer and the values that it takes and gives."""

    layer: Layer
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def words(self) -> str:
        """The layer, for sentences."""
        return f"layer {self.layer['name']} ({self.layer['type']})"


@dataclass(frozen=True)
class Wiring:
    """Layers that the output needs, in order.

    Attributes:
        nodes: The layers.
        output: The value that the network gives.
        images: The layer that brings the images in, if one does, or the name and shape of the input.
    """

    nodes: tuple[Node, ...]
    output: str
    images: Layer


# --- wiring ---------------------------------------------------------------------------------------------------------


def wiring(network: Mapping[str, Any], until: str | None) -> Wiring:
    """Which layers there are when the network is used, and which of them are needed.

    Args:
        network: Of `reading.network_in`.
        until: Name of the layer that is to be the last; None for the classifier's scores.

    Raises:
        PlanError: There is no such layer, a layer reads what no layer gives, or the network is a detector's.
    """
    values: dict[str, str] = {}
    images: Layer | None = None
    nodes: list[Node] = []
    output = ""
    for name, shape in network["inputs"]:
        values[name] = f"input {name}" if images else IMAGE
        images = images or {"type": "Input", "settings": {"shape": [shape]}, "transform": None}
    taken: set[str] = set()
    for layer in _present(network["layers"]):
        if layer["type"] in DATA:
            for place, top in enumerate(layer["tops"]):
                values[top] = f"output {place + 1} of layer {layer['name']}" if images or place else IMAGE
            images = images or layer
        elif layer["type"] in _LOSSES:
            output = values.get(next(iter(layer["bottoms"]), ""), output) if until is None else output
        elif layer["type"] == "Split":
            values |= dict.fromkeys(layer["tops"], _taken(layer, values)[0])
        elif layer["type"] not in _PASSED_OVER:
            nodes.append(_node(layer, values, taken))
            output = nodes[-1].outputs[0] if until in {None, layer["name"]} else output
    if images is None:
        msg = "The prototxt has no layer that brings images in, and no input. Give one for deployment, with an input."
        raise PlanError(msg)
    if not output:
        raise PlanError(_no_layer(until, nodes))
    return Wiring(_needed(nodes, output), output, images)


def _present(layers: Sequence[Layer]) -> list[Layer]:
    """Layers that are there in the phase of testing; where only training has data, its data too."""
    present = [layer for layer in layers if _is_there(layer, "TEST")]
    if not any(layer["type"] in DATA for layer in present):
        data = [layer for layer in layers if layer["type"] in DATA and _is_there(layer, "TRAIN")]
        present = [*data[:1], *present]
    return present


def _is_there(layer: Layer, phase: str) -> bool:
    def met(rule: Mapping[str, Any]) -> bool:
        return not rule["stage"] and ("phase" not in rule["given"] or rule["phase"] == phase)

    if layer["include"]:
        return any(map(met, layer["include"]))
    return not any(map(met, layer["exclude"]))


def _taken(layer: Layer, values: Mapping[str, str]) -> tuple[str, ...]:
    for bottom in layer["bottoms"]:
        if bottom not in values:
            msg = f"The layer {layer['name']} reads {bottom!r}, which no layer before it gives. Give a whole prototxt."
            raise PlanError(msg)
    if not layer["bottoms"]:
        msg = f"The layer {layer['name']} ({layer['type']}) reads nothing. Give a prototxt whose layers are known ones."
        raise PlanError(msg)
    return tuple(values[bottom] for bottom in layer["bottoms"])


def _node(layer: Layer, values: dict[str, str], taken: set[str]) -> Node:
    inputs = _taken(layer, values)
    name = module_name(re.sub(r"\W", "_", layer["name"] or layer["type"], flags=re.ASCII), taken)
    slices = layer["type"] == "Slice"
    outputs = tuple(f"{name}:{place}" for place in range(len(layer["tops"]))) if slices else (name,)
    values |= dict(zip(layer["tops"] or [name], outputs, strict=False))
    return Node(layer, inputs, outputs)


def _no_layer(until: str | None, nodes: Sequence[Node]) -> str:
    names = [str(node.layer["name"]) for node in nodes]
    if until is None or not names:
        return "The prototxt has no layer that computes anything. Give the prototxt of a network."
    close = difflib.get_close_matches(until, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"The last is {names[-1]}."
    return f"No layer is called {until!r}. {hint}"


def _needed(nodes: Sequence[Node], output: str) -> tuple[Node, ...]:
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted & set(node.outputs):
            wanted |= set(node.inputs)
            kept.append(node)
    kept.reverse()
    made = {IMAGE, *(value for node in kept for value in node.outputs)}
    for place, node in enumerate(kept):
        if node.layer["type"] in _DETECTION:
            raise PlanError(_for_detectors(node, kept[:place]))
        if strange := set(node.inputs) - made:
            msg = (
                f"The {node.words} reads {min(strange)}, and only images can be given. "
                "Name the last layer that needs nothing else with --until LAYER."
            )
            raise PlanError(msg)
    return tuple(kept)


def _for_detectors(node: Node, before: Sequence[Node]) -> str:
    """Where to cut: behind the last junction, else behind the last layer that is no detector's."""
    junctions = [one for one in before if one.layer["type"] in {"Eltwise", "Concat"}]
    ends = [one for one in before if one.layer["type"] not in _DETECTION]
    where = (junctions or ends)[-1:]
    hint = f"cut at {where[0].layer['name']}: --until {where[0].layer['name']}" if where else "nothing comes before it"
    return f"The layer {node.layer['type']} ({node.layer['name']}) is for detectors: {hint}."


# --- layers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Given:
    """What the conversion of a layer is told: its node, settings and blobs, and the ranks of its inputs."""

    node: Node
    ranks: tuple[int, ...]
    blobs: tuple[np.ndarray, ...]
    settings: Mapping[str, Any]

    def refused(self, why: str) -> PlanError:
        return PlanError(f"The {self.node.words} cannot be imported, since {why}. Cut before it with --until LAYER.")

    def misfit(self, why: str) -> WeightsError:
        return WeightsError(f"The {self.node.words} and its weights do not fit: {why}. Give files of one network.")

    def axis(self, value: int) -> int:
        rank = self.ranks[0]
        if not -rank <= value < rank:
            raise self.refused(f"it works along axis {value} of {rank}")
        return value % rank

    def needs(self, numbers: range) -> tuple[np.ndarray, ...]:
        if len(self.blobs) not in numbers:
            wanted = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
            missing = "; layers are matched by name" if not self.blobs else ""
            raise self.misfit(f"{wanted} blobs are needed, the caffemodel has {len(self.blobs)}{missing}")
        return self.blobs


@dataclass(frozen=True)
class _Made:
    """What became of a layer; `flat` says that its input has to be flattened first."""

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    tensors: Tensors = field(default_factory=dict)
    rank: int | None = None
    flat: bool = False


def _pair(given: _Given, name: str, default: int | None) -> list[int]:
    """Height and width of a setting that has one number for both, a list, or one for each; 0 means not given."""
    settings = given.settings
    prefix = name.removesuffix("_size")
    sides = [settings[f"{prefix}_h"], settings[f"{prefix}_w"]] if f"{prefix}_h" in settings else [0, 0]
    if f"{prefix}_h" in settings["given"] or f"{prefix}_w" in settings["given"]:
        return sides
    values = settings[name] if isinstance(settings[name], list) else [settings[name]]
    values = values or ([] if default is None else [default])
    if len(values) not in {1, 2} or (name != "pad" and 0 in values) or max(values) > 2**15:
        raise given.refused(f"its {name} is {values or 'missing'}")
    return [*values, *values][:2] if len(values) == 1 else values


def _numbers(given: _Given, blob: np.ndarray, size: int, what: str) -> np.ndarray:
    if blob.size != size:
        raise given.misfit(f"{what} needs {size:,} numbers, the caffemodel has {blob.size:,}")
    return blob.reshape(size)


def _convolution(given: _Given) -> _Made:
    settings, outputs, groups = given.settings, given.settings["num_output"], given.settings["group"]
    if given.ranks[0] != 4 or settings["axis"] != 1:
        raise given.refused("only convolutions of maps are known")
    kernel = _pair(given, "kernel_size", None)
    weight, *bias = given.needs(range(1 + settings["bias_term"], 2 + settings["bias_term"]))
    deconvolution = given.node.layer["type"] == "Deconvolution"
    # Caffe stores [outputs, inputs / groups, h, w], of a deconvolution [inputs, outputs / groups, h, w].
    if not outputs or not groups or outputs % groups:
        raise given.refused(f"it has {outputs} outputs in {groups} groups")
    known = (outputs // groups if deconvolution else outputs) * kernel[0] * kernel[1]
    if weight.size % known or not weight.size:
        raise given.misfit(f"{outputs:,} outputs of {kernel[0]} x {kernel[1]}, and {weight.size:,} numbers")
    other = weight.size // known
    shape = (other, outputs // groups, *kernel) if deconvolution else (outputs, other, *kernel)
    tensors = {"weight": weight.reshape(shape)}
    if bias:
        tensors["bias"] = _numbers(given, bias[0], outputs, "its bias")
    made = {
        "inputs": other if deconvolution else other * groups,
        "outputs": outputs,
        "kernel": kernel,
        "stride": _pair(given, "stride", 1),
        "pad": _pair(given, "pad", 0),
        "dilation": _dilation(given),
        "groups": groups,
        "bias": bool(bias),
    }
    return _Made(given.node.layer["type"], made, tensors)


def _dilation(given: _Given) -> list[int]:
    values = given.settings["dilation"] or [1]
    if len(values) > 2 or not all(0 < value <= 2**15 for value in values):
        raise given.refused(f"its dilation is {values}")
    return [values[0], values[-1]]


def _inner_product(given: _Given) -> _Made:
    settings, outputs = given.settings, given.settings["num_output"]
    if given.axis(settings["axis"]) != 1:
        raise given.refused(f"it begins at axis {settings['axis']}")
    weight, *bias = given.needs(range(1 + settings["bias_term"], 2 + settings["bias_term"]))
    if not outputs or weight.size % outputs or not weight.size:
        raise given.misfit(f"{outputs:,} outputs, and {weight.size:,} numbers")
    matrix = weight.reshape(-1, outputs).T if settings["transpose"] else weight.reshape(outputs, -1)
    tensors = {"weight": np.ascontiguousarray(matrix)}
    if bias:
        tensors["bias"] = _numbers(given, bias[0], outputs, "its bias")
    made = {"inputs": matrix.shape[1], "outputs": outputs, "bias": bool(bias)}
    return _Made("Linear", made, tensors, rank=2, flat=given.ranks[0] > 2)


def _pooling(given: _Given) -> _Made:
    settings = given.settings
    if settings["pool"] == "STOCHASTIC":
        raise given.refused("stochastic pooling is not known")
    if settings["global_pooling"]:
        return _Made("GlobalPool", {"method": settings["pool"]})
    kernel, pad = _pair(given, "kernel_size", None), _pair(given, "pad", 0)
    if 0 in kernel or any(p >= k for p, k in zip(pad, kernel, strict=True)):
        raise given.refused(f"its window is {kernel} with {pad} of padding")
    made = {"method": settings["pool"], "kernel": kernel, "stride": _pair(given, "stride", 1), "pad": pad}
    return _Made("Pool", {**made, "ceil": settings["round_mode"] == "CEIL"})


def _batch_norm(given: _Given) -> _Made:
    mean, variance, factor = given.needs(range(3, 4))
    total = float(factor.reshape(-1)[0]) if factor.size else 0.0
    scale = np.float32(1 / total if total else 0.0)
    channels = mean.size
    made = {"channels": channels, "eps": given.settings["eps"], "affine": False, "rank": given.ranks[0]}
    tensors = {
        "running_mean": mean.reshape(channels) * scale,
        "running_var": _numbers(given, variance, channels, "its variance") * scale,
    }
    return _Made("BatchNorm", made, tensors)


def _scale(given: _Given) -> _Made:
    settings, rank = given.settings, given.ranks[0]
    axis = given.axis(settings["axis"])
    if len(given.ranks) == 2:
        missing = rank - axis - given.ranks[1]
        if missing < 0 or settings["bias_term"]:
            raise given.refused("its two inputs do not fit")
        return _Made("Product", {"axis": axis, "missing": missing})
    if (axis, settings["num_axes"]) != (1, 1):
        raise given.refused("only one factor for each channel is known")
    weight, *bias = given.needs(range(1 + settings["bias_term"], 2 + settings["bias_term"]))
    tensors = {"weight": weight.reshape(-1)}
    if bias:
        tensors["bias"] = _numbers(given, bias[0], weight.size, "its bias")
    return _Made("PerChannel", {"channels": weight.size, "rank": rank, "weight": True, "bias": bool(bias)}, tensors)


def _bias(given: _Given) -> _Made:
    if (given.axis(given.settings["axis"]), given.settings["num_axes"], len(given.ranks)) != (1, 1, 1):
        raise given.refused("only one summand for each channel is known")
    (bias,) = given.needs(range(1, 2))
    settings = {"channels": bias.size, "rank": given.ranks[0], "weight": False, "bias": True}
    return _Made("PerChannel", settings, {"bias": bias.reshape(-1)})


def _prelu(given: _Given) -> _Made:
    (slopes,) = given.needs(range(1, 2))
    return _Made("PReLU", {"channels": slopes.size}, {"weight": slopes.reshape(-1)})


def _norm(given: _Given) -> _Made:
    settings = given.settings
    if settings["local_size"] % 2 == 0:
        raise given.refused(f"its size {settings['local_size']} is not odd")
    made = {"size": settings["local_size"], "alpha": settings["alpha"], "beta": settings["beta"], "k": settings["k"]}
    return _Made("LRN", {**made, "within": settings["norm_region"] == "WITHIN_CHANNEL"})


def _eltwise(given: _Given) -> _Made:
    coefficients = given.settings["coeff"]
    if coefficients and (len(coefficients) != len(given.ranks) or given.settings["operation"] != "SUM"):
        raise given.refused(f"it has {len(coefficients)} coefficients")
    return _Made("Combination", {"operation": given.settings["operation"], "coefficients": coefficients})


def _concat(given: _Given) -> _Made:
    old = "concat_dim" in given.settings["given"]
    return _Made("Concat", {"axis": given.axis(given.settings["concat_dim" if old else "axis"])})


def _slice(given: _Given) -> _Made:
    old, points = "slice_dim" in given.settings["given"], given.settings["slice_point"]
    parts = len(given.node.outputs)
    if (points and len(points) != parts - 1) or parts < 1:
        raise given.refused(f"it has {parts} outputs and {len(points)} points")
    axis = given.axis(given.settings["slice_dim" if old else "axis"])
    return _Made("Slice", {"axis": axis, "points": points or parts})


def _flatten(given: _Given) -> _Made:
    start, end = given.axis(given.settings["axis"]), given.axis(given.settings["end_axis"])
    if not 1 <= start <= end:
        raise given.refused("it would join images")
    return _Made("Flatten", {"start": start, "end": end}, rank=given.ranks[0] - (end - start))


def _reshape(given: _Given) -> _Made:
    shape, rank = given.settings["shape"], given.ranks[0]
    axis = given.settings["axis"] % (rank + 1)
    if given.settings["num_axes"] != -1 or not shape or min(shape) < -1:
        raise given.refused("only whole shapes are known")
    shape = [0] * axis + list(shape)
    if axis == 0 and shape[0] != -1:
        shape[0] = 0  # the number of images, which is any here
    if len(shape) > 4 or 0 in shape[rank:] or shape.count(-1) > 1:
        raise given.refused(f"its shape is {shape}")
    return _Made("Reshape", {"shape": shape}, rank=len(shape))


def _crop(given: _Given) -> _Made:
    axis, offsets = given.axis(given.settings["axis"]), given.settings["offset"]
    count = given.ranks[0] - axis
    if len(given.ranks) != 2 or len(offsets) not in {0, 1, count}:
        raise given.refused(f"it has {len(given.ranks)} inputs and {len(offsets)} offsets")
    return _Made(
        "Crop", {"axis": axis, "offsets": list(offsets) if len(offsets) == count else (offsets or [0]) * count}
    )


def _power(given: _Given) -> _Made:
    settings = given.settings
    made = {"function": "power", "scale": settings["scale"], "shift": settings["shift"], "base": settings["power"]}
    return _Made("Elementwise", made)


def _exponential(given: _Given) -> _Made:
    settings = given.settings
    if settings["base"] != -1 and (settings["base"] <= 0 or settings["base"] == 1):
        raise given.refused(f"its base is {settings['base']:g}")
    names = {name: settings[name] for name in ("scale", "shift", "base")}
    return _Made("Elementwise", {"function": given.node.layer["type"].lower(), **names})


_CONVERTERS: Mapping[str, Callable[[_Given], _Made]] = {
    "AbsVal": lambda _: _Made("Elementwise", {"function": "abs"}),
    "BatchNorm": _batch_norm,
    "Bias": _bias,
    "Concat": _concat,
    "Convolution": _convolution,
    "Crop": _crop,
    "Deconvolution": _convolution,
    "Dropout": lambda given: _Made("Dropout", {"ratio": given.settings["dropout_ratio"]}),
    "ELU": lambda given: _Made("ELU", {"alpha": given.settings["alpha"]}),
    "Eltwise": _eltwise,
    "Exp": _exponential,
    "Flatten": _flatten,
    "InnerProduct": _inner_product,
    "LRN": _norm,
    "Log": _exponential,
    "PReLU": _prelu,
    "Pooling": _pooling,
    "Power": _power,
    "ReLU": lambda given: _Made("ReLU", {"slope": given.settings["negative_slope"]}),
    "Reshape": _reshape,
    "Scale": _scale,
    "Sigmoid": lambda _: _Made("Sigmoid"),
    "Slice": _slice,
    "Softmax": lambda given: _Made("Softmax", {"axis": given.axis(given.settings["axis"])}),
    "TanH": lambda _: _Made("TanH"),
}


@dataclass(frozen=True, eq=False)
class Converted:
    """Operations in order, the value that they end in, and float32 arrays by PyTorch's names."""

    operations: tuple[Operation, ...]
    output: str
    tensors: Tensors


def operations_of(wired: Wiring, blobs: Blobs) -> Converted:
    """The operations, and their weights by PyTorch's names.

    Args:
        wired: Of `wiring`.
        blobs: Of the caffemodel, by the layer's name.

    Returns:
        An operation for each layer, more where flattening has to be said, fewer where a BatchNorm takes the Scale
        behind it.

    Raises:
        PlanError: A layer or one of its settings is not known.
        WeightsError: A layer and its blobs do not fit.
    """
    ranks = {IMAGE: 4}
    operations: list[Operation] = []
    tensors: Tensors = {}
    for node in wired.nodes:
        name = node.outputs[0].partition(":")[0]
        made = _converted(node, tuple(ranks[value] for value in node.inputs), blobs)
        inputs = node.inputs
        if made.flat:
            flat = Operation(name=f"{name}_flat", kind="Flatten", inputs=inputs[:1], settings={"start": 1, "end": -1})
            operations.append(flat)
            inputs = (flat.name,)
        operations.append(Operation(name=name, kind=made.kind, inputs=inputs, settings=made.settings))
        tensors |= {f"{name}.{part}": np.ascontiguousarray(value) for part, value in made.tensors.items()}
        ranks |= dict.fromkeys(node.outputs, made.rank or ranks[node.inputs[0]])
    return _with_scales(operations, wired.output, tensors)


def _converted(node: Node, ranks: tuple[int, ...], blobs: Blobs) -> _Made:
    kind = node.layer["type"]
    if kind not in _CONVERTERS:
        msg = f"The {node.words} is of a type that is not known. Cut before it with --until LAYER."
        raise PlanError(msg)
    many = kind in {"Concat", "Crop", "Eltwise", "Scale"}
    if len(ranks) > 1 and not many:
        msg = f"The {node.words} reads {len(ranks)} inputs, and one is known. Cut before it with --until LAYER."
        raise PlanError(msg)
    return _CONVERTERS[kind](_Given(node, ranks, blobs.get(node.layer["name"], ()), node.layer["settings"]))


def _with_scales(operations: Sequence[Operation], output: str, tensors: Tensors) -> Converted:
    """Each Scale behind a BatchNorm that nothing else reads becomes part of it, as in PyTorch."""
    users: dict[str, int] = {output: 1}
    for one in operations:
        for value in one.inputs:
            users[value] = users.get(value, 0) + 1
    kept: dict[str, Operation] = {}
    moved: dict[str, str] = {}
    for one in operations:
        inputs = tuple(moved.get(value, value) for value in one.inputs)
        norm = kept.get(inputs[0])
        if _is_scale_of(one, norm) and norm is not None and users[inputs[0]] == 1:
            moved[one.name] = norm.name
            users[norm.name] = users.get(one.name, 0)
            kept[norm.name] = replace(norm, settings={**norm.settings, "affine": True})
            weight = tensors.pop(f"{one.name}.weight")
            tensors[f"{norm.name}.weight"] = weight
            tensors[f"{norm.name}.bias"] = tensors.pop(f"{one.name}.bias", np.zeros_like(weight))
        else:
            kept[one.name] = replace(one, inputs=inputs)
    return Converted(tuple(kept.values()), moved.get(output, output), tensors)


def _is_scale_of(one: Operation, norm: Operation | None) -> bool:
    return (
        norm is not None
        and (one.kind, norm.kind) == ("PerChannel", "BatchNorm")
        and bool(one.settings["weight"])
        and not norm.settings["affine"]
        and one.settings["channels"] == norm.settings["channels"]
    )
