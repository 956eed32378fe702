"""The prefix of a backbone in OpenVINO: converted to its own graph once, and kept on disk.

Converting takes seconds. The graph is kept under a hash of everything that it depends on, the weights as they are in
memory included; see `features.openvino_graphs` for what is read of it.
"""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray

from unfreeze.core.errors import InputError
from unfreeze.core.files import sha256_of
from unfreeze.features.openvino_graphs import (
    BATCH_SIZE,
    GraphPrecision,
    compiled_for_processor,
    compiled_graph,
    graph_folder,
    is_whole,
    openvino_library,
    output_names,
    read_graph,
    save_graph,
    with_outputs,
)
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.graph import Cut
from unfreeze.zoo.imported.network import ImportedNetwork
from unfreeze.zoo.weights import weights_sha256

FORMAT = "unfreeze.prefix/3"


def compiled_prefix(
    backbone: Backbone,
    names: Sequence[str],
    precision: GraphPrecision,
    *,
    keep: bool = True,
    cache: Path | None = None,
) -> Any:
    """The prefix, ready to run on this processor.

    Args:
        backbone: The network, with the weights that it has now.
        names: Outputs that are wanted, by `output_name`; what leads to no other is not computed.
        precision: Of its arithmetic.
        keep: Whether to keep what is compiled now; it takes as much disk as the weights.
        cache: Folder where it is kept; the user's cache if None.

    Returns:
        As `compiled_graph`.

    Raises:
        InputError: OpenVINO is not installed.
    """
    folder = graph_folder(prefix_name(backbone), cache)
    compiled = compiled_graph(folder, names, precision, keep=keep)
    if compiled is None:
        converted_prefix(backbone, cache=cache)
        compiled = compiled_graph(folder, names, precision, keep=keep)
    return compiled


def converted_prefix(backbone: Backbone, *, cache: Path | None = None) -> Any:
    """The graph from uint8 [BATCH_SIZE, size, size, 3] to all that is read at taps and the tensors before every block.

    Args:
        backbone: The network, with the weights that it has now.
        cache: Folder where the graph is kept; the user's cache if None.

    Returns:
        An ``openvino.Model`` whose outputs are named by `output_name`.

    Raises:
        InputError: OpenVINO is not installed.
    """
    folder = graph_folder(prefix_name(backbone), cache)
    if not is_whole(folder):
        save_graph(_convert(backbone), folder, _description(backbone))
    return read_graph(folder)


def prefix_name(backbone: Backbone) -> str:
    """Name of the folder of its graph: a hash of all that the graph depends on.

    Raises:
        InputError: OpenVINO is not installed.
    """
    return sha256_of(json.dumps(_description(backbone)).encode())[:32]


def _raw_cuts(backbone: Backbone) -> tuple[Cut, ...]:
    """Where training can begin: before every block, and before the head."""
    cuts = {cut.name: cut for cut in (*(block.start for block in backbone.blocks), *backbone.taps, backbone.head_cut)}
    return tuple(cut for name, cut in cuts.items() if name != "input")


def _description(backbone: Backbone) -> dict[str, Any]:
    card = backbone.card
    state = backbone.network.state_dict()
    weights = {name: value for name, value in state.items() if not name.startswith(backbone.head_prefixes)}
    return {
        "format": FORMAT,
        "network": card.name,
        "weights": weights_sha256(weights),
        **({"graph": network.graph_sha256} if isinstance(network := backbone.network, ImportedNetwork) else {}),
        "preprocessing": [card.size, card.mean, card.std, *card.unusual_input],
        "outputs": output_names(backbone.taps, backbone.details, _raw_cuts(backbone)),
        "versions": [openvino_library().__version__, torch.__version__, timm.__version__],
    }


def _convert(backbone: Backbone) -> Any:
    raw = _raw_cuts(backbone)
    module = backbone.codes_module(cuts=backbone.taps, raw=raw, details=backbone.details)
    model = converted_module(module, backbone.card.size)
    for output, name in zip(model.outputs, output_names(backbone.taps, backbone.details, raw), strict=True):
        output.get_tensor().add_names({name})
    return model


def converted_module(module: torch.nn.Module, side: int, *, batch_size: int = BATCH_SIZE) -> Any:
    """The ``openvino.Model`` of a module that takes uint8 [batch_size, side, side, 3].

    Raises:
        InputError: OpenVINO is not installed.
    """
    openvino = openvino_library()
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # none without OpenVINO

    example = torch.zeros(batch_size, side, side, 3, dtype=torch.uint8)
    with torch.no_grad(), warnings.catch_warnings():
        # OpenVINO still traces with torch.jit, whose deprecation is no business of our users.
        warnings.simplefilter("ignore")
        # By default it traces twice and compares the graphs, which takes two thirds of the time.
        traced = TorchScriptPythonDecoder(module, example_input=example, trace_kwargs={"check_trace": False})
        return openvino.convert_model(traced, example_input=example, input=[list(example.shape)])


def quantised_prefix(
    backbone: Backbone, names: Sequence[str], batches: Sequence[NDArray[np.uint8]], *, cache: Path | None = None
) -> Any:
    """The prefix with weights and activations in int8, their ranges taken from the user's images; not kept.

    Args:
        backbone: The network, with the weights that it has now.
        names: Outputs that are wanted, by `output_name`.
        batches: uint8 [BATCH_SIZE, size, size, 3] each.
        cache: Folder where the graph is kept; the user's cache if None.

    Returns:
        An ``openvino.CompiledModel``.

    Raises:
        InputError: NNCF or OpenVINO is not installed.
    """
    model = with_outputs(converted_prefix(backbone, cache=cache), names)
    return compiled_for_processor(quantised(model, batches), "f32")


def quantised(model: Any, batches: Sequence[NDArray[np.uint8]]) -> Any:
    """An ``openvino.Model`` with weights and activations in int8.

    Args:
        model: In float32.
        batches: What its one input takes, from which the ranges of activations are found.

    Returns:
        Another ``openvino.Model``.

    Raises:
        InputError: NNCF is not installed.
    """
    try:
        import nncf
    except ImportError as error:
        msg = "int8 needs NNCF. Install it (pip install 'unfreeze[int8]'), or choose another precision."
        raise InputError(msg) from error
    nncf.set_log_level("ERROR")
    return nncf.quantize(model, nncf.Dataset(list(batches)), subset_size=len(batches))
