"""Scales of weights: shrunk until rounding, and not clipping, is what costs most.

Source: docs/math/weight-rounding.md eq. 8, 9.
"""

from __future__ import annotations

import numpy as np

from halfeven.ops.columns import Panels, Reals, product
from halfeven.ptq.rounding.feedback import Grid

SHRINK = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4)
"""Parts of the scale that clips nothing."""


def covering(weight: Reals, qmin: int, qmax: int, block: int | None = None) -> Reals:
    """The least scale with which no weight is clipped, one a row (groups, rows, 1) or one a block of columns.

    0 where all weights are 0.
    """
    if block is not None:
        blocks = -(-weight.shape[-1] // block)
        full = np.zeros((*weight.shape[:-1], blocks * block))
        full[..., : weight.shape[-1]] = weight
        weight = full.reshape(*weight.shape[:-1], blocks, block)
    lowest, highest = weight.min(axis=-1), weight.max(axis=-1)
    found = np.maximum(np.maximum(highest, 0) / qmax, np.minimum(lowest, 0) / qmin)
    return np.asarray(found if block is not None else found[..., None])


def stored(scale: Reals, least: Reals | float) -> Reals:
    """As float32 stores it, and not below ``least``, float32 numbers."""
    return np.maximum(scale.astype(np.float32).astype(np.float64), least)


def spread(scale: Reals, columns: int, block: int | None) -> Reals:
    """One scale a column, from one a block; one a row stays as it is."""
    return scale if block is None else np.repeat(scale, block, axis=-1)[..., :columns]


def by_diagonal(
    weight: Reals, importance: Reals, least: Reals | float, codes: tuple[int, int], block: int | None
) -> Reals:
    """Of shrunk scales the one with the least ``sum_k importance_k (w_k - S q_k)^2``, for each row or block."""
    cover = covering(weight, *codes, block)
    best, lowest = stored(cover, least), np.full(cover.shape, np.inf)
    for part in SHRINK:
        scale = stored(cover * part, least)
        wide = spread(np.where(scale > 0, scale, 1.0), weight.shape[-1], block)
        errors = importance[..., None, :] * np.square(weight - wide * Grid(wide, *codes).nearest(weight))
        error = _per_scale(errors, cover.shape[-1], block)
        best, lowest = np.where(error < lowest, scale, best), np.minimum(error, lowest)
    return best


def _per_scale(errors: Reals, count: int, block: int | None) -> Reals:
    if block is None:
        return np.asarray(errors.sum(axis=-1, keepdims=True))
    full = np.zeros((*errors.shape[:-1], count * block))
    full[..., : errors.shape[-1]] = errors
    return np.asarray(full.reshape(*errors.shape[:-1], count, block).sum(axis=-1))


def refitted(codes: Reals, v: Reals, h: Panels, scale: Reals) -> Reals:
    """``(q H v^T) / (q H q^T)``: of each row the scale with the least error for these codes; the old one if q is 0."""
    weighed = product(codes, h)
    size = (weighed * codes).sum(axis=-1, keepdims=True)
    fit = (weighed * v).sum(axis=-1, keepdims=True) / np.where(size > 0, size, 1)
    return np.where((size > 0) & (fit > 0), fit, scale)
