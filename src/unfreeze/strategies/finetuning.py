"""The strategies that train: the head alone, some blocks, the whole network, from scratch."""

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from unfreeze.core.records import Outcome
from unfreeze.core.seeding import derive_seed
from unfreeze.strategies.arithmetic import choose_arithmetic
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.measuring import Measured, nothing_held_out, with_test_scores
from unfreeze.strategies.rates import choose_rate, choose_stop
from unfreeze.strategies.trials import NO_ROWS, Feed, Trial, predict_rows, run_trial
from unfreeze.training.examples import Remembered, remember
from unfreeze.training.plans import Plan, full_plan, head_plan, scratch_plan, unfreeze_plan
from unfreeze.training.precision import one_thread
from unfreeze.zoo.backbones import Backbone

HELD_OUT_IMAGES = 100  # dear strategies are measured on as many folds as it takes to hold out this many
SHARE_OF_VIEWS = 0.4  # of the allowance, for what is remembered before training begins
SLACK = 1.1  # how far a training may overrun its allowance before it is shortened
FEWEST_EPOCHS = {"unfreeze": 3, "full": 2, "scratch": 2}


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a strategy will take, from its first batches.

    Attributes:
        epochs: As many as fit the allowance, at most what the plan wants.
        folds: How many folds of the train part it is measured on.
        seconds: Expected wall time of all its training; of the wanted epochs if it does not fit at all.
    """

    epochs: int
    folds: int
    seconds: float


def head_strategy(experiment: Experiment, *, C: float) -> Measured:
    """Step one: the head alone on the frozen network, trained to convergence on its own codes.

    Args:
        experiment: Task, network, codes.
        C: Regularisation that cross-validation chose for the softmax on the last codes (scikit-learn's convention).

    Returns:
        The strategy, with a head for every fold for step two to start from.
    """
    task, started = experiment.task, time.perf_counter()
    start = experiment.source.with_classes(task.class_count)
    held_out = nothing_held_out(task)
    heads = []
    with experiment.progress.phase("head", total=len(task.folds) + 1, unit="training") as advance, one_thread():
        for number, (learn, select) in enumerate(task.folds):
            trial, feed = _train_head(experiment, start, learn, C=C, stream=f"fold {number}")
            held_out[select] = predict_rows(trial.backbone, feed, select).argmax(axis=1)
            heads.append(trial.backbone)
            advance(1)
        trial, feed = _train_head(experiment, start, task.train_rows, C=C, stream="final")
        advance(1)
    outcome = Outcome(
        name="head",
        kind="head",
        trained="the head alone, on codes of the frozen network",
        selection_folds=len(task.folds),
        settings=_head_plan(experiment, start, len(task.train_rows), C).to_json(),
        seconds=time.perf_counter() - started,
        audit=trial.audit,
        curve=trial.curve,
    )
    outcome = with_test_scores(outcome, predict_rows(trial.backbone, feed, task.test_rows), task, seed=experiment.seed)
    return Measured(outcome, held_out, trial.backbone, tuple(heads))


def _head_plan(experiment: Experiment, start: Backbone, images: int, C: float) -> Plan:
    return head_plan(start, penalty=1 / (C * images), balanced=experiment.balanced)


def _ignore(images: int) -> None:
    """A head is trained in a second or two: its steps need no progress of their own."""


def _train_head(
    experiment: Experiment, start: Backbone, rows: np.ndarray, *, C: float, stream: str
) -> tuple[Trial, Feed]:
    """Train on standardised codes, then fold the standardisation into the head, so that it takes plain ones."""
    codes = experiment.codes.last
    mean, std = codes[rows].mean(axis=0), codes[rows].std(axis=0)
    std = np.where(std > 1e-6, std, 1.0).astype(np.float32)
    feed = Feed(
        cut=start.head_cut,
        examples=_head_examples((codes - mean) / std, start),
        features=_head_examples(codes, start),
        pixels=experiment.pixels,
        labels=experiment.task.labels,
        precision=experiment.engine.precision,
    )
    plan = _head_plan(experiment, start, len(rows), C)
    trial = run_trial(start, plan, feed, rows, seed=derive_seed(experiment.seed, "head", stream), advance=_ignore)
    weight, bias = (p.detach() for p in trial.backbone.head_parameters())
    folded = weight.reshape(len(bias), -1) / torch.from_numpy(std)
    trial.backbone.set_head(folded, bias - folded @ torch.from_numpy(mean))
    return trial, replace(feed, examples=feed.features)


def _head_examples(codes: Float[np.ndarray, "image code"], backbone: Backbone) -> Remembered:
    """Codes as what the head takes; a convolution as head takes them as a map of one pixel."""
    shaped = codes[:, :, None, None] if backbone.head_cut.layout == "NCHW" else codes
    none = np.empty((0, 0, *shaped.shape[1:]), np.float32)
    return Remembered(shaped.astype(np.float32), none, np.full(len(codes), -1, dtype=np.int64))


@dataclass(frozen=True, eq=False, kw_only=True)
class Beginning:
    """Where a training that goes deeper than the head starts from.

    Attributes:
        final: For the training on the whole train part.
        folds: For every fold: it must not have seen what the fold holds out.
    """

    final: Backbone
    folds: tuple[Backbone, ...]


def from_head(head: Measured) -> Beginning:
    """Start from step one's result (Kumar et al. 2022, arXiv:2202.10054: probe first, then fine-tune)."""
    assert head.backbone is not None  # noqa: S101 - head_strategy always delivers one
    return Beginning(final=head.backbone, folds=head.heads)


def from_random_weights(experiment: Experiment) -> Beginning:
    """Start from random weights, the same for every fold."""
    fresh = experiment.source.randomised(derive_seed(experiment.seed, "scratch") % 2**31)
    start = fresh.with_classes(experiment.task.class_count)
    return Beginning(final=start, folds=tuple(start for _ in experiment.task.folds))


def unfreeze_strategy(
    experiment: Experiment, beginning: Beginning, *, blocks: int, allowance: float, epochs: int | None = None
) -> Measured:
    """Step two: the last `blocks` blocks too, on remembered activations of the part that stays frozen.

    Args:
        experiment: Task, network, images.
        beginning: Usually step one's result.
        blocks: How many.
        allowance: Seconds that it may take.
        epochs: Passes over the images; the plan's own number, or what fits, if None.

    Returns:
        The strategy; left out, with the reason, if it does not fit.
    """
    started = time.perf_counter()
    plan = _with_epochs(unfreeze_plan(beginning.final, blocks), experiment, epochs)
    names = ", ".join(block.name for block in beginning.final.blocks[-blocks:])
    last = "the last block" if blocks == 1 else f"the last {blocks} blocks"
    outcome = Outcome(name=f"unfreeze {blocks}", kind="unfreeze", blocks=blocks, trained=f"head and {last}: {names}")
    if allowance <= 0:
        return _no_time_left(outcome, plan, experiment)
    cut = beginning.final.cut_before_blocks(blocks)
    task = experiment.task
    examples = remember(
        experiment.source,
        cut,
        experiment.pixels,
        images=len(task.labels),
        train_rows=task.train_rows,
        views=plan.views,
        engine=experiment.engine,
        progress=experiment.progress,
        seconds=SHARE_OF_VIEWS * allowance,
        cache=experiment.cache,
    )
    if isinstance(examples, Remembered):
        plan = replace(plan, views=len(examples.views))
    feed = Feed(
        cut=cut,
        examples=examples,
        features=examples,
        pixels=experiment.pixels,
        labels=task.labels,
        precision=experiment.engine.precision,
    )
    spent = time.perf_counter() - started
    return _measure(experiment, beginning, plan, feed, outcome, allowance=allowance - spent, spent=spent)


def full_strategy(
    experiment: Experiment, beginning: Beginning, *, allowance: float, epochs: int | None = None
) -> Measured:
    """The whole network, earlier layers at lower rates; arguments as for `unfreeze_strategy`."""
    plan = _with_epochs(full_plan(beginning.final), experiment, epochs)
    outcome = Outcome(name="full", kind="full", blocks=None, trained="all layers, earlier ones at lower rates")
    return _measure(experiment, beginning, plan, _pixel_feed(experiment), outcome, allowance=allowance)


def scratch_strategy(experiment: Experiment, *, allowance: float, epochs: int | None = None) -> Measured:
    """The whole network from random weights; arguments as for `unfreeze_strategy`."""
    plan = _with_epochs(scratch_plan(), experiment, epochs)
    outcome = Outcome(name="scratch", kind="scratch", blocks=None, trained="all layers, from random weights")
    beginning = from_random_weights(experiment)
    return _measure(experiment, beginning, plan, _pixel_feed(experiment), outcome, allowance=allowance)


def _with_epochs(plan: Plan, experiment: Experiment, epochs: int | None) -> Plan:
    recipe = experiment.augmentation
    return replace(
        plan,
        augmentation=recipe,
        views=plan.views if recipe.varies else 0,
        balanced=experiment.balanced,
        chosen_on_fold=experiment.chosen_on_fold,
        epochs=epochs or plan.epochs,
    )


def _pixel_feed(experiment: Experiment) -> Feed:
    pixels = experiment.pixels
    cut = experiment.source.cuts[0]
    return Feed(cut=cut, examples=pixels, features=pixels, pixels=pixels, labels=experiment.task.labels)


def folds_needed(experiment: Experiment) -> int:
    """On how many folds a dear strategy is measured: as many as it takes to hold out HELD_OUT_IMAGES."""
    sizes = np.cumsum([len(select) for _, select in experiment.task.folds])
    return min(len(sizes), int(np.searchsorted(sizes, HELD_OUT_IMAGES)) + 1)


def forecast(experiment: Experiment, plan: Plan, *, per_image: float, allowance: float) -> Forecast:
    """How many epochs fit, given what one image costs in one epoch.

    Args:
        experiment: Rows and folds.
        plan: Its epochs are the wish.
        per_image: Seconds.
        allowance: Seconds.

    Returns:
        The forecast; 0 epochs if fewer than the fewest that are worth it fit.
    """
    task = experiment.task
    for folds in range(folds_needed(experiment), 0, -1):
        passes = len(task.train_rows) + sum(len(learn) for learn, _ in task.folds[:folds])
        epochs = min(plan.epochs, int(allowance / (per_image * passes)))
        if epochs >= min(plan.epochs, FEWEST_EPOCHS[plan.kind]):
            return Forecast(epochs=epochs, folds=folds, seconds=epochs * per_image * passes)
    return Forecast(epochs=0, folds=1, seconds=plan.epochs * per_image * passes)


def _measure(
    experiment: Experiment,
    beginning: Beginning,
    plan: Plan,
    feed: Feed,
    outcome: Outcome,
    *,
    allowance: float,
    spent: float = 0.0,
) -> Measured:
    """Forecast, train on folds and on the whole train part, and measure."""
    if allowance <= 0:
        return _no_time_left(outcome, plan, experiment)
    task, started = experiment.task, time.perf_counter()
    chosen, timed = choose_arithmetic(
        beginning.final, plan, feed, task.train_rows, seed=experiment.seed, cache=experiment.cache
    )
    plan = replace(plan, layout=chosen.layout, precision=chosen.precision)  # for all folds and the final trial
    allowance -= time.perf_counter() - started
    expected = forecast(experiment, plan, per_image=chosen.seconds, allowance=allowance)
    experiment.progress.say(_announcement(outcome, plan, expected, chosen.seconds))
    rates: dict[str, Any] = {}
    if expected.epochs and plan.chosen_on_fold:
        plan, rates = choose_rate(
            beginning.folds[0],
            plan,
            feed,
            task.folds[0],
            seed=derive_seed(experiment.seed, outcome.name, "rates"),
            per_image=chosen.seconds,
            spare=allowance - expected.seconds,
        )
        allowance -= rates["seconds"]
    settings = {
        **plan.to_json(),
        "epochs": expected.epochs,
        "seconds_per_image": chosen.seconds,
        "candidates": [asdict(candidate) for candidate in timed],
        "forecast": expected.seconds,
        "rates_tried": rates,
    }
    outcome = replace(outcome, settings=settings)
    if not expected.epochs:
        note = f"{plan.epochs} epochs need about {expected.seconds:.0f} s and {max(allowance, 0):.0f} s are left for it"
        return Measured(replace(outcome, status="left out", note=note), nothing_held_out(task), None)
    wanted, plan = plan.epochs, replace(plan, epochs=expected.epochs)
    trained = _train_all(
        experiment, beginning, plan, feed, folds=expected.folds, name=outcome.name, allowance=allowance
    )
    final = trained.final
    settings["stop"] = trained.stop
    outcome = replace(outcome, selection_folds=trained.folds, audit=final.audit, curve=final.curve)
    outcome = replace(outcome, **_shortening(wanted, expected.epochs, trained.epochs))
    scores = predict_rows(final.backbone, feed, task.test_rows)
    seconds = spent + time.perf_counter() - started
    outcome = with_test_scores(replace(outcome, seconds=seconds), scores, task, seed=experiment.seed)
    return Measured(outcome, trained.held_out, final.backbone)


def _no_time_left(outcome: Outcome, plan: Plan, experiment: Experiment) -> Measured:
    note = "no time was left for it"
    experiment.progress.say(f"{outcome.name}: {note}")
    settings = {**plan.to_json(), "forecast": None}
    return Measured(
        replace(outcome, status="left out", note=note, settings=settings), nothing_held_out(experiment.task), None
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Trained:
    """The trials of one strategy.

    Attributes:
        held_out: Predicted class of every row that a fold held out.
        folds: How many folds there were.
        final: The trial on the whole train part.
        epochs: Of that trial.
        stop: Passes after which it ended, if the first fold said that fewer are better.
    """

    held_out: np.ndarray
    folds: int
    final: Trial
    epochs: int
    stop: int | None


def _train_all(
    experiment: Experiment,
    beginning: Beginning,
    plan: Plan,
    feed: Feed,
    *,
    folds: int,
    name: str,
    allowance: float,
) -> _Trained:
    """One trial a fold, then one on the whole train part.

    A forecast from three steps can be wrong, on a busy machine by a multiple. So what is left of the allowance is
    compared with the measured pace after every fold: the later folds go first, then epochs of the last trial.
    """
    task, used = experiment.task, experiment.task.folds[:folds]
    held_out = nothing_held_out(task)
    rows, started, passed, done = len(task.train_rows), time.perf_counter(), 0, 0

    def images_that_fit() -> float:
        elapsed = time.perf_counter() - started
        return (SLACK * allowance - elapsed) * passed / elapsed

    total = plan.epochs * (rows + sum(len(learn) for learn, _ in used))
    with experiment.progress.phase(name, total=total, unit="image") as advance:
        for number, (learn, select) in enumerate(used):
            if number and images_that_fit() < plan.epochs * (len(learn) + rows):
                break
            seed = derive_seed(experiment.seed, name, "fold", number)
            watch = select if plan.chosen_on_fold and not number else NO_ROWS
            trial = run_trial(beginning.folds[number], plan, feed, learn, seed=seed, advance=advance, watch=watch)
            held_out[select] = predict_rows(trial.backbone, feed, select).argmax(axis=1)
            passed += plan.passes * len(learn)
            if not number:
                plan = choose_stop(trial.watched, task.labels[select], plan)
            done += 1
        fewest = min(plan.epochs, FEWEST_EPOCHS[plan.kind])
        epochs = max(fewest, min(plan.epochs, int(images_that_fit() / rows)))
        seed = derive_seed(experiment.seed, name, "final")
        plan = replace(plan, epochs=epochs, stop=plan.stop if epochs == plan.epochs else None)
        final = run_trial(beginning.final, plan, feed, task.train_rows, seed=seed, advance=advance)
    return _Trained(held_out=held_out, folds=done, final=final, epochs=epochs, stop=plan.stop)


def _shortening(wanted: int, forecast_epochs: int, epochs: int) -> dict[str, Any]:
    """What the outcome says of a training that was given fewer epochs than its plan wants."""
    notes = []
    if forecast_epochs < wanted:
        notes.append(f"{forecast_epochs} of {wanted} epochs fit the budget")
    if epochs < forecast_epochs:
        notes.append(f"training was slower than forecast: {epochs} epochs for the delivered model")
    return {"status": "shortened" if notes else "done", "note": "; ".join(notes)}


def _announcement(outcome: Outcome, plan: Plan, expected: Forecast, per_image: float) -> str:
    rate = f"{1000 * per_image:.1f} ms an image and epoch ({plan.layout}, {plan.precision})"
    if not expected.epochs:
        return f"{outcome.name}: {rate}; {plan.epochs} epochs would take about {expected.seconds:.0f} s: left out"
    folds = f"{expected.folds} fold{'s' if expected.folds > 1 else ''}"
    shortened = "" if expected.epochs == plan.epochs else f" (of {plan.epochs} wanted)"
    work = f"{expected.epochs} epochs{shortened} on {folds} and the whole train part"
    return f"{outcome.name}: {rate}; {work}: about {expected.seconds:.0f} s"
