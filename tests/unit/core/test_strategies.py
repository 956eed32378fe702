"""The identity of a strategy: how it is written, read, ordered and made ready."""

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from unfreeze.core.errors import InputError
from unfreeze.core.strategies import (
    FULL,
    HEAD,
    KINDS,
    LINEAR_ON_ALL,
    SCRATCH,
    SOFTMAX_ON_BEST,
    SOFTMAX_ON_LAST,
    SVM_ON_BEST,
    SVM_ON_LAST,
    Kind,
    StrategyId,
    parse_strategies,
    parse_strategy,
    unfreeze,
)
from unfreeze.strategies.catalogue import trained_strategies

# From cheap to expensive: the strategy, what documents, tables and sentences call it.
WRITTEN = (
    (SOFTMAX_ON_LAST, "softmax-last", "softmax on the last codes", "the softmax on the last codes"),
    (SVM_ON_LAST, "svm-last", "svm on the last codes", "the svm on the last codes"),
    (SOFTMAX_ON_BEST, "softmax-best", "softmax on the best tap", "the softmax on the best tap"),
    (SVM_ON_BEST, "svm-best", "svm on the best tap", "the svm on the best tap"),
    (LINEAR_ON_ALL, "linear-all", "linear on all taps", "the linear classifier on all taps"),
    (HEAD, "head", "head", "the head alone"),
    (unfreeze(1), "unfreeze-1", "unfreeze 1", "unfreezing the last block"),
    (unfreeze(2), "unfreeze-2", "unfreeze 2", "unfreezing the last 2 blocks"),
    (unfreeze(12), "unfreeze-12", "unfreeze 12", "unfreezing the last 12 blocks"),
    (FULL, "full", "full", "fine-tuning the whole network"),
    (SCRATCH, "scratch", "scratch", "training from scratch"),
)
EVERY = tuple(strategy for strategy, *_ in WRITTEN)


@pytest.mark.parametrize(("strategy", "key", "label", "in_words"), WRITTEN)
def test_every_kind_has_its_names(strategy: StrategyId, key: str, label: str, in_words: str) -> None:
    """Documents, tables and sentences call each strategy what the documentation calls it."""
    assert (strategy.key, strategy.label, strategy.in_words) == (key, label, in_words)


@pytest.mark.parametrize("strategy", EVERY)
def test_every_name_is_read_back(strategy: StrategyId) -> None:
    """The key and the label of a strategy stand for it, in capitals and with blanks around them too."""
    for name in (strategy.key, strategy.label, strategy.label.upper(), f"  {strategy.key}\n"):
        assert parse_strategy(name) == strategy


@given(st.integers(1, 9999))
def test_every_number_of_blocks_is_read_back(blocks: int) -> None:
    """A number stands for so many blocks, whether it is a number, a word, a key or a label."""
    for word in (blocks, str(blocks), unfreeze(blocks).key, unfreeze(blocks).label):
        assert parse_strategy(word) == StrategyId("unfreeze", blocks=blocks)


@pytest.mark.parametrize(
    ("word", "strategy"), [(0, HEAD), ("0", HEAD), ("all", FULL), ("ALL", FULL), (" Head ", HEAD), (2, unfreeze(2))]
)
def test_short_words_stand_for_strategies(word: str | int, strategy: StrategyId) -> None:
    """No blocks are the head alone, and all of them the whole network."""
    assert parse_strategy(word) == strategy


@pytest.mark.parametrize(
    "word",
    [
        "",
        "-1",
        -1,
        "00",
        "02",
        "1.5",
        "1e3",
        "10000",
        "unfreeze",
        "unfreeze-0",
        "unfreeze--2",
        "softmax",
        "svm-",
        "2 3",
    ],
)
def test_other_words_stand_for_none(word: str | int) -> None:
    """The error names the option, every word that would do, and what was given."""
    with pytest.raises(InputError) as caught:
        parse_strategy(word, option="--unfreeze")

    text = str(caught.value)
    assert text.startswith("--unfreeze takes head, a number of blocks, full, scratch, or a linear classifier ")
    assert "(softmax-last, svm-last, softmax-best, svm-best, linear-all)" in text
    assert text.endswith(f"Got {word!r} instead.")


def test_several_words_are_each_strategy_once_from_cheap_to_expensive() -> None:
    """However often and in whatever order they are named."""
    words: list[str | int] = ["full", "scratch", 10, "unfreeze 2", 2, "all", "0", "svm-last"]

    assert parse_strategies(words) == (SVM_ON_LAST, HEAD, unfreeze(2), unfreeze(10), FULL, SCRATCH)
    assert parse_strategies([]) == ()
    with pytest.raises(InputError, match=r"^strategies takes head"):
        parse_strategies(["nothing"])


def test_ranks_are_from_cheap_to_expensive() -> None:
    """Linear classifiers, the head, blocks by their number, the whole network, and random weights; no two alike."""
    turned = EVERY[::-1]

    assert sorted(turned, key=lambda strategy: strategy.rank) == list(EVERY)
    assert len({strategy.rank for strategy in EVERY}) == len(EVERY)


@pytest.mark.parametrize(
    ("strategy", "stream"),
    [(HEAD, "head"), (unfreeze(1), "unfreeze 1"), (unfreeze(12), "unfreeze 12"), (FULL, "full"), (SCRATCH, "scratch")],
)
def test_streams_of_random_numbers_keep_their_names(strategy: StrategyId, stream: str) -> None:
    """Another name would give other results than earlier versions gave."""
    assert strategy.stream == stream


def test_streams_are_told_apart() -> None:
    """No two strategies share their random numbers."""
    assert len({strategy.stream for strategy in EVERY}) == len(EVERY)


def test_each_kind_has_a_row_and_each_row_a_kind() -> None:
    """The table of kinds covers what the type allows, in the order of its ranks."""
    assert tuple(KINDS) == get_args(Kind)
    assert [row.rank for row in KINDS.values()] == list(range(len(KINDS)))
    assert {strategy.kind for strategy in EVERY} == set(KINDS)


def test_three_kinds_train_blocks_and_two_of_them_are_compared_by_depth() -> None:
    """Training from scratch goes no deeper than the whole network does."""
    assert {strategy.kind for strategy in EVERY if strategy.trains_blocks} == {"unfreeze", "full", "scratch"}
    assert {strategy.kind for strategy in EVERY if strategy.is_deeper} == {"unfreeze", "full"}


@pytest.mark.parametrize(
    ("blocks", "words", "trained"),
    [
        (5, None, [unfreeze(1), unfreeze(2), unfreeze(4), FULL]),
        (4, None, [unfreeze(1), unfreeze(2), FULL]),
        (1, None, [FULL]),
        (3, ("scratch", "head", 2, "svm-last"), [unfreeze(2), SCRATCH]),
        (3, (9,), [unfreeze(9)]),
        (3, ("head",), []),
    ],
)
def test_what_is_trained_beyond_step_one(
    blocks: int, words: tuple[str | int, ...] | None, trained: list[StrategyId]
) -> None:
    """Unasked only depths that the network has below the whole of it; asked, what trains blocks, and all of that."""
    assert trained_strategies(blocks, words) == trained


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("unfreeze", {}),
        ("head", {"blocks": 1}),
        ("full", {"loss": "svm", "taps": "last"}),
        ("probe", {}),
        ("probe", {"loss": "svm"}),
        ("probe", {"taps": "best"}),
    ],
)
def test_fields_belong_to_their_kind(kind: Kind, fields: dict[str, str | int]) -> None:
    """Blocks without a number, a head with one, and half a probe are our own mistakes."""
    with pytest.raises(AssertionError):
        StrategyId(kind, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", EVERY)
def test_in_documents_a_strategy_is_its_key(strategy: StrategyId) -> None:
    """As JSON it is one string, and that string is read back as the same strategy."""
    adapter = TypeAdapter(StrategyId)
    written = adapter.dump_json(strategy)

    assert json.loads(written) == strategy.key
    assert adapter.validate_json(written) == strategy
    assert adapter.validate_python(strategy) is strategy


@pytest.mark.parametrize("written", ["3", "null", "{}", '"softmax"', '["head"]'])
def test_in_documents_nothing_else_is_a_strategy(written: str) -> None:
    """A number, a list or a word that stands for no strategy is refused."""
    with pytest.raises(ValidationError):
        TypeAdapter(StrategyId).validate_json(written)
