"""Products whose result is read as floats: int32 sums, and one DequantizeLinear at ``S1 S2``.

The sum is exact and no code is rounded; a float bias is rounded to the sum's step, ``S1 S2``.
"""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir

from halfeven.interop.values import is_op
from halfeven.ir.instructions import Conv, Dequantize, Instruction, Linear, MatMul
from halfeven.ir.rescale import Rescale, Target
from halfeven.ir.transposed import ConvTranspose
from halfeven.lower.match import CONVOLUTIONS, PRODUCTS, site_of
from halfeven.lower.rules import RULES
from halfeven.lower.site import NotLowered, Site
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, Requantize
from halfeven.numerics.qtype import int32

INT32_BITS, INT32_LIMIT = 32, 2**31
ONE = AffineParams(1.0, 0, int32)


def lower_open_product(value: ir.Value, profile: Profile) -> list[Instruction]:
    """``value = DQ(sums)``, sums of a Conv, ConvTranspose, Gemm or MatMul with its bias and Relu.

    Raises
    ------
    NotLowered
        If it is not such a product of codes, or its sums may leave int32.
    """
    if not is_op(value.producer(), *PRODUCTS, "Add", "Relu"):
        raise NotLowered("it is no product")
    site = site_of(value, f"{value.name}/sums", ONE, profile)
    if site.node.op_type not in PRODUCTS:
        raise NotLowered("it is no product")
    (product,) = RULES[site.node.op_type](site)
    if not isinstance(product, (Conv, ConvTranspose, Linear, MatMul)) or not _fits(product, site):
        raise NotLowered("its sums may leave int32")
    target = Target(int32, 0, 0 if site.low == 0 else int32.qmin, int32.qmax)
    identity = Rescale(Multiplier.from_real(1.0), target, Requantize.EXACT_HALF_EVEN)
    return [
        replace(product, rescale=identity),
        Dequantize(f"{site.name}/dequantize", site.y, str(value.name), _params(site)),
    ]


def _fits(product: Conv | ConvTranspose | Linear | MatMul, site: Site) -> bool:
    if not isinstance(product, MatMul):
        return product.accumulator.bits == INT32_BITS
    a, b = site.activation(0), site.activation(1)
    shape = site.node.inputs[0].shape if site.node.inputs[0] is not None else None
    depth = None if shape is None or not len(shape) else shape[-1]
    farthest = [max(o.zero - o.params.qtype.qmin, o.params.qtype.qmax - o.zero) for o in (a, b)]
    return isinstance(depth, int) and depth * farthest[0] * farthest[1] < INT32_LIMIT


def _params(site: Site) -> AffineParams:
    """Of the sums: scale ``S1 S2``, one or one a channel."""
    scale = site.operand(0).params.scale * site.operand(1).params.scale
    axis = None if scale.ndim == 0 else 1 if site.node.op_type in CONVOLUTIONS else -1
    return AffineParams(scale, 0, int32, axis)
