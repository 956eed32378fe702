"""Reading files of torch.save by a child that is locked down.

Also those with tensors alone, which torch would read without executing anything: a few hundred bytes of tuples in
tuples, as a key, would keep it busy for ever.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load

from unfreeze.core.errors import WeightsError
from unfreeze.zoo.checkpoints import Chosen
from unfreeze.zoo.file_kinds import other_kind
from unfreeze.zoo.inert_pickles import REFUSED
from unfreeze.zoo.safetensors_notes import notes_of

SECONDS = 300.0  # for the child, with the largest files
_SAVE = "Where it was made, save the tensors alone: torch.save({}.state_dict(), 'weights.pth')."


class NotUsableError(ValueError):
    """A file of weights was changed, or asks for more than one of a network ever does."""


def tensors_of_torch(data: bytes, path: Path) -> Chosen:
    """The network's tensors in a file of torch.save; nothing in it is executed.

    Args:
        data: What the file holds.
        path: Of the file, for errors.

    Returns:
        Its tensors, and the part of the checkpoint that they were in.

    Raises:
        WeightsError: It holds no tensors by name, several networks, or a whole network as an object.
        NotUsableError: Its tensors show the same few numbers again and again.
        RuntimeError: It is damaged; other errors that reading a damaged file raises are not caught either.
    """
    # The answer goes into a file: a pipe would have to be emptied while the other is filled, in pieces of 64 KiB.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answered:
        given.write(data)
        given.seek(0)
        try:
            status = subprocess.run(
                [sys.executable, "-P", "-m", "unfreeze.zoo.inert_pickles"],
                stdin=given,
                stdout=answered,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                timeout=SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise RuntimeError from error
        answered.seek(0)
        answer = answered.read()
    if status == REFUSED:
        refusal = json.loads(answer)
        raise _REFUSALS[refusal["why"]](path, refusal["what"])
    if status:
        raise RuntimeError  # it was stopped by a lock or a limit
    notes = notes_of(answer)
    return Chosen(load(answer), tuple(json.loads(notes["part"])), tuple(json.loads(notes["choices"])))


def no_tensors(path: str, choices: str) -> WeightsError:
    """The error of a file without tensors by name, or with several networks of which none is the one that is wanted.

    Args:
        path: Of the file.
        choices: Names of the networks.
    """
    if choices:
        return WeightsError(
            f"The weights file {path} holds several networks ({choices}). Save the one that you mean: "
            "torch.save(model.state_dict(), 'weights.pth')."
        )
    return WeightsError(
        f"The weights file {path} holds no tensors by name. Give a state dict, as model.state_dict() makes it."
    )


_REFUSALS: dict[str, Callable[[Path, str], Exception]] = {
    "fastai": lambda path, _: other_kind(path, "a fastai export; not loaded", _SAVE.format("learn.model")),
    "module": lambda path, what: other_kind(
        path, f"a whole pickled network ({what}); not loaded", _SAVE.format("model")
    ),
    "wants": lambda path, what: WeightsError(
        f"The weights file {path} cannot be read (it wants {what}; not loaded). "
        "Give a whole .safetensors file, or one of torch.save that holds only tensors."
    ),
    "odd": lambda path, what: WeightsError(f"The weights file {path} cannot be used: {what}. {_SAVE.format('model')}"),
    "choices": lambda path, what: no_tensors(str(path), what),
    "unfolds": lambda _, what: NotUsableError(f"its tensors unfold to {what}"),
    "memory": lambda *_: MemoryError(),
    "damaged": lambda *_: RuntimeError(),
}


def _environment() -> dict[str, Any]:
    """The parent's; the child finds this package."""
    package_root = str(Path(__file__).resolve().parents[2])
    search = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": search, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
