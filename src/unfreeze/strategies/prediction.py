"""Predictions of a delivered model: the saved folder, loaded by timm, in float32."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.special import softmax

from unfreeze.core.progress import SILENT, Progress
from unfreeze.data.decoder_pool import DecoderPool
from unfreeze.data.decoding import UnreadableImageError
from unfreeze.data.geometry import centre
from unfreeze.data.image_set import SetAside
from unfreeze.features.engines import padded_batches
from unfreeze.features.extraction import geometry_of
from unfreeze.training.precision import training_device
from unfreeze.zoo.backbones import network_input
from unfreeze.zoo.folders import gives_probabilities, load_model

BATCH_SIZE = 32


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model says of some images.

    Attributes:
        names: Of the images that could be read, as they were given.
        class_names: Of the model.
        scores: Outputs of the head, one row an image: logits, or an SVM's margins.
        set_aside: Images that could not be read.
        gives_probabilities: Whether the scores are logits, so that their softmax means something.
    """

    names: tuple[str, ...]
    class_names: tuple[str, ...]
    scores: Float[np.ndarray, "image cls"]
    set_aside: tuple[SetAside, ...]
    gives_probabilities: bool

    @property
    def probabilities(self) -> Float[np.ndarray, "image cls"]:
        """Softmax of the scores; see `gives_probabilities`."""
        probabilities: Float[np.ndarray, "image cls"] = softmax(self.scores, axis=1)
        return probabilities


def predict_images(
    model_folder: Path, paths: Sequence[Path], *, pool: DecoderPool, progress: Progress = SILENT
) -> Predictions:
    """Run a delivered model over images.

    Args:
        model_folder: Written by a run.
        paths: Images.
        pool: Decodes.
        progress: Is told of every image.

    Returns:
        Scores in float32, rows in the order of the paths that could be read.

    Raises:
        InputError: The folder is no model.
    """
    backbone, class_names = load_model(model_folder)
    network = backbone.network.to(training_device()).eval()
    names: list[str] = []
    aside: list[SetAside] = []
    scores = [np.empty((0, len(class_names)), np.float32)]

    def readable() -> Iterator[UInt8[np.ndarray, "size size 3"]]:
        for path, square in zip(paths, pool.squares(paths, geometry_of(backbone.card)), strict=True):
            if isinstance(square, UnreadableImageError):
                aside.append(SetAside(name=str(path), reason=square.reason))
            else:
                names.append(str(path))
                yield centre(square[None], backbone.card.size)[0]

    with progress.phase("predict", total=len(paths), unit="image") as advance, torch.inference_mode():
        for pixels, real in padded_batches(readable(), BATCH_SIZE):
            inputs = network_input(torch.from_numpy(pixels).to(training_device()), backbone.card)
            scores.append(network(inputs).float().cpu().numpy()[:real])
            advance(real)
        advance(len(aside))
    found = np.concatenate(scores)
    return Predictions(tuple(names), class_names, found, tuple(aside), gives_probabilities(model_folder))
