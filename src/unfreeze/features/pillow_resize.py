"""Pillow's resizing in float32 alone, bit for bit, as operations that every runtime of exported models has.

Pillow (``src/libImaging/Resample.c``) makes weights in float64, rounds them to multiples of 2^-22, and sums pixels in
32-bit integers, along rows and along columns, with a rounding to 8 bits between the two. Pillow 13 takes columns first
where an image loses more than twice as many rows as columns, rows first elsewhere. A runtime such as OpenVINO has
neither float64 nor products of integers. Here a weight is the sum of two float32, 48 bits in all; and the products are
those of two matrices with 11 bits of each weight, whose sums are whole numbers below 2^24, which float32 adds without
rounding.
"""

from typing import final

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from unfreeze.images.geometry import Geometry

# Radius of each filter in pixels of the smaller image, and its polynomials, highest power first, as in Resample.c but
# twice as large, so that the coefficients are whole: from 0 to 1, and from 1 to 2.
_RADIUS = {"bilinear": 1.0, "bicubic": 2.0}
_POLYNOMIALS = {
    "bilinear": ((0.0, 0.0, -2.0, 2.0), (0.0, 0.0, 0.0, 0.0)),
    "bicubic": ((3.0, -5.0, 0.0, 2.0), (-1.0, 5.0, -8.0, 4.0)),
}
FILTERS = tuple(_RADIUS)
_UNIT = 2.0**22  # of Pillow's weights
_HALF = 2048.0  # the lower half of a weight has 11 bits
_SPLIT = 4097.0  # 2^12 + 1, of Veltkamp's splitting of 24 bits

# A number as the sum of two float32, the second no more than the rounding of the first (Dekker 1971, Numer. Math. 18).
_Pair = tuple[Tensor, Tensor]


@final
class PillowSquare(nn.Module):
    """From a decoded image to the square that a network sees: what `images.geometry.square` and `centre` give, exactly.

    Args:
        geometry: What to make of an image. Its filter is one of `FILTERS`.
    """

    border: Tensor
    powers: Tensor
    starts: Tensor

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry
        self.register_buffer("border", torch.tensor(geometry.border, dtype=torch.float32).reshape(3, 1, 1))
        self.register_buffer("powers", torch.tensor([pow(2, 52 - e, geometry.resize) for e in _EXPONENTS]))
        self.register_buffer("starts", torch.tensor([_at_least(geometry.resize, e) for e in _EXPONENTS]))

    def forward(self, image: UInt8[Tensor, "height width 3"]) -> UInt8[Tensor, "1 size size 3"]:
        """The square of an image of any shape (red, green, blue)."""
        rows, columns = torch.arange(image.shape[0]), torch.arange(image.shape[1])
        height, width = rows[-1] + 1, columns[-1] + 1
        tall, wide = self._resized(height, width)
        down, in_rows = self._weights(rows, height, tall)
        across, in_columns = self._weights(columns, width, wide)
        planes = image.permute(2, 0, 1).to(torch.float32)
        columns_first = (height > tall) & (height - tall > 2 * (width - wide))
        # Both orders are computed: a branch is what fewest runtimes can do, and weights take most of the time anyway.
        rows_first = _down(_across(planes, across), down)
        planes = torch.where(columns_first, _across(_down(planes, down), across), rows_first)
        inside = in_rows[:, None] & in_columns[None, :]
        planes = torch.where(inside, planes, self.border)
        return planes.permute(1, 2, 0).to(torch.uint8)[None]

    def _resized(self, height: Int[Tensor, ""], width: Int[Tensor, ""]) -> tuple[Int[Tensor, ""], Int[Tensor, ""]]:
        """Height and width of the resized image, as `images.geometry` has them."""
        side, shorter = self.geometry.resize, torch.minimum(height, width)
        if self.geometry.crop == "squash":
            whole = torch.full_like(height, side)
            return whole, whole
        if self.geometry.crop == "border":
            longer = torch.maximum(height, width)
            return self._divided(height, longer), self._divided(width, longer)
        return side * height // shorter, side * width // shorter

    def _divided(self, length: Int[Tensor, ""], longer: Int[Tensor, ""]) -> Int[Tensor, ""]:
        """Python's ``max(1, round(length / (longer / side)))``, with the rounding of both divisions to float64.

        They only matter where the true quotient lies halfway between two whole numbers. There the second division
        gives the half, and ``round`` the even neighbour, unless the first was rounded by enough.
        """
        side = self.geometry.resize
        whole = 2 * side * length + longer
        nearest, is_half = whole // (2 * longer), whole % (2 * longer) == 0
        place = (longer >= self.starts).sum() - 1  # longer / side lies between 2^exponent and twice that
        rest = longer % side * self.powers[place] % side  # of the first division in units of the last bit, times side
        rest = torch.where(2 * rest > side, rest - side, rest)
        quotient = side * length.float() / longer.float()
        first = torch.exp2(torch.tensor(_EXPONENTS, dtype=torch.float32))[place]
        second = torch.exp2(torch.floor(torch.log2(quotient)))
        is_seen = 2 * (quotient / second) * rest.abs().float() > longer.float() / first
        down = (is_seen & (rest < 0)) | (~is_seen & (nearest % 2 == 1))
        return torch.clamp(torch.where(is_half & down, nearest - 1, nearest), min=1)

    def _weights(
        self, places: Int[Tensor, " length"], length: Int[Tensor, ""], resized: Int[Tensor, ""]
    ) -> tuple[_Pair, Tensor]:
        """Both halves of the weights [size, length], and which rows lie inside the resized image."""
        size = self.geometry.size
        beyond = resized - size
        start = torch.where(beyond >= 0, beyond // 2 + beyond % 4 // 3 * (beyond > 0), -((-beyond) // 2))
        wanted = torch.arange(size) + start
        unit = 2 * torch.maximum(length, resized)
        distance = ((2 * places + 1) * resized - (2 * wanted[:, None] + 1) * length).abs()
        weights = _whole_weights(distance.float(), unit.float(), self.geometry.interpolation)
        upper = torch.round(weights / _HALF)
        return (upper, weights - _HALF * upper), (wanted >= 0) & (wanted < resized)


def _across(planes: Float[Tensor, "3 rows length"], weights: _Pair) -> Float[Tensor, "3 rows size"]:
    return _summed(planes @ weights[0].T, planes @ weights[1].T)


def _down(planes: Float[Tensor, "3 length columns"], weights: _Pair) -> Float[Tensor, "3 size columns"]:
    return _summed(weights[0] @ planes, weights[1] @ planes)


_EXPONENTS = tuple(range(-13, 18))


def _at_least(side: int, exponent: int) -> int:
    """The smallest whole number that is not below ``side * 2^exponent``."""
    return side << exponent if exponent >= 0 else -(-side >> -exponent)


def _summed(upper: Float[Tensor, "*shape"], lower: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Sums of pixels times both halves of the weights, rounded to 8 bits: ``(2048 upper + lower + 2^21) >> 22``."""
    whole = upper + torch.floor(lower / _HALF) + _HALF / 2
    return torch.clamp(torch.floor(whole / _HALF), 0, 255)


def _whole_weights(
    distance: Float[Tensor, "size length"], unit: Float[Tensor, ""], name: str
) -> Float[Tensor, "size length"]:
    """Pillow's weights, in units of 2^-22.

    Args:
        distance: Of every pixel from the middle of every output, in units.
        unit: How many are a pixel of the smaller image.
        name: Of the filter.
    """
    at = _quotient((distance, torch.zeros_like(distance)), (unit, torch.zeros_like(unit)))
    near, far = _POLYNOMIALS[name]
    is_near = at[0] < 1
    weight: _Pair = (torch.zeros_like(distance), torch.zeros_like(distance))
    for one, other in zip(near, far, strict=True):
        weight = _plus(_product(weight, at), torch.where(is_near, one, other))
    inside = at[0] < _RADIUS[name]
    weight = (torch.where(inside, weight[0], 0.0), torch.where(inside, weight[1], 0.0))
    share = _quotient(weight, _total(weight))
    sign = torch.sign(share[0])
    return sign * _rounded((share[0].abs() * _UNIT, share[1] * sign * _UNIT))


def _total(weight: _Pair) -> _Pair:
    """Sums of rows: 12 bits, 12 more and the rest apart, of which float32 rounds the rest alone."""
    coarse = torch.round(weight[0] * _HALF) / _HALF
    rest = _sum(weight[0] - coarse, weight[1])
    fine = torch.round(rest[0] * _HALF * 4096) / 4096 / _HALF
    last = (rest[0] - fine) + rest[1]
    first, lost = _sum(coarse.sum(1, keepdim=True), fine.sum(1, keepdim=True))
    return first, lost + last.sum(1, keepdim=True)


def _rounded(value: _Pair) -> Tensor:
    """To the next whole number, a half upwards; the value is not negative."""
    first, lost = _sum(value[0], torch.full_like(value[0], 0.5))
    whole = torch.floor(first)
    return whole + torch.floor((first - whole) + (lost + value[1]))


def _sum(one: Tensor, other: Tensor) -> _Pair:
    """The sum and what float32 lost of it (Knuth, TAOCP 2, 4.2.2)."""
    total = one + other
    part = total - one
    return total, (one - (total - part)) + (other - part)


def _plus(one: _Pair, other: Tensor) -> _Pair:
    total, lost = _sum(one[0], other)
    return _sum(total, lost + one[1])


def _split(one: Tensor) -> _Pair:
    """Two halves of 12 bits."""
    large = one * _SPLIT
    upper = large - (large - one)
    return upper, one - upper


def _exact_product(one: Tensor, other: Tensor) -> _Pair:
    """The product and what float32 lost of it (Dekker 1971)."""
    product = one * other
    (upper, lower), (upper2, lower2) = _split(one), _split(other)
    return product, ((upper * upper2 - product) + upper * lower2 + lower * upper2) + lower * lower2


def _product(one: _Pair, other: _Pair) -> _Pair:
    product, lost = _exact_product(one[0], other[0])
    return _sum(product, lost + (one[0] * other[1] + one[1] * other[0]))


def _quotient(one: _Pair, other: _Pair) -> _Pair:
    first = one[0] / other[0]
    product, lost = _exact_product(first, other[0])
    return first, (((one[0] - product) - lost) + one[1] - first * other[1]) / other[0]
