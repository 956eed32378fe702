"""A sample data set, written as class folders."""

from pathlib import Path

from unfreeze.core.documents import SampleRecord
from unfreeze.core.progress import SILENT, Progress
from unfreeze.data.samples import write_sample


def sample(name: str, folder: Path, *, progress: Progress = SILENT) -> SampleRecord:
    """Write a sample data set; arguments and errors as for `data.samples.write_sample`."""
    return SampleRecord(name=name, folder=str(folder), images=write_sample(name, folder, progress=progress))
