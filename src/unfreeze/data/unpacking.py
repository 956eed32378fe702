"""Photos that lie in tars and Parquet files become candidates: each is written to a private folder, by its number.

Whatever reads photos reads files, some of them several times. The folder lies where TMPDIR says, and goes when the
process ends.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from unfreeze.core.errors import ImageSetError
from unfreeze.core.file_names import as_written
from unfreeze.core.files import disk_errors_explained
from unfreeze.core.progress import Progress
from unfreeze.core.records import SetAside
from unfreeze.data.image_table import ImageTable
from unfreeze.data.list_text import as_western
from unfreeze.data.listed_files import Candidate
from unfreeze.data.lists import Faults, fault_of_row, faults_of_whole
from unfreeze.data.packed_photos import PackedPhoto, photos_in_parquet
from unfreeze.data.private_folders import new_private_folder
from unfreeze.data.shards import Shard
from unfreeze.data.split_names import part_alone
from unfreeze.data.tar_photos import photos_in_tar

_NEEDED = {True: ("path", "label"), False: ("path",)}
SAME_NAME = "of the same name as a photo before it"


def add_packed(table: ImageTable, shards: Sequence[Shard], *, labelled: bool, progress: Progress) -> None:
    """Unpack photos.

    Args:
        table: Gets a candidate a photo.
        shards: What holds them.
        labelled: Whether each must have a label.
        progress: Reports progress per shard; its stop is looked at for every photo.

    Raises:
        ImageSetError: A shard cannot be read, holds no photo, or photos of it cannot be used; the first twenty are
            named.
        DiskFullError: There is no room for the photos.
    """
    where, faults = as_written(table.source), Faults()
    folder = new_private_folder()
    with progress.phase("unpack", total=len(shards), unit="file") as advance:
        for number, shard in enumerate(shards):
            for place, photo in enumerate(photos_in_shard(shard, table.skipped, unpacked=folder)):
                progress.checkpoint()
                _add(table, shard, photo, folder / f"{number}-{place}", faults, labelled=labelled)
            advance(1)
    for text in [] if faults.shown else faults_of_whole(table):
        faults.add(text)
    if faults.shown:
        msg = f"The photos in {where} cannot be used; mend these: {faults.text()}."
        raise ImageSetError(msg)
    if not len(table):
        msg = (
            f"{where} holds no photo. Wanted tars as WebDataset writes them, or Parquet files with a column of photos."
        )
        raise ImageSetError(msg)


def photos_in_shard(shard: Shard, skipped: Counter[str], *, unpacked: Path) -> Iterator[PackedPhoto]:
    """The photos of a tar or a Parquet file, one after the other.

    Args:
        shard: The file.
        skipped: Counts what else is in it, by reason.
        unpacked: Folder that they will be written to; there must be room for them.

    Yields:
        Photos, in their order.

    Raises:
        ImageSetError: It cannot be read.
        DiskFullError: There is no room.
    """
    with closing(shard.open()) as file:
        if shard.is_tar:
            yield from photos_in_tar(file, shard.where, skipped)
        else:
            yield from photos_in_parquet(file, shard.where, unpacked=unpacked)


def _add(table: ImageTable, shard: Shard, photo: PackedPhoto, path: Path, faults: Faults, *, labelled: bool) -> None:
    """Write a photo to a path, and add its candidate."""
    name = f"{shard.name}/{photo.name}"
    split = photo.split or shard.split
    fault = fault_of_row({"path": name, "label": photo.label, "split": split}, _NEEDED[labelled])
    if fault:
        faults.add(f"{name}: {fault}")
        return
    if table.listed_before(name) is not None:
        table.skipped[SAME_NAME] += 1
        return
    candidate = Candidate(
        path=path,
        name=name,
        label=as_western(photo.label),
        split=part_alone(split),
        group=as_western(photo.group),
        listed=True,
    )
    table.add([candidate])
    if photo.fault:
        table.set_aside([SetAside(name=name, reason=photo.fault)])
        return
    with disk_errors_explained(path):
        path.write_bytes(photo.data)
