"""The delivered model: a folder that timm loads without this package, if the network in it is whole."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, fx, nn

from unfreeze.core.cards import Card, card_from, with_tuples
from unfreeze.core.errors import InputError, OutputError
from unfreeze.core.files import durable_folder, sha256_of_file, write_bytes
from unfreeze.core.readouts import Readout
from unfreeze.zoo.backbones import Backbone, PixelClassifier, describe
from unfreeze.zoo.graph import Cut, graph_of, is_live, prefix_module
from unfreeze.zoo.imported.description import description_from
from unfreeze.zoo.imported.folder import build_stored
from unfreeze.zoo.imported.network import description_of
from unfreeze.zoo.model_config import OUR_KEY, README, SCHEMA, WEIGHTS, checked_weights, read_config, write_config
from unfreeze.zoo.networks import NetworkName, drawing_from, parse_name, seeded_network, timm_arguments
from unfreeze.zoo.preprocessing import Preprocessing
from unfreeze.zoo.tap_classifier import CutNetwork, TapClassifier
from unfreeze.zoo.weights import load_strictly

GRAPH_KEY = "graph"  # in our part of config.json


@dataclass(frozen=True, eq=False, kw_only=True)
class SavedModel:
    """A model that was read from its folder.

    Attributes:
        module: In evaluation mode; from uint8 images ``[batch, size, size, 3]`` (red, green, blue) to scores.
        card: Of the source network, with the input that this one takes.
        class_names: In the order of the network's outputs.
        gives_probabilities: Whether the softmax of the outputs are probabilities; not if the classifier is an SVM.
    """

    module: PixelClassifier | CutNetwork
    card: Card
    class_names: tuple[str, ...]
    gives_probabilities: bool


def save_model(
    folder: Path,
    model: Backbone | TapClassifier | CutNetwork,
    *,
    class_names: Sequence[str],
    card_text: str,
    margins: bool = False,
) -> None:
    """Write a model as a folder.

    The folder appears whole or not at all. A backbone of timm's is written so that
    ``timm.create_model("local-dir:FOLDER", pretrained=True)`` loads it. A torchvision network, and a classifier on taps
    with the layers up to the deepest of them, get the same files, which only `load_model` reads; so does an
    imported network, whose graph is written into the settings. All but that one take red, green, blue and values from 0
    to 1 as saved, since timm knows no other input: for a network that takes blue, green, red, the channels of its first
    convolution are written in reverse order.

    Args:
        folder: Must not exist yet, or be empty.
        model: With its trained head, or a linear classifier on taps.
        class_names: In the order of the outputs.
        card_text: The model card, Markdown.
        margins: The outputs are an SVM's margins: they order the classes, but softmax makes no probabilities of them.
            `SavedModel.gives_probabilities` says it again.

    Raises:
        InputError: The network takes blue, green, red, and its first layer is no convolution that could be reversed.
        OutputError: The folder holds something already, or cannot be written.
    """
    model = model.module() if isinstance(model, TapClassifier) else model
    assert len(class_names) == model.classes, (len(class_names), model.classes)  # noqa: S101
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder} exists and is not empty, and a model never replaces another. Choose another folder."
        raise OutputError(msg)
    with durable_folder(folder) as temporary:
        _fill(temporary, model, class_names, card_text, margins=margins)


def _fill(
    folder: Path, model: Backbone | CutNetwork, class_names: Sequence[str], card_text: str, *, margins: bool
) -> None:
    write_bytes(folder / WEIGHTS, save(_weights(model), metadata={"format": "pt"}))
    config = _config(model, class_names) if isinstance(model, Backbone) else _cut_config(model, class_names)
    config[OUR_KEY]["margins"] = margins
    config[OUR_KEY]["file_sha256"] = sha256_of_file(folder / WEIGHTS)
    write_config(folder, config)
    write_bytes(folder / README, card_text.encode("utf-8", "surrogateescape"))


def _weights(model: Backbone | CutNetwork) -> dict[str, Tensor]:
    """The model's weights, as one that takes red, green, blue has them."""
    module = model.network if isinstance(model, Backbone) else model
    # Copies, since safetensors refuses tensors that share memory, as tied weights do.
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in module.state_dict().items()}
    if _as_saved(model.card) is not model.card and model.card.channels == "BGR":
        inside, graph = ("", model.graph) if isinstance(model, Backbone) else ("prefix.", model.prefix)
        name = f"{_first_convolution(graph.graph, module, inside, model.card)}.weight"
        weights[name] = weights[name].flip(1)
    return weights


def _as_saved(card: Card) -> Card:
    """The card of what is written: of an imported network, the network as it is; see `save_model`."""
    return card if card.library == "imported" else card.in_unit_rgb()


def _name_of(card: Card) -> NetworkName:
    """As `parse_name`; the folder of an imported network need not be there any more."""
    return NetworkName("imported", card.name) if card.library == "imported" else parse_name(card.name)


def _graph_of(model: Backbone | CutNetwork) -> dict[str, Any]:
    """The graph of an imported network, for our part of the settings; nothing of others."""
    description = description_of(model.network) if isinstance(model, Backbone) else model.description
    return {} if description is None else {GRAPH_KEY: description.as_json()}


def _first_convolution(graph: fx.Graph, module: nn.Module, inside: str, card: Card) -> str:
    """Name in `module` of the convolution that alone takes the image; the graph's own names follow `inside`."""
    image = next(node for node in graph.nodes if node.op == "placeholder")
    takers = [node for node in image.users if is_live(node)]
    if len(takers) == 1 and takers[0].op == "call_module":
        path = f"{inside}{takers[0].target}"
        layer = module.get_submodule(path)
        if isinstance(layer, nn.Conv2d) and layer.groups == 1:
            return path
    msg = (
        f"{card.name} takes blue, green, red, and its first layer is no plain convolution that could be saved "
        "for red, green, blue. Choose another network."
    )
    raise InputError(msg)


def _config(backbone: Backbone, class_names: Sequence[str]) -> dict[str, Any]:
    """As timm writes it (timm.models._hub.save_config_for_hf), with the true preprocessing, and our own part."""
    card, network = _as_saved(backbone.card), backbone.network
    name = _name_of(card)
    source = dict(getattr(network, "pretrained_cfg", None) or {})
    config: dict[str, Any] = {
        "architecture": name.architecture,
        "num_classes": len(class_names),
        "num_features": int(getattr(network, "num_features", card.num_features)),
        "label_names": list(class_names),
        "pretrained_cfg": {
            **{
                key: source[key] for key in ("first_conv", "classifier", "license", "fixed_input_size") if key in source
            },
            "custom_load": False,
            "input_size": [3, card.size, card.size],
            "interpolation": card.interpolation,
            "crop_pct": card.crop_pct,
            "crop_mode": card.crop_mode,
            "mean": list(card.mean),
            "std": list(card.std),
            "num_classes": len(class_names),
        },
        OUR_KEY: {"schema": SCHEMA, "library": name.library, "card": asdict(card), **_graph_of(backbone)},
    }
    if isinstance(pool := getattr(network, "global_pool", None), str):
        config["global_pool"] = pool
    if name.library == "timm" and (arguments := timm_arguments(name, None, card.size)):
        arguments.pop("num_classes", None)
        config["model_args"] = arguments
    return config


def _cut_config(model: CutNetwork, class_names: Sequence[str]) -> dict[str, Any]:
    """Without what timm would need to build a network: its weights are not all there."""
    card = _as_saved(model.card)
    name = _name_of(card)
    return {
        "architecture": name.architecture,
        "num_classes": len(class_names),
        "label_names": list(class_names),
        OUR_KEY: {
            "schema": SCHEMA,
            "library": name.library,
            "card": asdict(card),
            "readouts": [asdict(readout) for readout in model.readouts],
            "cuts": [asdict(cut) for cut in model.cuts],
            **_graph_of(model),
        },
    }


def load_model(folder: Path | str) -> tuple[Backbone | CutNetwork, tuple[str, ...]]:
    """Read a model that `save_model` wrote.

    Args:
        folder: Of the model.

    Returns:
        The backbone with its trained head, or, of a classifier on taps, the network up to the deepest of them with the
        classifier: a module from uint8 images ``[batch, size, size, 3]`` to scores. And the class names, in the order
        of the outputs.

    Raises:
        InputError: The folder holds no model of ours, its weights are not those that were written, or the network's
            library has changed since.
    """
    folder = Path(folder)
    saved = read_model(folder)
    if isinstance(saved.module, CutNetwork):
        return saved.module, saved.class_names
    card = saved.card
    images = Preprocessing(**{field.name: getattr(card, field.name) for field in fields(Preprocessing)})
    source = f"folder {folder.name}, from {card.source}"
    name, network = _name_of(card), saved.module.network
    backbone = describe(name, network, images, source=source, licence=card.licence)
    return backbone.with_levels(card.levels), saved.class_names


def read_model(folder: Path) -> SavedModel:
    """As `load_model`, but without finding blocks and taps: all that predictions need, in a fraction of the time.

    Args:
        folder: Of the model.

    Returns:
        The model.

    Raises:
        InputError: As for `load_model`.
    """
    config = read_config(folder)
    ours, names = config[OUR_KEY], tuple(config["label_names"])
    card = card_from(ours["card"])
    try:
        weights = load(checked_weights(folder, config))
        module = _built(folder, card, config, weights)
    except InputError:
        raise
    except (*_MISFITS, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
        msg = f"The model in {folder} cannot be built from its settings ({reason}). Train it again."
        raise InputError(msg) from error
    return SavedModel(
        module=module,
        card=card,
        class_names=names,
        gives_probabilities=not ours["margins"],
    )


# What libraries raise at settings that are none of theirs.
_MISFITS = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


def _built(
    folder: Path, card: Card, config: dict[str, Any], weights: dict[str, Tensor]
) -> PixelClassifier | CutNetwork:
    """The network that the card names; no other part of the settings reaches a library."""
    classes = len(config["label_names"])
    if "readouts" in config[OUR_KEY]:
        module = _cut_network(folder, card, config[OUR_KEY], weights)
        if module.classes != classes:
            msg = f"The model in {folder} names {classes} classes and gives {module.classes} scores. Train it again."
            raise InputError(msg)
        return module
    network = _seeded(folder, card, config[OUR_KEY], classes)
    load_strictly(network, weights, heads=(), source=str(folder))
    return PixelClassifier(network, card)


def _seeded(folder: Path, card: Card, ours: dict[str, Any], classes: int | None) -> nn.Module:
    """The network that the card names, with random weights; of an imported one, the one that the settings describe."""
    if card.library != "imported":
        return seeded_network(parse_name(card.name), classes=classes, size=card.size, seed=0)
    with drawing_from(0):
        return build_stored(description_from(ours[GRAPH_KEY]), folder, classes)


def _builder(card: Card) -> str:
    """What builds the network, with its version."""
    library = "unfreeze" if card.library == "imported" else card.library
    return f"{library} {version(library)}"


def _cut_network(folder: Path, card: Card, ours: dict[str, Any], weights: dict[str, Tensor]) -> CutNetwork:
    """A network of that name, traced and cut where it was, with the saved weights; what comes after is let go."""
    network = _seeded(folder, card, ours, None)
    graph = graph_of(network)
    try:
        cuts = [Cut(**with_tuples(cut)) for cut in ours["cuts"]]
        readouts = [Readout(**readout) for readout in ours["readouts"]]
        shape = tuple(weights["linear.weight"].shape)
        module = CutNetwork(prefix_module(graph, cuts), cuts, readouts, card=card, shape=shape)
        module.description = description_of(network)
        load_strictly(module, weights, heads=(), source=str(folder))
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        read = ", ".join(dict.fromkeys(str(one.get("tap")) for one in ours["readouts"] if isinstance(one, dict)))
        msg = (
            f"The model in {folder} reads {card.name} at {read}, and the {card.name} of {_builder(card)} is not built "
            f"like that. Install the {_builder(card).split()[0]} that it was written with, or train it again."
        )
        raise InputError(msg) from error
    return module
