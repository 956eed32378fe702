"""Caffe's messages, as far as they are read, made when they are needed.

A module that protoc generates demands the protobuf of its own day; a description of the messages is read by old and new
ones. Names and numbers are those of ``src/caffe/proto/caffe.proto`` (github.com/BVLC/caffe); what is not named here is
passed over by the parser.
"""

from functools import cache
from typing import Any

from unfreeze.core.errors import InputError

# A field is `number name type`; `*` before the type is "repeated", a value after it the default.
_LAYER_PARAMETERS = {  # name: its message, its number in LayerParameter, and in V1LayerParameter
    "transform_param": ("TransformationParameter", 100, 36),
    "concat_param": ("ConcatParameter", 104, 9),
    "convolution_param": ("ConvolutionParameter", 106, 10),
    "data_param": ("DataParameter", 107, 11),
    "dropout_param": ("DropoutParameter", 108, 12),
    "dummy_data_param": ("DummyDataParameter", 109, 26),
    "eltwise_param": ("EltwiseParameter", 110, 24),
    "exp_param": ("ExpParameter", 111, 41),
    "inner_product_param": ("InnerProductParameter", 117, 17),
    "lrn_param": ("LRNParameter", 118, 18),
    "memory_data_param": ("MemoryDataParameter", 119, 22),
    "pooling_param": ("PoolingParameter", 121, 19),
    "power_param": ("PowerParameter", 122, 21),
    "relu_param": ("ReLUParameter", 123, 30),
    "slice_param": ("SliceParameter", 126, 31),
    "softmax_param": ("SoftmaxParameter", 125, 39),
    "prelu_param": ("PReLUParameter", 131, None),
    "reshape_param": ("ReshapeParameter", 133, None),
    "log_param": ("LogParameter", 134, None),
    "flatten_param": ("FlattenParameter", 135, None),
    "batch_norm_param": ("BatchNormParameter", 139, None),
    "elu_param": ("ELUParameter", 140, None),
    "bias_param": ("BiasParameter", 141, None),
    "scale_param": ("ScaleParameter", 142, None),
    "input_param": ("InputParameter", 143, None),
    "crop_param": ("CropParameter", 144, None),
}
_ENUMS = {
    "Phase": {"TRAIN": 0, "TEST": 1},
    "EltwiseOp": {"PROD": 0, "SUM": 1, "MAX": 2},
    "NormRegion": {"ACROSS_CHANNELS": 0, "WITHIN_CHANNEL": 1},
    "PoolMethod": {"MAX": 0, "AVE": 1, "STOCHASTIC": 2},
    "RoundMode": {"CEIL": 0, "FLOOR": 1},
    "LayerType": {
        **{"NONE": 0, "ABSVAL": 35, "ACCURACY": 1, "ARGMAX": 30, "BNLL": 2, "CONCAT": 3, "CONTRASTIVE_LOSS": 37},
        **{"CONVOLUTION": 4, "DATA": 5, "DECONVOLUTION": 39, "DROPOUT": 6, "DUMMY_DATA": 32, "EUCLIDEAN_LOSS": 7},
        **{"ELTWISE": 25, "EXP": 38, "FLATTEN": 8, "HDF5_DATA": 9, "HDF5_OUTPUT": 10, "HINGE_LOSS": 28, "IM2COL": 11},
        **{"IMAGE_DATA": 12, "INFOGAIN_LOSS": 13, "INNER_PRODUCT": 14, "LRN": 15, "MEMORY_DATA": 29},
        **{"MULTINOMIAL_LOGISTIC_LOSS": 16, "MVN": 34, "POOLING": 17, "POWER": 26, "RELU": 18, "SIGMOID": 19},
        **{"SIGMOID_CROSS_ENTROPY_LOSS": 27, "SILENCE": 36, "SOFTMAX": 20, "SOFTMAX_LOSS": 21, "SPLIT": 22},
        **{"SLICE": 33, "TANH": 23, "WINDOW_DATA": 24, "THRESHOLD": 31},
    },
}
_MESSAGES = {
    "BlobShape": "1 dim *int64",
    # Packed numbers are bytes on the wire, and as bytes they become an array without a Python number for each.
    "BlobProto": "1 num int32, 2 channels int32, 3 height int32, 4 width int32, 5 data *bytes, 7 shape BlobShape, "
    "8 double_data *bytes",
    "UnpackedBlobProto": "5 data *float, 8 double_data *double",
    "NetStateRule": "1 phase Phase, 4 stage *string, 5 not_stage *string",
    "TransformationParameter": "1 scale float 1, 3 crop_size uint32, 4 mean_file string, 5 mean_value *float",
    "ConcatParameter": "2 axis int32 1, 1 concat_dim uint32 1",
    "ConvolutionParameter": "1 num_output uint32, 2 bias_term bool true, 3 pad *uint32, 4 kernel_size *uint32, "
    "6 stride *uint32, 18 dilation *uint32, 9 pad_h uint32, 10 pad_w uint32, 11 kernel_h uint32, 12 kernel_w uint32, "
    "13 stride_h uint32, 14 stride_w uint32, 5 group uint32 1, 16 axis int32 1",
    "DataParameter": "2 scale float 1, 3 mean_file string, 5 crop_size uint32",
    "DropoutParameter": "1 dropout_ratio float 0.5",
    "DummyDataParameter": "6 shape *BlobShape",
    "EltwiseParameter": "1 operation EltwiseOp SUM, 2 coeff *float",
    "ELUParameter": "1 alpha float 1",
    "ExpParameter": "1 base float -1, 2 scale float 1, 3 shift float 0",
    "LogParameter": "1 base float -1, 2 scale float 1, 3 shift float 0",
    "FlattenParameter": "1 axis int32 1, 2 end_axis int32 -1",
    "InnerProductParameter": "1 num_output uint32, 2 bias_term bool true, 5 axis int32 1, 6 transpose bool false",
    "LRNParameter": "1 local_size uint32 5, 2 alpha float 1, 3 beta float 0.75, "
    "4 norm_region NormRegion ACROSS_CHANNELS, 5 k float 1",
    "MemoryDataParameter": "1 batch_size uint32, 2 channels uint32, 3 height uint32, 4 width uint32",
    "PoolingParameter": "1 pool PoolMethod MAX, 4 pad uint32, 9 pad_h uint32, 10 pad_w uint32, 2 kernel_size uint32, "
    "5 kernel_h uint32, 6 kernel_w uint32, 3 stride uint32 1, 7 stride_h uint32, 8 stride_w uint32, "
    "12 global_pooling bool false, 13 round_mode RoundMode CEIL",
    "PowerParameter": "1 power float 1, 2 scale float 1, 3 shift float 0",
    "PReLUParameter": "2 channel_shared bool false",
    "ReLUParameter": "1 negative_slope float 0",
    "ReshapeParameter": "1 shape BlobShape, 2 axis int32 0, 3 num_axes int32 -1",
    "ScaleParameter": "1 axis int32 1, 2 num_axes int32 1, 4 bias_term bool false",
    "BiasParameter": "1 axis int32 1, 2 num_axes int32 1",
    "SliceParameter": "3 axis int32 1, 2 slice_point *uint32, 1 slice_dim uint32 1",
    "SoftmaxParameter": "2 axis int32 1",
    "BatchNormParameter": "1 use_global_stats bool, 3 eps float 0.00001",
    "InputParameter": "1 shape *BlobShape",
    "CropParameter": "1 axis int32 2, 2 offset *uint32",
    "V0LayerParameter": "1 name string",
    "LayerParameter": "1 name string, 2 type string, 3 bottom *string, 4 top *string, 7 blobs *BlobProto, "
    "8 include *NetStateRule, 9 exclude *NetStateRule, "
    + ", ".join(f"{number} {name} {kind}" for name, (kind, number, _) in _LAYER_PARAMETERS.items()),
    "V1LayerParameter": "1 layer V0LayerParameter, 4 name string, 5 type LayerType, 2 bottom *string, 3 top *string, "
    "6 blobs *BlobProto, 32 include *NetStateRule, 33 exclude *NetStateRule, "
    + ", ".join(f"{old} {name} {kind}" for name, (kind, _, old) in _LAYER_PARAMETERS.items() if old is not None),
    "NetParameter": "1 name string, 2 layers *V1LayerParameter, 3 input *string, 4 input_dim *int32, "
    "8 input_shape *BlobShape, 100 layer *LayerParameter",
}
_PACKED = {("BlobShape", "dim")}


@cache
def message(name: str) -> Any:
    """The class of one of Caffe's messages.

    Args:
        name: As in caffe.proto; ``UnpackedBlobProto`` is a BlobProto whose numbers stand one by one.

    Raises:
        InputError: protobuf is not installed.
    """
    try:
        from google.protobuf import descriptor_pool, message_factory
    except ImportError as error:
        msg = "Caffe's files are read with protobuf, which is not installed: pip install 'unfreeze[caffe]'."
        raise InputError(msg) from error
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_file().SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}"))


def _file() -> Any:
    from google.protobuf import descriptor_pb2

    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    for name, values in _ENUMS.items():
        # An enum for itself, since the values of one share the names of what surrounds it.
        holder = file.message_type.add(name=f"{name}Enum")
        enum = holder.enum_type.add(name=name)
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    for name, fields in _MESSAGES.items():
        kind = file.message_type.add(name=name)
        for field in fields.split(", "):
            _add_field(kind, *field.split(" "))
    return file


def _add_field(kind: Any, number: str, name: str, of: str, default: str | None = None) -> None:
    field = kind.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if of.startswith("*") else field.LABEL_OPTIONAL
    of = of.removeprefix("*")
    if of in _ENUMS:
        field.type, field.type_name = field.TYPE_ENUM, f".caffe.{of}Enum.{of}"
    elif of in _MESSAGES:
        field.type, field.type_name = field.TYPE_MESSAGE, f".caffe.{of}"
    else:
        field.type = getattr(field, f"TYPE_{of.upper()}")
    if default is not None:
        field.default_value = default
    if (kind.name, name) in _PACKED:
        field.options.packed = True
