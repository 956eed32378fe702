"""The prefix in OpenVINO: converted to its own graph and compiled for this processor once, and both kept on disk.

Converting takes seconds, compiling a tenth of one, reading what is kept a few hundredths. The graph is kept under a
hash of everything that it depends on, the weights as they are in memory included, and the hash of each file is checked
whenever it is read.
"""

import contextlib
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
from unfreeze.core.files import TEMPORARY_PREFIX, disk_errors_explained, sha256_of, write_bytes, write_json
from unfreeze.core.readouts import Readout
from unfreeze.store.codes import kept_beside
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.graph import Cut
from unfreeze.zoo.weights import weights_sha256

FORMAT = "unfreeze.prefix/3"
# Of one request. The maps of more images do not fit into the cache next to a core. Processor time of an image on one
# core (Zen 5), EfficientNet-Lite0 in bfloat16, batches of 1, 2, 4, 8, 16: 2.24, 2.20, 2.17, 2.29, 2.55 ms.
BATCH_SIZE = 4
GRAPH, WEIGHTS, MANIFEST = "prefix.xml", "prefix.bin", "manifest.json"
COMPILED_SUFFIX = ".compiled"


def output_name(kind: Literal["codes", "details", "raw"], read: Cut | Readout) -> str:
    """Name of an output of the converted graph."""
    return f"{kind}:{read.name}"


def output_names(codes: Sequence[Cut], details: Sequence[Readout], raw: Sequence[Cut]) -> list[str]:
    """Names of outputs: of codes, then what else is read at taps, then the tensors themselves."""
    return [
        *(output_name("codes", cut) for cut in codes),
        *(output_name("details", readout) for readout in details),
        *(output_name("raw", cut) for cut in raw),
    ]


def compiled_prefix(
    backbone: Backbone,
    names: Sequence[str],
    precision: Literal["f32", "bf16"],
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
        An ``openvino.CompiledModel`` from uint8 pixels [BATCH_SIZE, size, size, 3]; one that was kept gives the same
        bits as one that is compiled anew.

    Raises:
        InputError: OpenVINO is not installed.
    """
    core = _openvino().Core()
    processor = [core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    key = sha256_of(json.dumps([list(names), precision, processor]).encode())[:16]
    folder = _folder(backbone, cache)
    for path in folder.glob(f"{key}-*{COMPILED_SUFFIX}"):
        with contextlib.suppress(OSError, RuntimeError):  # gone, or from another build of OpenVINO
            data = path.read_bytes()
            if path.name == _compiled_name(key, data):
                return core.import_model(data, "CPU", _settings(precision))
        path.unlink(missing_ok=True)
    compiled = core.compile_model(
        _with_outputs(converted_prefix(backbone, cache=cache), names), "CPU", _settings(precision)
    )
    if keep:
        data = compiled.export_model().getvalue()
        write_bytes(folder / _compiled_name(key, data), data)
    return compiled


def _compiled_name(key: str, data: bytes) -> str:
    return f"{key}-{sha256_of(data)[:32]}{COMPILED_SUFFIX}"


def _settings(precision: Literal["f32", "bf16"]) -> dict[str, Any]:
    """What OpenVINO is asked for."""
    return {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}


def _with_outputs(model: Any, names: Sequence[str]) -> Any:
    """A graph with some of the outputs of `model`, in the order of `names`, and without what leads to no other."""
    results = [model.output(name).get_node().input_value(0) for name in names]
    return _openvino().Model(results, model.get_parameters())


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
    folder = _folder(backbone, cache)
    if not _is_whole(folder):
        _save(_convert(backbone), folder, _description(backbone))
    return _openvino().Core().read_model(folder / GRAPH)


def _openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        msg = "The engine openvino is not installed. Install it (pip install openvino), or choose --engine torch."
        raise InputError(msg) from error
    return openvino


def _folder(backbone: Backbone, cache: Path | None) -> Path:
    return kept_beside("prefixes", cache) / sha256_of(json.dumps(_description(backbone)).encode())[:32]


def _raw_cuts(backbone: Backbone) -> tuple[Cut, ...]:
    """Where training can begin: before every block, and before the head."""
    cuts = {cut.name: cut for cut in (*(block.start for block in backbone.blocks), *backbone.taps, backbone.head_cut)}
    return tuple(cut for name, cut in cuts.items() if name != "input")


def _description(backbone: Backbone) -> dict[str, Any]:
    card = backbone.card
    head = {f"{backbone.head}.weight", f"{backbone.head}.bias"}
    weights = {name: value for name, value in backbone.network.state_dict().items() if name not in head}
    return {
        "format": FORMAT,
        "network": card.name,
        "weights": weights_sha256(weights),
        "preprocessing": [card.size, card.mean, card.std, *card.unusual_input],
        "outputs": output_names(backbone.taps, backbone.details, _raw_cuts(backbone)),
        "versions": [_openvino().__version__, torch.__version__, timm.__version__],
    }


def _convert(backbone: Backbone) -> Any:
    raw = _raw_cuts(backbone)
    side = backbone.card.size
    example = torch.zeros(BATCH_SIZE, side, side, 3, dtype=torch.uint8)
    with torch.no_grad(), warnings.catch_warnings():
        # OpenVINO still traces with torch.jit, whose deprecation is no business of our users.
        warnings.simplefilter("ignore")
        module = backbone.codes_module(cuts=backbone.taps, raw=raw, details=backbone.details)
        model = _openvino().convert_model(module, example_input=example, input=[list(example.shape)])
    for output, name in zip(model.outputs, output_names(backbone.taps, backbone.details, raw), strict=True):
        output.get_tensor().add_names({name})
    return model


def _save(model: Any, folder: Path, description: dict[str, Any]) -> None:
    """Write the graph to a folder that appears whole or not at all."""
    temporary = folder.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}"
    with disk_errors_explained(folder):
        try:
            temporary.mkdir(parents=True, mode=0o700)
            _openvino().save_model(model, temporary / GRAPH, compress_to_fp16=False)
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
    try:
        import nncf
    except ImportError as error:
        msg = "Precision int8 needs NNCF. Install it (pip install 'unfreeze[int8]'), or choose another --precision."
        raise InputError(msg) from error
    nncf.set_log_level("ERROR")
    model = _with_outputs(converted_prefix(backbone, cache=cache), names)
    small = nncf.quantize(model, nncf.Dataset(list(batches)), subset_size=len(batches))
    return _openvino().Core().compile_model(small, "CPU", _settings("f32"))
