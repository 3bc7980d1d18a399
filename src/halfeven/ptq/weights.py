"""Scales and codes of constants: weights one scale a channel, biases at input scale times that, other constants one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ModelError, ParameterError
from halfeven.numerics import affine
from halfeven.numerics.params import SMALLEST_NORMAL, AffineParams, choose_params
from halfeven.numerics.product import quantize_bias
from halfeven.numerics.qtype import QType, int32
from halfeven.ptq.activations import Activations
from halfeven.ptq.code_types import CodeTypes
from halfeven.ptq.masks import EVERYTHING, limit_in_sums, narrowed
from halfeven.ptq.placement import PlacedBlock, Placement, Product
from halfeven.ptq.weight_blocks import block_of, block_params, channel_scale, covering_blocks, snapped
from halfeven.ranges import MinMax, Range

Array = NDArray[np.float32]
F64 = NDArray[np.float64]
LARGEST = float(np.finfo(np.float32).max) / 2
MOST_BIAS = 2**30  # half of int32: the other half is left to the sum


@dataclass(frozen=True, eq=False)
class Constant:
    """Codes and their parameters: what a DequantizeLinear turns back into reals."""

    codes: NDArray[np.integer]
    params: AffineParams


@dataclass(frozen=True)
class Widened:
    """Channels of a weight whose scale was raised so that the bias fits: how many, and by how much at most."""

    node: str
    channels: int
    factor: float

    def __str__(self) -> str:
        return f"'{self.node}': weight scale of {self.channels} channel(s) raised for the bias, {self.factor:.3g} times"


@dataclass(frozen=True, eq=False)
class Reader:
    """A product with a bias: its input's scale, and the bias, one value an output channel."""

    product: Product
    s_in: float
    bias: Array


def quantize_constant(name: str, array: Array, qtype: QType, limit: Range = EVERYTHING) -> Constant:
    """A constant operand: one scale, over its finite values; infinite ones, and those beyond the limit, saturate.

    Symmetric codes leave out the lowest one, so that the largest value is itself a code: 0.5 alone is 127 S, and not
    128 S, which saturates.

    Raises
    ------
    ModelError
        If it holds NaN.
    """
    seen = MinMax().update(array)
    if seen.nan:
        raise ModelError(f"the constant '{name}' holds {seen.nan} NaN value(s), and NaN has no code: mend the model")
    lo, hi = (seen.lo, seen.hi) if seen.count else (0.0, 0.0)
    lo, hi = narrowed((lo, hi), limit)
    if seen.inf and limit != EVERYTHING:  # what is infinite goes as far as the limit
        lo, hi = limit[0] if np.isneginf(array).any() else lo, limit[1] if np.isposinf(array).any() else hi
    params = choose_params(lo, hi, qtype, symmetric=qtype.signed, narrow=qtype.signed)
    return Constant(affine.quantize(array, params), params)


def real_range(params: AffineParams) -> Range:
    """The values of the least and of the greatest code."""
    scale, zero = float(params.scale), int(params.zero_point)
    return (params.qtype.qmin - zero) * scale, (params.qtype.qmax - zero) * scale


def weight_params(
    array: Array, axis: int, qtype: QType, readers: Sequence[Reader]
) -> tuple[AffineParams, Widened | None]:
    """Symmetric scales, one for each channel: ``S = max |w| / -qmin``, raised where a reader's bias asks for it.

    A bias is stored as ``rhe(b / (S_in S))`` in int32, so ``S >= |b| / (S_in 2^30)``; and ``S_in S`` is stored as
    float32, so it must not be below the smallest normal one. A channel without weights takes the least such S, with
    which its bias is as exact as it can be, or 1 where it has no bias either.
    """
    others = tuple(k for k in range(array.ndim) if k != axis)
    lo, hi = array.min(axis=others), array.max(axis=others)
    chosen = choose_params(lo, hi, qtype, axis=axis).scale.astype(np.float64)
    empty = (lo == 0) & (hi == 0)
    for_bias = np.max([np.zeros_like(chosen), *map(_least_scale, readers)], axis=0)
    own = np.where(empty & (for_bias > 0), 0.0, chosen)  # choose_params gives 1 for an empty channel
    scale = np.maximum(own, np.maximum(for_bias, _least_normal(readers)))
    raised = (scale > chosen) & ~empty
    if not raised.any():
        return AffineParams(scale, 0, qtype, axis), None
    factor = float((scale / chosen)[raised].max())
    return AffineParams(scale, 0, qtype, axis), Widened(readers[0].product.node, int(raised.sum()), factor)


def least_scales(reader: Reader) -> F64:
    """The least weight scale of each channel: one with which the bias can be stored, and ``S_in S`` is normal."""
    return np.maximum(_least_scale(reader), _least_normal([reader]))


def _least_normal(readers: Sequence[Reader]) -> float:
    return max((float(SMALLEST_NORMAL) / min(r.s_in, 1.0) for r in readers), default=0.0)


def _least_scale(reader: Reader) -> F64:
    """The least weight scale of each channel, a float32, with which the bias can be stored; 0 where the bias is 0."""
    least = np.abs(reader.bias.astype(np.float64)) / (reader.s_in * MOST_BIAS)
    if least.max(initial=0) > LARGEST:
        raise _beyond_float32(reader, float(least.max()))
    up = np.nextafter(least.astype(np.float32), np.float32(np.inf))  # rounded down to float32 it would be too little
    by_group = np.where(least > 0, up, np.float32(0)).astype(np.float64).reshape(reader.product.group, -1)
    return np.asarray(by_group.max(axis=0))


def _beyond_float32(reader: Reader, scale: float) -> ParameterError:
    return ParameterError(
        f"node '{reader.product.node}': an input scale of {reader.s_in:.3g} and a weight scale of {scale:.3g} have no "
        "product in float32: its input, weight or bias is too large for a working network, check the model and the data"
    )


def bias_constant(reader: Reader, weight: AffineParams, shape: tuple[int, ...]) -> Constant:
    """``rhe(b / (S_in S))``, int32 codes of ``shape`` (..., C), with the float64 product of the float32 scales.

    The file stores that product as float32, because DequantizeLinear has no other; lowering forms the float64 product
    again from both scales, so the codes mean the same to it. Source: docs/math/conv.md, "Bias".

    Raises
    ------
    ParameterError
        If the product of the scales is beyond float32.
    """
    own = channel_scale(weight, reader.product.axis)
    scale = reader.s_in * np.tile(own, reader.product.group)
    if scale.max(initial=0) > LARGEST:
        raise _beyond_float32(reader, float(own.max()))
    codes = quantize_bias(reader.bias, scale).astype(np.int32).reshape(shape)
    return Constant(codes, AffineParams(scale, 0, int32, len(shape) - 1))


@dataclass(frozen=True, eq=False)
class Constants:
    """Every constant as codes.

    Attributes
    ----------
    weights : by product; products that read one weight along one axis share one.
    biases : by product, of those that have one.
    others : constant operands, by their own name.
    """

    weights: Mapping[Product, Constant]
    biases: Mapping[Product, Constant]
    others: Mapping[str, Constant]
    widened: tuple[Widened, ...]


def quantize_constants(
    arrays: Mapping[str, Array],
    placement: Placement,
    activations: Activations,
    types: CodeTypes,
    weights: Mapping[Product, Constant] = MappingProxyType({}),
    biases: Mapping[Product, Array] = MappingProxyType({}),
    blocks: Sequence[PlacedBlock] | None = None,
) -> Constants:
    """Codes of every constant of a model.

    Parameters
    ----------
    arrays : constants by name.
    activations : parameters of every activation that carries codes.
    types : the codes of weights and of constant operands.
    weights : codes chosen otherwise; the others are the nearest.
    biases : (channels,) real values instead of the model's, also of products without a bias.
    blocks : that read constants, in the whole model; those of ``placement`` where it is not a part of one.

    Raises
    ------
    ModelError, ParameterError
        If a constant holds NaN, or a bias has no scale.
    """
    by_weight: dict[tuple[str, int, QType], list[Product]] = {}
    for product in placement.products:
        by_weight.setdefault((product.weight, product.axis, types.weights[product.node]), []).append(product)
    done, bias_codes, widened = {}, {}, []
    for (name, axis, qtype), products in by_weight.items():
        real = {p: _bias(p, arrays, biases) for p in products if p.bias is not None or p in biases}
        readers = [Reader(p, float(activations.read_by(p.node, p.x).scale), bias) for p, bias in real.items()]
        params, raised = _params(arrays[name], axis, qtype, readers, types.weight_group)
        widened += [raised] if raised else []
        nearest = Constant(affine.quantize(arrays[name], params), params)
        done.update({p: weights.get(p, nearest) for p in products})
        for reader in readers:
            product = reader.product
            leading = () if product.bias is None else arrays[product.bias].shape[:-1]
            bias_codes[product] = bias_constant(reader, done[product].params, (*leading, reader.bias.size))
    ranges = {name: real_range(params) for name, params in activations.own.items()}
    others = {
        name: quantize_constant(
            name, arrays[name], types.constants[name], limit_in_sums([name], blocks or placement.blocks, ranges)
        )
        for name in placement.constants
    }
    return Constants(done, bias_codes, others, tuple(widened))


def _params(
    array: Array, axis: int, qtype: QType, readers: Sequence[Reader], group: int | None
) -> tuple[AffineParams, Widened | None]:
    block = block_of(array.shape, axis, qtype, group)
    if block is None:
        return weight_params(array, axis, qtype, readers)
    scale = covering_blocks(array, axis, block, qtype)
    least = np.max([np.zeros(len(scale)), *map(least_scales, readers)], axis=0)
    return block_params(snapped(scale, least), array.shape, axis, block, qtype), None


def _bias(product: Product, arrays: Mapping[str, Array], biases: Mapping[Product, Array]) -> Array:
    if product in biases:
        return biases[product]
    channels = arrays[product.weight].shape[product.axis] * product.group
    return np.broadcast_to(arrays[str(product.bias)].reshape(-1), (channels,))
