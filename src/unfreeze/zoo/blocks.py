"""What a network consists of: its head, its blocks and its taps, found in the traced graph.

The chain of cuts splits the network into *steps* (from one cut to the next). A block covers whole steps:

- A module class is a *unit class* if some instance of it branches inside (a shortcut, attention, a concatenation)
  between two cuts. Every instance of such a class whose input and output are cuts is one block, also where it has no
  shortcut, and so is a module that stands among them in the network (EfficientNet's first block is of another class).
- Each weighted step outside of units is a block of its own.
- Steps without weights (norm, activation, pooling) go with the block before them, unless they share more of their
  module path with the block after them, or are dropout or a flattening, which belong to the layer that they feed.
"""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from unfreeze.core.errors import PlanError
from unfreeze.zoo.graph import Block, Call, Cut, Traced, is_live, suffix_module

LONG_RUN = 4  # blocks of equal output shape; a longer run gets taps inside
TAPS_PER_RUN = 4
BLOCKS_PER_TAP = 3  # a transformer of twelve blocks: taps after the third, sixth, ninth, and the head's codes
MOST_TAPS = 12


@dataclass(frozen=True)
class Head:
    """The classifier: its module path, its node, the cut that feeds it, and others that it is averaged with."""

    path: str
    node: str
    cut: Cut
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Step:
    """From one cut to the next."""

    path: str
    modules: tuple[str, ...]
    parameters: tuple[str, ...]
    weighted: bool
    dropout: bool
    flattens: bool
    keeps_shape: bool


@dataclass(frozen=True)
class _Span:
    """Steps `first` to `last` as one block."""

    name: str
    first: int
    last: int
    unit: bool


# --- head -----------------------------------------------------------------------------------------------------------


def find_head(traced: Traced, cuts: Sequence[Cut]) -> Head:
    """The last linear layer or 1x1 convolution, which must read from a cut.

    Of networks that were distilled it may be several on the same codes, whose scores are averaged.

    Args:
        traced: The traced network.
        cuts: All its cuts.

    Returns:
        The head.

    Raises:
        PlanError: There is none, or it shares its input with another path.
    """
    by_node = {cut.node: cut for cut in cuts}
    found: list[tuple[str, fx.Node, Cut]] = []
    for node in reversed(list(traced.graph.graph.nodes)):
        module = traced.graph.get_submodule(str(node.target)) if node.op == "call_module" else None
        if module is None or next(module.parameters(), None) is None:
            continue
        given = node.args[0] if node.args else None
        cut = by_node.get(given.name) if isinstance(given, fx.Node) else None
        if cut is None or not _is_classifier(module) or (found and cut != found[0][2]):
            break
        found.insert(0, (str(node.target), node, cut))
    if found and len({path for path, _, _ in found}) == len(found):
        (path, first, cut), *others = found
        head = Head(path, first.name, cut, tuple(other for other, _, _ in others))
        if _averages(traced, head):
            return head
    msg = (
        "The network does not end in one linear layer or 1x1 convolution with a bias on a single tensor, "
        "so there is no head to train. Choose another network."
    )
    raise PlanError(msg)


def _averages(traced: Traced, head: Head) -> bool:
    """Whether the scores are the mean of those of the head and of the others; with one head they may be anything."""
    if not head.others:
        return True
    codes = torch.linspace(-1, 1, math.prod(head.cut.shape)).reshape(1, *head.cut.shape).sin()
    modules = [traced.graph.get_submodule(path) for path in (head.path, *head.others)]
    with torch.no_grad():
        scores = [module(codes) for module in modules]
        same = {tuple(one.shape) for one in scores}
        given = suffix_module(traced.graph, head.cut)(codes)
        return len(same) == 1 and torch.allclose(given, torch.stack(scores).mean(0).reshape(given.shape), atol=1e-4)


def _is_classifier(module: nn.Module) -> bool:
    plain = isinstance(module, nn.Linear) or (
        isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1
    )
    return plain and getattr(module, "bias", None) is not None


# --- steps ----------------------------------------------------------------------------------------------------------


def _steps(traced: Traced, cuts: Sequence[Cut]) -> list[_Step]:
    nodes = list(traced.graph.graph.nodes)
    place = {node.name: i for i, node in enumerate(nodes)}
    owners = _owners(traced.calls)
    steps = []
    for start, end in itertools.pairwise(cuts):
        inside = [node for node in nodes[place[start.node] + 1 : place[end.node] + 1] if is_live(node)]
        steps.append(_step(traced.graph, inside, owners, (start, end)))
    return steps


def _owners(calls: Sequence[Call]) -> dict[str, str]:
    """Path of the innermost module that made each node; inner calls come first."""
    owners: dict[str, str] = {}
    for call in calls:
        for node in call.nodes:
            owners.setdefault(node, call.path)
    return owners


def _step(graph: fx.GraphModule, inside: Sequence[fx.Node], owners: dict[str, str], ends: tuple[Cut, Cut]) -> _Step:
    modules = tuple(dict.fromkeys(str(node.target) for node in inside if node.op == "call_module"))
    parameters: dict[str, None] = {}
    weighted = []
    for node in inside:
        own = _parameters_of(graph, node)
        parameters.update(dict.fromkeys(own))
        if _is_weighted(graph, node, own):
            weighted.append(owners.get(node.name, ""))
    last = owners.get(inside[-1].name, "") if inside else ""
    path = weighted[0] if len(set(weighted)) == 1 else _common_path(weighted) if weighted else last
    return _Step(
        path=path,
        modules=modules,
        parameters=tuple(parameters),
        weighted=bool(weighted),
        dropout=bool(inside) and all(_is_dropout(graph, node) for node in inside),
        flattens=ends[0].layout != "NC" == ends[1].layout,
        keeps_shape=ends[0].shape == ends[1].shape,
    )


def _parameters_of(graph: fx.GraphModule, node: fx.Node) -> list[str]:
    """Names of the parameters that a node uses: its module's, and those that reach it through static nodes."""
    names = []
    if node.op == "call_module":
        names = [f"{node.target}.{name}" for name, _ in graph.get_submodule(str(node.target)).named_parameters()]
    todo = list(node.all_input_nodes)
    seen: set[fx.Node] = set()
    while todo:
        given = todo.pop()
        if given in seen or given.meta["kind"] not in {"static", "remade"}:
            continue
        seen.add(given)
        todo.extend(given.all_input_nodes)
        if given.op == "get_attr" and isinstance(_attribute(graph, str(given.target)), nn.Parameter):
            names.append(str(given.target))
        elif given.op == "call_module":
            module = graph.get_submodule(str(given.target))
            names.extend(f"{given.target}.{name}" for name, _ in module.named_parameters())
    return names


def _attribute(module: nn.Module, path: str) -> Any:
    value: Any = module
    for part in path.split("."):
        value = getattr(value, part)
    return value


def _is_weighted(graph: fx.GraphModule, node: fx.Node, parameters: Sequence[str]) -> bool:
    """Whether the node is a layer with a weight of two axes or more, not a norm, a scale or a position embedding."""
    if not any(_attribute(graph, name).ndim >= 2 for name in parameters):
        return False
    name = getattr(node.target, "__name__", "")
    return node.op == "call_module" or "conv" in name or name in {"linear", "matmul", "einsum", "bmm"}


def _is_dropout(graph: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return "drop" in type(graph.get_submodule(str(node.target))).__name__.lower()
    return "dropout" in getattr(node.target, "__name__", "")


def _common_path(paths: Sequence[str]) -> str:
    split = [path.split(".") for path in paths]
    length = 0
    while all(len(parts) > length for parts in split) and len({parts[length] for parts in split}) == 1:
        length += 1
    return ".".join(split[0][:length]) or paths[0]


# --- blocks ---------------------------------------------------------------------------------------------------------


def find_blocks(traced: Traced, cuts: Sequence[Cut], head: Head) -> tuple[Block, ...]:
    """The network's blocks from the input to the head, as this module's docstring defines them.

    Args:
        traced: The traced network.
        cuts: All its cuts.
        head: From `find_head`.

    Returns:
        Blocks in order of depth; the first starts at the input.
    """
    before_head = list(cuts[: cuts.index(head.cut) + 1])
    steps = _steps(traced, before_head)
    spans = _spread(_unit_spans(traced, before_head), steps)
    return tuple(_block(span, before_head, steps) for span in spans)


def _block(span: _Span, cuts: Sequence[Cut], steps: Sequence[_Step]) -> Block:
    inside = steps[span.first : span.last + 1]
    modules = dict.fromkeys(name for step in inside for name in step.modules)
    parameters = dict.fromkeys(name for step in inside for name in step.parameters)
    return Block(span.name, cuts[span.first], cuts[span.last + 1], tuple(modules), tuple(parameters))


@dataclass(frozen=True)
class _Segment:
    """A module call whose input and output are cuts: its path, class, steps and branching nodes."""

    path: str
    kind: type
    first: int
    last: int
    branches: frozenset[str]
    weighted: bool


def _segments(traced: Traced, cuts: Sequence[Cut]) -> list[_Segment]:
    """Calls of non-leaf modules from cut to cut, inner ones first."""
    place = {cut.node: i for i, cut in enumerate(cuts)}
    live = {node.name for node in traced.graph.graph.nodes if is_live(node)}
    found = []
    for call in traced.calls:
        if call.leaf or call.start not in place or call.end not in place or call.end not in call.nodes:
            continue
        found.append(
            _Segment(
                path=call.path,
                kind=call.kind,
                first=place[call.start],
                last=place[call.end] - 1,
                branches=frozenset((call.nodes & live) - place.keys()),
                weighted=call.weighted,
            )
        )
    return found


def _unit_spans(traced: Traced, cuts: Sequence[Cut]) -> list[_Span]:
    """Outermost instances of the unit classes, in order of depth."""
    segments = _segments(traced, cuts)
    kinds: set[type] = set()
    for i, segment in enumerate(segments):
        inner = [s for s in segments[:i] if s.path.startswith(f"{segment.path}.")]
        own = segment.branches.difference(*(s.branches for s in inner))
        if own and segment.weighted and segment.kind is not nn.Sequential:
            kinds.add(segment.kind)
    places = {_place(s.path) for s in segments if s.kind in kinds and s.weighted}
    units = [
        s
        for s in segments
        if s.weighted and (s.kind in kinds or (_place(s.path) in places and s.kind is not nn.Sequential))
    ]
    outermost = [s for s in units if not any(s is not o and s.path.startswith(f"{o.path}.") for o in units)]
    return [_Span(s.path, s.first, s.last, unit=True) for s in sorted(outermost, key=lambda s: s.first)]


def _place(path: str) -> str:
    """Path with its numbers taken out: where in the network a module stands."""
    return re.sub(r"\d+", "#", path)


def _spread(units: Sequence[_Span], steps: Sequence[_Step]) -> list[_Span]:
    """Add the single layers, then give the steps in between to the block before or after them."""
    covered = {i for span in units for i in range(span.first, span.last + 1)}
    layers = [_Span(step.path, i, i, unit=False) for i, step in enumerate(steps) if step.weighted and i not in covered]
    spans = sorted([*units, *layers], key=lambda span: span.first)
    if not spans:
        return []
    borders = [
        0,
        *(_border(a, b, steps) for a, b in itertools.pairwise(spans)),
        _end_of_last(spans[-1], steps),
    ]
    return [
        _Span(span.name, first, last - 1, span.unit)
        for span, first, last in zip(spans, borders[:-1], borders[1:], strict=True)
    ]


def _border(before: _Span, after: _Span, steps: Sequence[_Step]) -> int:
    """First step that belongs to the block `after`."""
    for i in range(before.last + 1, after.first):
        nearer = _shared(steps[i].path, after.name) > _shared(steps[i].path, before.name)
        if steps[i].dropout or steps[i].flattens or nearer:
            return i
    return after.first


def _shared(path: str, other: str) -> int:
    """Number of leading path parts in common."""
    return len([*_leading(path.split("."), other.split("."))])


def _leading(parts: Sequence[str], others: Sequence[str]) -> list[str]:
    same = []
    for part, other in zip(parts, others, strict=False):
        if part != other:
            break
        same.append(part)
    return same


def _end_of_last(span: _Span, steps: Sequence[_Step]) -> int:
    """The last block ends after its own norm and activation: what follows lies between it and the head."""
    end = span.last + 1
    while not span.unit and end < len(steps) and steps[end].keeps_shape and not steps[end].dropout:
        end += 1
    return end


# --- taps -----------------------------------------------------------------------------------------------------------


def find_taps(blocks: Sequence[Block], head: Head) -> tuple[Cut, ...]:
    """Where codes are read: ends of runs of blocks with equal output shape, fully connected layers, the head's input.

    The first layer is no tap unless it is a whole unit, and the last block's end gives way to the head's input, which
    is the same after pooling.

    Args:
        blocks: The network's blocks.
        head: Its head.

    Returns:
        Cuts, shallow to deep.
    """
    last = len(blocks) - 1
    stem = 0 if blocks and blocks[0].name in blocks[0].modules else None
    always = [i for i, block in enumerate(blocks) if _is_fully_connected(block) and i != last]
    ends_of_runs = [i for run in _runs(blocks, stem) for i in _spaced(run, _taps_in_run(len(run)))]
    chosen = [i for i in ends_of_runs if i not in {last, *always}]
    chosen = _spaced(chosen, max(1, MOST_TAPS - 1 - len(always)))
    return (*(blocks[i].end for i in sorted([*chosen, *always])), head.cut)


def _is_fully_connected(block: Block) -> bool:
    return block.end.layout == "NC" or (block.end.layout == "NCHW" and block.end.shape[1:] == (1, 1))


def _runs(blocks: Sequence[Block], stem: int | None) -> list[list[int]]:
    """Indices of consecutive blocks with equal output shape, the stem left out."""
    runs: list[list[int]] = []
    for i, block in enumerate(blocks):
        if i == stem:
            continue
        if runs and blocks[i - 1].end.shape == block.end.shape:
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def _taps_in_run(length: int) -> int:
    return 1 if length <= LONG_RUN else min(TAPS_PER_RUN, length // BLOCKS_PER_TAP)


def _spaced(items: Sequence[int], count: int) -> list[int]:
    """At most `count` of `items`, evenly spaced, the last one included."""
    count = min(count, len(items))
    return [items[(k + 1) * len(items) // count - 1] for k in range(count)]
