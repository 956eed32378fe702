"""Codes for scikit-learn's pipelines: images in, rows of numbers out."""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, SupportsIndex, final

import numpy as np
from jaxtyping import Float32
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError

from unfreeze.core.errors import InputError
from unfreeze.core.settings import DEFAULT_BACKBONE, EngineSettings, ResizeWord
from unfreeze.data.levels import may_be_deep
from unfreeze.data.squares import geometry_of
from unfreeze.features.extraction import codes_of
from unfreeze.features.frozen import FrozenBackbone
from unfreeze.features.resources import Resources
from unfreeze.images.levels import common_range
from unfreeze.images.pool import DecoderPool
from unfreeze.images.standing import pool_for
from unfreeze.workflows.estimator_settings import network_settings
from unfreeze.workflows.given_images import image_files, image_list, image_set_of
from unfreeze.workflows.reading import known_tap
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.devices import find_device

_LOADING = threading.Lock()  # of threads that share one that was unpickled, the first loads the network
_NETWORK = "_network"


@final
class CodesTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Codes (features) of images at taps (layers) of a pretrained network, as a step of a pipeline.

    Nothing is learned but the range of photos with 16 bits a channel. Codes are remembered, so the folds of a
    cross-validation share them.

    Args:
        backbone: Name of the pretrained network.
        taps: Where codes are read: a tap's name, several of them, ``last`` (what the network's own head would see) or
            ``all``.
        size: Side of the network's input in pixels; the network's own if None.
        resize: How photos become squares: crop (the middle), squash or pad; the network's own way if None.

    Attributes:
        taps_: Names of the taps that are read, in the order of the columns.
        widths_: Number of columns of each.
        levels_: Of photos with 16 bits a channel, which level becomes black and which white.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> from unfreeze import CodesTransformer
        >>> make_pipeline(CodesTransformer(), LogisticRegression()).fit(paths, labels)  # doctest: +SKIP
    """

    def __init__(
        self,
        backbone: str = DEFAULT_BACKBONE,
        taps: str | Sequence[str] = "last",
        *,
        size: SupportsIndex | None = None,
        resize: ResizeWord | None = None,
    ) -> None:
        self.backbone = backbone
        self.taps = taps
        self.size = size
        self.resize = resize

    def fit(self, X: Any, y: Any = None) -> "CodesTransformer":  # noqa: ARG002 - scikit-learn's contract
        """Load the network, and see which range photos of 16 bits have.

        Args:
            X: Images, as for `TransferClassifier.fit`; labels are not needed.
            y: Not used.

        Returns:
            The transformer itself.

        Raises:
            InputError: A setting is unknown, or `X` holds no images.
        """
        network = self._loaded()
        taps = _taps(self.taps, network.card.taps)
        with _files(X) as (paths, pool):
            deep = (path for path in paths if may_be_deep(path))
            levels = common_range(found for found in pool.levels(deep) if found is not None)
        widths = {tap.name: tap.channels for tap in network.taps}
        self.taps_, self.widths_, self.levels_ = taps, tuple(widths[tap] for tap in taps), levels
        self._network = network.with_levels(levels)
        return self

    def transform(self, X: Any) -> Float32[np.ndarray, "image code"]:
        """Codes of each image of `X` (as for `fit`): those of the first tap, then those of the next.

        Raises:
            InputError: `X` holds no images.
            ImageSetError: One of them cannot be read.
        """
        self._check_fitted()
        network = self._fitted_network()
        with _files(X) as (paths, pool):
            places = np.zeros(len(paths), np.int64)
            image_set = image_set_of(paths, places, pool, geometry_of(network.card))
            frozen = FrozenBackbone(network, find_device())
            codes = codes_of(image_set, frozen, Resources(pool=pool), EngineSettings())
        if codes.set_aside:
            bad = codes.set_aside[0]
            msg = f"Image {int(bad.name)} of X could be read at first and cannot be read any more ({bad.reason})."
            raise InputError(msg)
        joined: Float32[np.ndarray, "image code"] = np.concatenate([codes.by_tap[tap] for tap in self.taps_], axis=1)
        return joined

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002 - images have no names
        """Names of the columns: the tap and a number."""
        self._check_fitted()
        columns = zip(self.taps_, self.widths_, strict=True)
        return np.array([f"{tap}_{number}" for tap, width in columns for number in range(width)], dtype=object)

    def _loaded(self) -> Backbone:
        settings = network_settings(self.backbone, self.size, self.resize, may_measure=False)
        network = load_backbone(settings.backbone, size=settings.size)
        if settings.resize is None or settings.resize == "auto":  # the latter was refused
            return network
        return network.resized_by(settings.resize)

    def _fitted_network(self) -> Backbone:
        """The network; loaded again where this transformer was unpickled."""
        with _LOADING:
            if not hasattr(self, _NETWORK):
                self._network = self._loaded().with_levels(self.levels_)
            return self._network

    def _check_fitted(self) -> None:
        if not hasattr(self, "taps_"):
            msg = "This CodesTransformer is not fitted yet. Call fit(images) first."
            raise NotFittedError(msg)

    def __getstate__(self) -> dict[str, Any]:
        """Without the network, which is loaded again by its name."""
        return {name: value for name, value in super().__getstate__().items() if name != _NETWORK}

    def __sklearn_tags__(self) -> Any:
        """Its images are no rows of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _taps(wanted: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    """The taps that were asked for, in that order."""
    if isinstance(wanted, str):
        return known_tap(None if wanted == "all" else str(wanted), known)
    names = list(wanted) if isinstance(wanted, (list, tuple, np.ndarray)) else []
    if not names or not all(isinstance(name, str) for name in names):
        msg = f"taps must be 'last', 'all', a tap or a list of them. Got {wanted!r}. There are {', '.join(known)}."
        raise InputError(msg)
    found = tuple(dict.fromkeys(tap for name in names for tap in known_tap(str(name), known)))
    if len(found) < len(names):
        msg = f"taps must name each tap once. Got {names}."
        raise InputError(msg)
    return found


@contextmanager
def _files(X: Any) -> Iterator[tuple[list[Path], DecoderPool]]:
    """A file of each image, and decoders for them."""
    images = image_list(X)
    with tempfile.TemporaryDirectory() as folder, pool_for(len(images)) as pool:
        yield image_files(images, Path(folder)), pool
