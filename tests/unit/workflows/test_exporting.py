"""Models that are exported, run by the runtimes that they were exported for."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from unfreeze.core.documents import ExportParity, ExportRecord
from unfreeze.core.errors import AuditError, InputError
from unfreeze.core.export_settings import ExportSettings
from unfreeze.core.readouts import Readout
from unfreeze.data.squares import geometry_of
from unfreeze.features.resources import Resources
from unfreeze.images.decoding import decode
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.export_parity import by_pillow, check_exact
from unfreeze.workflows.exporting import export_model
from unfreeze.workflows.prediction import Predictions, predict_images
from unfreeze.workflows.unlike import add_unlike
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import CPU
from unfreeze.zoo.folders import read_model, save_model
from unfreeze.zoo.model_config import OUR_KEY, read_card, read_config
from unfreeze.zoo.tap_classifier import TapClassifier

NAMES = ("ant", "bee", "Käfer")
_ORIENTATION = 0x0112


def saved(backbone: Backbone, folder: Path, kind: str, *, margins: bool = False) -> Path:
    """A whole network, a classifier on its second tap, or one on all of them."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (32, 4, 4, 3), dtype=np.uint8)
    squares = torch.from_numpy(colours.repeat(8, axis=1).repeat(8, axis=2))
    taps = backbone.taps if kind == "joined" else backbone.taps[1:2]
    width = backbone.card.num_features if kind == "whole" else sum(tap.channels for tap in taps)
    weight, bias = rng.normal(size=(3, width)).astype(np.float32), np.zeros(3, np.float32)

    def model() -> Backbone | TapClassifier:
        if kind != "whole":
            readouts = tuple(Readout(tap.name) for tap in taps)
            return TapClassifier(backbone=backbone, readouts=readouts, weight=weight, bias=bias)
        whole = backbone.with_classes(3)
        whole.set_head(torch.from_numpy(weight), torch.from_numpy(bias))
        return whole

    with torch.no_grad():
        scores = model().module()(squares).numpy()
    gain = 2 / scores.std(axis=0)  # so that each class is likeliest sometimes
    weight, bias = weight * gain[:, None], -scores.mean(axis=0) * gain
    save_model(folder, model(), class_names=NAMES, card_text="# The trained one\n", margins=margins)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth noise in class folders: a turned JPEG, one so large that it is decoded smaller, opacity, grey, a strip."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for name in NAMES:
        (folder / name).mkdir()
        for number in range(6):
            small = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
            small.resize((40 + 17 * number, 70 - 3 * number)).save(folder / name / f"{number}.png")
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    drawn = Image.fromarray(rng.integers(0, 256, (30, 20, 3), dtype=np.uint8))
    drawn.resize((90, 50)).save(folder / "ant" / "turned.jpg", exif=exif)
    drawn.resize((900, 700)).save(folder / "ant" / "large.jpg")
    drawn.resize((55, 60)).convert("L").save(folder / "bee" / "grey.png")
    drawn.resize((300, 40)).save(folder / "bee" / "strip.bmp")
    return folder


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resources]:
    """Decoders."""
    with DecoderPool(workers=1) as pool:
        yield Resources(pool=pool, cache=tmp_path_factory.mktemp("cache"))


def export(model: Path, out: Path, photos: Path | None, resources: Resources, **settings: Any) -> ExportRecord:
    """Export a model."""
    return export_model(ExportSettings(model=model, out=out, images=photos, **settings), resources=resources)


@dataclass(frozen=True)
class Case:
    """A model, what it was exported to, and what `predict` says of the photos."""

    model: Path
    out: Path
    record: ExportRecord
    predictions: Predictions

    def pixels(self) -> Iterator[np.ndarray]:
        """Of each photo, decoded as `predict` does."""
        geometry = geometry_of(read_card(self.model)[0])
        for name in self.predictions.names:
            image = decode(Path(name).read_bytes(), at_least=geometry.at_least, levels=geometry.levels).image
            yield np.array(image)

    def check(self, answers: Sequence[np.ndarray]) -> None:
        """The same likeliest class of every photo, and probabilities within 1e-4; and so says the record."""
        wanted, found = self.predictions.probabilities, np.stack(answers)
        assert (found.argmax(1) == wanted.argmax(1)).all()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
        assert len(set(wanted.argmax(1))) > 1
        first, *_, full = self.record.parity
        assert (first.decoding, first.same_top, first.photos) == ("predict", len(found), len(found))
        assert first.largest_difference <= 1e-4
        assert self.record.reduced == 1  # large.jpg
        assert full.largest_difference > first.largest_difference


def exported(model: Path, out: Path, photos: Path, resources: Resources, target: Any) -> Case:
    """A model that was exported exactly, and what `predict` says; it knows what its training photos look like."""
    paths = [path for path in photos.rglob("*") if path.is_file()]
    labels = np.array([NAMES.index(path.parent.name) for path in paths])
    add_unlike(model, paths * 3, np.tile(labels, 3), pool=resources.pool, device=CPU, seed=0)
    record = export(model, out, photos, resources, target=target)
    found = predict_images(model, paths, pool=resources.pool, engine="torch", with_likeness=True)
    return Case(model, out, record, found)


@pytest.fixture(scope="module")
def in_onnx(tiny: Backbone, photos: Path, resources: Resources, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A whole network whose photos are cropped."""
    place = tmp_path_factory.mktemp("onnx")
    return exported(saved(tiny, place / "model", "whole"), place / "out", photos, resources, "onnx")


@pytest.mark.slow
def test_onnxruntime_says_what_predict_says(in_onnx: Case) -> None:
    """From decoded photos of any size, in one graph, whose metadata name the labels."""
    import onnx
    import onnxruntime

    session = onnxruntime.InferenceSession(in_onnx.out / "model.onnx", providers=["CPUExecutionProvider"])
    in_onnx.check([session.run(None, {"image": pixels})[0][0] for pixels in in_onnx.pixels()])

    found = session.get_modelmeta().custom_metadata_map
    assert json.loads(found["labels"]) == list(NAMES)
    assert json.loads(found["card"])["licence"] == read_card(in_onnx.model)[0].licence
    assert [(one.name, one.shape) for one in session.get_outputs()] == [
        ("probabilities", [1, 3]),
        ("likeness", [1]),
    ]
    onnx.checker.check_model(onnx.load(in_onnx.out / "model.onnx"), full_check=True)
    assert str(Path.cwd()).encode() not in (in_onnx.out / "model.onnx").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("target", ["onnx", "openvino", "torch-export"])
def test_the_code_in_the_card_runs_without_unfreeze(target: Any, request: pytest.FixtureRequest) -> None:
    """Copied out of README.md, it names the class that predict names, as probably, of a large JPEG too."""
    case: Case = request.getfixturevalue({"onnx": "in_onnx", "openvino": "in_openvino"}.get(target, "in_torch"))
    text = (case.out / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    rows = {
        Path(name).name: row for name, row in zip(case.predictions.names, case.predictions.probabilities, strict=True)
    }
    large = next(name for name in case.predictions.names if name.endswith("large.jpg"))
    ready = code.replace("FOLDER", str(case.out)).replace("photo.jpg", large)
    alone = f"{ready}\nimport sys\nassert 'unfreeze' not in sys.modules"

    done = subprocess.run([sys.executable, "-c", alone], capture_output=True, text=True, check=True)

    label, probability = done.stdout.split()
    assert label == NAMES[rows["large.jpg"].argmax()]
    assert float(probability) == pytest.approx(rows["large.jpg"].max(), abs=1e-4)
    assert (case.out / "MODEL.md").read_text() == "# The trained one\n"


@pytest.mark.slow
def test_the_code_in_the_documentation_runs_without_unfreeze(in_onnx: Case, tmp_path: Path) -> None:
    """As it stands in docs/how-to/export.md, it names the class that predict names."""
    text = (Path(__file__).parents[3] / "docs" / "how-to" / "export.md").read_text(encoding="utf-8")
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "onnxruntime" in block)
    (tmp_path / "model-onnx").symlink_to(in_onnx.out)
    place = next(place for place, name in enumerate(in_onnx.predictions.names) if name.endswith("turned.jpg"))
    (tmp_path / "photo.jpg").write_bytes(Path(in_onnx.predictions.names[place]).read_bytes())
    alone = f"{code}\nimport sys\nassert 'unfreeze' not in sys.modules"

    done = subprocess.run([sys.executable, "-c", alone], capture_output=True, text=True, check=True, cwd=tmp_path)

    row = in_onnx.predictions.probabilities[place]
    label, probability = done.stdout.split()
    assert (label, float(probability)) == (NAMES[row.argmax()], pytest.approx(row.max(), abs=1e-4))


@pytest.fixture(scope="module")
def in_openvino(tiny: Backbone, photos: Path, resources: Resources, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A classifier on the joined codes of all taps, whose photos are padded."""
    place = tmp_path_factory.mktemp("openvino")
    model = saved(tiny.resized_by("pad"), place / "model", "joined")
    return exported(model, place / "out", photos, resources, "openvino")


@pytest.mark.slow
def test_openvino_says_what_predict_says(in_openvino: Case) -> None:
    """From decoded photos of any size, in one graph, whose runtime information names the labels."""
    import openvino

    model = openvino.Core().read_model(in_openvino.out / "model.xml")
    program = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    in_openvino.check([np.array(program(pixels)[0][0]) for pixels in in_openvino.pixels()])

    assert json.loads(model.get_rt_info(["unfreeze", "labels"]).astype(str)) == list(NAMES)
    assert json.loads(model.get_rt_info(["unfreeze", "resize"]).astype(str)) == "exact"


@pytest.fixture(scope="module")
def in_torch(tiny: Backbone, photos: Path, resources: Resources, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A classifier on an earlier tap, whose photos are squashed."""
    place = tmp_path_factory.mktemp("torch")
    model = saved(tiny.resized_by("squash"), place / "model", "tap")
    return exported(model, place / "out", photos, resources, "torch-export")


@pytest.mark.slow
def test_torch_export_says_what_predict_says(in_torch: Case) -> None:
    """From decoded photos of any size, in one program, in whose archive the labels lie."""
    extra = {"labels": ""}
    program = torch.export.load(in_torch.out / "model.pt2", extra_files=extra).module()
    in_torch.check([program(torch.from_numpy(pixels))[0][0].numpy() for pixels in in_torch.pixels()])

    assert json.loads(extra["labels"]) == list(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["onnx", "openvino", "torch-export"])
def test_an_export_marks_what_predict_marks(target: Any, request: pytest.FixtureRequest) -> None:
    """Its second output is the likeness that predict gives, and its metadata say up to which one a photo is unlike."""
    case: Case = request.getfixturevalue({"onnx": "in_onnx", "openvino": "in_openvino"}.get(target, "in_torch"))
    known, wanted = read_config(case.model)[OUR_KEY]["unlike"]["photos"], case.predictions.likeness

    found = [likeness_of(case.out, target, pixels) for pixels in case.pixels()]

    assert wanted is not None
    assert np.ptp(wanted) > 0.3
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1 / (1 + known) + 1e-6)
    assert case.record.unlike == pytest.approx(1 / (1 + known), abs=1e-6)  # too few photos to tell 1 %
    assert case.record.parity[0].likeness_difference is not None
    assert case.record.parity[0].likeness_difference <= 1 / (1 + known) + 1e-6


def likeness_of(out: Path, target: str, pixels: np.ndarray) -> float:
    """By the line of code in the card of the export, in the runtime that it is for."""
    import onnxruntime
    import openvino

    made: dict[str, Any] = {"pixels": pixels, "torch": torch}
    if target == "onnx":
        made["model"] = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
        assert float(json.loads(made["model"].get_modelmeta().custom_metadata_map["unlike"])) > 0
    elif target == "openvino":
        made["program"] = openvino.compile_model(out / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    else:
        made["program"] = torch.export.load(out / "model.pt2").module()
    (code,) = re.findall(r"`([^`]*)` is the share", (out / "README.md").read_text())
    return float(eval(code, made))


@pytest.mark.slow
@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_int8_is_smaller_and_says_what_it_costs(
    target: Any, tiny: Backbone, photos: Path, resources: Resources, tmp_path: Path
) -> None:
    """The cost is measured on photos that it was not calibrated on, and their labels come from the folders."""
    model = saved(tiny, tmp_path / "model", "whole")

    record = export(model, tmp_path / "out", photos, resources, target=target, int8=True, asked_resize="fast")

    cost = record.int8_cost
    assert cost is not None
    assert (cost.calibrated_on, cost.photos, cost.learned) == (11, 11, 0)
    assert cost.accuracy is not None
    assert cost.int8_accuracy is not None
    assert cost.difference == pytest.approx(cost.int8_accuracy - cost.accuracy)
    assert cost.interval is not None
    assert cost.interval.low <= cost.difference <= cost.interval.high
    assert record.megabytes < 0.7 * (model / "model.safetensors").stat().st_size / 1e6
    assert cost.same_top >= 8
    assert "## What int8 costs" in (tmp_path / "out" / "README.md").read_text()


def test_the_code_of_the_card_decodes_as_predict_does(photos: Path) -> None:
    """Of upright, turned and large JPEGs and of PNGs in plain colours, it gives the same pixels."""
    for path in (path for path in photos.rglob("*") if path.is_file()):
        expected = np.array(decode(path.read_bytes(), at_least=64).image)
        np.testing.assert_array_equal(by_pillow(path, 64), expected)


def test_an_exact_export_that_differs_is_not_delivered() -> None:
    """A probability that is off by 2e-4 is refused; what differs by another decoding is not."""
    row = ExportParity(decoding="predict", photos=9, same_top=9, largest_difference=2e-4)

    with pytest.raises(AuditError, match=r"differ by 2\.0e-04 on 9 photos, where 0\.0001 is allowed"):
        check_exact([row])
    check_exact([replace(row, decoding="full"), replace(row, largest_difference=1e-4)])

    other = replace(row, largest_difference=0.0, likeness_difference=0.05)
    with pytest.raises(AuditError, match=r"likeness differs by 5\.0e-02 on 9 photos, where 3\.0e-02 is allowed"):
        check_exact([other], known_photos=99)
    check_exact([other], known_photos=49)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"target": "torch-export", "int8": True},
            r"--int8 is for onnx and openvino; torch-export is exported in float32",
        ),
        (
            {"target": "coreml", "asked_resize": "exact"},
            r"no exact resizing: Vision resizes photos.*Leave --resize out",
        ),
        ({"target": "coreml"}, r"needs coremltools, which is not installed\. Install it"),
        ({"target": "onnx"}, r"The photos of the run of .*model are not there to compare on\. Give some: --images"),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_sentence(
    settings: dict[str, Any],
    said: str,
    *,
    tiny: Backbone,
    resources: Resources,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And nothing is left behind."""
    monkeypatch.setitem(sys.modules, "coremltools", None)
    model = saved(tiny, tmp_path / "model", "whole")

    with pytest.raises(InputError, match=said) as caught:
        export(model, tmp_path / "out", None, resources, **settings)

    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_is_not_installed_is_named(
    tiny: Backbone, photos: Path, resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the packages of the extra, the sentence says which extra."""
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    model = saved(tiny, tmp_path / "model", "whole")

    with pytest.raises(InputError, match=r"needs onnxscript, which is not installed\..*'unfreeze\[export\]'"):
        export(model, tmp_path / "out", photos, resources, target="onnx")


def test_a_filter_that_cannot_be_exported_is_said(
    tiny: Backbone, photos: Path, resources: Resources, tmp_path: Path
) -> None:
    """Lanczos needs sines, which float32 does not have to the last bit."""
    lanczos = replace(tiny, card=replace(tiny.card, interpolation="lanczos"))
    model = saved(lanczos, tmp_path / "model", "whole")
    assert read_model(model).card.interpolation == "lanczos"

    with pytest.raises(InputError, match=r"by bilinear or bicubic interpolation, and this one.* by lanczos"):
        export(model, tmp_path / "out", photos, resources, target="onnx")
