"""Networks of Caffe's, written from their papers with random weights; `python tests/caffe_nets.py` asks OpenCV anew.

OpenCV 5 reads Caffe no more, so what OpenCV 4 said is kept in tests/reference/caffe_judge.npz.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

JUDGE = Path(__file__).parent / "reference" / "caffe_judge.npz"
MEAN = (104.0, 117.0, 123.0)
NARROW = 4  # channels are divided by it, so that the tests take seconds


@dataclass(frozen=True)
class Blob:
    """A value in a prototxt: its name, channels and side."""

    name: str
    channels: int
    side: int


@dataclass
class Net:
    """A prototxt that is being written, and weights for it."""

    size: int
    text: list[str] = field(default_factory=list)
    blobs: dict[str, tuple[str, list[np.ndarray]]] = field(default_factory=dict)

    def image(self) -> Blob:
        """The input."""
        shape = f"shape {{ dim: 1 dim: 3 dim: {self.size} dim: {self.size} }}"
        self.text.append(f'layer {{ name: "data" type: "Input" top: "data" input_param {{ {shape} }} }}')
        return Blob("data", 3, self.size)

    def layer(
        self, name: str, kind: str, given: list[Blob], top: Blob, settings: str = "", *, blobs: list | None = None
    ) -> Blob:
        """A layer of any kind."""
        bottoms = " ".join(f'bottom: "{one.name}"' for one in given)
        self.text.append(f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{top.name}" {settings} }}')
        if blobs:
            self.blobs[name] = (kind, blobs)
        return top

    def conv(
        self, x: Blob, name: str, out: int, k: int, *, s: int = 1, p: int = 0, g: int = 1, bias: bool = True
    ) -> Blob:
        """A convolution, its weights drawn."""
        settings = f"num_output: {out} kernel_size: {k} stride: {s} pad: {p} group: {g} bias_term: {str(bias).lower()}"
        weight = drawn(f"{name}.weight", (out, x.channels // g, k, k), math.sqrt(2 / (x.channels // g * k * k)))
        blobs = [weight, drawn(f"{name}.bias", (out,), 0.1)][: 1 + bias]
        top = Blob(name, out, (x.side + 2 * p - k) // s + 1)
        return self.layer(name, "Convolution", [x], top, f"convolution_param {{ {settings} }}", blobs=blobs)

    def relu(self, x: Blob) -> Blob:
        """Rectified, in place."""
        return self.layer(f"relu_{x.name}", "ReLU", [x], x)

    def pool(self, x: Blob, name: str, method: str, k: int, *, s: int, p: int = 0) -> Blob:
        """Pooled; sides as Caffe rounds them."""
        side = math.ceil((x.side + 2 * p - k) / s) + 1
        side -= p > 0 and (side - 1) * s >= x.side + p
        settings = f"pooling_param {{ pool: {method} kernel_size: {k} stride: {s} pad: {p} }}"
        return self.layer(name, "Pooling", [x], Blob(name, x.channels, side), settings)

    def norm(self, x: Blob, name: str) -> Blob:
        """Local response normalisation."""
        return self.layer(name, "LRN", [x], Blob(name, x.channels, x.side), "lrn_param { local_size: 5 alpha: 0.01 }")

    def batch_norm(self, x: Blob) -> Blob:
        """BatchNorm and Scale, in place; statistics are stored times a factor."""
        n, factor = x.channels, np.float32(7.5)
        blobs = [drawn(f"{x.name}.m", (n,), 0.2), 1 + drawn(f"{x.name}.v", (n,), 0.2) ** 2, np.ones(1, np.float32)]
        self.layer(f"bn_{x.name}", "BatchNorm", [x], x, blobs=[blob * factor for blob in blobs])
        scale = [1 + drawn(f"{x.name}.s", (n,), 0.1), drawn(f"{x.name}.b", (n,), 0.1)]
        return self.layer(f"scale_{x.name}", "Scale", [x], x, "scale_param { bias_term: true }", blobs=scale)

    def inner(self, x: Blob, name: str, out: int) -> Blob:
        """A fully connected layer."""
        n = x.channels * x.side**2
        blobs = [drawn(f"{name}.weight", (out, n), math.sqrt(2 / n)), drawn(f"{name}.bias", (out,), 0.1)]
        settings = f"inner_product_param {{ num_output: {out} }}"
        return self.layer(name, "InnerProduct", [x], Blob(name, out, 1), settings, blobs=blobs)

    def dropout(self, x: Blob) -> Blob:
        """Dropout, in place."""
        return self.layer(f"drop_{x.name}", "Dropout", [x], x, "dropout_param { dropout_ratio: 0.5 }")

    def concat(self, given: list[Blob], name: str) -> Blob:
        """Channels one behind the other."""
        return self.layer(name, "Concat", given, Blob(name, sum(one.channels for one in given), given[0].side))

    def plus(self, a: Blob, b: Blob, name: str) -> Blob:
        """The sum."""
        return self.layer(name, "Eltwise", [a, b], Blob(name, a.channels, a.side))

    def prototxt(self) -> str:
        """The text of the network."""
        return "\n".join(self.text)

    def caffemodel(self) -> bytes:
        """The weights, as Caffe writes them."""
        from unfreeze.zoo.caffe.messages import message

        network = message("NetParameter")()
        for name, (kind, blobs) in self.blobs.items():
            layer = network.layer.add(name=name, type=kind)
            for blob in blobs:
                added = layer.blobs.add(data=[blob.astype("<f4").tobytes()])
                added.shape.dim.extend(blob.shape)
        return network.SerializeToString()

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Both files, in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "deploy.prototxt").write_text(self.prototxt())
        (folder / "net.caffemodel").write_bytes(self.caffemodel())
        return folder / "deploy.prototxt", folder / "net.caffemodel"


def drawn(name: str, shape: tuple[int, ...], scale: float) -> np.ndarray:
    """Numbers that follow from the name; NumPy promises that this stream stays as it is."""
    return (np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * scale).astype(np.float32)


def images(net: Net, count: int = 1) -> np.ndarray:
    """Noise as the network takes it, small enough that probabilities stay probabilities."""
    return drawn("images", (count, 3, net.size, net.size), 1.0)


def caffenet(narrow: int = NARROW, classes: int = 100) -> Net:
    """AlexNet as Caffe's reference model has it: pooling before normalisation (Krizhevsky et al. 2012)."""
    net = Net(227)
    x = net.relu(net.conv(net.image(), "conv1", 96 // narrow, 11, s=4))
    x = net.norm(net.pool(x, "pool1", "MAX", 3, s=2), "norm1")
    x = net.relu(net.conv(x, "conv2", 256 // narrow, 5, p=2, g=2))
    x = net.norm(net.pool(x, "pool2", "MAX", 3, s=2), "norm2")
    x = net.relu(net.conv(x, "conv3", 384 // narrow, 3, p=1))
    x = net.relu(net.conv(x, "conv4", 384 // narrow, 3, p=1, g=2))
    x = net.pool(net.relu(net.conv(x, "conv5", 256 // narrow, 3, p=1, g=2)), "pool5", "MAX", 3, s=2)
    for name in ("fc6", "fc7"):
        x = net.dropout(net.relu(net.inner(x, name, 4096 // narrow)))
    net.layer("prob", "Softmax", [net.inner(x, "fc8", classes)], Blob("prob", classes, 1))
    return net


def vgg16(narrow: int = 2 * NARROW, classes: int = 100, size: int = 64) -> Net:
    """VGG's network D (Simonyan and Zisserman 2014), for small images."""
    net = Net(size)
    x = net.image()
    for stage, (channels, depth) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], start=1):
        for place in range(1, depth + 1):
            x = net.relu(net.conv(x, f"conv{stage}_{place}", channels // narrow, 3, p=1))
        x = net.pool(x, f"pool{stage}", "MAX", 2, s=2)
    for name in ("fc6", "fc7"):
        x = net.dropout(net.relu(net.inner(x, name, 4096 // narrow)))
    net.layer("prob", "Softmax", [net.inner(x, "fc8", classes)], Blob("prob", classes, 1))
    return net


_INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(narrow: int = NARROW, classes: int = 100) -> Net:
    """GoogLeNet (Szegedy et al. 2014, table 1), without its auxiliary classifiers."""
    net = Net(224)
    x = net.relu(net.conv(net.image(), "conv1/7x7_s2", 64 // narrow, 7, s=2, p=3))
    x = net.norm(net.pool(x, "pool1/3x3_s2", "MAX", 3, s=2), "pool1/norm1")
    x = net.relu(net.conv(x, "conv2/3x3_reduce", 64 // narrow, 1))
    x = net.relu(net.conv(x, "conv2/3x3", 192 // narrow, 3, p=1))
    x = net.pool(net.norm(x, "conv2/norm2"), "pool2/3x3_s2", "MAX", 3, s=2)
    for name, widths in _INCEPTION.items():
        if name in {"4a", "5a"}:
            x = net.pool(x, f"pool{int(name[0]) - 1}/3x3_s2", "MAX", 3, s=2)
        x = _inception(net, x, f"inception_{name}", [width // narrow for width in widths])
    x = net.dropout(net.pool(x, "pool5/7x7_s1", "AVE", 7, s=1))
    net.layer("prob", "Softmax", [net.inner(x, "loss3/classifier", classes)], Blob("prob", classes, 1))
    return net


def _inception(net: Net, x: Blob, name: str, widths: list[int]) -> Blob:
    one, three_less, three, five_less, five, pooled = widths
    a = net.relu(net.conv(x, f"{name}/1x1", one, 1))
    b = net.relu(net.conv(x, f"{name}/3x3_reduce", three_less, 1))
    b = net.relu(net.conv(b, f"{name}/3x3", three, 3, p=1))
    c = net.relu(net.conv(x, f"{name}/5x5_reduce", five_less, 1))
    c = net.relu(net.conv(c, f"{name}/5x5", five, 5, p=2))
    d = net.pool(x, f"{name}/pool", "MAX", 3, s=1, p=1)
    d = net.relu(net.conv(d, f"{name}/pool_proj", pooled, 1))
    return net.concat([a, b, c, d], f"{name}/output")


def resnet50(narrow: int = NARROW, classes: int = 100) -> Net:
    """ResNet-50 (He et al. 2015), with the stride in the first 1x1 convolution of a unit."""
    net = Net(224)
    x = net.relu(net.batch_norm(net.conv(net.image(), "conv1", 64 // narrow, 7, s=2, p=3)))
    x = net.pool(x, "pool1", "MAX", 3, s=2)
    for stage, depth in enumerate((3, 4, 6, 3), start=2):
        for place in range(depth):
            x = _bottleneck(net, x, f"{stage}{'abcdef'[place]}", 2 ** (stage + 4) // narrow, first=place == 0)
    x = net.pool(x, "pool5", "AVE", 7, s=1)
    net.layer("prob", "Softmax", [net.inner(x, "fc", classes)], Blob("prob", classes, 1))
    return net


def _bottleneck(net: Net, x: Blob, name: str, width: int, *, first: bool) -> Blob:
    stride = 2 if first and name[0] != "2" else 1
    short = x
    if first:
        short = net.batch_norm(net.conv(x, f"res{name}_branch1", 4 * width, 1, s=stride, bias=False))
    y = net.relu(net.batch_norm(net.conv(x, f"res{name}_branch2a", width, 1, s=stride, bias=False)))
    y = net.relu(net.batch_norm(net.conv(y, f"res{name}_branch2b", width, 3, p=1, bias=False)))
    y = net.batch_norm(net.conv(y, f"res{name}_branch2c", 4 * width, 1, bias=False))
    return net.relu(net.plus(short, y, f"res{name}"))


def squeezenet(narrow: int = 1, classes: int = 100) -> Net:
    """SqueezeNet 1.0 (Iandola et al. 2016)."""
    net = Net(227)
    x = net.relu(net.conv(net.image(), "conv1", 96 // narrow, 7, s=2))
    x = net.pool(x, "pool1", "MAX", 3, s=2)
    for place, squeezed in enumerate((16, 16, 32, 32, 48, 48, 64, 64), start=2):
        name = f"fire{place}"
        less = net.relu(net.conv(x, f"{name}/squeeze1x1", squeezed // narrow, 1))
        one = net.relu(net.conv(less, f"{name}/expand1x1", 4 * squeezed // narrow, 1))
        three = net.relu(net.conv(less, f"{name}/expand3x3", 4 * squeezed // narrow, 3, p=1))
        x = net.concat([one, three], f"{name}/concat")
        if place in {4, 8}:
            x = net.pool(x, f"pool{place}", "MAX", 3, s=2)
    x = net.relu(net.conv(net.dropout(x), "conv10", classes, 1))
    pooled = net.layer(
        "pool10", "Pooling", [x], Blob("pool10", classes, 1), "pooling_param { pool: AVE global_pooling: true }"
    )
    net.layer("prob", "Softmax", [pooled], Blob("prob", classes, 1))
    return net


NETWORKS: dict[str, Callable[[], Net]] = {
    "caffenet": caffenet,
    "vgg16": vgg16,
    "googlenet": googlenet,
    "resnet50": resnet50,
    "squeezenet": squeezenet,
}


def judged(net: Net) -> np.ndarray:
    """What OpenCV's importer gives, the last layer's values."""
    import cv2

    prototxt, weights = np.frombuffer(net.prototxt().encode(), np.uint8), np.frombuffer(net.caffemodel(), np.uint8)
    judge = cv2.dnn.readNetFromCaffe(prototxt, weights)
    judge.setInput(images(net))
    return judge.forward().copy()


if __name__ == "__main__":
    np.savez_compressed(JUDGE, **{name: judged(make()) for name, make in NETWORKS.items()})
