"""From OpenVINO's operations to those of a description, and their weights to PyTorch's names and shapes."""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from unfreeze.core.errors import PlanError
from unfreeze.zoo.imported.description import IMAGE, Operation
from unfreeze.zoo.imported.network import module_name
from unfreeze.zoo.onnx.nodes import Node, OnnxNetwork, Shape

Tensors = dict[str, np.ndarray]
Port = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Converted:
    """Operations in order, the value that they end in, and float32 arrays by PyTorch's names."""

    operations: tuple[Operation, ...]
    output: str
    tensors: Tensors


@dataclass(frozen=True, eq=False)
class _Made:
    """An operation without its name and inputs, and its weights."""

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Given:
    """A node with what it takes: constants by place, shapes of all, and the number of images in them."""

    node: Node
    constants: Mapping[int, np.ndarray]
    shapes: tuple[Shape, ...]
    batch: int

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The node's."""
        return self.node.attributes

    @property
    def rank(self) -> int:
        """Axes of the first input."""
        return len(self.shapes[0])

    def numbers(self, place: int) -> list[int]:
        """Whole numbers that must be constant."""
        return [int(value) for value in self._constant(place).reshape(-1)]

    def number(self, place: int) -> float:
        """A number that must be constant."""
        return float(self._constant(place).reshape(-1)[0])

    def axes(self, place: int) -> list[int]:
        """Axes that must be constant, counted from the first."""
        return [axis % self.rank for axis in self.numbers(place)]

    def _constant(self, place: int) -> np.ndarray:
        if place not in self.constants or not self.constants[place].size:
            raise self.refused("a setting of it depends on the photo")
        return self.constants[place]

    def refused(self, why: str) -> PlanError:
        """The layer is none that can be built."""
        return PlanError(
            f"The layer {self.node.name} ({self.node.type}) cannot be imported: {why}. Import the trunk before it with "
            "--until LAYER."
        )


# --- what the nodes become ------------------------------------------------------------------------------------------


def _convolution(given: _Given) -> list[_Made]:
    if given.rank != 4 or 1 not in given.constants:
        raise given.refused("only convolutions of maps by fixed weights are known")
    weight, at, grouped = given.constants[1], given.attributes, given.node.type.startswith("Group")
    groups = weight.shape[0] if grouped else 1
    weight = weight.reshape(-1, *weight.shape[2:]) if grouped else weight
    begin, end = list(at["pads_begin"]), list(at["pads_end"])
    added = [] if begin == end else [_Made("Padded", {"begin": begin, "end": end})]
    settings = {
        "inputs": weight.shape[1] * groups,
        "outputs": weight.shape[0],
        "kernel": list(weight.shape[2:]),
        "stride": list(at["strides"]),
        "pad": begin if begin == end else [0, 0],
        "dilation": list(at["dilations"]),
        "groups": groups,
        "bias": False,
    }
    return [*added, _Made("Convolution", settings, {"weight": weight})]


def _product(given: _Given) -> list[_Made]:
    first, second = bool(given.attributes["transpose_a"]), bool(given.attributes["transpose_b"])
    if not given.constants:
        return [_Made("Products", {"first": first, "second": second})]
    weight = given.constants.get(1)
    if weight is None or weight.ndim != 2 or first:
        raise given.refused("only products with a fixed matrix behind are known")
    weight = weight if second else weight.T
    settings = {"inputs": weight.shape[1], "outputs": weight.shape[0], "bias": False}
    return [_Made("Linear", settings, {"weight": weight})]


def _arithmetic(function: str) -> Callable[[_Given], list[_Made]]:
    def made(given: _Given) -> list[_Made]:
        if not given.constants:
            return [_Made("Arithmetic", {"function": function, "shape": None, "first": False})]
        ((place, value),) = given.constants.items()
        first = place == 0
        if value.size == 1:
            return [_Made("WithNumber", {"function": function, "number": float(value.reshape(-1)[0]), "first": first})]
        if value.dtype != np.float32:
            raise given.refused("it takes fixed whole numbers")
        value = _of_one_image(value, given)
        return [
            _Made("Arithmetic", {"function": function, "shape": list(value.shape), "first": first}, {"weight": value})
        ]

    return made


def _of_one_image(value: np.ndarray, given: _Given) -> np.ndarray:
    """Constants that are the same for each image, once."""
    rank = max(map(len, given.shapes))
    if given.batch == 1 or value.ndim < rank or value.shape[0] != given.batch:
        return value
    if not (value == value[:1]).all():
        raise given.refused("it holds other numbers for each image")
    return value[:1]


def _pooling(method: str) -> Callable[[_Given], list[_Made]]:
    def made(given: _Given) -> list[_Made]:
        at, outputs = given.attributes, given.node.shapes[0]
        kernel, stride, begin = list(at["kernel"]), list(at["strides"]), list(at["pads_begin"])
        if given.rank != 4 or any(one != 1 for one in at.get("dilations", ())):
            raise given.refused("only windows of maps without gaps are known")
        if at["pads_begin"] == at["pads_end"] == [0, 0] and tuple(kernel) == given.shapes[0][2:]:
            return [_Made("GlobalPool", {"method": method})]
        sides = given.shapes[0][2:]
        # Rounding up the number of windows is padding behind the image, of which a mean counts nothing.
        end = [
            max(at["pads_end"][axis], (outputs[2 + axis] - 1) * stride[axis] + kernel[axis] - sides[axis] - begin[axis])
            for axis in (0, 1)
        ]
        counted = not at.get("exclude-pad", True)
        if counted and end != list(at["pads_end"]):
            raise given.refused("it rounds the number of its windows up")
        settings = {"method": method, "kernel": kernel, "stride": stride, "begin": begin, "end": end}
        return [_Made("Window", {**settings, "counted": counted})]

    return made


def _reduced(method: str) -> Callable[[_Given], list[_Made]]:
    def made(given: _Given) -> list[_Made]:
        axes, keep = given.axes(1), bool(given.attributes["keep_dims"])
        if given.rank == 4 and sorted(axes) == [2, 3]:
            pool = _Made("GlobalPool", {"method": method})
            return [pool] if keep else [pool, _Made("Flatten", {"start": 1, "end": -1})]
        if method != "AVE" or 0 in axes:
            raise given.refused(f"it goes over the axes {axes}")
        return [_Made("Mean", {"axes": axes, "keep": keep})]

    return made


def _reshaped(given: _Given) -> list[_Made]:
    """To sizes that are known for each image; the axis of images takes what comes."""
    shape = list(given.node.shapes[0])
    if len(shape) == 2 and shape[0] == given.batch == given.shapes[0][0] and given.rank > 2:
        return [_Made("Flatten", {"start": 1, "end": -1})]
    carrying = [axis for axis, side in enumerate(shape) if side % given.batch == 0]
    if not carrying:
        raise given.refused(f"its shape is {shape}")
    shape[carrying[0]] = -1
    return [_Made("Reshape", {"shape": shape})]


def _transposed(given: _Given) -> list[_Made]:
    return [_Made("Permuted", {"order": given.numbers(1)})]


def _standardised(given: _Given) -> list[_Made]:
    at, axes = given.attributes, given.axes(1)
    if not at["normalize_variance"] or at["eps_mode"].upper() != "INSIDE_SQRT" or 0 in axes:
        raise given.refused("only layer norms are known")
    return [_Made("Standardised", {"axes": axes, "eps": float(at["eps"])})]


def _attention(given: _Given) -> list[_Made]:
    scale = given.number(4) if len(given.shapes) > 4 else None
    masked = len(given.shapes) > 3 and not (3 in given.constants and not given.constants[3].any())
    if masked or given.attributes["causal"] or {0, 1, 2} & set(given.constants):
        raise given.refused("only attention without masks is known")
    return [_Made("Attention", {"scale": scale})]


def _selected(given: _Given) -> list[_Made]:
    axis = given.axes(2)[0]
    if 1 not in given.constants or given.constants[1].ndim or given.attributes["batch_dims"]:
        raise given.refused("only one fixed place is known")
    return [_Made("Selected", {"axis": axis, "place": given.numbers(1)[0] % given.shapes[0][axis]})]


def _parts(given: _Given) -> list[_Made]:
    """Slices of step 1, an axis after the other."""
    axes = given.axes(4) if len(given.shapes) > 4 else list(range(len(given.numbers(1))))
    if any(step != 1 for step in given.numbers(3)):
        raise given.refused("it leaves places out")
    made = []
    for axis, start, stop in zip(axes, given.numbers(1), given.numbers(2), strict=True):
        first, behind, _ = slice(start, stop).indices(given.shapes[0][axis])
        if behind - first < given.shapes[0][axis]:
            made.append(_Made("Part", {"axis": axis, "start": first, "length": behind - first}))
    return made


def _split(given: _Given) -> list[_Made]:
    axis, lengths = given.axes(1)[0], [shape[given.axes(1)[0]] for shape in given.node.shapes]
    points = np.cumsum(lengths)[:-1].tolist()
    return [_Made("Slice", {"axis": axis, "points": points})]


def _bordered(given: _Given) -> list[_Made]:
    begin, end, mode = given.numbers(1), given.numbers(2), str(given.attributes["pad_mode"]).lower()
    modes = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}
    if given.rank != 4 or any(begin[:2]) or any(end[:2]) or mode not in modes or min(begin + end) < 0:
        raise given.refused("only borders of maps are known")
    value = given.number(3) if 3 in given.constants else 0.0
    return [_Made("Padded", {"begin": begin[2:], "end": end[2:], "mode": modes[mode], "value": value})]


def _prelu(given: _Given) -> list[_Made]:
    if 1 not in given.constants:
        raise given.refused("its slopes are not fixed")
    slopes = given.constants[1].reshape(-1)
    if slopes.size == 1:
        return [_Made("ReLU", {"slope": float(slopes[0])})]
    return [_Made("PReLU", {"channels": slopes.size}, {"weight": slopes})]


def _norm(given: _Given) -> list[_Made]:
    at = given.attributes
    if given.axes(1) != [1]:
        raise given.refused("it does not go over channels")
    settings = {"size": at["size"], "alpha": at["alpha"], "beta": at["beta"], "k": at["bias"]}
    return [_Made("LRN", {**settings, "within": False})]


def _function(name: str) -> Callable[[_Given], list[_Made]]:
    return lambda _: [_Made("Function", {"function": name})]


def _gelu(given: _Given) -> list[_Made]:
    tanh = str(given.attributes["approximation_mode"]).upper() == "TANH"
    return [_Made("Function", {"function": "gelu_tanh" if tanh else "gelu"})]


def _clamp(given: _Given) -> list[_Made]:
    return [_Made("Function", {"function": "clamp", "numbers": [given.attributes["min"], given.attributes["max"]]})]


def _hard_sigmoid(given: _Given) -> list[_Made]:
    return [_Made("Function", {"function": "hard_sigmoid", "numbers": [given.number(1), given.number(2)]})]


def _same(_: _Given) -> list[_Made]:
    return []


_CONVERTERS: Mapping[str, Callable[[_Given], list[_Made]]] = {
    "Abs": _function("abs"),
    "Add": _arithmetic("add"),
    "AvgPool": _pooling("AVE"),
    "Clamp": _clamp,
    "Concat": lambda given: [_Made("Concat", {"axis": int(given.attributes["axis"]) % given.rank})],
    "Convert": _same,
    "Convolution": _convolution,
    "Divide": _arithmetic("divide"),
    "Elu": lambda given: [_Made("ELU", {"alpha": given.attributes["alpha"]})],
    "Erf": _function("erf"),
    "Exp": _function("exp"),
    "Gather": _selected,
    "Gelu": _gelu,
    "GroupConvolution": _convolution,
    "HSigmoid": lambda _: [_Made("Function", {"function": "hard_sigmoid", "numbers": [1 / 6, 0.5]})],
    "HSwish": _function("hard_swish"),
    "HardSigmoid": _hard_sigmoid,
    "LRN": _norm,
    "Log": _function("log"),
    "MVN": _standardised,
    "MatMul": _product,
    "MaxPool": _pooling("MAX"),
    "Maximum": _arithmetic("maximum"),
    "Minimum": _arithmetic("minimum"),
    "Mish": _function("mish"),
    "Multiply": _arithmetic("multiply"),
    "Negative": _function("negative"),
    "PRelu": _prelu,
    "Pad": _bordered,
    "Power": _arithmetic("power"),
    "ReduceMax": _reduced("MAX"),
    "ReduceMean": _reduced("AVE"),
    "Relu": lambda _: [_Made("ReLU", {"slope": 0.0})],
    "Reshape": _reshaped,
    "ScaledDotProductAttention": _attention,
    "Sigmoid": lambda _: [_Made("Sigmoid")],
    "Slice": _parts,
    "SoftPlus": _function("softplus"),
    "Softmax": lambda given: [_Made("Softmax", {"axis": int(given.attributes["axis"]) % given.rank})],
    "Split": _split,
    "Sqrt": _function("sqrt"),
    "Squeeze": _reshaped,
    "Subtract": _arithmetic("subtract"),
    "Swish": lambda given: [_Made("Function", {"function": "swish", "numbers": [_slope(given)]})],
    "Tanh": lambda _: [_Made("TanH")],
    "Transpose": _transposed,
    "Unsqueeze": _reshaped,
    "VariadicSplit": _split,
}
_OF_MANY = frozenset({"Arithmetic", "Attention", "Concat", "Products"})


def _slope(given: _Given) -> float:
    return given.number(1) if len(given.shapes) > 1 else 1.0


# --- the whole ------------------------------------------------------------------------------------------------------


def operations_of(network: OnnxNetwork, until: str | None) -> Converted:
    """The operations, and their weights by PyTorch's names.

    Args:
        network: As it was read.
        until: Name of the last layer of the trunk; None for the whole network.

    Returns:
        As few as give the output.

    Raises:
        PlanError: A layer or one of its settings is not known, or there is no such layer.
    """
    builder = _Builder(network)
    last = _last_node(network, until)
    for place in sorted(_needed(network, last)):
        builder.add(place)
    operations, output = builder.operations, builder.values[last, 0]
    operations, output = _without_turns(operations, output)
    operations, output = _with_biases(operations, output, builder.tensors)
    return Converted(tuple(operations), output, builder.tensors)


def _last_node(network: OnnxNetwork, until: str | None) -> int:
    if until is None:
        results = [node for node in network.nodes if node.type == "Result"]
        if len(results) != 1:
            names = ", ".join(network.nodes[node.inputs[0][0]].name for node in results[:5])
            msg = f"The network gives {len(results)} outputs ({names}). Name one of them with --until LAYER."
            raise PlanError(msg)
        return results[0].inputs[0][0]
    found = [place for place, node in enumerate(network.nodes) if node.name == until and node.constant is None]
    if not found:
        layers = [node.name for node in network.nodes if node.constant is None and node.type not in {"Result"}]
        msg = f"The network has no layer {until!r}. Its last ones: {', '.join(layers[-8:])}."
        raise PlanError(msg)
    return found[-1]


def _needed(network: OnnxNetwork, last: int) -> set[int]:
    found, waiting = set(), [last]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting += [source for source, _ in network.nodes[place].inputs]
    return found


class _Builder:
    """Operations so far, and by what names the values of the nodes go."""

    def __init__(self, network: OnnxNetwork) -> None:
        self.network = network
        self.operations: list[Operation] = []
        self.tensors: Tensors = {}
        self.values: dict[Port, str] = {}
        self._constants: dict[Port, np.ndarray] = {}
        self._taken: set[str] = set()

    def add(self, place: int) -> None:
        """Add what a node becomes."""
        node = self.network.nodes[place]
        if node.constant is not None:
            self._constants[place, 0] = node.constant
        elif node.type == "Parameter":
            self.values[place, 0] = self._image()
        else:
            self._add_node(place, node)

    def _image(self) -> str:
        if not self.network.channels_last:
            return IMAGE
        return self._append("channels_last", _Made("Permuted", {"order": [0, 2, 3, 1]}), (IMAGE,))

    def _add_node(self, place: int, node: Node) -> None:
        constants = {i: self._constants[port] for i, port in enumerate(node.inputs) if port in self._constants}
        shapes = tuple(self.network.nodes[source].shapes[port] for source, port in node.inputs)
        given = _Given(node, constants, shapes, self.network.batch)
        if node.type not in _CONVERTERS:
            raise given.refused("it is of a type that is not known")
        made = _CONVERTERS[node.type](given)
        inputs = tuple(self.values[port] for port in node.inputs if port in self.values)
        if made and made[0].kind == "Concat":
            inputs = tuple(self._value_or_token(port, given) for port in node.inputs)
        value = inputs[0] if inputs else IMAGE
        for step, one in enumerate(made):
            value = self._append(node.name, one, inputs if not step and one.kind in _OF_MANY else (value,))
        self.values[place, 0] = value
        if made and made[-1].kind == "Slice":
            self.values |= {(place, port): f"{value}:{port}" for port in range(len(node.shapes))}

    def _value_or_token(self, port: Port, given: _Given) -> str:
        if port in self.values:
            return self.values[port]
        value = _of_one_image(self._constants[port], given)
        if value.dtype != np.float32 or value.shape[0] != 1:
            raise given.refused("it joins what is fixed")
        made = _Made("Token", {"shape": list(value.shape[1:])}, {"weight": value})
        return self._append(f"{given.node.name}_token", made, (IMAGE,))

    def _append(self, stem: str, made: _Made, inputs: tuple[str, ...]) -> str:
        # Names of ONNX files are often paths.
        plain = re.sub(r"\W+", "_", stem.removesuffix("/WithoutBiases"), flags=re.ASCII).strip("_")
        name = module_name(plain, self._taken)
        self.operations.append(Operation(name=name, kind=made.kind, inputs=inputs, settings=made.settings))
        self.tensors |= {f"{name}.{part}": np.ascontiguousarray(value) for part, value in made.tensors.items()}
        return name


def _without_turns(operations: Sequence[Operation], output: str) -> tuple[list[Operation], str]:
    """Without axes that are put in another order and back again: a network that takes channels last does that first."""
    kept: dict[str, Operation] = {}
    moved: dict[str, str] = {}
    for one in operations:
        now = replace(one, inputs=tuple(moved.get(value, value) for value in one.inputs))
        before = kept.get(now.inputs[0])
        if now.kind == "Permuted" and before is not None and before.kind == "Permuted":
            order = [before.settings["order"][axis] for axis in now.settings["order"]]
            now = replace(now, inputs=before.inputs, settings={"order": order})
        if now.kind == "Permuted" and list(now.settings["order"]) == sorted(now.settings["order"]):
            moved[one.name] = now.inputs[0]
        else:
            kept[one.name] = now
    return _used(list(kept.values()), moved.get(output, output)), moved.get(output, output)


def _used(operations: list[Operation], output: str) -> list[Operation]:
    """Those that the output needs."""
    needed = {output.partition(":")[0]}
    found = []
    for one in reversed(operations):
        if one.name in needed:
            needed |= {value.partition(":")[0] for value in one.inputs}
            found.append(one)
    return found[::-1]


def _with_biases(operations: Sequence[Operation], output: str, tensors: Tensors) -> tuple[list[Operation], str]:
    """Numbers added to each channel behind a convolution or a linear layer, which nothing else reads, are its bias."""
    users = Counter(value for one in operations for value in one.inputs) + Counter([output])
    kept: dict[str, Operation] = {}
    moved: dict[str, str] = {}
    for one in operations:
        now = replace(one, inputs=tuple(moved.get(value, value) for value in one.inputs))
        layer = kept.get(now.inputs[0])
        if layer is None or users[layer.name] > 1 or not _is_bias(now, layer, tensors):
            kept[one.name] = now
            continue
        tensors[f"{layer.name}.bias"] = tensors.pop(f"{one.name}.weight").reshape(-1)
        kept[layer.name] = replace(layer, settings={**layer.settings, "bias": True})
        moved[one.name] = layer.name
        users[layer.name] = users[one.name]
    return list(kept.values()), moved.get(output, output)


def _is_bias(one: Operation, layer: Operation, tensors: Tensors) -> bool:
    if one.kind != "Arithmetic" or one.settings["function"] != "add" or one.settings["shape"] is None:
        return False
    if layer.kind not in {"Convolution", "Linear"} or layer.settings["bias"]:
        return False
    shape, width = tensors[f"{one.name}.weight"].shape, layer.settings["outputs"]
    wanted = (width, 1, 1) if layer.kind == "Convolution" else (width,)
    return math.prod(shape) == width and shape[len(shape) - len(wanted) :] == wanted
