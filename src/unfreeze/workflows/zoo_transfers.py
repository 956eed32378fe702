"""Entries that come from a zoo, and models that become entries of one."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unfreeze.core.cards import Card, card_from
from unfreeze.core.errors import InputError, UnknownBackboneError, WeightsError
from unfreeze.core.files import disk_errors_explained, make_folder, sha256_of_file
from unfreeze.core.licences import may_sell
from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.run_record import RUN_FILE, read_run
from unfreeze.core.wording import count
from unfreeze.core.zoo_documents import ZooPublishRecord, ZooPullRecord
from unfreeze.core.zoo_entries import CARD, EntryCard, EntryFile, Holds, MeasuredScore, is_entry_name
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.folders import load_model, save_model
from unfreeze.zoo.hub import downloaded
from unfreeze.zoo.imported.folder import is_network_folder
from unfreeze.zoo.kept import OWN, PICKLES, SUFFIXES, check_no_pickle, checked_entry, is_kept, unknown_entry, zoo_folder
from unfreeze.zoo.model_config import CONFIG, OUR_KEY, read_config
from unfreeze.zoo.networks import output_names, parse_name, repository_meant, with_default_tag
from unfreeze.zoo.zoo_places import FolderPlace, NothingThereError, WebPlace, ZooPlace, place_of

_OF_REPOSITORY = ("config.json", "model.safetensors")  # and, where they are there:
_BESIDE = ("README.md", "preprocessor_config.json")


def pull(name: str, *, zoo: str | None = None, rename: str | None = None, progress: Progress = SILENT) -> ZooPullRecord:
    """Bring an entry into the user's zoo; every file is hashed before it is kept.

    Args:
        name: Of an entry of `zoo`; without one, of a network that timm publishes, or of a repository of the Hugging
            Face Hub that holds one model (``hf-hub:OWNER/NAME``).
        zoo: Where it is.
        rename: What it is called here; its own name if None.
        progress: Is told what happens.

    Returns:
        What is kept now.

    Raises:
        UnknownBackboneError: There is no such entry.
        InputError: The zoo does not answer, or what it gives is not what its card says.
        OutputError: The user's zoo cannot be written, or has another entry of that name.
    """
    with disk_errors_explained(zoo_folder()):
        make_folder(zoo_folder(), private=True)
    with disk_errors_explained(zoo_folder()), tempfile.TemporaryDirectory(prefix="unfreeze-pull-") as made:
        folder = Path(made) / "entry"
        if zoo is not None:
            card = _fetched(place_of(zoo), name, _free_name(rename or name), folder, progress)
        elif (repository := repository_meant(name)) is not None:
            card = _of_repository(repository, _free_name(rename or repository.rpartition("/")[2]), folder, progress)
        else:
            card = _of_timm(name, rename, folder, progress)
        new = FolderPlace(str(zoo_folder()), zoo_folder()).publish(card, folder)
    return ZooPullRecord(name=card.name, folder=str(zoo_folder() / card.name), new=new, card=card)


def _free_name(name: str) -> str:
    """A name for an entry: none of a network of a library, whose name means just that network.

    Raises:
        InputError: It cannot be the name of an entry.
    """
    if not is_entry_name(name):
        msg = (
            f"An entry cannot be called {name[:100]!r}: letters, digits, dots, hyphens and underscores, at most 96. "
            "Choose another name with --name."
        )
        raise InputError(msg)
    try:
        parse_name(name)
    except UnknownBackboneError:
        return name
    msg = f"{name} is the name of a network of timm's or torchvision's. Choose another name with --name."
    raise InputError(msg)


def _fetched(place: ZooPlace, name: str, called: str, folder: Path, progress: Progress) -> EntryCard:
    entries = place.index().entries
    if name not in entries:
        raise UnknownBackboneError(unknown_entry(name, list(entries), place.where))
    card = place.card(name, entries[name].card_sha256)
    folder.mkdir()
    for file in card.files:
        progress.say(f"pulling {name}/{file}")
        try:
            place.fetch(card, file, folder / file, progress.stop.check)
        except NothingThereError as error:
            msg = f"The entry {name} in {place.where} cannot be used: {file} is missing. Ask whoever keeps that zoo."
            raise InputError(msg) from error
        check_no_pickle(folder / file, name)
    return replace(card, name=called)


def _of_repository(repository: str, called: str, folder: Path, progress: Progress) -> EntryCard:
    """A repository of the Hub that is one model, not a zoo."""
    folder.mkdir()
    where = f"hf-hub:{repository}"
    for file in (*_OF_REPOSITORY, *_BESIDE):
        progress.say(f"pulling {where}/{file}")
        progress.stop.check()
        try:
            data = downloaded(repository, file, where).read_bytes()
        except NothingThereError as error:
            if file in _BESIDE:
                continue
            msg = (
                f"{where} has no {file}, so nothing of it is kept: only models with safetensors beside their settings "
                "are. Ask its owner to save it so, or choose another."
            )
            raise WeightsError(msg) from error
        (folder / file).write_bytes(data)
    return entry_card(folder, called, source=where)


def _of_timm(name: str, rename: str | None, folder: Path, progress: Progress) -> EntryCard:
    try:
        network = with_default_tag(parse_name(name))
    except UnknownBackboneError as error:
        msg = f"{str(error).removesuffix('.')}. An entry of a zoo is pulled with --zoo PLACE."
        raise UnknownBackboneError(msg) from error
    if network.library != "timm":
        msg = f"{name} is kept by torchvision once it was used (--backbone {name}), in TORCH_HOME. Nothing to pull."
        raise InputError(msg)
    called = str(network) if rename is None else _free_name(rename)
    progress.say(f"pulling {network}")
    backbone = load_backbone(str(network))
    progress.stop.check()
    text = f"---\nlicense: {backbone.card.licence}\n---\n\n# {network}\n\n{backbone.card.source}, kept by unfreeze.\n"
    save_model(folder, backbone, class_names=output_names(backbone.network, backbone.classes), card_text=text)
    return entry_card(folder, called)


@dataclass(frozen=True, kw_only=True)
class PublishSettings:
    """What to publish.

    Attributes:
        model: Folder of a model or of an imported network, or the name of a kept entry.
        target: Folder or address of a zoo; a folder is made.
        name: Of the entry; that of the folder if None.
        licence: Of the weights; what the folder says if None.
        source: Where the weights came from; what the folder says if None.
    """

    model: str
    target: str
    name: str | None = None
    licence: str | None = None
    source: str | None = None


def publish(settings: PublishSettings, *, progress: Progress = SILENT) -> ZooPublishRecord:
    """Make a model an entry of a zoo. No pickle is published.

    Args:
        settings: What, and where.
        progress: Is told what happens.

    Returns:
        What was published.

    Raises:
        InputError: There is no such model, or it cannot be an entry.
        OutputError: The zoo cannot be written, or has another entry of that name.
    """
    folder, own = _model_folder(settings.model)
    place = place_of(settings.target)
    name = _free_name(settings.name or own)
    if isinstance(place, WebPlace):
        raise place.only_read(name)
    progress.say(f"reading {folder}")
    if (folder / CARD).is_file():
        kept = checked_entry(folder)
        licence = settings.licence or kept.licence
        source = settings.source or kept.source
        card = replace(kept, name=name, licence=licence, may_sell=may_sell(licence), source=source)
    else:
        card = entry_card(folder, name, licence=settings.licence, source=settings.source)
    progress.stop.check()
    progress.say(f"publishing {name} to {settings.target}")
    return ZooPublishRecord(zoo=settings.target, new=place.publish(card, folder), card=card)


def _model_folder(model: str) -> tuple[Path, str]:
    """The folder that is meant, and what an entry of it is called."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        if is_kept(model.removeprefix(OWN)):
            return zoo_folder() / model.removeprefix(OWN), model.removeprefix(OWN)
        msg = f"There is no folder {model} of a model, and no kept entry of that name. Check the spelling."
        raise InputError(msg)
    whole = folder.resolve()
    return folder, whole.parent.name if whole.name == "model" else whole.name


def entry_card(folder: Path, name: str, *, licence: str | None = None, source: str | None = None) -> EntryCard:
    """The card of a model that becomes an entry; the model is loaded, so that none is published that cannot be.

    Args:
        folder: Of the model, or of an imported network.
        name: Of the entry.
        licence: Of the weights; what the folder says if None.
        source: Where the weights came from; what the folder says if None.

    Raises:
        InputError: It cannot be loaded, or holds what no entry does.
    """
    files = _files_of(folder, name)
    config = _settings_in(folder)
    card, holds, outputs = _loaded(folder, config)
    classes = _class_names(config)
    licence = licence or card.licence
    return EntryCard(
        name=name,
        network=Path(card.name).name,
        holds=holds,
        source=source or card.source,
        licence=licence,
        may_sell=may_sell(licence),
        size=card.size,
        crop_pct=float(card.crop_pct),
        crop_mode=card.crop_mode,
        interpolation=card.interpolation,
        channels=card.channels,
        scale=float(card.scale),
        mean=_floats(card.mean),
        std=_floats(card.std),
        taps=card.taps,
        parameters=card.parameters,
        outputs=len(classes) or outputs,
        classes=classes,
        measured=_measured(folder),
        files=files,
    )


def _files_of(folder: Path, name: str) -> dict[str, EntryFile]:
    """The files of an entry: settings, weights and texts. A pickle beside safetensors stays behind."""
    there = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink()]
    chosen = [
        path for path in there if path.suffix.lower() in SUFFIXES and is_entry_name(path.name) and path.name != CARD
    ]
    pickled = [path for path in there if path.suffix.lower() in PICKLES]
    if pickled and not any(path.suffix.lower() == ".safetensors" for path in chosen):
        check_no_pickle(pickled[0], name)
    for path in chosen:
        check_no_pickle(path, name)
    return {path.name: EntryFile(sha256=sha256_of_file(path), size=path.stat().st_size) for path in chosen}


def _settings_in(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def _loaded(folder: Path, config: dict[str, Any]) -> tuple[Card, Holds, int]:
    """What the folder holds, and how many scores it gives."""
    if OUR_KEY in config:
        card = card_from(read_config(folder)[OUR_KEY]["card"])
        model, names = load_model(folder)
        if isinstance(model, Backbone):
            return replace(model.card, source=card.source, licence=card.licence), "network", len(names)
        return card, "classifier", len(names)
    backbone = load_backbone(str(folder.resolve()))
    outputs = backbone.classes if is_network_folder(str(folder)) else int(config.get("num_classes") or 0)
    return backbone.card, "network", outputs


def _class_names(config: dict[str, Any]) -> tuple[str, ...]:
    """As our models and timm's name them, or transformers'; empty if they are not named."""
    names: Any = config.get("label_names")
    by_number = config.get("id2label")
    if not isinstance(names, list) and isinstance(by_number, dict):
        try:
            names = [by_number[key] for key in sorted(by_number, key=int)]
        except ValueError:
            names = None
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        return ()
    return tuple(names)


def _floats(values: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _measured(folder: Path) -> tuple[MeasuredScore, ...]:
    """What the run measured that wrote this model: on the user's own test folder if there is one, and on its splits."""
    whole = folder.resolve()
    if not (whole.parent / RUN_FILE).is_file():
        return ()
    try:
        run = read_run(whole.parent)
    except InputError:
        return ()
    outcome = run.outcome_of(run.picked)
    if outcome is None or run.model is None or (whole.parent / run.model).resolve() != whole:
        return ()
    found = []
    if (tested := outcome.confirmation) is not None:
        protocol = f"this model on a test part of {count(len(tested.predictions), 'image')} that trained nothing"
        found.append(_score(tested.accuracy, tested.interval, protocol))
    if outcome.accuracy is not None:
        protocol = (
            f"models trained like this one, on {count(outcome.splits, 'split')} of "
            f"{count(len(run.train_images), 'image')} into a part to train on and one to test on"
        )
        found.append(_score(outcome.accuracy, outcome.interval, protocol))
    return tuple(found)


def _score(accuracy: float, interval: Any, protocol: str) -> MeasuredScore:
    low, high = (None, None) if interval is None else (float(interval[0]), float(interval[1]))
    return MeasuredScore(accuracy=float(accuracy), low=low, high=high, protocol=protocol)
