"""Folders of photos as cameras and instruments leave them: RAW beside JPEG, two formats of one photo, 16 bits."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unfreeze.core.errors import ImageSetError
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.splits import split_image_set
from unfreeze.images.geometry import Geometry
from unfreeze.images.levels import WHOLE
from unfreeze.images.pool import DecoderPool


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """Decoders for all tests here."""
    with DecoderPool(workers=1) as pool:
        yield pool


def noise(seed: int, low: int = 0, high: int = 256) -> np.ndarray:
    """Grey of 40 x 40."""
    return np.random.default_rng(seed).integers(low, high, (40, 40))


def save(path: Path, values: np.ndarray, kind: str | None = None) -> None:
    """Write a photo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, kind)


def fill(root: Path) -> None:
    """Two classes of four JPEGs each."""
    for number in range(8):
        save(root / "ab"[number % 2] / f"DSC_{number:04}.JPG", noise(number).astype(np.uint8), "JPEG")


def codes(image_set: ImageSet) -> list[str]:
    """Of the findings."""
    return [found.code for found in image_set.findings]


def test_camera_raw_is_counted_and_never_learned(pool: DecoderPool, tmp_path: Path) -> None:
    """The preview in a RAW file is no photo beside its JPEG: by its name, and by its content under another name."""
    fill(tmp_path)
    for number in range(8):
        save(tmp_path / "ab"[number % 2] / f"DSC_{number:04}.NEF", noise(number)[::2, ::2].astype(np.uint8), "TIFF")
    raw = b"II*\0\x10\0\0\0CR\x02\0" + bytes(60)
    (tmp_path / "a/scan.tif").write_bytes(raw)
    (tmp_path / "a/scan").write_bytes(raw)

    seen = read_image_set(tmp_path, pool=pool)

    assert (len(seen.images), seen.counts.found) == (8, 18)
    assert dict(seen.skipped) == {"camera RAW (not read: export it as JPEG)": 10}


def test_a_list_with_the_camera_s_originals_is_read(pool: DecoderPool, tmp_path: Path) -> None:
    """RAW files that a list names are passed over too, and are no bad files."""
    fill(tmp_path)
    rows = [f"{path.relative_to(tmp_path)},{path.parent.name}" for path in sorted(tmp_path.glob("*/*.JPG"))]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows, *(row.replace("JPG", "CR2") for row in rows)]))
    for path in tmp_path.glob("*/*.JPG"):
        path.with_suffix(".CR2").write_bytes(b"x")

    seen = read_image_set(tmp_path / "list.csv", pool=pool)

    assert (len(seen.images), sum(seen.skipped.values()), seen.set_aside) == (8, 8, ())


def test_one_photo_in_two_formats_stays_on_one_side(pool: DecoderPool, tmp_path: Path) -> None:
    """Equal stems of one folder are a group; others of the same class, or with more in their names, are none."""
    fill(tmp_path)
    for number in range(8):
        save(tmp_path / "ab"[number % 2] / f"DSC_{number:04}.png", noise(100 + number).astype(np.uint8))
    save(tmp_path / "a/DSC_0000_edited.png", noise(200).astype(np.uint8))
    save(tmp_path / "a/DSC_0000.edited.png", noise(201).astype(np.uint8))
    save(tmp_path / "b/DSC_0000.png", noise(202).astype(np.uint8))

    seen = read_image_set(tmp_path, pool=pool)

    groups = {image.name: image.group for image in seen.images}
    assert {name: group for name, group in groups.items() if group} == {
        f"{'ab'[n % 2]}/DSC_{n:04}.{kind}": f"{'ab'[n % 2]}/DSC_{n:04}" for n in range(8) for kind in ("JPG", "png")
    }
    assert "UF118" in codes(seen)
    sides = {image.group: set() for image in seen.images if image.group}
    for image in split_image_set(seen, seed=0).images:
        if image.group:
            sides[image.group].add(image.split)
    assert all(len(side) == 1 for side in sides.values())


@pytest.mark.parametrize(
    ("suffix", "start", "said"),
    [
        (".dcm", b"\0" * 128 + b"DICM", r"20 DICOM \(not read: export it as PNG\)"),
        ("", b"\0" * 128 + b"DICM", r"20 DICOM \(not read: export it as PNG\)"),
        (".mp4", b"\0\0\0\x18ftypmp42", r"20 video \(not read: export frames as JPEG\)"),
        (".pdf", b"%PDF-1.7", r"20 PDF \(not read: export pages as PNG\)"),
        (".nii.gz", b"\x1f\x8b", r"20 NIfTI \(not read: export slices as PNG\)"),
        (".nef", b"MM\0*", r"20 camera RAW \(not read: export it as JPEG\)"),
    ],
    ids=["dicom", "dicom without suffix", "video", "pdf", "packed NIfTI", "raw"],
)
def test_a_folder_of_what_is_not_read_says_what_it_holds(
    pool: DecoderPool, tmp_path: Path, suffix: str, start: bytes, said: str
) -> None:
    """The error names what it saw and what to do, not only what it lacks."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for number in range(10):
            (tmp_path / name / f"{number}{suffix}").write_bytes(start + bytes(60))

    with pytest.raises(ImageSetError, match=said.replace("20 ", "20 skipped: ")):
        read_image_set(tmp_path, pool=pool)


def test_a_narrow_band_of_sixteen_bits_is_a_set_of_photos(pool: DecoderPool, tmp_path: Path) -> None:
    """No photo is removed as a copy; all are scaled by one range, which is said, and which no test photo moves."""
    for number in range(8):
        for split in ("train", "test"):
            low = 30_000 if split == "train" else 60_000
            values = noise(number, low, low + 200).astype(np.uint16)
            save(tmp_path / split / "ab"[number % 2] / f"{number}.png", values)
    geometry = Geometry(40, 40)

    seen = read_image_set(tmp_path, pool=pool, geometry=geometry)

    assert (len(seen.images), seen.duplicates) == (16, ())
    assert seen.levels == pytest.approx((30_000, 30_199), abs=1)
    assert "UF119" in codes(seen)
    shown = Geometry(40, 40, levels=seen.levels)
    for image, square in zip(seen.images, pool.squares([one.path for one in seen.images], shown), strict=True):
        assert isinstance(square, np.ndarray)
        values = np.asarray(Image.open(image.path)).clip(*seen.levels).astype(float)
        wanted = (values - seen.levels[0]) * 255 / (seen.levels[1] - seen.levels[0])
        np.testing.assert_allclose(square[..., 0], wanted, atol=0.501)


def test_photos_of_eight_bits_have_the_whole_range(pool: DecoderPool, tmp_path: Path) -> None:
    """Nothing changes for them, and nothing is said."""
    fill(tmp_path)

    seen = read_image_set(tmp_path, pool=pool)

    assert seen.levels == WHOLE
    assert "UF119" not in codes(seen)
