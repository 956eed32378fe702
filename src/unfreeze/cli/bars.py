"""Progress bars on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, final

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from unfreeze.core.progress import Advance
from unfreeze.core.wording import printable, rate


@final
class RateColumn(ProgressColumn):
    """Units per second."""

    def render(self, task: Task) -> Text:
        """The rate of one bar, empty until it is known."""
        speed = task.finished_speed or task.speed
        return Text(rate(speed, task.fields["unit"]) if speed else "")


@final
class Bars:
    """A bar per phase, with count, rate and time left; bars of phases inside phases stand below each other.

    Args:
        stream: A terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._bars: RichProgress | None = None
        self._open = 0

    @contextmanager
    def phase(self, name: str, *, total: int, unit: str) -> Iterator[Advance]:
        """Show a bar as long as the phase lasts; it stays on the screen, done."""
        bars = self._shown()
        task = bars.add_task(printable(name), total=total or None, unit=unit)
        self._open += 1
        try:
            yield lambda done: bars.advance(task, done)
        finally:
            self._open -= 1
            bars.stop_task(task)
            if not self._open:
                bars.stop()
                self._bars = None

    def say(self, line: str) -> None:
        """Print one line above the bars."""
        self._console.print(printable(line))

    def _shown(self) -> RichProgress:
        if self._bars is None:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=30),
                TextColumn("{task.completed:,.0f}/{task.total:,.0f}", markup=False),
                RateColumn(),
                TimeRemainingColumn(elapsed_when_finished=True),
            )
            self._bars = RichProgress(*columns, console=self._console)
            self._bars.start()
        return self._bars
