"""The command line that asks for the same run again."""

import shlex
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from unfreeze.core.file_names import as_written
from unfreeze.core.settings import EngineSettings, StudySettings


def _listed(value: Any) -> str:
    """Words with commas between them, or one word."""
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _strategies(words: tuple[str | int, ...]) -> str:
    return _listed(words) or "none"


def _metric(metric: str) -> str:
    return "balanced" if metric == "balanced accuracy" else metric


# The option and how its value is written, by the field of the settings. What has its usual value is not written.
_OPTIONS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "backbone": ("--backbone", _listed),
    "weights": ("--weights", str),
    "size": ("--size", _listed),
    "resize": ("--resize", str),
    "strategies": ("--strategies", _strategies),
    "metric": ("--metric", _metric),
    "margin": ("--margin", "{:g}".format),
    "rounds": ("--rounds", str),
    "epochs": ("--epochs", str),
    "seed": ("--seed", str),
    "max_bad": ("--max-bad", "{:g}".format),
    "augment": ("--augment", str),
    "test": ("--test", str),
    "threads": ("--threads", str),
    "groups": ("--groups", str),
}


def command_line(settings: StudySettings) -> str:
    """What to type for the same run again.

    Args:
        settings: Of a run.

    Returns:
        A line for a POSIX shell, without what is as usual.

    Example:
        >>> command_line(StudySettings(source=Path("my photos"), seed=3))
        "unfreeze run 'my photos' --seed 3"
    """
    usual, words = StudySettings(source=settings.source), ["unfreeze", "run", as_written(settings.source)]
    for field, (option, written) in _OPTIONS.items():
        value = getattr(settings, field)
        if value != getattr(usual, field):
            words += [option, written(value)]
    words += [word for name in settings.exclude for word in ("--exclude", name)]
    words += _budget(settings)
    for field in ("engine", "precision", "device"):
        value = getattr(settings.request, field)
        words += [f"--{field}", value] if value != getattr(EngineSettings(), field) else []
    words += [] if settings.photos else ["--no-photos"]
    return shlex.join(words)


def _budget(settings: StudySettings) -> list[str]:
    """The budget, whose usual value is 15 minutes, or none with rounds."""
    usual = None if settings.rounds else StudySettings(source=settings.source).budget_seconds
    if settings.budget_seconds == usual:
        return []
    return ["--budget", "none" if settings.budget_seconds is None else f"{settings.budget_seconds:g}s"]


def without_paths(settings: StudySettings) -> StudySettings:
    """The same with a word in place of each path, and without photos in the report."""
    given = [each.name for each in fields(settings) if isinstance(getattr(settings, each.name), Path)]
    words: dict[str, Any] = {name: Path(name.upper()) for name in given} | {"source": Path("PHOTOS")}
    return replace(settings, **{**words, "photos": False})
