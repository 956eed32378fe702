"""A delivered model in OpenVINO's own form, from a decoded image of any size to probabilities."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from unfreeze.core.errors import InputError
from unfreeze.features.export_parts import ExportJob, Runner, Said
from unfreeze.features.onnx_export import check_installed, onnx_parts
from unfreeze.features.openvino_graphs import openvino_library
from unfreeze.features.openvino_prefix import quantised

FILE, WEIGHTS = "model.xml", "model.bin"
METADATA = "unfreeze"  # the part of a model's runtime information that is ours
PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}


def export_openvino(job: ExportJob, folder: Path) -> Runner:
    """Write ``model.xml`` and ``model.bin``.

    Args:
        job: What to export.
        folder: Where; is there.

    Returns:
        What runs the files that were written, in float32.

    Raises:
        InputError: OpenVINO, ONNX or, for int8, NNCF is not installed, or the model cannot be exported.
    """
    openvino = openvino_library()
    check_installed()
    core = openvino.Core()
    square, network = (core.read_model(part.SerializeToString()) for part in onnx_parts(job))
    if job.resize == "fast":
        _resize_as_pillow(square, job.saved.card.interpolation)
    if job.calibration is not None:
        network = quantised(network, [image[None] for image in job.calibration])
    network.get_parameters()[0].output(0).replace(square.output(0).get_node().input_value(0))
    model = openvino.Model(network.get_results(), square.get_parameters(), "unfreeze")
    for name, value in job.metadata.items():
        model.set_rt_info(value, [METADATA, name])
    openvino.save_model(model, folder / FILE, compress_to_fp16=False)
    return run_by_openvino(folder / FILE)


def run_by_openvino(file: Path) -> Runner:
    """What runs an exported file on the CPU, in float32 or int8.

    Args:
        file: Of `export_openvino`.
    """
    program = openvino_library().Core().compile_model(file, "CPU", PRECISION)

    def run(image: UInt8[np.ndarray, "height width 3"]) -> Said:
        found = program(image)
        return Said.of([np.array(found[place]) for place in range(len(program.outputs))])

    return run


def _resize_as_pillow(model: Any, interpolation: str) -> None:
    """Resize by OpenVINO's imitation of Pillow: what it reads from ONNX does not smooth as it makes images smaller.

    Raises:
        InputError: There is nothing that resizes.
    """
    from openvino import opset11

    found = [node for node in model.get_ops() if node.get_type_name() == "Interpolate"]
    if len(found) != 1:
        msg = "OpenVINO resizes this model's photos in another way than was asked. Choose --resize exact."
        raise InputError(msg)
    (node,) = found
    plain = node.input_value(0).get_node().input_value(0)  # of 8 bits, before they become float32
    corners = [0, 0, 0, 0]
    resized = opset11.interpolate(
        plain, node.input_value(1), f"{interpolation}_pillow", "sizes", corners, corners, cube_coeff=-0.5
    )
    node.output(0).replace(opset11.convert(resized, "f32").output(0))
