"""Findings: their codes, and what they hold."""

import re
from typing import get_args

import pytest

from unfreeze.core.findings import KINDS, NAMED_IMAGES, Severity, finding


@pytest.mark.parametrize("code", KINDS)
def test_every_code_has_a_severity_and_a_title(code: str) -> None:
    """A code is UF and three digits; its severity is one of the two; its title is a heading, not a sentence."""
    severity, title = KINDS[code]

    assert re.fullmatch(r"UF\d{3}", code)
    assert severity in get_args(Severity)
    assert title[0].isupper()
    assert not title.endswith(".")
    assert finding(code, "Noticed.").severity == severity


def test_codes_stand_in_their_order_and_titles_differ() -> None:
    """A reader finds a code where it belongs, and no two say the same."""
    assert list(KINDS) == sorted(KINDS)
    assert len({title for _, title in KINDS.values()}) == len(KINDS)


@pytest.mark.parametrize(("count", "named"), [(0, 0), (3, 3), (100, 100), (101, 100), (100_000, 100)])
def test_a_finding_names_a_hundred_images_at_most(count: int, named: int) -> None:
    """The first ones, however many there are, without going through all the others."""
    taken = []

    def names() -> object:
        for number in range(count):
            taken.append(number)
            yield f"{number}.jpg"

    found = finding("UF101", "Noticed.", images=names())  # type: ignore[arg-type]

    assert NAMED_IMAGES == 100
    assert found.images == tuple(f"{number}.jpg" for number in range(named))
    assert len(taken) <= named + 1


def test_the_text_is_the_sentence_and_the_advice() -> None:
    """Both on one line, without a blank where there is nothing to do."""
    assert finding("UF105", "Most are small.", "Use larger ones.").text == "Most are small. Use larger ones."
    assert finding("UF105", "Most are small.").text == "Most are small."


def test_an_unknown_code_is_our_own_mistake() -> None:
    """No finding is made of a code that the reference does not have."""
    with pytest.raises(KeyError, match="UF999"):
        finding("UF999", "Noticed.")
