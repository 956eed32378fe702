"""The strategies that train more than the head: some blocks, the whole network, from scratch."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from unfreeze.core.errors import ImageSetError, UnfreezeError
from unfreeze.core.plans import FoldChoice, Plan, Timed, TrainingSettings
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.records import Outcome
from unfreeze.core.seeding import derive_seed
from unfreeze.core.strategies import SCRATCH, StrategyId
from unfreeze.core.trials import Activations, Training
from unfreeze.core.wording import count, duration, milliseconds
from unfreeze.data.tasks import Split, Task
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.step_one import StepOne
from unfreeze.strategies.strategy import Fit
from unfreeze.training.examples import Remembered, recomputed, remember
from unfreeze.training.loop import Examples
from unfreeze.training.plans import full_plan, scratch_plan, step_two_rate, unfreeze_plan
from unfreeze.training.rate_search import choose_inside, epochs_of_choices
from unfreeze.training.timing import TooSlowError, choose_arithmetic
from unfreeze.training.trials import Inputs, predict_rows, run_trial
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.graph import Cut

SHARE_OF_VIEWS = 0.4  # of the allowance, for what is remembered before training begins
# Fewer make a training worse than the head that it starts from: two epochs of the whole network took ants and bees from
# 95 % to 82 %, and a weak training would make the verdict a lie.
FEWEST_EPOCHS = 4
# Of the plan's epochs; a second split is paid for with fewer only down to here. On a split of omniglot's train part two
# blocks gain 12.5 points over the head with 20 epochs, 11.8 with 10 and 4.2 with 5: an interval of the wrong thing.
LEAST_SHARE_REPEATED = 0.5


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a strategy is asked for.

    Attributes:
        allowance: Seconds that it may take, its training on everything included.
        splits: On how many splits it should be measured.
        epochs: Passes over the images; the plan's own number, or what fits, if None.
    """

    allowance: float
    splits: int
    epochs: int | None = None


class TooExpensiveError(Exception):
    """A strategy does not fit; the race goes on without it.

    Attributes:
        outcome: Its record, with the reason.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.note)
        self.outcome = outcome


Start = Callable[[Split, int], Backbone]


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a strategy will take.

    Attributes:
        epochs: As many as fit the allowance, at most what the plan wants; 0 if too few fit.
        splits: On how many splits it can be measured.
        seconds: Expected wall time of all its training; of all that was asked for if it does not fit at all.
        seconds_of_all: Expected wall time of all that was asked for.
        repeatable: The epochs are enough of what the plan wants for a second split to be worth it.
    """

    epochs: int
    splits: int
    seconds: float
    seconds_of_all: float
    repeatable: bool = True

    def with_choices(self, plan: Plan) -> float:
        """Seconds if rate and stop are chosen before each of these trainings."""
        return self.seconds * (1 + epochs_of_choices(replace(plan, epochs=self.epochs)) / self.epochs)


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
    """

    experiment: Experiment
    outcome: Outcome
    training: Training
    feed: Callable[[], Inputs]
    start: Start
    expected: Forecast

    @property
    def settings(self) -> TrainingSettings:
        """How it trains, and what was timed."""
        return self.training.settings

    @property
    def chooses(self) -> bool:
        """Whether rate and stop of every training are chosen on an inner fold."""
        return self.training.chooses

    @cached_property
    def inputs(self) -> Inputs:
        """Of the part that learns."""
        return self.feed()

    @property
    def prepared(self) -> Prepared:
        """What it can be made of again; see `taken_up`."""
        return Prepared(outcome=self.outcome, training=self.training, expected=self.expected)

    def _chosen_inside(self, split: Split, seed: int) -> tuple[Plan, FoldChoice]:
        """The plan with the rate and the stop that do best on an inner fold of the learning side, if there is time."""
        if not self.chooses:
            asked = "no time was left" if self.plan.chosen_on_fold else "not asked"
            return self.plan, FoldChoice(note=f"{asked} to try rates and fewer epochs")
        try:
            inside = self.experiment.task.inside(split)
        except ImageSetError:
            return self.plan, FoldChoice(note="too few groups to try rates on a fold")
        start, checkpoint = self.start(inside, seed), self.experiment.progress.checkpoint
        return choose_inside(
            start, self.plan, self.inputs, split.folds[0], seed=derive_seed(seed, "inside"), advance=checkpoint
        )

    def with_seed(self, seed: int) -> "FineTuning":
        """The same, with another order of the images and other dropout; it starts from the same heads."""
        same = self.inputs  # made once
        return replace(self, experiment=replace(self.experiment, seed=seed), feed=lambda: same)

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
        images = len(self.experiment.task.train_rows) * (self.settings.seconds_an_image or 0.0)
        return images * (self.plan.epochs + (epochs_of_choices(self.plan) if self.chooses else 0))

    def fit(self, split: Split, *, advance: Advance = ignore) -> Fit:
        """Train a copy of its start on the learning side, predict the test side in float32."""
        seed = derive_seed(self.experiment.seed, self.outcome.strategy.stream, split.name)
        plan, chosen = self._chosen_inside(split, seed)
        trial = run_trial(self.start(split, seed), plan, self.inputs, split.learn, seed=seed, advance=advance)
        return Fit(
            scores=predict_rows(trial.backbone, self.inputs, split.test, advance=self.experiment.progress.checkpoint),
            model=trial.backbone,
            settings=replace(self.settings, plan=plan, chosen=chosen),
            audit=trial.audit,
            curve=trial.curve,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Wanted:
    """A strategy before it is known whether it fits.

    Attributes:
        experiment: Task and images.
        outcome: Its record, nothing measured.
        plan: What learns, and how.
        start: What a training starts from.
        request: Time, splits, epochs.
        started: When its preparation began, as `time.perf_counter` has it.
    """

    experiment: Experiment
    outcome: Outcome
    plan: Plan
    start: Start
    request: Request
    started: float = field(default_factory=time.perf_counter)

    @property
    def left(self) -> Request:
        """The request with what is left of its time."""
        return replace(self.request, allowance=self.request.allowance - (time.perf_counter() - self.started))

    def left_out(self, note: str = "no time was left", *, settings: TrainingSettings | None = None) -> Outcome:
        """Its record if it does not fit."""
        settings = settings or TrainingSettings(plan=self.plan)
        return replace(self.outcome, status="left out", note=note, settings=settings)

    def refuse_without_time(self) -> None:
        """Do not begin what cannot end."""
        if self.left.allowance <= 0:
            raise TooExpensiveError(self.left_out())


def ready_unfreeze(shared: StepOne, strategy: StrategyId, request: Request) -> FineTuning:
    """Step two: the last blocks too, on remembered activations of the part that stays frozen.

    It starts from step one's result (Kumar et al. 2022, arXiv:2202.10054: probe first, then fine-tune).

    Args:
        shared: Trains the heads that it starts from.
        strategy: How many blocks.
        request: Time, splits, epochs.

    Returns:
        The strategy.

    Raises:
        PlanError: The network has fewer blocks.
        TooExpensiveError: It does not fit.
    """
    experiment, blocks = shared.experiment, strategy.blocks or 0
    rate = step_two_rate(len(experiment.task.train_rows))
    names = ", ".join(block.name for block in experiment.source.blocks[-blocks:])
    last = "the last block" if blocks == 1 else f"the last {blocks} blocks"
    wanted = _Wanted(
        experiment=experiment,
        outcome=Outcome(strategy=strategy, description=f"head and {last}: {names}"),
        plan=_adapted(unfreeze_plan(experiment.source, blocks, rate=rate), experiment, request),
        start=_start(shared, strategy),
        request=request,
    )
    wanted.refuse_without_time()
    inputs, plan = _remembered(experiment, blocks, wanted.plan, seconds=SHARE_OF_VIEWS * request.allowance)
    return _ready(replace(wanted, plan=plan), inputs)


def ready_full(shared: StepOne, strategy: StrategyId, request: Request) -> FineTuning:
    """The whole network, earlier layers at lower rates; arguments as for `ready_unfreeze`."""
    experiment = shared.experiment
    wanted = _Wanted(
        experiment=experiment,
        outcome=Outcome(strategy=strategy, description="all layers, earlier ones at lower rates"),
        plan=_adapted(full_plan(experiment.source), experiment, request),
        start=_start(shared, strategy),
        request=request,
    )
    return _ready(wanted, _pixel_inputs(experiment))


def ready_scratch(shared: StepOne, strategy: StrategyId, request: Request) -> FineTuning:
    """The whole network from random weights, others for every split; arguments as for `ready_unfreeze`."""
    experiment = shared.experiment
    wanted = _Wanted(
        experiment=experiment,
        outcome=Outcome(strategy=strategy, description="all layers, from random weights"),
        plan=_adapted(scratch_plan(), experiment, request),
        start=_start(shared, strategy),
        request=request,
    )
    return _ready(wanted, _pixel_inputs(experiment))


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
    if strategy.blocks is None:
        return _pixel_inputs(experiment)
    if not activations.remembered:  # also where memory would hold them now
        cut = experiment.source.cut_before_blocks(strategy.blocks)
        return _inputs_at(cut, recomputed(experiment.source, cut, experiment.pixels), experiment)
    inputs, same = _remembered(experiment, strategy.blocks, plan)
    if same.views != plan.views or not isinstance(inputs.examples, Remembered):
        msg = (
            f"The activations before {activations.cut} were in memory when {strategy.label} was prepared, with "
            f"{plan.views} augmented views of each image, and memory does not hold them now. Free some, or begin anew."
        )
        raise UnfreezeError(msg)
    return inputs


def _start(shared: StepOne, strategy: StrategyId) -> Start:
    """What a training starts from: the head of its split, or random weights, others for every seed."""
    experiment = shared.experiment
    if strategy == SCRATCH:
        return lambda _, seed: experiment.source.randomised(seed % 2**31).with_classes(experiment.task.class_count)
    return lambda split, _: shared.head(split).network


def _adapted(plan: Plan, experiment: Experiment, request: Request) -> Plan:
    recipe = experiment.augmentation
    return replace(
        plan,
        augmentation=recipe,
        views=plan.views if recipe.varies else 0,
        balanced=experiment.balanced,
        chosen_on_fold=experiment.chosen_on_fold,
        epochs=request.epochs or plan.epochs,
    )


def _remembered(experiment: Experiment, blocks: int, plan: Plan, *, seconds: float = math.inf) -> tuple[Inputs, Plan]:
    """The activations that the last blocks take, for all splits; the plan, with as many views as there was time for."""
    task, cut = experiment.task, experiment.source.cut_before_blocks(blocks)
    examples = remember(
        experiment.source,
        cut,
        experiment.pixels,
        experiment.resources,
        train_rows=task.train_rows,
        views=plan.views,
        engine=experiment.engine,
        seconds=seconds,
    )
    same = replace(plan, views=len(examples.views)) if isinstance(examples, Remembered) else plan
    return _inputs_at(cut, examples, experiment), same


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


def _ready(wanted: _Wanted, inputs: Inputs) -> FineTuning:
    """Choose the arithmetic by timing steps, and forecast what fits."""
    wanted.refuse_without_time()
    experiment = wanted.experiment
    chosen, timed = _timed(wanted, inputs)
    plan = replace(wanted.plan, arithmetic=chosen.arithmetic)  # for all splits and the last training
    left = wanted.left
    expected = forecast(experiment.task, plan, per_image=chosen.seconds, request=left)
    experiment.progress.say(_announcement(wanted.outcome, plan, expected, chosen.seconds))
    settings = TrainingSettings(
        plan=plan, seconds_an_image=chosen.seconds, timed=timed, forecast_seconds=expected.seconds
    )
    if not expected.epochs:
        needed = f"{plan.epochs} epochs need about {duration(expected.seconds)}"
        note = f"{needed}, and only {duration(left.allowance)} remained"
        raise TooExpensiveError(wanted.left_out(note, settings=settings))
    settings = replace(settings, plan=replace(plan, epochs=expected.epochs))
    training = Training(
        settings=settings,
        activations=Activations(cut=inputs.cut.name, remembered=isinstance(inputs.examples, Remembered)),
        chooses=plan.chosen_on_fold and expected.with_choices(plan) <= left.allowance,
    )
    return FineTuning(
        experiment=experiment,
        outcome=replace(_shortened(wanted.outcome, plan, expected), settings=settings),
        training=training,
        feed=lambda: inputs,
        start=wanted.start,
        expected=expected,
    )


def _timed(wanted: _Wanted, inputs: Inputs) -> tuple[Timed, tuple[Timed, ...]]:
    """The arithmetic to train in, and all that were timed."""
    experiment, request = wanted.experiment, wanted.left
    everything = experiment.task.everything()
    try:
        return choose_arithmetic(
            wanted.start(everything, experiment.seed),
            wanted.plan,
            inputs,
            everything.learn,
            seed=experiment.seed,
            cache=experiment.cache,
            advance=experiment.progress.checkpoint,
            affordable=request.allowance / _least_work(experiment.task, wanted.plan, request),
        )
    except TooSlowError:
        note = f"a step of it took many times what fits into {duration(request.allowance)}"
        raise TooExpensiveError(wanted.left_out(note)) from None


def _shortened(outcome: Outcome, plan: Plan, expected: Forecast) -> Outcome:
    """Says so where fewer epochs fit than the plan has."""
    if expected.epochs == plan.epochs:
        return outcome
    return replace(outcome, status="shortened", note=f"{expected.epochs} of {plan.epochs} epochs fit the budget")


def forecast(task: Task, plan: Plan, *, per_image: float, request: Request) -> Forecast:
    """How many epochs fit, given what one image costs in one epoch.

    Fewer epochs first, down to half of them; then fewer splits; then, on one split, fewer epochs again.

    Args:
        task: Its splits.
        plan: Its epochs are the request.
        per_image: Seconds.
        request: Time and splits.

    Returns:
        The forecast; 0 epochs if fewer than the fewest that are worth it fit even on one split.
    """
    fewest = _fewest_epochs(plan)
    fewest_repeated = max(fewest, math.ceil(LEAST_SHARE_REPEATED * plan.epochs))
    of_all = plan.epochs * per_image * _passes(task, request.splits)
    least_splits = min(request.splits, 1)
    for splits in range(request.splits, least_splits - 1, -1):
        seconds_an_epoch = per_image * _passes(task, splits)
        epochs = int(min(plan.epochs, request.allowance / seconds_an_epoch))  # an allowance may be infinite
        if epochs >= (fewest_repeated if splits > 1 else fewest):
            seconds, repeatable = epochs * seconds_an_epoch, epochs >= fewest_repeated
            return Forecast(epochs=epochs, splits=splits, seconds=seconds, seconds_of_all=of_all, repeatable=repeatable)
    return Forecast(epochs=0, splits=0, seconds=plan.epochs * seconds_an_epoch, seconds_of_all=of_all)


def _fewest_epochs(plan: Plan) -> int:
    return min(plan.epochs, FEWEST_EPOCHS)


def _least_work(task: Task, plan: Plan, request: Request) -> int:
    """Passes over an image of the least training that is worth it."""
    return _fewest_epochs(plan) * _passes(task, min(request.splits, 1))


def _passes(task: Task, splits: int) -> int:
    """Images of an epoch on so many splits and on everything."""
    return len(task.train_rows) + (splits * len(task.split(0).learn) if splits else 0)


def _announcement(outcome: Outcome, plan: Plan, expected: Forecast, per_image: float) -> str:
    arithmetic = f"{plan.arithmetic.layout}, {plan.arithmetic.precision}"
    rate = f"{milliseconds(per_image)} per image and epoch ({arithmetic})"
    if not expected.epochs:
        return f"{outcome.name}: {rate}; {plan.epochs} epochs would take about {duration(expected.seconds)}: left out"
    splits = f"{count(expected.splits, 'split')} and " if expected.splits else ""
    shortened = "" if expected.epochs == plan.epochs else f" (of {plan.epochs} wanted)"
    work = f"{expected.epochs} epochs{shortened} on {splits}the whole train part"
    return f"{outcome.name}: {rate}; {work}: about {duration(expected.seconds)}"
