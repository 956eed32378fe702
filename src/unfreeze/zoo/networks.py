"""Names of networks and how they are built: the one file that knows timm, torchvision and imported folders."""

import contextlib
import difflib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, final

import timm
import torch
import torchvision
from timm.data import ImageNetInfo, infer_imagenet_subset, resolve_model_data_config
from timm.models import list_pretrained, split_model_name_tag
from torch import nn
from torch.overrides import TorchFunctionMode

from unfreeze.core.errors import PlanError, UnknownBackboneError, WeightsError
from unfreeze.zoo.file_kinds import is_archive, kind_of
from unfreeze.zoo.imported.folder import build_stored, is_network_folder, read_network
from unfreeze.zoo.kept import kept_names
from unfreeze.zoo.preprocessing import Preprocessing

ALIASES = {f"lite{i}": f"tf_efficientnet_lite{i}" for i in range(5)}
IMAGENET_CLASSES = 1000
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# EfficientNet-Lite was trained on (pixel - 127) / 128; timm's entry says 0.5 and 0.5
# (github.com/tensorflow/tpu, models/official/efficientnet/lite/efficientnet_lite_builder.py).
LITE_MEAN = (127 / 255,) * 3
LITE_STD = (128 / 255,) * 3


@dataclass(frozen=True)
class NetworkName:
    """A network's name, taken apart.

    Attributes:
        library: ``timm``, ``torchvision`` or ``imported``.
        architecture: The library's name; of an imported network, its folder.
        tag: timm's name of a set of weights, or empty.
    """

    library: str
    architecture: str
    tag: str = ""

    def __str__(self) -> str:
        """The name by which users know it."""
        if self.library == "torchvision":
            return f"torchvision:{self.architecture}"
        return f"{self.architecture}.{self.tag}" if self.tag else self.architecture


def parse_name(name: str) -> NetworkName:
    """Find out which network is meant.

    Args:
        name: A timm name, with or without a tag, an alias such as ``lite0``, a torchvision name, which may be written
            ``torchvision:alexnet``, or the folder of a network that was imported. The Hub's ways to write timm's names
            are understood too (``timm/resnet18.a1_in1k``, ``hf-hub:timm/resnet18.a1_in1k``).

    Returns:
        The name, taken apart.

    Raises:
        UnknownBackboneError: No such network; similar names are proposed.
    """
    if is_network_folder(name):
        return NetworkName("imported", name)
    written = _HUB.sub("", name.strip()).rstrip("/")
    if written != name.strip().rstrip("/") and "/" in written and not written.startswith("timm/"):
        raise UnknownBackboneError(_of_somebody(name, written))
    library, _, plain = _LIBRARY.sub(r"\1:", written).rpartition(":")
    plain = ALIASES.get(plain, plain)
    architecture, tag = split_model_name_tag(plain)
    if library in {"", "timm"} and timm.is_model(architecture):
        if tag and plain not in list_pretrained():
            raise UnknownBackboneError(_unknown(name, list_pretrained()))
        return NetworkName("timm", architecture, tag)
    if library in {"", "torchvision"} and plain in _torchvision_names():
        return NetworkName("torchvision", plain)
    if _is_file(name):
        raise UnknownBackboneError(_a_file(name))
    raise UnknownBackboneError(_unknown(name, [*timm.list_models(), *_torchvision_names(), *ALIASES, *kept_names()]))


def with_default_tag(name: NetworkName) -> NetworkName:
    """The same network, with the tag of the weights that timm takes for a name without one."""
    if name.library != "timm" or name.tag:
        return name
    settings = timm.get_pretrained_cfg(name.architecture)
    return replace(name, tag=(settings.tag if settings is not None else None) or "")


_HUB = re.compile(r"^(?:hf[-_]hub:|https?://(?:www\.)?(?:huggingface\.co|hf\.co)/)")
_LIBRARY = re.compile(r"^(timm|torchvision)/")


def repository_meant(name: str) -> str | None:
    """Owner and name of a repository of the Hub, of a name that is written as the Hub's; None if it is not.

    Networks of timm's are none: they have names of their own.
    """
    written = _HUB.sub("", name.strip()).rstrip("/")
    is_one = written != name.strip().rstrip("/") and written.count("/") == 1 and not written.startswith("timm/")
    return written if is_one else None


def output_names(network: nn.Module, outputs: int) -> tuple[str, ...]:
    """Names of what a network of timm's tells apart: ImageNet's, else the numbers of its outputs.

    Args:
        network: Of timm's.
        outputs: How many.
    """
    subset = infer_imagenet_subset(network)
    if subset is None:
        return tuple(str(number) for number in range(outputs))
    known = ImageNetInfo(subset)
    if known.num_classes() != outputs:
        return tuple(str(number) for number in range(outputs))
    return tuple(f"{known.index_to_label_name(i)} {known.index_to_description(i)}" for i in range(outputs))


def _torchvision_names() -> list[str]:
    return list(torchvision.models.list_models(module=torchvision.models))


def _of_somebody(name: str, written: str) -> str:
    return (
        f"{name!r} is a network of somebody else on the Hugging Face Hub. Bring it here with unfreeze zoo pull "
        f"hf-hub:{written}, and then give its name: --backbone {written.rpartition('/')[2]}."
    )


def _is_file(name: str) -> bool:
    try:
        return Path(name).expanduser().is_file()
    except (OSError, ValueError):
        return False


def _a_file(name: str) -> str:
    """What to do with a file: weights do not name their network, and other files are none."""
    path = Path(name).expanduser()
    with path.open("rb") as file:
        first = file.read(_LOOKED_AT)
    if not is_archive(first):  # which torch.save writes; what else is in an archive, its end says
        try:
            kind_of(first, path)
        except WeightsError as error:
            return f"{str(error).replace('The weights file ', '', 1)} The network itself is named with --backbone."
    return (
        f"{name} is a file, and weights do not say of which network they are. Name it, and give the file with "
        f"--weights: --backbone NAME --weights {name}."
    )


_LOOKED_AT = 2**16  # bytes of a file


def _unknown(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(re.split("[:/]", name)[-1], sorted(set(known)), n=3, cutoff=0.6)
    hint = f"Did you mean {' or '.join(close)}?" if close else "unfreeze zoo list lists the names."
    where = ", and there is no such folder" if "/" in name and ":" not in name else ""
    return f"No network is called {name!r}{where}. {hint}"


def build_network(name: NetworkName, *, classes: int | None = None, size: int | None = None) -> nn.Module:
    """The network with random weights, in evaluation mode.

    Args:
        name: From `parse_name`.
        classes: Width of its head; None for the library's own.
        size: Side of the input in pixels; None for the library's own.

    Returns:
        The network.
    """
    if name.library == "imported":
        return build_stored(read_network(name.architecture).description, Path(name.architecture), classes)
    with _size_errors_explained(name, size):
        if name.library == "timm":
            network = timm.create_model(str(name), pretrained=False, **timm_arguments(name, classes, size))
        else:
            network = torchvision.models.get_model(
                name.architecture, weights=None, **_torchvision_arguments(name, classes, size)
            )
            _drop_activation_after_head(network)
    return cast("nn.Module", network.eval())


def timm_arguments(name: NetworkName, classes: int | None, size: int | None) -> dict[str, Any]:
    """Arguments for timm.create_model; networks of fixed size are told the size, others take any.

    A network that timm publishes without a classifier gets one of ImageNet's width. Of one that was distilled, and
    averages two classifiers behind norms of their own, the first alone is built.
    """
    settings = timm.get_pretrained_cfg(str(name))
    arguments: dict[str, Any] = {} if (second := _second_head(name)) is None else {second: False}
    if settings is not None and settings.fixed_input_size and size not in {None, settings.input_size[-1]}:
        arguments["img_size"] = size
    if classes is not None:
        arguments["num_classes"] = classes
    elif settings is not None and not settings.num_classes:
        arguments["num_classes"] = IMAGENET_CLASSES
    return arguments


def second_head_prefixes(name: NetworkName) -> tuple[str, ...]:
    """What names of the second classifier of a distilled network begin with, which is not built."""
    return () if _second_head(name) is None else ("head_dist.", "head.head_dist.")


def _second_head(name: NetworkName) -> str | None:
    """What timm calls the argument that builds the second classifier of a distilled network; None for others."""
    found = (argument for start, argument in _SECOND_HEADS.items() if name.architecture.startswith(start))
    return next(found, None) if name.library == "timm" else None


_SECOND_HEADS = {"levit_": "distilled", "repvit_": "distillation"}


def _torchvision_arguments(name: NetworkName, classes: int | None, size: int | None) -> dict[str, Any]:
    arguments: dict[str, Any] = {"num_classes": classes or IMAGENET_CLASSES}
    if name.architecture.startswith("vit_") and size is not None:
        arguments["image_size"] = size
    if name.architecture in {"googlenet", "inception_v3"}:
        arguments |= {"init_weights": True, "aux_logits": True}
    return arguments


def _drop_activation_after_head(network: nn.Module) -> None:
    """SqueezeNet rectifies its logits; without that they are affine in the pooled codes, as a classifier's must be."""
    if isinstance(network, torchvision.models.SqueezeNet):
        network.classifier[2] = nn.Identity()


@contextlib.contextmanager
def _size_errors_explained(name: NetworkName, size: int | None) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if size is None:
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        msg = f"{name} does not accept images of {size} pixels ({reason}). Leave the size out or choose another."
        raise PlanError(msg) from error


def preprocessing(name: NetworkName, network: nn.Module, size: int | None) -> Preprocessing:
    """What the network's images went through when its weights were learned.

    Args:
        name: From `parse_name`.
        network: Built with that name.
        size: Replaces the library's size; the crop's fraction stays.

    Returns:
        Size, crop, interpolation, and how pixels become the input: most take RGB from 0 to 1.
    """
    if name.library == "imported":
        takes = read_network(name.architecture).takes
        return replace(takes, size=size or takes.size)
    if name.library == "torchvision":
        return _torchvision_preprocessing(name, size)
    found = resolve_model_data_config(network)
    lite = name.architecture.startswith("tf_efficientnet_lite")
    return Preprocessing(
        size=size or int(found["input_size"][-1]),
        crop_pct=float(found["crop_pct"]),
        crop_mode=str(found["crop_mode"]),
        interpolation=str(found["interpolation"]),
        channels="RGB",
        scale=255.0,
        mean=_three(LITE_MEAN if lite else found["mean"]),
        std=_three(LITE_STD if lite else found["std"]),
    )


def _torchvision_preprocessing(name: NetworkName, size: int | None) -> Preprocessing:
    preset = torchvision.models.get_model_weights(name.architecture).DEFAULT.transforms()
    crop, resize = int(preset.crop_size[0]), int(preset.resize_size[0])
    return Preprocessing(
        size=size or crop,
        crop_pct=crop / resize,
        crop_mode="center",
        interpolation=str(preset.interpolation.value),
        channels="RGB",
        scale=255.0,
        mean=_three(preset.mean),
        std=_three(preset.std),
    )


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def licence_of(name: NetworkName) -> str:
    """Licence of the weights that the library publishes; ``unknown`` if it does not say."""
    if name.library == "imported":
        return read_network(name.architecture).licence
    if name.library != "timm":
        return "unknown"
    settings = timm.get_pretrained_cfg(str(name))
    return (settings.license if settings is not None else None) or "unknown"


def seeded_network(name: NetworkName, *, classes: int | None = None, size: int | None = None, seed: int) -> nn.Module:
    """Like `build_network`, with weights drawn from `seed`; the global generator is not touched."""
    with drawing_from(seed):
        return build_network(name, classes=classes, size=size)


def drawing_from(seed: int) -> AbstractContextManager[None]:
    """Inside, what this thread draws without naming a generator comes from one of its own, with this seed.

    The numbers are those that the global generator would give after the same seed. It is left alone: saving and
    restoring it would rewind what other threads draw from it meanwhile.
    """
    return _OwnGenerator(torch.Generator().manual_seed(seed % 2**63))


# What draws in the initialisation of networks. Those of nn.init come whole: inside them torch.Tensor's are not seen.
_DRAWING = {
    *(getattr(torch.Tensor, name) for name in ("uniform_", "normal_", "random_", "bernoulli_", "exponential_")),
    *(getattr(torch, name) for name in ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial")),
    *(getattr(nn.init, name) for name in ("uniform_", "normal_", "kaiming_uniform_")),
}


@final
class _OwnGenerator(TorchFunctionMode):
    """Gives a generator to every call that draws; a subclass, because that is how torch lets calls be changed."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func in _DRAWING and given.get("generator") is None:
            given["generator"] = self.generator
        return func(*args, **given)
