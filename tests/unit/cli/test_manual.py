"""Manual pages."""

import pytest

from unfreeze.cli import manual

NAMES = (
    *("run", "inspect", "codes", "probe", "tune", "predict", "evaluate", "export", "compare", "sample"),
    *("cache_list", "cache_verify", "cache_repair", "cache_prune", "version"),
)
PAGES = {name: getattr(manual, name.upper()) for name in NAMES}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_a_page_has_examples_and_exit_codes_and_fits_a_terminal(page: str) -> None:
    """Each page begins with one sentence, shows an example, lists the exit codes, and is at most 78 columns wide."""
    first, *_ = page.strip().split("\n\n")
    assert first.endswith((".", ":", "?"))
    assert "Example" in page
    assert manual.EXIT_CODES in page
    assert max(map(len, page.splitlines())) <= 78


def test_what_is_indented_is_kept() -> None:
    """Paragraphs that are indented are marked for the formatter; others are not."""
    assert manual.formatted("One.\n\n  a  b\n  c\n\nTwo.") == "One.\n\n\b\n  a  b\n  c\n\nTwo."
