"""Where what is kept between runs lies."""

import os
from pathlib import Path
from typing import Literal

import platformdirs


def default_cache() -> Path:
    """Where codes are kept: the environment variable UNFREEZE_CACHE, else the user's cache folder."""
    chosen = os.environ.get("UNFREEZE_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("unfreeze", appauthor=False))


Beside = Literal["prefixes", "networks", "classifiers", "training"]


def kept_beside(kind: Beside, cache: Path | None = None) -> Path:
    """Where what else is kept between runs lies.

    Args:
        kind: prefixes are converted networks, networks what is known of them, classifiers converted models of users,
            and training how training computes fastest.
        cache: Folder of all that is kept; the user's cache if None.
    """
    return (cache or default_cache()) / kind


def stores_folder(cache: Path | None = None) -> Path:
    """The folder that holds all stores; `cache` is `default_cache()` if None."""
    return (cache or default_cache()) / "codes"
