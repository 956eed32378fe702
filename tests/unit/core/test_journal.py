"""What a run has decided and measured, kept on disk and read back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unfreeze.core.errors import OutputError
from unfreeze.core.journal import NO_JOURNAL, FileJournal, Journal, MemoryJournal, once
from unfreeze.core.records import TimeForecast
from unfreeze.core.strategies import HEAD

FORECAST = TimeForecast(strategy=HEAD, forecast_seconds=None, seconds=0.1 + 0.2, status="done")


def journal_in(
    folder: Path, elapsed: Callable[[], float] = lambda: 0.0, turn_to: Callable[[float], None] = lambda _: None
) -> FileJournal:
    """A journal on disk; its clock stands and is not turned, unless a test says otherwise."""
    return FileJournal(folder / "state", elapsed=elapsed, turn_to=turn_to)


def test_what_is_kept_is_read_back_by_another_process_and_not_made_again(tmp_path: Path) -> None:
    """A record with a strategy comes back equal, and whoever asks once does not compute it."""
    journal_in(tmp_path).keep("forecast", FORECAST)

    assert journal_in(tmp_path).knows("forecast")
    assert journal_in(tmp_path).kept("forecast", TimeForecast) == FORECAST
    assert once(journal_in(tmp_path), "forecast", TimeForecast, lambda: pytest.fail("made again")) == FORECAST


def test_what_is_not_there_is_made_once_and_kept(tmp_path: Path) -> None:
    """The second time nobody asks for it."""
    made: list[int] = []

    def make() -> int:
        made.append(7)
        return 7

    assert [once(journal_in(tmp_path), "seven", int, make) for _ in range(2)] == [7, 7]
    assert made == [7]


@settings(max_examples=200, deadline=None)
@given(values=st.lists(st.floats(allow_nan=False), max_size=5).map(tuple))
def test_numbers_come_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, values: tuple[float, ...]) -> None:
    """Whatever floats a trial gave, infinity too, they are the same floats after the disk."""
    journal = journal_in(tmp_path_factory.mktemp("journal"))
    journal.keep("values", values)

    assert [value.hex() for value in journal.kept("values", tuple[float, ...])] == [value.hex() for value in values]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other", "deep"])
def test_a_damaged_entry_counts_as_none(tmp_path: Path, damage: str) -> None:
    """Cut off, a digit changed, empty, another document, lists without end: it is made anew."""
    journal = journal_in(tmp_path)
    journal.keep("values", (0.5, 1.5))
    (file,) = (tmp_path / "state").iterdir()
    data = file.read_bytes()
    damaged = {
        "cut": data[:-5],
        "flip": data.replace(b"1.5", b"1.6", 1),
        "empty": b"",
        "other": b"[]",
        "deep": b"[" * 100_000,
    }
    file.write_bytes(damaged[damage])

    assert not journal.knows("values")
    assert once(journal, "values", tuple[float, ...], lambda: (2.5,)) == (2.5,)
    assert journal.kept("values", tuple[float, ...]) == (2.5,)


def test_an_entry_of_another_kind_counts_as_none(tmp_path: Path) -> None:
    """A number is no record."""
    journal = journal_in(tmp_path)
    journal.keep("forecast", 3)

    assert journal.kept("forecast", TimeForecast) is None


def test_reading_back_turns_the_clock_to_when_it_was_made(tmp_path: Path) -> None:
    """Kept after 12.5 seconds, it sets the clock of the next life to 12.5; asking whether it is there does not."""
    turned: list[float] = []
    journal_in(tmp_path, elapsed=lambda: 12.5).keep("seven", 7)
    later = journal_in(tmp_path, turn_to=turned.append)
    later.knows("seven")
    assert turned == []

    later.kept("seven", int)
    later.kept("seven", int)  # time has gone on since

    assert turned == [12.5]


def test_what_this_life_made_leaves_the_clock_alone(tmp_path: Path) -> None:
    """A choice that is looked up again later is no reason to forget the time in between."""
    journal = journal_in(tmp_path, turn_to=lambda _: pytest.fail("turned back"))

    assert [once(journal, "seven", int, lambda: 7) for _ in range(2)] == [7, 7]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "state").write_text("")

    with pytest.raises(OutputError, match="Cannot write"):
        journal_in(tmp_path)


def test_memory_keeps_and_nothing_forgets() -> None:
    """One journal for a process, and one for work that cannot be continued."""
    memory: Journal = MemoryJournal({"seven": 7})
    memory.keep("eight", 8)

    assert [memory.kept(name, int) for name in ("seven", "eight", "nine")] == [7, 8, None]
    assert (memory.knows("eight"), memory.knows("nine")) == (True, False)
    made = iter((1, 2))
    assert [once(NO_JOURNAL, "seven", int, lambda: next(made)) for _ in range(2)] == [1, 2]
    assert not NO_JOURNAL.knows("seven")
