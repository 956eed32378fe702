"""What the service answers, as plain data: OpenAPI is made of these classes."""

import base64
from dataclasses import dataclass
from typing import Any, Literal

from unfreeze.core.documents import Guess, Unlike
from unfreeze.images.decoding import UnreadableImageError
from unfreeze.server.batching import Photo
from unfreeze.server.problems import unreadable
from unfreeze.workflows.prediction import prediction_record
from unfreeze.workflows.serving import LoadedModel, Said, predictions_of, where_looked


@dataclass(frozen=True, kw_only=True)
class PhotoProblem:
    """Why a photo among several has no answer."""

    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class NearPhoto:
    """A photo of the training set that is like the one that was sent.

    Attributes:
        name: As the run names it.
        label: That it was given.
        similarity: Cosine of the angle between their codes, up to 1.
        picture: A small picture of it: WebP in base64.
    """

    name: str
    label: str
    similarity: float
    picture: str


@dataclass(frozen=True, kw_only=True)
class Heat:
    """Where the network looked: which places of the photo speak for its label, by a class activation map.

    Attributes:
        grid: Rows of the map, from top to bottom, over the photo as the network takes it (resized and cropped): 0 where
            nothing speaks for the label, 255 where most does. Empty without a map.
        picture: The photo as the network takes it, bright where most speaks for the label: WebP in base64. Empty
            without a map.
        note: Why there is no map; empty if there is one.
    """

    grid: tuple[tuple[int, ...], ...] = ()
    picture: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class PhotoAnswer:
    """What a model says of one photo.

    Attributes:
        name: As it was sent.
        label: The likeliest class; null if the photo cannot be read.
        probability: Of that class; null of a model that gives scores.
        score: Decision score of that class, of an SVM; else null.
        top: The likeliest classes, as many as were asked for.
        unlike: How unlike all in training it is; null if the model does not know.
        nearest: Training photos most like it, as many as were asked for; none where they are not beside the model.
        heat: Where the network looked; null if that was not asked.
        problem: Why there is no label; null if there is one.
    """

    name: str
    label: str | None
    probability: float | None
    score: float | None
    top: tuple[Guess, ...]
    unlike: Unlike | None = None
    nearest: tuple[NearPhoto, ...] = ()
    heat: Heat | None = None
    problem: PhotoProblem | None = None


@dataclass(frozen=True, kw_only=True)
class PredictAnswer:
    """What a model says.

    Attributes:
        schema: Name and version of this document.
        model: Its name.
        version: Of the model that answered.
        photos: In the order in which they were sent.
    """

    schema: Literal["unfreeze.served/1"] = "unfreeze.served/1"
    model: str
    version: str
    photos: tuple[PhotoAnswer, ...]


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model that is served.

    Attributes:
        name: For the parameter model.
        version: Changes whenever the model does.
        classes: Their names.
        network: What it was made of.
        size: Side of its input in pixels.
        gives_probabilities: Whether it gives probabilities, not scores.
        has_report: Whether the report of its run can be shown.
        has_neighbours: Whether training photos can be shown beside others.
        has_heat: Whether it can be shown where the network looked.
    """

    name: str
    version: str
    classes: tuple[str, ...]
    network: str
    size: int
    gives_probabilities: bool
    has_report: bool
    has_neighbours: bool
    has_heat: bool


@dataclass(frozen=True, kw_only=True)
class ModelList:
    """All models that are served; the first one answers where none is named."""

    models: tuple[ModelEntry, ...]


@dataclass(frozen=True, kw_only=True)
class ModelDocument:
    """A model and its card.

    Attributes:
        model: What it is.
        card: The model card, Markdown.
        licence: Of the weights that it was made of.
    """

    model: ModelEntry
    card: str
    licence: str


@dataclass(frozen=True, kw_only=True)
class ReportTicket:
    """Where a report can be opened, once and soon."""

    address: str


def entry_of(name: str, model: LoadedModel) -> ModelEntry:
    """A model as plain data."""
    return ModelEntry(
        name=name,
        version=model.version,
        classes=model.class_names,
        network=model.card.name,
        size=model.card.size,
        gives_probabilities=model.gives_probabilities,
        has_report=bool(model.report),
        has_neighbours=model.neighbourhood is not None,
        has_heat=model.head is not None,
    )


def answers_of(
    model: LoadedModel,
    photos: tuple[Photo, ...],
    found: list[Said | UnreadableImageError],
    *,
    top: int,
    unlike: float | None = None,
    nearest: int = 0,
    heat: bool = False,
) -> tuple[PhotoAnswer, ...]:
    """Answers to photos: the numbers are those of ``unfreeze predict``.

    Args:
        model: Whose they are.
        photos: That were sent.
        found: Of each, what the model says or why it cannot be read.
        top: How many labels to name per photo, at most.
        unlike: Share of photos like those in training that may be marked as unlike them.
        nearest: How many training photos to show per photo, at most.
        heat: Whether to show where the network looked.

    Returns:
        One a photo.
    """
    rows = [row for row in found if not isinstance(row, UnreadableImageError)]
    names = [photo.name for photo, one in zip(photos, found, strict=True) if not isinstance(one, UnreadableImageError)]
    images = iter(prediction_record(predictions_of(model, names, rows), top=top, unlike=unlike).images)
    answers: list[PhotoAnswer] = []
    for photo, one in zip(photos, found, strict=True):
        if isinstance(one, UnreadableImageError):
            why = unreadable(one.reason)
            problem = PhotoProblem(code=why.code, detail=why.detail)
            answers.append(
                PhotoAnswer(name=photo.name, label=None, probability=None, score=None, top=(), problem=problem)
            )
        else:
            image = next(images)
            answers.append(
                PhotoAnswer(
                    name=photo.name,
                    label=image.label,
                    probability=image.probability,
                    score=image.score,
                    top=image.top,
                    unlike=image.unlike,
                    nearest=_near(model, one, nearest),
                    heat=_heat(model, one) if heat else None,
                )
            )
    return tuple(answers)


def _near(model: LoadedModel, said: Said, count: int) -> tuple[NearPhoto, ...]:
    if model.neighbourhood is None or said.code is None or not count:
        return ()
    return tuple(
        NearPhoto(
            name=one.name,
            label=one.label,
            similarity=round(one.similarity, 4),
            picture=base64.b64encode(one.picture).decode(),
        )
        for one in model.neighbourhood.near(said.code, count)
    )


def _heat(model: LoadedModel, said: Said) -> Heat:
    found = where_looked(model, said)
    if found is None:
        return Heat(note="There is no map: what this model's head reads are not the means of one.")
    grid, picture = found
    return Heat(grid=grid, picture=base64.b64encode(picture).decode())


EXAMPLE: dict[str, Any] = {
    "schema": "unfreeze.served/1",
    "model": "leaves-1",
    "version": "0f3a9c51d2b87e64",
    "photos": [
        {
            "name": "leaf.jpg",
            "label": "oak",
            "probability": 0.971342,
            "score": None,
            "top": [
                {"label": "oak", "probability": 0.971342, "score": None},
                {"label": "maple", "probability": 0.021007, "score": None},
            ],
            "unlike": {"likeness": 0.41, "marked": False},
            "nearest": [],
            "heat": None,
            "problem": None,
        }
    ],
}
