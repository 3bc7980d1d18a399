"""Factors, triangular systems and codes, column after column, by the native kernels.

Tested equal, bit for bit, to the definitions in ``halfeven.ptq.rounding.reference``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from halfeven import _native

Reals = NDArray[np.float64]


def factor(h: Reals) -> Reals | None:
    """W, lower triangular, of ``H = W^T W``, symmetric (groups, K, K); None where one is not positive definite."""
    w = np.empty(h.shape)
    return w if _native.factor(_dense(h), w) else None


def solve(rhs: Reals, w: Reals) -> Reals:
    """X of ``X W^T W = rhs``, rows (groups, R, K)."""
    x = np.array(rhs, order="C")
    _native.solve(_dense(w.swapaxes(-1, -2)), _dense(w), x)
    return x


def round_columns(v: Reals, feedback: Reals, scale: Reals, qmin: int, qmax: int) -> Reals:
    """Codes for reals (groups, R, K).

    ``q_k = nearest((v_k + sum_{i<k} e_i feedback_ki) / S)``, ``e_i = v_i - S q_i``; feedback (groups, K, K), one
    scale a row or one an element.
    """
    codes = np.empty(v.shape)
    _native.round_columns(_dense(v), _dense(feedback), _scales(scale, v), qmin, qmax, codes)
    return codes


def improve_columns(
    codes: Reals, v: Reals, h: Reals, pull: Reals, scale: Reals, limits: tuple[int, int], sweeps: int
) -> Reals:
    """Each code in turn the best one, the others held, ``pull = (v - S q) H`` of the codes that are given."""
    found = np.array(codes, order="C")
    _native.improve_columns(_dense(v), _dense(h), _scales(scale, v), *limits, found, np.array(pull, order="C"), sweeps)
    return found


def _dense(a: Reals) -> Reals:
    return np.ascontiguousarray(a, np.float64)


def _scales(scale: Reals, v: Reals) -> Reals:
    count = 1 if scale.shape[-1] == 1 else v.shape[-1]
    return _dense(np.broadcast_to(scale, (*v.shape[:-1], count)))
