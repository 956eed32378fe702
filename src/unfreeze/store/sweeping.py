"""What dead processes left half written in the cache, removed when a command starts."""

from pathlib import Path
from typing import get_args

from unfreeze.core.leftovers import paths_in, sweep
from unfreeze.store.places import Beside, kept_beside, stores_folder


def sweep_cache(cache: Path | None = None) -> list[Path]:
    """Remove from the cache what processes left that were killed; what somebody is writing stays.

    Args:
        cache: Folder of all that is kept; the user's cache if None.

    Returns:
        What was left.
    """
    kinds = [stores_folder(cache), *(kept_beside(kind, cache) for kind in get_args(Beside))]
    inside = [folder for kind in kinds for folder in paths_in(kind) if folder.is_dir() and not folder.is_symlink()]
    return [path for folder in (*kinds, *inside) for path in sweep(folder)]
