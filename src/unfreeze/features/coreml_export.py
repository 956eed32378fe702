"""A delivered model for Apple's CoreML: from the network's square to probabilities; Vision resizes photos there."""

import json
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unfreeze.core.errors import InputError
from unfreeze.features.export_parts import ExportJob
from unfreeze.zoo.graph import TRACING, first_line
from unfreeze.zoo.programs import Answers

FILE = "model.mlpackage"


@final
class _OfPlanes(nn.Module):
    """CoreML hands over channels first, in float32, from 0 to 255."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self.answers = answers

    def forward(self, image: Float[Tensor, "1 3 size size"]) -> Float[Tensor, "1 cls"]:
        answers: Tensor = self.answers(image.permute(0, 2, 3, 1))
        return answers


def export_coreml(job: ExportJob, folder: Path) -> None:
    """Write ``model.mlpackage``: a classifier of images of the network's size. Nothing runs it here.

    Args:
        job: What to export.
        folder: Where; is there.

    Raises:
        InputError: coremltools is not installed, or cannot convert the model.
    """
    try:
        import coremltools
    except ImportError as error:
        msg = "--to coreml needs coremltools, which is not installed. Install it (pip install coremltools)."
        raise InputError(msg) from error
    side = job.saved.card.size
    module = _OfPlanes(Answers(job.saved)).eval().requires_grad_(False)
    try:
        with TRACING, torch.no_grad():
            # Not by torch.jit.trace, whose graph computes the paddings of EfficientNets from the size of the image.
            program = torch.export.export(module, (torch.zeros(1, 3, side, side),), strict=False)
        layout = coremltools.colorlayout.RGB
        model = coremltools.convert(
            program.run_decompositions({}),
            inputs=[coremltools.ImageType(name="image", shape=(1, 3, side, side), color_layout=layout)],
            classifier_config=coremltools.ClassifierConfig(list(job.saved.class_names)),
            compute_precision=coremltools.precision.FLOAT32,
            convert_to="mlprogram",
        )
    except Exception as error:  # whatever coremltools raises at somebody else's network
        reason = first_line(error)
        msg = f"coremltools cannot convert {job.saved.card.name} ({reason}). Try --to onnx."
        raise InputError(msg) from error
    model.user_defined_metadata.update(dict(job.metadata))
    model.license = json.loads(job.metadata["card"])["licence"]
    model.save(str(folder / FILE))
