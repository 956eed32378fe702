"""Where what is kept between runs lies."""

import os
from pathlib import Path
from typing import Literal

import platformdirs

from unfreeze.core.file_names import as_written, scheme_of
from unfreeze.core.files import sha256_of


def default_cache() -> Path:
    """Where codes are kept: the environment variable UNFREEZE_CACHE, else the user's cache folder.

    Returns:
        A folder; or an address in an object store, whose codes several machines share.
    """
    chosen = os.environ.get("UNFREEZE_CACHE")
    return Path(chosen) if chosen else _of_user()


def _of_user() -> Path:
    return Path(platformdirs.user_cache_dir("unfreeze", appauthor=False))


Beside = Literal["prefixes", "networks", "classifiers", "training"]


def kept_beside(kind: Beside, cache: Path | None = None) -> Path:
    """Where what else is kept between runs lies, always on this machine: some of it is only true of that.

    Args:
        kind: prefixes are converted networks, networks what is known of them, classifiers converted models of users,
            and training how training computes fastest.
        cache: Folder of all that is kept, or an address; `default_cache()` if None.
    """
    chosen = cache or default_cache()
    return (_of_user() if scheme_of(chosen) else chosen) / kind


def stores_folder(cache: Path | None = None) -> Path:
    """The folder that holds all stores, or what this machine keeps of those at an address; `cache` as above."""
    chosen = cache or default_cache()
    if scheme_of(chosen):
        return _of_user() / "shared" / sha256_of(as_written(chosen).encode())[:16]
    return chosen / "codes"


def shared_stores(cache: Path | None = None) -> str:
    """The address of all stores that several machines share; nothing where they lie in a folder; `cache` as above."""
    chosen = cache or default_cache()
    return f"{as_written(chosen)}/codes" if scheme_of(chosen) else ""


def cache_for_others(cache: Path | None = None) -> Path:
    """Where codes are kept, as a process takes it that stands in another folder; `cache` as above."""
    chosen = cache or default_cache()
    return chosen if scheme_of(chosen) else chosen.absolute()
