"""Add and Mul of 8-bit codes, as ONNX Runtime's QLinearAdd and QLinearMul compute them on x86-64 (AVX2 and later).

    QLinearAdd:  rA = f32(Sa / Sy),  rB = f32(Sb / Sy),  F = f32(Zy - fma(rA, Za, f32(rB Zb)))
                 y = clamp(rhe( fma(a, rA, fma(b, rB, F)) ))
    QLinearMul:  r = f32(f32(Sa Sb) / Sy),  y = clamp(rhe( f32(f32(r ab) + Zy) )),  ab = (a - Za)(b - Zb)

``fma`` rounds once. QLinearAdd changes the roles of a and b where a is the one repeated along the last axis. Source:
measured over all pairs of codes, docs/guide/onnxruntime.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.ir.instructions import Instruction
from halfeven.ir.tables import PairTable
from halfeven.lower.float_steps.runtime import codes_of, first_is_repeated, offset, runs_on_codes
from halfeven.lower.site import NotLowered, Operand, Site
from halfeven.numerics.affine import add_rounded_once
from halfeven.numerics.params import AffineParams

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Side:
    """Codes, as float32, and parameters of one operand or of the result, as the runtime holds them."""

    codes: F32
    scale: np.float32
    zero: np.float32

    @classmethod
    def of(cls, params: AffineParams, shift: int) -> Side:
        """All codes of ``params``, moved by ``shift``."""
        codes = np.arange(params.qtype.qmin, params.qtype.qmax + 1) + shift
        zero = int(params.zero_point) + shift
        return cls(codes.astype(np.float32), np.float32(params.scale), np.float32(zero))


def fma(a: F32 | np.float32, b: np.float32, c: F32 | np.float32) -> F32:
    """``a b + c`` rounded once to float32; a holds codes, so the product is exact in float64."""
    return add_rounded_once(np.asarray(a, np.float64) * np.float64(b), np.asarray(c, np.float64))


def added(a: Side, b: Side, y: Side) -> F32:
    """The sum before it is rounded to a code: (codes of a, codes of b)."""
    r_a, r_b = a.scale / y.scale, b.scale / y.scale
    fixed = np.float32(y.zero - fma(a.zero, r_a, r_b * b.zero))
    return fma(a.codes[:, None], r_a, fma(b.codes, r_b, fixed)[None, :])


def multiplied(a: Side, b: Side, y: Side) -> F32:
    """The product before it is rounded to a code: (codes of a, codes of b)."""
    product = (a.codes - a.zero)[:, None] * (b.codes - b.zero)[None, :]  # below 2^17: exact
    return np.asarray(product * (a.scale * b.scale / y.scale) + y.zero)


def lower_add(site: Site, quantize: ir.Node) -> list[Instruction]:
    """``QLinearAdd(a, b)``."""
    a, b = site.node.inputs
    swapped = first_is_repeated(a.shape if a else None, b.shape if b else None)

    def compute(one: Side, two: Side, y: Side) -> F32:
        return added(two, one, y).T if swapped else added(one, two, y)

    return _pairs(site, quantize, compute)


def lower_mul(site: Site, quantize: ir.Node) -> list[Instruction]:
    """``QLinearMul(a, b)``."""
    return _pairs(site, quantize, multiplied)


def _pairs(site: Site, quantize: ir.Node, compute: Callable[[Side, Side, Side], F32]) -> list[Instruction]:
    a, b = site.activation(0), site.activation(1)
    if not runs_on_codes(site, quantize, (a, b)):
        raise NotLowered("the runtime leaves it in float32")
    one, two = (Side.of(o.params, offset(site, codes_of(site, k), o.params)) for k, o in enumerate((a, b)))
    shift = offset(site, quantize.outputs[0], site.params)
    real = compute(one, two, Side.of(site.params, shift))
    target = site.target
    table = np.clip(np.rint(real).astype(np.float64) - shift, target.qmin, target.qmax)
    return [_pair_table(site, a, b, table.astype(target.qtype.storage))]


def _pair_table(site: Site, a: Operand, b: Operand, table: NDArray[np.generic]) -> PairTable:
    function = site.node.op_type
    return PairTable(site.name, a.name, b.name, site.y, function, a.params.qtype.qmin, b.params.qtype.qmin, table)
