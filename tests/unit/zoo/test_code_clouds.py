"""What a model's folder knows of its training photos."""

from pathlib import Path

import numpy as np
import pytest
import torch

from served import saved_model
from unfreeze.core.errors import InputError
from unfreeze.metrics.novelty import CodeCloud, likeness
from unfreeze.zoo.code_clouds import FILE, cannot_mark, has_cloud, read_cloud, write_cloud
from unfreeze.zoo.coded import WithCodes
from unfreeze.zoo.folders import read_model
from unfreeze.zoo.model_config import OUR_KEY, read_config

CLOUD = CodeCloud(
    means=np.arange(12.0).reshape(3, 4),
    directions=np.eye(4)[:2],
    variances=np.array([2.0, 1.0]),
    rest=0.25,
    held_out=np.arange(50.0),
)


def test_a_cloud_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The settings stay whole, and shares of codes are the same to the last bit."""
    folder = saved_model(tmp_path / "model")
    assert read_cloud(folder, read_config(folder)[OUR_KEY]) is None

    write_cloud(folder, CLOUD)
    found = read_cloud(folder, read_config(folder)[OUR_KEY])

    codes = np.random.default_rng(0).normal(size=(9, 4)) * 5
    assert found is not None
    assert (likeness(found, codes) == likeness(CLOUD, codes)).all()
    assert has_cloud(read_config(folder)[OUR_KEY])


def test_a_cloud_of_codes_of_any_length_is_not_taken(tmp_path: Path) -> None:
    """A model that was made before codes were scaled to length 1 counts as one that does not know its photos."""
    folder = saved_model(tmp_path / "model")
    write_cloud(folder, CLOUD)
    config = read_config(folder)
    del config[OUR_KEY]["unlike"]["codes"]

    assert not has_cloud(config[OUR_KEY])
    assert read_cloud(folder, config[OUR_KEY]) is None


@pytest.mark.parametrize("fault", ["gone", "cut", "flipped", "link"])
def test_a_cloud_that_is_damaged_is_refused(fault: str, tmp_path: Path) -> None:
    """In a sentence that says what to do, never with wrong shares."""
    folder = saved_model(tmp_path / "model")
    write_cloud(folder, CLOUD)
    path, data = folder / FILE, (folder / FILE).read_bytes()
    if fault in {"gone", "link"}:
        path.unlink()
    if fault == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    if fault == "cut":
        path.write_bytes(data[:-1])
    if fault == "flipped":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    with pytest.raises(InputError, match=r"is damaged: unlike\.safetensors is not what was written\. Copy it again\."):
        read_cloud(folder, read_config(folder)[OUR_KEY])


def test_too_few_photos_for_a_share_are_said(tmp_path: Path) -> None:
    """Of 50, the least share is one of 51, which is asked for next; without a cloud it is said that there is none."""
    folder = saved_model(tmp_path / "model")
    none = cannot_mark(folder, read_config(folder)[OUR_KEY], 0.01)
    write_cloud(folder, CLOUD)
    settings = read_config(folder)[OUR_KEY]

    assert none == f"{folder} does not know what its training photos look like: no photo is marked as unlike them."
    opening = f"{folder} knows 50 training photos, too few for a share of 1.0 %: no photo is marked."
    assert cannot_mark(folder, settings, 0.01) == f"{opening} Ask for --unlike 2%, or more."
    assert cannot_mark(folder, settings, 0.02) == ""


def test_codes_are_what_the_head_reads(tmp_path: Path) -> None:
    """The head's weights times the codes, plus its bias, are the scores; those are the model's own."""
    saved = read_model(saved_model(tmp_path / "model"))
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8))
    head = saved.module.network.get_submodule(saved.card.head)

    with torch.inference_mode():
        own = saved.module(images)
        scores, codes = WithCodes(saved.module)(images)
        again = head(codes)

    torch.testing.assert_close(scores, own, rtol=0, atol=0)
    torch.testing.assert_close(again, scores)
