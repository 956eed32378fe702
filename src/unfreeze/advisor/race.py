"""The race: strategies are tried from cheap to dear, and repeated while an answer is open and time is left.

The answer is looked at only at 5, 10 and 20 common splits: whoever looks after every split and stops when he likes what
he sees finds differences where there are none. Dropping a hopeless strategy is free at any time, since no answer comes
of it; neither is running out of time a look.
"""

import math
import time
from bisect import insort
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from unfreeze.advisor.steps import Question, comparable, estimate, mean_score
from unfreeze.advisor.verdict import pairs
from unfreeze.core.phases import timed
from unfreeze.core.progress import Advance, Progress, ignore
from unfreeze.core.records import Kind, Outcome
from unfreeze.metrics.repeated import FEWEST_FOR_PROBABILITIES, LOOKS
from unfreeze.strategies.entries import DearStrategy, Depth, Entries
from unfreeze.strategies.finetuning import Wish
from unfreeze.strategies.measuring import Measurement, added, metered

HOPELESS = 0.01  # a strategy is dropped when it is better than the best one with a probability below this
# What is left for each image, seconds, below which the first depth is not tried, and the second gets all that it needs
# before a deeper one gets what is left: in equal shares, two and four blocks would both be trained too little to tell
# anything. With EfficientNet-Lite0 (omniglot) an image takes about 0.15, 0.2 and 0.45 s of one core for the trainings
# of one, two and four blocks on five splits and on everything, and 2 s for the whole network.
SHORT = 1.0
DEEPER = 2.0  # times what a depth takes, the next one takes at least
WEIGHTS = {"unfreeze": 2.0, "full": 4.0, "scratch": 4.0}  # of what is left, among the dear strategies to come
RESERVE = 0.05  # of what the user gives, not in the race's own budget: for saving, predicting and writing
STEP_ONE_SHARE = 0.3  # of the budget; one split in any case
CHEAP_SHARE = 0.05  # of the budget: what takes no more for its five splits gets them, whatever the dearer probes took
SLACK = 1.1  # a training may take this much longer than its share before it is repeated less often


@dataclass(frozen=True)
class Clock:
    """What is left of a budget.

    Attributes:
        budget: Seconds.
        started: When the run began, as `time.perf_counter` has it.
        kept: Seconds more that are kept for what follows the race.
    """

    budget: float
    started: float = field(default_factory=time.perf_counter)
    kept: float = 0.0

    def keeping(self, seconds: float) -> "Clock":
        """The same with so much of the budget kept for what follows."""
        return replace(self, budget=self.budget - seconds, kept=self.kept + seconds)

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self.started

    def left(self) -> float:
        """Seconds of the budget that are left; negative when it is overrun."""
        return self.budget - self.elapsed()


@dataclass(eq=False)
class Race:
    """What a race has measured so far; an interrupt leaves it as it is.

    Attributes:
        question: Metric, margin and task.
        entries: Gives the strategies, ready to run.
        clock: The budget.
        progress: Is told where the work stands.
        measured: Every strategy that was tried or left out, cheapest first.
        story: Why each was tried, repeated, dropped or left out, in the order of time.
        forecasts: What was forecast before each dear strategy, and what it took.
        phases: Seconds by phase.
    """

    question: Question
    entries: Entries
    clock: Clock
    progress: Progress
    measured: list[Measurement] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    forecasts: list[dict[str, Any]] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    _enough: dict[str, float] = field(default_factory=dict)  # seconds of a budget that would hold all of a training

    def say(self, sentence: str) -> None:
        """Into the story, and to whoever watches."""
        self.story.append(sentence)
        self.progress.say(sentence)

    def timed(self, phase: str) -> AbstractContextManager[None]:
        """Add what the block takes to a phase."""
        return timed(self.phases, phase)

    def run(self, depths: Sequence[Depth]) -> None:
        """Try step one and every depth, then repeat what is open.

        Args:
            depths: Numbers of blocks, all, scratch; from cheap to dear.
        """
        self._try_step_one()
        self._try_deeper(depths)
        self._complete()
        for look, splits in pairwise(LOOKS):
            if not self._repeat(look, splits):
                break

    def _try_deeper(self, depths: Sequence[Depth]) -> None:
        blocks = [depth for depth in depths if isinstance(depth, int)]
        short = self._seconds_an_image < SHORT and len(depths) > 2 and len(blocks) > 1
        chosen, if_room = list(depths), blocks[2:] if short else []
        if short:
            self._leave_out_depth(blocks[0])
            chosen.remove(blocks[0])
        too_dear = self._too_dear([depth for depth in chosen if depth not in if_room])
        for place, depth in enumerate(chosen):
            if depth in too_dear:
                continue
            to_come = [depth, *(other for other in chosen[place + 1 :] if other not in {*if_room, *too_dear})]
            if depth in if_room and not self._leaves_room(to_come):
                self._leave_out_depth(depth)
            else:
                self._try(to_come, with_time=chosen[place:])
        for outcome in too_dear.values():
            self._leave_out(outcome)

    def _leaves_room(self, to_come: Sequence[Depth]) -> bool:
        """Whether what was tried last leaves the first of these enough.

        For one split and for everything; for five splits where more is to come, which would else go short as well.
        """
        last = max((m for m in self.measured if m.work), key=_rank, default=None)
        if last is None:
            return True
        splits = FEWEST_FOR_PROBABILITIES if len(to_come) > 1 else 1
        needed = DEEPER * (splits * last.seconds_a_split + last.refit_seconds)
        return _share(to_come) * self.clock.left() >= needed

    def _try_step_one(self) -> None:
        self.measured += [Measurement(strategy, strategy.outcome) for strategy in self.entries.step_one()]
        names = ", ".join(m.name for m in self.measured)
        self.say(f"Step one and the feature extractor ({names}) on {FEWEST_FOR_PROBABILITIES} splits: they are cheap.")
        to, fits = FEWEST_FOR_PROBABILITIES, FEWEST_FOR_PROBABILITIES * len(self.measured)
        with (
            self.timed("step one"),
            self.progress.phase("step one", total=fits, unit="fit") as advance,
            _noting_interrupts(self.measured, to),
        ):
            self._go_on(self.measured, to=1, until=self.clock.budget, advance=advance)
            cheap = [m for m in self.measured if (to - 1) * m.seconds_a_split <= CHEAP_SHARE * self.clock.budget]
            self._go_on(cheap, to=to, until=self.clock.budget, advance=advance)
            # The others one by one: five splits of one tell more than two of each.
            for measured in sorted(self.measured, key=lambda m: m.seconds_a_split):
                self._go_on([measured], to=to, until=STEP_ONE_SHARE * self.clock.budget, advance=advance)
        fewer = [m for m in self.measured if m.splits < to]
        for measured in fewer:
            self._note_what_is_missing(measured)
        if fewer:
            names = ", ".join(f"{m.name} ({m.splits})" for m in fewer)
            self.say(f"Fewer splits than {to} so far: {names}. The time goes to training first.")

    @property
    def _seconds_an_image(self) -> float:
        return max(0.0, self.clock.left()) / len(self.question.task.train_rows)

    def _leave_out_depth(self, blocks: int) -> None:
        """Without a try, since so few seconds an image are left."""
        why = f"{self._seconds_an_image:.2g} s an image are left, and the time goes to deeper answers for fewer depths"
        outcome = Outcome(name=f"unfreeze {blocks}", kind="unfreeze", blocks=blocks, trained="")
        self._add(Measurement(None, replace(outcome, status="left out", note=why)))
        self.say(f"Left out: {outcome.name}; {why}.")

    def _too_dear(self, depths: Sequence[Depth]) -> dict[Depth, Outcome]:
        """Where time is short: what trains the whole network and will not fit. The time kept for it would be wasted."""
        if self._seconds_an_image >= SHORT or len(depths) < 2:
            return {}
        found: dict[Depth, Outcome] = {}
        for depth in (depth for depth in depths if not isinstance(depth, int)):
            share = _share([depth, *(other for other in depths if other != depth)])
            with self.timed(_kind(depth)):
                ready = self.entries.ready(depth, Wish(allowance=share * self.clock.left(), splits=1))
            if isinstance(ready, Outcome):
                found[depth] = ready
        return found

    def _add(self, measured: Measurement) -> None:
        """In its place: shallow to deep, whatever is tried or left out first."""
        insort(self.measured, measured, key=_rank)

    def _leave_out(self, outcome: Outcome) -> None:
        missing = Measurement(None, outcome)
        self._add(missing)
        self.say(f"Left out: {outcome.name}; {outcome.note}.")
        self._note_forecast(missing)

    def _try(self, to_come: Sequence[Depth], *, with_time: Sequence[Depth]) -> None:
        """Make the first of these depths ready within its share of what is left, and measure it.

        Args:
            to_come: Those for which time is kept.
            with_time: The same if there were time enough for all.
        """
        depth = to_come[0]
        share = _share(to_come)
        begun = self.clock.elapsed()
        wish = Wish(allowance=share * self.clock.left(), splits=FEWEST_FOR_PROBABILITIES)
        name = _kind(depth)
        with self.timed(name):
            with metered() as took:
                ready = self.entries.ready(depth, wish)
            if isinstance(ready, Outcome):
                self._leave_out(ready)
                return
            outcome = replace(ready.outcome, cost=added(ready.outcome.cost, took))
            outcome = replace(outcome, cost=replace(outcome.cost, preparation_seconds=took.seconds))
            measured = Measurement(ready, outcome)
            self._add(measured)
            splits = f"{ready.expected.splits} split{'' if ready.expected.splits == 1 else 's'}"
            self.say(f"{ready.outcome.name} on {splits}: about {ready.expected.seconds:.0f} s.")
            until = self.clock.elapsed() + SLACK * wish.allowance - took.seconds - ready.refit_seconds
            self._measure([measured], to=ready.expected.splits, until=until, phase=outcome.name)
            self._enough[measured.name] = begun + (took.seconds + ready.expected.seconds_of_all) / _share(with_time)
            self._note_what_is_missing(measured)
            self._note_forecast(measured)
            if measured.splits < FEWEST_FOR_PROBABILITIES:
                self.say(f"{measured.name}: {measured.outcome.note}; so there are no probabilities for it.")

    def _note_what_is_missing(self, measured: Measurement) -> None:
        """Of what has fewer epochs or splits than wanted: that, and the budget that would hold all of a training."""
        assert measured.strategy is not None, measured.name  # noqa: S101 - it was measured
        status, notes = measured.strategy.outcome.status, [measured.strategy.outcome.note]
        if measured.splits < FEWEST_FOR_PROBABILITIES:
            status = "shortened"
            notes.append(f"{measured.splits} of {FEWEST_FOR_PROBABILITIES} splits fit the budget")
        enough = self._enough.get(measured.name, 0.0)
        if status == "shortened" and enough > self.clock.budget:
            given = (enough + self.clock.kept) / (1 - RESERVE)
            notes.append(f"all of it would fit into about {math.ceil(given / 60)}m")
        measured.outcome = replace(measured.outcome, status=status, note="; ".join(filter(None, notes)))

    def _note_forecast(self, measured: Measurement) -> None:
        self.forecasts.append(
            {
                "strategy": measured.name,
                "forecast_seconds": measured.outcome.settings.get("forecast"),
                "seconds": measured.outcome.cost.seconds,
                "status": measured.outcome.status,
            }
        )

    def _complete(self) -> None:
        """Bring to five splits what has fewer, if time for it is left now that all have been tried.

        Not a training whose epochs were cut down too far: five splits of it would say little of the one that is wanted.
        """
        to = FEWEST_FOR_PROBABILITIES
        for measured in sorted(self.measured, key=lambda m: m.seconds_a_split):
            until = self.clock.budget - self._refit_seconds()
            takes = (to - measured.splits) * measured.seconds_a_split
            if not 0 < measured.splits < to or not _repeatable(measured) or self.clock.elapsed() + takes > until:
                continue
            self.say(f"{measured.name} goes on to {to} splits: time is left.")
            with self.timed("repeat"):
                self._measure([measured], to=to, until=until, phase=measured.name)
            self._note_what_is_missing(measured)

    def _measure(self, strategies: Sequence[Measurement], *, to: int, until: float, phase: str) -> None:
        """`_go_on` with a progress of its own; where something trains, what is cheap does not count beside it."""
        images = len(self.question.task.split(0).learn)
        training = any(m.work for m in strategies)
        total = sum((m.work * images if training else 1) * max(0, to - m.splits) for m in strategies)
        unit = "image" if training else "fit"
        with self.progress.phase(phase, total=total, unit=unit) as advance, _noting_interrupts(strategies, to):
            self._go_on(strategies, to=to, until=until, advance=advance)

    def _go_on(self, strategies: Sequence[Measurement], *, to: int, until: float, advance: Advance) -> None:
        """Run each on its next splits, all on one before any on the next, while the time suffices.

        Args:
            strategies: Ready ones.
            to: Number of splits that they should have.
            until: Seconds since the start of the run; a split that would end later is not begun, except for the first.
            advance: Is told of images that were passed over; of fits, where nothing trains.
        """
        task, training = self.question.task, any(m.work for m in strategies)
        for number in range(to):
            mine = [m for m in strategies if m.splits == number]
            took = sum(m.seconds_a_split for m in mine)
            if number and self.clock.elapsed() + took > until:
                break
            self.entries.share([m.strategy for m in mine if m.strategy], task.split(number))
            for measured in mine:
                measured.measure(task, task.split(number), advance=advance if measured.work else ignore)
                if not training:
                    advance(1)

    def _repeat(self, look: int, splits: int) -> bool:
        """Look at the answers and repeat what is open; False where nothing is left to do."""
        running = [m for m in self.measured if m.strategy is not None and m.splits >= look]
        if len(running) < 2:
            return False  # time ran out before there was anything to look at
        running = self._without_hopeless(running)
        still_open = self._open(running)
        if not still_open:
            self.say(f"After {look} splits nothing is open that more splits of these images could settle.")
            return False
        left = self.clock.left() - self._refit_seconds()
        wanted = self._that_fit(still_open, splits, left)
        names = ", ".join(m.name for m in still_open)
        if len(wanted) < 2:
            self.say(f"Open after {look} splits: {names}. Time is left for no more than {look} splits.")
            return False
        seconds = sum((splits - m.splits) * m.seconds_a_split for m in wanted)
        too_dear = [m.name for m in still_open if m not in wanted]
        without = f", without {', '.join(too_dear)}, for which no time is left" if too_dear else ""
        self.say(f"Open after {look} splits: {names}. On to {splits} splits{without}; about {seconds:.0f} s.")
        with self.timed("repeat"):
            until = self.clock.budget - self._refit_seconds()
            self._measure(wanted, to=splits, until=until, phase=f"{splits} splits")
        return True

    def _open(self, running: Sequence[Measurement]) -> list[Measurement]:
        """Both sides of every step whose answer cannot be told yet."""
        by_name = {m.name: m for m in running}
        found: set[str] = set()
        for first, second in pairs([m.record(self.question.task) for m in running]):
            sides = by_name[first.name], by_name[second.name]
            if comparable(self.question, *sides) and estimate(self.question, *sides).answer == "cannot tell":
                found |= {first.name, second.name}
        return [m for m in running if m.name in found]

    def _that_fit(self, still_open: Sequence[Measurement], splits: int, left: float) -> list[Measurement]:
        """Those of an open question that fit together into the seconds that are left, without the dearest ones."""
        wanted = list(still_open)
        while wanted and sum((splits - m.splits) * m.seconds_a_split for m in wanted) > left:
            wanted.remove(max(wanted, key=lambda m: m.seconds_a_split))
            wanted = self._open(wanted)  # what was only asked about against the one that is gone goes too
        return wanted

    def _without_hopeless(self, running: Sequence[Measurement]) -> list[Measurement]:
        """Those that may still be the best, and the cheap ones, which deeper ones are asked about against."""
        usable = [m for m in running if comparable(self.question, m, m)]
        best = max(usable, key=lambda m: mean_score(self.question, m))
        kept = []
        for measured in running:
            chance = None
            if measured in usable and measured is not best and measured.outcome.kind not in {"probe", "head"}:
                chance = estimate(replace(self.question, margin=0.0), best, measured).better
            if chance is None or chance >= HOPELESS:
                kept.append(measured)
                continue
            note = f"better than {best.name} with a probability of {chance:.1%}"
            notes = "; ".join(filter(None, (measured.outcome.note, note)))
            measured.outcome = replace(measured.outcome, status="dropped", note=notes)
            self.say(f"{measured.name} is dropped after {measured.splits} splits: {note}.")
        return kept

    def _refit_seconds(self) -> float:
        """Of the dearest strategy that may be picked."""
        return max([m.refit_seconds for m in self.measured if m.outcome.deliverable], default=0.0)


@contextmanager
def _noting_interrupts(strategies: Sequence[Measurement], to: int) -> Iterator[None]:
    """What Ctrl-C stops says so."""
    try:
        yield
    except KeyboardInterrupt:
        for stopped in (m for m in strategies if m.splits < to):
            notes = [stopped.outcome.note, f"{stopped.splits} of {to} splits were finished"]
            stopped.outcome = replace(stopped.outcome, status="interrupted", note="; ".join(filter(None, notes)))
        raise


def _repeatable(measured: Measurement) -> bool:
    return not isinstance(measured.strategy, DearStrategy) or measured.strategy.expected.repeatable


def _rank(measured: Measurement) -> tuple[int, int]:
    kinds = {"unfreeze": 1, "full": 2, "scratch": 3}  # after probes and the head, which come as they come
    return kinds.get(measured.outcome.kind, 0), measured.outcome.blocks or 0


def _kind(depth: Depth) -> Kind:
    if isinstance(depth, int):
        return "unfreeze"
    return "full" if depth == "all" else "scratch"


def _share(depths: Sequence[Depth]) -> float:
    """Of what is left, for the first of the depths to come."""
    return _weight(depths[0]) / sum(map(_weight, depths))


def _weight(depth: Depth) -> float:
    return WEIGHTS[_kind(depth)]
