"""The delivered model as a program of torch.export: plain torch runs it, without this package and without timm."""

import io
import json
import warnings
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from unfreeze.core.files import sha256_of, write_bytes
from unfreeze.zoo.folders import SavedModel, read_model
from unfreeze.zoo.graph import TRACING, first_line
from unfreeze.zoo.model_config import OUR_KEY, read_config, write_config

PROGRAM = "model.pt2"
PROGRAM_KEY = "program"  # in our part of config.json
SETTINGS = "config.json"  # inside the program's archive: the folder's own, without the part on the program
BATCH = 2  # of the images that it is traced with, whose number stays open

# What torch notes at each operation for debugging; the first two name files of the machine that it was made on.
_NOTES = ("stack_trace", "from_node", "nn_module_stack", "source_fn_stack", "torch_fn", "custom")


def has_program(folder: Path) -> bool:
    """Whether a model's folder holds its program, whole."""
    return PROGRAM_KEY in read_config(folder)[OUR_KEY] and (folder / PROGRAM).is_file()


def write_program(folder: Path) -> str:
    """Write ``model.pt2`` into the folder of a model, and its hash into ``config.json``.

    ``torch.export.load("model.pt2").module()`` takes uint8 images ``[batch, size, size, 3]`` (red, green, blue), any
    number of them, and gives float32 ``[batch, class]``: probabilities, or an SVM's margins, as ``config.json`` says.
    It holds what `read_model` reads, so the two say the same. Sample inputs are left out, which would be a pickle;
    nothing else in the archive is one.

    Args:
        folder: Written by `save_model`.

    Returns:
        Why there is none, in a sentence: torch.export cannot do every network. Empty if it was written.

    Raises:
        InputError: The folder is no model.
        OutputError: It cannot be written.
    """
    saved, config = read_model(folder), read_config(folder)
    config[OUR_KEY].pop(PROGRAM_KEY, None)
    try:
        data = _archived(_exported(saved), json.dumps(config, indent=1))
    except Exception as error:  # whatever torch.export raises at somebody else's network
        return (
            f"There is no {PROGRAM} in the model's folder, since torch.export cannot export {saved.card.name} "
            f"({first_line(error).rstrip('.')}); all else is there."
        )
    write_bytes(folder / PROGRAM, data)
    config[OUR_KEY][PROGRAM_KEY] = _described(saved, data)
    write_config(folder, config)  # last: it says that the program is whole
    return ""


def _described(saved: SavedModel, data: bytes) -> dict[str, Any]:
    size = saved.card.size
    return {
        "file": PROGRAM,
        "sha256": sha256_of(data),
        "input": f"uint8 [batch, {size}, {size}, 3], red, green, blue",
        "output": "probabilities" if saved.gives_probabilities else "margins",
        "torch": torch.__version__,
    }


@final
class Answers(nn.Module):
    """A saved model that gives probabilities in place of logits; an SVM's margins as they are.

    Args:
        saved: The model.
    """

    def __init__(self, saved: SavedModel) -> None:
        super().__init__()
        self.scores = saved.module
        self.probabilities = saved.gives_probabilities

    def forward(self, images: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch cls"]:
        """What the model says of plain pixels, red, green, blue."""
        scores: Tensor = self.scores(images)
        return torch.softmax(scores, dim=1) if self.probabilities else scores


def _exported(saved: SavedModel) -> ExportedProgram:
    size = saved.card.size
    module = Answers(saved).eval().requires_grad_(False)
    images = torch.zeros(BATCH, size, size, 3, dtype=torch.uint8)
    # One at a time, and not while fx traces: torch.export says to the whole process that it compiles.
    with TRACING, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (images,), dynamic_shapes=({0: Dim("batch", min=1)},), strict=False)
    return without_notes(program)


def without_notes(program: ExportedProgram) -> ExportedProgram:
    """The program without its example, which would be a pickle in its file, and without what names this machine."""
    program.example_inputs = None
    for part in program.graph_module.modules():
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            for note in _NOTES:
                node.meta.pop(note, None)
    return program


def _archived(program: ExportedProgram, settings: str) -> bytes:
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={SETTINGS: settings})
    return file.getvalue()
