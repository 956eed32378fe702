"""The strategies that train more than the head: some blocks, the whole network, from scratch."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from unfreeze.core.errors import ImageSetError
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.records import Outcome
from unfreeze.core.seeding import derive_seed
from unfreeze.strategies.arithmetic import TooSlowError, choose_arithmetic
from unfreeze.strategies.experiment import Experiment, Split, Task
from unfreeze.strategies.rates import choose_inside, epochs_of_choices
from unfreeze.strategies.step_one import StepOne
from unfreeze.strategies.strategy import Fit
from unfreeze.strategies.trials import Feed, predict_rows, run_trial
from unfreeze.training.examples import Remembered, remember
from unfreeze.training.plans import Plan, full_plan, scratch_plan, step_two_rate, unfreeze_plan
from unfreeze.zoo.backbones import Backbone

SHARE_OF_VIEWS = 0.4  # of the allowance, for what is remembered before training begins
# Fewer make a training worse than the head that it starts from: two epochs of the whole network took ants and bees from
# 95 % to 82 %, and a weak training would make the verdict a lie.
FEWEST_EPOCHS = 4
# Of the plan's epochs; a second split is paid for with fewer only down to here. On a split of omniglot's train part two
# blocks gain 12.5 points over the head with 20 epochs, 11.8 with 10 and 4.2 with 5: an interval of the wrong thing.
LEAST_SHARE_REPEATED = 0.5


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a strategy is asked for.

    Attributes:
        allowance: Seconds that it may take, its training on everything included.
        splits: On how many splits it should be measured.
        epochs: Passes over the images; the plan's own number, or what fits, if None.
    """

    allowance: float
    splits: int
    epochs: int | None = None


Start = Callable[[Split, int], Backbone]


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a strategy will take.

    Attributes:
        epochs: As many as fit the allowance, at most what the plan wants; 0 if too few fit.
        splits: On how many splits it can be measured.
        seconds: Expected wall time of all its training; of all that was wished if it does not fit at all.
        seconds_of_all: Expected wall time of all that was wished.
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


@dataclass(frozen=True, eq=False, kw_only=True)
class FineTuning:
    """A plan that is ready to run on any split: its activations remembered, its arithmetic chosen.

    Attributes:
        experiment: Task and images.
        outcome: Its name, kind and settings.
        plan: What learns, and how.
        feed: Inputs of the part that learns.
        start: The network that training on a split starts from, given the seed of that training; it must not have seen
            what the split tests on.
        per_image: Seconds of one image in one epoch, measured.
        expected: What was forecast.
        chooses: Whether every training is preceded by others on an inner fold, which choose its rate and its stop.
    """

    experiment: Experiment
    outcome: Outcome
    plan: Plan
    feed: Feed
    start: Start
    per_image: float
    expected: Forecast
    chooses: bool

    def _chosen_inside(self, split: Split, seed: int) -> tuple[Plan, dict[str, Any]]:
        """The plan with the rate and the stop that an inner fold of the learning side likes best, if there is time."""
        if not self.chooses:
            asked = "no time was left" if self.plan.chosen_on_fold else "not asked"
            return self.plan, {"note": f"{asked} to try rates and fewer epochs"}
        try:
            inside = self.experiment.task.inside(split)
        except ImageSetError:
            return self.plan, {"note": "too few groups to try rates on a fold"}
        start = self.start(inside, seed)
        return choose_inside(start, self.plan, self.feed, split.folds[0], seed=derive_seed(seed, "inside"))

    def with_seed(self, seed: int) -> "FineTuning":
        """The same, with another order of the images and other dropout; it starts from the same heads."""
        return replace(self, experiment=replace(self.experiment, seed=seed))

    @property
    def work(self) -> int:
        """Passes over the images that learn."""
        return self.plan.epochs

    @property
    def refit_seconds(self) -> float:
        """Forecast of a training on everything."""
        images = len(self.experiment.task.train_rows) * self.per_image
        return images * (self.plan.epochs + (epochs_of_choices(self.plan) if self.chooses else 0))

    def fit(self, split: Split, *, advance: Advance = ignore) -> Fit:
        """Train a copy of its start on the learning side, predict the test side in float32."""
        seed = derive_seed(self.experiment.seed, self.outcome.name, split.name)
        plan, chosen = self._chosen_inside(split, seed)
        trial = run_trial(self.start(split, seed), plan, self.feed, split.learn, seed=seed, advance=advance)
        return Fit(
            scores=predict_rows(trial.backbone, self.feed, split.test),
            backbone=trial.backbone,
            settings={"rules": plan.to_json()["rules"], "stop": plan.stop, "chosen_inside": chosen},
            audit=trial.audit,
            curve=trial.curve,
        )


def ready_unfreeze(shared: StepOne, *, blocks: int, wish: Wish) -> FineTuning | Outcome:
    """Step two: the last `blocks` blocks too, on remembered activations of the part that stays frozen.

    It starts from step one's result (Kumar et al. 2022, arXiv:2202.10054: probe first, then fine-tune).

    Args:
        shared: Trains the heads that it starts from.
        blocks: How many.
        wish: Time, splits, epochs.

    Returns:
        The strategy; an outcome that was left out, with the reason, if it does not fit.

    Raises:
        PlanError: The network has fewer blocks.
    """
    started, experiment = time.perf_counter(), shared.experiment
    rate = step_two_rate(len(experiment.task.train_rows))
    plan = _adapted(unfreeze_plan(experiment.source, blocks, rate=rate), experiment, wish)
    names = ", ".join(block.name for block in experiment.source.blocks[-blocks:])
    last = "the last block" if blocks == 1 else f"the last {blocks} blocks"
    outcome = Outcome(name=f"unfreeze {blocks}", kind="unfreeze", blocks=blocks, trained=f"head and {last}: {names}")
    if wish.allowance <= 0:
        return _no_time_left(outcome, plan)
    feed, plan = _remembered(experiment, blocks, plan, wish)
    left = replace(wish, allowance=wish.allowance - (time.perf_counter() - started))
    return _ready(experiment, outcome, plan, feed, lambda split, _: _head_of(shared, split), wish=left)


def ready_full(shared: StepOne, *, wish: Wish) -> FineTuning | Outcome:
    """The whole network, earlier layers at lower rates; arguments as for `ready_unfreeze`."""
    experiment = shared.experiment
    plan = _adapted(full_plan(experiment.source), experiment, wish)
    outcome = Outcome(name="full", kind="full", blocks=None, trained="all layers, earlier ones at lower rates")
    feed = _pixel_feed(experiment)
    return _ready(experiment, outcome, plan, feed, lambda split, _: _head_of(shared, split), wish=wish)


def ready_scratch(experiment: Experiment, *, wish: Wish) -> FineTuning | Outcome:
    """The whole network from random weights, others for every split; arguments as for `ready_unfreeze`."""
    plan = _adapted(scratch_plan(), experiment, wish)
    outcome = Outcome(name="scratch", kind="scratch", blocks=None, trained="all layers, from random weights")

    def start(_: Split, seed: int) -> Backbone:
        return experiment.source.randomised(seed % 2**31).with_classes(experiment.task.class_count)

    return _ready(experiment, outcome, plan, _pixel_feed(experiment), start, wish=wish)


def _head_of(shared: StepOne, split: Split) -> Backbone:
    backbone = shared.head(split).backbone
    assert backbone is not None  # noqa: S101 - the head's fit always has one
    return backbone


def _adapted(plan: Plan, experiment: Experiment, wish: Wish) -> Plan:
    recipe = experiment.augmentation
    return replace(
        plan,
        augmentation=recipe,
        views=plan.views if recipe.varies else 0,
        balanced=experiment.balanced,
        chosen_on_fold=experiment.chosen_on_fold,
        epochs=wish.epochs or plan.epochs,
    )


def _remembered(experiment: Experiment, blocks: int, plan: Plan, wish: Wish) -> tuple[Feed, Plan]:
    """The activations that the last blocks take, for all splits; the plan, with as many views as there was time for."""
    task, cut = experiment.task, experiment.source.cut_before_blocks(blocks)
    examples = remember(
        experiment.source,
        cut,
        experiment.pixels,
        images=len(task.labels),
        train_rows=task.train_rows,
        views=plan.views,
        engine=experiment.engine,
        progress=experiment.progress,
        seconds=SHARE_OF_VIEWS * wish.allowance,
        cache=experiment.cache,
    )
    feed = Feed(
        cut=cut,
        examples=examples,
        features=examples,
        pixels=experiment.pixels,
        labels=task.labels,
        precision=experiment.engine.precision,
    )
    return feed, replace(plan, views=len(examples.views)) if isinstance(examples, Remembered) else plan


def _pixel_feed(experiment: Experiment) -> Feed:
    pixels = experiment.pixels
    cut = experiment.source.cuts[0]
    return Feed(cut=cut, examples=pixels, features=pixels, pixels=pixels, labels=experiment.task.labels)


def _ready(
    experiment: Experiment,
    outcome: Outcome,
    plan: Plan,
    feed: Feed,
    start: Start,
    *,
    wish: Wish,
) -> FineTuning | Outcome:
    """Choose the arithmetic by timing steps, and forecast what fits."""
    if wish.allowance <= 0:
        return _no_time_left(outcome, plan)
    started, everything = time.perf_counter(), experiment.task.everything()
    try:
        chosen, timed = choose_arithmetic(
            start(everything, experiment.seed),
            plan,
            feed,
            everything.learn,
            seed=experiment.seed,
            cache=experiment.cache,
            affordable=wish.allowance / _least_work(experiment.task, plan, wish),
        )
    except TooSlowError:
        return _no_time_left(outcome, plan, f"a step of it took many times what fits into {wish.allowance:.0f} s")
    plan = replace(plan, layout=chosen.layout, precision=chosen.precision)  # for all splits and the last training
    left = replace(wish, allowance=wish.allowance - (time.perf_counter() - started))
    expected = forecast(experiment.task, plan, per_image=chosen.seconds, wish=left)
    experiment.progress.say(_announcement(outcome, plan, expected, chosen.seconds))
    settings = {
        **plan.to_json(),
        "epochs": expected.epochs,
        "seconds_per_image": chosen.seconds,
        "candidates": [asdict(candidate) for candidate in timed],
        "forecast": expected.seconds,
    }
    outcome = replace(outcome, settings=settings)
    if not expected.epochs:
        note = f"{plan.epochs} epochs need about {expected.seconds:.0f} s and {max(left.allowance, 0):.0f} s are left"
        return replace(outcome, status="left out", note=f"{note} for it")
    if expected.epochs < plan.epochs:
        note = f"{expected.epochs} of {plan.epochs} epochs fit the budget"
        outcome = replace(outcome, status="shortened", note=note)
    return FineTuning(
        experiment=experiment,
        outcome=outcome,
        plan=replace(plan, epochs=expected.epochs),
        feed=feed,
        start=start,
        per_image=chosen.seconds,
        expected=expected,
        chooses=plan.chosen_on_fold and expected.with_choices(plan) <= left.allowance,
    )


def _no_time_left(outcome: Outcome, plan: Plan, note: str = "no time was left for it") -> Outcome:
    return replace(outcome, status="left out", note=note, settings={**plan.to_json(), "forecast": None})


def forecast(task: Task, plan: Plan, *, per_image: float, wish: Wish) -> Forecast:
    """How many epochs fit, given what one image costs in one epoch.

    Fewer epochs first, down to half of them; then fewer splits; then, on one split, fewer epochs again.

    Args:
        task: Its splits.
        plan: Its epochs are the wish.
        per_image: Seconds.
        wish: Time and splits.

    Returns:
        The forecast; 0 epochs if fewer than the fewest that are worth it fit even on one split.
    """
    fewest = _fewest_epochs(plan)
    fewest_repeated = max(fewest, math.ceil(LEAST_SHARE_REPEATED * plan.epochs))
    of_all = plan.epochs * per_image * _passes(task, wish.splits)
    least_splits = min(wish.splits, 1)
    for splits in range(wish.splits, least_splits - 1, -1):
        seconds_an_epoch = per_image * _passes(task, splits)
        epochs = min(plan.epochs, int(wish.allowance / seconds_an_epoch))
        if epochs >= (fewest_repeated if splits > 1 else fewest):
            seconds, repeatable = epochs * seconds_an_epoch, epochs >= fewest_repeated
            return Forecast(epochs=epochs, splits=splits, seconds=seconds, seconds_of_all=of_all, repeatable=repeatable)
    return Forecast(epochs=0, splits=0, seconds=plan.epochs * seconds_an_epoch, seconds_of_all=of_all)


def _fewest_epochs(plan: Plan) -> int:
    return min(plan.epochs, FEWEST_EPOCHS)


def _least_work(task: Task, plan: Plan, wish: Wish) -> int:
    """Passes over an image of the least training that is worth it."""
    return _fewest_epochs(plan) * _passes(task, min(wish.splits, 1))


def _passes(task: Task, splits: int) -> int:
    """Images of an epoch on so many splits and on everything."""
    return len(task.train_rows) + (splits * len(task.split(0).learn) if splits else 0)


def _announcement(outcome: Outcome, plan: Plan, expected: Forecast, per_image: float) -> str:
    rate = f"{1000 * per_image:.1f} ms an image and epoch ({plan.layout}, {plan.precision})"
    if not expected.epochs:
        return f"{outcome.name}: {rate}; {plan.epochs} epochs would take about {expected.seconds:.0f} s: left out"
    splits = f"{expected.splits} split{'' if expected.splits == 1 else 's'} and " if expected.splits else ""
    shortened = "" if expected.epochs == plan.epochs else f" (of {plan.epochs} wanted)"
    work = f"{expected.epochs} epochs{shortened} on {splits}the whole train part"
    return f"{outcome.name}: {rate}; {work}: about {expected.seconds:.0f} s"
