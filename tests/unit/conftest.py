"""Tasks without photos, for tests of what only reads labels."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from unfreeze.data.image_set import Image, ImageSet
from unfreeze.data.tasks import Task, make_task

MakeTask = Callable[..., Task]


def image_set(parts: Sequence[str], groups: Sequence[str] | None = None) -> ImageSet:
    """Images of two classes in turn, each in a part: train, val or test."""
    images = tuple(
        Image(
            path=Path(f"/{i}.png"),
            name=f"{i:04}",
            label="ab"[i % 2],
            sha256=f"{i}",
            width=9,
            height=9,
            mode="L",
            split=part,
            group=groups[i] if groups else "",
        )
        for i, part in enumerate(parts)
    )
    return ImageSet(root=Path("/"), images=images, skipped={})


@pytest.fixture
def make_rows() -> MakeTask:
    """Makes a task of so many images that train and that only report."""

    def build(train: int, test: int = 0, *, val: int = 0, groups: Sequence[str] | None = None, seed: int = 0) -> Task:
        parts = ["train"] * train + ["val"] * val + ["test"] * test
        return make_task(image_set(parts, groups), seed=seed)

    return build
