"""Operations of imported networks as modules of PyTorch; Caffe's with its rules of rounding, clipping and padding."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from jaxtyping import Float
from timm.layers import register_notrace_module
from torch import Tensor, nn
from torch.nn import functional

from unfreeze.zoo.imported.functions import KINDS as FUNCTION_KINDS

Pair = tuple[int, int]
Sides = Sequence[int]
# What torch.fx traces is given its proxies, so all but the leaves take anything.
Value = Any


@final
@register_notrace_module
class CaffePool(nn.Module):
    """Pooling whose windows begin and end where Caffe's do.

    The number of windows is rounded up, and one that would begin in the padding behind the image is left out; the
    largest value is taken inside the image, the mean is over the window clipped to the image and its padding. PyTorch's
    ``ceil_mode`` differs from this in all three, for some shapes. Source: ``pooling_layer.cpp`` of Caffe.

    Args:
        method: ``MAX`` or ``AVE``.
        kernel: Height and width of a window.
        stride: Between two windows.
        pad: Rows and columns of padding on each side.
        ceil: False rounds down.
    """

    def __init__(self, method: str, kernel: Pair, stride: Pair, pad: Pair, *, ceil: bool = True) -> None:
        super().__init__()
        self.method, self.kernel, self.stride, self.pad, self.ceil = method, kernel, stride, pad, ceil

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel _ _"]:
        """Pooled maps."""
        sides = [int(side) for side in x.shape[-2:]]
        counts = [self._windows(axis, side) for axis, side in enumerate(sides)]
        behind = [
            max(0, (counts[axis] - 1) * self.stride[axis] + self.kernel[axis] - sides[axis] - self.pad[axis])
            for axis in (0, 1)
        ]
        border = (self.pad[1], behind[1], self.pad[0], behind[0])
        if self.method == "MAX":
            lowest = torch.finfo(x.dtype).min
            padded = functional.pad(x, border, value=lowest) if any(border) else x
            return functional.max_pool2d(padded, self.kernel, self.stride)[..., : counts[0], : counts[1]]
        padded = functional.pad(x, border) if any(border) else x
        means: Tensor = functional.avg_pool2d(padded, self.kernel, self.stride)[..., : counts[0], : counts[1]]
        parts = [self._parts(axis, sides[axis], counts[axis]) for axis in (0, 1)]
        if all(part == 1.0 for row in parts for part in row):
            return means
        return means / torch.outer(*(x.new_tensor(part) for part in parts))

    def _windows(self, axis: int, side: int) -> int:
        kernel, stride, pad = self.kernel[axis], self.stride[axis], self.pad[axis]
        steps = (side + 2 * pad - kernel) / stride
        count = (math.ceil(steps) if self.ceil else math.floor(steps)) + 1
        if count < 1:
            msg = f"a window of {kernel} pixels is larger than the map of {side}"
            raise ValueError(msg)
        return count - 1 if pad and (count - 1) * stride >= side + pad else count

    def _parts(self, axis: int, side: int, count: int) -> list[float]:
        """Of each window, the part that lies in the image or in its padding."""
        kernel, stride, pad = self.kernel[axis], self.stride[axis], self.pad[axis]
        starts = [window * stride - pad for window in range(count)]
        # A window wholly behind the image, as strides above the kernel give, holds zeros whatever it is divided by.
        return [max(1, min(start + kernel, side + pad) - start) / kernel for start in starts]


@final
class GlobalPool(nn.Module):
    """The mean or the maximum of each map, as a map of one pixel."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method

    def forward(self, x: Value) -> Value:
        """Pooled maps."""
        return x.amax(dim=(2, 3), keepdim=True) if self.method == "MAX" else x.mean(dim=(2, 3), keepdim=True)


@final
class NormWithinChannel(nn.Module):
    """Local response normalisation inside each map: ``x * (1 + alpha * mean(x^2))^-beta`` over squares of pixels."""

    def __init__(self, size: int, alpha: float, beta: float) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta
        self.mean = nn.AvgPool2d(size, stride=1, padding=(size - 1) // 2)

    def forward(self, x: Value) -> Value:
        """Normalised maps."""
        squares = self.mean(x * x)
        return x * (1.0 + self.alpha * squares).pow(-self.beta)


@final
class PerChannel(nn.Module):
    """A factor and a summand for each channel; one of them may be missing."""

    weight: Tensor | None
    bias: Tensor | None

    def __init__(self, channels: int, rank: int, *, weight: bool, bias: bool) -> None:
        super().__init__()
        self.shape = (1, -1, *[1] * (rank - 2))
        self.weight = nn.Parameter(torch.ones(channels)) if weight else None
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, x: Value) -> Value:
        """Scaled and moved."""
        if self.weight is not None:
            x = x * self.weight.view(self.shape)
        return x if self.bias is None else x + self.bias.view(self.shape)


@final
class Combination(nn.Module):
    """Two or more tensors, element by element: their weighted sum, product or maximum."""

    def __init__(self, operation: str, coefficients: Sequence[float]) -> None:
        super().__init__()
        self.operation, self.coefficients = operation, tuple(coefficients)

    def forward(self, *given: Value) -> Value:
        """Combined."""
        if self.operation == "SUM" and self.coefficients:
            given = tuple(x if c == 1.0 else x * c for x, c in zip(given, self.coefficients, strict=True))
        result = given[0]
        for x in given[1:]:
            if self.operation == "SUM":
                result = result + x
            else:
                result = result * x if self.operation == "PROD" else torch.maximum(result, x)
        return result


@final
class Product(nn.Module):
    """A tensor times another one with fewer axes, whose first is the first's `axis`."""

    def __init__(self, axis: int, missing: int) -> None:
        super().__init__()
        self.axis, self.missing = axis, missing

    def forward(self, x: Value, factor: Value) -> Value:
        """Multiplied."""
        for _ in range(self.axis):
            factor = factor.unsqueeze(0)
        for _ in range(self.missing):
            factor = factor.unsqueeze(-1)
        return x * factor


@final
class Joined(nn.Module):
    """Tensors one behind the other."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *given: Value) -> Value:
        """Joined."""
        return torch.cat(given, dim=self.axis)


@final
class Sliced(nn.Module):
    """Parts of a tensor: as many equal ones, or those between some points."""

    def __init__(self, axis: int, points: int | list[int]) -> None:
        super().__init__()
        self.axis, self.points = axis, points

    def forward(self, x: Value) -> Value:
        """The parts."""
        return torch.tensor_split(x, self.points, dim=self.axis)


@final
class Reshaped(nn.Module):
    """Another shape: 0 keeps an axis, -1 takes what is left."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.wanted = tuple(shape)

    def forward(self, x: Value) -> Value:
        """In the new shape."""
        return x.reshape([side or x.shape[axis] for axis, side in enumerate(self.wanted)])


@final
class Cropped(nn.Module):
    """The part of a tensor that has another one's sides from `axis` on."""

    def __init__(self, axis: int, offsets: Sequence[int]) -> None:
        super().__init__()
        self.axis, self.offsets = axis, tuple(offsets)

    def forward(self, x: Value, like: Value) -> Value:
        """Cropped."""
        for place, offset in enumerate(self.offsets, start=self.axis):
            x = x.narrow(place, offset, like.shape[place])
        return x


@final
class Elementwise(nn.Module):
    """A function of each number by itself.

    Args:
        function: ``abs``, ``power``, ``exp`` or ``log``.
        scale: Factor of the number.
        shift: Then added to it.
        base: Exponent of ``power``; base of ``exp`` and ``log``, -1 for e.
    """

    def __init__(self, function: str, scale: float = 1.0, shift: float = 0.0, base: float = 1.0) -> None:
        super().__init__()
        self.function, self.scale, self.shift, self.base = function, scale, shift, base

    def forward(self, x: Value) -> Value:
        """The function's values."""
        if self.function == "abs":
            return x.abs()
        inner = x * self.scale + self.shift
        if self.function == "power":
            return inner if self.base == 1.0 else inner.pow(self.base)
        natural = 1.0 if self.base == -1.0 else math.log(self.base)
        return (inner * natural).exp() if self.function == "exp" else inner.log() / natural


def _pair(values: Sequence[int]) -> Pair:
    """Height and width, which JSON gives as a list."""
    height, width = values
    return height, width


def _convolution(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d]) -> Callable[..., nn.Module]:
    def build(
        *, inputs: int, outputs: int, kernel: Sides, stride: Sides, pad: Sides, dilation: Sides, groups: int, bias: bool
    ) -> nn.Module:
        return kind(
            inputs,
            outputs,
            _pair(kernel),
            stride=_pair(stride),
            padding=_pair(pad),
            dilation=_pair(dilation),
            groups=groups,
            bias=bias,
        )

    return build


def _batch_norm(*, channels: int, eps: float, affine: bool, rank: int) -> nn.Module:
    kind = nn.BatchNorm2d if rank == 4 else nn.BatchNorm1d
    return kind(channels, eps=eps, affine=affine)


def _norm(*, size: int, alpha: float, beta: float, k: float, within: bool) -> nn.Module:
    return NormWithinChannel(size, alpha, beta) if within else nn.LocalResponseNorm(size, alpha, beta, k)


def _relu(*, slope: float) -> nn.Module:
    return nn.LeakyReLU(slope) if slope else nn.ReLU()


KINDS: Mapping[str, Callable[..., nn.Module]] = {
    **FUNCTION_KINDS,
    "BatchNorm": _batch_norm,
    "Combination": Combination,
    "Concat": Joined,
    "Convolution": _convolution(nn.Conv2d),
    "Crop": Cropped,
    "Deconvolution": _convolution(nn.ConvTranspose2d),
    "Dropout": lambda *, ratio: nn.Dropout(ratio),
    "ELU": lambda *, alpha: nn.ELU(alpha),
    "Elementwise": Elementwise,
    "Flatten": lambda *, start, end: nn.Flatten(start, end),
    "GlobalPool": GlobalPool,
    "LRN": _norm,
    "Linear": lambda *, inputs, outputs, bias: nn.Linear(inputs, outputs, bias=bias),
    "PReLU": lambda *, channels: nn.PReLU(channels),
    "PerChannel": PerChannel,
    "Pool": lambda *, method, kernel, stride, pad, ceil: CaffePool(
        method, _pair(kernel), _pair(stride), _pair(pad), ceil=ceil
    ),
    "Product": Product,
    "ReLU": _relu,
    "Reshape": Reshaped,
    "Sigmoid": nn.Sigmoid,
    "Slice": Sliced,
    "Softmax": lambda *, axis: nn.Softmax(axis),
    "TanH": nn.Tanh,
}


def built(kind: str, settings: Mapping[str, Any]) -> nn.Module:
    """The module of one operation, with random weights.

    Args:
        kind: A key of `KINDS`.
        settings: Arguments of its builder; values as JSON has them.
    """
    return KINDS[kind](**settings)
