"""Times as people type them."""

import pytest

from unfreeze.cli.durations import parse_duration
from unfreeze.core.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("90", 90),
        ("1.5h", 5400),
        ("30d", 2_592_000),
        ("2h 5m 3s", 7503),
        ("15MIN", 900),
        ("10 min", 600),
        ("10 minutes", 600),
        ("1 hour 30 mins", 5400),
        ("2hrs", 7200),
        ("90 sec", 90),
        ("30 days", 2_592_000),
        ("0.5", 0.5),
    ],
)
def test_a_time_is_its_sum_in_seconds(text: str, seconds: float) -> None:
    """Days, hours, minutes and seconds add up; a plain number is seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "-5", "15x", "m", "nan", "inf", "1m1h", "ten"])
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    """The sentence names the option, what was given, and what would do."""
    with pytest.raises(InputError) as caught:
        parse_duration(text)

    assert str(caught.value) == (
        f"--budget must be a time above zero, such as 90s, 15m, 1h30m, 30d or a number of seconds; got {text!r}."
    )
