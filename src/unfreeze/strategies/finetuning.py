"""The strategies that train more than the head: some blocks, the whole network, from scratch.

What one costs is found out first, on made-up activations, before anything is prepared for it. Then it is made ready for
as many epochs as there is time for, and may go on later: a training that was made is never made again.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

import psutil

from unfreeze.core.errors import UnfreezeError
from unfreeze.core.plans import Plan, TrainingSettings
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.records import Outcome
from unfreeze.core.seeding import derive_seed
from unfreeze.core.strategies import SCRATCH, Kind, StrategyId
from unfreeze.core.threads import usable_cores
from unfreeze.core.trials import Activations, Training
from unfreeze.core.wording import count, duration, milliseconds
from unfreeze.data.tasks import Split
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.step_one import StepOne
from unfreeze.strategies.strategy import Fit
from unfreeze.training.examples import Remembered, recomputed, remember, views_that_fit
from unfreeze.training.loop import Examples
from unfreeze.training.pace import seconds_of_pixels, seconds_of_remembering
from unfreeze.training.plans import batch_size, full_plan, full_rate, scratch_plan, step_two_rate, unfreeze_plan
from unfreeze.training.timing import Pace, TooSlowError, time_training
from unfreeze.training.trials import Inputs, Trained, TrainingRun, predict_rows
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.graph import Cut

# Fewer make a training worse than the head that it starts from: two epochs of the whole network took ants and bees from
# 95 % to 82 %, and a weak training would make the verdict a lie.
FEWEST_EPOCHS = 4
# Of the plan's epochs; a second split is paid for with fewer only down to here. On a split of omniglot's train part two
# blocks gain 12.5 points over the head with 20 epochs, 11.8 with 10 and 4.2 with 5: an interval of the wrong thing.
LEAST_SHARE_REPEATED = 0.5
# What an image of a whole training takes, times what it took in the fastest of a few steps: predicting and the audit
# come on top, and memory that is not at hand. 1.07 to 1.36 in nine trainings on four sets, in the median 1.16.
STEADY = 1.15
SHARE_OF_VIEWS = 0.4  # of the allowance, for what is remembered before training begins
WAITING_SHARE = 0.1  # of the memory that is free, for trainings that may go on


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a strategy is asked for.

    Attributes:
        allowance: Seconds that its preparation and its splits may take; without splits, its training on everything.
        splits: On how many splits it should be measured; 0 to train it on everything alone.
        beside: What else may be made ready: where memory allows, the same passes remember activations for it.
    """

    allowance: float
    splits: int
    beside: tuple[StrategyId, ...] = ()


class TooExpensiveError(Exception):
    """A strategy does not fit; the race goes on without it.

    Attributes:
        outcome: Its record, with the reason.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.note)
        self.outcome = outcome


Start = Callable[[Split, int], Backbone]


@dataclass(frozen=True, eq=False, kw_only=True)
class Passed:
    """What passes over the images have remembered for a strategy.

    Attributes:
        remembered: Its activations.
        together: As in `Activations`.
    """

    remembered: Remembered
    together: tuple[StrategyId, ...]


Held = dict[StrategyId, Passed]


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a strategy will cost, found out before anything is prepared for it; plain data.

    Attributes:
        strategy: Which.
        epochs: That are wanted.
        fewest: Epochs that are of use at all.
        seconds_an_epoch: Wall time of an epoch on the learning side of one split, of several that run side by side.
        refit_an_epoch: The same on everything.
        preparation: Wall time of what comes before the first training.
        pace: How steps were timed; None where nothing is trained, in a simulation.
    """

    strategy: StrategyId
    epochs: int
    fewest: int
    seconds_an_epoch: float
    refit_an_epoch: float
    preparation: float
    pace: Pace | None = None

    @property
    def least_epochs(self) -> int:
        """As few as several splits are worth, see `LEAST_SHARE_REPEATED`."""
        return max(self.fewest, math.ceil(LEAST_SHARE_REPEATED * self.epochs))

    def seconds(self, splits: int, epochs: int) -> float:
        """Of preparing and of so many splits."""
        return self.preparation + splits * epochs * self.seconds_an_epoch

    def refit_seconds(self, epochs: int) -> float:
        """Of the training on everything that is delivered."""
        return epochs * self.refit_an_epoch


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a strategy will take.

    Attributes:
        epochs: As many as fit the allowance, at most what is wanted; 0 if too few fit.
        wanted: Epochs of all of it.
        splits: On how many splits it can be measured.
        seconds: Expected wall time of its splits, or of its training on everything without any; of all that was asked
            for if it does not fit at all.
        repeatable: The epochs are enough of what is wanted for a second split to be worth it.
    """

    epochs: int
    wanted: int
    splits: int
    seconds: float
    repeatable: bool = True


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What was found out before a strategy could train, as plain data.

    Attributes:
        outcome: Its record, nothing measured: what the preparing took, or why it is left out.
        training: How it trains; None if it is left out.
        expected: What was forecast; None if it is left out.
    """

    outcome: Outcome
    training: Training | None = None
    expected: Forecast | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class FineTuning:
    """A plan that is ready to run on any split.

    Attributes:
        experiment: Task and images.
        outcome: Its record, nothing measured.
        training: How it trains, and what was timed.
        feed: Makes the inputs of the part that learns; called once, when something trains.
        start: The network that training on a split starts from, given the seed of that training; it must not have seen
            what the split tests on.
        expected: What was forecast.
        waiting: Trainings by split that may go on; those of one that was lengthened are its own.
    """

    experiment: Experiment
    outcome: Outcome
    training: Training
    feed: Callable[[], Inputs]
    start: Start
    expected: Forecast
    waiting: dict[str, TrainingRun] = field(default_factory=dict)

    @property
    def settings(self) -> TrainingSettings:
        """How it trains, and what was timed."""
        return self.training.settings

    @cached_property
    def inputs(self) -> Inputs:
        """Of the part that learns."""
        return self.feed()

    @property
    def prepared(self) -> Prepared:
        """What it can be made of again; see `taken_up`."""
        return Prepared(outcome=self.outcome, training=self.training, expected=self.expected)

    def with_seed(self, seed: int) -> "FineTuning":
        """The same, with another order of the images and other dropout; it starts from the same heads."""
        experiment = replace(self.experiment, seed=seed)
        return replace(self, experiment=experiment, feed=lambda: self.inputs, waiting={})  # inputs are made once

    def lengthened(self, epochs: int) -> "FineTuning":
        """The same with more epochs: trainings go on where they stopped, as far as memory kept them."""
        plan = replace(self.plan, epochs=epochs)
        whole = epochs >= self.expected.wanted
        outcome = replace(
            self.outcome,
            status="done" if whole else "shortened",
            note="" if whole else _shortened_to(epochs, self.expected.wanted),
        )
        return replace(
            self,
            outcome=outcome,
            training=replace(
                self.training,
                settings=replace(self.settings, plan=plan),
                lengthened=self.training.lengthened + 1,
            ),
            feed=lambda: self.inputs,  # made once
            expected=replace(self.expected, epochs=epochs, repeatable=True),
        )

    @property
    def plan(self) -> Plan:
        """What learns, and how."""
        return self.settings.plan

    @property
    def work(self) -> int:
        """Passes over the images that learn."""
        return self.plan.epochs

    @property
    def refit_seconds(self) -> float:
        """Forecast of a training on everything."""
        return len(self.experiment.task.train_rows) * (self.settings.seconds_an_image or 0.0) * self.plan.epochs

    def begin(self, split: Split) -> None:
        """Have a training there that then runs beside others.

        What it starts from may draw torch's random numbers (weights from scratch) or be shared (activations, heads), so
        that it is made before any thread is.
        """
        self.waiting[split.name] = self._run_on(split)

    def fit(self, split: Split, *, advance: Advance = ignore) -> Fit:
        """Train a copy of its start on the learning side, predict the test side in float32.

        Raises:
            DidNotTrainError: Its loss rose, at an eighth of its rates too.
        """
        trial = self._trained(split, advance)
        return Fit(
            scores=predict_rows(trial.backbone, self.inputs, split.test, advance=self.experiment.progress.checkpoint),
            model=trial.backbone,
            settings=replace(self.settings, halvings=trial.halvings, processes=self.experiment.trainer.processes),
            audit=trial.audit,
            curve=trial.curve,
        )

    def _trained(self, split: Split, advance: Advance) -> Trained:
        """A training that waits goes on; one that may have to go on waits, where memory holds it."""
        run = self._run_on(split)
        self.experiment.trainer.train_to(run, self.plan.epochs, advance=advance)
        if self.plan.epochs < self.expected.wanted and split.is_whole and _may_wait(run, self.waiting):
            self.waiting[split.name] = run
        return run.result()

    def _run_on(self, split: Split) -> TrainingRun:
        """The training that waits, or one that has not begun; what trains on everything runs alone, on its threads."""
        run = self.waiting.pop(split.name, None)
        if run is not None and len(run.curve) <= self.plan.epochs:  # else of one that is longer
            return run
        plan, training = self.plan, self.training
        if not split.is_whole:
            plan = replace(plan, arithmetic=replace(plan.arithmetic, threads=training.threads_alone))
        seed = derive_seed(self.experiment.seed, self.outcome.strategy.stream, split.name)
        return TrainingRun(self.start(split, seed), plan, self.inputs, split.learn, seed=seed, draws=training.draws)


def _may_wait(run: TrainingRun, waiting: dict[str, TrainingRun]) -> bool:
    sizes = sum(other.size for other in list(waiting.values()))  # a copy: trainings beside this one come and go
    return run.size + sizes <= WAITING_SHARE * (psutil.virtual_memory().available + sizes)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Wanted:
    """A strategy before it is known whether it fits.

    Attributes:
        experiment: Task and images.
        outcome: Its record, nothing measured.
        plan: What learns, and how.
        start: What a training starts from.
        cut: Where the part that learns begins.
    """

    experiment: Experiment
    outcome: Outcome
    plan: Plan
    start: Start
    cut: Cut

    def left_out(self, note: str, *, settings: TrainingSettings | None = None) -> Outcome:
        """Its record if it does not fit."""
        settings = settings or TrainingSettings(plan=self.plan)
        return replace(self.outcome, status="left out", note=note, settings=settings)


def wanted(shared: StepOne, strategy: StrategyId, *, epochs: int | None = None) -> _Wanted:
    """What a strategy would be, whatever time there is.

    Step two starts from step one's result (Kumar et al. 2022, arXiv:2202.10054: probe first, then fine-tune).

    Args:
        shared: Trains the heads that it starts from.
        strategy: Which.
        epochs: Passes over the images; the plan's own number if None.

    Raises:
        PlanError: The network has fewer blocks.
    """
    experiment = shared.experiment
    plan, description = _PLANS[strategy.kind](experiment, strategy)
    return _Wanted(
        experiment=experiment,
        outcome=Outcome(strategy=strategy, description=description),
        plan=_adapted(plan, experiment, epochs),
        start=_start(shared, strategy),
        cut=_cut_of(experiment, strategy),
    )


def _cut_of(experiment: Experiment, strategy: StrategyId) -> Cut:
    """Where the part that learns begins: at the pixels, also where as many blocks learn as there are."""
    blocks = strategy.blocks
    return experiment.source.cuts[0] if blocks is None else experiment.source.cut_before_blocks(blocks)


def _from_pixels(experiment: Experiment, strategy: StrategyId) -> bool:
    return _cut_of(experiment, strategy) == experiment.source.cuts[0]


def _unfreeze(experiment: Experiment, strategy: StrategyId) -> tuple[Plan, str]:
    blocks = strategy.blocks or 0
    rate = step_two_rate(len(experiment.task.train_rows))
    plan = unfreeze_plan(experiment.source, blocks, rate=rate)
    names = ", ".join(block.name for block in experiment.source.blocks[-blocks:])
    last = "the last block" if blocks == 1 else f"the last {blocks} blocks"
    return plan, f"head and {last}: {names}"


def _full(experiment: Experiment, strategy: StrategyId) -> tuple[Plan, str]:  # noqa: ARG001 - as the others
    rate = full_rate(len(experiment.task.train_rows))
    return full_plan(experiment.source, rate=rate), "all layers, earlier ones at lower rates"


def _scratch(experiment: Experiment, strategy: StrategyId) -> tuple[Plan, str]:  # noqa: ARG001 - as the others
    return scratch_plan(), "all layers, from random weights"


_PLANS: MappingProxyType[Kind, Callable[[Experiment, StrategyId], tuple[Plan, str]]] = MappingProxyType(
    {"unfreeze": _unfreeze, "full": _full, "scratch": _scratch}
)


def price(
    shared: StepOne, strategy: StrategyId, *, epochs: int | None, affordable: float, like: Pace | None = None
) -> Price | Outcome:
    """What a strategy costs, from a few steps on made-up activations.

    Args:
        shared: Trains the heads that it starts from.
        strategy: Which.
        epochs: Passes over the images; the plan's own number if None.
        affordable: Seconds that its least training may take for it to be of use.
        like: The pace of another strategy here; see `time_training`.

    Returns:
        The price; its record as one that is left out, where a step takes many times what can be afforded.

    Raises:
        PlanError: The network has fewer blocks.
    """
    asked = wanted(shared, strategy, epochs=epochs)
    experiment, plan = asked.experiment, asked.plan
    everything, learn = experiment.task.everything(), len(experiment.task.split(0).learn)
    inputs = _inputs_at(asked.cut, experiment.pixels, experiment)
    fewest = min(plan.epochs, FEWEST_EPOCHS)
    least = _least_seconds(asked, fewest)
    if least > affordable:
        note = f"the network's passes over the images need about {duration(least)} for it"
        return asked.left_out(f"{note} and {duration(affordable)} are left")
    try:
        pace = time_training(
            asked.start(shared.split_with_head, experiment.seed),
            plan,
            inputs,
            cache=experiment.cache,
            advance=experiment.progress.checkpoint,
            affordable=affordable / (fewest * (learn + len(everything.learn))),
            like=like,
            pinned=experiment.pinned,
        )
    except TooSlowError:
        return asked.left_out(f"a step of it took many times what fits into {duration(affordable)}")
    feeding, preparation = 0.0, 0.0
    if _from_pixels(experiment, strategy):
        feeding = seconds_of_pixels(experiment.pixels, everything.learn)
    else:
        images = len(experiment.pixels.squares.images) + plan.views * len(everything.learn)
        pixels = experiment.pixels
        an_image = seconds_of_remembering(
            experiment.source, asked.cut, pixels, everything.learn, engine=experiment.engine, cache=experiment.cache
        )
        preparation = images * (an_image + seconds_of_pixels(pixels, everything.learn) / usable_cores())
    return Price(
        strategy=strategy,
        epochs=plan.epochs,
        fewest=fewest,
        seconds_an_epoch=(STEADY * pace.timed.seconds + feeding) * learn,
        refit_an_epoch=(STEADY * pace.alone.seconds + feeding) * len(everything.learn) / experiment.trainer.speedup,
        preparation=preparation,
        pace=pace,
    )


def _least_seconds(asked: _Wanted, fewest: int) -> float:
    """What it takes for certain, from what reading codes took: without timing a step, which takes seconds itself.

    What feeds the last blocks is a pass over all images; where the whole network learns, every epoch is more than one.
    """
    experiment, task = asked.experiment, asked.experiment.task
    passes = len(task.image_set.images)
    if _from_pixels(experiment, asked.plan.strategy):
        passes = fewest * (len(task.split(0).learn) + len(task.everything().learn))
    return passes * (experiment.codes.seconds_an_image or 0.0)


def ready(shared: StepOne, found: Price, request: Request, held: Held | None = None) -> FineTuning:
    """A strategy that can train, for as many epochs as fit; nothing is prepared for one that does not.

    Args:
        shared: Trains the heads that it starts from.
        found: What it costs.
        request: Time, splits, epochs, and what comes after it.
        held: What earlier passes have remembered: it takes its own, and leaves what its passes remember for others;
            nothing if None.

    Returns:
        The strategy.

    Raises:
        TooExpensiveError: It does not fit.
    """
    began, strategy = time.perf_counter(), found.strategy
    asked = wanted(shared, strategy, epochs=found.epochs)
    experiment, pace = asked.experiment, found.pace
    assert pace is not None, strategy.label  # noqa: S101 - `price` has timed it
    plan = replace(asked.plan, arithmetic=pace.timed.arithmetic)
    _check_fits(asked, forecast(found, request), found, request)
    inputs, passed = _inputs_at(asked.cut, experiment.pixels, experiment), None
    if strategy.blocks is not None and not _from_pixels(experiment, strategy):
        held = {} if held is None else held
        if strategy not in held:
            seconds = math.inf if experiment.pinned else SHARE_OF_VIEWS * request.allowance
            held.update(_passed(strategy, request.beside, experiment, plan, seconds=seconds))
        passed = held.pop(strategy, None)
        inputs, plan = _fed_by(passed, strategy, experiment, plan)
    left = replace(request, allowance=request.allowance - (time.perf_counter() - began))
    expected = forecast(replace(found, preparation=0.0), left)
    _check_fits(asked, expected, found, left)
    experiment.progress.say(_announcement(asked.outcome, plan, expected, pace))
    settings = TrainingSettings(
        plan=replace(plan, epochs=expected.epochs),
        seconds_an_image=found.refit_an_epoch / len(experiment.task.train_rows),
        timed=(pace.timed, *pace.others, pace.alone),
        forecast_seconds=expected.seconds,
    )
    activations = Activations(
        cut=asked.cut.name,
        remembered=passed is not None,
        together=passed.together if passed else (),
    )
    return FineTuning(
        experiment=experiment,
        outcome=replace(_shortened(asked.outcome, expected), settings=settings),
        training=Training(
            settings=settings,
            activations=activations,
            side_by_side=pace.side_by_side,
            threads_alone=pace.alone.arithmetic.threads,
            draws=pace.draws,
        ),
        feed=lambda: inputs,
        start=asked.start,
        expected=expected,
    )


def _check_fits(asked: _Wanted, expected: Forecast, found: Price, request: Request) -> None:
    """Do not begin what cannot end."""
    if expected.epochs:
        return
    timed = (found.pace.timed, *found.pace.others) if found.pace else ()
    settings = TrainingSettings(plan=asked.plan, timed=timed, forecast_seconds=expected.seconds)
    needed = f"{count(found.fewest, 'epoch')} of it need about {duration(expected.seconds)}"
    note = f"{needed} and {duration(max(0.0, request.allowance))} are left for it"
    raise TooExpensiveError(asked.left_out(note, settings=settings))


def taken_up(shared: StepOne, prepared: Prepared) -> FineTuning:
    """A strategy as it was prepared before, in this process or in another one; nothing is timed or chosen again.

    Args:
        shared: Trains the heads that it starts from.
        prepared: What was found out then; not of a strategy that was left out.

    Returns:
        The strategy. Its activations are made when something trains.

    Raises:
        UnfreezeError: When something trains: memory does not hold what was remembered then.
    """
    strategy, training, expected = prepared.outcome.strategy, prepared.training, prepared.expected
    assert training is not None and expected is not None, strategy.label  # noqa: S101, PT018 - it was ready
    plan = training.settings.plan
    shared = replace(shared, experiment=replace(shared.experiment, augmentation=plan.augmentation))
    return FineTuning(
        experiment=shared.experiment,
        outcome=prepared.outcome,
        training=training,
        feed=lambda: _fed_as_before(shared.experiment, strategy, training),
        start=_start(shared, strategy),
        expected=expected,
    )


def _fed_as_before(experiment: Experiment, strategy: StrategyId, training: Training) -> Inputs:
    plan, activations = training.settings.plan, training.activations
    if strategy.blocks is None or _from_pixels(experiment, strategy):
        return _pixel_inputs(experiment)
    if not activations.remembered:  # also where memory would hold them now
        cut = experiment.source.cut_before_blocks(strategy.blocks)
        return _inputs_at(cut, recomputed(experiment.source, cut, experiment.pixels), experiment)
    passed = _passed_before(strategy, activations.together, experiment, plan)
    if passed is None or len(passed.remembered.views) != plan.views:
        msg = (
            f"The activations before {activations.cut} were in memory when {strategy.label} was prepared, with "
            f"{plan.views} augmented views of each image, and memory does not hold them now. Free some, or begin anew."
        )
        raise UnfreezeError(msg)
    return _fed_by(passed, strategy, experiment, plan)[0]


def _start(shared: StepOne, strategy: StrategyId) -> Start:
    """What a training starts from: the head of its split, or random weights, others for every seed."""
    experiment = shared.experiment
    if strategy == SCRATCH:
        return lambda _, seed: experiment.source.randomised(seed % 2**31).with_classes(experiment.task.class_count)
    return lambda split, _: shared.head(split).network


def _adapted(plan: Plan, experiment: Experiment, epochs: int | None) -> Plan:
    recipe, learn = experiment.augmentation, len(experiment.task.split(0).learn)
    return replace(
        plan,
        augmentation=recipe,
        views=plan.views if recipe.varies and not _from_pixels(experiment, plan.strategy) else 0,
        balanced=experiment.balanced,
        batch_size=batch_size(learn),
        epochs=epochs or plan.epochs,
    )


def _passed(
    strategy: StrategyId, beside: Sequence[StrategyId], experiment: Experiment, plan: Plan, *, seconds: float = math.inf
) -> Held:
    """Activations for a strategy, and for others if memory holds as many views with those; nothing without memory."""
    cuts = _cuts_of({strategy, *beside}, experiment)
    rows, images = experiment.task.train_rows, len(experiment.pixels.squares.images)
    if views_that_fit(list(cuts.values()), images=images, train=len(rows), wanted=plan.views) < plan.views:
        cuts = {strategy: cuts[strategy]}
    found = _remembered(cuts, cuts, experiment, plan, seconds=seconds)
    together = tuple(cuts)
    return {one: Passed(remembered=each, together=together) for one, each in zip(cuts, found, strict=False)}


def _passed_before(
    strategy: StrategyId, together: tuple[StrategyId, ...], experiment: Experiment, plan: Plan
) -> Passed | None:
    """The same activations for one strategy alone, whatever memory holds of the others; None without memory."""
    cuts = _cuts_of({strategy, *together}, experiment)
    found = _remembered(cuts, {strategy: cuts[strategy]}, experiment, plan)
    return Passed(remembered=found[0], together=together) if found else None


def _cuts_of(strategies: Iterable[StrategyId], experiment: Experiment) -> dict[StrategyId, Cut]:
    """Where the frozen parts end, shallow to deep; nothing of what begins at the pixels."""
    in_order = sorted(strategies, key=lambda one: one.rank)
    return {one: _cut_of(experiment, one) for one in in_order if not _from_pixels(experiment, one)}


def _remembered(
    cuts: Mapping[StrategyId, Cut],
    kept: Mapping[StrategyId, Cut],
    experiment: Experiment,
    plan: Plan,
    *,
    seconds: float = math.inf,
) -> tuple[Remembered, ...]:
    return remember(
        experiment.source,
        list(cuts.values()),
        experiment.pixels,
        experiment.resources,
        train_rows=experiment.task.train_rows,
        views=plan.views,
        engine=experiment.engine,
        seconds=seconds,
        kept=list(kept.values()),
    )


def _fed_by(passed: Passed | None, strategy: StrategyId, experiment: Experiment, plan: Plan) -> tuple[Inputs, Plan]:
    """The inputs of the last blocks, for all splits; the plan, with as many views as there are."""
    cut = _cut_of(experiment, strategy)
    if passed is not None:
        return _inputs_at(cut, passed.remembered, experiment), replace(plan, views=len(passed.remembered.views))
    say = experiment.progress.say
    say(f"The activations before {cut.name} do not fit in memory; the frozen part runs in every epoch.")
    return _inputs_at(cut, recomputed(experiment.source, cut, experiment.pixels), experiment), plan


def _inputs_at(cut: Cut, examples: Examples, experiment: Experiment) -> Inputs:
    return Inputs(
        cut=cut,
        examples=examples,
        features=examples,
        pixels=experiment.pixels,
        labels=experiment.task.labels,
        precision=experiment.engine.precision,
    )


def _pixel_inputs(experiment: Experiment) -> Inputs:
    pixels = experiment.pixels
    cut = experiment.source.cuts[0]
    return Inputs(cut=cut, examples=pixels, features=pixels, pixels=pixels, labels=experiment.task.labels)


def forecast(found: Price, request: Request) -> Forecast:
    """How many epochs fit, given what one costs.

    Fewer epochs first, down to half of them; then fewer splits; then, on one split, fewer epochs again.

    Args:
        found: What the strategy costs.
        request: Time and splits.

    Returns:
        The forecast; 0 epochs if fewer than the fewest that are worth it fit even on one split.
    """
    left = request.allowance - found.preparation
    one = found.seconds_an_epoch if request.splits else found.refit_an_epoch
    for splits in range(max(1, request.splits), 0, -1):
        fitting = left / (splits * one)  # an allowance may be infinite
        epochs = found.epochs if fitting >= found.epochs else int(fitting)
        if epochs >= (found.least_epochs if splits > 1 else found.fewest):
            return Forecast(
                epochs=epochs,
                wanted=found.epochs,
                splits=splits if request.splits else 0,
                seconds=found.preparation + epochs * splits * one,
                repeatable=epochs >= found.least_epochs,
            )
    return Forecast(epochs=0, wanted=found.epochs, splits=0, seconds=found.preparation + found.fewest * one)


def _shortened(outcome: Outcome, expected: Forecast) -> Outcome:
    """Says so where fewer epochs fit than are wanted."""
    if expected.epochs == expected.wanted:
        return outcome
    return replace(outcome, status="shortened", note=_shortened_to(expected.epochs, expected.wanted))


def _shortened_to(epochs: int, of: int) -> str:
    return f"{epochs} of {of} epochs fit the budget"


def _announcement(outcome: Outcome, plan: Plan, expected: Forecast, pace: Pace) -> str:
    arithmetic = f"{plan.arithmetic.layout}, {plan.arithmetic.precision}"
    arithmetic += f", {pace.side_by_side} at a time" if pace.side_by_side > 1 else ""
    rate = f"{milliseconds(pace.timed.seconds)} per image and epoch ({arithmetic})"
    on = f"on {count(expected.splits, 'split')}" if expected.splits else "on the whole train part"
    shortened = "" if expected.epochs == expected.wanted else f" (of {expected.wanted} wanted)"
    epochs = f"{expected.epochs} epochs{shortened} {on}: about {duration(expected.seconds)}"
    return f"{outcome.strategy.quoted}: {rate}; {epochs}"
