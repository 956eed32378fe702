"""Five architectures from five families of timm, from random weights to a trained model that timm loads."""

import importlib
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES = ("test_byobnet", "test_convnext", "test_nfnet", "test_vit", "swiftformer_xs")


@pytest.fixture
def architectures(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark that tries thirty of them."""
    if not BENCHMARKS.is_dir():
        pytest.skip("the benchmarks are not here")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("architectures")


@pytest.mark.parametrize("name", NAMES)
def test_from_random_weights_to_a_model_that_timm_loads(name: str, architectures: Any, tmp_path: Path) -> None:
    """Cuts change nothing, two blocks are trained with their audit, and timm gives the saved model's very scores."""
    row = architectures.tried(name, tmp_path)

    assert row["cuts"] >= 8
    assert row["blocks"] >= 3
    assert row["audit"] is True
    assert row["frozen_tensors"] > 0
    assert row["at_cuts"] == 0.0
    assert row["by_timm"] < 1e-6


def test_every_draw_is_of_another_family(architectures: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed draws the same networks, one a family, and another seed others."""
    monkeypatch.setattr(architectures, "_small", lambda names: names[0])
    drawn = architectures.drawn(30, 0)

    assert drawn == architectures.drawn(30, 0) != architectures.drawn(30, 1)
    assert len({family for family, _ in drawn}) == len({name for _, name in drawn}) == 30
