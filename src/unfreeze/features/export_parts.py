"""The two parts of an exported model: from an image of any size to the network's square, and from there to answers."""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from unfreeze.core.errors import InputError
from unfreeze.core.export_settings import ExportResize
from unfreeze.data.squares import geometry_of
from unfreeze.features import pillow_resize, runtime_resize
from unfreeze.features.pillow_resize import PillowSquare
from unfreeze.features.runtime_resize import RuntimeSquare
from unfreeze.metrics.novelty import CodeCloud
from unfreeze.zoo.folders import SavedModel
from unfreeze.zoo.graph import TRACING
from unfreeze.zoo.likeness import AnswersAndLikeness
from unfreeze.zoo.programs import Answers

IMAGE, SQUARE, IMAGES, LIKENESS = "image", "square", "images", "likeness"  # names of tensors
UNLIKE = 0.01  # share of photos like those in training that count as unlike them, where so few can be told
_EXAMPLE = (401, 503)  # sides of an image, of which nothing may depend
_SIDES = {"min": 1, "max": 65_535}  # pixels


@dataclass(frozen=True, eq=False)
class Said:
    """What an exported model says of one image: its answers, and how like those in training it is, if it says that."""

    answers: Float[np.ndarray, " cls"]
    likeness: float | None = None

    @classmethod
    def of(cls, outputs: Sequence[NDArray[np.float32]]) -> "Said":
        """Of the outputs of a program, whose first axis is the batch of one."""
        answers, *others = outputs
        return cls(answers[0], float(others[0][0]) if others else None)


# From an image, uint8 [height, width, 3].
Runner = Callable[[UInt8[np.ndarray, "height width 3"]], Said]


@dataclass(frozen=True, eq=False, kw_only=True)
class ExportJob:
    """What is to be exported.

    Attributes:
        saved: The model.
        resize: ``exact`` for Pillow's resizing bit for bit, ``fast`` for that of the runtime.
        calibration: uint8 [size, size, 3] each, which say what int8 has to represent; None for float32.
        cloud: Where the codes of its training photos lie, if it is also to say how like them a photo is.
    """

    saved: SavedModel
    resize: ExportResize
    calibration: tuple[NDArray[np.uint8], ...] | None = None
    cloud: CodeCloud | None = None

    @property
    def threshold(self) -> float | None:
        """Likeness up to which a photo counts as unlike anything in training; None if that is not said."""
        return None if self.cloud is None else max(UNLIKE, round(1 / (1 + len(self.cloud.held_out)), 6))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Their names."""
        return (self.answer,) if self.cloud is None else (self.answer, LIKENESS)

    @property
    def answer(self) -> str:
        """What the output is called."""
        return "probabilities" if self.saved.gives_probabilities else "margins"

    @property
    def metadata(self) -> Mapping[str, str]:
        """What goes into the exported file: each value is JSON in ASCII."""
        values: dict[str, Any] = {
            "labels": self.saved.class_names,
            "card": asdict(self.saved.card),
            "resize": self.resize,
        }
        values |= {} if self.threshold is None else {"unlike": self.threshold}
        return {name: json.dumps(value) for name, value in values.items()}


@final
class WholeModel(nn.Module):
    """From a decoded image of any size to answers, as one module.

    Args:
        job: What is to be exported.
    """

    def __init__(self, job: ExportJob) -> None:
        super().__init__()
        self.square, self.answers = square_module(job), answers_module(job)

    def forward(self, image: UInt8[Tensor, "height width 3"]) -> Tensor | tuple[Tensor, ...]:
        """What the model says of plain pixels, red, green, blue: answers, and likeness if it says that."""
        answers: Tensor | tuple[Tensor, ...] = self.answers(self.square(image))
        return answers


def answers_module(job: ExportJob) -> nn.Module:
    """What answers for squares: answers alone, or a pair of these and likeness."""
    return Answers(job.saved) if job.cloud is None else AnswersAndLikeness(job.saved, job.cloud)


def square_module(job: ExportJob) -> PillowSquare | RuntimeSquare:
    """What resizes and crops.

    Args:
        job: What is to be exported.

    Raises:
        InputError: The photos of this model are resized by a filter that cannot be exported that way.
    """
    geometry = geometry_of(job.saved.card)
    kind, filters = (
        (PillowSquare, pillow_resize.FILTERS) if job.resize == "exact" else (RuntimeSquare, runtime_resize.FILTERS)
    )
    if geometry.interpolation not in filters:
        msg = (
            f"An exported model can resize photos by {' or '.join(filters)} interpolation, and this one was trained on "
            f"photos resized by {geometry.interpolation}. Use model.pt2 in its folder, and resize before it."
        )
        raise InputError(msg)
    module: PillowSquare | RuntimeSquare = kind(geometry)
    return module


def of_any_size(module: nn.Module) -> ExportedProgram:
    """The program of a module that takes one image, uint8 [height, width, 3], of any size."""
    sides = {0: Dim("height", **_SIDES), 1: Dim("width", **_SIDES)}
    return _program(module, torch.zeros(*_EXAMPLE, 3, dtype=torch.uint8), (sides,))


def of_squares(job: ExportJob) -> ExportedProgram:
    """The program from one square, uint8 [1, size, size, 3], to answers."""
    side = job.saved.card.size
    return _program(answers_module(job), torch.zeros(1, side, side, 3, dtype=torch.uint8), None)


def _program(module: nn.Module, example: Tensor, shapes: tuple[dict[int, Dim], ...] | None) -> ExportedProgram:
    """One at a time, and not while fx traces: torch.export says to the whole process that it compiles."""
    module = module.eval().requires_grad_(False)
    with TRACING, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.export.export(module, (example,), dynamic_shapes=shapes, strict=False)
