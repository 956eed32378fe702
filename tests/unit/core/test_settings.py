"""What a run is asked to do."""

import pytest

from unfreeze.core.errors import InputError
from unfreeze.core.settings import EngineSettings


@pytest.mark.parametrize(
    ("engine", "precision", "device"), [("abacus", "auto", "auto"), ("auto", "f8", "auto"), ("auto", "auto", "abacus")]
)
def test_an_unknown_word_is_refused_with_the_known_ones(engine: str, precision: str, device: str) -> None:
    """The error lists what can be chosen."""
    with pytest.raises(InputError, match=r"Choose one of auto, "):
        EngineSettings(engine, precision, device)
