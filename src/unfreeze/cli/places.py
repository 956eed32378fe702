"""Where results go: checked before any work, and not left behind empty when the work fails."""

import contextlib
import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from unfreeze.core.errors import ImageSetError, InputError, OutputError, WeightsError
from unfreeze.core.file_names import STANDARD_INPUT, absolute, as_written, is_pattern, is_range, scheme_of
from unfreeze.core.files import check_writable, checked_new_file, disk_errors_explained, make_folder, new_folder
from unfreeze.core.leftovers import sweep
from unfreeze.core.reservations import reserved, sweep_beside
from unfreeze.core.run_folder import LOCK, MODEL, PLAN, RUNS, can_be_continued, check_run_folder, run_name
from unfreeze.core.run_record import RUN_FILE
from unfreeze.core.settings import StudySettings


def checked_source(source: Path) -> None:
    """Make sure that there is something at `source`, before imports that take seconds.

    What an address, a pattern or a range of numbers stands for is looked at later.

    Raises:
        ImageSetError: There is nothing.
    """
    if scheme_of(source) or is_pattern(source) or is_range(source):
        return
    if not Path(source).expanduser().exists():
        msg = f"There is no folder or list {source}. Check the spelling."
        raise ImageSetError(msg)


def checked_images(named: Iterable[Path]) -> None:
    """Make sure that all files and folders of images are there, before imports that take seconds.

    Args:
        named: Files, folders, and ``-`` for standard input; patterns, ranges and addresses are looked at later.

    Raises:
        InputError: One is not.
    """
    for path in named:
        is_later = path == STANDARD_INPUT or scheme_of(path) or is_pattern(path) or is_range(path)
        if not is_later and not path.exists():
            msg = f"There is no file or folder {path}. Check the spelling."
            raise InputError(msg)


def checked_weights(weights: Path | None) -> None:
    """Make sure that there is a file of weights where one was named, before imports that take seconds.

    Raises:
        WeightsError: There is none.
    """
    if weights is not None and not weights.expanduser().is_file():
        msg = f"There is no file of weights {weights}. Check the spelling."
        raise WeightsError(msg)


def checked_test_folder(folder: Path | None) -> None:
    """Make sure that there is a test folder where one was named, before imports that take seconds.

    Raises:
        ImageSetError: There is none.
    """
    if folder is not None and not scheme_of(folder) and not folder.expanduser().is_dir():
        msg = f"There is no folder {folder} to test on. Check the spelling of --test."
        raise ImageSetError(msg)


def checked_model(folder: Path) -> None:
    """Make sure that a folder may be a model, before imports that take seconds.

    Raises:
        InputError: It has no config.json.
    """
    if not (folder / "config.json").is_file():
        msg = f"{folder} is no model: config.json missing. Give the folder model/ of a run, or what tune wrote."
        raise InputError(msg)


def checked_here(place: Path, *, option: str = "--out") -> None:
    """Make sure that a place for results is one of this machine.

    Args:
        place: File or folder.
        option: Which names it.

    Raises:
        OutputError: It is an address.
    """
    if scheme_of(place):
        msg = (
            f"{as_written(place)} is an address, and {option} takes a place on this machine. Write it here; unfreeze "
            "zoo publish then puts a model into a store, and the tools of the store copy everything else."
        )
        raise OutputError(msg)


@contextlib.contextmanager
def new_file(path: Path, *, option: str = "--out") -> Iterator[None]:
    """Make sure that a file can be written at `path`, and keep the place while the command works.

    Args:
        path: Of the file.
        option: Which names it.

    Raises:
        OutputError: It exists already, its folder cannot be written, another process writes it, or it is an address.
    """
    checked_here(path, option=option)
    sweep_beside(path)
    checked_new_file(path, option=option)
    with reserved(path, option=option):
        yield


def checked_empty(folder: Path) -> None:
    """Make sure that `folder` may be filled: it is missing or empty.

    Raises:
        OutputError: There is something in it, it is no folder, or an address.
    """
    checked_here(folder)
    with disk_errors_explained(folder):
        if folder.is_symlink() or folder.exists():
            if not folder.is_dir():
                msg = f"{folder} is no folder. Choose another place with --out."
                raise OutputError(msg)
            sweep(folder)
            if any(path.name != LOCK for path in folder.iterdir()):  # which a run leaves that was killed at once
                msg = f"{folder} is not empty, and results are never overwritten. Choose another place with --out."
                raise OutputError(msg)


def checked_outside(source: Path, out: Path) -> None:
    """Make sure that results do not go among the photos, where the next command would find them.

    Args:
        source: Folder or list of images.
        out: The folder for results.

    Raises:
        OutputError: It lies in the source, and is neither hidden nor below a folder of the name that runs have.
    """
    photos, place = absolute(source), out.expanduser().resolve()
    if photos == place or not place.is_relative_to(photos):
        return
    if not any(part.startswith(".") or part == RUNS.name for part in place.relative_to(photos).parts):
        msg = (
            f"{out} lies among the photos in {source}, where its folder would be taken for a class. Choose a place "
            "outside with --out."
        )
        raise OutputError(msg)


@contextlib.contextmanager
def fresh_folder(source: Path, out: Path | None) -> Iterator[Path]:
    """An empty, writable folder for a run; whatever folders were made for it go again if the work leaves it empty.

    Args:
        source: What the run is on; names the folder if `out` is None.
        out: What the user asked for.

    Yields:
        The folder.

    Raises:
        OutputError: The place cannot be written, is not empty, or lies among the photos.
    """
    if out is not None:
        checked_here(out)
        sweep_beside(out)
        checked_outside(source, out)
        checked_empty(out)
    before = {folder for folder in [RUNS, *(out.parents if out else ())] if folder.exists()}
    made_here = out is None or not out.exists()
    if out is None:
        folder = new_folder(RUNS, run_name(source))
    else:
        with disk_errors_explained(out):
            make_folder(out)
            check_writable(out)
        folder = out
    try:
        with reserved(folder):
            checked_empty(folder)
            yield folder
    except BaseException:
        if made_here:
            _remove_empty([folder, *(parent for parent in folder.parents if parent not in before and parent != Path())])
        raise


@contextlib.contextmanager
def run_place(settings: StudySettings, out: Path | None) -> Iterator[Path]:
    """The folder of a run: that of an unfinished run with the same settings, else a new one; see `fresh_folder`.

    Args:
        settings: What is asked; names the folder if `out` is None.
        out: What the user asked for.

    Yields:
        The folder.

    Raises:
        OutputError: The place cannot be written, or holds something else.
    """
    if out is None:
        unfinished = _unfinished(settings)
        if unfinished is not None:
            yield unfinished
            return
    elif (out / PLAN).exists() or (out / RUN_FILE).exists():
        sweep_beside(out)
        sweep(out / MODEL)
        check_run_folder(out, settings)
        yield out
        return
    with fresh_folder(settings.source, out) as folder:
        yield folder


def _unfinished(settings: StudySettings) -> Path | None:
    """The latest run of the same command that was stopped or killed."""
    name = run_name(settings.source)
    found = [path for path in RUNS.glob(f"{glob.escape(name)}-*") if path.name[len(name) + 1 :].isdecimal()]
    latest = max(found, key=lambda path: int(path.name[len(name) + 1 :]), default=None)
    return latest if latest is not None and can_be_continued(latest, settings) else None


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()  # refuses a folder that holds anything
        except OSError:
            return
