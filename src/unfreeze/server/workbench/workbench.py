"""A workbench: its folders, its runs, and the service that lets their models be tried."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from unfreeze.server.service import Service
from unfreeze.server.settings import Access, ServeSettings
from unfreeze.server.workbench.inspections import Inspections, Pictures
from unfreeze.server.workbench.roots import Roots
from unfreeze.server.workbench.runs import Runs

UNLIKE = 0.01  # share of photos like those in training that are marked as unlike them; as `unfreeze serve` has it


@final
@dataclass(eq=False)
class Workbench:
    """What routes use.

    Attributes:
        roots: Folders that may be looked into.
        runs: All runs.
        inspections: Of folders.
        pictures: Of photos.
        service: Has the models that somebody has tried.
        is_ending: Whether the server ends.
    """

    roots: Roots
    runs: Runs
    inspections: Inspections
    pictures: Pictures
    service: Service
    is_ending: bool = field(default=False)

    @classmethod
    def of(cls, roots: Roots, runs: Path, *, access: Access, device: str, say: Callable[[str], None]) -> "Workbench":
        """A workbench at which nothing is under way.

        Args:
            roots: Folders that may be looked into.
            runs: Folder of all runs.
            access: Who may ask; with a token.
            device: On which models are tried: auto, cpu, cuda or mps.
            say: Takes sentences for whoever runs it.
        """
        service = Service.of(ServeSettings(models={}, device=device, access=access, unlike=UNLIKE), say)
        return cls(roots, Runs(runs), Inspections(), Pictures(), service)

    def end(self) -> None:
        """Let nobody wait for what happens next."""
        self.is_ending = True
        self.inspections.close()
