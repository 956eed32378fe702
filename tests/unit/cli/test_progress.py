"""Progress where there is no terminal."""

import io
from collections.abc import Callable

from unfreeze.cli.progress import Lines


def clock(*times: float) -> Callable[[], float]:
    """A clock that shows these times, one after the other."""
    hands = iter(times)
    return lambda: next(hands)


def test_a_long_phase_says_where_it_stands() -> None:
    """After ten seconds there is a line with count, rate and time left; at the end one with the total."""
    stream = io.StringIO()
    lines = Lines(stream, clock=clock(0, 5, 10, 20))

    with lines.phase("codes", total=100, unit="image") as advance:
        advance(20)
        advance(30)

    assert stream.getvalue().splitlines() == [
        "codes: 50 of 100 images, 5.0 images/s, 10 s left",
        "codes: 50 images in 20 s, 2.5 images/s",
    ]


def test_a_name_cannot_steer_the_log() -> None:
    """Line breaks and escapes in what is said are shown, so that one call is one line."""
    stream = io.StringIO()

    Lines(stream).say("set aside: a\nb\x1b[2J.jpg")

    assert stream.getvalue() == "set aside: a\\u000ab\\u001b[2J.jpg\n"


def test_a_closed_log_does_not_stop_the_work() -> None:
    """If nobody reads standard error any more, the work goes on."""
    stream = io.StringIO()
    stream.close()

    Lines(stream).say("hello")
