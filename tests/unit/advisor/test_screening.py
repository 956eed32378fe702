"""Which network or size is raced."""

import numpy as np
import pytest

from unfreeze.advisor.screening import Scores, choose, screening_sentence, size_finding
from unfreeze.core.records import Screened
from unfreeze.metrics.repeated import Tested

SPLITS, IMAGES = 5, 200


def candidate(name: str, right: float, *, cost: float, parameters: int = 1, shift: int = 0) -> Scores:
    """A candidate that is right on the same share of the images of every fold; `shift` says on which."""
    row = Screened(name=name, backbone=name, size=64, parameters=parameters, seconds_an_image=cost)
    values = ((np.arange(IMAGES) + shift) % IMAGES < right * IMAGES).astype(np.float64)
    return Scores(row=row, values=(values,) * SPLITS)


def chosen(*found: Scores) -> tuple[int, tuple[Screened, ...]]:
    """What is chosen where every fold tests on images of its own."""
    return choose(found, Tested(units=[np.arange(IMAGES) + IMAGES * number for number in range(SPLITS)]))


def test_the_cheapest_within_a_standard_error_is_raced() -> None:
    """One image in 200 more, where many images differ, is within a standard error: the cheap one is raced."""
    place, rows = chosen(candidate("cheap", 0.80, cost=1.0), candidate("costly", 0.805, cost=3.0, shift=100))

    assert place == 0
    assert [row.picked for row in rows] == [True, False]
    assert rows[0].difference == pytest.approx(-0.005)
    assert (rows[1].difference, rows[1].standard_error) == (0.0, 0.0)


def test_a_gain_far_beyond_the_standard_error_is_paid_for() -> None:
    """Thirty points are worth any price; of equal scores the cheaper one is raced."""
    place, rows = chosen(candidate("cheap", 0.6, cost=1.0), candidate("costly", 0.9, cost=9.0))
    assert place == 1
    assert rows[0].difference == pytest.approx(-0.3)

    place, _ = chosen(candidate("costly", 0.9, cost=9.0), candidate("cheap", 0.9, cost=1.0))
    assert place == 1


def test_the_standard_error_is_that_of_the_paired_difference_and_of_no_network() -> None:
    """1.2² (S² + 1/n)/n over n images, whichever place the largest network has."""
    for parameters in ((9, 1, 1), (1, 1, 9)):
        small, other, best = (
            candidate(name, right, cost=1.0, parameters=size)
            for name, right, size in zip("abc", (0.8, 0.7, 0.9), parameters, strict=True)
        )
        _, rows = chosen(small, other, best)
        images = SPLITS * IMAGES
        variance = 0.1 * 0.9 * images / (images - 1)  # a tenth of the images is lost

        assert rows[0].difference == pytest.approx(-0.1)
        assert rows[0].standard_error == pytest.approx(1.2 * ((variance + 1 / images) / images) ** 0.5)


def test_what_was_left_out_is_never_raced_and_says_why() -> None:
    """A candidate without scores keeps its reason, also where the static rule would have taken it."""
    left_out = Scores(
        row=Screened(name="big", backbone="big", size=64, parameters=9, seconds_an_image=9.0, note="no time")
    )
    place, rows = chosen(candidate("small", 0.7, cost=1.0), left_out)

    assert place == 0
    assert (rows[1].score, rows[1].largest, rows[1].picked) == (None, True, False)
    sentence = screening_sentence(rows, "accuracy")
    assert "would have taken big, which was left out" in sentence
    assert "big (no time)" in sentence


def test_the_sentence_names_choice_best_and_static_rule() -> None:
    """The choice with score and cost, the best where it is another, and what the largest network would have given."""
    _, rows = chosen(
        candidate("cheap", 0.80, cost=0.001, parameters=1),
        candidate("best", 0.805, cost=0.003, parameters=2, shift=100),
        candidate("largest", 0.5, cost=0.009, parameters=3),
    )

    assert screening_sentence(rows, "accuracy") == (
        "Screened 3 candidates by a softmax on their last codes: cheap is raced (80.0 %, 1.0 ms per image): the "
        "cheapest within one standard error of best (80.5 %, 3.0 ms per image). The static rule, the largest network, "
        "would have taken largest (-30.0 points). cheap was chosen on splits that also measure it, which flatters it a "
        "little."
    )


def test_small_photos_give_a_finding_and_others_do_not() -> None:
    """Up to half of the input's side."""
    found = size_finding(112, 224)

    assert found is not None
    assert (found.code, found.severity) == ("UF108", "note")
    assert "112 pixels or less on their shorter side and are upscaled to 224" in found.sentence
    assert "--size auto" in found.advice
    assert size_finding(113, 224) is None
