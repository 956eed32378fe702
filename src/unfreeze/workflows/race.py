"""The race: strategies are tried from cheap to expensive, and repeated while an answer is open and time is left.

The answer is looked at only at 5, 10 and 20 common splits: whoever looks after every split and stops when he likes what
he sees finds differences where there are none. Dropping a hopeless strategy is free at any time, since no answer comes
of it; neither is running out of time an interim look.
"""

import math
from bisect import insort
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.questions import pairs
from unfreeze.core.metering import Usage, added, metered
from unfreeze.core.phases import timed
from unfreeze.core.plans import TrainingSettings
from unfreeze.core.progress import Advance, Progress, ignore
from unfreeze.core.records import Outcome, TimeForecast
from unfreeze.core.strategies import KINDS, StrategyId
from unfreeze.core.wording import count, duration, probability
from unfreeze.data.tasks import Task
from unfreeze.metrics.repeated import FEWEST_FOR_PROBABILITIES, LOOKS
from unfreeze.strategies.catalogue import Catalogue, LeftOut, TrainedStrategy
from unfreeze.strategies.finetuning import Request
from unfreeze.strategies.measurement import Measurement
from unfreeze.strategies.predictions import Measured
from unfreeze.workflows.clock import RESERVE, Clock

HOPELESS = 0.01  # a strategy is dropped when it is better than the best one with a probability below this
# What is left for each image, seconds, below which the first depth is not tried, and the second gets all that it needs
# before a deeper one gets what is left: in equal shares, two and four blocks would both be trained too little to tell
# anything. With EfficientNet-Lite0 (omniglot) an image takes about 0.15, 0.2 and 0.45 s of one core for the trainings
# of one, two and four blocks on five splits and on everything, and 2 s for the whole network.
SHORT = 1.0
DEEPER = 2.0  # times what a depth takes, the next one takes at least
STEP_ONE_SHARE = 0.3  # of the budget; one split in any case
CHEAP_SHARE = 0.05  # of the budget: what takes no more for its five splits gets them, whatever costlier probes took
SLACK = 1.1  # a training may take this much longer than its share before it is repeated less often


@dataclass(eq=False)
class Race:
    """What a race has measured so far; an interrupt leaves it as it is.

    Attributes:
        comparisons: Metric, margin and task, and every step that was estimated.
        catalogue: Gives the strategies, ready to run.
        clock: The budget.
        progress: Reports progress.
        entered: Every strategy that was tried or left out, cheapest first.
        story: Why each was tried, repeated, dropped or left out, in the order of time.
        forecasts: What was forecast before each training, and what it took.
        phases: Seconds by phase.
    """

    comparisons: Comparisons
    catalogue: Catalogue
    clock: Clock
    progress: Progress
    entered: list[Measurement] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    forecasts: list[TimeForecast] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    _enough: dict[StrategyId, float] = field(default_factory=dict)  # seconds of a budget that would hold a training

    @property
    def task(self) -> Task:
        """Rows and splits."""
        return self.comparisons.question.task

    @property
    def measured(self) -> list[Measured]:
        """What every strategy gave, cheapest first."""
        return [entry.measured for entry in self.entered]

    def say(self, sentence: str) -> None:
        """Into the story, and to whoever watches."""
        self.story.append(sentence)
        self.progress.say(sentence)

    def timed(self, phase: str) -> AbstractContextManager[None]:
        """Add what the block takes to a phase."""
        return timed(self.phases, phase)

    def run(self, strategies: Sequence[StrategyId]) -> None:
        """Try step one and every deeper strategy, then repeat what is open.

        Args:
            strategies: What trains blocks, from cheap to expensive.
        """
        self._try_step_one()
        self._try_deeper(strategies)
        self._complete()
        for look, splits in pairwise(LOOKS):
            if not self._repeat(look, splits):
                break

    def _try_deeper(self, strategies: Sequence[StrategyId]) -> None:
        blocks = [strategy for strategy in strategies if strategy.kind == "unfreeze"]
        short = self._seconds_an_image < SHORT and len(strategies) > 2 and len(blocks) > 1
        chosen, if_room = list(strategies), blocks[2:] if short else []
        if short:
            self._leave_out_for_time(blocks[0])
            chosen.remove(blocks[0])
        too_expensive = self._too_expensive([strategy for strategy in chosen if strategy not in if_room])
        for place, strategy in enumerate(chosen):
            if strategy in too_expensive:
                continue
            later = [other for other in chosen[place + 1 :] if other not in {*if_room, *too_expensive}]
            to_come = [strategy, *later]
            if strategy in if_room and not self._leaves_room(to_come):
                self._leave_out_for_time(strategy)
            else:
                self._try(to_come, with_time=chosen[place:])
        for left_out in too_expensive.values():
            self._leave_out(left_out)

    def _leaves_room(self, to_come: Sequence[StrategyId]) -> bool:
        """Whether what was tried last leaves the first of these enough.

        For one split and for everything; for five splits where more is to come, which would else go short as well.
        """
        last = max((entry for entry in self.entered if entry.work), key=_rank, default=None)
        if last is None:
            return True
        splits = FEWEST_FOR_PROBABILITIES if len(to_come) > 1 else 1
        needed = DEEPER * (splits * last.seconds_a_split + last.refit_seconds)
        return _share(to_come) * self.clock.left() >= needed

    def _try_step_one(self) -> None:
        self.entered += [Measurement(strategy, Measured(strategy.outcome)) for strategy in self.catalogue.step_one()]
        names = ", ".join(entry.label for entry in self.entered)
        self.say(f"Step one and the feature extractor ({names}) on {FEWEST_FOR_PROBABILITIES} splits: they are cheap.")
        to, fits = FEWEST_FOR_PROBABILITIES, FEWEST_FOR_PROBABILITIES * len(self.entered)
        budget = self.clock.budget
        phase = self.progress.phase("step one", total=fits, unit="fit")
        with self.timed("step one"), phase as advance, _noting_interrupts(self.entered, to):
            self._go_on(self.entered, to=1, until=budget, advance=advance)
            cheap = [entry for entry in self.entered if (to - 1) * entry.seconds_a_split <= CHEAP_SHARE * budget]
            self._go_on(cheap, to=to, until=budget, advance=advance)
            # The others one by one: five splits of one tell more than two of each.
            for entry in sorted(self.entered, key=lambda one: one.seconds_a_split):
                self._go_on([entry], to=to, until=STEP_ONE_SHARE * budget, advance=advance)
        fewer = [entry for entry in self.entered if entry.splits < to]
        for entry in fewer:
            self._note_what_is_missing(entry)
        if fewer:
            names = ", ".join(f"{entry.label} ({entry.splits})" for entry in fewer)
            self.say(f"Fewer splits than {to} so far: {names}. The time goes to training first.")

    @property
    def _seconds_an_image(self) -> float:
        return max(0.0, self.clock.left()) / len(self.task.train_rows)

    def _leave_out_for_time(self, strategy: StrategyId) -> None:
        """Without a try, since so few seconds an image are left."""
        note = (
            f"only {self._seconds_an_image:.2g} s per image remained, and the time goes to deeper answers for fewer "
            "depths"
        )
        self._add(Measurement(None, Measured(Outcome(strategy=strategy, description="", status="left out", note=note))))
        self.say(f"Left out: {strategy.label}; {note}.")

    def _too_expensive(self, strategies: Sequence[StrategyId]) -> dict[StrategyId, LeftOut]:
        """Where time is short: what trains the whole network and will not fit. The time kept for it would be wasted."""
        if self._seconds_an_image >= SHORT or len(strategies) < 2:
            return {}
        found: dict[StrategyId, LeftOut] = {}
        for strategy in (strategy for strategy in strategies if strategy.kind != "unfreeze"):
            share = _share([strategy, *(other for other in strategies if other != strategy)])
            with self.timed(strategy.kind):
                ready = self.catalogue.ready(strategy, Request(allowance=share * self.clock.left(), splits=1))
            if isinstance(ready, LeftOut):
                found[strategy] = ready
        return found

    def _add(self, entry: Measurement) -> None:
        """In its place: shallow to deep, whatever is tried or left out first."""
        insort(self.entered, entry, key=_rank)

    def _leave_out(self, left_out: LeftOut) -> None:
        entry = Measurement(None, Measured(left_out.outcome))
        self._add(entry)
        self.say(f"Left out: {entry.label}; {entry.outcome.note}.")
        self._note_forecast(entry)

    def _try(self, to_come: Sequence[StrategyId], *, with_time: Sequence[StrategyId]) -> None:
        """Make the first of these strategies ready within its share of what is left, and measure it.

        Args:
            to_come: Those for which time is kept.
            with_time: The same if there were time enough for all.
        """
        strategy, begun = to_come[0], self.clock.elapsed()
        allowance = _share(to_come) * self.clock.left()
        with self.timed(strategy.kind):
            with metered() as usage:
                ready = self.catalogue.ready(strategy, Request(allowance=allowance, splits=FEWEST_FOR_PROBABILITIES))
            if isinstance(ready, LeftOut):
                self._leave_out(ready)
                return
            enough = begun + (usage.seconds + ready.expected.seconds_of_all) / _share(with_time)
            self._measure_trained(ready, usage, allowance, enough=enough)

    def _measure_trained(self, ready: TrainedStrategy, usage: Usage, allowance: float, *, enough: float) -> None:
        """Measure what was made ready, while its allowance lasts."""
        outcome = replace(ready.outcome, cost=added(ready.outcome.cost, usage))
        outcome = replace(outcome, cost=replace(outcome.cost, preparation_seconds=usage.seconds))
        entry = Measurement(ready, Measured(outcome))
        self._add(entry)
        splits, seconds = count(ready.expected.splits, "split"), duration(ready.expected.seconds)
        self.say(f"{entry.label} on {splits}: about {seconds}.")
        until = self.clock.elapsed() + SLACK * allowance - usage.seconds - ready.refit_seconds
        self._measure([entry], to=ready.expected.splits, until=until, phase=entry.label)
        self._enough[outcome.strategy] = enough
        self._note_what_is_missing(entry)
        self._note_forecast(entry)
        if entry.splits < FEWEST_FOR_PROBABILITIES:
            self.say(f"{entry.label}: {entry.outcome.note}; so there are no probabilities for it.")

    def _note_what_is_missing(self, entry: Measurement) -> None:
        """Of what has fewer epochs or splits than wanted: that, and the budget that would hold all of a training."""
        assert entry.strategy is not None, entry.label  # noqa: S101 - it was measured
        status, notes = entry.strategy.outcome.status, [entry.strategy.outcome.note]
        if entry.splits < FEWEST_FOR_PROBABILITIES:
            status = "shortened"
            notes.append(f"{entry.splits} of {FEWEST_FOR_PROBABILITIES} splits fit the budget")
        enough = self._enough.get(entry.outcome.strategy, 0.0)
        if status == "shortened" and enough > self.clock.budget:
            given = (enough + self.clock.kept) / (1 - RESERVE)
            notes.append(f"all of it would fit into about {duration(60 * math.ceil(given / 60))}")
        entry.note(replace(entry.outcome, status=status, note="; ".join(filter(None, notes))))

    def _note_forecast(self, entry: Measurement) -> None:
        outcome = entry.outcome
        settings = outcome.settings if isinstance(outcome.settings, TrainingSettings) else None
        self.forecasts.append(
            TimeForecast(
                strategy=outcome.strategy,
                forecast_seconds=settings.forecast_seconds if settings else None,
                seconds=outcome.cost.seconds,
                status=outcome.status,
            )
        )

    def _complete(self) -> None:
        """Bring to five splits what has fewer, if time for it is left now that all have been tried.

        Not a training whose epochs were cut down too far: five splits of it would say little of the one that is wanted.
        """
        to = FEWEST_FOR_PROBABILITIES
        for entry in sorted(self.entered, key=lambda one: one.seconds_a_split):
            until = self.clock.budget - self._refit_seconds()
            takes = (to - entry.splits) * entry.seconds_a_split
            if not 0 < entry.splits < to or not _repeatable(entry) or self.clock.elapsed() + takes > until:
                continue
            self.say(f"{entry.label} goes on to {to} splits: time is left.")
            with self.timed("repeat"):
                self._measure([entry], to=to, until=until, phase=entry.label)
            self._note_what_is_missing(entry)

    def _measure(self, entries: Sequence[Measurement], *, to: int, until: float, phase: str) -> None:
        """`_go_on` with a progress of its own; where something trains, what is cheap does not count beside it."""
        images = len(self.task.split(0).learn)
        training = any(entry.work for entry in entries)
        total = sum((entry.work * images if training else 1) * max(0, to - entry.splits) for entry in entries)
        unit = "image" if training else "fit"
        with self.progress.phase(phase, total=total, unit=unit) as advance, _noting_interrupts(entries, to):
            self._go_on(entries, to=to, until=until, advance=advance)

    def _go_on(self, entries: Sequence[Measurement], *, to: int, until: float, advance: Advance) -> None:
        """Run each on its next splits, all on one before any on the next, while the time suffices.

        Args:
            entries: Ready ones.
            to: Number of splits that they should have.
            until: Seconds since the start of the run; a split that would end later is not begun, except for the first.
            advance: Reports progress per image that was passed over; per fit, where nothing trains.
        """
        training = any(entry.work for entry in entries)
        for number in range(to):
            next_ones = [entry for entry in entries if entry.splits == number]
            takes = sum(entry.seconds_a_split for entry in next_ones)
            if number and self.clock.elapsed() + takes > until:
                break
            split = self.task.split(number)
            self.catalogue.share([entry.strategy for entry in next_ones if entry.strategy], split)
            for entry in next_ones:
                entry.measure(self.task, split, advance=advance if entry.work else ignore)
                if not training:
                    advance(1)

    def _repeat(self, look: int, splits: int) -> bool:
        """Look at the answers and repeat what is open; False where nothing is left to do."""
        running = [entry for entry in self.entered if entry.strategy is not None and entry.splits >= look]
        if len(running) < 2:
            return False  # time ran out before there was anything to look at
        still_open = self._open(self._without_hopeless(running))
        if not still_open:
            self.say(f"After {look} splits nothing is open that more splits of these images could settle.")
            return False
        wanted = self._that_fit(still_open, splits, self.clock.left() - self._refit_seconds())
        names = ", ".join(entry.label for entry in still_open)
        if len(wanted) < 2:
            self.say(f"Open after {look} splits: {names}. Time is left for no more than {look} splits.")
            return False
        seconds = sum((splits - entry.splits) * entry.seconds_a_split for entry in wanted)
        dropped = [entry.label for entry in still_open if entry not in wanted]
        without = f", without {', '.join(dropped)}, for which no time is left" if dropped else ""
        self.say(f"Open after {look} splits: {names}. On to {splits} splits{without}; about {duration(seconds)}.")
        with self.timed("repeat"):
            until = self.clock.budget - self._refit_seconds()
            self._measure(wanted, to=splits, until=until, phase=f"{splits} splits")
        return True

    def _open(self, running: Sequence[Measurement]) -> list[Measurement]:
        """Both sides of every step whose answer cannot be told yet."""
        known = {entry.outcome.strategy: entry.measured for entry in running}
        found: set[StrategyId] = set()
        for first, second in pairs(known):
            sides = known[first], known[second]
            if not all(self.comparisons.has_metric(side) for side in sides):
                continue
            if self.comparisons.estimate(*sides).answer == "cannot tell":
                found |= {first, second}
        return [entry for entry in running if entry.outcome.strategy in found]

    def _that_fit(self, still_open: Sequence[Measurement], splits: int, left: float) -> list[Measurement]:
        """Those of an open question that fit together into the seconds that are left, without the costliest ones."""
        wanted = list(still_open)
        while wanted and sum((splits - entry.splits) * entry.seconds_a_split for entry in wanted) > left:
            wanted.remove(max(wanted, key=lambda entry: entry.seconds_a_split))
            wanted = self._open(wanted)  # what was only asked about against the one that is gone goes too
        return wanted

    def _without_hopeless(self, running: Sequence[Measurement]) -> list[Measurement]:
        """Those that may still be the best, and the cheap ones, which deeper ones are asked about against."""
        usable = [entry.measured for entry in running if self.comparisons.has_metric(entry.measured)]
        best = max(usable, key=self.comparisons.mean_score)
        kept = []
        for entry in running:
            chance = None
            if entry.measured in usable and entry.measured is not best and entry.outcome.strategy.trains_blocks:
                chance = self.comparisons.estimate(best, entry.measured, margin=0.0).better
            if chance is None or chance >= HOPELESS:
                kept.append(entry)
                continue
            note = f"better than {best.strategy.label} with a probability of {probability(chance)}"
            notes = "; ".join(filter(None, (entry.outcome.note, note)))
            entry.note(replace(entry.outcome, status="dropped", note=notes))
            self.say(f"{entry.label} is dropped after {entry.splits} splits: {note}.")
        return kept

    def _refit_seconds(self) -> float:
        """Of the costliest strategy that may be picked."""
        return max([entry.refit_seconds for entry in self.entered if entry.outcome.deliverable], default=0.0)


@contextmanager
def _noting_interrupts(entries: Sequence[Measurement], to: int) -> Iterator[None]:
    """What Ctrl-C stops says so."""
    try:
        yield
    except KeyboardInterrupt:
        for stopped in (entry for entry in entries if entry.splits < to):
            notes = [stopped.outcome.note, f"{stopped.splits} of {to} splits were finished"]
            note = "; ".join(filter(None, notes))
            stopped.note(replace(stopped.outcome, status="interrupted", note=note))
        raise


def _repeatable(entry: Measurement) -> bool:
    return not isinstance(entry.strategy, TrainedStrategy) or entry.strategy.expected.repeatable


def _rank(entry: Measurement) -> tuple[int, int, int]:
    return entry.outcome.strategy.rank


def _share(strategies: Sequence[StrategyId]) -> float:
    """Of what is left, for the first of the strategies to come."""
    weights = [KINDS[strategy.kind].weight for strategy in strategies]
    return weights[0] / sum(weights)
