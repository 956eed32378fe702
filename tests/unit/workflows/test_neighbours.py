"""Training photos beside a model: which are nearest, and what is read back."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from unfreeze.core.errors import InputError
from unfreeze.metrics.neighbours import directions, nearest
from unfreeze.workflows import neighbours
from unfreeze.workflows.neighbours import FILE, KEY, Neighbourhood, neighbourhood_of


def test_the_nearest_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    """By the cosine of the angle, whatever the lengths; as many as there are, if more are asked for."""
    known, asked = rng.normal(size=(40, 8)) * rng.uniform(0.1, 9, (40, 1)), rng.normal(size=(5, 8))
    distances, rows = NearestNeighbors(n_neighbors=3, metric="cosine").fit(known).kneighbors(asked)

    found, cosines = nearest(directions(known), asked, 3)

    np.testing.assert_array_equal(found, rows)
    np.testing.assert_allclose(cosines, 1 - distances, atol=1e-9)
    assert nearest(directions(known[:2]), asked, 3)[0].shape == (5, 2)


def kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Neighbourhood, dict[str, object]]:
    """Three photos beside a model whose settings are in memory."""
    settings: dict[str, dict[str, object]] = {"unfreeze": {}}
    monkeypatch.setattr(neighbours, "read_config", lambda _: settings)
    monkeypatch.setattr(neighbours, "write_config", lambda _, __: None)
    found = neighbourhood_of(np.eye(3, 4), ["a/ü.jpg", "b/1.jpg", "b/2.jpg"], ["a", "b", "b"], [b"1", b"", b"345"])
    neighbours.write_neighbourhood(folder / "model", found)
    return found, settings["unfreeze"]


def test_what_is_read_is_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, labels and pictures, an empty one among them; none where the model lies alone, or never had any."""
    written, settings = kept(tmp_path, monkeypatch)

    read = neighbours.read_neighbourhood(tmp_path / "model", settings)

    assert read is not None
    assert (read.names, read.labels, read.pictures) == (written.names, written.labels, written.pictures)
    np.testing.assert_array_equal(read.codes, written.codes)
    assert [one.name for one in read.near(np.array([0.1, 0.2, 0.9, 0]), 2)] == ["b/2.jpg", "b/1.jpg"]
    assert neighbours.read_neighbourhood(tmp_path / "other" / "model", settings) is None
    assert neighbours.read_neighbourhood(tmp_path / "model", {}) is None


def test_other_photos_than_the_model_names_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bit that is flipped, and settings that name nothing, are one sentence."""
    _, settings = kept(tmp_path, monkeypatch)
    data = bytearray((tmp_path / FILE).read_bytes())
    data[-1] ^= 1
    (tmp_path / FILE).write_bytes(data)

    for given in (settings, {KEY: {}}):
        with pytest.raises(InputError, match=r"neighbours\.safetensors is not what was written with the model in"):
            neighbours.read_neighbourhood(tmp_path / "model", given)
