"""Linear classifiers on codes that lie in files, which may be larger than memory."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Int

from unfreeze.core.documents import ProbeRecord
from unfreeze.core.errors import InputError
from unfreeze.core.progress import Advance, Progress
from unfreeze.core.records import CodeCounts, DepthPoint, ImageCounts
from unfreeze.core.room import check_room
from unfreeze.core.seeding import generator
from unfreeze.core.strategies import Loss
from unfreeze.data.splits import assign_sides
from unfreeze.data.tasks import inner_folds
from unfreeze.metrics.accuracy import accuracy
from unfreeze.probes.coordinates import CodeBlocks
from unfreeze.probes.search import search_probe
from unfreeze.probes.solver import BLOCK, LinearProbe, fit_in_memory
from unfreeze.strategies.depth_curve import LOSSES
from unfreeze.workflows.codes_on_disk import Codes, CodesOnDisk, read_codes_on_disk, write_array
from unfreeze.workflows.reading import Phases, known_tap

_TEST_SHARE = 0.2  # as where photos have no test part
Rows = Int[np.ndarray, "_"]


def probe_codes(
    source: Path,
    progress: Progress,
    *,
    tap: str | None = None,
    losses: Sequence[Loss] = LOSSES,
    seed: int = 0,
    phases: Phases | None = None,
) -> ProbeRecord:
    """Fit linear classifiers on codes in files, and measure them on the rows of the test part.

    Codes of more than 512 MiB stay on the disk and are read a block at a time. Memory then grows with the number of
    rows times that of classes, by some 40 bytes.

    Args:
        source: What `unfreeze codes` wrote: a Parquet file, or ``NAME.npy``.
        progress: Told of each classifier.
        tap: The only tap that is wanted, ``last`` being the last one; None for all.
        losses: Which linear classifiers.
        seed: Of the folds that choose C, and of the test part where the file has none.
        phases: Where seconds are noted; counted from now if None.

    Returns:
        The depth curve.

    Raises:
        InputError: The files cannot be used.
        PlanError: There is no such tap.
    """
    phases = phases or Phases()
    codes = read_codes_on_disk(source)
    taps = known_tap(tap, codes.taps)
    phases.started()
    with phases.timed("probes"):
        learn, test = _parts(codes, seed)
        with progress.phase("probes", total=len(taps) * len(losses), unit="probe") as advance:
            curve = [
                point
                for name in taps
                for point in _points_at(name, codes, (learn, test), losses, seed=seed, advance=advance)
            ]
    return ProbeRecord(
        source=str(source),
        network="",
        weights="",
        images=ImageCounts.of(used=len(codes.labels), skipped={}),
        skipped={},
        classes=codes.classes,
        train_images=len(learn),
        test_images=len(test),
        depth_curve=tuple(curve),
        codes=CodeCounts(computed=0, reused=len(codes.labels)),
        seed=seed,
        phases=phases.all(),
    )


def _parts(codes: CodesOnDisk, seed: int) -> tuple[Rows, Rows]:
    """Rows that train, and those that test: drawn where the file names none.

    Raises:
        InputError: The rows that train are of one class.
    """
    is_test = codes.is_test
    if not is_test.any():
        shares = (1 - _TEST_SHARE, _TEST_SHARE)
        rng = generator(seed, "test split")  # as of photos: the same rows in the same order
        is_test = assign_sides(codes.labels, [""] * len(codes.labels), shares=shares, rng=rng) == 1
    learn, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    if len(np.unique(codes.labels[learn])) < 2:
        msg = "Linear classifiers tell classes apart; the rows that are not of the test part have one label at most."
        raise InputError(msg)
    return learn, test


def _points_at(
    tap: str, codes: CodesOnDisk, parts: tuple[Rows, Rows], losses: Sequence[Loss], *, seed: int, advance: Advance
) -> Iterator[DepthPoint]:
    """Fit the classifiers of a tap on the rows that train, and test them on the others."""
    learn, test = parts
    labels = codes.labels[learn]
    inside = inner_folds(labels, [""] * len(learn), seed=seed)
    with codes.at(tap) as at_tap, _rows_of(at_tap, learn) as of_learn:
        for loss in losses:
            found = search_probe(of_learn, labels, inside, loss=loss, class_count=len(codes.classes))
            yield DepthPoint(
                tap=tap,
                width=at_tap.shape[1],
                loss=loss,
                C=found.C,
                cv_accuracy=found.cv_accuracy,
                accuracy=accuracy(codes.labels[test], _predicted(found.probe, at_tap, test)),
            )
            advance(1)


def _predicted(probe: LinearProbe, codes: Codes, rows: Rows) -> Rows:
    answers = [probe.predict(block) for _, block in CodeBlocks(codes, rows, BLOCK)]
    return np.concatenate(answers)


@contextmanager
def _rows_of(codes: Codes, rows: Rows) -> Iterator[Codes]:
    """Codes of some rows: in memory where there is room, else as a memory map, which is a copy unless they adjoin."""
    first, last = int(rows[0]), int(rows[-1]) + 1
    if fit_in_memory(len(rows) * codes.shape[1]):
        yield codes[rows]
    elif last - first == len(rows):
        yield codes[first:last]
    else:
        with tempfile.TemporaryDirectory(prefix="unfreeze-codes-") as folder:
            copy = Path(folder) / "codes.npy"
            shape = (len(rows), codes.shape[1])
            check_room(copy.parent, 4 * shape[0] * shape[1], "the rows that train, which are copied,", option="TMPDIR")
            write_array(copy, shape, (block for _, block in CodeBlocks(codes, rows, BLOCK)))
            yield np.load(copy, mmap_mode="r")
