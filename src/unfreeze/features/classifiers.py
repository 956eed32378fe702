"""Delivered models whose OpenVINO program is kept: they predict without PyTorch.

A program is kept under a hash of the model's settings, which name the hash of its weights, and of what it was made by.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unfreeze.core.errors import DiskError, OutputError
from unfreeze.core.files import disk_errors_explained, make_folder
from unfreeze.core.leftovers import paths_in
from unfreeze.features.engines import Engine, PrefixEngine, openvino_engine
from unfreeze.features.openvino_graphs import BATCH_SIZE, COMPILED_SUFFIX, keep_program, kept_program, program_key
from unfreeze.features.provenance import made_by
from unfreeze.store.documents import keep_document, kept_document
from unfreeze.store.places import kept_beside

FORMAT = "unfreeze.classifier/2"
ENGINE = Engine("openvino", "f32")
KEPT = 16  # programs: each is as large as the model's weights
_LEFT_OUT = frozenset(
    {"program", "unlike", "neighbours"}
)  # in the settings: written after the model, and not used here


@dataclass(frozen=True)
class Form:
    """What a program of a model takes and gives.

    Attributes:
        batch_size: Images that it takes at once; fewer are padded.
        gives_map: Whether it gives, behind the scores and what its head reads (the codes), the last map too, if the
            head reads the means of that.
    """

    batch_size: int = BATCH_SIZE
    gives_map: bool = False


MANY, ONE_BY_ONE = Form(), Form(batch_size=1)


def kept_classifier(
    settings: Mapping[str, Any], cache: Path | None = None, *, form: Form = MANY
) -> PrefixEngine | None:
    """The program of a model, if it is kept.

    Args:
        settings: What the model's ``config.json`` says in our part; its weights must have been checked against it.
        cache: Folder of all that is kept; the user's cache if None.
        form: Each has a program of its own.

    Returns:
        The engine; None if there is no program, or it is damaged.

    Raises:
        InputError: OpenVINO is not installed.
    """
    folder, key = kept_beside("classifiers", cache), _key(settings, form)
    compiled = kept_program(folder, key, "f32")
    if compiled is None:
        return None
    for path in folder.glob(f"{key}-*{COMPILED_SUFFIX}"):
        with contextlib.suppress(OSError):
            os.utime(path)  # the ones that were used last stay
    return openvino_engine(compiled, ENGINE)


def keep_classifier(
    settings: Mapping[str, Any], compiled: Any | None, cache: Path | None = None, *, form: Form = MANY
) -> None:
    """Keep the program of a model, or that it has none; where nothing can be written, it is made again the next time.

    Args:
        settings: As for `kept_classifier`.
        compiled: An ``openvino.CompiledModel``; None if the model cannot be converted.
        cache: Folder of all that is kept; the user's cache if None.
        form: As for `kept_classifier`.
    """
    folder, key = kept_beside("classifiers", cache), _key(settings, form)
    with contextlib.suppress(DiskError, OutputError):
        if compiled is None:
            keep_document(folder / f"{key}.json", {"converts": False})
            return
        with disk_errors_explained(folder):
            make_folder(folder, private=True)
        keep_program(folder, key, compiled)
        _let_go(folder)


def is_convertible(settings: Mapping[str, Any], cache: Path | None = None, *, form: Form = MANY) -> bool:
    """Whether it is not known of a model that it cannot be converted."""
    return kept_document(kept_beside("classifiers", cache) / f"{_key(settings, form)}.json") is None


def _key(settings: Mapping[str, Any], form: Form) -> str:
    content = {name: value for name, value in settings.items() if name not in _LEFT_OUT}
    return program_key([FORMAT, content, made_by(), form.batch_size, form.gives_map], "f32")


def _let_go(folder: Path) -> None:
    """Remove the programs that were used longest ago, beyond those that are kept."""
    found = []
    for path in paths_in(folder):
        with contextlib.suppress(OSError):
            found.append((path.stat().st_mtime, path))
    programs = [(used, path) for used, path in found if path.suffix == COMPILED_SUFFIX]
    for _, path in sorted(programs)[:-KEPT]:
        with contextlib.suppress(OSError):
            path.unlink()
