"""Small pictures of photos."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unfreeze.workflows import thumbnails as module
from unfreeze.workflows.thumbnails import SIDE, thumbnails


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a wide photo, a tiny one, one on its side, and a file that is none."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 600, 3), np.uint8)
    (tmp_path / "ants").mkdir()
    Image.fromarray(noise).save(tmp_path / "ants" / "wide.jpg")
    Image.fromarray(noise[:8, :8]).save(tmp_path / "ants" / "tiny.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(noise).save(tmp_path / "ants" / "turned.jpg", exif=turned)
    (tmp_path / "ants" / "broken.jpg").write_bytes(b"no photo")
    return tmp_path


def picture(uri: str) -> Image.Image:
    """What a browser would show."""
    kind, _, data = uri.partition(",")
    assert kind == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_pictures_are_small_and_upright(photos: Path) -> None:
    """The longer side has 96 pixels at most, nothing is enlarged, and the camera's rotation is applied."""
    found = thumbnails(photos, ["ants/wide.jpg", "ants/tiny.png", "ants/turned.jpg"])

    sizes = {name: picture(uri).size for name, uri in found.uris.items()}
    assert sizes == {"ants/wide.jpg": (96, 48), "ants/tiny.png": (8, 8), "ants/turned.jpg": (48, 96)}
    assert SIDE == 96
    assert found.note == ""


def test_a_list_has_its_photos_beside_it(photos: Path) -> None:
    """Names are relative to the folder of the list."""
    (photos / "list.csv").touch()

    assert set(thumbnails(photos / "list.csv", ["ants/tiny.png"]).uris) == {"ants/tiny.png"}


def test_photos_that_have_moved_are_counted(photos: Path) -> None:
    """The others are there, and a sentence says how many are not and where they were looked for."""
    found = thumbnails(photos, ["ants/tiny.png", "bees/gone.jpg", "ants/broken.jpg"])

    assert set(found.uris) == {"ants/tiny.png"}
    assert found.note.startswith(f"2 photos of 3 could not be read below {photos}: they have moved or changed")


def test_a_name_that_no_file_can_have_is_one_that_moved(photos: Path) -> None:
    """A name with a null byte, and one without end."""
    found = thumbnails(photos, ["a\x00b.jpg", "x" * 5000])

    assert found.uris == {}
    assert found.note.startswith("2 photos of 2")


def test_pictures_end_where_the_room_does(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo that is shown twice takes its room twice; what has none stands there by its name."""
    names = ["ants/wide.jpg", "ants/wide.jpg", "ants/turned.jpg", "ants/tiny.png"]
    whole = thumbnails(photos, names)
    monkeypatch.setattr(module, "MOST_BYTES", 2 * len(whole.uris["ants/wide.jpg"]) + 300)

    found = thumbnails(photos, names)

    assert set(found.uris) == {"ants/wide.jpg", "ants/tiny.png"}
    assert found.note == "Of 1 of 3 photos there are only names, for lack of room."


def test_pictures_end_where_the_time_does(photos: Path) -> None:
    """With a clock that moves six seconds at every look, the second photo is too late."""
    ticks = iter(range(0, 600, 6))

    found = thumbnails(photos, ["ants/tiny.png", "ants/wide.jpg", "ants/turned.jpg"], clock=lambda: float(next(ticks)))

    assert set(found.uris) == {"ants/tiny.png"}
