"""A delivered model as one ONNX file, from a decoded image of any size to probabilities."""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch.export import ExportedProgram

from unfreeze.core.errors import InputError
from unfreeze.features.export_parts import (
    IMAGE,
    IMAGES,
    SQUARE,
    ExportJob,
    Runner,
    Said,
    of_any_size,
    of_squares,
    square_module,
)
from unfreeze.zoo.graph import first_line

FILE = "model.onnx"
_PREFIX = "network/"  # of names in the second part, so that they differ from those in the first
SIDES = ({0: "height", 1: "width"},)  # of an image of any size
LARGEST = 2**31 - 2**24  # bytes of weights: a message of protobuf ends at 2 GB


def export_onnx(job: ExportJob, folder: Path) -> Runner:
    """Write ``model.onnx``.

    Args:
        job: What to export.
        folder: Where; is there.

    Returns:
        What runs the file that was written.

    Raises:
        InputError: ONNX or its runtime is not installed, or the model cannot be exported to it.
    """
    check_installed()
    square, network = onnx_parts(job)
    if job.calibration is not None:
        network = _quantised(network, job)
    model = _joined(square, network, job)
    for name, value in job.metadata.items():
        model.metadata_props.add(key=name, value=value)
    (folder / FILE).write_bytes(model.SerializeToString())
    return run_by_onnxruntime(folder / FILE)


def check_installed() -> None:
    """Make sure that ONNX can be written and run.

    Raises:
        InputError: It cannot.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        msg = f"This needs {error.name}, which is not installed. Install it (pip install 'unfreeze[export]')."
        raise InputError(msg) from error


def onnx_parts(job: ExportJob) -> tuple[Any, Any]:
    """Two ``onnx.ModelProto``: from the image to the network's square, and from the square to answers.

    Args:
        job: What to export.

    Raises:
        InputError: The model cannot be exported to ONNX.
    """
    try:
        square = converted(of_any_size(square_module(job)), IMAGE, (SQUARE,), SIDES)
        network = converted(of_squares(job), IMAGES, job.outputs, None)
    except InputError:
        raise
    except Exception as error:  # whatever torch raises at somebody else's network
        reason = first_line(error)
        msg = f"{job.saved.card.name} cannot be exported to ONNX ({reason}). Try --to torch-export."
        raise InputError(msg) from error
    if sum(len(weights.raw_data) for weights in network.graph.initializer) > LARGEST:
        msg = f"{job.saved.card.name} is too large for an ONNX file, which ends at 2 GB. Try --to torch-export."
        raise InputError(msg)
    return square, network


def run_by_onnxruntime(file: Path) -> Runner:
    """What runs an exported file on the CPU.

    Args:
        file: Of `export_onnx`.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def run(image: UInt8[np.ndarray, "height width 3"]) -> Said:
        return Said.of(session.run(None, {IMAGE: image}))

    return run


def converted(program: ExportedProgram, takes: str, gives: Sequence[str], shapes: Any) -> Any:
    """The ``onnx.ModelProto`` of a program.

    Args:
        program: Of one input.
        takes: Name of the input.
        gives: Names of the outputs.
        shapes: Of each input the names of its sides that are open, by axis; None where all are fixed.
    """
    import torch

    with _silent():
        converted = torch.onnx.export(
            program, dynamo=True, input_names=[takes], output_names=list(gives), dynamic_shapes=shapes, verbose=False
        )
    assert converted is not None  # noqa: S101 - only without dynamo
    model = converted.model_proto
    for node in _nodes(model.graph):
        del node.metadata_props[:]  # names of files on this machine
    return model


def _nodes(graph: Any) -> Iterator[Any]:
    """All nodes, those of branches too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _joined(square: Any, network: Any, job: ExportJob) -> Any:
    from onnx import compose

    network = compose.add_prefix(network, _PREFIX)
    model = compose.merge_models(square, network, io_map=[(SQUARE, f"{_PREFIX}{IMAGES}")])
    _rename(model.graph, {f"{_PREFIX}{name}": name for name in job.outputs})
    return model


def _rename(graph: Any, names: Mapping[str, str]) -> None:
    """Give outputs their plain names."""
    for node in graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]
        node.input[:] = [names.get(name, name) for name in node.input]
    for output in graph.output:
        output.name = names[output.name]


def _quantised(network: Any, job: ExportJob) -> Any:
    """The network with weights and activations in int8."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.squares = iter(job.calibration or ())

        def get_next(self) -> dict[str, Any] | None:
            square = next(self.squares, None)
            return None if square is None else {IMAGES: square[None]}

    with tempfile.TemporaryDirectory(prefix="unfreeze-") as place, _silent():
        whole, ready, small = (str(Path(place) / f"{name}.onnx") for name in ("whole", "ready", "small"))
        onnx.save_model(network, whole)
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        kinds = ["Conv", "MatMul", "Gemm"]
        quantize_static(
            ready, small, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, op_types_to_quantize=kinds, **types
        )
        return onnx.load_model(small)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Exporters speak to programmers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
