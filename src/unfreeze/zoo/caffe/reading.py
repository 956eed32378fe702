"""Caffe's files as plain data: layers as dictionaries, blobs as arrays; runs in a child process (see `child`)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from unfreeze.core.errors import InputError
from unfreeze.zoo.caffe.messages import message

MOST_TEXT = 4 * 2**20  # bytes of a prototxt; that of ResNet-152 has 60,000
MOST_WEIGHTS = 2**31 - 1  # bytes; protobuf itself reads no more
MOST_LAYERS = 10_000

Layer = dict[str, Any]
Blobs = dict[str, list[np.ndarray]]

# Where a layer's settings are, by its type.
_SETTINGS = {
    "BatchNorm": "batch_norm_param",
    "Bias": "bias_param",
    "Concat": "concat_param",
    "Convolution": "convolution_param",
    "Crop": "crop_param",
    "Data": "data_param",
    "Deconvolution": "convolution_param",
    "Dropout": "dropout_param",
    "DummyData": "dummy_data_param",
    "ELU": "elu_param",
    "Eltwise": "eltwise_param",
    "Exp": "exp_param",
    "Flatten": "flatten_param",
    "InnerProduct": "inner_product_param",
    "Input": "input_param",
    "LRN": "lrn_param",
    "Log": "log_param",
    "MemoryData": "memory_data_param",
    "PReLU": "prelu_param",
    "Pooling": "pooling_param",
    "Power": "power_param",
    "ReLU": "relu_param",
    "Reshape": "reshape_param",
    "Scale": "scale_param",
    "Slice": "slice_param",
    "Softmax": "softmax_param",
}
# Today's names of the types that had another spelling until 2014.
_TYPES = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "DUMMY_DATA": "DummyData",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}


def network_in(text: bytes) -> dict[str, Any]:
    """What a prototxt says.

    Args:
        text: Of the file.

    Returns:
        ``name``; ``inputs``, each a name and a shape; ``layers``, each with name, type, bottoms, tops, the rules by
        which it is there, its own settings and those of the transformation of images.

    Raises:
        InputError: It is no prototxt of a network, or too large; a sentence without its name.
    """
    if len(text) > MOST_TEXT:
        msg = f"it has {len(text):,} bytes, {MOST_TEXT:,} at most"
        raise InputError(msg)
    from google.protobuf import text_format

    network = message("NetParameter")()
    try:
        text_format.Parse(text.decode("utf-8"), network, allow_unknown_field=True)
    except UnicodeDecodeError as error:
        msg = "it is no text: the prototxt comes first, then the caffemodel"
        raise InputError(msg) from error
    except (text_format.ParseError, RecursionError, ValueError, TypeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:200].rstrip(". ")
        msg = f"it is not what Caffe writes: {reason}"
        raise InputError(msg) from error
    layers = _layers(network)
    if not layers:
        msg = "it has no layers; a solver's prototxt names the file of the network"
        raise InputError(msg)
    return {"name": network.name, "inputs": _inputs(network), "layers": [_plain(layer) for layer in layers]}


def weights_in(data: bytes) -> Blobs:
    """The blobs of a caffemodel.

    Args:
        data: Of the file.

    Returns:
        Arrays by the layer's name, in the shapes that the file gives (four numbers where it is old), float32.

    Raises:
        InputError: It is no caffemodel, or too large; a sentence without its name.
    """
    network = message("NetParameter")()
    _parse(network, data)
    blobs: Blobs = {}
    for layer in _layers(network):
        if layer.blobs:
            blobs[layer.name] = [_array(blob) for blob in layer.blobs]
    if not blobs:
        msg = "it has no weights"
        raise InputError(msg)
    return blobs


def mean_in(data: bytes) -> np.ndarray:
    """The mean of each channel of a mean file (``binaryproto``).

    Args:
        data: Of the file.

    Returns:
        float64, one number per channel, in the file's order: blue, green, red.

    Raises:
        InputError: It is no mean file of three channels; a sentence without its name.
    """
    blob = message("BlobProto")()
    _parse(blob, data)
    image = _array(blob)
    if image.ndim == 4 and image.shape[0] == 1:
        image = image[0]
    if image.ndim != 3 or image.shape[0] != 3:
        msg = f"it holds numbers in the shape {list(image.shape)}, and the mean of colour images has 3 x height x width"
        raise InputError(msg)
    means: np.ndarray = image.astype(np.float64).mean(axis=(1, 2))
    return means


def _parse(into: Any, data: bytes) -> None:
    from google.protobuf.message import DecodeError

    if len(data) > MOST_WEIGHTS:
        msg = f"it has {len(data):,} bytes, {MOST_WEIGHTS:,} at most"
        raise InputError(msg)
    try:
        into.ParseFromString(data)
    except (DecodeError, ValueError) as error:
        msg = "it is damaged, or of another kind: protobuf cannot read it"
        raise InputError(msg) from error


def _layers(network: Any) -> Sequence[Any]:
    layers: Sequence[Any] = network.layer or network.layers
    if len(layers) > MOST_LAYERS:
        msg = f"it has {len(layers):,} layers, {MOST_LAYERS:,} at most"
        raise InputError(msg)
    if network.layers and any(layer.HasField("layer") for layer in network.layers):
        msg = "it is of Caffe's first format, before 2013; Caffe's own upgrade_net_proto_text and _binary renew it"
        raise InputError(msg)
    return layers


def _inputs(network: Any) -> list[list[Any]]:
    shapes = [list(shape.dim) for shape in network.input_shape]
    dims = list(network.input_dim)
    shapes = shapes or [dims[i : i + 4] for i in range(0, len(dims), 4)]
    return [[name, shapes[i] if i < len(shapes) else []] for i, name in enumerate(network.input)]


def _plain(layer: Any) -> Layer:
    kind = layer.type if isinstance(layer.type, str) else _type_name(layer)
    settings = _SETTINGS.get(kind)
    known = settings is not None and settings in layer.DESCRIPTOR.fields_by_name
    return {
        "name": layer.name,
        "type": kind,
        "bottoms": list(layer.bottom),
        "tops": list(layer.top),
        "include": [_fields(rule) for rule in layer.include],
        "exclude": [_fields(rule) for rule in layer.exclude],
        "settings": _fields(getattr(layer, settings)) if settings and known else {},
        "transform": _fields(layer.transform_param),
    }


def _type_name(layer: Any) -> str:
    name: str = layer.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number[layer.type].name
    return _TYPES.get(name, "".join(part.capitalize() for part in name.split("_")))


def _fields(part: Any) -> dict[str, Any]:
    """All fields of a message, those that are not there as what they are then; ``given`` names those that are."""
    found: dict[str, Any] = {"given": [field.name for field, _ in part.ListFields()]}
    for field in part.DESCRIPTOR.fields:
        value = getattr(part, field.name)
        if field.enum_type is not None:
            value = field.enum_type.values_by_number[value].name
        elif field.message_type is not None:
            many = field.name in {"shape"} and not hasattr(value, "dim")
            value = [list(one.dim) for one in value] if many else list(value.dim)
        elif not isinstance(value, (str, bytes, bool, int, float)):
            value = list(value)
        found[field.name] = value
    return found


def _array(blob: Any) -> np.ndarray:
    data = _numbers(blob)
    shape = list(blob.shape.dim)
    if not blob.HasField("shape"):
        shape = [blob.num, blob.channels, blob.height, blob.width] if blob.HasField("num") else [data.size]
    if any(side < 0 for side in shape) or math.prod(shape) != data.size:
        msg = f"it is damaged: a blob of the shape {shape[:8]} holds {data.size:,} numbers"
        raise InputError(msg)
    return data.reshape(shape)


def _numbers(blob: Any) -> np.ndarray:
    """As float32; packed ones, or those that stand one by one."""
    for chunks, kind in ((blob.data, "<f4"), (blob.double_data, "<f8")):
        if chunks:
            packed = b"".join(chunks)
            if len(packed) % np.dtype(kind).itemsize:
                msg = "it is damaged: a blob ends within a number"
                raise InputError(msg)
            return np.frombuffer(packed, kind).astype(np.float32)
    single = message("UnpackedBlobProto")()
    single.ParseFromString(blob.SerializeToString())
    values = single.data or single.double_data
    return np.fromiter(values, np.float32, count=len(values))
