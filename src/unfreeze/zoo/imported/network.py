"""An imported network, built from its description: a module like any other."""

import keyword
from dataclasses import replace
from hashlib import sha256
from typing import Any, final

import torch
from torch import nn

from unfreeze.zoo.imported.description import IMAGE, Description, Operation
from unfreeze.zoo.imported.layers import CaffePool, built

MOST_PARAMETERS = 2**29  # VGG-16 has 138 million


@final
class ImportedNetwork(nn.Module):
    """The operations of a description, one after the other; each is a submodule of the layer's name.

    Args:
        description: What is built; random weights by PyTorch's own rules, He's for convolutions and linear layers.
    """

    def __init__(self, description: Description) -> None:
        super().__init__()
        self.description = description
        for operation in description.operations:
            self.add_module(operation.name, built(operation.kind, operation.settings))
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def graph_sha256(self) -> str:
        """Of the operations and their settings, without the head's width: what weights alone do not say."""
        return sha256(with_classes(self.description, 1).canonical()).hexdigest()

    def forward(self, images: Any) -> Any:  # a tensor, or what stands for one while torch.fx traces
        """From images ``[batch, 3, height, width]`` to the network's output: scores of classes, if it has a head."""
        values: dict[str, Any] = {IMAGE: images}
        for operation in self.description.operations:
            result = getattr(self, operation.name)(*[values[name] for name in operation.inputs])
            if operation.kind == "Slice":
                for place in range(_parts(operation)):
                    values[f"{operation.name}:{place}"] = result[place]
            values[operation.name] = result
        return values[self.description.output]


_OWN = frozenset(dir(nn.Module())) | {"description", "graph_sha256"}


def module_name(wanted: str, taken: set[str]) -> str:
    """A name that a module of an imported network may have.

    Args:
        wanted: Letters, digits and underscores.
        taken: Names of other modules; the new one is added.
    """
    stem = wanted[:100] or "layer"
    stem = f"_{stem}" if stem[0].isdigit() else stem
    stem = f"{stem}_" if stem in _OWN or keyword.iskeyword(stem) or stem == IMAGE else stem
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    taken.add(name)
    return name


def description_of(network: nn.Module) -> Description | None:
    """What an imported network is built from; None for any other."""
    return network.description if isinstance(network, ImportedNetwork) else None


def _parts(operation: Operation) -> int:
    points = operation.settings["points"]
    return points if isinstance(points, int) else len(points) + 1


def build_imported(description: Description, classes: int | None = None) -> ImportedNetwork:
    """The network with random weights, in evaluation mode.

    Args:
        description: Of the network.
        classes: Width of its head; None for its own.

    Raises:
        ValueError: It is larger than any network; also what PyTorch raises at settings that are none of its own.
    """
    if classes is not None:
        description = with_classes(description, classes)
    with torch.device("meta"):  # costs nothing, whatever a damaged description asks for
        parameters = sum(parameter.numel() for parameter in ImportedNetwork(description).parameters())
    if parameters > MOST_PARAMETERS:
        msg = f"it asks for {parameters:,} numbers, {MOST_PARAMETERS:,} at most"
        raise ValueError(msg)
    return ImportedNetwork(description).eval()


def with_classes(description: Description, count: int) -> Description:
    """The same network with a head of another width."""
    operations = tuple(
        replace(one, settings={**one.settings, "outputs": count}) if one.name == description.head else one
        for one in description.operations
    )
    return replace(description, operations=operations)


def shapes_of(description: Description, size: int) -> dict[str, tuple[int, ...]]:
    """Shapes of all values for one image, without computing any.

    Args:
        description: Of the network.
        size: Side of the image, pixels.

    Returns:
        By value; those of a Slice's parts are under ``name:0`` and so on.

    Raises:
        RuntimeError: An operation does not take what it is given; also ValueError and the like.
    """
    with torch.device("meta"), torch.no_grad():
        network = ImportedNetwork(description).eval()
        values: dict[str, Any] = {IMAGE: torch.empty(1, 3, size, size)}
        for one in description.operations:
            result = getattr(network, one.name)(*[values[name] for name in one.inputs])
            if isinstance(result, tuple):
                values |= {f"{one.name}:{place}": part for place, part in enumerate(result)}
            else:
                values[one.name] = result
    return {name: tuple(value.shape) for name, value in values.items()}


def with_global_pools(description: Description, shapes: dict[str, tuple[int, ...]]) -> Description:
    """A mean over the whole map stays one for images of another size: it gives the same at its own.

    Args:
        description: Of the network.
        shapes: Of its values, at its own size.
    """

    def wider(one: Operation) -> Operation:
        if one.kind != "Pool" or shapes[one.name][2:] != (1, 1):
            return one
        layer = built(one.kind, one.settings)
        assert isinstance(layer, CaffePool)  # noqa: S101 - its kind says so
        sides = shapes[one.inputs[0]][2:]
        whole = layer.pad == (0, 0) and all(k >= side for k, side in zip(layer.kernel, sides, strict=True))
        return replace(one, kind="GlobalPool", settings={"method": layer.method}) if whole else one

    return replace(description, operations=tuple(map(wider, description.operations)))
