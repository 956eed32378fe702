"""Images as Python programs hold them, against the files that they were opened from."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from PIL import Image, ImageCms

from unfreeze.core.errors import InputError
from unfreeze.images.decoding import UnreadableImageError, decode
from unfreeze.workflows.given_images import image_files, image_list

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)).resize((90, 60))
GREY = PHOTO.convert("L")
PALETTE = PHOTO.convert("P", palette=Image.Palette.ADAPTIVE)
CLEAR = PHOTO.copy()
CLEAR.putalpha(Image.linear_gradient("L").resize(CLEAR.size))
DEEP = Image.fromarray(np.asarray(GREY).astype(np.uint16) * 100)
TURNED = Image.Exif()
TURNED[0x0112] = 6
LAB = ImageCms.profileToProfile(PHOTO, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB")


def encoded(image: Image.Image, form: str, **settings: object) -> bytes:
    """A file."""
    file = io.BytesIO()
    image.save(file, form, **settings)
    return file.getvalue()


def shown(data: bytes) -> str | np.ndarray:
    """Pixels, or why there are none."""
    try:
        return np.asarray(decode(data).image)
    except UnreadableImageError as error:
        return error.reason


FILES = {
    "RGB": encoded(PHOTO, "PNG"),
    "JPEG": encoded(PHOTO, "JPEG"),
    "JPEG, turned by EXIF": encoded(PHOTO, "JPEG", exif=TURNED),
    "PNG, turned by EXIF": encoded(PHOTO, "PNG", exif=TURNED),
    "TIFF, turned by EXIF": encoded(PHOTO, "TIFF", exif=TURNED),
    "WebP with opacity": encoded(CLEAR, "WEBP"),
    "palette": encoded(PALETTE, "PNG"),
    "palette with a transparent colour": encoded(PALETTE, "PNG", transparency=3),
    "GIF": encoded(PALETTE, "GIF", transparency=3),
    "one bit": encoded(GREY.convert("1"), "PNG"),
    "grey": encoded(GREY, "PNG"),
    "grey with a transparent colour": encoded(GREY, "PNG", transparency=GREY.getpixel((3, 3))),
    "RGB with a transparent colour": encoded(PHOTO, "PNG", transparency=PHOTO.getpixel((3, 3))),
    "LA": encoded(CLEAR.convert("LA"), "PNG"),
    "RGBA": encoded(CLEAR, "PNG"),
    "CMYK JPEG": encoded(PHOTO.convert("CMYK"), "JPEG"),
    "CMYK TIFF": encoded(PHOTO.convert("CMYK"), "TIFF"),
    "YCbCr": encoded(PHOTO.convert("YCbCr"), "TIFF"),
    "16 bits PNG": encoded(DEEP, "PNG"),
    "16 bits TIFF": encoded(DEEP, "TIFF"),
    "16 bits PGM": encoded(DEEP, "PPM"),
    "CIE Lab": encoded(LAB, "TIFF"),
    "float": encoded(GREY.convert("F"), "TIFF"),
}
HELD: dict[str, Callable[[Image.Image], Image.Image | None]] = {
    "opened": lambda _: None,
    "loaded": lambda image: image.load() and None,
    "copied": lambda image: image.copy(),
}


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("name", FILES)
def test_a_pillow_image_is_what_its_file_is(name: str, held: str, tmp_path: Path) -> None:
    """Opened, loaded or copied: it shows the same pixels as its file, or is refused for the same reason."""
    opened = Image.open(io.BytesIO(FILES[name]))
    image = HELD[held](opened) or opened

    (path,) = image_files(image_list([image]), tmp_path)

    np.testing.assert_array_equal(shown(path.read_bytes()), shown(FILES[name]))


def test_a_colour_profile_goes_with_the_image(tmp_path: Path) -> None:
    """What the decoder reads is the profile of the image that was given."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.open(io.BytesIO(encoded(PHOTO, "PNG", icc_profile=profile))).copy()

    (path,) = image_files([image], tmp_path)

    assert Image.open(path).info["icc_profile"] == profile


@pytest.mark.parametrize("mode", ["PA", "La", "RGBa", "RGBX", "HSV", "I;16B", "I"])
def test_modes_that_files_seldom_have(mode: str, tmp_path: Path) -> None:
    """They show what Pillow's own conversion shows."""
    if mode.startswith("I"):
        image = Image.fromarray(np.asarray(DEEP).astype({"I;16B": ">u2", "I": np.int32}[mode]))
        wanted = np.repeat(((np.asarray(DEEP).astype(int) * 255 + 32767) // 65535)[..., None], 3, axis=2)
    else:
        source = {"PA": CLEAR.convert("LA"), "La": CLEAR.convert("LA"), "RGBa": CLEAR}.get(mode, PHOTO)
        image = source.convert(mode)
        back = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}.get(mode, "RGB")
        wanted = shown(encoded(image.convert(back), "PNG"))

    (path,) = image_files([image], tmp_path)

    assert image.mode == mode
    np.testing.assert_array_equal(shown(path.read_bytes()), wanted)


PIXELS = np.asarray(PHOTO)


@pytest.mark.parametrize(
    ("given", "same"),
    [
        (PIXELS, PHOTO),
        (PIXELS[:, ::-1], Image.fromarray(np.ascontiguousarray(PIXELS[:, ::-1]))),
        (np.asarray(GREY), GREY),
        (np.asarray(GREY)[..., None], GREY),
        (np.asarray(CLEAR), CLEAR),
        (torch.from_numpy(PIXELS.copy()), PHOTO),
        (torch.from_numpy(PIXELS.copy()).permute(2, 0, 1), PHOTO),
        (torch.from_numpy(np.asarray(GREY).copy())[None], GREY),
        (torch.from_numpy(np.asarray(CLEAR).copy()).permute(2, 0, 1), CLEAR),
    ],
)
def test_arrays_and_tensors_are_what_their_png_is(
    given: np.ndarray | torch.Tensor, same: Image.Image, tmp_path: Path
) -> None:
    """Grey, colour and opacity, channels last or, in a tensor, first."""
    (path,) = image_files([given], tmp_path)

    np.testing.assert_array_equal(shown(path.read_bytes()), shown(encoded(same, "PNG")))


@pytest.mark.parametrize(
    "many",
    [
        ["a", "b"],
        ("a", "b"),
        (name for name in "ab"),
        np.array(["a", "b"]),
        np.array([["a"], ["b"]]),
        np.array([["a"], ["b"]], dtype=object),
        pd.Series(["a", "b"], index=[7, 3]),
        pd.DataFrame({"path": ["a", "b"]}, index=[7, 3]),
    ],
)
def test_lists_and_columns(many: object, tmp_path: Path) -> None:
    """A list, an array, a column and a table of one column name the same images in the same order."""
    assert image_files(image_list(many), tmp_path) == [Path("a"), Path("b")]


@pytest.mark.parametrize("stack", [PIXELS[None], np.asarray(GREY)[None], torch.zeros(1, 3, 5, 5, dtype=torch.uint8)])
def test_a_stack_is_a_list(stack: np.ndarray | torch.Tensor) -> None:
    """The first of four axes, or of three of grey images, is that of the images."""
    assert len(image_list(stack)) == 1


@pytest.mark.parametrize(
    ("one", "named"),
    [
        ("a.png", "the path 'a.png'"),
        (b"data", "a file's bytes"),
        ({"bytes": b"data", "path": "a.png"}, "a file's bytes"),
        (Path("a.png"), "the path 'a.png'"),
        (PHOTO, "a PIL image of 90 x 60 pixels"),
        (PIXELS, r"an array of uint8 of shape \(60, 90, 3\)"),
        (np.asarray(GREY), r"an array of uint8 of shape \(60, 90\)"),
        (torch.zeros(3, 5, 5, dtype=torch.uint8), r"a tensor of uint8 of shape \(3, 5, 5\)"),
    ],
)
def test_one_image_is_no_list(one: object, named: str) -> None:
    """It is refused by name, with what to write."""
    with pytest.raises(InputError, match=rf"and {named} is one image\. Write \[image\] for a list of one\."):
        image_list(one)


@pytest.mark.parametrize("wrong", [None, 3, {"a": "b"}, {"a", "b"}, np.array(3)])
def test_what_is_no_list_is_refused(wrong: object) -> None:
    """Also what has no order."""
    with pytest.raises(InputError, match="X must be a list of paths, bytes of image files, PIL images, uint8 arrays"):
        image_list(wrong)


def test_a_table_of_two_columns_is_refused() -> None:
    """It says which columns there are, and how to choose one."""
    with pytest.raises(InputError, match=r"of 2 columns \(path, label\): choose one, as in X\['path'\]"):
        image_list(pd.DataFrame({"path": ["a"], "label": ["x"]}))


def test_no_image_is_refused() -> None:
    """An empty list is no list of images."""
    with pytest.raises(InputError, match="X must hold at least one image"):
        image_list([])


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_those_of_a_file(kind: Callable[[bytes], Any], tmp_path: Path) -> None:
    """Also in rows as Hugging Face's datasets hold them, in a list or a column; without bytes, the path counts."""
    data = encoded(PHOTO, "JPEG")
    rows = [{"bytes": data, "path": "of-another-machine.jpg"}, {"bytes": None, "path": "a.png"}]

    *written, elsewhere = image_files(image_list([kind(data), *rows]), tmp_path)
    column = image_list(pa.array(rows))

    assert [path.read_bytes() for path in written] == [data, data]
    assert elsewhere == Path("a.png")
    assert column == rows


@pytest.mark.parametrize(
    "item",
    [
        None,
        float("nan"),
        3,
        b"",
        {"bytes": None, "path": None},
        [[1, 2], [3]],
        PIXELS[:, :, :2],
        PIXELS / 255,
        np.zeros((0, 4), np.uint8),
    ],
)
def test_what_is_no_image_is_refused_by_its_position(item: object, tmp_path: Path) -> None:
    """The error says where it stands."""
    with pytest.raises(InputError, match=r"Got .* at position 1\."):
        image_files([PIXELS, item], tmp_path)


def test_a_pillow_image_that_was_closed_is_refused(tmp_path: Path) -> None:
    """Its pixels cannot be had any more."""
    PHOTO.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pass

    with pytest.raises(InputError, match=r"at position 0 of X cannot be read .* whole and still open, or its path"):
        image_files([image], tmp_path)
