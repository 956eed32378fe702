"""Networks that are built: PyTorch and the networks' libraries are imported here."""

from pathlib import Path

from unfreeze.core.settings import ImageSettings
from unfreeze.features.engines import openvino_is_installed
from unfreeze.features.frozen import FrozenBackbone
from unfreeze.features.known_networks import take_note, weights_file
from unfreeze.features.openvino_prefix import prefix_name
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.devices import find_device
from unfreeze.zoo.network_folders import folder_named
from unfreeze.zoo.networks import parse_name
from unfreeze.zoo.weights import installed_file


def load_network(settings: ImageSettings) -> Backbone:
    """The network, with its weights.

    Raises:
        InputError: There is no such network, no weights, or no such device.
    """
    find_device(settings.request.device)  # which the network will need, and the images before it do not
    network = load_backbone(settings.backbone, weights=settings.weights, size=settings.size)
    return network if settings.resize is None else network.resized_by(settings.resize)


def frozen_backbone(settings: ImageSettings, cache: Path | None) -> FrozenBackbone:
    """The network for its codes alone; later processes will know it, if its weights lie in a file.

    Args:
        settings: Which network, and what it is to run on.
        cache: Folder of all that is kept; the user's cache if None.

    Returns:
        The network.

    Raises:
        InputError: As for `load_network`.
        OutputError: The cache cannot be written.
    """
    device = find_device(settings.request.device)
    # A model's folder is more than its file of weights, and is read every time.
    in_folder = folder_named(settings.backbone) is not None
    path = None if in_folder else settings.weights or installed_file(parse_name(settings.backbone))
    file = None if path is None else weights_file(path)
    network = FrozenBackbone(load_network(settings), device)
    if file is not None and device.is_cpu and openvino_is_installed():
        graph = prefix_name(network.backbone)
        take_note(settings, network.card, network.taps, network.details, graph=graph, file=file, cache=cache)
    return network
