"""Image classifiers of transformers whose network timm has too: ResNet and ViT, by their settings and names."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor

from unfreeze.core.errors import WeightsError

Weights = dict[str, Tensor]

_RESNETS = {
    ("basic", (2, 2, 2, 2)): "resnet18",
    ("basic", (3, 4, 6, 3)): "resnet34",
    ("bottleneck", (3, 4, 6, 3)): "resnet50",
    ("bottleneck", (3, 4, 23, 3)): "resnet101",
    ("bottleneck", (3, 8, 36, 3)): "resnet152",
}
_VITS = {(192, 12, 3): "tiny", (384, 12, 6): "small", (768, 12, 12): "base", (1024, 24, 16): "large"}
_OF_RESNETS = (
    (r"resnet\.embedder\.embedder\.convolution\.", r"conv1."),
    (r"resnet\.embedder\.embedder\.normalization\.", r"bn1."),
    (r"resnet\.encoder\.stages\.(\d+)\.layers\.(\d+)\.shortcut\.convolution\.", r"layer{+1}.\2.downsample.0."),
    (r"resnet\.encoder\.stages\.(\d+)\.layers\.(\d+)\.shortcut\.normalization\.", r"layer{+1}.\2.downsample.1."),
    (r"resnet\.encoder\.stages\.(\d+)\.layers\.(\d+)\.layer\.(\d+)\.convolution\.", r"layer{+1}.\2.conv{+3}."),
    (r"resnet\.encoder\.stages\.(\d+)\.layers\.(\d+)\.layer\.(\d+)\.normalization\.", r"layer{+1}.\2.bn{+3}."),
    (r"classifier\.1\.", r"fc."),
)
_OF_VITS = (
    (r"vit\.embeddings\.cls_token$", r"cls_token"),
    (r"vit\.embeddings\.position_embeddings$", r"pos_embed"),
    (r"vit\.embeddings\.patch_embeddings\.projection\.", r"patch_embed.proj."),
    (r"vit\.(?:encoder\.layer|layers)\.(\d+)\.attention\.output\.dense\.", r"blocks.\1.attn.proj."),
    (r"vit\.(?:encoder\.layer|layers)\.(\d+)\.attention\.attention\.(query|key|value)\.", r"blocks.\1.attn.\2."),
    (r"vit\.(?:encoder\.layer|layers)\.(\d+)\.intermediate\.dense\.", r"blocks.\1.mlp.fc1."),
    (r"vit\.(?:encoder\.layer|layers)\.(\d+)\.output\.dense\.", r"blocks.\1.mlp.fc2."),
    (r"vit\.(?:encoder\.layer|layers)\.(\d+)\.layernorm_before\.", r"blocks.\1.norm1."),
    (r"vit\.(?:encoder\.layer|layers)\.(\d+)\.layernorm_after\.", r"blocks.\1.norm2."),
    (r"vit\.layernorm\.", r"norm."),
    (r"classifier\.", r"head."),
)
_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}  # Pillow's numbers


@dataclass(frozen=True, eq=False)
class Translation:
    """From transformers' names to timm's.

    Attributes:
        network: timm's name.
        rules: Beginnings of names, and what takes their place; ``{+1}`` is the first number and one.
    """

    network: str
    rules: tuple[tuple[str, str], ...]

    def renamed(self, name: str, value: Tensor) -> Weights:
        """A tensor under timm's name, or under its own if no rule knows it."""
        for pattern, new in self.rules:
            if match := re.match(pattern, name):
                counted = re.sub(r"\{\+(\d)\}", lambda number: str(int(match[int(number[1])]) + 1), new)
                return {match.expand(counted) + name[match.end() :]: value}
        return {name: value}

    def joined(self, weights: Weights) -> Weights:
        """The weights with query, key and value of each block in one tensor, as timm has them."""
        apart = re.compile(r"(blocks\.\d+\.attn\.)query\.(weight|bias)")
        joined = dict(weights)
        for match in filter(None, map(apart.fullmatch, weights)):
            names = [f"{match[1]}{part}.{match[2]}" for part in ("query", "key", "value")]
            if all(name in joined for name in names):
                joined[f"{match[1]}qkv.{match[2]}"] = torch.cat([joined.pop(name) for name in names])
        return joined


def translation(config: Mapping[str, Any], folder: Path) -> Translation:
    """Which network of timm's a classifier of transformers is, and how its tensors are called there.

    Args:
        config: Its ``config.json``.
        folder: Where it is, for errors.

    Returns:
        The network and the names.

    Raises:
        WeightsError: timm has no network like it.
    """
    kind = str(config["model_type"])
    finders: dict[str, Callable[[Mapping[str, Any]], str | None]] = {"resnet": _resnet, "vit": _vit}
    try:
        network = finders[kind](config) if kind in finders else None
    except (TypeError, ValueError):
        network = None
    if network is None:
        found = f"a {kind} with settings that timm has no network for" if kind in finders else f"a {kind}"
        msg = (
            f"The network in {folder} is {found}; of transformers, ResNet, ViT and the networks of timm are read. "
            "Give the same network of timm by its name."
        )
        raise WeightsError(msg)
    return Translation(network, _OF_RESNETS if kind == "resnet" else _OF_VITS)


def _resnet(config: Mapping[str, Any]) -> str | None:
    """Defaults as in transformers' `ResNetConfig`."""
    kind, depths = str(config.get("layer_type", "bottleneck")), tuple(config.get("depths", (3, 4, 6, 3)))
    usual = [64, 128, 256, 512] if kind == "basic" else [256, 512, 1024, 2048]
    other = (
        config.get("hidden_sizes", [256, 512, 1024, 2048]) != usual
        or config.get("embedding_size", 64) != 64
        or config.get("hidden_act", "relu") != "relu"
        or config.get("downsample_in_first_stage", False)
        or config.get("downsample_in_bottleneck", False)
    )
    return None if other else _RESNETS.get((kind, depths))


def _vit(config: Mapping[str, Any]) -> str | None:
    """Defaults as in transformers' `ViTConfig`."""
    width = config.get("hidden_size", 768)
    shape = (width, config.get("num_hidden_layers", 12), config.get("num_attention_heads", 12))
    other = (
        config.get("hidden_act", "gelu") != "gelu"
        or config.get("intermediate_size", 3072) != 4 * width
        or not config.get("qkv_bias", True)
    )
    stem = f"vit_{_VITS.get(shape)}_patch{config.get('patch_size', 16)}"
    names = [f"{stem}_{size}" for size in (config.get("image_size", 224), 224, 384)]
    return None if other else next((name for name in names if timm.is_model(name)), None)


def image_settings(folder: Path) -> dict[str, Any]:
    """How the classifier's images are prepared, as ``preprocessor_config.json`` says; empty without one.

    Args:
        folder: Of the classifier.

    Returns:
        Fields of `Preprocessing`.
    """
    try:
        settings = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(settings, dict):
        return {}
    plain = not settings.get("do_normalize", True)
    images: dict[str, Any] = {"mean": (0.0,) * 3, "std": (1.0,) * 3} if plain else {}
    if not plain:
        images |= {
            ours: tuple(settings[theirs])
            for ours, theirs in (("mean", "image_mean"), ("std", "image_std"))
            if isinstance(settings.get(theirs), list)
        }
    if settings.get("resample") in _RESAMPLING:
        images["interpolation"] = _RESAMPLING[settings["resample"]]
    return images | _sides(settings)


def _sides(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Size and crop: a crop of a resized photo, or a photo that is squashed into a square."""
    size, crop = settings.get("size"), settings.get("crop_size")
    edge = size.get("shortest_edge") if isinstance(size, dict) else size
    height = size.get("height") if isinstance(size, dict) else None
    cropped = crop.get("height") if isinstance(crop, dict) else crop
    side = height or edge
    if settings.get("do_center_crop") and isinstance(cropped, int) and isinstance(side, int):
        return {"size": cropped, "crop_pct": min(1.0, cropped / side), "crop_mode": "center"}
    if isinstance(edge, int) and isinstance(settings.get("crop_pct"), float):  # ConvNextImageProcessor's own rule
        if edge >= 384:
            return {"size": edge, "crop_pct": 1.0, "crop_mode": "squash"}
        return {"size": edge, "crop_pct": settings["crop_pct"], "crop_mode": "center"}
    return {"size": side, "crop_pct": 1.0, "crop_mode": "squash"} if isinstance(side, int) else {}
