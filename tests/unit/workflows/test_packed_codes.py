"""Codes of photos that lie packed in a store are those of the same photos in a folder."""

import tarfile
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import timm
import torch

from conftest import PhotoFolder
from dropping_proxy import dropping_proxy
from object_store import ask_store, object_store
from unfreeze.core import remote_files
from unfreeze.core.settings import EngineSettings, ImageSettings
from unfreeze.features.resources import Resources
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.codes import write_codes


def test_codes_of_a_store_are_those_of_the_folder_and_are_found_again(
    photo_folder: PhotoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, although connections drop; by content, so that nothing is computed a second time."""
    monkeypatch.setattr(remote_files, "PAUSES", (0.0,) * 4)
    folder = photo_folder("ant", "bee")
    with tarfile.open(tmp_path / "photos.tar", "w") as file:
        file.add(folder, "photos")
    files = sorted(folder.glob("*/*"))
    table = {"image": [one.read_bytes() for one in files], "label": [one.parent.name for one in files]}
    pq.write_table(pa.table(table), tmp_path / "photos.parquet")
    torch.save(timm.create_model("test_resnet", pretrained=False).state_dict(), tmp_path / "weights.pth")

    def codes(source: str | Path, *, cache: str) -> tuple[np.ndarray, int]:
        settings = ImageSettings(
            source=Path(source),
            backbone="test_resnet",
            weights=tmp_path / "weights.pth",
            size=32,
            request=EngineSettings("torch", "f32"),
        )
        out = tmp_path / f"{cache}-{Path(source).name}.parquet"
        with DecoderPool(workers=1) as pool:
            record = write_codes(settings, Resources(pool=pool, cache=tmp_path / cache), place=out, tap="last")
        rows = pd.read_parquet(out)
        return np.stack(rows.iloc[:, -1].to_list()), record.reused

    with object_store("photos") as server, dropping_proxy(server, after=30_000, drops=3) as proxy:
        ask_store(monkeypatch, proxy.address)
        fsspec.filesystem("s3").put([str(tmp_path / f"photos.{kind}") for kind in ("tar", "parquet")], "photos/")
        fsspec.filesystem("s3").put(str(folder), "photos/folder", recursive=True)
        before = proxy.dropped
        proxy.drops = 2
        expected, _ = codes(folder, cache="a")
        of_tar, reused = codes("s3://photos/photos.tar", cache="b")
        of_parquet, found_again = codes("s3://photos/photos.parquet", cache="b")
        of_folder, found_there = codes("s3://photos/folder", cache="b")

    np.testing.assert_array_equal(of_tar, expected)
    np.testing.assert_array_equal(of_parquet, expected)
    np.testing.assert_array_equal(of_folder, expected)
    assert (reused, found_again, found_there) == (0, 24, 24)
    assert proxy.dropped > before
