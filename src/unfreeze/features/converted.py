"""The prefix as OpenVINO's own graph, with all taps and cuts as outputs; converted once and kept on disk.

Converting takes seconds, reading what was converted a few hundredths. The graph is kept under a hash of everything that
it depends on, the weights as they are in memory included, and the hash of its file is checked whenever it is read.
"""

import json
import secrets
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import timm
import torch
from numpy.typing import NDArray

from unfreeze.core.errors import InputError
from unfreeze.core.files import TEMPORARY_PREFIX, disk_errors_explained, sha256_of, write_json
from unfreeze.features.store import kept_beside
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.graph import Cut
from unfreeze.zoo.weights import weights_sha256

FORMAT = "unfreeze.prefix/2"
# Of one request. Processor time of an image on one core (Zen 5), EfficientNet-Lite0, bfloat16 / float32, by batch: 1: 2.24,
# 4: 2.17 / 4.2, 8: 2.30 / 4.7, 16: 2.55 ms. The maps of more images do not fit into the cache next to a core.
BATCH_SIZE = 4
GRAPH, WEIGHTS, MANIFEST = "prefix.xml", "prefix.bin", "manifest.json"


def output_name(kind: Literal["codes", "raw"], cut: Cut) -> str:
    """Name of an output of the converted graph."""
    return f"{kind}:{cut.name}"


def converted_prefix(backbone: Backbone, *, cache: Path | None = None) -> Any:
    """The graph from uint8 pixels [BATCH_SIZE, size, size, 3] to the codes at every tap and the tensors before every block.

    Args:
        backbone: The network, with the weights that it has now.
        cache: Folder where the graph is kept; the user's cache if None.

    Returns:
        An ``openvino.Model`` whose outputs are named by `output_name`.

    Raises:
        InputError: OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        msg = "The engine openvino is not installed. Install it (pip install openvino), or choose --engine torch."
        raise InputError(msg) from error
    description = _description(backbone, openvino.__version__)
    folder = kept_beside("prefixes", cache) / sha256_of(json.dumps(description).encode())[:32]
    if not _is_whole(folder):
        _save(_convert(backbone), folder, description)
    return openvino.Core().read_model(folder / GRAPH)


def _raw_cuts(backbone: Backbone) -> tuple[Cut, ...]:
    """Where training can begin: before every block, and before the head."""
    cuts = {cut.name: cut for cut in (*(block.start for block in backbone.blocks), *backbone.taps, backbone.head_cut)}
    return tuple(cut for name, cut in cuts.items() if name != "input")


def _description(backbone: Backbone, engine_version: str) -> dict[str, Any]:
    card = backbone.card
    head = {f"{backbone.head}.weight", f"{backbone.head}.bias"}
    weights = {name: value for name, value in backbone.network.state_dict().items() if name not in head}
    return {
        "format": FORMAT,
        "network": card.name,
        "weights": weights_sha256(weights),
        "preprocessing": [card.size, card.mean, card.std],
        "outputs": [[cut.name for cut in backbone.taps], [cut.name for cut in _raw_cuts(backbone)]],
        "versions": [engine_version, torch.__version__, timm.__version__],
    }


def _convert(backbone: Backbone) -> Any:
    import openvino

    raw = _raw_cuts(backbone)
    side = backbone.card.size
    example = torch.zeros(BATCH_SIZE, side, side, 3, dtype=torch.uint8)
    with torch.no_grad(), warnings.catch_warnings():
        # OpenVINO still traces with torch.jit, whose deprecation is no business of our users.
        warnings.simplefilter("ignore")
        module = backbone.codes_module(cuts=backbone.taps, raw=raw)
        model = openvino.convert_model(module, example_input=example, input=[list(example.shape)])
    names = [*(output_name("codes", cut) for cut in backbone.taps), *(output_name("raw", cut) for cut in raw)]
    for output, name in zip(model.outputs, names, strict=True):
        output.get_tensor().add_names({name})
    return model


def _save(model: Any, folder: Path, description: dict[str, Any]) -> None:
    """Write the graph to a folder that appears whole or not at all."""
    import openvino

    temporary = folder.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}"
    with disk_errors_explained(folder):
        try:
            temporary.mkdir(parents=True, mode=0o700)
            openvino.save_model(model, temporary / GRAPH, compress_to_fp16=False)
            hashes = {name: sha256_of((temporary / name).read_bytes()) for name in (GRAPH, WEIGHTS)}
            write_json(temporary / MANIFEST, {**description, "files": hashes})
            shutil.rmtree(folder, ignore_errors=True)  # a damaged one
            temporary.rename(folder)
        except FileExistsError:  # another process was faster
            shutil.rmtree(temporary, ignore_errors=True)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _is_whole(folder: Path) -> bool:
    """Whether the folder holds what was written."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return all(sha256_of((folder / name).read_bytes()) == files[name] for name in (GRAPH, WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def quantised(model: Any, batches: Sequence[NDArray[np.uint8]]) -> Any:
    """The graph with weights and activations in int8, their ranges taken from the user's images.

    Args:
        model: An ``openvino.Model``.
        batches: uint8 [BATCH_SIZE, size, size, 3] each.

    Returns:
        Another model with the same outputs.

    Raises:
        InputError: NNCF is not installed.
    """
    try:
        import nncf
    except ImportError as error:
        msg = "Precision int8 needs NNCF. Install it (pip install 'unfreeze[int8]'), or choose another --precision."
        raise InputError(msg) from error
    nncf.set_log_level("ERROR")
    return nncf.quantize(model, nncf.Dataset(list(batches)), subset_size=len(batches))
