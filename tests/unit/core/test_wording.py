"""Names and numbers for people."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unfreeze.core.wording import count, duration, percent, percent_range, printable, storage


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_what_is_printable_can_be_printed_on_one_line(text: str) -> None:
    """Any name becomes one line of printable text that UTF-8 can write."""
    shown = printable(text)

    assert shown.encode("utf-8").decode() == shown
    assert len(shown.splitlines()) <= 1
    assert all(character.isprintable() or character.isspace() or ord(character) > 127 for character in shown)


@pytest.mark.parametrize("text", ["\x1b[2Jcat", "a\u202eb", "a\nb\tc", "z\u2066z", "\x9b31m", "a\u2028b"])
def test_an_escape_is_the_one_of_json(text: str) -> None:
    """What steers a terminal or reorders text is shown as JSON writes it."""
    assert printable(text) == json.dumps(text).strip('"').replace("\\n", "\\u000a").replace("\\t", "\\u0009")


@pytest.mark.parametrize("text", ["cat", "Käse", "猫", "می‌خواهم", "[bold]no markup[/bold]", "👩‍👧"])
def test_honest_names_stay_as_they_are(text: str) -> None:
    """Names in any script are not touched, brackets and joiners included."""
    assert printable(text) == text


def test_numbers_are_written_for_people() -> None:
    """Fractions are per cents, seconds are the largest sensible units, nouns agree with their number."""
    assert percent(0.9346) == "93.5 %"
    assert percent_range([0.8889, 0.9621]) == "88.9 to 96.2 %"
    assert (percent(None), percent_range(None)) == ("-", "-")
    assert [duration(seconds) for seconds in (0.44, 9.96, 119.6, 200, 3900, 7500)] == [
        "0.4 s",
        "10 s",
        "2 min 0 s",
        "3 min 20 s",
        "65 min 0 s",
        "2 h 5 min",
    ]
    assert [count(1, "class"), count(2, "class"), count(1797, "image")] == ["1 class", "2 classes", "1,797 images"]
    assert [storage(size) for size in (0, 350_400_000, 999_900_000, 1_440_000_000)] == [
        "-",
        "350 MB",
        "1.0 GB",
        "1.4 GB",
    ]
