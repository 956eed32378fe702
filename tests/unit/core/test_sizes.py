"""Amounts of storage as people type them."""

import pytest

from unfreeze.core.errors import InputError
from unfreeze.core.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20GB", 20 * 10**9),
        ("1.5 tb", 15 * 10**11),
        ("500M", 5 * 10**8),
        ("8GiB", 2**33),
        ("3k", 3000),
        ("4096", 4096),
        ("12 B", 12),
        ("0", 0),
    ],
)
def test_a_size_is_in_bytes(text: str, size: int) -> None:
    """Prefixes are powers of 1000, with an i of 1024; case and the B do not matter."""
    assert parse_size(text, option="--to") == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1 PB", "1e9", "20iB", "many", "nan"])
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    """The sentence names the option, what was given, and what would do."""
    with pytest.raises(InputError) as caught:
        parse_size(text, option="--to")

    assert str(caught.value) == f"--to must be a size such as 20GB, 500MB, 8GiB or a number of bytes; got {text!r}."
