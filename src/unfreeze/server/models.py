"""The models that are served, by name; each can be replaced while requests go on."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import final

from unfreeze.core.errors import UnfreezeError
from unfreeze.server.problems import ProblemError
from unfreeze.server.settings import ServeSettings
from unfreeze.workflows.serving import LoadedModel, load_to_serve, read_anew
from unfreeze.zoo.code_clouds import cannot_mark
from unfreeze.zoo.devices import find_device
from unfreeze.zoo.model_config import OUR_KEY, read_config


@final
class Models:
    """Models by name.

    A request holds on to the model that it found, so that one that is replaced meanwhile answers it to the end.

    Args:
        settings: Folders, and where the networks run.
        say: Takes sentences for whoever runs the service.

    Raises:
        InputError: A folder is no model, or there is no such device.
    """

    def __init__(self, settings: ServeSettings, say: Callable[[str], None]) -> None:
        self._folders, self._settings, self._say = dict(settings.models), settings, say
        self._loading = threading.Lock()
        self._replaced: list[LoadedModel] = []
        self._loaded = {name: self._load(folder) for name, folder in self._folders.items()}

    def __iter__(self) -> Iterator[tuple[str, LoadedModel]]:
        return iter(self._loaded.items())

    def named(self, name: str | None, version: str | None = None) -> tuple[str, LoadedModel]:
        """A model with its name.

        Args:
            name: None for the first one.
            version: That it must have; None for any.

        Returns:
            Its name and itself.

        Raises:
            ProblemError: There is none of that name and version.
        """
        wanted = next(iter(self._loaded), "") if name is None else name
        found = self._loaded.get(wanted)
        if found is None or version not in {None, found.version}:
            known = ", ".join(self._loaded) or "none"
            detail = f"There is no such model or version here; the models are {known}, and GET /v1/models says more."
            raise ProblemError(HTTPStatus.NOT_FOUND, "unknown-model", detail)
        return wanted, found

    def reload(self) -> None:
        """Read every folder again; a model that cannot be read stays what it was. May take seconds, in any thread."""
        with self._loading:
            for name, folder in self._folders.items():
                before = self._loaded[name]
                try:
                    loaded = self._again(name, folder)
                except (UnfreezeError, OSError) as error:
                    self._say(f"The model {name} stays as it was: {error}")
                    continue
                same = loaded.version == before.version
                changed = "unchanged" if same else f"now {loaded.version}, was {before.version}"
                self._say(f"The model {name} was read again: {changed}.")

    def add(self, name: str, folder: Path) -> None:
        """Have one more model, or read it again if it is there already. May take seconds, in any thread.

        Args:
            name: Of the model.
            folder: In which it lies.

        Raises:
            InputError: The folder is no model.
        """
        with self._loading:
            if name in self._loaded:
                self._again(name, folder)
            else:  # in a new dictionary, since somebody may go through the old one
                self._loaded = {**self._loaded, name: self._load(folder)}
            self._folders[name] = folder

    def _again(self, name: str, folder: Path) -> LoadedModel:
        """Read a model again that is there already."""
        before = self._loaded[name]
        same = read_anew(before, folder)
        loaded = same or self._load(folder)
        if same is None:
            # OpenVINO crashes where a compiled model is freed while another one computes (seen with 2026.4).
            self._replaced.append(before)
        self._loaded[name] = loaded
        return loaded

    def _load(self, folder: Path) -> LoadedModel:
        settings, device = self._settings, find_device(self._settings.device)
        loaded = load_to_serve(folder, device, settings.cache, with_likeness=settings.unlike is not None)
        lacking = "" if settings.unlike is None else cannot_mark(folder, read_config(folder)[OUR_KEY], settings.unlike)
        if lacking:
            self._say(lacking)
        return loaded if settings.reports else replace(loaded, report=b"")
