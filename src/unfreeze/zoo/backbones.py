"""A backbone: a pretrained network as a chain of blocks that can be cut anywhere one tensor carries everything."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, fx, nn

from unfreeze.core.cards import Card, Channels
from unfreeze.core.errors import PlanError
from unfreeze.core.readouts import Readout, Statistic
from unfreeze.core.settings import DEFAULT_BACKBONE, ResizeWord
from unfreeze.zoo.blocks import find_blocks, find_head, find_taps
from unfreeze.zoo.bundled import BUNDLED_LICENCE
from unfreeze.zoo.checkpoints import Chosen
from unfreeze.zoo.fitting import converter, fitted
from unfreeze.zoo.graph import Block, Cut, find_cuts, prefix_module, suffix_module, trace_network
from unfreeze.zoo.imported.folder import is_network_folder, read_network, read_tensors
from unfreeze.zoo.network_folders import FolderNetwork, checked_name, folder_named, read_folder
from unfreeze.zoo.networks import (
    NetworkName,
    licence_of,
    parse_name,
    preprocessing,
    second_head_prefixes,
    seeded_network,
)
from unfreeze.zoo.pooling import pooled, statistics_at
from unfreeze.zoo.preprocessing import Preprocessing
from unfreeze.zoo.unpickling import no_tensors
from unfreeze.zoo.weights import (
    bundled_file,
    bundled_package,
    bundled_weights,
    download_weights,
    lite_names,
    load_strictly,
    network_sha256,
    read_weights,
)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Backbone:
    """A network, its graph, and where it can be cut.

    Attributes:
        card: What is known of the source weights.
        network: The library's own module, in evaluation mode, float32, without in-place work.
        graph: Of the network; shares its modules.
        cuts: From the input to the head's input, in order of depth.
        blocks: In order of depth.
        taps: Cuts at which codes are read, the head's input last.
        head: Module name of the classifier.
        head_cut: Input of the head: pooled codes, or a map if the head is a convolution.
        asked: Name or folder by which it was loaded.
        other_heads: Module names of classifiers beside the head, on the same codes, with which its scores are averaged
            (EfficientFormer's and others that were distilled). A new head takes the place of all of them.
    """

    card: Card
    network: nn.Module
    graph: fx.GraphModule
    cuts: tuple[Cut, ...]
    blocks: tuple[Block, ...]
    taps: tuple[Cut, ...]
    head: str
    head_cut: Cut
    asked: str = ""
    other_heads: tuple[str, ...] = ()

    def prefix(self, cuts: Sequence[Cut]) -> fx.GraphModule:
        """Module from images to the raw tensors at `cuts`; shares the network's modules."""
        return prefix_module(self.graph, cuts)

    def suffix(self, cut: Cut) -> fx.GraphModule:
        """Module from the tensor at `cut` to the network's output; shares the network's modules."""
        return suffix_module(self.graph, cut)

    @property
    def details(self) -> tuple[Readout, ...]:
        """What can be read at the taps beside the codes, shallow to deep."""
        every = (Readout(tap.name, one) for tap in self.taps for one in statistics_at(tap.layout))
        return tuple(readout for readout in every if readout.statistic != "mean")

    def codes_module(
        self, cuts: Sequence[Cut] | None = None, raw: Sequence[Cut] = (), details: Sequence[Readout] = ()
    ) -> nn.Module:
        """Module from uint8 images to codes, with normalisation inside, so that an engine can be given plain pixels.

        Args:
            cuts: Where codes are read; all taps if None.
            raw: Where the tensor itself is wanted too.
            details: What else is read, at some of `cuts`.

        Returns:
            A module from ``[batch, size, size, 3]`` (red, green, blue, in whatever order the network takes them) to a
            tuple: the codes at each of `cuts`, then `details`, then the tensor at each of `raw`.
        """
        read = tuple(self.taps if cuts is None else cuts)
        places = {cut.name: place for place, cut in enumerate(read)}
        wanted = (*(Readout(cut.name) for cut in read), *details)
        reads = [(places[one.tap], read[places[one.tap]].layout, one.statistic) for one in wanted]
        return _CodesModule(self.prefix((*read, *raw)), reads, len(read), self.card)

    def module(self) -> "PixelClassifier":
        """From uint8 images ``[batch, size, size, 3]`` (red, green, blue) to scores; shares the network's modules."""
        return PixelClassifier(self.network, self.card)

    def with_classes(self, count: int) -> "Backbone":
        """A deep copy whose head is new: `count` outputs, all zero."""
        twin = self.copy()
        old = twin.network.get_submodule(self.head)
        new = _zero_head(old, count)
        for module in (twin.network, twin.graph):
            for path in (self.head, *self.other_heads):
                module.set_submodule(path, new)
        for owner in (twin.network, twin.network.get_submodule(self.head.rpartition(".")[0])):
            if isinstance(getattr(owner, "num_classes", None), int):
                setattr(owner, "num_classes", count)  # noqa: B010 - modules type their attributes as tensors
        return twin

    def set_head(self, weight: Float[Tensor, "cls code"], bias: Float[Tensor, " cls"]) -> None:
        """Write the head's weight and bias."""
        own_weight, own_bias = self.head_parameters()
        with torch.no_grad():
            own_weight.copy_(weight.reshape(own_weight.shape))
            own_bias.copy_(bias)

    def head_parameters(self) -> tuple[nn.Parameter, nn.Parameter]:
        """The head's own weight and bias; the weight of a 1x1 convolution has two more axes."""
        return (
            self.network.get_parameter(f"{self.head}.weight"),
            self.network.get_parameter(f"{self.head}.bias"),
        )

    @property
    def head_prefixes(self) -> tuple[str, ...]:
        """What names of the head's tensors begin with, and those of the classifiers beside it."""
        return tuple(f"{path}." for path in (self.head, *self.other_heads))

    @property
    def classes(self) -> int:
        """Width of the head."""
        return int(self.head_parameters()[1].shape[0])

    def cut_before_blocks(self, k: int) -> Cut:
        """Input of the `k`-th block from the end: where the network is cut to unfreeze `k` blocks.

        Args:
            k: 0 gives the head's input, the number of blocks the network's input.

        Returns:
            The cut.

        Raises:
            PlanError: There are fewer blocks, or `k` is negative.
        """
        if not 0 <= k <= len(self.blocks):
            msg = (
                f"Cannot unfreeze {k} blocks: {self.card.name} has {len(self.blocks)}. Choose 0 to {len(self.blocks)}."
            )
            raise PlanError(msg)
        return self.blocks[-k].start if k else self.head_cut

    def randomised(self, seed: int) -> "Backbone":
        """The same architecture with fresh random weights by the library's own initialisation.

        Args:
            seed: Equal seeds give equal weights; the global generator is not touched.

        Returns:
            A copy; its card says that the weights are random.
        """
        fresh = seeded_network(parse_name(self.card.name), classes=self.classes, size=self.card.size, seed=seed)
        twin = self.copy()
        twin.network.load_state_dict(fresh.state_dict(), strict=True)
        sha256 = network_sha256(twin.network)
        card = replace(self.card, source="random (from scratch)", licence="none", weights_sha256=sha256)
        return replace(twin, card=card)

    def resized_by(self, word: ResizeWord) -> "Backbone":
        """The same network, for photos that become squares in another way; see `Card.resized_by`."""
        return replace(self, card=self.card.resized_by(word))

    def with_levels(self, levels: tuple[int, int]) -> "Backbone":
        """The same network, for photos of 16 bits that are scaled by another range; see `Card.levels`."""
        return replace(self, card=replace(self.card, levels=levels))

    def copy(self) -> "Backbone":
        """A deep copy; its graph shares the modules of its own network."""
        network, graph = copy.deepcopy((self.network, self.graph))
        return replace(self, network=network, graph=graph)


@final
class _CodesModule(nn.Module):
    """Pixels to codes; see `Backbone.codes_module`."""

    mean: Tensor
    std: Tensor

    def __init__(self, prefix: nn.Module, reads: Sequence[tuple[int, str, Statistic]], taps: int, card: Card) -> None:
        super().__init__()
        self.training = False  # not by eval(), which would reach the network's own layers
        self.prefix = prefix
        self.reads, self.taps = tuple(reads), taps
        self.channels, self.scale = card.channels, card.scale
        self.register_buffer("mean", torch.tensor(card.mean).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(card.std).reshape(1, 3, 1, 1))

    def forward(self, images: UInt8[Tensor, "batch height width 3"]) -> tuple[Tensor, ...]:
        """Codes and details, then raw tensors."""
        found = self.prefix(_normalised(images, self.channels, self.scale, self.mean, self.std))
        codes = [pooled(found[place], layout, statistic) for place, layout, statistic in self.reads]
        return (*codes, *found[self.taps :])


@final
class PixelClassifier(nn.Module):
    """A whole network, from plain pixels to scores.

    Args:
        network: The library's own module, with its head.
        card: Says what it takes.
    """

    def __init__(self, network: nn.Module, card: Card) -> None:
        super().__init__()
        self.network, self.card = network, card
        self.training = False  # not by eval(), which would reach the network's own layers

    def forward(self, images: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch cls"]:
        """Scores of plain pixels, red, green, blue."""
        scores: Tensor = self.network(network_input(images, self.card))
        return scores


def network_input(pixels: UInt8[Tensor, "batch height width 3"], card: Card) -> Float[Tensor, "batch 3 height width"]:
    """What the network of `card` takes for plain pixels (red, green, blue); channels last in memory."""
    mean, std = (torch.tensor(values, device=pixels.device).reshape(1, 3, 1, 1) for values in (card.mean, card.std))
    return _normalised(pixels, card.channels, card.scale, mean, std)


def _normalised(
    pixels: UInt8[Tensor, "batch height width 3"],
    channels: Channels,
    scale: float,
    mean: Float[Tensor, "1 3 1 1"],
    std: Float[Tensor, "1 3 1 1"],
) -> Float[Tensor, "batch 3 height width"]:
    """Channels first and in the network's order, divided by the scale, minus the mean, divided by the deviation."""
    ordered = pixels if channels == "RGB" else pixels.flip(3)
    return (ordered.permute(0, 3, 1, 2).to(torch.float32) / scale - mean) / std


def _zero_head(old: nn.Module, count: int) -> nn.Module:
    new: nn.Module
    if isinstance(old, nn.Conv2d):
        new = nn.Conv2d(old.in_channels, count, kernel_size=1)
    else:
        assert isinstance(old, nn.Linear)  # noqa: S101 - find_head takes nothing else
        new = nn.Linear(old.in_features, count)
    for parameter in new.parameters():
        nn.init.zeros_(parameter)
    return new.eval()


# --- loading --------------------------------------------------------------------------------------------------------


def load_backbone(
    name: str = DEFAULT_BACKBONE, *, weights: Path | None = None, size: int | None = None, pretrained: bool = True
) -> Backbone:
    """Load a pretrained network and find its blocks, cuts and taps.

    Weights come from `weights` if given, else from an installed package, else from the library's own download.

    Args:
        name: A timm name, also as the Hub writes it, an alias (``lite0``), a torchvision name
            (``torchvision:alexnet``, ``alexnet``), a kept entry of a zoo, or a folder with a model of ours, of timm's
            or of transformers, or with a network that was imported.
        weights: A file of safetensors or of torch.save, as training programs write them.
        size: Side of the input in pixels; None for what the weights were trained with.
        pretrained: False for random weights, when there is no `weights`.

    Returns:
        The backbone.

    Raises:
        UnknownBackboneError: No network has this name.
        WeightsError: There are no weights, or they do not fit.
        PlanError: The network cannot be cut, or does not accept this size.
    """
    asked, name = name, checked_name(name)
    folder = None if is_network_folder(name) else folder_named(name)
    given = None if folder is None else read_folder(folder)
    backbone = replace(_built(name, given, size), asked=asked)
    if weights is not None:
        chosen = read_weights(Path(weights))
        source, licence = f"file {Path(weights).name}", "unknown"
        source += _load_fitted(backbone, chosen, str(weights))
    elif not pretrained:
        return backbone
    elif given is not None:
        source, licence = given.source, given.licence
        source += _load_fitted(backbone, Chosen(dict(given.weights)), name)
    else:
        source, licence = _load_published(backbone, parse_name(name), size)
    digest = network_sha256(backbone.network)
    return replace(backbone, card=replace(backbone.card, source=source, licence=licence, weights_sha256=digest))


def _built(name: str, given: FolderNetwork | None, size: int | None) -> Backbone:
    """The network with random weights, as its name or its folder says."""
    parsed = parse_name(name) if given is None else given.name
    size = size if given is None else size or given.size
    network = seeded_network(parsed, size=size, seed=0)  # so that loading leaves the global generator alone
    images = preprocessing(parsed, network, size)
    if given is not None:
        given.check_built(network)
        images = given.prepared(images, size)
    return describe(parsed, network, images, source="random weights", licence="none")


def _load_published(backbone: Backbone, name: NetworkName, size: int | None) -> tuple[str, str]:
    """Load the weights of an imported folder, an installed package or a download; returns their source and licence."""
    network, heads = backbone.network, backbone.head_prefixes
    if name.library == "imported":
        stored = read_network(name.architecture)
        load_strictly(network, read_tensors(stored), heads=(), source=name.architecture)
        return stored.source, stored.licence
    if (file := bundled_file(name)) is not None:
        source = _package_of(name)
        load_strictly(network, lite_names(bundled_weights(name, file), network), heads=heads, source=source)
        return source, BUNDLED_LICENCE
    found, source = download_weights(name, size, heads=heads)
    load_strictly(network, found, heads=heads, source=source)
    return source, licence_of(name)


def _load_fitted(backbone: Backbone, chosen: Chosen, source: str) -> str:
    """Load weights that somebody brings; returns what was changed or left out, in brackets."""
    name, network = parse_name(backbone.card.name), backbone.network
    heads = (*backbone.head_prefixes, *second_head_prefixes(name))
    read = converter(name, network, backbone.card.size, heads)
    found = fitted(chosen.tensors, network, heads=heads, source=source, converted=read)
    if chosen.choices and not found.fits:
        raise no_tensors(source, ", ".join(chosen.choices))
    load_strictly(network, found.weights, heads=heads, source=source)
    remarks = (*((f"averaged weights ({chosen.part[-1]})",) if chosen.averaged else ()), *found.remarks)
    return f" ({'; '.join(remarks)})" if remarks else ""


def _package_of(name: NetworkName) -> str:
    package = bundled_package(name)
    assert package is not None, name  # noqa: S101 - a file was found in it
    return f"package {package} {version(package)}"


def describe(name: NetworkName, network: nn.Module, images: Preprocessing, *, source: str, licence: str) -> Backbone:
    """Trace a network and find its cuts, blocks, taps and head.

    Args:
        name: Of the network.
        network: With its weights.
        images: How its images are prepared.
        source: Where the weights came from.
        licence: Of the weights.

    Returns:
        The backbone; it holds `network` itself.
    """
    network.eval()
    traced = trace_network(network, images.size)
    cuts = find_cuts(traced)
    head = find_head(traced, cuts)
    blocks = find_blocks(traced, cuts, head)
    taps = find_taps(blocks, head)
    card = Card(
        name=str(name),
        library=name.library,
        source=source,
        licence=licence,
        weights_sha256=network_sha256(network),
        size=images.size,
        crop_pct=images.crop_pct,
        crop_mode=images.crop_mode,
        interpolation=images.interpolation,
        channels=images.channels,
        scale=images.scale,
        mean=images.mean,
        std=images.std,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        num_features=head.cut.channels,
        blocks=tuple(block.name for block in blocks),
        taps=tuple(tap.name for tap in taps),
        head=head.path,
    )
    return Backbone(
        card=card,
        network=network,
        graph=traced.graph,
        cuts=cuts[: cuts.index(head.cut) + 1],
        blocks=blocks,
        taps=taps,
        head=head.path,
        head_cut=head.cut,
        other_heads=head.others,
    )
