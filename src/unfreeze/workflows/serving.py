"""A delivered model that stays in memory and answers for photos as they come, as ``unfreeze predict`` would."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from unfreeze.core.cards import Card, card_from
from unfreeze.core.errors import InputError
from unfreeze.core.files import sha256_of
from unfreeze.core.seeing import Grid
from unfreeze.data.squares import geometry_of
from unfreeze.features.classifiers import Form
from unfreeze.features.engines import PrefixEngine
from unfreeze.images.geometry import Geometry, centre
from unfreeze.metrics.class_activation import as_grid, class_activation
from unfreeze.metrics.novelty import CodeCloud, likeness
from unfreeze.workflows.heat_pictures import QUALITY, lit
from unfreeze.workflows.neighbours import Neighbourhood, read_neighbourhood
from unfreeze.workflows.prediction import Predictions, classifier_of, scored_squares
from unfreeze.workflows.thumbnails import webp
from unfreeze.zoo.code_clouds import read_cloud
from unfreeze.zoo.devices import Device
from unfreeze.zoo.model_config import CONFIG, OUR_KEY, README, checked_config, head_weight

REPORT = "report.html"  # of a run, beside its model
LOOKED_SIDE = 256  # pixels of the picture of where it looked
VERSION_DIGITS = 16  # of the SHA-256 of its settings, which hold that of its weights


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadedModel:
    """A model that is ready.

    Attributes:
        version: Changes whenever its weights or its settings do.
        card: Of its network.
        class_names: In the order of its scores.
        gives_probabilities: Whether its scores are logits, not an SVM's margins.
        engine: Runs it; one thread at a time.
        head: Its weights where it reads the means of a map, so that they say which places speak for a class; else None.
        cloud: What it knows of its training photos; None if nothing, or if nobody asks.
        neighbourhood: Training photos that can be shown beside others; None if they are not there.
        card_text: Its model card, Markdown; empty if there is none.
        report: The report of the run that made it, HTML; empty if there is none beside it.
    """

    version: str
    card: Card
    class_names: tuple[str, ...]
    gives_probabilities: bool
    engine: PrefixEngine
    head: Float[np.ndarray, "cls code"] | None
    cloud: CodeCloud | None
    neighbourhood: Neighbourhood | None
    card_text: str
    report: bytes

    @property
    def geometry(self) -> Geometry:
        """What photos become before it sees them."""
        return geometry_of(self.card)


def load_to_serve(
    folder: Path, device: Device, cache: Path | None = None, *, with_likeness: bool = False
) -> LoadedModel:
    """Read a model with all that is served of it; afterwards its folder may be replaced.

    Args:
        folder: Written by a run.
        device: Where it runs.
        cache: Folder of all that is kept; the user's cache if None.
        with_likeness: Whether to say how like those in training photos are, if the model knows.

    Returns:
        The model; it has answered once already, so that the first photo does not wait.

    Raises:
        InputError: The folder is no model, or gives scores that are not finite.
    """
    config = checked_config(folder)
    settings = config[OUR_KEY]
    cloud = read_cloud(folder, settings) if with_likeness else None
    neighbourhood = read_neighbourhood(folder, settings)
    form = Form(batch_size=1, gives_map=True)
    model = LoadedModel(
        version=_version_of(folder),
        card=card_from(settings["card"]),
        class_names=tuple(config["label_names"]),
        gives_probabilities=not settings["margins"],
        engine=classifier_of(folder, settings, device, cache=cache, form=form),
        head=None,
        cloud=cloud,
        neighbourhood=neighbourhood,
        card_text=_bytes_of(folder / README).decode("utf-8", "replace"),
        report=_bytes_of(folder.resolve().parent / REPORT),
    )
    side = model.geometry.side
    (said,) = said_of(model, [np.full((side, side, 3), 127, np.uint8)], name=str(folder))
    return model if said.seen is None else replace(model, head=head_weight(folder, config))


def read_anew(model: LoadedModel, folder: Path) -> LoadedModel | None:
    """A model whose folder has the same weights and settings as before, with its card and report as they are now.

    Args:
        model: From the folder.
        folder: The same; whatever lies there now.

    Returns:
        The model, on the same engine; None if the folder holds another one.

    Raises:
        InputError: The folder is no model.
    """
    checked_config(folder)
    if _version_of(folder) != model.version:
        return None
    text = _bytes_of(folder / README).decode("utf-8", "replace")
    return replace(model, card_text=text, report=_bytes_of(folder.resolve().parent / REPORT))


def _version_of(folder: Path) -> str:
    return sha256_of((folder / CONFIG).read_bytes())[:VERSION_DIGITS]


@dataclass(frozen=True, eq=False)
class Seen:
    """A photo as the network takes it, and its last map of that."""

    pixels: UInt8[np.ndarray, "size size 3"]
    maps: Float[np.ndarray, "code height width"]


@dataclass(frozen=True, eq=False)
class Said:
    """What a model says of a photo: its scores, how like those in training it is, if the model knows, and its code.

    Of a model whose head reads the means of a map, also what is needed to say where it looked.
    """

    scores: Float[np.ndarray, " cls"]
    likeness: float | None
    code: Float[np.ndarray, " code"] | None = None
    seen: Seen | None = None


def said_of(model: LoadedModel, squares: Sequence[UInt8[np.ndarray, "side side 3"]], *, name: str) -> list[Said]:
    """What a model says of photos that were decoded.

    Args:
        model: That is asked.
        squares: As decoders make them by its `geometry`; at least one.
        name: What errors call the model.

    Returns:
        One a photo.

    Raises:
        InputError: A score is not finite.
    """
    places = [Path(str(place)) for place in range(len(squares))]
    found = scored_squares(model.engine, places, squares, model.card, model=f"the model {name}")
    if found.codes is None:
        return [Said(row, None) for row in found.scores]
    shares = [None] * len(squares) if model.cloud is None else likeness(model.cloud, found.codes).tolist()
    size, maps = model.card.size, found.maps
    seen: list[Seen | None] = [None] * len(squares)
    if maps:
        seen = [Seen(centre(one[None], size)[0], its) for one, its in zip(squares, maps, strict=True)]
    return [Said(*one) for one in zip(found.scores, shares, found.codes, seen, strict=True)]


def where_looked(model: LoadedModel, said: Said) -> tuple[Grid, bytes] | None:
    """Which places of a photo speak for the likeliest class.

    Args:
        model: That was asked.
        said: What it said.

    Returns:
        Rows of the map, 0 where nothing speaks for the class and 255 where most does, and the photo as the network
        takes it, bright there, as WebP. None if the head reads anything but means of a map.
    """
    if model.head is None or said.seen is None:
        return None
    grid = as_grid(class_activation(model.head[int(said.scores.argmax())], said.seen.maps))
    photo = Image.fromarray(said.seen.pixels).resize((LOOKED_SIDE, LOOKED_SIDE), Image.Resampling.LANCZOS)
    return grid, webp(Image.fromarray(lit(np.asarray(photo), grid)), QUALITY)


def predictions_of(model: LoadedModel, names: Sequence[str], said: Sequence[Said]) -> Predictions:
    """What a model said, with the names of the photos."""
    rows = np.stack([one.scores for one in said]) if said else np.empty((0, len(model.class_names)), np.float32)
    shares = [one.likeness for one in said if one.likeness is not None]
    like = np.array(shares) if said and len(shares) == len(said) else None
    return Predictions(tuple(names), model.class_names, rows, (), model.gives_probabilities, like)


def name_of(folder: Path) -> str:
    """What a model is called where nobody gave it a name: its folder, or, of ``model/`` of a run, the run's."""
    resolved = folder.resolve()
    return resolved.parent.name if resolved.name == "model" and resolved.parent.name else resolved.name


def checked_names(folders: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    """Models by name.

    Raises:
        InputError: Two have the same name.
    """
    found: dict[str, Path] = {}
    for name, folder in folders:
        if name in found:
            msg = (
                f"Two models are called {name}: {found[name]} and {folder}. Give one of them another name: "
                f"other-name={folder}."
            )
            raise InputError(msg)
        found[name] = folder
    return found


def _bytes_of(path: Path) -> bytes:
    """What a file holds that may be missing."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
