"""Codes one column after the other, each making up for the errors of those before it.

Source: docs/math/weight-rounding.md eq. 6, 7. Frantar et al. 2022 (GPTQ), in the equal form of Chee et al. 2023 (LDLQ).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from halfeven.ops import columns
from halfeven.ops.columns import Panels, Reals, product


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


def round_with_feedback(v: Reals, w: Panels, grid: Grid) -> tuple[Reals, Reals]:
    """Codes for reals v (groups, rows, K), where ``H = U U^T``, ``W = U^T``, weighs the errors, and those of each row.

    ``q_k = nearest(v_k + sum_{i<k} e_i U_ik / U_kk)``, ``e_i = v_i - S q_i``: the error is then ``sum_k (U_kk d_k)^2``
    with d_k what the k-th rounding leaves.
    """
    return columns.round_columns(v, w, grid.scale, grid.qmin, grid.qmax)


def improve(codes: Reals, v: Reals, h: Panels, grid: Grid, sweeps: int) -> tuple[Reals, Reals]:
    """Each code in turn the best one, the others held, and the errors of the rows.

    The error ``(v - S q) H (v - S q)^T`` never rises. Stops where a sweep changes nothing.
    """
    pull = product(v - grid.scale * codes, h)
    found, pull = columns.improve_columns(codes, v, h, pull, grid.scale, (grid.qmin, grid.qmax), sweeps)
    return found, ((v - grid.scale * found) * pull).sum(axis=-1)
