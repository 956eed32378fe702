"""Progress bars on a terminal."""

import contextlib
from io import StringIO
from typing import TextIO, final

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from unfreeze.cli.sentences import Sentences
from unfreeze.core.events import Event, PhaseAdvanced, PhaseBegun, PhaseEnded
from unfreeze.core.wording import printable, rate, where


@final
class CountColumn(ProgressColumn):
    """Units done, and those that there are where that is known."""

    def render(self, task: Task) -> Text:
        """The count of one bar."""
        return Text(f"{task.completed:,.0f}" if task.total is None else f"{task.completed:,.0f}/{task.total:,.0f}")


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

    The bar of a phase that came to its end stays on the screen, full; that of another gives way to a line. A terminal
    that is closed ends the bars, and not the work.

    Args:
        stream: A terminal.
    """

    def __init__(self, stream: TextIO | StringIO) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._bars: RichProgress | None = None
        self._phases: dict[int, tuple[PhaseBegun, TaskID]] = {}
        self._sentences = Sentences()

    def __call__(self, event: Event) -> None:
        """Move the bars, and print all sentences above them."""
        with contextlib.suppress(OSError, ValueError):
            self._show(event)

    def _show(self, event: Event) -> None:
        if isinstance(event, PhaseBegun):
            task = self._shown().add_task(printable(event.name), total=event.total or None, unit=event.unit)
            self._phases[event.phase] = event, task
        elif isinstance(event, PhaseAdvanced):
            self._shown().update(self._phases[event.phase][1], completed=event.done)
        elif isinstance(event, PhaseEnded):
            self._ended(event)
        elif sentence := self._sentences.of(event):
            self._console.print(printable(sentence))

    def _ended(self, event: PhaseEnded) -> None:
        bars, (begun, task) = self._shown(), self._phases.pop(event.phase)
        if event.completed:
            bars.update(task, completed=event.done, total=event.done)
            bars.stop_task(task)
        else:
            bars.remove_task(task)
            stands = where(event.done, total=begun.total, unit=begun.unit, seconds=0.0)
            self._console.print(printable(f"{begun.name}: ended at {stands}"))
        if not self._phases:
            bars.stop()
            self._bars = None

    def _shown(self) -> RichProgress:
        if self._bars is None:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=30),
                CountColumn(),
                RateColumn(),
                TimeRemainingColumn(elapsed_when_finished=True),
            )
            self._bars = RichProgress(*columns, console=self._console)
            self._bars.start()
        return self._bars
