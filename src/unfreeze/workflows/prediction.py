"""Predictions of a delivered model: its folder in float32, by OpenVINO if that says the same, else by torch."""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8

from unfreeze.core.cards import Card, card_from
from unfreeze.core.documents import Guess, PredictedImage, PredictRecord, Unlike
from unfreeze.core.errors import InputError, TooManyBadFilesError
from unfreeze.core.file_names import as_written
from unfreeze.core.progress import SILENT, Advance, Progress, ignore
from unfreeze.core.records import ImageCounts, SetAside
from unfreeze.core.wording import capital, count, passed_over
from unfreeze.data.folders import skipped_as
from unfreeze.data.named_photos import NamedPhotos, named_photos
from unfreeze.data.squares import geometry_of
from unfreeze.features.classifiers import MANY, Form, kept_classifier
from unfreeze.features.engines import PrefixEngine, openvino_is_installed
from unfreeze.features.resources import Resources
from unfreeze.images.decoding import UnreadableImageError
from unfreeze.images.geometry import centre
from unfreeze.images.pool import DecoderPool
from unfreeze.metrics.novelty import likeness
from unfreeze.zoo.code_clouds import cannot_mark, read_cloud
from unfreeze.zoo.devices import Device, find_device
from unfreeze.zoo.model_config import OUR_KEY, checked_config, read_config

_NAMED = 5  # folders in an error


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model says of some images.

    Attributes:
        names: Of the images that could be read, as they were given.
        class_names: Of the model.
        scores: Outputs of the classifier, one row an image: logits, or an SVM's margins.
        set_aside: Images that could not be read.
        gives_probabilities: Whether the scores are logits, so that their softmax means something.
        likeness: Of each image to those in training, as `metrics.novelty.likeness` says; None where it was not asked.
    """

    names: tuple[str, ...]
    class_names: tuple[str, ...]
    scores: Float[np.ndarray, "image cls"]
    set_aside: tuple[SetAside, ...]
    gives_probabilities: bool
    likeness: Float[np.ndarray, " image"] | None = None

    @property
    def probabilities(self) -> Float[np.ndarray, "image cls"]:
        """Softmax of the scores; see `gives_probabilities`."""
        exponentials = np.exp(self.scores - self.scores.max(axis=1, keepdims=True))
        probabilities: Float[np.ndarray, "image cls"] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probabilities


def predict_images(
    model_folder: Path,
    paths: Sequence[Path],
    *,
    pool: DecoderPool,
    progress: Progress = SILENT,
    device: Device | None = None,
    engine: Literal["auto", "torch"] = "auto",
    cache: Path | None = None,
    with_likeness: bool = False,
) -> Predictions:
    """Run a delivered model over images; any number of threads may do so at once, each with decoders of its own.

    Args:
        model_folder: Written by a run.
        paths: Images.
        pool: Decoder pool.
        progress: Reports progress per image.
        device: Where the network runs; None for a GPU if there is one, else the CPU.
        engine: auto for OpenVINO on the CPU, if it is installed and says what torch says. The model is converted once,
            which takes seconds, and kept: after that, PyTorch is not imported.
        cache: Folder where what is converted is kept; the user's cache if None.
        with_likeness: Whether to say how like those in training images are, if the model knows.

    Returns:
        Scores in float32, rows in the order of the paths that could be read.

    Raises:
        InputError: The folder is no model, or gives a score that is not finite.
    """
    config = checked_config(model_folder)
    card, class_names = card_from(config[OUR_KEY]["card"]), tuple(config["label_names"])
    cloud = read_cloud(model_folder, config[OUR_KEY]) if with_likeness else None
    runner = classifier_of(model_folder, config[OUR_KEY], device or find_device(), engine=engine, cache=cache)
    with progress.phase("predict", total=len(paths), unit="image") as advance:
        squares = pool.squares(paths, geometry_of(card))
        found = scored_squares(
            runner,
            paths,
            squares,
            card,
            model=f"the model in {model_folder}",
            keep_codes=cloud is not None,
            advance=advance,
        )
    scores = found.scores if found.names else np.empty((0, len(class_names)), np.float32)
    like = likeness(cloud, found.codes) if cloud is not None and found.codes is not None else None
    return Predictions(found.names, class_names, scores, found.set_aside, not config[OUR_KEY]["margins"], like)


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of the images that could be read, in order; the others are set aside. Codes and maps as the engine is."""

    names: tuple[str, ...]
    scores: Float[np.ndarray, "image cls"]
    set_aside: tuple[SetAside, ...]
    codes: Float[np.ndarray, "image code"] | None = None
    maps: tuple[Float[np.ndarray, "code height width"], ...] = ()


def scored_squares(
    engine: PrefixEngine,
    paths: Sequence[Path],
    squares: Iterable[UInt8[np.ndarray, "side side 3"] | UnreadableImageError],
    card: Card,
    *,
    model: str,
    keep_codes: bool = True,
    advance: Advance = ignore,
) -> Scored:
    """Run a classifier over squares of images.

    Args:
        engine: Its first output are the scores, a second one the codes, a third one the last map.
        paths: Of the images.
        squares: Of each, as decoders give them.
        card: Of the network.
        model: What errors call it.
        keep_codes: Whether codes are wanted, if the engine gives them: of many images they are many numbers.
        advance: Reports progress per image.

    Returns:
        The scores.

    Raises:
        InputError: A score is not finite.
    """
    names: list[str] = []
    aside: list[SetAside] = []
    rows: list[Float[np.ndarray, " cls"]] = []
    codes: list[Float[np.ndarray, " code"]] = []
    maps: list[Float[np.ndarray, "code height width"]] = []

    def readable() -> Iterator[UInt8[np.ndarray, "size size 3"]]:
        for path, square in zip(paths, squares, strict=True):
            if isinstance(square, UnreadableImageError):
                aside.append(SetAside(name=str(path), reason=square.reason))
            else:
                names.append(str(path))
                yield centre(square[None], card.size)[0]

    for position, (row, *others) in enumerate(engine.run(readable())):
        if not np.isfinite(row).all():
            msg = (
                f"{capital(model)} gives scores that are not finite for {names[position]}: its weights "
                "are not usable. Train it again."
            )
            raise InputError(msg)
        rows.append(row)
        codes += others[:1] if keep_codes else []
        maps += others[1:]
        advance(1)
    advance(len(aside))
    scores = np.stack(rows) if rows else np.empty((0, 0), np.float32)
    return Scored(tuple(names), scores, tuple(aside), np.stack(codes) if codes else None, tuple(maps))


def classifier_of(
    folder: Path,
    settings: dict[str, Any],
    device: Device,
    *,
    engine: Literal["auto", "torch"] = "auto",
    cache: Path | None = None,
    form: Form = MANY,
) -> PrefixEngine:
    """What runs a model; PyTorch is imported only if its program is not kept, or is not to be used.

    Args:
        folder: Of the model.
        settings: Our part of its ``config.json``, whose weights were checked.
        device: Where it runs.
        engine: As for `predict_images`.
        cache: As for `predict_images`.
        form: What it takes and gives.

    Returns:
        The engine; its outputs are the scores, the codes, and what else the form gives.

    Raises:
        InputError: The folder is no model.
    """
    by_openvino = engine == "auto" and device.is_cpu and openvino_is_installed()
    kept = kept_classifier(settings, cache, form=form) if by_openvino else None
    if kept is not None:
        return kept
    from unfreeze.features.delivered import converted_classifier, torch_classifier  # seconds

    if by_openvino:
        return converted_classifier(folder, device, cache=cache, form=form)
    return torch_classifier(folder, device, form=form)


def predict(
    model_folder: Path,
    named: Sequence[Path],
    *,
    top: int = 1,
    threshold: float | None = None,
    unlike: float | None = None,
    device: str = "auto",
    standard_input: Callable[[], bytes] | None = None,
    resources: Resources,
) -> PredictRecord:
    """Name the class of images.

    Args:
        model_folder: Written by a run.
        named: Images; folders of which every file is read that may be an image; patterns, lists, tars, Parquet files,
            addresses and ``-``, as `data.named_photos.named_photos` takes them.
        top: How many labels to name per image, at most.
        threshold: Probability below which the label is left open.
        unlike: Share of photos like those in training that may be marked as unlike them; None to mark none.
        device: auto, cpu, cuda or mps.
        standard_input: Gives all of it, if it is named; None for that of this process.
        resources: Decoders and progress.

    Returns:
        What the model says.

    Raises:
        InputError: The folder is no model or gives no probabilities for a threshold, there is no such device here, or
            there is no image.
        TooManyBadFilesError: No image can be read.
    """
    config = read_config(model_folder)
    check_threshold(model_folder, config, threshold)
    say_if_none_is_marked(model_folder, config, unlike, resources.progress)
    with tempfile.TemporaryDirectory(prefix="unfreeze-photos-") as unpacked:
        given = standard_input or sys.stdin.buffer.read
        files = named_photos(named, unpacked=Path(unpacked), standard_input=given, progress=resources.progress)
        if not files.paths:
            raise InputError(_no_image(named, files))
        predictions = predict_images(
            model_folder,
            files.paths,
            pool=resources.pool,
            progress=resources.progress,
            device=find_device(device),
            cache=resources.cache,
            with_likeness=unlike is not None,
        )
    predictions, skipped = _without_others(predictions, named, files, resources.progress)
    return prediction_record(predictions, top=top, threshold=threshold, unlike=unlike, skipped=skipped)


def check_threshold(model_folder: Path, config: Mapping[str, Any], threshold: float | None) -> None:
    """Make sure that a model can leave images open.

    Args:
        model_folder: Of the model.
        config: Of its folder.
        threshold: Probability below which images are left open; None for none.

    Raises:
        InputError: There is a threshold, and the model gives no probabilities.
    """
    if threshold is not None and config[OUR_KEY]["margins"]:
        msg = (
            f"A threshold needs probabilities, but the head of {model_folder} is an SVM, which gives scores. "
            "Leave out the threshold, or take another model."
        )
        raise InputError(msg)


def say_if_none_is_marked(
    model_folder: Path, config: Mapping[str, Any], unlike: float | None, progress: Progress
) -> None:
    """Say why no photo is marked as unlike those in training, where that is asked for and the model cannot.

    Args:
        model_folder: Of the model.
        config: Of its folder.
        unlike: Share of photos like those in training that may be marked; None to mark none.
        progress: Is told.
    """
    lacking = "" if unlike is None else cannot_mark(model_folder, config[OUR_KEY], unlike)
    if lacking:
        progress.say(lacking)


def _no_image(named: Sequence[Path], files: NamedPhotos) -> str:
    parts = [f"{item.name}: {item.reason}" for item in files.set_aside[:_NAMED]]
    parts += [passed_over(files.skipped)] if files.skipped else []
    seen = f" ({'; '.join(parts)})" if parts else ""
    return f"There is no image in {', '.join(map(as_written, named))}{seen}. Name images, or folders that hold some."


def _without_others(
    predictions: Predictions, named: Sequence[Path], files: NamedPhotos, progress: Progress
) -> tuple[Predictions, dict[str, int]]:
    """The predictions without files in folders that are no images, and how many those are; says what was not read.

    Photos get the names that answers call them.

    Raises:
        InputError: There is no image.
        TooManyBadFilesError: No image can be read.
    """
    bad = list(files.set_aside)
    skipped = Counter(files.skipped)
    for item in predictions.set_aside:
        other = skipped_as(Path(item.name), item.reason) if item.name in files.loose else ""
        if other:
            skipped[other] += 1
        else:
            bad.append(replace(item, name=files.names[item.name]))
    for item in bad:
        progress.say(f"set aside: {item.name}: {item.reason}")
    if skipped:
        progress.say(passed_over(skipped))
    if not predictions.names and bad:
        msg = f"None of {count(len(bad), 'file')} can be used; for example {bad[0].name}: {bad[0].reason}."
        raise TooManyBadFilesError(msg)
    if not predictions.names:
        raise InputError(_no_image(named, replace(files, skipped=skipped)))
    names = tuple(files.names[name] for name in predictions.names)
    return replace(predictions, names=names, set_aside=tuple(bad)), dict(skipped)


def prediction_record(
    predictions: Predictions,
    *,
    top: int,
    threshold: float | None = None,
    unlike: float | None = None,
    skipped: Mapping[str, int] | None = None,
) -> PredictRecord:
    """Predictions as plain data.

    Args:
        predictions: Of a model.
        top: How many labels to name per image, at most.
        threshold: Probability below which the label is left open.
        unlike: Likeness up to which an image is marked as unlike those in training.
        skipped: Number of files that are no image files, by reason.

    Returns:
        The record.
    """
    values = predictions.probabilities if predictions.gives_probabilities else predictions.scores
    like = [None] * len(values) if predictions.likeness is None else predictions.likeness.tolist()
    return PredictRecord(
        classes=predictions.class_names,
        threshold=threshold,
        unlike=unlike,
        files_found=ImageCounts.of(
            used=len(predictions.names), set_aside=len(predictions.set_aside), skipped=dict(skipped or {})
        ),
        images=tuple(
            _predicted(name, _guesses(predictions, row, top), threshold or 0.0, _marked(share, unlike))
            for name, row, share in zip(predictions.names, values, like, strict=True)
        ),
        set_aside=predictions.set_aside,
        skipped=dict(skipped or {}),
    )


def _marked(share: float | None, unlike: float | None) -> Unlike | None:
    if share is None or unlike is None:
        return None
    return Unlike(likeness=round(share, 6), marked=share <= unlike)


def _predicted(name: str, guesses: tuple[Guess, ...], threshold: float, unlike: Unlike | None) -> PredictedImage:
    first = guesses[0]
    is_open = first.probability is not None and first.probability < threshold
    return PredictedImage(
        path=name,
        label=None if is_open else first.label,
        probability=first.probability,
        score=first.score,
        top=guesses,
        unlike=unlike,
    )


def _guesses(predictions: Predictions, row: Float[np.ndarray, " cls"], top: int) -> tuple[Guess, ...]:
    """The likeliest classes of an image, by probability or by an SVM's decision score."""
    measure = "probability" if predictions.gives_probabilities else "score"
    order = (-row).argsort(kind="stable")[:top]
    return tuple(
        Guess(label=predictions.class_names[place], **{measure: round(float(row[place]), 6)}) for place in order
    )
