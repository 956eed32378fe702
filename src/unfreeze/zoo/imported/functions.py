"""Operations of networks from ONNX files as modules of PyTorch; what they do is what OpenVINO's of these names do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

# What torch.fx traces is given its proxies, so forwards take and give anything.
Value = Any

ARITHMETIC: Mapping[str, Callable[[Value, Value], Value]] = {
    "add": lambda first, second: first + second,
    "divide": lambda first, second: first / second,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "multiply": lambda first, second: first * second,
    "power": lambda first, second: first**second,
    "subtract": lambda first, second: first - second,
}
FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "abs": torch.abs,
    "clamp": functional.hardtanh,
    "erf": torch.erf,
    "exp": torch.exp,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "hard_sigmoid": lambda x, slope, shift: functional.hardtanh(x * slope + shift, 0.0, 1.0),
    "hard_swish": functional.hardswish,
    "log": torch.log,
    "mish": functional.mish,
    "negative": torch.neg,
    "softplus": functional.softplus,
    "sqrt": torch.sqrt,
    "swish": lambda x, slope: functional.silu(x) if slope == 1.0 else x * torch.sigmoid(x * slope),
}


@final
class Arithmetic(nn.Module):
    """Two tensors, or a tensor and numbers that are learned, number by number.

    Args:
        function: A key of `ARITHMETIC`.
        shape: Of the numbers; None if both tensors are given.
        first: Whether the numbers stand first.
    """

    weight: Tensor | None

    def __init__(self, function: str, shape: Sequence[int] | None, *, first: bool) -> None:
        super().__init__()
        self.function, self.first = ARITHMETIC[function], first
        self.weight = None if shape is None else nn.Parameter(torch.zeros(*shape))

    def forward(self, *given: Value) -> Value:
        """The results."""
        if self.weight is None:
            return self.function(*given)
        return self.function(self.weight, given[0]) if self.first else self.function(given[0], self.weight)


@final
class WithNumber(nn.Module):
    """A tensor and one number, which is not learned; see `Arithmetic`."""

    def __init__(self, function: str, number: float, *, first: bool) -> None:
        super().__init__()
        self.function, self.number, self.first = function, number, first

    def forward(self, x: Value) -> Value:
        """The results."""
        if self.function in {"maximum", "minimum"}:
            return x.clamp(min=self.number) if self.function == "maximum" else x.clamp(max=self.number)
        operation = ARITHMETIC[self.function]
        return operation(self.number, x) if self.first else operation(x, self.number)


@final
class Function(nn.Module):
    """A function of each number by itself.

    Args:
        function: A key of `FUNCTIONS`.
        numbers: What else it takes.
    """

    def __init__(self, function: str, numbers: Sequence[float] = ()) -> None:
        super().__init__()
        self.function, self.numbers = FUNCTIONS[function], tuple(numbers)

    def forward(self, x: Value) -> Value:
        """The function's values."""
        return self.function(x, *self.numbers)


@final
class Window(nn.Module):
    """The largest number or the mean of windows of each map.

    Args:
        method: ``MAX`` or ``AVE``.
        kernel: Height and width.
        stride: Between two windows.
        begin: Rows above and columns to the left that are added; ``MAX`` never takes one of them.
        end: The same, below and to the right.
        counted: Whether the mean is over what was added too.
    """

    def __init__(
        self,
        method: str,
        kernel: Sequence[int],
        stride: Sequence[int],
        *,
        begin: Sequence[int],
        end: Sequence[int],
        counted: bool,
    ) -> None:
        super().__init__()
        self.method, self.kernel, self.stride, self.counted = method, tuple(kernel), tuple(stride), counted
        self.border = (begin[1], end[1], begin[0], end[0])

    def forward(self, x: Value) -> Value:
        """Pooled maps."""
        if self.method == "MAX":
            padded = functional.pad(x, self.border, value=torch.finfo(torch.float32).min) if any(self.border) else x
            return functional.max_pool2d(padded, self.kernel, self.stride)
        padded = functional.pad(x, self.border) if any(self.border) else x
        means = functional.avg_pool2d(padded, self.kernel, self.stride)
        if self.counted or not any(self.border):
            return means
        inside = functional.pad(torch.ones_like(x[:1, :1]), self.border)
        return means / functional.avg_pool2d(inside, self.kernel, self.stride)


@final
class Padded(nn.Module):
    """A border around each map.

    Args:
        begin: Rows above and columns to the left.
        end: Rows below and columns to the right.
        mode: PyTorch's word.
        value: Of a constant border.
    """

    def __init__(self, begin: Sequence[int], end: Sequence[int], mode: str = "constant", value: float = 0.0) -> None:
        super().__init__()
        self.border, self.mode, self.value = (begin[1], end[1], begin[0], end[0]), mode, value

    def forward(self, x: Value) -> Value:
        """With the border."""
        return functional.pad(x, self.border, self.mode, self.value if self.mode == "constant" else None)


@final
class Permuted(nn.Module):
    """Axes in another order."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = tuple(order)

    def forward(self, x: Value) -> Value:
        """In that order."""
        return x.permute(self.order)


@final
class Mean(nn.Module):
    """The mean over some axes."""

    def __init__(self, axes: Sequence[int], *, keep: bool) -> None:
        super().__init__()
        self.axes, self.keep = tuple(axes), keep

    def forward(self, x: Value) -> Value:
        """The means."""
        return x.mean(dim=self.axes, keepdim=self.keep)


@final
class Selected(nn.Module):
    """One place of an axis, which is gone then."""

    def __init__(self, axis: int, place: int) -> None:
        super().__init__()
        self.axis, self.place = axis, place

    def forward(self, x: Value) -> Value:
        """What lies there."""
        return x.select(self.axis, self.place)


@final
class Part(nn.Module):
    """Some places of an axis, one behind the other."""

    def __init__(self, axis: int, start: int, length: int) -> None:
        super().__init__()
        self.axis, self.start, self.length = axis, start, length

    def forward(self, x: Value) -> Value:
        """What lies there."""
        return x.narrow(self.axis, self.start, self.length)


@final
class Standardised(nn.Module):
    """Mean 0 and variance 1 over some axes, as layer norms do."""

    def __init__(self, axes: Sequence[int], eps: float) -> None:
        super().__init__()
        self.axes, self.eps = tuple(axes), eps

    def forward(self, x: Value) -> Value:
        """Standardised."""
        centred = x - x.mean(dim=self.axes, keepdim=True)
        return centred * torch.rsqrt((centred * centred).mean(dim=self.axes, keepdim=True) + self.eps)


@final
class Attention(nn.Module):
    """Scaled dot products of queries and keys, and the values by them."""

    def __init__(self, scale: float | None) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, query: Value, key: Value, value: Value) -> Value:
        """What is attended to."""
        return functional.scaled_dot_product_attention(query, key, value, scale=self.scale)


@final
class Products(nn.Module):
    """Matrix products of two tensors; either may be transposed first."""

    def __init__(self, *, first: bool, second: bool) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, first: Value, second: Value) -> Value:
        """The products."""
        return (first.transpose(-1, -2) if self.first else first) @ (
            second.transpose(-1, -2) if self.second else second
        )


@final
class Token(nn.Module):
    """Learned numbers that every image gets, such as a class token."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.weight = nn.Parameter(torch.zeros(1, *shape))

    def forward(self, images: Value) -> Value:
        """The same numbers for each image."""
        return self.weight.expand(images.shape[0], *self.shape)


KINDS: Mapping[str, Callable[..., nn.Module]] = {
    "Arithmetic": Arithmetic,
    "Attention": Attention,
    "Function": Function,
    "Mean": Mean,
    "Padded": Padded,
    "Part": Part,
    "Permuted": Permuted,
    "Products": Products,
    "Selected": Selected,
    "Standardised": Standardised,
    "Token": Token,
    "Window": Window,
    "WithNumber": WithNumber,
}
