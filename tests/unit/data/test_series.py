"""Series guessed from folders, names and the camera's clock."""

from pathlib import Path

import pytest

from unfreeze.data.image_set import Image
from unfreeze.data.series import guessed_series


def image(name: str, label: str, taken: int | None = None) -> Image:
    """An image that was inspected."""
    return Image(
        path=Path("/photos") / name, name=name, label=label, sha256="", width=9, height=9, mode="RGB", taken=taken
    )


def in_two_classes(names: list[str], taken: list[int] | None = None) -> list[Image]:
    """Images that lie in two classes by turns of four."""
    times = taken or [None] * len(names)
    return [
        image(f"{'ab'[place // 4 % 2]}/{name}.jpg", "ab"[place // 4 % 2], time)
        for place, (name, time) in enumerate(zip(names, times, strict=True))
    ]


@pytest.mark.parametrize(
    ("pattern", "series"),
    [
        ("IMG_{0:04}_{1}", "IMG_0003"),
        ("patient{0:02}_slide{1}", "patient03"),
        ("panel{letter}_r{1}_c4", "panelD"),
        ("scan-{0} ({1})", "scan-3"),
    ],
)
def test_running_numbers_are_taken_off_names(pattern: str, series: str) -> None:
    """Photos whose names differ in their last numbers alone are one series, the largest that leaves enough others."""
    names = [pattern.format(who, which, letter="ABCDEFGH"[who]) for who in range(8) for which in range(4)]

    found = guessed_series(in_two_classes(names))

    assert found is not None
    assert found.number == 8
    assert found.of_image[12] == f"/{series}"
    assert "names" in found.by


@pytest.mark.parametrize(
    "names",
    [
        [f"DSC{number:05}" for number in range(32)],
        [f"{'ab'[number // 4 % 2]}_{number}" for number in range(32)],
        [f"{number:x}e" for number in range(32)],
        [f"one_{number}" if number < 20 else f"s{number // 2}_{number}" for number in range(32)],
    ],
    ids=["one camera", "class names", "nothing common", "one large series"],
)
def test_names_that_tell_of_no_series(names: list[str]) -> None:
    """Numbers of one camera, names of classes, random names and one series of most photos are no series."""
    assert guessed_series(in_two_classes(names)) is None


def test_numbers_that_begin_anew_in_each_class_name_nobody_twice() -> None:
    """Where the same names lie in two classes, a series is one of its class."""
    images = [image(f"{label}/p{who}_{which}.jpg", label) for label in "ab" for who in range(5) for which in range(3)]

    found = guessed_series(images)

    assert found is not None
    assert found.number == 10


def test_folders_below_the_classes_come_first() -> None:
    """Folders below the class folders are series, whatever the photos in them are called."""
    images = [
        image(f"{label}/day{day}/x{which}_{day}.jpg", label) for label in "ab" for day in range(4) for which in range(3)
    ]

    found = guessed_series(images)

    assert found is not None
    assert found.by == "by the folders below the class folders"
    assert set(found.of_image) == {f"{label}/day{day}" for label in "ab" for day in range(4)}


def test_bursts_are_told_by_the_clock() -> None:
    """Photos that follow each other within ten seconds are one series, whatever they are called."""
    names = [f"{number:x}e" for number in range(32)]
    taken = [1000 * (number // 4) + 7 * (number % 4) for number in range(32)]

    found = guessed_series(in_two_classes(names, taken))

    assert found is not None
    assert found.number == 8
    assert "clock" in found.by
