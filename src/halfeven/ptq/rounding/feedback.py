"""Codes one column after the other, each making up for the errors of those before it.

Source: docs/math/weight-rounding.md eq. 6, 7. Frantar et al. 2022 (GPTQ), in the equal form of Chee et al. 2023 (LDLQ).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from halfeven.ptq.rounding.tiles import Reals, product, side_of


@dataclass(frozen=True, eq=False)
class Grid:
    """Real values ``scale * code``, codes in [qmin, qmax].

    Attributes
    ----------
    scale : broadcasts against weights (groups, rows, K).
    """

    scale: Reals
    qmin: int
    qmax: int

    def nearest(self, v: Reals) -> Reals:
        """The codes nearest to reals, ties to even."""
        return np.minimum(np.maximum(np.rint(v / self.scale), self.qmin), self.qmax)

    def take(self, order: np.ndarray) -> Grid:
        """With the columns in another order (groups, K)."""
        if self.scale.shape[-1] == 1:
            return self
        return Grid(np.take_along_axis(self.scale, order[:, None, :], axis=-1), self.qmin, self.qmax)


def round_with_feedback(v: Reals, u: Reals, grid: Grid) -> Reals:
    """Codes for reals v (groups, rows, K), where ``H = U U^T`` weighs the errors.

    ``q_k = nearest(v_k + sum_{i<k} e_i U_ik / U_kk)``, ``e_i = v_i - S q_i``: the error is then ``sum_k (U_kk d_k)^2``
    with d_k what the k-th rounding leaves.
    """
    size = v.shape[-1]
    side = side_of(size)
    scale = np.broadcast_to(grid.scale, v.shape)
    feedback = u / np.diagonal(u, axis1=-2, axis2=-1)[..., None, :]
    codes, errors = np.zeros_like(v), np.zeros_like(v)
    for first in range(0, size, side):
        part = slice(first, min(first + side, size))
        owed = _owed(errors[..., :first], feedback[..., :first, part])
        for k in range(first, part.stop):
            j = k - first
            wanted = v[..., k] + owed[..., j]
            codes[..., k] = np.minimum(np.maximum(np.rint(wanted / scale[..., k]), grid.qmin), grid.qmax)
            e = v[..., k] - scale[..., k] * codes[..., k]
            errors[..., k] = e
            owed[..., j + 1 :] += e[..., None] * feedback[..., None, k, k + 1 : part.stop]
    return codes


def _owed(errors: Reals, feedback: Reals) -> Reals:
    """``errors @ feedback``, in products that a BLAS does not divide among threads."""
    if not errors.shape[-1]:
        return np.zeros((*errors.shape[:-1], feedback.shape[-1]))
    return product(errors, feedback)


def improve(codes: Reals, v: Reals, h: Reals, grid: Grid, sweeps: int) -> Reals:
    """Each code in turn the best one, the others held: the error ``(v - S q) H (v - S q)^T`` never rises.

    Stops where a sweep changes nothing.
    """
    size = v.shape[-1]
    side = side_of(size)
    scale = np.broadcast_to(grid.scale, v.shape)
    codes = codes.copy()
    diagonal = np.diagonal(h, axis1=-2, axis2=-1)
    for _ in range(sweeps):
        before = codes.copy()
        for first in range(0, size, side):
            part = slice(first, min(first + side, size))
            pull = product(v - scale * codes, h[..., part])
            for k in range(first, part.stop):
                j = k - first
                step = scale[..., k]
                e = v[..., k] - step * codes[..., k]
                wanted = v[..., k] + pull[..., j] / diagonal[..., None, k] - e
                found = np.minimum(np.maximum(np.rint(wanted / step), grid.qmin), grid.qmax)
                change = step * (codes[..., k] - found)
                codes[..., k] = found
                pull[..., j + 1 :] += change[..., None] * h[..., None, k, k + 1 : part.stop]
        if np.array_equal(before, codes):
            break
    return codes
