"""Products whose result is read as floats: int32 sums, and one DequantizeLinear at ``S1 S2``.

The sum is exact and no code is rounded; a float bias is rounded to the sum's step, ``S1 S2``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.values import is_op
from halfeven.ir.instructions import Conv, Dequantize, Instruction, Linear, MatMul
from halfeven.ir.rescale import Rescale, Target
from halfeven.ir.transposed import ConvTranspose
from halfeven.lower.match import PRODUCTS, site_of
from halfeven.lower.rules import RULES
from halfeven.lower.site import NotLowered, Site
from halfeven.lower.weights import weight_of
from halfeven.numerics.multiplier import Multiplier, combined_scale
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, Requantize
from halfeven.numerics.qtype import int32

INT32_LIMIT = 2**31
ONE = AffineParams(1.0, 0, int32)


@dataclass(frozen=True)
class Sums:
    """Exact int32 sums of a product.

    Attributes
    ----------
    scale : ``S1 S2`` in float64, one or one a channel. bound : ``|sums| <= bound``.
    """

    product: Conv | ConvTranspose | Linear | MatMul
    scale: NDArray[np.float64]
    bound: int

    @property
    def y(self) -> str:
        """The tensor of sums."""
        return self.product.y

    @property
    def axis(self) -> int:
        """Of the channels."""
        return 1 if isinstance(self.product, (Conv, ConvTranspose)) else -1

    @property
    def params(self) -> AffineParams:
        """The sums as codes, their scale rounded to float32."""
        return AffineParams(self.scale, 0, int32, self.axis if self.scale.ndim else None)


def sums_of(value: ir.Value, profile: Profile) -> Sums:
    """The sums behind a value: of a Conv, ConvTranspose, Gemm or MatMul with its bias and Relu.

    Raises
    ------
    NotLowered
        If it is not such a product of codes, or its sums may leave int32.
    """
    if not is_op(value.producer(), *PRODUCTS, "Add", "Relu"):
        raise NotLowered("it is no product")
    site = site_of(value, f"{value.name}/sums", ONE, profile)
    if site.node.op_type not in PRODUCTS or site.high is not None or site.low not in (None, 0):
        raise NotLowered("it is no product")
    (product,) = RULES[site.node.op_type](site)
    if not isinstance(product, (Conv, ConvTranspose, Linear, MatMul)):
        raise NotLowered("it is no product")
    bound = _bound(product, site)
    if bound >= INT32_LIMIT:
        raise NotLowered("its sums may leave int32")
    target = Target(int32, 0, 0 if site.low == 0 else int32.qmin, int32.qmax)
    identity = Rescale(Multiplier.from_real(1.0), target, Requantize.EXACT_HALF_EVEN)
    return Sums(replace(product, rescale=identity), _scale(site, product), bound)


def lower_open_product(value: ir.Value, profile: Profile) -> list[Instruction]:
    """``value = DQ(sums)``, see :func:`sums_of`."""
    sums = sums_of(value, profile)
    return [sums.product, Dequantize(f"{sums.product.name}/dequantize", sums.y, str(value.name), sums.params)]


def _bound(product: Conv | ConvTranspose | Linear | MatMul, site: Site) -> int:
    """The largest magnitude that a sum can have."""
    if not isinstance(product, MatMul):
        return int(product.accumulator.bound.max(initial=0))
    a, b = site.activation(0), site.activation(1)
    shape = site.node.inputs[0].shape if site.node.inputs[0] is not None else None
    depth = None if shape is None or not len(shape) else shape[-1]
    if not isinstance(depth, int):
        raise NotLowered("the length of its sums is not fixed")
    farthest = [max(o.zero - o.params.qtype.qmin, o.params.qtype.qmax - o.zero) for o in (a, b)]
    return depth * farthest[0] * farthest[1]


def _scale(site: Site, product: Conv | ConvTranspose | Linear | MatMul) -> NDArray[np.float64]:
    """``S1 S2``, exact; every group of a ConvTranspose has those of the first."""
    weight = site.operand(1)
    if weight.params.block_size is not None:
        weight, _ = weight_of(site, 1, _channel_axis(site))
    scale = combined_scale(site.operand(0).params, weight.params)
    return np.tile(scale, product.group) if scale.ndim and isinstance(product, ConvTranspose) else scale


def _channel_axis(site: Site) -> int:
    """Of the output channels of the product's weight."""
    if site.node.op_type == "Gemm":
        return 0 if site.integer("transB", 0) else 1
    return 0 if site.node.op_type == "Conv" else 1
