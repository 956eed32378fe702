"""CodesTransformer in pipelines, against the codes that `read_codes` gives."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from unfreeze.core.errors import ImageSetError, InputError, PlanError
from unfreeze.data.inspection import read_image_set
from unfreeze.features.frozen import read_codes
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.codes_transformer import CodesTransformer
from unfreeze.zoo.backbones import load_backbone

pytestmark = pytest.mark.slow

PhotoFolder = Callable[..., Path]

SIZE = 32


def test_it_gives_the_codes_of_the_network(photo_folder: PhotoFolder) -> None:
    """Those that `read_codes` gives, tap by tap, in the order that was asked for."""
    photos = photo_folder("ants", "bees", count=6)
    network = load_backbone(size=SIZE)
    with DecoderPool() as pool:
        images = read_image_set(photos, pool=pool)
        codes = read_codes(images, network, pool=pool)
    paths, (low, last) = [image.path for image in images.images], (network.taps[1].name, network.taps[-1].name)

    found = CodesTransformer(taps=[last, low], size=SIZE).fit_transform(paths)
    every = CodesTransformer(taps="all", size=SIZE).fit_transform(paths)

    np.testing.assert_array_equal(found, np.concatenate([codes.by_tap[last], codes.by_tap[low]], axis=1))
    np.testing.assert_array_equal(every, np.concatenate(list(codes.by_tap.values()), axis=1))


def test_a_pipeline_of_codes_and_a_classifier(photo_folder: PhotoFolder) -> None:
    """Cross-validation clones, fits and scores it, here from a column of a table; the two colours are easy."""
    paths = sorted(photo_folder("ants", "bees").glob("*/*.png"))
    table = pd.DataFrame({"path": list(map(str, paths)), "label": [path.parent.name for path in paths]})
    pipeline = make_pipeline(CodesTransformer(size=np.int64(SIZE)), LogisticRegression(max_iter=1000))

    assert cross_val_score(pipeline, table["path"], table["label"], cv=3).min() > 0.85


def test_polars_frames_come_in_and_go_out(photo_folder: PhotoFolder) -> None:
    """A frame of one column of paths gives a frame with a column for each number, the same as arrays give."""
    paths = sorted(photo_folder("ants", count=3).glob("*/*.png"))

    frame = (
        CodesTransformer(size=SIZE)
        .set_output(transform="polars")
        .fit_transform(pl.DataFrame({"path": map(str, paths)}))
    )

    assert isinstance(frame, pl.DataFrame)
    assert frame.columns[1] == "global_pool_1"
    arrays = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    np.testing.assert_array_equal(frame.to_numpy(), CodesTransformer(size=SIZE).fit_transform(arrays))


def test_columns_have_names(photo_folder: PhotoFolder) -> None:
    """A frame has a column for each number, and the rows of the frame that it was made of."""
    paths = pd.DataFrame({"path": sorted(photo_folder("ants", count=3).glob("*/*.png"))}, index=[7, 5, 3])

    frame = CodesTransformer(size=SIZE).set_output(transform="pandas").fit_transform(paths)

    assert frame.columns[:2].tolist() == ["global_pool_0", "global_pool_1"]
    assert frame.index.tolist() == [7, 5, 3]
    assert frame.shape == (3, 1280)


def test_what_was_pickled_gives_the_same_codes(photo_folder: PhotoFolder) -> None:
    """The network is not in the pickle: it is loaded again by its name."""
    paths = sorted(photo_folder("ants", count=3).glob("*/*.png"))
    fitted = CodesTransformer(size=SIZE).fit(paths)

    data = pickle.dumps(fitted)

    assert len(data) < 10_000
    np.testing.assert_array_equal(pickle.loads(data).transform(paths), fitted.transform(paths))


def test_the_range_of_deep_photos_is_that_of_the_photos_it_was_fitted_on(tmp_path: Path) -> None:
    """A photo with 16 bits is scaled by what `fit` saw, whatever it is transformed with."""
    levels = np.random.default_rng(0).integers(1000, 3000, (40, 40)).astype(np.uint16)
    dark, bright = Image.fromarray(levels), Image.fromarray(levels * 4)

    fitted = CodesTransformer(size=SIZE).fit([dark, bright])
    together = fitted.transform([dark, bright])

    assert fitted.levels_[1] < 12_000
    np.testing.assert_array_equal(fitted.transform([dark]), together[:1])


def test_slips_are_said_in_one_sentence(tmp_path: Path) -> None:
    """Of settings, of photos, and of one that is not fitted yet."""
    photo = np.zeros((40, 40), np.uint8)
    fresh = CodesTransformer(size=SIZE)

    with pytest.raises(NotFittedError, match=r"Call fit\(images\) first"):
        clone(fresh).transform([photo])
    with pytest.raises(PlanError, match=r"The network has no tap 'deep'\. Its taps, shallow to deep: blocks\.0"):
        CodesTransformer(taps="deep", size=SIZE).fit([photo])
    with pytest.raises(InputError, match="taps must name each tap once"):
        CodesTransformer(taps=["last", "global_pool"], size=SIZE).fit([photo])
    with pytest.raises(InputError, match=r"taps must be 'last', 'all', a tap or a list of them\. Got 3"):
        clone(fresh).set_params(taps=3).fit([photo])
    with pytest.raises(InputError, match=r"Unknown resize 'auto'\. Choose one of crop, squash, pad, or None"):
        clone(fresh).set_params(resize="auto").fit([photo])
    with pytest.raises(ImageSetError, match=r"Image 0 of X cannot be read: .*none\.png"):
        fresh.fit([photo]).transform([tmp_path / "none.png"])
