"""Tables for a terminal."""

import re
from dataclasses import replace

import pytest

from example_run import run_record
from unfreeze.core.records import Confirmation, Interval, Outcome, Settling
from unfreeze.core.run_record import RunRecord
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import HEAD, SOFTMAX_ON_LAST
from unfreeze.report.table import (
    add_row,
    answer_table,
    depth_table,
    plain_table,
    rendered,
    resize_rows,
    screening_rows,
    screening_table,
    step_rows,
    strategy_rows,
    strategy_table,
    with_its_test_part,
)


def test_a_row_says_what_was_measured_and_marks_the_pick(record: RunRecord) -> None:
    """The picked strategy's row holds its record's scores in per cent and its cost in units for people."""
    row = next(row for row in strategy_rows(record.strategies, picked=record.picked) if row.picked)

    assert (row.name, row.accuracy, row.interval, row.balanced) == (
        "last 2 blocks",
        "92.1 %",
        "89.1 to 94.6 %",
        "91.6 %",
    )
    assert (row.log_loss, row.splits, row.memory) == ("0.158", "10", "1.4 GB")
    assert (row.time, row.once, row.per_split, row.refit, row.cpu) == (
        "3 min 20 s",
        "50 s",
        "13 s",
        "20 s",
        "6 min 20 s",
    )


def test_what_was_left_out_says_why(record: RunRecord) -> None:
    """A strategy without a measurement has dashes, and the reason in place of what was trained; a dropped one both."""
    *_, dropped, full = strategy_rows(record.strategies, picked=record.picked)

    assert {full.accuracy, full.interval, full.splits, full.time, full.per_split, full.cpu, full.memory} == {"-"}
    assert full.description == "left out: needs 40 min of 15 min"
    assert not full.picked
    assert (
        dropped.description
        == "the last 4 blocks and the head; dropped: after 5 splits it was 2 points behind unfreeze 2"
    )
    assert dropped.splits == "5"


def test_a_score_on_part_of_the_images_stands_apart(record_with_a_lucky_split: RunRecord) -> None:
    """A hundred per cent of one split has a mark and its number of splits, and stands below all whole scores."""
    record = record_with_a_lucky_split
    rows = strategy_rows(record.strategies, picked=record.picked, on_part=record.on_part)

    *whole, lucky, left_out = rows
    assert record.on_part == {HEAD}
    assert (lucky.name, lucky.accuracy, lucky.splits) == ("last layer, trained †", "100.0 %", "1 of 10")
    assert (left_out.name, left_out.accuracy) == ("everything", "-")
    assert len(whole) == 6
    assert not any("†" in row.name or "of" in row.splits for row in whole)


def test_whole_scores_stay_in_the_order_of_the_record(record: RunRecord) -> None:
    """Five splits test as many images as ten: nothing stands apart."""
    rows = strategy_rows(record.strategies, picked=record.picked, on_part=record.on_part)

    assert record.on_part == frozenset()
    assert rows == strategy_rows(record.strategies, picked=record.picked)
    assert [row.name for row in rows] == [outcome.strategy.plain for outcome in record.strategies]


def test_the_table_gives_reasons(record: RunRecord) -> None:
    """It stands alone, so what was dropped says why."""
    reason = "after 5 splits it was 2 points behind unfreeze 2"

    assert f"the last 4 blocks and the head; dropped: {reason}\n" in rendered(strategy_table(record.strategies))


def test_a_step_says_what_it_gains_and_costs_and_what_would_settle_it(record: RunRecord) -> None:
    """Difference, interval and answer are the record's; both costs stand beside; what is settled needs nothing."""
    rows = {(row.first, row.second): row for row in step_rows(record)}
    paid, open_ = rows["last layer, trained", "last 2 blocks"], rows["last block", "last 2 blocks"]

    assert (paid.difference, paid.interval, paid.answer) == ("+4.2 points", "+2.4 to +6.0", "worth it")
    assert paid.cost == "3 min 20 s against 12 s"
    assert paid.settling == ""
    assert open_.settling == "about 300 to 500 more images would probably settle it"


def test_a_step_that_more_splits_would_settle_names_their_budget(record: RunRecord) -> None:
    """Of a run of two minutes, splits of three minutes need six; what is no step has nothing to be settled."""
    settling = Settling(kind="splits", splits=10, seconds=180.0)
    first, second, *others = record.comparisons
    steps = (replace(first, answer="cannot tell", settling=settling), replace(second, answer="same", settling=None))

    open_, same = step_rows(replace(record, comparisons=(*steps, *others), seconds=120.0))[:2]

    assert open_.settling == "10 common splits of the same images would probably settle it (--budget 6m)"
    assert (same.answer, same.settling) == ("same", "")


def test_a_table_in_a_pipe_has_one_line_per_row_and_no_escapes(record: RunRecord) -> None:
    """Without a terminal, nothing is wrapped, coloured or padded at the end of a line."""
    text = rendered(strategy_table(record.strategies))

    assert "\x1b" not in text
    assert len(text.splitlines()) == 2 + len(record.strategies)
    assert text == "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def test_what_using_a_model_takes_stands_where_there_is_room(record: RunRecord) -> None:
    """Size and time of each model on 140 columns; on 80, where lines wrap already, they do not crowd out the scores."""
    table = strategy_table(record.strategies)
    wide, narrow = (rendered(table, width=width) for width in (140, 80))
    line = next(line for line in wide.splitlines() if line.startswith("linear, best layer  "))

    assert re.split(r"  +", line)[-3:-1] == ["2.0 MB", "9.5 ms"]
    assert "16.2 ms" in wide
    assert "MB" not in narrow


def test_models_of_which_nothing_is_known_have_no_columns(record: RunRecord) -> None:
    """A record of an older run is shown as it was."""
    outcomes = [replace(outcome, model_cost=None) for outcome in record.strategies]

    assert "an image" not in rendered(strategy_table(outcomes))


def test_a_tuned_strategy_shows_the_scores_of_its_test_part() -> None:
    """No split measured it, so its row has accuracy, interval and balanced accuracy of the test part."""
    tested = Confirmation(
        accuracy=0.925, interval=Interval(0.801, 0.974), balanced_accuracy=0.9, log_loss=0.25, predictions=(0,) * 40
    )
    tuned = Outcome(strategy=HEAD, description="the head", confirmation=tested)

    (row,) = strategy_rows([with_its_test_part(tuned)])

    assert (row.accuracy, row.interval, row.balanced, row.log_loss) == ("92.5 %", "80.1 to 97.4 %", "90.0 %", "0.250")
    assert with_its_test_part(replace(tuned, confirmation=None)).accuracy is None


def test_a_table_fits_its_terminal(record: RunRecord) -> None:
    """On 60 columns no line is wider than 60 columns."""
    assert max(map(len, rendered(strategy_table(record.strategies), width=60).splitlines())) <= 60


def test_the_depth_table_marks_the_best_cross_validated_tap(record: RunRecord) -> None:
    """The star stands at the tap with the best selection accuracy, once per kind of probe."""
    starred = [line for line in rendered(depth_table(record.depth_curve)).splitlines() if "*" in line]

    assert len(starred) == 2
    assert all(line.startswith("blocks.1") for line in starred)


def test_a_screening_marks_what_was_raced_and_leaves_dashes_for_what_was_not_measured() -> None:
    """Cost is in ms per image, differences and errors in points; what was left out has a reason and no numbers."""
    record = run_record(screened=True)
    raced, smaller, big = screening_rows(record)

    assert raced[:6] == ("tf_efficientnet_lite0 at 224 *", "4,652,008", "12.3", "87.8 %", "+0.0 points", "0 points")
    assert smaller[:6] == ("tf_efficientnet_lite0 at 96", "4,652,008", "3.0", "80.0 %", "-7.8 points", "1.2 points")
    assert smaller[6:] == ("-0.420", "0.640", "70.0 %", "")
    assert set(big[3:9]) == {"-"}
    assert big[9] == "the largest network; about 6 min are needed, and 2 min of the screening are left"
    head, *_ = rendered(screening_table(record)).splitlines()
    assert re.split(r"  +", head)[:4] == ["candidate", "parameters", "ms per image", "probe"]


def test_ways_of_resizing_are_compared_with_the_usual_one() -> None:
    """The usual way has a score alone; the chosen one has a star, and its difference an interval and an error."""
    usual, chosen, other = resize_rows(run_record(screened=True))

    assert usual == ("crop", "87.8 %", "-", "-", "-")
    assert chosen == ("squash *", "89.9 %", "+2.1 points", "+0.5 to +3.7", "0.8 points")
    assert other[0] == "pad"


def test_names_cannot_steer_the_terminal_or_the_markup() -> None:
    """Brackets that look like markup are printed, escapes are shown."""
    table = plain_table("class")
    add_row(table, ["[red]\x1b[31mants[/red]"])

    assert "[red]\\u001b[31mants[/red]" in rendered(table)


@pytest.mark.parametrize("metric", ["accuracy", "balanced accuracy", "log-loss"])
def test_at_80_columns_a_measured_strategy_is_one_line(metric: Metric) -> None:
    """By its plain name; the picked one has a star, and what was left out is not there."""
    record = run_record(metric=metric)
    _, _, *lines = rendered(answer_table(record), width=80).splitlines()
    measured = [outcome.strategy.plain for outcome in record.strategies if outcome.measured]

    assert [line.split("  ")[0].removesuffix(" *") for line in lines] == measured
    assert [line.split("  ")[0] for line in lines if " * " in line] == ["last 2 blocks *"]
    assert "everything" not in measured


def test_what_predicts_the_same_shares_a_line() -> None:
    """The head and the linear classifier on the last layer, where their step says so; their times add up.

    The line has the scores of the first one, also where that was tested on more splits: else both would seem to differ.
    """
    record = run_record()
    first, *others = record.strategies
    record = replace(record, strategies=(replace(first, splits=first.splits + 4), *others))
    same = tuple(
        replace(step, answer="same") if (step.first, step.second) == (SOFTMAX_ON_LAST, HEAD) else step
        for step in record.comparisons
    )
    text = rendered(answer_table(replace(record, comparisons=same)))

    assert "linear, last layer = last layer, trained" in text
    assert len(text.splitlines()) == len(rendered(answer_table(record)).splitlines()) - 1
