"""Which folders are the parts of a split, by their names and by the names of the folders in them. Nothing is opened."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

_KINDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "tests", "holdout", "heldout"), "test"),
    **dict.fromkeys(("eval", "evaluation"), "eval"),
}
# The same in other languages, in small letters and without accents: German, French, Spanish, Italian, Portuguese,
# Dutch, Polish, Turkish, Russian, Chinese (both scripts), Japanese, Korean.
_ELSEWHERE = {
    **dict.fromkeys(
        ("trainieren", "lernen", "entrainement", "apprentissage", "entrenamiento", "addestramento"), "train"
    ),
    **dict.fromkeys(("treinamento", "treino", "trening", "treningowy", "egitim", "обучение", "тренировка"), "train"),
    **dict.fromkeys(("训练", "训练集", "訓練", "訓練集", "学習", "훈련", "학습"), "train"),
    **dict.fromkeys(("validierung", "validacion", "validazione", "convalida", "validacao", "validatie"), "val"),
    **dict.fromkeys(("walidacja", "dogrulama", "валидация", "验证", "验证集", "驗證", "驗證集", "検証", "검증"), "val"),
    **dict.fromkeys(("prufung", "pruefung", "essai", "prueba", "pruebas", "teste", "testes", "prova", "toets"), "test"),
    **dict.fromkeys(("testowy", "тест", "测试", "测试集", "測試", "測試集", "テスト", "테스트"), "test"),
}
# What a name may say beside the part without meaning anything: training_set, Test Images, val2017.
_DECORATIONS = frozenset((
    *("set", "data", "dataset", "split", "part", "folder", "dir", "files", "sample", "samples", "final", "cropped"),
    *("resized", "image", "images", "img", "imgs", "picture", "pictures", "pic", "pics", "photo", "photos"),
))  # fmt: skip
_WORDS = _KINDS | _ELSEWHERE
_GLUED = re.compile(f"({'|'.join(_KINDS)})({'|'.join(sorted(_DECORATIONS))})")
_NUMBERED = re.compile(
    r"((k[-_ ]?)?(fold|split|part|batch|chunk|shard|cv|day|week|year|session|round|site|camera|subset)[-_ .]?)?\d+"
    r"([-_.]\d{1,2}){0,2}",  # a date, or a number
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Part:
    """What a folder is: the part of a split, and its class if the name says that too (``cats_train``).

    Attributes:
        split: ``train``, ``val`` or ``test``.
        label: The class; empty where the folder holds class folders.
    """

    split: str
    label: str = ""


@dataclass(frozen=True)
class _Name:
    kind: str
    rest: str


class TwoForOnePartError(ValueError):
    """Two folders mean the same part; its arguments are their names and the part."""


@lru_cache(maxsize=4096)  # a list says it in each row
def _read(name: str) -> _Name | None:
    """The one word of a name that means a part, and what else the name says, without what means nothing."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFC", name))
    text = re.sub(r"\b(hold|held)[-_ ]?out\b", "holdout", text, flags=re.IGNORECASE)
    words = re.findall(r"[^\W\d_]+", text)
    kinds, rest = [], []
    for word in words:
        bare = _without_accents(word)
        glued = _GLUED.fullmatch(bare)
        plain = glued[1] if glued else bare
        if plain in _WORDS:
            kinds.append(_WORDS[plain])
        elif plain not in _DECORATIONS:
            rest.append(word)
    return _Name(kinds[0], "_".join(rest)) if len(kinds) == 1 else None


def _without_accents(word: str) -> str:
    """In small letters; kana and hangul stay whole, whose marks make other letters."""
    small = word.lower()
    if not any("LATIN" in unicodedata.name(letter, "") for letter in small):
        return small
    return "".join(mark for mark in unicodedata.normalize("NFD", small) if not unicodedata.combining(mark))


def means_a_part(name: str) -> str:
    """Which part the name of a folder means, if it says nothing else.

    Args:
        name: Of the folder.

    Returns:
        train, val, test, or eval (which of the last two depends on what lies beside); empty for anything else.

    Example:
        >>> [means_a_part(name) for name in ("Training_Set", "val2017", "steam_train", "cats")]
        ['train', 'val', '', '']
    """
    read = _read(name)
    return read.kind if read is not None and not read.rest else ""


def part_alone(name: str) -> str:
    """Which part a name means whatever lies beside it: train, val or test; empty for anything else."""
    meant = means_a_part(name)
    return "" if meant == "eval" else meant


def parts_of(names: Sequence[str], holds: Callable[[str], Iterable[str]]) -> Mapping[str, Part]:
    """Which of the folders that lie beside each other are parts of a split.

    Names that mean nothing else (``train``, ``test_images``) are parts if one of them is ``train``, or if there is
    nothing beside them. Others (``seg_train`` and ``seg_test``) are if they hold folders of equal names. Where names
    give a class beside the part (``cats_train``, ``dogs_test``), it is taken from them.

    Args:
        names: Of the folders, without those that hold no photo.
        holds: Names of the folders in one of them.

    Returns:
        Each part by the name of its folder; empty if the folders are classes: one may well be called "train".

    Raises:
        TwoForOnePartError: Two folders mean the same part.

    Example:
        >>> parts_of(["dev", "test", "training"], lambda name: ()).values()
        dict_values([Part(split='val', label=''), Part(split='test', label=''), Part(split='train', label='')])
    """
    known = {name: read for name in names if (read := _read(name)) is not None}
    kinds = {read.kind for read in known.values()}
    if not known or (len(kinds) == 1 and len(names) > 1):
        return {}
    if len(known) == len(names) and _are_crossed(known.values()) and not any(any(holds(name)) for name in names):
        return {name: Part(_split(read.kind, kinds), read.rest) for name, read in known.items()}
    pure = {name: read for name, read in known.items() if not read.rest}
    pure_kinds = {read.kind for read in pure.values()}
    if len(pure) == len(names) or ("train" in pure_kinds and len(pure_kinds) > 1):
        return _each_once(pure)
    return _each_once(known) if _hold_the_same(known, holds) else {}


def _split(kind: str, kinds: Iterable[str]) -> str:
    """A part called "eval" is the test part, unless there is one besides."""
    return kind if kind != "eval" else "val" if "test" in kinds else "test"


def _are_crossed(names: Iterable[_Name]) -> bool:
    """Whether each name gives a class and a part: ``cats_train``, ``cats_test``, ``dogs_train``."""
    by_rest: dict[str, set[str]] = defaultdict(set)
    for name in names:
        by_rest[name.rest].add(name.kind)
    kinds = list(by_rest.values())
    return (
        len(by_rest) > 1 and "" not in by_rest and all("train" in some for some in kinds) and max(map(len, kinds)) > 1
    )


def _hold_the_same(known: Mapping[str, _Name], holds: Callable[[str], Iterable[str]]) -> bool:
    inside = Counter((folded(below), read.kind) for name, read in known.items() for below in holds(name))
    kinds_of = Counter(below for below, _ in inside)
    return any(number > 1 for number in kinds_of.values())


def _each_once(names: Mapping[str, _Name]) -> dict[str, Part]:
    kinds = {read.kind for read in names.values()}
    found: dict[str, str] = {}
    for name, read in names.items():
        split = _split(read.kind, kinds)
        if split in found:
            raise TwoForOnePartError(found[split], name, split)
        found[split] = name
    return {name: Part(split) for split, name in found.items()}


def are_numbered_parts(names: Sequence[str], holds: Callable[[str], Iterable[str]]) -> bool:
    """Whether folders are the numbered parts of one set (``fold_1``, ``2024-05-01``), each with the same class folders.

    Args:
        names: Of the folders.
        holds: Names of the folders in one of them.

    Returns:
        True if all of them are.
    """
    if len(names) < 2 or not all(_NUMBERED.fullmatch(name) for name in names):
        return False
    same = set.intersection(*({folded(below) for below in holds(name)} for name in names))
    return len(same) > 1


def folded(name: str) -> str:
    """A name as systems compare it that take no notice of case or of how accents are encoded."""
    return unicodedata.normalize("NFC", name).casefold()
