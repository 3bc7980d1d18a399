"""Gemm (ONNX Gemm-13) with a constant second operand: integer matrix product, bias and clamp in one instruction."""

from __future__ import annotations

import numpy as np

from halfeven.ir.instructions import Instruction, Linear
from halfeven.lower.scaling import rescale
from halfeven.lower.site import NotLowered, Operand, Site
from halfeven.lower.weights import accumulator, bias_codes, bias_value, weight_of


def lower(site: Site) -> list[Instruction]:
    """``Q(act(DQ(x) @ DQ(w) + b))``; alpha, beta and transA must be neutral."""
    if site.integer("transA", 0) or site.real("alpha", 1.0) != 1.0 or site.real("beta", 1.0) != 1.0:
        raise NotLowered("Gemm with transA, alpha or beta has no integer form here")
    transposed = bool(site.integer("transB", 0))
    w, codes = weight_of(site, 1, axis=0 if transposed else 1)
    return linear(site, w, codes.T if transposed else codes, bias_value(site))


def linear(site: Site, w: Operand, codes: np.ndarray, value: object) -> list[Instruction]:
    """Linear of ``x (..., K)`` and ``codes (K, N)``."""
    x = site.activation(0)
    bias = bias_codes(site, value, x.params, w.params.scale, codes.shape[1])
    zero = w.params.zero_point.astype(np.int64)
    bound = accumulator(x.params, (codes.astype(np.int64) - zero).T, bias)
    how = rescale(site, x.params.scale, w.params.scale)
    return [Linear(site.name, x.name, site.y, np.ascontiguousarray(codes), zero, bias, x.zero, bound, how)]
