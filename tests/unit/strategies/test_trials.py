"""How the layout and precision of training are chosen."""

from unfreeze.strategies.trials import Timed, fastest

PLAIN = Timed(layout="channels_last", precision="float32", seconds=0.050)


def test_the_fastest_candidate_wins() -> None:
    """The smallest time of three."""
    low = Timed(layout="channels_last", precision="bfloat16", seconds=0.020)

    assert fastest([PLAIN, low, Timed(layout="NCHW", precision="float32", seconds=0.080)]) == low


def test_noise_does_not_choose() -> None:
    """A candidate that is a few per cent faster than one before it does not replace it."""
    assert fastest([PLAIN, Timed(layout="NCHW", precision="float32", seconds=0.047)]) == PLAIN
