"""Photos that are bright where a network looks."""

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from example_run import run_record
from unfreeze.core.run_record import RunRecord
from unfreeze.core.seeing import HeatMap, Looks
from unfreeze.report.gallery import Pictures
from unfreeze.workflows.heat_pictures import SIDE, lit, with_heat

LEFT = ((255, 0), (255, 0))


def looked_at(folder: Path, *names: str) -> RunRecord:
    """A run with a heat map for each name, bright on the left of the delivered network and dark of the frozen one."""
    record = run_record()
    maps = tuple(HeatMap(image=name, given=0, called=1, delivered=LEFT, frozen=((0, 0), (0, 0))) for name in names)
    command = replace(record.command, source=folder)
    return replace(record, command=command, looks=Looks(photos="held out", layer="conv_head", maps=maps))


def pixels(uri: str) -> np.ndarray:
    """What a browser would show."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_light_stays_where_the_map_is_high() -> None:
    """A white photo keeps its white in the far left columns and a quarter of it in the far right ones."""
    found = lit(np.full((SIDE, SIDE, 3), 255, np.uint8), LEFT)

    assert found[:, :20].min() >= 250
    assert found[:, -20:].max() <= 70


def test_each_photo_has_a_picture_of_each_network(tmp_path: Path) -> None:
    """The frozen one first, in the square that the network sees."""
    Image.new("RGB", (300, 200), "white").save(tmp_path / "a.png")

    found = with_heat(Pictures(), looked_at(tmp_path, "a.png"))

    (frozen, dark), (delivered, bright) = found.heat["a.png"]
    assert (frozen, delivered) == ("frozen network", "delivered network")
    assert pixels(dark).shape == (SIDE, SIDE, 3)
    assert pixels(dark).max() < 80
    assert pixels(bright)[:, :20].min() > 230
    assert found.heat_note == ""


def test_photos_that_moved_are_left_out_with_a_sentence(tmp_path: Path) -> None:
    """The others are shown."""
    Image.new("RGB", (300, 200), "white").save(tmp_path / "a.png")

    found = with_heat(Pictures(), looked_at(tmp_path, "a.png", "gone.png"))

    assert list(found.heat) == ["a.png"]
    assert found.heat_note == "1 photo of 2 cannot be shown: they have moved or changed since the run."


def test_without_heat_maps_nothing_is_added() -> None:
    """Neither pictures nor a sentence."""
    assert with_heat(Pictures(), run_record()) == Pictures()
