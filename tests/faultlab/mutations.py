"""I2: small files of every kind that is read, and random damage to them."""

import io
import random
import struct

import numpy as np
from PIL import Image


def originals() -> list[bytes]:
    """One small file of every kind that is allowed, in the modes that take different ways through the decoder."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 40, 4), dtype=np.uint8)
    picture = Image.fromarray(noise)
    kinds: list[tuple[str, str, dict[str, object]]] = [
        ("RGB", "JPEG", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"}),
        ("RGB", "JPEG", {"progressive": True}), ("CMYK", "JPEG", {}), ("L", "JPEG", {}),
        ("RGBA", "PNG", {}), ("P", "PNG", {"transparency": 3}), ("1", "PNG", {}), ("LA", "PNG", {}),
        ("RGB", "WEBP", {}), ("P", "GIF", {}), ("RGB", "BMP", {}), ("RGB", "TIFF", {"compression": "tiff_lzw"}),
        ("CMYK", "TIFF", {}), ("RGB", "AVIF", {}), ("RGB", "MPO", {}),
    ]  # fmt: skip
    made = []
    for mode, kind, settings in kinds:
        stream = io.BytesIO()
        picture.convert(mode).save(stream, kind, **settings)
        made.append(stream.getvalue())
    grey = io.BytesIO()
    Image.fromarray(noise[..., 0].astype(np.uint16) * 257).save(grey, "PNG")
    return [*made, grey.getvalue()]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, repeat or insert at random places."""
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        place = rng.randrange(len(damaged))
        what = rng.randrange(5)
        if what == 0:
            damaged[place] ^= 1 << rng.randrange(8)
        elif what == 1:
            damaged[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif what == 2:
            del damaged[place : place + rng.randrange(1, 20)]
            damaged = damaged or bytearray(b"x")
        elif what == 3:
            damaged[place:place] = rng.randbytes(rng.randrange(1, 8))
        else:
            damaged[place : place + 4] = struct.pack(rng.choice("<>") + "I", rng.choice([0, 1, 2**31 - 1, 2**32 - 1]))
    return bytes(damaged)
