"""Progress where there is no terminal."""

import io
from collections.abc import Callable

import pytest

from unfreeze.cli.progress import Lines
from unfreeze.cli.sentences import Sentences
from unfreeze.core.errors import StoppedError
from unfreeze.core.events import Event, Finished, Said, StrategyMeasured
from unfreeze.core.findings import finding
from unfreeze.core.progress import Progress
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import FULL, HEAD, StrategyId


def clock(*times: float) -> Callable[[], float]:
    """A clock that shows these times, one after the other."""
    hands = iter(times)
    return lambda: next(hands)


def printed(*events: Event) -> list[str]:
    """Lines that these events make."""
    stream = io.StringIO()
    lines = Lines(stream)
    for event in events:
        lines(event)
    return stream.getvalue().splitlines()


def measured(strategy: StrategyId, score: float | None, *, splits: int, metric: Metric = "accuracy") -> Event:
    """One more split of a strategy."""
    return StrategyMeasured(strategy=strategy, name=strategy.label, splits=splits, metric=metric, score=score)


def test_a_long_phase_says_where_it_stands() -> None:
    """After ten seconds there is a line with count, rate and time left; at the end one with the total."""
    stream = io.StringIO()
    progress = Progress(Lines(stream, clock=clock(0, 5, 10, 20)))

    with progress.phase("codes", total=100, unit="image") as advance:
        advance(20)
        advance(30)

    assert stream.getvalue().splitlines() == [
        "codes: 50 of 100 images, 5.0 images/s, 10 s left",
        "codes: 50 images in 20 s, 2.5 images/s",
    ]


def test_phases_inside_phases_are_counted_each() -> None:
    """A phase that begins and ends inside another one has its own count and time."""
    stream = io.StringIO()
    progress = Progress(Lines(stream, clock=clock(0, 1, 2, 3, 4, 5)))

    with (
        progress.phase("whole", total=1, unit="fit") as whole,
        progress.phase("part", total=4, unit="image") as part,
    ):
        part(4)
        whole(1)

    assert stream.getvalue().splitlines() == [
        "part: 4 images in 3.0 s, 1.3 images/s",
        "whole: 1 fit in 5.0 s, 5.0 s per fit",
    ]


def test_a_phase_that_is_stopped_claims_nothing() -> None:
    """Of a phase that did not come to its end there is no line that looks as if it had."""
    stream = io.StringIO()
    progress = Progress(Lines(stream))

    def work() -> None:
        with progress.phase("codes", total=100, unit="image") as advance:
            progress.stop.request()
            advance(20)

    with pytest.raises(StoppedError):
        work()

    assert stream.getvalue() == ""


def test_a_strategy_is_news_once() -> None:
    """The first score of each strategy is one line; later ones, and one without a score, are none."""
    assert printed(
        measured(HEAD, 0.9312, splits=1),
        measured(HEAD, 0.9, splits=2),
        measured(FULL, None, splits=1),
        measured(FULL, 0.95, splits=2),
        Finished(picked=HEAD, model="model", stopped=False),
    ) == ["last layer, trained: 93.1 % right so far (1 split)", "everything: 95.0 % right so far (2 splits)"]


@pytest.mark.parametrize(
    ("metric", "line"),
    [
        ("balanced accuracy", "last layer, trained: 21.3 % balanced accuracy so far (1 split)"),
        ("log-loss", "last layer, trained: 0.213 nats log-loss so far (1 split)"),
    ],
)
def test_a_score_has_the_words_of_its_metric(metric: Metric, line: str) -> None:
    """Log-loss is in nats, balanced accuracy is called so."""
    assert printed(measured(HEAD, 0.213, splits=1, metric=metric)) == [line]


def test_a_finding_is_told_with_its_advice() -> None:
    """What was noticed is one line: sentence and advice."""
    stream = io.StringIO()

    Progress(Lines(stream)).notice(finding("UF103", "The classes are unbalanced.", "Look at the balanced accuracy."))

    assert stream.getvalue() == "The classes are unbalanced. Look at the balanced accuracy.\n"


def test_a_name_cannot_steer_the_log() -> None:
    """Line breaks and escapes in what is said are shown, so that one sentence is one line."""
    stream = io.StringIO()

    Progress(Lines(stream)).say("set aside: a\nb\x1b[2J.jpg")

    assert stream.getvalue() == "set aside: a\\u000ab\\u001b[2J.jpg\n"


def test_a_closed_log_does_not_stop_the_work() -> None:
    """If nobody reads standard error any more, the work goes on."""
    stream = io.StringIO()
    stream.close()

    Progress(Lines(stream)).say("hello")


def test_a_sentence_is_told_once() -> None:
    """The second of two equal ones is no news, another one is."""
    sentences = Sentences()
    told = [sentences.of(Said(sentence=said)) for said in ("It is so.", "It is so.", "It is not.")]

    assert told == ["It is so.", "", "It is not."]
