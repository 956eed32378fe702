"""Photos without classes, for codes alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from unfreeze.core.errors import ImageSetError
from unfreeze.data.inspection import inspected_portions, listed_images
from unfreeze.images.pool import DecoderPool


@pytest.mark.parametrize(("below", "label"), [("photos/ants", ""), ("photos", "ants")])
@pytest.mark.parametrize("number", [1, 3])
def test_one_class_folder_or_none_is_enough_for_codes(
    photo_folder: Callable[..., Path], below: str, label: str, number: int
) -> None:
    """All photos are there, under the name of the one folder, or under none; to learn from, they are refused."""
    source = photo_folder("ants", count=number).parent / below

    with listed_images(source, labelled=False) as table, DecoderPool(workers=1) as pool:
        for _ in inspected_portions(table, pool=pool, labelled=False):
            pass
        found = [(image.label, image.path.name) for image in table.images()]

    assert found == [(label, f"{place:03}.png") for place in range(number)]
    with (
        pytest.raises(ImageSetError, match=r"no class folders|one class only"),
        listed_images(source) as table,
        DecoderPool(workers=1) as pool,
    ):
        list(inspected_portions(table, pool=pool))
