"""The score of a delivered model on labelled images that it has not learned from."""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy.special import softmax

from unfreeze.core.cards import card_from
from unfreeze.core.documents import Confused, EvaluateRecord, Mistake, Unfamiliar
from unfreeze.core.errors import ImageSetError
from unfreeze.core.file_names import as_written, is_pattern, is_range, scheme_of
from unfreeze.core.files import write_bytes
from unfreeze.core.findings import Finding, finding
from unfreeze.core.records import Abstaining, SetAside
from unfreeze.core.trained_on import trained_on
from unfreeze.core.wording import count, plural
from unfreeze.data.image_set import ImageSet
from unfreeze.data.image_table import ImageTable
from unfreeze.data.inspection import listed_images, read_images_to_score
from unfreeze.data.squares import geometry_of
from unfreeze.features.resources import Resources
from unfreeze.metrics.abstention import PROBABILITIES, answered, sure_from
from unfreeze.metrics.accuracy import accuracy, balanced_accuracy, log_loss
from unfreeze.metrics.confusion import confusion, largest_confusions, scores_by_class
from unfreeze.metrics.intervals import accuracy_interval
from unfreeze.report.comma_separated import csv_text
from unfreeze.workflows.prediction import Predictions, check_threshold, predict_images, say_if_none_is_marked
from unfreeze.zoo.devices import find_device
from unfreeze.zoo.model_config import OUR_KEY, read_config

LEARNED: Final = "UF132"
SEED = 0  # of the draws of intervals over groups
_NAMED = 10  # classes in an error


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an evaluation says beside the scores.

    Attributes:
        mistakes: How many mistakes it names, at most.
        rows: CSV file that it writes, a row for each image that is scored.
        below: Probability below which images are left open.
        unlike: Share of photos like those in training that may be marked as unlike them.
    """

    mistakes: int = 10
    rows: Path | None = None
    below: float | None = None
    unlike: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Scored:
    """Labelled images, and what a model says of them.

    Attributes:
        images: Those that are scored, in the order of the rows of `predictions`.
        labels: Class index of the model of every image.
        predictions: Of the model.
        part: Which part of the source they are.
    """

    images: ImageSet
    labels: Int[np.ndarray, " image"]
    predictions: Predictions
    part: Literal["all", "test"]

    @property
    def predicted(self) -> Int[np.ndarray, " image"]:
        """Class index that the model gives every image."""
        predicted: Int[np.ndarray, " image"] = self.predictions.scores.argmax(axis=1)
        return predicted

    @property
    def right(self) -> Bool[np.ndarray, " image"]:
        """Whether that is its class."""
        right: Bool[np.ndarray, " image"] = self.predicted == self.labels
        return right

    @property
    def groups(self) -> tuple[str, ...]:
        """Of every image; empty text for none."""
        return tuple(image.group for image in self.images.images)

    def marked(self, share: float | None) -> Bool[np.ndarray, " image"] | None:
        """Which images are unlike those in training, of which this share may be marked; None if that is not known."""
        like = self.predictions.likeness
        return None if share is None or like is None else like <= share

    @property
    def probabilities(self) -> Float64[np.ndarray, "image cls"]:
        """Softmax of the scores, in which float32 would call all very sure answers equally sure."""
        probabilities: Float64[np.ndarray, "image cls"] = softmax(self.predictions.scores.astype(np.float64), axis=1)
        return probabilities

    @property
    def sureness(self) -> Float[np.ndarray, " image"]:
        """Probability of what is predicted, or its decision score."""
        values = self.probabilities if self.predictions.gives_probabilities else self.predictions.scores
        surest: Float[np.ndarray, " image"] = values.max(axis=1)
        return surest


def evaluate(
    model_folder: Path,
    source: Path,
    *,
    asked: Asked | None = None,
    device: str = "auto",
    resources: Resources,
) -> EvaluateRecord:
    """Score a model on labelled images.

    Args:
        model_folder: Written by a run.
        source: Folder or list of labelled images, as `data.inspection.read_image_set` takes it. Where it gives a test
            part, that part alone is scored.
        asked: What to say of it beside the scores.
        device: auto, cpu, cuda or mps.
        resources: Decoders and progress.

    Returns:
        The scores.

    Raises:
        InputError: The folder is no model, or gives no probabilities to leave images open by, there is no such device
            here, or no image can be used.
        ImageSetError: The images are of classes that the model does not know.
    """
    find_device(device)  # a mistake in a word should not cost an inspection
    config, asked = read_config(model_folder), asked or Asked()
    check_threshold(model_folder, config, asked.below)
    say_if_none_is_marked(model_folder, config, asked.unlike, resources.progress)
    class_of = {_composed(name): place for place, name in enumerate(config["label_names"])}
    with listed_images(source, progress=resources.progress) as table:
        part: Literal["all", "test"] = "test" if "test" in table.given_splits() else "all"
        _check_classes(_labels(table, part), class_of, source)
        geometry = geometry_of(card_from(config[OUR_KEY]["card"]))
        whole = read_images_to_score(table, pool=resources.pool, progress=resources.progress, geometry=geometry)
    marking = asked.unlike is not None
    whole, predictions = _predicted(model_folder, whole, part, device, resources, with_likeness=marking)
    images = whole.part("test") if part == "test" else whole
    if not images.images:
        msg = f"No image of the test part of {as_written(source)} can be used. Give images that can be read."
        raise ImageSetError(msg)
    labels = np.array([class_of[_composed(image.label)] for image in images.images])
    scored = Scored(images=images, labels=labels, predictions=predictions, part=part)
    if asked.rows is not None:
        text = image_rows(scored, _shown_root(source, whole), unlike=asked.unlike)
        write_bytes(asked.rows, text.encode("utf-8", "surrogateescape"), new=True)
    found = _known_photos(model_folder, images)
    whole = replace(whole, findings=(*found, *whole.findings))
    return evaluation(scored, whole, model=model_folder, source=source, asked=asked)


def _known_photos(model_folder: Path, images: ImageSet) -> tuple[Finding, ...]:
    """That the model has learned from photos that it is scored on, where it has."""
    learned = trained_on(model_folder, [image.sha256 for image in images.images])
    known = [image.name for image, has in zip(images.images, learned, strict=True) if has]
    if not known:
        return ()
    sentence = (
        f"The model has learned from {len(known):,} of the {count(len(learned), 'photo')} that are scored: this score "
        "says nothing of new photos."
    )
    return (finding(LEARNED, sentence, "Score it on photos that it has not seen.", images=known),)


def _predicted(
    model_folder: Path, whole: ImageSet, part: str, device: str, resources: Resources, *, with_likeness: bool
) -> tuple[ImageSet, Predictions]:
    """What the model says of the part, and all images without those that can suddenly be read no more."""
    images = whole.part("test") if part == "test" else whole
    predictions = predict_images(
        model_folder,
        [image.path for image in images.images],
        pool=resources.pool,
        progress=resources.progress,
        device=find_device(device),
        cache=resources.cache,
        with_likeness=with_likeness,
    )
    lost = {item.name: item.reason for item in predictions.set_aside}
    kept = tuple(image for image in whole.images if str(image.path) not in lost)
    aside = tuple(
        SetAside(name=image.name, reason=lost[str(image.path)], sha256=image.sha256)
        for image in whole.images
        if str(image.path) in lost
    )
    return replace(whole, images=kept, set_aside=(*whole.set_aside, *aside)), predictions


def evaluation(scored: Scored, whole: ImageSet, *, model: Path, source: Path, asked: Asked) -> EvaluateRecord:
    """The scores as plain data.

    Args:
        scored: What is scored.
        whole: All images of the source.
        model: Folder of the model.
        source: What the user named.
        asked: What to say beside the scores.

    Returns:
        The record. Where images have groups, whole groups are the draws of all intervals.
    """
    labels, predicted, names = scored.labels, scored.predicted, scored.predictions.class_names
    groups = scored.groups
    cells = confusion(labels, predicted, len(names))
    return EvaluateRecord(
        model=str(model),
        source=as_written(source),
        part=scored.part,
        images=whole.counts,
        groups=len({*groups} - {""}),
        classes=names,
        scored=len(labels),
        right=int((labels == predicted).sum()),
        accuracy=accuracy(labels, predicted),
        interval=accuracy_interval(labels == predicted, groups, seed=SEED),
        balanced_accuracy=balanced_accuracy(labels, predicted),
        log_loss=_log_loss(scored),
        abstaining=_curve(scored),
        asked=None if asked.below is None else _abstaining(scored, asked.below),
        unfamiliar=_unfamiliar(scored, asked.unlike),
        per_class=scores_by_class(labels, predicted, len(names), groups, seed=SEED),
        confusion=tuple(tuple(row) for row in cells.tolist()),
        confusions=tuple(
            Confused(given=names[given], predicted=names[taken], images=images)
            for given, taken, images in largest_confusions(cells)
        ),
        mistakes=surest_mistakes(scored, _shown_root(source, whole), number=asked.mistakes),
        set_aside=whole.set_aside,
        duplicates=whole.duplicates,
        skipped=dict(whole.skipped),
        findings=whole.findings,
    )


def _curve(scored: Scored) -> tuple[Abstaining, ...]:
    known = scored.predictions.gives_probabilities
    return tuple(_abstaining(scored, below) for below in PROBABILITIES) if known else ()


def _abstaining(scored: Scored, below: float) -> Abstaining:
    kept = sure_from(scored.sureness, below)
    return Abstaining(below=below, answered=answered(kept, scored.right, scored.groups, seed=SEED))


def _unfamiliar(scored: Scored, share: float | None) -> Unfamiliar | None:
    marked = scored.marked(share)
    if share is None or marked is None:
        return None
    unlike, others = (answered(rows, scored.right, scored.groups, seed=SEED) for rows in (marked, ~marked))
    return Unfamiliar(share=share, marked=unlike, others=others)


def _log_loss(scored: Scored) -> float | None:
    return log_loss(scored.labels, scored.probabilities) if scored.predictions.gives_probabilities else None


def surest_mistakes(scored: Scored, root: Path, *, number: int) -> tuple[Mistake, ...]:
    """The images that the model takes for something else with the highest probability or decision score.

    Args:
        scored: What is scored.
        root: The folder that names are relative to.
        number: How many, at most.

    Returns:
        The surest first; equally sure ones by name.
    """
    predicted, sureness, names = scored.predicted, scored.sureness, scored.predictions.class_names
    wrong = np.flatnonzero(predicted != scored.labels)
    order = wrong[np.argsort(-sureness[wrong], kind="stable")][:number]
    measure = "probability" if scored.predictions.gives_probabilities else "score"
    return tuple(
        Mistake(
            path=as_written(root / scored.images.images[row].name),
            given=names[scored.labels[row]],
            predicted=names[predicted[row]],
            **{"probability": None, "score": None, measure: round(float(sureness[row]), 6)},
        )
        for row in order
    )


def image_rows(scored: Scored, root: Path, *, unlike: float | None = None) -> str:
    """A table of every image that is scored, as CSV.

    Args:
        scored: What is scored.
        root: The folder that names are relative to.
        unlike: Share of photos like those in training that are marked as unlike them.

    Returns:
        The columns path, given, predicted, probability (or score, with an SVM as the head) and right (1 or 0); likeness
        and unlike (1 or 0), if the model marks.
    """
    names, marked = scored.predictions.class_names, scored.marked(unlike)
    measure = "probability" if scored.predictions.gives_probabilities else "score"
    columns = zip(scored.images.images, scored.labels, scored.predicted, scored.sureness, strict=True)
    rows: list[tuple[str, ...]] = [
        (as_written(root / image.name), names[given], names[taken], f"{sure:.6f}", str(int(given == taken)))
        for image, given, taken, sure in columns
    ]
    heading: tuple[str, ...] = ("file", "given", "predicted", measure, "right")
    like = scored.predictions.likeness
    if marked is not None and like is not None:
        heading += ("likeness", "unlike")
        rows = [(*row, f"{each:.6f}", str(int(mark))) for row, each, mark in zip(rows, like, marked, strict=True)]
    return csv_text([heading, *rows])


def _labels(table: ImageTable, part: str) -> set[str]:
    return {candidate.label for candidate in table.candidates() if part in {"all", candidate.split}}


def _check_classes(found: Collection[str], class_of: Collection[str], source: Path) -> None:
    """Refuse images of classes that the model does not know: each would be a mistake that says nothing."""
    unknown = sorted(name for name in found if _composed(name) not in class_of)
    if unknown:
        said = "is no class" if len(unknown) == 1 else "are no classes"
        msg = (
            f"{_names(unknown)} {said} of the model. The images in {as_written(source)} are of {_names(sorted(found))}"
            f"; the model knows {_names(list(class_of))}. Rename or remove what the model does not know."
        )
        raise ImageSetError(msg)


def _names(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    shown = ", ".join(map(repr, names[:_NAMED]))
    return f"{shown} and {more:,} more {plural('class') if more > 1 else 'class'}" if more > 0 else shown


def _composed(name: str) -> str:
    """A class name as one file system or another writes its accents."""
    return unicodedata.normalize("NFC", name)


def _shown_root(source: Path, images: ImageSet) -> Path:
    """What people see in front of names: the source as they wrote it, where that leads to photos."""
    if scheme_of(source) or is_pattern(source) or is_range(source):
        return images.root
    source = source.expanduser()
    return source if source.is_dir() else source.parent
