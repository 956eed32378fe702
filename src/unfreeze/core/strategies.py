"""The identity of a strategy: a value that nothing but itself decides; its label and its words are made from it.

`KINDS` is the catalogue of what there is. A new kind of strategy is a row there, and a function in
`strategies.catalogue` that makes it ready to run.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from unfreeze.core.errors import InputError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

Kind = Literal["probe", "head", "unfreeze", "full", "scratch"]
Loss = Literal["softmax", "svm"]
Taps = Literal["last", "best", "all"]


@dataclass(frozen=True, kw_only=True)
class KindRow:
    """What is known of all strategies of one kind.

    Attributes:
        rank: Place among the kinds, from cheap to expensive.
        label: Of a strategy, short, from its fields; unique.
        plain: The same for who has never read of codes and taps; unique.
        in_words: The strategy as part of a sentence.
        trains_blocks: Whether more than a linear layer learns.
    """

    rank: int
    label: str
    plain: str
    in_words: Callable[["StrategyId"], str]
    trains_blocks: bool = False


def _probe_in_words(strategy: "StrategyId") -> str:
    return f"the {strategy.label}" if strategy.loss else f"the linear classifier on {_TAPS_IN_WORDS['all']}"


def _blocks_in_words(strategy: "StrategyId") -> str:
    return "unfreezing the last block" if strategy.blocks == 1 else f"unfreezing the last {strategy.blocks} blocks"


_LAYERS = {"last": "last layer", "best": "best layer", "all": "all layers"}
_TAPS_IN_WORDS = {"last": "the last codes", "best": "the best tap", "all": "all taps"}
KINDS: MappingProxyType[Kind, KindRow] = MappingProxyType(
    {
        "probe": KindRow(rank=0, label="{loss} on {where}", plain="linear, {layers}", in_words=_probe_in_words),
        "head": KindRow(rank=1, label="head", plain="last layer, trained", in_words=lambda _: "the head alone"),
        "unfreeze": KindRow(
            rank=2,
            label="unfreeze {blocks}",
            plain="last {blocks} blocks",
            in_words=_blocks_in_words,
            trains_blocks=True,
        ),
        "full": KindRow(
            rank=3,
            label="full",
            plain="everything",
            in_words=lambda _: "fine-tuning the whole network",
            trains_blocks=True,
        ),
        "scratch": KindRow(
            rank=4,
            label="scratch",
            plain="everything, from scratch",
            in_words=lambda _: "training from scratch",
            trains_blocks=True,
        ),
    }
)


@dataclass(frozen=True)
class StrategyId:
    """Which strategy.

    Attributes:
        kind: probe (a linear classifier on codes), head, unfreeze (some last blocks too), full or scratch.
        blocks: How many last blocks learn (unfreeze only).
        loss: softmax or svm (probes only); None for the one on all taps, which takes what its folds say.
        taps: Which codes a probe reads: the last ones, the best ones by cross-validation, or all of them joined.
    """

    kind: Kind
    blocks: int | None = None
    loss: Loss | None = None
    taps: Taps | None = None

    def __post_init__(self) -> None:
        """Refuse fields that do not belong to the kind: that would be our own mistake."""
        assert (self.blocks is not None) == (self.kind == "unfreeze"), self.kind  # noqa: S101
        assert (self.taps is not None) == (self.kind == "probe"), self.kind  # noqa: S101
        assert (self.loss is not None) == (self.taps in {"last", "best"}), self.taps  # noqa: S101

    @property
    def key(self) -> str:
        """What stands for it in documents, and what the parser reads: ``softmax-last``, ``head``, ``unfreeze-2``."""
        if self.kind == "probe":
            return f"{self.loss or 'linear'}-{self.taps}"
        return self.kind if self.blocks is None else f"{self.kind}-{self.blocks}"

    @property
    def stream(self) -> str:
        """Name of its stream of random numbers. Fixed for good: another name would give other results."""
        return self.key.replace("-", " ")

    @property
    def label(self) -> str:
        """What tables call it."""
        where = _TAPS_IN_WORDS.get(self.taps or "", "")
        return KINDS[self.kind].label.format(loss=self.loss or "linear", where=where, blocks=self.blocks)

    @property
    def plain(self) -> str:
        """What the answer and the terminal call it, for who knows photos and not networks."""
        if self.blocks == 1:
            return "last block"
        layers = _LAYERS.get(self.taps or "", "")
        by_svm = " (SVM)" if self.loss == "svm" else ""
        return KINDS[self.kind].plain.format(layers=layers, blocks=self.blocks) + by_svm

    @property
    def quoted(self) -> str:
        """The same between quotation marks, since it may have a comma in it: what sentences of a race call it."""
        return f"“{self.plain}”"

    @property
    def in_words(self) -> str:
        """What sentences call it."""
        return KINDS[self.kind].in_words(self)

    @property
    def rank(self) -> tuple[int, int, int]:
        """Its place from cheap to expensive: linear classifiers, the head, the last blocks, everything."""
        taps = get_args(Taps).index(self.taps) if self.taps else 0
        losses = get_args(Loss).index(self.loss) if self.loss else 0
        return KINDS[self.kind].rank, self.blocks or taps, losses

    @property
    def trains_blocks(self) -> bool:
        """Whether more than a linear layer learns: then it takes time that matters."""
        return KINDS[self.kind].trains_blocks

    @property
    def is_deeper(self) -> bool:
        """Whether it trains more than the head and starts from the pretrained weights."""
        return self.kind in {"unfreeze", "full"}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        """In documents it is its key."""
        from pydantic_core import core_schema as schemas

        text = schemas.str_schema(strict=True)
        return schemas.json_or_python_schema(
            json_schema=schemas.no_info_after_validator_function(parse_strategy, text),
            python_schema=schemas.is_instance_schema(cls),
            serialization=schemas.plain_serializer_function_ser_schema(lambda known: known.key, return_schema=text),
        )


SOFTMAX_ON_LAST = StrategyId("probe", loss="softmax", taps="last")
SVM_ON_LAST = StrategyId("probe", loss="svm", taps="last")
SOFTMAX_ON_BEST = StrategyId("probe", loss="softmax", taps="best")
SVM_ON_BEST = StrategyId("probe", loss="svm", taps="best")
LINEAR_ON_ALL = StrategyId("probe", taps="all")
HEAD = StrategyId("head")
FULL = StrategyId("full")
SCRATCH = StrategyId("scratch")


def unfreeze(blocks: int) -> StrategyId:
    """The last `blocks` blocks and the head."""
    return StrategyId("unfreeze", blocks=blocks)


_WORDS = {
    known.key: known
    for known in (SOFTMAX_ON_LAST, SVM_ON_LAST, SOFTMAX_ON_BEST, SVM_ON_BEST, LINEAR_ON_ALL, HEAD, FULL, SCRATCH)
} | {"0": HEAD, "all": FULL}
_BLOCKS = re.compile(r"(?:unfreeze[- ])?([1-9]\d{0,3})")


def parse_strategy(word: str | int, *, option: str = "strategy") -> StrategyId:
    """The strategy that a word stands for: on the command line, in Python and in documents alike.

    Args:
        word: ``head`` (or 0), a number of blocks (``2``, ``unfreeze-2``), ``full`` (or ``all``), ``scratch``, or a
            linear classifier: ``softmax-last``, ``svm-last``, ``softmax-best``, ``svm-best``, ``linear-all``.
        option: What the word was given for, named in the error.

    Returns:
        The strategy.

    Raises:
        InputError: The word stands for none.

    Example:
        >>> parse_strategy("2") == parse_strategy("unfreeze-2") == unfreeze(2)
        True
    """
    text = str(word).strip().lower()
    known = _WORDS.get(text) or next((one for one in _WORDS.values() if one.label == text), None)
    if known is not None:
        return known
    blocks = _BLOCKS.fullmatch(text)
    if blocks is None:
        msg = (
            f"{option} takes head, a number of blocks, full, scratch, or a linear classifier "
            f"({', '.join(key for key, one in _WORDS.items() if one.kind == 'probe')}). Got {word!r} instead."
        )
        raise InputError(msg)
    return unfreeze(int(blocks[1]))


def parse_strategies(words: Iterable[str | int], *, option: str = "strategies") -> tuple[StrategyId, ...]:
    """The strategies that words stand for, each once, from cheap to expensive; see `parse_strategy`."""
    return tuple(sorted({parse_strategy(word, option=option) for word in words}, key=lambda strategy: strategy.rank))
