"""The photos on which an exported model is compared: those of its run, or a folder of the user's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from unfreeze.core.errors import InputError
from unfreeze.core.file_names import as_written
from unfreeze.core.progress import Progress
from unfreeze.core.run_record import RUN_FILE, STOPPED_FILE, read_run
from unfreeze.data.folders import files_below
from unfreeze.workflows.thumbnails import folder_of

SEED: Final = 0


@dataclass(frozen=True)
class Photo:
    """A file, and the class that it belongs to by its run or by the folder that it lies in; empty if not known."""

    path: Path
    label: str = ""


def photos_for(
    model: Path, images: Path | None, class_names: Sequence[str], *, most: int, progress: Progress
) -> tuple[Photo, ...]:
    """Photos to compare on, drawn at random, always the same ones.

    Args:
        model: Folder of the model.
        images: Folder of the user's; None for the photos of the run that the model belongs to.
        class_names: Of the model.
        most: How many, at most.
        progress: Is looked at while a folder is searched.

    Returns:
        Files that are there.

    Raises:
        InputError: There is none.
    """
    if images is None:
        found = tuple(_of_run(model))
        lacking = f"The photos of the run of {model} are not there to compare on. Give some: --images FOLDER."
    elif not images.is_dir():
        msg = f"{as_written(images)} is no folder. Give a folder of photos with --images."
        raise InputError(msg)
    else:
        paths = files_below(images, advance=progress.checkpoint).paths
        found = tuple(Photo(path, path.parent.name if path.parent.name in class_names else "") for path in paths)
        lacking = f"There is no image in {images}. Give a folder that holds some with --images."
    drawn: list[Photo] = []
    for place in np.random.default_rng(SEED).permutation(len(found)):
        if len(drawn) < most and found[place].path.is_file():
            drawn.append(found[place])
    if not drawn:
        raise InputError(lacking)
    return tuple(drawn)


def _of_run(model: Path) -> Iterator[Photo]:
    """Photos by the record beside a model's folder, as it names them; none where there is no such record."""
    folder = model.resolve().parent
    if not any((folder / name).is_file() for name in (RUN_FILE, STOPPED_FILE)):
        return
    record = read_run(folder)
    root = folder_of(record.command.source)
    named = ((record.train_images, record.train_labels), (record.test_images, record.test_labels))
    for names, labels in named:
        for name, label in zip(names, labels, strict=True):
            yield Photo(root / name, record.classes[label])
