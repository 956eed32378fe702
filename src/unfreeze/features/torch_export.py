"""A delivered model as a program of torch.export that takes a decoded image of any size."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from unfreeze.core.errors import InputError
from unfreeze.features.export_parts import ExportJob, Runner, Said, WholeModel, of_any_size
from unfreeze.zoo.graph import first_line
from unfreeze.zoo.programs import without_notes

FILE = "model.pt2"


def export_torch(job: ExportJob, folder: Path) -> Runner:
    """Write ``model.pt2``; its metadata are extra files of the archive.

    Args:
        job: What to export.
        folder: Where; is there.

    Returns:
        What runs the file that was written.

    Raises:
        InputError: torch.export cannot export the model.
    """
    try:
        program = without_notes(of_any_size(WholeModel(job)))
        torch.export.save(program, folder / FILE, extra_files=dict(job.metadata))
    except InputError:
        raise
    except Exception as error:  # whatever torch.export raises at somebody else's network
        reason = first_line(error)
        msg = f"torch.export cannot export {job.saved.card.name} ({reason}). Try --to onnx."
        raise InputError(msg) from error
    return run_by_torch(folder / FILE)


def run_by_torch(file: Path) -> Runner:
    """What runs an exported file on the CPU.

    Args:
        file: Of `export_torch`.
    """
    module = torch.export.load(file).module()

    def run(image: UInt8[np.ndarray, "height width 3"]) -> Said:
        with torch.inference_mode():
            found = module(torch.from_numpy(image))
        return Said.of([one.numpy() for one in (found if isinstance(found, tuple) else (found,))])

    return run
