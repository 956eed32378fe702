"""Several networks and sizes, measured on the same splits."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unfreeze.core.errors import InputError
from unfreeze.core.settings import EngineSettings
from unfreeze.data.inspection import read_image_set
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.metrics.repeated import FOLDS
from unfreeze.strategies.preparation import prepare
from unfreeze.workflows.screening import automatic_sizes, load_candidates, measure_candidates
from unfreeze.zoo.backbones import load_backbone


def test_automatic_sizes_lie_on_the_grid_and_below_the_networks_own() -> None:
    """Multiples of 32, each once, the own size first; a network of 32 pixels has no smaller one."""
    assert automatic_sizes(224) == (224, 160, 96)
    assert automatic_sizes(32) == (32,)
    for own in range(33, 600, 7):
        first, *smaller = automatic_sizes(own)
        assert first == own
        assert all(size % 32 == 0 and size < own for size in smaller)
        assert smaller == sorted(set(smaller), reverse=True)


def test_one_file_of_weights_does_not_fit_several_networks(tmp_path: Path) -> None:
    """Said before anything is loaded."""
    with pytest.raises(InputError, match="--weights belongs to one network"):
        load_candidates(("lite0", "resnet18"), None, weights=tmp_path / "none.pth")


@pytest.mark.slow
@pytest.mark.parametrize(("within", "measured"), [(1e9, 2), (0.0, 1)])
def test_candidates_share_their_splits_and_what_does_not_fit_is_left_out(
    tmp_path: Path, within: float, measured: int
) -> None:
    """Two sizes of one network on photos that differ in colour: cheapest first, scores of each, a reason without."""
    rng = np.random.default_rng(0)
    for channel, label in enumerate(("red", "green")):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 90, (48, 40, 3), dtype=np.uint8)
            pixels[:, :, channel] += 120
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.png")
    sources = [load_backbone("mobilenetv3_small_050", pretrained=False, size=size) for size in (224, 32)]
    with DecoderPool(workers=1) as pool:
        image_set = read_image_set(tmp_path / "photos", pool=pool, max_bad=0.0)
        resources = Resources(pool=pool, cache=tmp_path / "cache")
        request = EngineSettings(engine="torch", precision="f32")
        preparing = partial(prepare, resources=resources, request=request)
        found = measure_candidates(sources, image_set, preparing, metric="accuracy", within=within)

    assert [source.card.size for source in found.sources] == [32, 224]
    tested = [len(found.task.split(number).test) for number in range(FOLDS)]
    for row, values in found.candidates[:measured]:
        assert [len(one) for one in values] == tested
        assert 0 <= (row.neighbour_accuracy or 0) <= 1
        assert np.isfinite([row.log_maximum_evidence or np.nan, row.h_score or np.nan]).all()
        assert row.note == ""
    for row, values in found.candidates[measured:]:
        assert values == ()
        assert "of the screening are left" in row.note
        assert row.score is None
