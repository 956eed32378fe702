"""Names, numbers and times for people."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unfreeze.core.records import Interval
from unfreeze.core.wording import (
    amount,
    count,
    difference,
    difference_span,
    duration,
    listed,
    measured_score,
    percent,
    percent_range,
    printable,
    probability,
    rate,
    score,
    score_span,
    storage,
    where,
)


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
    """Fractions are per cents, nouns agree with their number, and bytes have the unit that fits them."""
    assert percent(0.9346) == "93.5 %"
    assert percent_range((0.8889, 0.9621)) == "88.9 to 96.2 %"
    assert (percent(None), percent_range(None)) == ("-", "-")
    assert [count(1, "class"), count(2, "class"), count(1797, "image")] == ["1 class", "2 classes", "1,797 images"]
    assert [storage(size) for size in (0, 350_400_000, 999_900_000, 1_440_000_000)] == [
        "-",
        "350 MB",
        "1.0 GB",
        "1.4 GB",
    ]
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-0.01, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (38.4, "38 s"),
        (119.4, "119 s"),
        (119.6, "2 min"),
        (200, "3 min 20 s"),
        (2160, "36 min"),
        (3900, "65 min"),
        (7200, "2 h"),
        (7229, "2 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_a_time_has_one_form(seconds: float, written: str) -> None:
    """Seconds are the largest sensible units, and a part that is zero is not written."""
    assert duration(seconds) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.0, "under 1 %"), (0.0099, "under 1 %"), (0.01, "1 %"), (0.975, "98 %"), (0.9949, "99 %"), (1.0, "over 99 %")],
)
def test_no_probability_is_certain(value: float, written: str) -> None:
    """Neither 0 % nor 100 % is ever written."""
    assert probability(value) == written


def test_accuracies_are_in_per_cent_and_points() -> None:
    """Fractions become per cents, their differences points with a sign, and a zero is never negative."""
    assert score(0.9123, "accuracy") == "91.2 %"
    assert score_span(Interval(0.889, 0.9351), "balanced accuracy") == "88.9 to 93.5"
    assert difference(0.042, "accuracy") == "+4.2 points"
    assert difference(-0.0001, "accuracy") == "+0.0 points"
    assert difference_span(Interval(-0.011, 0.073), "accuracy") == "-1.1 to +7.3"
    assert difference_span(Interval(-1.3, 0.4), "accuracy") == "-100.0 to +40.0"
    assert [amount(margin, "accuracy") for margin in (0.005, 0.01, 0.02)] == ["0.5 points", "1 point", "2 points"]


def test_log_loss_is_in_nats() -> None:
    """Log-loss and its differences have three decimals and their unit."""
    assert score(0.2134, "log-loss") == "0.213 nats"
    assert score_span(Interval(0.2, 0.25), "log-loss") == "0.200 to 0.250"
    assert difference(-0.0312, "log-loss") == "-0.031 nats"
    assert difference_span(Interval(-0.0001, 0.05), "log-loss") == "+0.000 to +0.050"
    assert amount(0.02, "log-loss") == "0.02 nats"


def test_a_mean_whose_sign_was_turned_is_shown_as_the_loss_it_is() -> None:
    """Where larger is better, a log-loss is negative, and only that is turned back."""
    assert measured_score(-0.2134, "log-loss") == "0.213 nats"
    assert measured_score(0.9123, "accuracy") == "91.2 %"


def test_what_was_not_measured_has_no_number() -> None:
    """A strategy without a score says so, whatever decides."""
    assert score(None, "accuracy") == "not measured"
    assert measured_score(None, "log-loss") == "not measured"


def test_where_without_a_total_has_no_time_left() -> None:
    """An unknown total and a beginning without a rate are said plainly."""
    assert where(0, total=0, unit="epoch", seconds=0) == "0 epochs"
    assert where(3, total=0, unit="epoch", seconds=1.5) == "3 epochs, 2.0 epochs/s"


def test_slow_work_is_told_by_the_time_of_one() -> None:
    """Below one unit a second, the rate is how long one takes, and nothing is left of what is done."""
    assert where(2, total=6, unit="training", seconds=50) == "2 of 6 trainings, 25 s per training, 100 s left"
    assert where(6, total=6, unit="training", seconds=150) == "6 of 6 trainings, 25 s per training"
    assert [rate(64, "image"), rate(1 / 200, "class")] == ["64.0 images/s", "3 min 20 s per class"]
