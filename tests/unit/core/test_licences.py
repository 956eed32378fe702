"""Whether what is made with weights may be sold, by the name of their licence."""

import pytest

from unfreeze.core.licences import Sale, may_sell


@pytest.mark.parametrize(
    ("licence", "answer"),
    [
        ("Apache-2.0", "yes"),
        ("mit", "yes"),
        ("bsd-3-clause", "yes"),
        ("BSD-2-Clause", "yes"),
        ("cc0-1.0", "yes"),
        ("cc-by-4.0", "yes"),
        ("cc-by-nc-4.0", "no"),
        ("cc-by-nc-sa-4.0", "no"),
        ("fair-noncommercial-research-license", "no"),
        ("dinov3-license", "read it"),
        ("gpl-3.0", "read it"),
        ("cc-by-sa-4.0", "read it"),
        ("gemma", "read it"),
        ("not mit", "read it"),
        ("unknown", "unknown"),
        ("", "unknown"),
    ],
)
def test_what_a_licence_says_about_selling(licence: str, answer: Sale) -> None:
    """Licences that ask for a notice alone say yes, those against commercial use no, and others have to be read."""
    assert may_sell(licence) == answer
