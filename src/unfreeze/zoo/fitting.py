"""Weights as training programs name them, brought to the names and shapes of a network; only if all of them fit."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

from unfreeze.core.errors import WeightsError
from unfreeze.zoo.networks import NetworkName, drawing_from, timm_arguments

Weights = Mapping[str, Tensor]
Heads = tuple[str, ...]  # beginnings of names, with their dots
Converted = Callable[[Weights], Weights | None]  # None for weights that are not of this network

# Of two networks of one checkpoint that both fit, what is said of the one that is taken: the averaged one, as timm does
# for its own; the one that learned, rather than its slow copy (MoCo: arXiv:1911.05722, BYOL: arXiv:2006.07733).
_PREFERRED = (("ema", "averaged weights ({})"), ("teacher", "averaged weights ({})"), ("encoder_q", ""), ("online", ""))
_SLOW_COPY = "momentum"  # in the name of a network that only follows the one that learns


@dataclass(frozen=True, eq=False)
class Fitted:
    """Weights by the network's names.

    Attributes:
        weights: As far as they could be brought to them.
        remarks: What was changed or left out, for people.
        fits: Whether all names and shapes are the network's, its head's aside.
    """

    weights: Weights
    remarks: tuple[str, ...] = ()
    fits: bool = False


def fitted(found: Weights, network: nn.Module, *, heads: Heads, source: str, converted: Converted) -> Fitted:
    """Weights without the prefix of whatever held the network, if what is left fits exactly.

    Args:
        found: Tensors by name, as a file has them.
        network: That they are for.
        heads: What names of its classifier begin with; it may have another width or be missing.
        source: Of the weights, for errors.
        converted: The network's library's way to read older names and other input sizes.

    Returns:
        Weights that fit; if none do, those that come nearest, for the error that shows both sides.

    Raises:
        WeightsError: Two different networks fit.
    """
    model = network.state_dict()
    parts = {prefix: _below(prefix, found) for prefix in _prefixes(found, model, heads)}
    if _fits(parts[""], model, heads):  # then nothing else is meant, whatever timm's filters make of a part
        return _adapted(parts[""], model, heads, converted)
    tried = {prefix: _adapted(part, model, heads, converted) for prefix, part in parts.items()}
    fitting = {prefix: one for prefix, one in tried.items() if one.fits}
    if not fitting:
        return max(tried.values(), key=lambda one: len(one.weights.keys() & model.keys()))
    learned = {prefix: one for prefix, one in fitting.items() if _SLOW_COPY not in prefix}
    fitting = learned or fitting
    for word, remark in _PREFERRED:
        preferred = [prefix for prefix in fitting if word in prefix]
        if len(fitting) > 1 and len(preferred) == 1:
            prefix = preferred[0]
            said = remark.format(prefix.rstrip(".")) if remark else _on_prefix(prefix)
            return replace(fitting[prefix], remarks=(said, *fitting[prefix].remarks))
    (prefix, first), *others = fitting.items()
    if not all(_equal(first.weights, other.weights) for _, other in others):
        names = ", ".join(prefix.rstrip(".") or "the names as they are" for prefix in fitting)
        msg = (
            f"The weights in {source} are of {len(fitting)} networks that all fit ({names}). "
            "Save the one that you mean: torch.save(model.state_dict(), 'weights.pth')."
        )
        raise WeightsError(msg)
    return replace(first, remarks=(_on_prefix(prefix), *first.remarks)) if prefix else first


def _on_prefix(prefix: str) -> str:
    return f"without the prefix {prefix.rstrip('.')} of their names"


def _prefixes(found: Weights, model: Weights, heads: Heads) -> list[str]:
    """What may stand before the network's own names; as they are comes first."""
    own = [name for name in model if not name.startswith(heads)]
    anchor = max(own, key=len)
    before = {name[: -len(anchor)] for name in found if name.endswith(f".{anchor}")}
    # Names that are older than the network's may not hold the anchor, so wrappers are tried too.
    tops = {f"{name.partition('.')[0]}." for name in found}
    return ["", *sorted(before | (tops if len(tops) <= 3 else set()), key=lambda prefix: (len(prefix), prefix))]


def _below(prefix: str, found: Weights) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value.float() if value.is_floating_point() else value
        for name, value in found.items()
        if name.startswith(prefix)
    }


def _adapted(part: Weights, model: Weights, heads: Heads, converted: Converted) -> Fitted:
    """Weights below one prefix: the head looked at, one channel spread, and if need be converted."""
    part, remarks = _three_channels(part, model)
    part, of_head = _usable_head(part, model, heads)
    remarks += of_head
    if _fits(part, model, heads):
        return Fitted(part, remarks, fits=True)
    if not any(name in model and not name.startswith(heads) for name in part) and len(part) < len(model) // 2:
        return Fitted(part, remarks)
    brought = converted(part)
    if brought is None or not _fits(brought, model, heads):
        return Fitted(part, remarks)
    other = [name for name in part.keys() & brought.keys() if part[name].shape != brought[name].shape]
    said = f"{', '.join(sorted(other)[:3])} resampled to this size" if other else "older names put into timm's"
    return Fitted(brought, (*remarks, said), fits=True)


def _three_channels(part: Weights, model: Weights) -> tuple[Weights, tuple[str, ...]]:
    """A first convolution of one channel, spread over three: what it gives for a gray photo is the same."""
    gray = [
        name
        for name, value in part.items()
        if value.ndim == 4 and value.shape[1] == 1 and name in model
        if (value.shape[0], 3, *value.shape[2:]) == tuple(model[name].shape)
    ]
    if len(gray) != 1:
        return part, ()
    spread = part[gray[0]].repeat(1, 3, 1, 1) / 3
    return {**part, gray[0]: spread}, ("first layer of one channel spread over three",)


def _usable_head(part: Weights, model: Weights, heads: Heads) -> tuple[Weights, tuple[str, ...]]:
    """The weights without a head that has another width, or other layers."""
    own = {name for name in model if name.startswith(heads)}
    given = {name for name in part if name.startswith(heads)}
    if not given or (given == own and all(part[name].shape == model[name].shape for name in own)):
        return part, ()
    weight = part.get(f"{heads[0]}weight")
    classes = f" of {weight.shape[0]} classes" if weight is not None and weight.ndim in {2, 4} else ""
    said = f"its head{classes} left out"
    return {name: value for name, value in part.items() if name not in given}, (said,)


def _fits(part: Weights, model: Weights, heads: Heads) -> bool:
    """Whether all names and shapes agree; BatchNorm's counter may be missing, and a head."""
    wanted = {name for name in model if not name.startswith(heads)}
    given = {name for name in part if not name.startswith(heads)}
    missing = wanted - given
    return (
        not given - wanted
        and all(name.endswith("num_batches_tracked") for name in missing)
        and all(part[name].shape == model[name].shape for name in given)
    )


def _equal(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def converter(name: NetworkName, network: nn.Module, size: int | None, heads: Heads) -> Converted:
    """How the network's library reads weights with older names, or of another input size.

    Args:
        name: Of the network.
        network: Built.
        size: Side of its input, as it was built.
        heads: What names of its classifier begin with.

    Returns:
        A function of weights.
    """
    if name.library == "timm":
        return lambda weights: _converted_by_timm(weights, name, network, size, heads)
    return lambda weights: _converted_by_torchvision(weights, network)


def _converted_by_timm(
    weights: Weights, name: NetworkName, network: nn.Module, size: int | None, heads: Heads
) -> Weights | None:
    """As timm treats a download: its own filter of names, and position embeddings resampled."""
    own = {key: value for key, value in network.state_dict().items() if key.startswith(heads)}
    classes = next(iter(own.values())).shape[0]
    arguments = timm_arguments(name, None, size)
    # Under older names the head may be there too; else zeros take its place, since timm loads whole networks.
    headless = {**weights, **{key: torch.zeros_like(value) for key, value in own.items()}}
    for given, has_head in ((weights, True), (headless, False)):
        found = _as_timm_loads(given, str(name), classes, arguments)
        if found is not None:
            return {key: value for key, value in found.items() if has_head or key not in own}
    return None


def _as_timm_loads(weights: Weights, name: str, classes: int, arguments: dict[str, Any]) -> dict[str, Tensor] | None:
    """What timm makes of weights as if they were its download; None if they do not fill the network."""
    overlay = {"source": "", "custom_load": False, "num_classes": classes, "label_offset": 0}

    def built(seed: int) -> dict[str, Tensor]:
        given = {**overlay, "state_dict": dict(weights)}
        with drawing_from(seed):
            network = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=given, **arguments)
        return dict(network.state_dict())

    try:
        found, again = built(0), built(1)
    except Exception:  # each network's filter raises its own at names of another
        return None
    # Some networks are loaded by timm with gaps, which keep random numbers: those differ by their seed.
    return found if _equal(found, again) else None


def _converted_by_torchvision(weights: Weights, network: nn.Module) -> Weights | None:
    """Torchvision's own way with the position embeddings of its ViT."""
    if not isinstance(network, VisionTransformer):
        return None
    try:
        return dict(interpolate_embeddings(network.image_size, network.patch_size, OrderedDict(weights)))
    except (ValueError, KeyError, RuntimeError):
        return None
