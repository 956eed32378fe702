"""The classifier for scikit-learn's world: paths, images or arrays in, predictions out."""

import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.metric_choice import metric_for
from unfreeze.advisor.questions import Question
from unfreeze.advisor.selection import select_strategy
from unfreeze.core.errors import ImageSetError
from unfreeze.core.journal import MemoryJournal
from unfreeze.core.records import Outcome
from unfreeze.core.settings import DEFAULT_BACKBONE, EngineSettings, ResizeWord
from unfreeze.core.strategies import StrategyId
from unfreeze.core.wording import count
from unfreeze.data.levels import may_be_deep
from unfreeze.data.squares import geometry_of
from unfreeze.features.delivered import classifier_in_memory
from unfreeze.features.resources import Resources
from unfreeze.images.levels import common_range
from unfreeze.images.pool import DecoderPool
from unfreeze.images.standing import squares_of
from unfreeze.strategies.calibration import calibrated
from unfreeze.strategies.catalogue import PhotoCatalogue, trained_strategies
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import Request
from unfreeze.strategies.measurement import fit_everything
from unfreeze.strategies.preparation import prepare
from unfreeze.strategies.strategy import Fit
from unfreeze.workflows.clock import Clock
from unfreeze.workflows.delivery import add_program, card_of
from unfreeze.workflows.estimator_settings import (
    AUTO,
    NetworkSettings,
    TrainingChoice,
    network_settings,
    training_choice,
)
from unfreeze.workflows.given_images import image_files, image_list, image_set_of
from unfreeze.workflows.given_labels import class_labels
from unfreeze.workflows.prediction import scored_squares
from unfreeze.workflows.race import Race
from unfreeze.workflows.resizing import RESIZING_SHARE, resized, screened_resize
from unfreeze.workflows.tuning import codes_only, tuned
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.devices import find_device
from unfreeze.zoo.folders import load_model, save_model
from unfreeze.zoo.model_config import read_card
from unfreeze.zoo.tap_classifier import CutNetwork, TapClassifier

MARGIN = 0.01  # of accuracy
_IN_MEMORY = "_files"  # in the pickled state: the files of the model's folder, by name


@final
class TransferClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An image classifier on a pretrained network, with scikit-learn's contract.

    Args:
        backbone: Name of the pretrained network.
        strategy: codes (a linear probe on the last codes), head, a number of blocks to unfreeze, full, scratch, or
            auto: race codes, head, numbers of blocks and full on splits of the training images, and take the deepest
            step that still gains more than one standard error over the cheaper one. Where the classes are strongly
            imbalanced, balanced accuracy decides and all of them count the same in training.
        budget: Seconds that `fit` may take; fewer epochs fit a smaller one.
        size: Side of the network's input in pixels; the network's own if None.
        resize: How photos become squares: crop (the middle), squash (the whole photo, squeezed) or pad (whole, with a
            border); the network's own way if None. With auto all are screened where photos are not square, in at most a
            sixth of the budget.
        random_state: Random seed; None or a generator of NumPy's to draw one.

    A fitted estimator may be used by any number of threads at once, and pickled: what is pickled are the files that
    `save` would write, without ``model.pt2``.

    Attributes:
        classes_: Labels, sorted.
        strategy_: Name of the strategy that was trained.
        model_: The trained network, or the linear classifier on its taps.
        resize_: How photos become squares: crop, squash or pad.
        probabilities_: Whether the softmax of its scores are probabilities; not of an SVM.
        outcomes_: What every strategy of the race gave and took, cheapest first; of one that ran alone what it took.
            Empty after `load`.

    Example:
        >>> from sklearn.model_selection import cross_val_score
        >>> from unfreeze import TransferClassifier
        >>> cross_val_score(TransferClassifier(strategy="codes"), paths, labels, cv=3)  # doctest: +SKIP
    """

    model_: Backbone | TapClassifier | CutNetwork

    def __init__(
        self,
        backbone: str = DEFAULT_BACKBONE,
        *,
        strategy: str | int = AUTO,
        budget: float = 900.0,
        size: int | None = None,
        resize: ResizeWord | Literal["auto"] | None = None,
        random_state: int = 0,
    ) -> None:
        self.backbone = backbone
        self.strategy = strategy
        self.budget = budget
        self.size = size
        self.resize = resize
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "TransferClassifier":
        """Train.

        Args:
            X: A list, an array, or a column of a table, of paths, PIL images (any mode), uint8 arrays [height, width]
                or [height, width, channel] with 1, 3 or 4 channels, or tensors of this kind, also with channels first.
            y: A label for each.

        Returns:
            The estimator itself.

        Raises:
            InputError: A setting is unknown, `X` holds no images or `y` no classes, or they do not fit.
            PlanError: The budget is too small for the strategy.
        """
        choice = training_choice(self.strategy, self.budget, self.random_state)
        network = network_settings(self.backbone, self.size, self.resize, may_measure=True)
        images = image_list(X)
        labels = class_labels(y, images=len(images))
        classes, places = np.unique(labels, return_inverse=True)
        clock = Clock(time.perf_counter, choice.budget)
        with tempfile.TemporaryDirectory() as folder, DecoderPool() as pool:
            paths = image_files(images, Path(folder))
            experiment = _experiment(paths, places, network, choice, pool=pool, clock=clock)
            outcomes, outcome, fit = _fitted(experiment, choice.strategy, clock)
        assert fit.model is not None, outcome.name  # noqa: S101 - only what gives a model is trained
        self.classes_, self.strategy_, self.outcomes_ = classes, outcome.name, outcomes
        self.probabilities_, self.resize_ = fit.probabilities, experiment.source.card.resize
        self._card_text = _card_text(self.strategy_, len(self.classes_))
        self._take(fit.model)
        return self

    def _take(self, model: Backbone | TapClassifier | CutNetwork) -> None:
        """Keep a model, ready to run: made once, so that predictions neither read files nor trace."""
        self.model_ = model
        self._engine = classifier_in_memory(model.module(), find_device())

    @classmethod
    def load(cls, folder: Path | str) -> "TransferClassifier":
        """A fitted estimator from the folder of a model: of a run, of ``unfreeze tune``, or written by `save`.

        Args:
            folder: Of the model.

        Returns:
            An estimator that predicts, and can be saved again. Its labels are the class names, in the order of the
            outputs, and text whatever they were when it was fitted; `strategy_` is the folder's name.

        Raises:
            InputError: The folder holds no model of ours, its weights are not those that were written, or the network's
                library has changed since.
        """
        folder = Path(folder)
        model, names = load_model(folder)
        card, probabilities = read_card(folder)
        loaded = cls(card.name, size=card.size, resize=card.resize)
        loaded.classes_, loaded.outcomes_ = np.array(names), ()
        loaded._take(model)
        loaded.strategy_, loaded.probabilities_ = folder.resolve().name, probabilities
        loaded.resize_, loaded._card_text = card.resize, card_of(folder)
        return loaded

    def predict(self, X: Any) -> NDArray[Any]:
        """Label of each image of `X` (as for `fit`)."""
        places = self._scores(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[places]
        return labels

    def predict_proba(self, X: Any) -> Float[np.ndarray, "image cls"]:
        """Probability of each class; of an SVM the softmax of its scores, which orders but is not calibrated."""
        probabilities: Float[np.ndarray, "image cls"] = softmax(self._scores(X).astype(np.float64), axis=1)
        return probabilities

    def decision_function(self, X: Any) -> Float[np.ndarray, "image ..."]:
        """Scores; for two classes the second's minus the first's, as scikit-learn has it."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def save(self, folder: Path | str) -> None:
        """Write the model as a folder, which timm loads if its network is whole, and ``model.pt2`` for plain torch.

        Nothing in it is a pickle. A network that torch.export cannot do gets no ``model.pt2``.
        """
        self._write(Path(folder))
        if lacking := add_program(Path(folder)):
            warnings.warn(lacking, stacklevel=2)

    def _write(self, folder: Path) -> None:
        self._check_fitted()
        names, margins = [str(label) for label in self.classes_], not self.probabilities_
        save_model(folder, self.model_, class_names=names, card_text=self._card_text, margins=margins)

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            msg = "This TransferClassifier is not fitted yet. Call fit(paths_or_arrays, labels) first."
            raise NotFittedError(msg)

    def _scores(self, X: Any) -> Float[np.ndarray, "image cls"]:
        self._check_fitted()
        images, card = image_list(X), self.model_.card
        with tempfile.TemporaryDirectory() as folder:
            paths = image_files(images, Path(folder))
            squares = squares_of(paths, geometry_of(card))
            found = scored_squares(self._engine, paths, squares, card, model="the estimator")
        if found.set_aside:
            bad, unreadable = found.set_aside[0], len(found.set_aside)
            place = next(number for number, path in enumerate(paths) if str(path) == bad.name)
            named = f" {bad.name}" if isinstance(images[place], (str, Path)) else ""
            first = f"the first is image {place}{named} ({bad.reason})"
            msg = f"{unreadable} of {count(len(images), 'image')} cannot be read; {first}."
            raise ImageSetError(msg)
        return found.scores

    def __getstate__(self) -> dict[str, Any]:
        """Settings and attributes, with the model as the files of its folder: a traced network is no plain data."""
        state: dict[str, Any] = dict(super().__getstate__())
        if state.pop("model_", None) is None:
            return state
        del state["_engine"]
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "model"
            self._write(folder)
            return {**state, _IN_MEMORY: {path.name: path.read_bytes() for path in folder.iterdir()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What `__getstate__` gave; the model is what `load` would give."""
        files = state.get(_IN_MEMORY, {})
        super().__setstate__({name: value for name, value in state.items() if name != _IN_MEMORY})
        if files:
            with tempfile.TemporaryDirectory() as place:
                for name, data in files.items():
                    (Path(place) / name).write_bytes(data)
                self._take(load_model(Path(place))[0])

    def __sklearn_tags__(self) -> Any:
        """Its images are no rows of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        return tags


def _card_text(strategy: str, classes: int) -> str:
    return f"# {strategy}\n\nTrained by unfreeze {strategy!r} on {classes} classes.\n"


def _experiment(
    paths: Sequence[Path],
    places: NDArray[np.int64],
    network: NetworkSettings,
    choice: TrainingChoice,
    *,
    pool: DecoderPool,
    clock: Clock,
) -> Experiment:
    """Images and their codes, with photos resized as was asked, or as a screening says."""
    source = load_backbone(network.backbone, size=network.size)
    if not isinstance(choice.strategy, str) and choice.strategy.blocks is not None:
        source.cut_before_blocks(choice.strategy.blocks)  # refuses too many blocks before any work
    if network.resize is not None and network.resize != "auto":
        source = source.resized_by(network.resize)
    began = clock.elapsed()
    deep = (path for path in paths if may_be_deep(path))
    source = source.with_levels(common_range(found for found in pool.levels(deep) if found is not None))
    image_set = image_set_of(paths, places, pool, geometry_of(source.card))
    decoding = clock.elapsed() - began
    plain, request = Resources(pool=pool), EngineSettings()
    # So that one engine is chosen for all ways.
    resources = replace(plain, journal=MemoryJournal({})) if network.resize == AUTO else plain
    preparing = partial(prepare, resources=resources, request=request, seed=choice.seed)
    usual = preparing(image_set, source)
    usual = replace(usual, metric=metric_for(usual.task, None)[0])
    if network.resize != AUTO:
        return usual
    found = screened_resize(
        usual,
        image_set,
        preparing,
        request=request,
        metric=usual.metric,
        within=RESIZING_SHARE * choice.budget,
        decoding=decoding,
    )
    best = resized(usual, found.resize, image_set, preparing)
    return replace(best, metric=usual.metric, resources=plain)


def _fitted(
    experiment: Experiment, strategy: StrategyId | Literal["auto", "codes"], clock: Clock
) -> tuple[tuple[Outcome, ...], Outcome, Fit]:
    """What there was to choose from, what was trained on everything, and its fit."""
    if strategy == "auto":
        return _chosen(experiment, clock)
    if strategy == "codes":
        outcome, fit = codes_only(experiment)
    else:
        outcome, fit = tuned(experiment, strategy, Request(allowance=clock.left(), splits=0))
    return (outcome,), outcome, fit


def _chosen(experiment: Experiment, clock: Clock) -> tuple[tuple[Outcome, ...], Outcome, Fit]:
    """What a race on splits of the training images prefers, trained on all of them."""
    question = Question(task=experiment.task, metric=experiment.metric, margin=MARGIN, seed=experiment.seed)
    catalogue = PhotoCatalogue(experiment)
    race = Race(Comparisons(question), catalogue, clock, experiment.progress)
    race.run(trained_strategies(len(experiment.source.blocks), None))
    selection = select_strategy(race.measured, race.comparisons)
    picked = next(entry for entry in race.entered if selection and entry.outcome.strategy == selection.picked)
    assert picked.strategy is not None  # noqa: S101 - probes always give something; what was measured is ready to run
    outcome, fit = fit_everything(catalogue.experiment, picked.strategy)
    outcomes = tuple(measured.record(experiment.task) for measured in race.measured)
    return outcomes, outcome, calibrated(fit, picked.measured, experiment.task)[0]
