"""What holding back whole groups of photos costs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unfreeze.core.errors import ImageSetError
from unfreeze.core.progress import SILENT
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.data.tasks import Task, make_task
from unfreeze.workflows.series import held_back, in_series

SERIES, EACH = 24, 8


def image_set(*, grouped: bool) -> ImageSet:
    """Two classes of twelve series, eight photos each."""
    images = tuple(
        Image(
            path=Path(f"/photos/{name}"),
            name=name,
            label=name[0],
            sha256="",
            width=9,
            height=9,
            mode="RGB",
            group=name.split("_")[0] if grouped else "",
        )
        for name in sorted(f"{'ab'[who % 2]}/p{who:02}_{which}.jpg" for who in range(SERIES) for which in range(EACH))
    )
    return ImageSet(root=Path("/photos"), images=images)


def tasks() -> tuple[Task, Task]:
    """Without and with groups."""
    return make_task(image_set(grouped=False), seed=0), make_task(image_set(grouped=True), seed=0)


def codes(of_series: float) -> np.ndarray:
    """Noise, a little of the class, and so much of the series."""
    rng = np.random.default_rng(0)
    _, with_groups = tasks()
    names, series = np.unique(with_groups.groups, return_inverse=True)
    places = rng.standard_normal((len(names), 40)) * of_series
    found = rng.standard_normal((len(series), 40)) + places[series]
    found[:, 0] += 1.5 * with_groups.labels
    return found.astype(np.float32)


def test_photos_of_held_back_series_are_recognised_less_well() -> None:
    """Where codes tell the series, the drop is large and its interval lies below zero."""
    found = held_back(codes(5.0), *tasks(), seconds=np.inf, progress=SILENT)

    assert found is not None
    assert found.by_photo > 0.8
    assert found.by_group < 0.85
    assert found.interval.high < 0


def test_series_that_codes_do_not_tell_cost_nothing() -> None:
    """Where photos of a series are no more alike than others, the interval holds zero."""
    found = held_back(codes(0.0), *tasks(), seconds=np.inf, progress=SILENT)

    assert found is not None
    assert found.interval.low <= 0 <= found.interval.high


def test_without_time_nothing_is_measured() -> None:
    """Fits that would take more than there is are not made."""
    assert held_back(codes(0.0), *tasks(), seconds=0.0, progress=SILENT) is None


def test_guessed_series_become_groups() -> None:
    """Asked for, the series in the names are the groups; without any sign that is refused in one sentence."""
    plain = image_set(grouped=False)

    found = in_series(plain)

    assert len({image.group for image in found.images}) == SERIES
    assert all(image.group.split("_")[0] == image.name.split("_")[0] for image in found.images)
    one_camera = tuple(
        replace(image, name=f"{image.label}/DSC{place:04}.jpg") for place, image in enumerate(plain.images)
    )
    with pytest.raises(ImageSetError, match="Leave out --groups guessed"):
        in_series(replace(plain, images=one_camera))
