"""Tables for a terminal."""

from typing import Any

from unfreeze.report.table import add_row, depth_table, plain_table, rendered, strategy_rows, strategy_table


def test_a_row_says_what_was_measured_and_marks_the_pick(document: dict[str, Any]) -> None:
    """The picked strategy's row holds its record's numbers in per cent."""
    head, _ = strategy_rows(document)

    assert (head.accuracy, head.interval, head.balanced, head.time) == ("93.0 %", "88.0 to 96.0 %", "92.5 %", "12 s")
    assert head.picked


def test_what_was_left_out_says_why(document: dict[str, Any]) -> None:
    """A strategy without a measurement has dashes, and the reason in place of what was trained."""
    _, full = strategy_rows(document)

    assert (full.accuracy, full.interval, full.time) == ("-", "-", "-")
    assert full.trained == "left out: needs 40 min of 15 min"
    assert not full.picked


def test_a_table_in_a_pipe_has_one_line_per_row_and_no_escapes(document: dict[str, Any]) -> None:
    """Without a terminal, nothing is wrapped, coloured or padded at the end of a line."""
    text = rendered(strategy_table(document))

    assert "\x1b" not in text
    assert len(text.splitlines()) == 2 + len(document["strategies"])
    assert text == "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    assert "head *" in text


def test_a_table_fits_its_terminal(document: dict[str, Any]) -> None:
    """On 60 columns no line is wider than 60 columns."""
    assert max(map(len, rendered(strategy_table(document), width=60).splitlines())) <= 60


def test_the_depth_table_marks_the_best_cross_validated_tap(document: dict[str, Any]) -> None:
    """The star stands at the tap with the best selection accuracy, once per kind of probe."""
    starred = [line for line in rendered(depth_table(document["depth_curve"])).splitlines() if "*" in line]

    assert len(starred) == 2
    assert all(line.startswith("blocks.1") for line in starred)


def test_names_cannot_steer_the_terminal_or_the_markup() -> None:
    """Brackets that look like markup are printed, escapes are shown."""
    table = plain_table("class")
    add_row(table, ["[red]\x1b[31mants[/red]"])

    assert "[red]\\u001b[31mants[/red]" in rendered(table)
