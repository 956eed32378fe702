"""A network as a graph: how it is traced, where it can be cut, and the two modules that a cut makes.

The graph is a copy of the network's operations, not of its weights: every module here shares the network's own
submodules, so training a suffix trains the network, and parameter names stay what the library calls them.

Values in a graph are of five kinds: a *tensor* that depends on the image, a *bundle* (tuple or list) of such tensors, a
*size* (numbers read off a tensor's shape), *static* values (parameters and what is computed from them alone), and what
is *remade* from static values and sizes. Only tensors and bundles can keep a point from being a cut. Sizes that a
suffix needs from before its cut are written anew as a linear function of the batch size, measured with two batch sizes.

To trace, torch.fx patches nn.Module for the whole process. So one thread traces at a time, and the others, ours and the
user's own, are led past the patches.
"""

import functools
import inspect
import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from timm.layers import DropPath, get_notrace_functions, get_notrace_modules
from timm.models.vgg import ConvMlp
from torch import Tensor, fx, nn
from torch.nn import functional
from torchvision.ops import StochasticDepth

from unfreeze.core.errors import PlanError

BATCHES = (2, 3)  # two batch sizes tell a number that follows the batch from one that does not

TRACING = threading.Lock()  # of two threads whose patches overlap, the last one puts back those of the first

# Subclasses of these stay whole too: what they do in training (statistics, dropping) must not be baked in by tracing.
_WHOLE_LAYERS = (
    nn.Linear,
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.modules.dropout._DropoutNd,
    DropPath,
    StochasticDepth,
)


@dataclass(frozen=True)
class Cut:
    """A point of the network where a single tensor carries everything.

    Attributes:
        name: Module path whose output it is, for example ``blocks.4``; ``input`` for the network's input.
        node: Name of the graph's node.
        shape: Of the tensor, without the batch axis.
        layout: Order of its axes: ``NCHW``, ``NHWC``, ``NLC`` or ``NC``.
    """

    name: str
    node: str
    shape: tuple[int, ...]
    layout: str

    @property
    def channels(self) -> int:
        """Width of the pooled codes."""
        return self.shape[0] if self.layout == "NCHW" else self.shape[-1]


@dataclass(frozen=True)
class Block:
    """One residual, dense or transformer unit, else one weighted layer with its norm and activation.

    Attributes:
        name: Module path.
        start: Its input.
        end: Its output.
        modules: Paths of the layers inside.
        parameters: Names of the parameters inside.
    """

    name: str
    start: Cut
    end: Cut
    modules: tuple[str, ...]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """One call of a module while the network was traced.

    Attributes:
        path: Of the module.
        start: Node that it was given, if that is one.
        end: Node that it returned, if that is one.
        nodes: Nodes that were made in between.
        leaf: The graph holds it as one node.
        kind: Class of the module.
        weighted: It holds a parameter of two axes or more.
    """

    path: str
    start: str | None
    end: str | None
    nodes: frozenset[str]
    leaf: bool
    kind: type
    weighted: bool


@dataclass(frozen=True)
class Traced:
    """A traced network: its graph and the module calls that made it, inner calls first."""

    graph: fx.GraphModule
    calls: tuple[Call, ...]


class _CallTracer(fx.Tracer):
    """fx's tracer with timm's leaf modules, which also notes which nodes each module call made.

    A subclass, against our habit, because overriding is how fx is told these things.
    """

    def __init__(self) -> None:
        super().__init__(autowrap_functions=tuple(get_notrace_functions()))
        self.leaves = (*(kind for kind in get_notrace_modules() if kind is not ConvMlp), *_WHOLE_LAYERS)
        self.noted: list[tuple[str, nn.Module, Any, Any, range]] = []
        self.thread = threading.get_ident()

    def create_args_for_root(
        self, root_fn: Callable[..., Any], is_module: bool, concrete_args: Any = None
    ) -> tuple[Any, list[Any]]:
        """What fx will call when its patches are in place, and with what."""
        forward, args = super().create_args_for_root(root_fn, is_module, concrete_args)
        unpatched = {name: getattr(nn.Module, name) for name in _PATCHED}

        @functools.wraps(forward)
        def alone(*given: Any) -> Any:
            with _other_threads_have(unpatched):
                return forward(*given)

        return alone, args

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether the graph holds `m` as one node."""
        return isinstance(m, self.leaves) or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Trace the call and note it."""
        if threading.get_ident() != self.thread:
            return forward(*args, **kwargs)
        path = self.path_of_module(m)
        begin = len(self.graph.nodes)
        if isinstance(m, ConvMlp):
            forward = self._vgg_layers(m)
        result = super().call_module(m, forward, args, kwargs)
        given = args[0] if args else next(iter(kwargs.values()), None)
        self.noted.append((path, m, given, result, range(begin, len(self.graph.nodes))))
        return result

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, fx.Proxy]) -> Any:
        """A parameter as part of the graph; in other threads as it is."""
        if threading.get_ident() != self.thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def _vgg_layers(self, m: ConvMlp) -> Callable[..., Any]:
        """Single layers in place of the untraceable module where timm's VGG keeps fc6 and fc7: fc6 becomes a cut."""

        def forward(x: Any) -> Any:
            x = self.create_proxy("call_function", at_least, (x, m.input_kernel_size), {})
            return m.act2(m.fc2(m.drop(m.act1(m.fc1(x)))))

        return forward

    def calls(self) -> tuple[Call, ...]:
        """The noted calls, inner ones first."""
        names = [node.name for node in self.graph.nodes]
        return tuple(
            Call(
                path=path,
                start=_node_name(given),
                end=_node_name(result),
                nodes=frozenset(names[i] for i in made),
                leaf=self.is_leaf_module(module, path),
                kind=type(module),
                weighted=any(parameter.ndim >= 2 for parameter in module.parameters()),
            )
            for path, module, given, result, made in self.noted
        )


_PATCHED = ("__call__", "__getattr__")  # methods of nn.Module that fx patches


@contextmanager
def _other_threads_have(unpatched: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Let every other thread have these methods of nn.Module, and this one those that it has now.

    It would not do that `_CallTracer` alone asks for the thread: before fx's patches come to it, they look into the
    globals of the module that is called, and patch there.
    """
    patched = {name: getattr(nn.Module, name) for name in _PATCHED}
    for name in _PATCHED:
        setattr(nn.Module, name, _by_thread(patched[name], unpatched[name]))
    try:
        yield
    finally:
        for name, method in patched.items():
            setattr(nn.Module, name, method)


def _by_thread(here: Callable[..., Any], elsewhere: Callable[..., Any]) -> Callable[..., Any]:
    """A method that is `here` in this thread and `elsewhere` in all others."""
    thread = threading.get_ident()

    def method(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return (here if threading.get_ident() == thread else elsewhere)(module, *args, **kwargs)

    return method


def at_least(x: Float[Tensor, "batch channel height width"], side: int) -> Float[Tensor, "batch channel _ _"]:
    """Enlarge maps that are smaller than `side`, by repetition; as timm.models.vgg.ConvMlp does."""
    if min(x.shape[-2:]) >= side:
        return x
    return functional.adaptive_avg_pool2d(x, (max(side, x.shape[-2]), max(side, x.shape[-1])))


def _node_name(value: Any) -> str | None:
    return value.node.name if isinstance(value, fx.Proxy) else None


def _fixed_arguments(network: nn.Module) -> dict[str, Any]:
    """Defaults of all arguments after the image: they are part of the traced network, not inputs of it."""
    parameters = list(inspect.signature(network.forward).parameters.values())[1:]
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def no_inplace(network: nn.Module) -> None:
    """Switch off in-place work in every module: it would overwrite the tensor at a cut."""
    for module in network.modules():
        if getattr(module, "inplace", False) is True:
            setattr(module, "inplace", False)  # noqa: B010 - modules type their attributes as tensors


def trace_network(network: nn.Module, size: int) -> Traced:
    """Trace `network` as it is in evaluation, and measure every value's kind and shape.

    Args:
        network: Takes one batch of images; in-place modules are switched off in it.
        size: Side of the input in pixels.

    Returns:
        The graph, which shares the network's modules.

    Raises:
        PlanError: The network cannot be traced, or does not take images of this size.
    """
    module, calls = _traced(network)
    _measure(module, size)
    return Traced(module, calls)


def graph_of(network: nn.Module) -> fx.GraphModule:
    """The graph of `network` without measurements: enough for `prefix_module`, in a tenth of the time.

    Args:
        network: As for `trace_network`.

    Returns:
        The graph, whose nodes are called as those of `trace_network`.

    Raises:
        PlanError: The network cannot be traced.
    """
    return _traced(network)[0]


def _traced(network: nn.Module) -> tuple[fx.GraphModule, tuple[Call, ...]]:
    network.eval()
    no_inplace(network)
    tracer = _CallTracer()
    try:
        with TRACING:
            graph = tracer.trace(network, concrete_args=_fixed_arguments(network))
    except Exception as error:  # whatever somebody else's forward raises
        msg = (
            f"{type(network).__name__} cannot be cut into blocks, since torch.fx cannot trace it "
            f"({first_line(error)}). Choose another network."
        )
        raise PlanError(msg) from error
    calls = tracer.calls()
    _drop_inplace(graph)
    _drop_checks(graph)
    graph.lint()
    module = fx.GraphModule(network, graph)
    module.eval()
    return module, calls


def first_line(error: BaseException) -> str:
    """What an error says, as part of a sentence."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _drop_checks(graph: fx.Graph) -> None:
    """Remove assertions, and inputs other than the image, whose values are fixed."""
    first = next(node for node in graph.nodes if node.op == "placeholder")
    for node in reversed(list(graph.nodes)):
        is_check = node.op == "call_function" and "assert" in getattr(node.target, "__name__", "")
        is_spare = node.op != "output" and node is not first
        if is_spare and not node.users and (is_check or node.op != "call_module"):
            graph.erase_node(node)


_INPLACE_OPERATORS = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}


def _drop_inplace(graph: fx.Graph) -> None:
    """Replace in-place operations by their twins that make a new tensor."""
    for node in list(graph.nodes):
        if node.op == "call_function":
            _function_not_inplace(node)
        elif node.op == "call_method" and node.target.endswith("_") and not node.target.endswith("__"):
            node.target = node.target.removesuffix("_")
            _rename_later_uses(node)


def _function_not_inplace(node: fx.Node) -> None:
    if node.target in _INPLACE_OPERATORS:
        node.target = _INPLACE_OPERATORS[node.target]
        _rename_later_uses(node)
        return
    try:
        parameters = list(inspect.signature(node.target).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return
    if "inplace" not in parameters:
        return
    place = parameters.index("inplace")
    was = node.args[place] if place < len(node.args) else node.kwargs.get("inplace", False)
    if was:
        node.args = tuple(False if i == place else value for i, value in enumerate(node.args))
        node.kwargs = {name: False if name == "inplace" else value for name, value in node.kwargs.items()}
        _rename_later_uses(node)


def _rename_later_uses(node: fx.Node) -> None:
    """After ``x.add_(y)`` the name x means the result."""
    given = node.args[0] if node.args else node.kwargs.get("input")
    if not isinstance(given, fx.Node):
        return
    seen = False
    for other in node.graph.nodes:
        if seen:
            other.replace_input_with(given, node)
        seen = seen or other is node


# --- kinds and shapes -----------------------------------------------------------------------------------------------


def _measure(module: fx.GraphModule, size: int) -> None:
    """Note in every node's meta what it is (`kind`) and its shape or its values for the two batch sizes."""
    records = [_Recorder(module).record(batch, size) for batch in BATCHES]
    for node in module.graph.nodes:
        values = tuple(record.get(node.name) for record in records)
        node.meta["kind"] = _kind(node, values[0])
        if node.meta["kind"] == "tensor":
            node.meta["shapes"] = tuple(tuple(value.shape) for value in values)  # type: ignore[union-attr]
            node.meta["floating"] = values[0].dtype.is_floating_point  # type: ignore[union-attr]
        elif node.meta["kind"] == "size":
            node.meta["values"] = values


class _Recorder(fx.Interpreter):
    """Runs a graph and keeps of each value what `_measure` needs: tensors as meta tensors, all else as it is."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.kept: dict[str, Any] = {}

    def record(self, batch: int, size: int) -> dict[str, Any]:
        """Values by name of node."""
        try:
            with torch.no_grad():
                self.run(torch.zeros(batch, 3, size, size))
        except Exception as error:
            msg = (
                f"The network does not take images of {size} pixels ({first_line(error)}). "
                "Leave the size out, or choose a larger one or one that its layers divide."
            )
            raise PlanError(msg) from error
        return self.kept

    def run_node(self, n: fx.Node) -> Any:
        """Run one operation and keep what it gave."""
        value = super().run_node(n)
        self.kept[n.name] = fx.node.map_aggregate(value, _without_data)
        return value


def _without_data(value: Any) -> Any:
    return value.to("meta") if isinstance(value, Tensor) else value


def _kind(node: fx.Node, value: Any) -> str:
    if node.op == "get_attr":
        return "static"
    from_kinds = {given.meta["kind"] for given in node.all_input_nodes}
    if node.op != "placeholder" and from_kinds <= {"static"}:
        return "static"
    if not _holds_tensor(value):
        return "size"
    if node.op != "placeholder" and from_kinds <= {"static", "size", "remade"}:
        return "remade"
    return "tensor" if isinstance(value, Tensor) else "bundle"


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(_holds_tensor(item) for item in value)
    if isinstance(value, dict):
        return any(_holds_tensor(item) for item in value.values())
    return isinstance(value, Tensor)


def is_live(node: fx.Node) -> bool:
    """Whether the node's value carries something of the image."""
    return node.meta["kind"] in {"tensor", "bundle"} and node.op != "output"


# --- cuts -----------------------------------------------------------------------------------------------------------


def find_cuts(traced: Traced) -> tuple[Cut, ...]:
    """All points where one tensor carries everything, from the input to the output.

    A tensor is a cut if after it no earlier tensor or bundle is used any more, and it has the batch as first axis.

    Args:
        traced: From `trace_network`.

    Returns:
        Cuts in order of depth; the first is the input.
    """
    nodes = _needed_nodes(traced.graph.graph)
    place = {node: i for i, node in enumerate(nodes)}
    names = _output_names(traced)
    cuts: list[Cut] = []
    taken: set[str] = set()
    last_use_before = -1
    for node in nodes:
        if last_use_before <= place[node] and _can_be_cut(node):
            cuts.append(_cut(node, names, taken, cuts[-1].layout if cuts else "NCHW"))
        if is_live(node):
            uses = [place[user] for user in node.users if user in place and (is_live(user) or user.op == "output")]
            last_use_before = max(last_use_before, *uses, -1)
    return tuple(cuts)


def _needed_nodes(graph: fx.Graph) -> list[fx.Node]:
    """Nodes that the output depends on, in order."""
    needed: set[fx.Node] = set()
    todo = [node for node in graph.nodes if node.op in {"output", "placeholder"}]
    while todo:
        node = todo.pop()
        if node not in needed:
            needed.add(node)
            todo.extend(node.all_input_nodes)
    return [node for node in graph.nodes if node in needed]


def _can_be_cut(node: fx.Node) -> bool:
    if node.meta["kind"] != "tensor" or node.op == "output" or not node.meta["floating"]:
        return False
    shapes = node.meta["shapes"]
    return (
        len(shapes[0]) in {2, 3, 4}
        and tuple(shape[0] for shape in shapes) == BATCHES
        and shapes[0][1:] == shapes[1][1:]
        and 0 not in shapes[0]
    )


def _cut(node: fx.Node, names: Mapping[str, str], taken: set[str], layout_before: str) -> Cut:
    shape = tuple(node.meta["shapes"][0][1:])
    stem = "input" if node.op == "placeholder" else names[node.name]
    name, number = stem, 1
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    taken.add(name)
    return Cut(name, node.name, shape, _layout(shape, layout_before))


def _layout(shape: tuple[int, ...], before: str) -> str:
    """Images are square here, so two equal neighbours are height and width; a tie goes with the cut before."""
    if len(shape) < 3:
        return "NC" if len(shape) == 1 else "NLC"
    if shape[0] == shape[1] != shape[2]:
        return "NHWC"
    if shape[1] == shape[2] != shape[0]:
        return "NCHW"
    return before if before in {"NCHW", "NHWC"} else "NCHW"


def _output_names(traced: Traced) -> dict[str, str]:
    """Readable name of every node: the outermost module path that ends in a number, else the outermost."""
    paths: dict[str, list[str]] = {}
    owner: dict[str, str] = {}
    for call in traced.calls:
        for node in call.nodes:
            owner.setdefault(node, call.path)
        if call.end in call.nodes:
            paths.setdefault(call.end, []).append(call.path)
    names = {}
    for node in traced.graph.graph.nodes:
        outputs = sorted(paths.get(node.name, []), key=lambda path: path.count("."))
        numbered = [path for path in outputs if any(c.isdigit() for c in path.rpartition(".")[2])]
        inside = owner.get(node.name)
        names[node.name] = (numbered or outputs)[0] if outputs else f"{inside}.{node.name}" if inside else node.name
    return names


# --- the two modules of a cut ---------------------------------------------------------------------------------------


def prefix_module(graph_module: fx.GraphModule, cuts: Sequence[Cut]) -> fx.GraphModule:
    """The network up to the deepest of `cuts`.

    Args:
        graph_module: Graph of the whole network.
        cuts: At least one, in the order in which their tensors are wanted.

    Returns:
        A module from images to a tuple with the raw tensor at each cut; it shares the network's submodules.
    """
    source = {node.name: node for node in graph_module.graph.nodes}
    wanted = [source[cut.node] for cut in cuts]
    needed = _needed_for(wanted)
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in graph_module.graph.nodes:
        if node in needed or node.op == "placeholder":
            copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(tuple(copies[node] for node in wanted))
    return _module(graph_module, graph, "Prefix")


def weights_before(graph_module: fx.GraphModule, cut: Cut) -> dict[str, Tensor]:
    """What the network up to `cut` holds, by name: as the state dict of its prefix, without making that module."""
    nodes = _needed_for([next(node for node in graph_module.graph.nodes if node.name == cut.node)])
    used = tuple(str(node.target) for node in nodes if node.op in {"call_module", "get_attr"})
    state = graph_module.state_dict()
    return {name: value for name, value in state.items() if any(f"{name}.".startswith(f"{one}.") for one in used)}


def _needed_for(wanted: Sequence[fx.Node]) -> set[fx.Node]:
    """These nodes and all that they depend on."""
    needed = set(wanted)
    todo = list(wanted)
    while todo:
        for node in todo.pop().all_input_nodes:
            if node not in needed:
                needed.add(node)
                todo.append(node)
    return needed


def suffix_module(graph_module: fx.GraphModule, cut: Cut) -> fx.GraphModule:
    """The network from `cut` to its output.

    Args:
        graph_module: Graph of the whole network.
        cut: Where the suffix begins.

    Returns:
        A module from the tensor at the cut to the network's output; it shares the network's submodules.
    """
    nodes = list(graph_module.graph.nodes)
    start = next(node for node in nodes if node.name == cut.node)
    graph = fx.Graph()
    copies: dict[fx.Node, Any] = {start: graph.placeholder("x")}
    copies[start].meta = dict(start.meta)
    for node in _needed_after(nodes, start):
        for given in node.all_input_nodes:
            if given not in copies:  # a size from before the cut
                copies[given] = _size_from_batch(graph, copies[start], given.meta["values"])
        if node.op == "output":
            graph.output(fx.node.map_arg(node.args[0], copies.__getitem__))
        else:
            copies[node] = _copy(graph, node, copies)
    return _module(graph_module, graph, "Suffix")


def _copy(graph: fx.Graph, node: fx.Node, copies: Mapping[fx.Node, Any]) -> fx.Node:
    """Like `Graph.node_copy`, but an argument may become a number or a tuple."""
    args = fx.node.map_arg(node.args, copies.__getitem__)
    kwargs = fx.node.map_arg(node.kwargs, copies.__getitem__)
    copy = graph.create_node(node.op, node.target, args, kwargs, node.name, node.type)
    copy.meta = dict(node.meta)
    return copy


def _needed_after(nodes: Sequence[fx.Node], start: fx.Node) -> list[fx.Node]:
    """Nodes to copy into the suffix, in order: those the output needs that can be had from `start` and parameters."""
    available = {start}
    after = False
    for node in nodes:
        ready = all(given in available or given.meta["kind"] == "size" for given in node.all_input_nodes)
        if node.meta["kind"] in {"static", "remade"}:
            available.add(node)
        elif after and node.meta["kind"] == "size" and node.op != "output":
            if all(given in available for given in node.all_input_nodes):
                available.add(node)
        elif after and ready:
            available.add(node)
        after = after or node is start
    needed: set[fx.Node] = set()
    todo = [node for node in nodes if node.op == "output"]
    while todo:
        node = todo.pop()
        if node in available and node is not start and node not in needed:
            needed.add(node)
            todo.extend(node.all_input_nodes)
    return [node for node in nodes if node in needed]


def _size_from_batch(graph: fx.Graph, start: fx.Node, values: tuple[Any, Any]) -> Any:
    """A number that was read off an earlier shape, as a linear function of the batch size."""
    first, second = values
    if isinstance(first, (tuple, list)):
        return tuple(_size_from_batch(graph, start, pair) for pair in zip(first, second, strict=True))
    if first == second:
        return first
    slope = (second - first) // (BATCHES[1] - BATCHES[0])
    offset = first - slope * BATCHES[0]
    result = graph.call_method("size", (start, 0))
    if slope != 1:
        result = graph.call_function(operator.mul, (result, slope))
    if offset != 0:
        result = graph.call_function(operator.add, (result, offset))
    return result


def _module(root: fx.GraphModule, graph: fx.Graph, name: str) -> fx.GraphModule:
    graph.lint()
    module = fx.GraphModule(root, graph, name)
    for part in module.modules():
        if part is module or type(part) is nn.Module:  # fx's own containers; shared layers keep their mode
            part.training = root.training
    return module
