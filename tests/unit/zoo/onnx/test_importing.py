"""ONNX files become backbones: what they compute, what is left out and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn

from unfreeze.core.errors import InputError, PlanError, WeightsError
from unfreeze.features.onnx_files import read_onnx
from unfreeze.workflows.importing import ImportSettings, import_network
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.folders import load_model, save_model
from unfreeze.zoo.onnx.importing import preprocessing_by

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SIZE = 32
Node = tuple[str, list[str], list[str], dict[str, Any]]


def written(path: Path, nodes: list[Node], constants: dict[str, np.ndarray], shape: list[Any], output: str) -> Path:
    """An ONNX file of these nodes, from ``image`` to `output`."""
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, outputs, **settings) for kind, inputs, outputs, settings in nodes],
        "net",
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def small(path: Path, *, shape: list[Any], last: bool = False) -> Path:
    """Two convolutions and a classifier with its softmax."""
    rng = np.random.default_rng(0)
    constants = {
        "w1": rng.normal(size=(8, 3, 3, 3)).astype(np.float32) / 5,
        "b1": rng.normal(size=8).astype(np.float32),
        "w2": rng.normal(size=(12, 8, 3, 3)).astype(np.float32) / 8,
        "w3": rng.normal(size=(12, 5)).astype(np.float32),
        "b3": rng.normal(size=5).astype(np.float32),
    }
    nodes: list[Node] = [
        ("Conv", ["x", "w1", "b1"], ["c1"], {"pads": [1, 1, 1, 1]}),
        ("Relu", ["c1"], ["r1"], {}),
        ("Conv", ["r1", "w2"], ["c2"], {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        ("Relu", ["c2"], ["r2"], {}),
        ("GlobalAveragePool", ["r2"], ["pool"], {}),
        ("Flatten", ["pool"], ["codes"], {}),
        ("MatMul", ["codes", "w3"], ["product"], {}),
        ("Add", ["product", "b3"], ["logits"], {}),
        ("Softmax", ["logits"], ["probabilities"], {}),
    ]
    first: Node = (
        ("Transpose", ["image"], ["x"], {"perm": [0, 3, 1, 2]}) if last else ("Identity", ["image"], ["x"], {})
    )
    return written(path, [first, *nodes], constants, shape, "probabilities")


def imported(path: Path, folder: Path, **settings: Any) -> Backbone:
    """The backbone in the folder that the file becomes."""
    import_network(ImportSettings(files=[path], out=folder, **{"preprocessing": "unit", **settings}))
    return load_backbone(str(folder))


def by_runtime(path: Path, images: np.ndarray) -> np.ndarray:
    """What ONNX Runtime says."""
    session = onnxruntime.InferenceSession(str(path))
    (found,) = session.run(None, {session.get_inputs()[0].name: images})
    return np.asarray(found)


def by_torch(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """What the imported network says."""
    with torch.no_grad():
        return np.asarray(network(torch.from_numpy(images)))


@pytest.mark.parametrize(("batch", "last"), [("any", False), (1, False), ("any", True)])
def test_scores_are_those_of_onnx_runtime(
    tmp_path: Path, rng: np.random.Generator, batch: str | int, last: bool
) -> None:
    """Before the softmax that is left out, for one image or any number of them, channels first or last."""
    shape = [batch, SIZE, SIZE, 3] if last else [batch, 3, SIZE, SIZE]
    path = small(tmp_path / "net.onnx", shape=shape, last=last)
    backbone = imported(path, tmp_path / "net")
    images = rng.normal(size=(1 if batch == 1 else 4, 3, SIZE, SIZE)).astype(np.float32)

    scores = torch.from_numpy(by_torch(backbone.network, images)).softmax(1).numpy()

    expected = by_runtime(path, images.transpose(0, 2, 3, 1) if last else images)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert by_torch(backbone.network, np.concatenate([images, images])).shape == (2 * len(images), 5)


def chain(parts: list[tuple[str, dict[str, Any], list[np.ndarray]]]) -> tuple[list[Node], dict[str, np.ndarray]]:
    """Nodes one behind the other, each with constants behind what it takes."""
    nodes: list[Node] = [("Identity", ["image"], ["v0"], {})]
    constants: dict[str, np.ndarray] = {}
    for place, (kind, settings, values) in enumerate(parts):
        names = [f"k{place}_{number}" for number in range(len(values))]
        constants |= dict(zip(names, values, strict=True))
        nodes.append((kind, [f"v{place}", *names], [f"v{place + 1}"], settings))
    return nodes, constants


def floats(*values: float) -> np.ndarray:
    """As ONNX wants constants."""
    return np.array(values, np.float32)


def whole(*values: int) -> np.ndarray:
    """The same, of whole numbers."""
    return np.array(values, np.int64)


PARTS: dict[str, Callable[[np.random.Generator], list[tuple[str, dict[str, Any], list[np.ndarray]]]]] = {
    "windows": lambda _: [
        ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, []),
        ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, []),
        ("AveragePool", {"kernel_shape": [2, 2], "pads": [0, 1, 1, 0], "count_include_pad": 1}, []),
        ("MaxPool", {"kernel_shape": [2, 3], "pads": [1, 1, 0, 1]}, []),
    ],
    "functions": lambda rng: [
        ("PRelu", {}, [rng.normal(size=(3, 1, 1)).astype(np.float32)]),
        ("Clip", {}, [floats(-0.5)[0], floats(2.0)[0]]),
        ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}, []),
        ("Mul", {}, [rng.normal(size=(3, 1, 1)).astype(np.float32)]),
        ("Sub", {}, [floats(0.25)]),
        ("Elu", {"alpha": 0.7}, []),
        ("Softplus", {}, []),
        ("Sqrt", {}, []),
        ("Pow", {}, [floats(1.5)]),
        ("Div", {}, [floats(2.0)]),
        ("Max", {}, [floats(0.1)]),
        ("LRN", {"size": 3, "alpha": 0.1, "beta": 0.6, "bias": 1.5}, []),
    ],
    "places": lambda _: [
        ("Pad", {"mode": "reflect"}, [whole(0, 0, 1, 2, 0, 0, 2, 1)]),
        ("Slice", {}, [whole(1, 2), whole(-1, 30), whole(2, 3)]),
        ("Transpose", {"perm": [0, 2, 3, 1]}, []),
        ("Reshape", {}, [whole(0, -1, 3)]),
        ("Softmax", {"axis": -1}, []),
        ("Gather", {"axis": 1}, [np.array(2, np.int64)]),
    ],
}


@pytest.mark.parametrize("kind", PARTS)
def test_each_operation_is_that_of_onnx_runtime(tmp_path: Path, rng: np.random.Generator, kind: str) -> None:
    """Windows round and pad as ONNX's do, functions take its constants, and axes go where it puts them."""
    nodes, constants = chain(PARTS[kind](rng))
    last = nodes[-1][2][0]
    trunk = written(tmp_path / "trunk.onnx", nodes, constants, ["n", 3, SIZE, SIZE], last)
    images = rng.normal(size=(2, 3, SIZE, SIZE)).astype(np.float32)
    expected = by_runtime(trunk, images)
    codes = expected.reshape(2, -1).shape[1]
    constants["head"] = np.eye(codes, 6, dtype=np.float32)
    ending: list[Node] = [("Flatten", [last], ["codes"], {}), ("MatMul", ["codes", "head"], ["scores"], {})]
    path = written(tmp_path / "net.onnx", [*nodes, *ending], constants, ["n", 3, SIZE, SIZE], "scores")

    network = imported(path, tmp_path / "net").network

    read = min(codes, 6)  # the others are zero
    np.testing.assert_allclose(by_torch(network, images)[:, :read], expected.reshape(2, -1)[:, :read], atol=1e-5)


@pytest.mark.parametrize("name", ["test_vit", "test_efficientnet", "test_convnext"])
def test_networks_that_torch_exports(tmp_path: Path, rng: np.random.Generator, name: str) -> None:
    """Attention, layer norms, depthwise convolutions and channel attention give what timm's own network gives."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model(name).eval()
    path = tmp_path / "net.onnx"
    images = torch.from_numpy(rng.normal(size=(2, 3, 160, 160)).astype(np.float32))
    torch.onnx.export(network, (images,), str(path), dynamo=False, dynamic_axes={"x": {0: "n"}}, input_names=["x"])

    backbone = imported(path, tmp_path / "net", preprocessing="torch")

    with torch.no_grad():
        expected = network(images)
        torch.testing.assert_close(backbone.network(images), expected, atol=1e-4, rtol=1e-4)
        for cut in backbone.cuts[:: max(1, len(backbone.cuts) // 4)]:
            (middle,) = backbone.prefix([cut])(images)
            torch.testing.assert_close(backbone.suffix(cut)(middle), backbone.network(images))


def test_a_model_of_it_is_delivered(tmp_path: Path, rng: np.random.Generator) -> None:
    """A classifier on it is saved with its graph, and says the same when the imported folder is gone."""
    path = small(tmp_path / "net.onnx", shape=["n", 3, SIZE, SIZE])
    backbone = imported(path, tmp_path / "net").with_classes(2)
    backbone.set_head(torch.from_numpy(rng.normal(size=(2, 12)).astype(np.float32)), torch.zeros(2))
    save_model(tmp_path / "model", backbone, class_names=["ants", "bees"], card_text="")
    (tmp_path / "net" / "network.json").unlink()
    pixels = torch.from_numpy(rng.integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8))

    loaded, _ = load_model(tmp_path / "model")
    with torch.no_grad():
        torch.testing.assert_close(loaded.module()(pixels), backbone.module()(pixels))


def test_a_trunk_gets_a_head(tmp_path: Path) -> None:
    """The layers up to the named one, pooled, with a classifier of zeros; what follows is let go."""
    path = small(tmp_path / "net.onnx", shape=["n", 3, SIZE, SIZE])

    backbone = imported(path, tmp_path / "net", until="r2")

    assert (backbone.classes, backbone.card.num_features) == (2, 12)
    with pytest.raises(PlanError, match=r"The network has no layer 'r3'\. Its last ones: .*logits"):
        imported(path, tmp_path / "other", until="r3")


def test_what_is_taken(tmp_path: Path) -> None:
    """The pixels are those of the word that was given; a mean and a scale of pixels from 0 to 255 go before it."""
    with pytest.raises(InputError, match=r"One of torch, tf, caffe, unit, pixels is wanted, and the file does not say"):
        import_network(ImportSettings(files=[tmp_path / "net.onnx"], out=tmp_path / "net"))
    with pytest.raises(InputError, match="there is no 'keras'"):
        preprocessing_by("keras", 32, mean=None, scale=None)

    takes = preprocessing_by("torch", 32, mean=None, scale=1 / 64)
    assert (takes.scale, takes.std) == (1.0, (64.0, 64.0, 64.0))
    assert takes.mean == pytest.approx((123.675, 116.28, 103.53))


def test_what_is_no_network_of_photos(tmp_path: Path) -> None:
    """Damaged files, others' files, other inputs, a network of any size, and weights in a second file: a sentence."""

    def refusal(path: Path) -> str:
        with pytest.raises(WeightsError) as caught:
            read_onnx(path)
        assert str(caught.value).startswith(f"{path} cannot be imported (")
        return str(caught.value)

    path = small(tmp_path / "net.onnx", shape=["n", 3, SIZE, SIZE])
    (tmp_path / "half.onnx").write_bytes(path.read_bytes()[:500])
    assert "OpenVINO does not read it" in refusal(tmp_path / "half.onnx")
    (tmp_path / "none.onnx").write_bytes(b"PK\x03\x04" * 100)
    refusal(tmp_path / "none.onnx")
    assert "No such file" in refusal(tmp_path / "nowhere.onnx")
    relu: list[Node] = [("Relu", ["image"], ["y"], {})]
    grey = written(tmp_path / "grey.onnx", relu, {}, ["n", 1, SIZE, SIZE], "y")
    assert "it takes [?,1,32,32], and photos are" in refusal(grey)
    assert "it takes any size, and squares are wanted: give a side with --size PX" in refusal(
        small(tmp_path / "any.onnx", shape=["n", 3, "h", "w"])
    )
    model = onnx.load(str(path))
    onnx.save(model, str(tmp_path / "two.onnx"), save_as_external_data=True, size_threshold=0, location="weights")
    assert "its weights are in a second file; save it as one" in refusal(tmp_path / "two.onnx")


def test_mutants(tmp_path: Path, rng: np.random.Generator) -> None:
    """A file in which bytes were changed is a network with other numbers, or is refused in a sentence."""
    data = bytearray(small(tmp_path / "net.onnx", shape=["n", 3, SIZE, SIZE]).read_bytes())
    said = []
    for number in range(6):
        mutant, folder = bytearray(data), tmp_path / str(number)
        for place in rng.integers(0, len(data), 12):
            mutant[place] = rng.integers(256)
        (tmp_path / f"{number}.onnx").write_bytes(mutant)
        try:
            import_network(ImportSettings(files=[tmp_path / f"{number}.onnx"], out=folder, preprocessing="unit"))
        except InputError as error:
            said.append((str(error), folder.exists()))

    assert all("\n" not in sentence and not exists for sentence, exists in said)
