"""Decoding: every colour mode becomes what a person would see, and every refusal has its reason."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from unfreeze.images import decoding
from unfreeze.images.decoding import UnreadableImageError, decode, pixels_sha256


def encoded(image: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    """Bytes of an image file."""
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def pixels(data: bytes) -> np.ndarray:
    """Decoded pixels as integers, so that differences do not wrap around."""
    return np.asarray(decode(data).image).astype(int)


def reason(data: bytes) -> str:
    """Why `data` cannot be decoded."""
    with pytest.raises(UnreadableImageError) as caught:
        decode(data)
    return caught.value.reason


def png(colour_type: int, depth: int, width: int, rows: list[bytes], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG written by hand, for what Pillow cannot write."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    body = [chunk(b"IHDR", header), *(chunk(*c) for c in chunks), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


PHOTO = Image.fromarray(
    (np.add.outer(np.arange(40) * 3, np.arange(48) * 2)[:, :, None] + np.array([0, 20, 40]))
    .clip(0, 255)
    .astype(np.uint8)
)


@pytest.mark.parametrize(("kind", "settings", "near"), [
    ("PNG", {}, 0), ("BMP", {}, 0), ("TIFF", {}, 0), ("TIFF", {"compression": "tiff_lzw"}, 0),
    ("WEBP", {"lossless": True}, 0),
    ("JPEG", {"quality": 95}, 12), ("JPEG", {"quality": 95, "progressive": True}, 12), ("AVIF", {"quality": 95}, 16),
    ("MPO", {"quality": 95}, 12),
])  # fmt: skip
def test_formats_keep_the_picture(kind: str, settings: dict[str, object], near: int) -> None:
    """Each allowed format gives back the picture: exactly where it is lossless, nearly where it is not."""
    assert np.abs(pixels(encoded(PHOTO, kind, **settings)) - np.asarray(PHOTO).astype(int)).max() <= near


def test_sixteen_bit_grey_is_scaled() -> None:
    """16-bit grey is divided by 257 and rounded, in PNG and in TIFF, never clipped to white."""
    values = np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64)
    wanted = np.round(values / 257.0).astype(int)

    for kind in ("PNG", "TIFF"):
        assert (pixels(encoded(Image.fromarray(values), kind))[..., 0] == wanted).all()


def test_big_endian_sixteen_bit_tiff() -> None:
    """The byte order of a 16-bit TIFF does not matter."""
    values = np.linspace(0, 65535, 1024).astype(np.uint16).reshape(32, 32)
    big = Image.frombytes("I;16B", (32, 32), values.astype(">u2").tobytes())

    assert (pixels(encoded(big, "TIFF"))[..., 1] == np.round(values / 257.0)).all()


def test_sixteen_bit_transparent_grey() -> None:
    """The transparent level of a 16-bit grey PNG shows the background, all other levels stay."""
    rows = [struct.pack(">4H", 1000, 2000, 1000, 65535)]

    seen = pixels(png(0, 16, 4, rows, (b"tRNS", struct.pack(">H", 1000))))

    assert seen[0, :, 0].tolist() == [255, round(2000 / 257), 255, 255]


@pytest.mark.parametrize(("depth", "row", "clear", "wanted"), [
    (2, bytes([0b00_01_10_11]), 1, [0, 255, 170, 255]),
    (4, bytes([0x0F, 0x37]), 3, [0, 255, 255, 119]),
    (1, bytes([0b0101_0000]), 0, [255, 255, 255, 255]),
])  # fmt: skip
def test_transparent_grey_of_few_bits(depth: int, row: bytes, clear: int, wanted: list[int]) -> None:
    """The transparent level of a 1-, 2- or 4-bit grey PNG is found although pixels are scaled to 8 bits."""
    assert pixels(png(0, depth, 4, [row], (b"tRNS", struct.pack(">H", clear))))[0, :, 0].tolist() == wanted


def test_transparent_colour() -> None:
    """The transparent colour of an RGB PNG shows the background, at 8 and at 16 bits per channel."""
    eight = png(2, 8, 2, [bytes([9, 8, 7, 1, 2, 3])], (b"tRNS", struct.pack(">3H", 9, 8, 7)))
    sixteen = png(
        2, 16, 2, [struct.pack(">6H", 9000, 8000, 7000, 257, 514, 771)], (b"tRNS", struct.pack(">3H", 9000, 8000, 7000))
    )

    for data in (eight, sixteen):
        assert pixels(data)[0].tolist() == [[255, 255, 255], [1, 2, 3]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opacity_is_laid_on_white(mode: str) -> None:
    """A half transparent pixel is the mean of its colour and white; a clear one is white whatever hides in it."""
    image = Image.new("RGBA", (40, 40), (100, 100, 100, 0))
    image.putpixel((1, 0), (100, 100, 100, 128))
    image.putpixel((2, 0), (100, 100, 100, 255))

    seen = pixels(encoded(image.convert(mode)))[0, :3, 0]

    assert np.abs(seen - [255, 100 * 128 / 255 + 127, 100]).max() <= 1


def test_background_is_a_setting() -> None:
    """What lies behind clear pixels is the caller's choice."""
    data = encoded(Image.new("RGBA", (40, 40), (0, 0, 0, 0)))

    assert decode(data, background=(10, 20, 30)).image.getpixel((0, 0)) == (10, 20, 30)


def test_palette_with_opacity() -> None:
    """Colours that a palette marks as clear do not appear."""
    image = Image.new("P", (40, 40), 1)
    image.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    image.putpixel((0, 0), 0)

    seen = pixels(encoded(image, transparency=bytes([0, 255])))

    assert seen[0, 0].tolist() == [255, 255, 255]
    assert seen[0, 1].tolist() == [0, 0, 255]
    assert pixels(encoded(image, "GIF", transparency=0))[0, :2].tolist() == [[255, 255, 255], [0, 0, 255]]


def test_one_bit_and_grey() -> None:
    """1-bit and grey images become grey RGB."""
    bits = Image.fromarray(np.eye(40, dtype=bool))

    assert (pixels(encoded(bits)) == 255 * np.eye(40, dtype=int)[:, :, None]).all()
    assert (pixels(encoded(PHOTO.convert("L"))) == np.asarray(PHOTO.convert("L")).astype(int)[:, :, None]).all()


def test_cmyk_without_profile() -> None:
    """CMYK without a profile: no ink is white, full cyan removes red, full black is black."""
    image = Image.new("CMYK", (48, 16), (0, 0, 0, 0))
    image.paste((255, 0, 0, 0), (16, 0, 32, 16))
    image.paste((0, 0, 0, 255), (32, 0, 48, 16))

    for kind, settings in (("JPEG", {"quality": 100}), ("TIFF", {})):
        seen = pixels(encoded(image, kind, **settings))[8, [8, 24, 40]]
        assert np.abs(seen - [[255, 255, 255], [0, 255, 255], [0, 0, 0]]).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_all_orientations_give_one_picture(kind: str) -> None:
    """The eight EXIF orientations of one scene decode to the same upright picture."""
    undo = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270}  # fmt: skip
    upright = np.asarray(PHOTO).astype(int)
    for orientation in range(1, 9):
        stored = PHOTO.transpose(undo[orientation]) if orientation > 1 else PHOTO
        exif = Image.Exif()
        exif[0x0112] = orientation
        settings = {"JPEG": {"quality": 97}, "WEBP": {"lossless": True}}.get(kind, {})

        seen = pixels(encoded(stored, kind, exif=exif, **settings))

        assert seen.shape == upright.shape
        assert np.abs(seen - upright).max() <= (12 if kind == "JPEG" else 0)


def test_broken_exif_keeps_the_picture() -> None:
    """An EXIF block that cannot be read is ignored; the pixels are good."""
    data = encoded(PHOTO, "JPEG", quality=95, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 40)

    assert decode(data).image.size == PHOTO.size


def test_wide_gamut_profile_is_converted() -> None:
    """Colours with a profile become what littlecms says they are in sRGB, and it is noted."""
    profile = _swapped_profile()
    source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    wanted = ImageCms.profileToProfile(PHOTO, source, srgb)

    decoded = decode(encoded(PHOTO, icc_profile=profile))

    assert np.array_equal(np.asarray(decoded.image), np.asarray(wanted))
    assert not np.array_equal(np.asarray(decoded.image), np.asarray(PHOTO))
    assert decoded.notes == ("icc: converted to sRGB",)


def _swapped_profile() -> bytes:
    """SRGB's profile with red and green primaries exchanged and another name: a valid profile that moves colours."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.find(b"rXYZ"), data.find(b"gXYZ")
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


def test_srgb_profile_changes_nothing() -> None:
    """A profile that is sRGB leaves the pixels as they are."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    decoded = decode(encoded(PHOTO, icc_profile=profile))

    assert np.array_equal(np.asarray(decoded.image), np.asarray(PHOTO))
    assert decoded.notes == ()


def test_broken_profile_is_ignored() -> None:
    """A profile that cannot be read leaves the pixels as they are, and it is noted."""
    decoded = decode(encoded(PHOTO, icc_profile=b"no profile at all"))

    assert np.array_equal(np.asarray(decoded.image), np.asarray(PHOTO))
    assert decoded.notes == ("icc-ignored",)


@pytest.mark.parametrize(("kind", "note"), [
    ("GIF", "animated: frame 1 of 3"), ("WEBP", "animated: frame 1 of 3"), ("PNG", "animated: frame 1 of 3"),
    ("TIFF", "pages: page 1 of 3"),
])  # fmt: skip
def test_first_frame_counts(kind: str, note: str) -> None:
    """Of several frames the first is decoded, and their number is noted."""
    frames = [Image.new("RGB", (40, 40), colour) for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200))]
    settings = {"lossless": True} if kind == "WEBP" else {}

    decoded = decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **settings))

    assert decoded.notes == (note,)
    assert decoded.image.getpixel((20, 20)) == (200, 0, 0)


@pytest.mark.parametrize("turned", [1, 6])
def test_a_large_jpeg_is_decoded_no_larger_than_needed(turned: int) -> None:
    """A JPEG of 1,280 x 960 that needs 200 pixels comes at a quarter, upright, nearly equal to shrinking it whole."""
    x, y = np.meshgrid(np.linspace(0, 9, 1280), np.linspace(0, 7, 960))
    waves = (127 + 120 * np.stack([np.sin(x), np.cos(y), np.sin(x + y)], axis=-1)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = turned
    data = encoded(Image.fromarray(waves), "JPEG", quality=95, exif=exif)

    found, whole = decode(data, at_least=200), decode(data)

    assert (found.width, found.height) == whole.image.size
    assert found.image.size == (whole.width // 4, whole.height // 4)
    difference = np.asarray(found.image).astype(int) - np.asarray(whole.image.reduce(4))
    assert np.abs(difference).mean() < 1


def test_tiny_is_noted() -> None:
    """One pixel is an image, but people should know."""
    assert decode(encoded(Image.new("RGB", (1, 1)))).notes == ("tiny",)


def test_pixels_hash_ignores_the_format() -> None:
    """Equal pixels hash the same whatever the file; the same bytes in another shape do not."""
    as_png, as_bmp = decode(encoded(PHOTO)).image, decode(encoded(PHOTO, "BMP")).image

    assert pixels_sha256(as_png) == pixels_sha256(as_bmp)
    assert pixels_sha256(Image.new("RGB", (4, 2))) != pixels_sha256(Image.new("RGB", (2, 4)))


def test_refusals_have_reasons() -> None:
    """Each kind of hopeless file has its own reason code."""
    jpeg, good_png = encoded(PHOTO, "JPEG"), encoded(PHOTO)
    broken = bytearray(good_png)
    broken[60:70] = b"\xff" * 10
    cases = {
        b"": "empty-file",
        b"hello": 'not-an-image: starts with "hello"',
        bytes([0, 1, 2, 250]): "not-an-image: starts with 0x000102fa",
        jpeg[: len(jpeg) // 2]: "truncated",
        good_png[: len(good_png) // 2]: "truncated",
        bytes(broken): "corrupt-png",
        b"%!PS-Adobe-3.0 EPSF-3.0\n": "format-not-allowed: EPS",
        b"%PDF-1.7\n": "format-not-allowed: PDF",
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>": "format-not-allowed: SVG",
        encoded(PHOTO.convert("F"), "TIFF"): "sample-format: 32-bit float",
        encoded(PHOTO.convert("I"), "TIFF"): "sample-format: 32-bit or signed",
        encoded(Image.new("L", (30_000, 1))): "aspect-ratio 30000:1 > 100:1",
    }
    for data, wanted in cases.items():
        assert reason(data) == wanted


def test_only_whole_pictures_are_accepted() -> None:
    """A JPEG cut anywhere is refused, or gives the very pixels of the whole file; never an invented rest."""
    data = encoded(PHOTO, "JPEG")
    whole, refusals = pixels(data), set()
    for length in range(len(data) - 40, len(data)):
        try:
            seen = pixels(data[:length])
        except UnreadableImageError as error:
            refusals.add(error.reason)
        else:
            assert (seen == whole).all()
    assert refusals == {"truncated"}


@pytest.mark.parametrize("side", [10_100, 14_000, 30_000])
def test_too_many_pixels_are_refused_by_the_header(side: int) -> None:
    """A few bytes that promise more than the budget are refused before anything is decoded."""
    bomb = png(0, 8, side, []).replace(struct.pack(">II", side, 0), struct.pack(">II", side, side))
    header = bomb[12:29]
    bomb = bomb[:29] + struct.pack(">I", zlib.crc32(header)) + bomb[33:]

    assert reason(bomb) == f"too-many-pixels {side * side:,} > 100,000,000"


def test_missing_heif_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra a HEIC file is refused with the name of the extra; with it, it is decoded."""
    heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    heif.from_pillow(PHOTO).save(stream, format="HEIF", quality=95)

    assert np.abs(pixels(stream.getvalue()) - np.asarray(PHOTO).astype(int)).max() <= 24

    monkeypatch.setattr(decoding, "_heif_is_installed", lambda: False)
    assert reason(stream.getvalue()) == "heic: install unfreeze[heif]"
