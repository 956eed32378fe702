"""Lists of networks and sizes as they are typed."""

import pytest

from unfreeze.cli.run import parse_backbones, parse_sizes
from unfreeze.core.errors import InputError


def test_one_name_stays_one_and_several_are_each_taken_once() -> None:
    """Spaces and repetitions do not matter, the order does."""
    assert parse_backbones("resnet50") == "resnet50"
    assert parse_backbones("lite1, lite0,lite1") == ("lite1", "lite0")


def test_sizes_are_pixels_or_auto() -> None:
    """One is a number, several are a tuple."""
    assert parse_sizes(None) is None
    assert parse_sizes("auto") == "auto"
    assert parse_sizes("64") == 64
    assert parse_sizes("96, 224") == (96, 224)


@pytest.mark.parametrize("text", ["", "15", "4097", "96,", "small", "-64", "96,auto", "6 4"])
def test_anything_else_is_refused(text: str) -> None:
    """The sentence names what was typed."""
    with pytest.raises(InputError, match="--size takes"):
        parse_sizes(text)
