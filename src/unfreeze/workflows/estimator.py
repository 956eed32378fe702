"""The classifier for scikit-learn's world: paths or arrays in, predictions out."""

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
from PIL import Image as PillowImage
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.metric_choice import metric_for
from unfreeze.advisor.questions import Question
from unfreeze.advisor.selection import select_strategy
from unfreeze.core.cards import CROP_MODES
from unfreeze.core.errors import ImageSetError, InputError
from unfreeze.core.files import sha256_of
from unfreeze.core.journal import MemoryJournal
from unfreeze.core.records import Outcome
from unfreeze.core.settings import DEFAULT_BACKBONE, EngineSettings, ResizeWord
from unfreeze.core.strategies import parse_strategy
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.data.levels import may_be_deep
from unfreeze.data.squares import geometry_of
from unfreeze.features.resources import Resources
from unfreeze.images.geometry import Geometry
from unfreeze.images.levels import common_range
from unfreeze.images.pool import DecoderPool
from unfreeze.strategies.calibration import calibrated
from unfreeze.strategies.catalogue import PhotoCatalogue, trained_strategies
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import Request
from unfreeze.strategies.measurement import fit_everything
from unfreeze.strategies.preparation import prepare
from unfreeze.strategies.strategy import Fit
from unfreeze.workflows.clock import Clock
from unfreeze.workflows.delivery import add_program, card_of
from unfreeze.workflows.prediction import predict_images
from unfreeze.workflows.race import Race
from unfreeze.workflows.resizing import RESIZING_SHARE, resized, screened_resize
from unfreeze.workflows.tuning import codes_only, tuned
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.folders import load_model, save_model
from unfreeze.zoo.model_config import read_card
from unfreeze.zoo.tap_classifier import CutNetwork, TapClassifier

Rows = Sequence[Any] | NDArray[Any]
AUTO, CODES = "auto", "codes"  # what `strategy` may be beside the words of `core.strategies.parse_strategy`
MARGIN = 0.01  # of accuracy


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
        random_state: Random seed.

    Attributes:
        classes_: Labels, sorted.
        strategy_: Name of the strategy that was trained.
        model_: The trained network, or the linear classifier on its taps.
        resize_: How photos become squares: crop, squash or pad.
        probabilities_: Whether the softmax of its scores are probabilities; not of an SVM.

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

    def fit(self, X: Rows, y: Rows) -> "TransferClassifier":
        """Train.

        Args:
            X: Paths of images, or uint8 arrays [height, width, 3] or [height, width].
            y: A label for each.

        Returns:
            The estimator itself.

        Raises:
            InputError: The strategy or the way of resizing is unknown, or images and labels do not fit.
            PlanError: The budget is too small for the strategy.
        """
        if self.strategy not in {AUTO, CODES}:
            parse_strategy(self.strategy, option="strategy (auto, codes, or one word)")  # refuses before any work
        if self.resize not in {None, AUTO, *CROP_MODES}:
            msg = f"Unknown resize {self.resize!r}. Choose one of auto, {', '.join(CROP_MODES)}, or None."
            raise InputError(msg)
        labels = np.asarray(y)
        if len(X) != len(labels) or labels.ndim != 1:
            msg = f"X and y must be equally long and y flat. Got {len(X)} images and labels of shape {labels.shape}."
            raise InputError(msg)
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            msg = f"y must hold at least two classes. Got {self.classes_.tolist()}."
            raise InputError(msg)
        clock = Clock(time.perf_counter, self.budget)
        with tempfile.TemporaryDirectory() as folder, DecoderPool() as pool:
            paths, places = _as_paths(X, Path(folder)), np.searchsorted(self.classes_, labels)
            experiment = self._experiment(paths, places, pool, clock)
            outcome, fit = self._fitted(experiment, clock)
        assert fit.model is not None, outcome.name  # noqa: S101 - only what gives a model is trained
        self.model_, self.strategy_ = fit.model, outcome.name
        self.probabilities_, self.resize_ = fit.probabilities, experiment.source.card.resize
        self._card_text = _card_text(self.strategy_, len(self.classes_))
        return self

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
        loaded.classes_, loaded.model_ = np.array(names), model
        loaded.strategy_, loaded.probabilities_ = folder.resolve().name, probabilities
        loaded.resize_, loaded._card_text = card.resize, card_of(folder)
        return loaded

    def _experiment(
        self, paths: Sequence[Path], places: NDArray[np.int64], pool: DecoderPool, clock: Clock
    ) -> Experiment:
        """Images and their codes, with photos resized as was asked, or as a screening says."""
        source = load_backbone(self.backbone, size=self.size)
        if self.resize is not None and self.resize != "auto":
            source = source.resized_by(self.resize)
        began = clock.elapsed()
        deep = (path for path in paths if may_be_deep(path))
        source = source.with_levels(common_range(found for found in pool.levels(deep) if found is not None))
        image_set = _image_set(paths, places, pool, geometry_of(source.card))
        decoding = clock.elapsed() - began
        plain, request = Resources(pool=pool), EngineSettings()
        # So that one engine is chosen for all ways.
        resources = replace(plain, journal=MemoryJournal({})) if self.resize == AUTO else plain
        preparing = partial(prepare, resources=resources, request=request, seed=self.random_state)
        usual = preparing(image_set, source)
        usual = replace(usual, metric=metric_for(usual.task, None)[0])
        if self.resize != AUTO:
            return usual
        found = screened_resize(
            usual,
            image_set,
            preparing,
            request=request,
            metric=usual.metric,
            within=RESIZING_SHARE * self.budget,
            decoding=decoding,
        )
        best = resized(usual, found.resize, image_set, preparing)
        return replace(best, metric=usual.metric, resources=plain)

    def _fitted(self, experiment: Experiment, clock: Clock) -> tuple[Outcome, Fit]:
        if self.strategy == CODES:
            return codes_only(experiment)
        if self.strategy == AUTO:
            return _chosen(experiment, clock)
        return tuned(experiment, parse_strategy(self.strategy), Request(allowance=clock.left(), splits=0))

    def predict(self, X: Rows) -> NDArray[Any]:
        """Label of each image of `X` (as for `fit`)."""
        places = self._scores(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[places]
        return labels

    def predict_proba(self, X: Rows) -> Float[np.ndarray, "image cls"]:
        """Probability of each class; of an SVM the softmax of its scores, which orders but is not calibrated."""
        probabilities: Float[np.ndarray, "image cls"] = softmax(self._scores(X).astype(np.float64), axis=1)
        return probabilities

    def decision_function(self, X: Rows) -> Float[np.ndarray, "image ..."]:
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

    def _scores(self, X: Rows) -> Float[np.ndarray, "image cls"]:
        self._check_fitted()
        with tempfile.TemporaryDirectory() as folder, DecoderPool() as pool:
            model = Path(folder) / "model"
            self._write(model)
            predictions = predict_images(model, _as_paths(X, Path(folder)), pool=pool, engine="torch")
        if predictions.set_aside:
            bad, unreadable = predictions.set_aside[0], len(predictions.set_aside)
            msg = f"{unreadable} of {len(X)} images cannot be read; the first is {bad.name} ({bad.reason})."
            raise ImageSetError(msg)
        return predictions.scores


def _card_text(strategy: str, classes: int) -> str:
    return f"# {strategy}\n\nTrained by unfreeze {strategy!r} on {classes} classes.\n"


def _chosen(experiment: Experiment, clock: Clock) -> tuple[Outcome, Fit]:
    """What a race on splits of the training images prefers, trained on all of them."""
    question = Question(task=experiment.task, metric=experiment.metric, margin=MARGIN, seed=experiment.seed)
    catalogue = PhotoCatalogue(experiment)
    race = Race(Comparisons(question), catalogue, clock, experiment.progress)
    race.run(trained_strategies(len(experiment.source.blocks), None))
    selection = select_strategy(race.measured, race.comparisons)
    picked = next(entry for entry in race.entered if selection and entry.outcome.strategy == selection.picked)
    assert picked.strategy is not None  # noqa: S101 - probes always give something; what was measured is ready to run
    outcome, fit = fit_everything(catalogue.experiment, picked.strategy)
    return outcome, calibrated(fit, picked.measured, experiment.task)[0]


def _as_paths(X: Rows, folder: Path) -> list[Path]:
    """Paths as they are; arrays as PNG files in `folder`, which keep every bit."""
    paths = []
    for number, item in enumerate(X):
        if isinstance(item, (str, Path)):
            paths.append(Path(item))
            continue
        pixels = np.asarray(item)
        if pixels.dtype != np.uint8 or pixels.ndim not in {2, 3} or (pixels.ndim == 3 and pixels.shape[2] != 3):
            msg = (
                "X must hold paths of images or uint8 arrays of shape [height, width] or [height, width, 3]. "
                f"Got {pixels.dtype} of shape {pixels.shape} at position {number}."
            )
            raise InputError(msg)
        path = folder / f"{number}.png"
        PillowImage.fromarray(pixels).save(path, compress_level=1)
        paths.append(path)
    return paths


def _image_set(paths: Sequence[Path], labels: NDArray[np.int64], pool: DecoderPool, geometry: Geometry) -> ImageSet:
    """Images that all train, in the order given; equal images stay, since the caller chose them."""
    images = []
    for number, (path, label, seen) in enumerate(zip(paths, labels, pool.inspect(paths, geometry), strict=True)):
        if seen.reason:
            msg = f"Image {number} of X cannot be read: {path} ({seen.reason})."
            raise ImageSetError(msg)
        images.append(
            Image(
                path=path.absolute(),
                name=f"{number:08d}",
                label=f"{label:08d}",
                sha256=seen.sha256 or sha256_of(str(path).encode()),
                width=seen.width,
                height=seen.height,
                mode=seen.mode,
                split="train",
            )
        )
    return ImageSet(root=Path(), images=tuple(images), skipped={})
