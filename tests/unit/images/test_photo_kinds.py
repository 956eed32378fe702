"""Photos as cameras, scanners and satellites write them: read as what they are, or refused with what they are."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from tiff_files import preview_with, tiff
from unfreeze.images import decoding
from unfreeze.images.camera_raw import camera_raw
from unfreeze.images.decoding import UnreadableImageError, decode
from unfreeze.images.frames import MOST_FRAMES, gif_frames
from unfreeze.images.tags import pages

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (40, 48, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str, **settings: object) -> bytes:
    """Bytes of an image file."""
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def reason(data: bytes) -> str:
    """Why `data` cannot be decoded."""
    with pytest.raises(UnreadableImageError) as caught:
        decode(data)
    return caught.value.reason


@pytest.mark.parametrize(("data", "name"), [
    (preview_with([(50706, 1, [1, 4, 0, 0])], []), "DNG"),
    (preview_with([(271, 1, [65])], [(256, 4, [8]), (262, 3, [32803])]), "TIFF"),
    (preview_with([], [(256, 4, [8]), (262, 3, [34892])]), "TIFF"),
    (preview_with([], [(256, 4, [8]), (259, 3, [34713])]), "TIFF"),
    (b"II*\0\x10\0\0\0CR\x02\0" + b"\0" * 40, "CR2"),
    (b"\0\0\0\x18ftypcrx \0\0\0\1" + b"\0" * 40, "CR3"),
    (b"FUJIFILMCCD-RAW 0201" + b"\0" * 40, "RAF"),
    (b"IIRO\x08\0\0\0" + b"\0" * 40, "ORF"),
    (b"IIU\0\x18\0\0\0" + b"\0" * 40, "RW2"),
])  # fmt: skip
def test_camera_raw_is_no_small_photo(data: bytes, name: str) -> None:
    """What a camera wrote is refused by its name, though its first directory is a preview that could be read."""
    assert camera_raw(data) == name
    assert reason(data) == f"camera-raw: {name}"


def test_an_ordinary_tiff_is_no_camera_raw() -> None:
    """A preview below a scan, a maker's name and more pages give nothing away."""
    plain = preview_with([(271, 1, [65])], [(256, 4, [8]), (259, 3, [1]), (262, 3, [2])])

    assert camera_raw(plain) == ""
    assert decode(plain).image.size == (8, 8)
    assert all(camera_raw(encoded(Image.fromarray(PHOTO), kind)) == "" for kind in ("JPEG", "PNG", "TIFF", "AVIF"))


@pytest.mark.parametrize("cut", range(0, 240, 7))
def test_a_directory_that_is_cut_or_loops_ends(cut: int) -> None:
    """Looking for RAW in half a file, or in one that points to itself, ends without an error."""
    data = preview_with([(50706, 1, [1, 4, 0, 0])], [(262, 3, [32803]), (330, 4, [72])])

    assert camera_raw(data[:cut]) in {"", "DNG", "TIFF"}
    assert camera_raw(preview_with([(330, 4, [72] * 3)], [])) == ""


@pytest.mark.parametrize(("values", "settings", "wanted"), [
    (RNG.integers(0, 3000, (40, 48, 13)).astype(np.uint16), {}, "bands: 13 of 16 bits"),
    (RNG.integers(0, 256, (40, 48, 8)).astype(np.uint8), {}, "bands: 8 of 8 bits"),
    (RNG.integers(0, 3000, (40, 48, 2)).astype(np.uint16), {}, "bands: 2 of 16 bits"),
    (RNG.random((40, 48, 3)).astype(np.float32), {"kind": 3}, "sample-format: 32-bit float"),
    (RNG.integers(0, 99, (40, 48, 3)).astype(np.int16), {"kind": 2}, "sample-format: 16-bit signed"),
])  # fmt: skip
def test_bands_that_are_not_read_are_no_damage(values: np.ndarray, settings: dict[str, int], wanted: str) -> None:
    """A valid TIFF of a satellite or a microscope is refused by what it holds."""
    assert reason(tiff(values, **settings)) == wanted


def test_a_damaged_tiff_of_many_bands_is_damaged() -> None:
    """One that promises pixels beyond its end is not taken for a valid one."""
    data = tiff(RNG.integers(0, 256, (40, 48, 8)).astype(np.uint8))

    assert reason(data.replace(struct.pack("<HHII", 273, 4, 1, 8), struct.pack("<HHII", 273, 4, 1, 10**9))) in {
        "corrupt-tiff",
        "truncated",
    }


def test_bands_that_are_left_out_are_noted() -> None:
    """Of five bands the first three are shown, and it is said."""
    seen = decode(tiff(np.dstack([PHOTO, PHOTO[..., :2]])))

    np.testing.assert_array_equal(np.asarray(seen.image), PHOTO)
    assert seen.notes == ("bands: 3 of 5 are used",)


def test_netpbm_is_read() -> None:
    """PBM, PGM and PPM, of text and of bytes, with a comment, of 8 and of 16 bits."""
    grey = PHOTO[..., 0]
    text = b"P3\n# drawn by hand\n2 1\n255\n1 2 3 4 5 6\n"
    deep = b"P5 48 40 65535\n" + (grey.astype(">u2") * 257).tobytes()

    np.testing.assert_array_equal(np.asarray(decode(encoded(Image.fromarray(PHOTO), "PPM")).image), PHOTO)
    np.testing.assert_array_equal(np.asarray(decode(encoded(Image.fromarray(grey), "PPM")).image)[..., 1], grey)
    np.testing.assert_array_equal(np.asarray(decode(deep).image)[..., 1], grey)
    assert np.asarray(decode(text).image).tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert np.asarray(decode(b"P4 8 1\n\xaa").image)[0, :, 0].tolist() == [0, 255] * 4
    assert reason(encoded(Image.fromarray(PHOTO), "PPM")[:-100]) == "truncated"
    assert reason(b"P5 is the next chapter") == 'not-an-image: starts with "P5 is the ne"'
    assert reason(b"PyRGBA 4 4 255\n" + b"\0" * 64).startswith("not-an-image")


@pytest.mark.parametrize(("data", "name"), [
    (b"\0" * 128 + b"DICM" + b"\2\0\0\0UL" + b"\0" * 60, "DICOM"),
    (b"\0\0\0\x18ftypmp42" + b"\0" * 60, "video"),
    (b"RIFF\x40\0\0\0AVI LIST" + b"\0" * 60, "video"),
    (b"%PDF-1.7\n", "PDF"),
    (b"P7\nWIDTH 2\n", "PAM"),
])  # fmt: skip
def test_what_is_not_read_is_named(data: bytes, name: str) -> None:
    """A format that is known and not read is refused by its name."""
    assert reason(data) == f"format-not-allowed: {name}"


def test_a_pointer_of_git_lfs_is_named() -> None:
    """A file that was never downloaded is told from one that is damaged, with what to do."""
    data = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"

    assert reason(data) == "not-an-image: a pointer of Git LFS (git lfs pull gets the file)"


@pytest.mark.parametrize(("marker", "bits", "wanted"), [
    (0xC1, 12, "jpeg-variant: 12 bits"),
    (0xC3, 8, "jpeg-variant: lossless"),
    (0xC5, 8, "jpeg-variant: hierarchical"),
])  # fmt: skip
def test_variants_of_jpeg_are_no_damage(marker: int, bits: int, wanted: str) -> None:
    """JPEGs of X-ray machines, of a kind that the decoder does not know, are refused as such."""
    data = bytearray(encoded(Image.fromarray(PHOTO), "JPEG"))
    place = data.index(b"\xff\xc0")
    data[place + 1], data[place + 4] = marker, bits

    assert reason(bytes(data)) == wanted


def test_premultiplied_grey_is_read() -> None:
    """Grey that is stored times its opacity (Pillow's mode La) shows the grey over white."""
    values = np.full((40, 48, 2), 128, np.uint8)
    values[..., 0] = 64  # half of 128
    seen = decode(tiff(values, photometric=1, more=(1,)))

    assert seen.mode == "La"
    np.testing.assert_allclose(np.asarray(seen.image), 128 * 128 / 255 + 255 * 127 / 255, atol=2)


def test_frames_are_counted_up_to_a_limit_and_never_walked() -> None:
    """The count of a GIF's frames and of a TIFF's pages is Pillow's, and ends at the limit."""
    frames = [Image.fromarray(np.full((8, 8), n, np.uint8)) for n in range(7)]
    gif = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    book = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])

    assert gif_frames(gif, 100) == Image.open(io.BytesIO(gif)).n_frames == 7
    assert (gif_frames(gif, 3), gif_frames(gif[: len(gif) // 2], 100)) == (3, 4)
    assert pages(book, 100) == 7
    assert pages(book, 3) == 3


def test_a_film_of_a_million_frames_is_one_photo() -> None:
    """Frames that nobody can count in time cost no more than a thousand, and the first one is read."""
    one = encoded(Image.fromarray(PHOTO[..., 0]), "GIF")

    tiny = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"  # an image of one pixel

    assert decode(one[:-1] + tiny * 1_000_000 + b";").notes == (f"animated: frame 1 of more than {MOST_FRAMES:,}",)


def test_a_jpeg_beyond_the_budget_is_read_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a JPEG those pixels count that are decoded; of other formats those of the header."""
    monkeypatch.setattr(decoding, "MAX_PIXELS", 1_000)
    image = Image.fromarray(np.repeat(np.repeat(PHOTO[:10, :12], 8, 0), 8, 1))  # 96 x 80

    seen = decode(encoded(image, "JPEG", quality=95))

    assert (seen.width, seen.height, seen.image.size) == (96, 80, (24, 20))
    assert decode(encoded(image, "JPEG"), at_least=40).image.size == (24, 20)
    assert reason(encoded(image, "PNG")) == "too-many-pixels 7,680 > 1,000"
    monkeypatch.setattr(decoding, "MAX_PIXELS", 100)
    assert reason(encoded(image, "JPEG")) == "too-many-pixels 120 > 100"


def test_a_phone_s_200_megapixels_are_read() -> None:
    """A JPEG of 16,320 by 12,240 pixels, as phones make them, is decoded at an eighth."""
    data = encoded(Image.new("L", (16_320, 12_240), 77), "JPEG")

    seen = decode(data, at_least=512)

    assert (seen.width, seen.height, seen.image.size) == (16_320, 12_240, (2_040, 1_530))
