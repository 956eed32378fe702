"""Whether photos are cropped, squashed or padded."""

import numpy as np
import pytest

from unfreeze.advisor.resizing import choose_resize, middle_aspect, not_screened, part_cut_away, resize_sentence
from unfreeze.core.records import ScreenedResize
from unfreeze.core.settings import ResizeWord
from unfreeze.metrics.repeated import Tested

SPLITS, IMAGES = 5, 200


def values(right: float, *, shift: int = 0) -> tuple[np.ndarray, ...]:
    """Right on the same share of the images of every fold; `shift` says on which."""
    return (((np.arange(IMAGES) + shift) % IMAGES < right * IMAGES).astype(np.float64),) * SPLITS


def chosen(usual: ResizeWord = "crop", **found: tuple[np.ndarray, ...]) -> tuple[ScreenedResize, ...]:
    """The rows where every fold tests on images of its own."""
    tested = Tested(units=[np.arange(IMAGES) + IMAGES * number for number in range(SPLITS)])
    return choose_resize(found, usual, tested)  # type: ignore[arg-type]


def test_the_usual_way_stays_within_a_standard_error() -> None:
    """One image in 200 more, where many images differ, does not change how photos are resized."""
    rows = chosen(squash=values(0.805, shift=100), crop=values(0.8), pad=values(0.6))

    assert [row.resize for row in rows] == ["crop", "squash", "pad"]
    assert [row.picked for row in rows] == [True, False, False]
    assert (rows[0].interval, rows[0].standard_error) == (None, None)
    assert rows[1].difference == pytest.approx(0.005)
    assert (rows[1].standard_error or 0) > 0.005


def test_the_best_of_those_that_are_surely_better_is_used() -> None:
    """Two ways gain more than a standard error: the one that gains more; the interval is that of the difference."""
    rows = chosen(crop=values(0.7), squash=values(0.8), pad=values(0.9))
    *_, pad = rows

    assert [row.picked for row in rows] == [False, False, True]
    assert pad.interval is not None
    assert pad.interval.low < pad.difference < pad.interval.high


def test_a_crop_keeps_what_a_square_of_its_side_covers() -> None:
    """A square of 224 from 256 x 341 pixels, by counting pixels; nothing is lost of a square that is shown whole."""
    shown = np.zeros((256, 341))
    shown[16:240, 58:282] = 1

    assert part_cut_away(341 / 256, size=224, resized=256) == pytest.approx(1 - shown.mean())
    assert part_cut_away(1.0, size=224, resized=224) == 0


def test_the_middle_photo_decides_whether_photos_are_square() -> None:
    """Lying or standing does not matter."""
    assert middle_aspect([(30, 20), (20, 30), (20, 20)]) == 1.5


def test_the_sentence_says_what_the_usual_crop_costs() -> None:
    """The gain, the part that was cut away, and what is used instead."""
    rows = chosen(crop=values(0.878), squash=values(0.899), pad=values(0.8))

    sentence = resize_sentence(rows, "accuracy", cut_away=0.43)

    assert sentence.startswith(
        "The whole photo squeezed into the square is recognised 2.0 points better (95 % interval +"
    )
    assert sentence.endswith(
        ") than the usual centre crop, which cuts 43 % of the middle photo away: squash is used. It was chosen on "
        "splits that also measure it, which flatters it a little."
    )


def test_the_sentence_says_that_the_usual_crop_costs_nothing() -> None:
    """With what the others would have given; also where the network's own way is another one."""
    rows = chosen(crop=values(0.8), squash=values(0.805, shift=100), pad=values(0.7))
    assert resize_sentence(rows, "accuracy", cut_away=0.43) == (
        "The usual centre crop, which cuts 43 % of the middle photo away, costs nothing that a probe can tell from "
        "chance (squash +0.5 points and pad -10.0 points): crop is used."
    )

    rows = chosen("squash", crop=values(0.7), squash=values(0.8), pad=values(0.7))
    assert resize_sentence(rows, "log-loss", cut_away=0.43) == (
        "The usual whole photo squeezed into the square is as good as any other way, as far as a probe can tell (crop "
        "-0.100 nats and pad -0.100 nats): it is used."
    )


def test_what_does_not_fit_the_budget_is_said() -> None:
    """What is needed, what there is, and what the user can do."""
    assert not_screened(61.0, 20.0, "crop") == (
        "The photos are not square, and whether crop costs anything was not measured: about 61 s are needed, and 20 s "
        "of the budget are for it. --resize squash or --resize pad can be tried."
    )
