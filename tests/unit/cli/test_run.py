"""What options of a run mean, as they are typed."""

import pytest

from unfreeze.cli.run import parse_backbones, parse_margin, parse_sizes, strategy_words
from unfreeze.core.errors import InputError


def test_one_name_stays_one_and_several_are_each_taken_once() -> None:
    """Spaces and repetitions do not matter, the order does."""
    assert parse_backbones("resnet50") == "resnet50"
    assert parse_backbones("lite1, lite0,lite1") == ("lite1", "lite0")


def test_sizes_are_pixels_or_auto() -> None:
    """One is a number, several are a tuple."""
    assert parse_sizes(None) is None
    assert parse_sizes("auto") == "auto"
    assert parse_sizes("64") == 64
    assert parse_sizes("96, 224") == (96, 224)


@pytest.mark.parametrize("text", ["", "15", "4097", "96,", "small", "-64", "96,auto", "6 4"])
def test_anything_else_is_refused(text: str) -> None:
    """The sentence names what was typed."""
    with pytest.raises(InputError, match="--size takes"):
        parse_sizes(text)


@pytest.mark.parametrize(
    ("text", "points"),
    [("1", 1), ("0.5", 0.5), ("1%", 1), ("1 %", 1), ("0", 0), (".5", 0.5), ("2 points", 2), ("1pp", 1)],
)
def test_a_margin_is_points_however_they_are_written(text: str, points: float) -> None:
    """A per cent sign and the word say what a plain number says."""
    assert parse_margin(text) == points


@pytest.mark.parametrize("text", ["", "-1", "much", "nan", "inf", "1%%", "1,5"])
def test_another_margin_is_refused_in_one_sentence(text: str) -> None:
    """The sentence says what is wanted and what was typed."""
    with pytest.raises(InputError) as caught:
        parse_margin(text)

    assert str(caught.value) == f"--margin takes points of at least 0, such as 1, 0.5 or 0.5%; got {text!r}."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("auto", None),
        ("none", ()),
        ("head", ()),
        ("linear", ()),
        ("Full", ("full",)),
        ("head, 2, full", ("2", "full")),
        ("scratch", ("scratch",)),
    ],
)
def test_strategies_are_what_is_tried_beyond_step_one(text: str, words: tuple[str, ...] | None) -> None:
    """The head and linear classifiers are measured in any case, so that naming them asks for nothing more."""
    assert strategy_words(text) == words


@pytest.mark.parametrize("text", ["all", "everything"])
def test_all_strategies_is_answered_with_what_it_may_mean(text: str) -> None:
    """Both meanings are there to be copied."""
    with pytest.raises(
        InputError, match=rf"--strategies {text} may mean two things.*1,2,4,full,scratch.*--strategies full"
    ):
        strategy_words(text)
