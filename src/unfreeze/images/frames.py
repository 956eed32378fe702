"""How many frames a file holds, counted over its bytes up to a limit: Pillow would walk over all of them."""

from PIL import Image

from unfreeze.images.tags import pages

MOST_FRAMES = 1_000  # that are counted
_MOST_BLOCKS = 1_000_000  # of 255 bytes at most that are stepped over: 0.1 s
_IMAGE, _EXTENSION = 0x2C, 0x21
# Formats whose header says how many frames there are.
_IN_THE_HEADER = ("PNG", "WEBP", "AVIF")


def frame_note(image: Image.Image, data: bytes) -> tuple[str, ...]:
    """What people should know of an image with more than one frame or page.

    Args:
        image: Opened by Pillow.
        data: The file.

    Returns:
        For example ``animated: frame 1 of 7``, ``pages: page 1 of more than 1,000``; nothing for a single frame.
    """
    number = _number(image, data)
    if number < 2:
        return ()
    shown = f"more than {MOST_FRAMES:,}" if number > MOST_FRAMES else f"{number}"
    return (f"pages: page 1 of {shown}" if image.format == "TIFF" else f"animated: frame 1 of {shown}",)


def _number(image: Image.Image, data: bytes) -> int:
    if image.format == "TIFF":
        return pages(data, MOST_FRAMES + 1)
    if image.format == "GIF":
        return gif_frames(data, MOST_FRAMES + 1)
    return int(getattr(image, "n_frames", 1)) if image.format in _IN_THE_HEADER else 1


def gif_frames(data: bytes, most: int) -> int:
    """Number of images in a GIF; source: GIF89a specification, sections 17 to 27.

    Args:
        data: The whole file.
        most: Where counting ends.

    Returns:
        At most `most`; what is broken ends the count.
    """
    place, found, blocks = _after_colours(data, 10, 13), 0, _MOST_BLOCKS
    while found < most and blocks > 0 and place < len(data):
        if data[place] == _IMAGE:
            found += 1
            place = _after_colours(data, place + 9, place + 10) + 1  # then the size of its codes
        elif data[place] == _EXTENSION:
            place += 2
        else:
            break
        while blocks > 0 and place < len(data) and data[place]:
            place += 1 + data[place]
            blocks -= 1
        place += 1
    return found


def _after_colours(data: bytes, packed: int, place: int) -> int:
    """Where a colour table at a place ends, if the byte at `packed` says that there is one."""
    flags = data[packed] if packed < len(data) else 0
    return place + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
