"""What a layer's weights meet: second moments of its float inputs and of the codes that it reads instead.

Source: docs/math/weight-rounding.md eq. 2, 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from halfeven.ptq.rounding.tiles import Reals, product


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over rows of inputs, in steps of the codes' scale; they are integers, so exact in any order of addition.

    Attributes
    ----------
    count : of rows.
    qq, fq : ``sum q q^T`` and ``sum f q^T``, (groups, K, K): q the codes that the layer reads, f its float inputs.
    q, f : ``sum q`` and ``sum f``, (groups, K).
    """

    count: int
    qq: Reals
    fq: Reals
    q: Reals
    f: Reals

    @classmethod
    def of(cls, q: Reals, f: Reals, fraction: int) -> Moments:
        """Of rows ``(groups, rows, K)``: codes less their zero point, and float inputs over the scale.

        ``fraction``: bits that are kept of f below 1, so that its sums are exact too.
        """
        unit = 2.0**-fraction
        rounded = f / unit
        np.rint(rounded, out=rounded)
        across = q.swapaxes(-1, -2)
        fq = np.matmul(rounded.swapaxes(-1, -2), q) * unit
        f_sum = rounded.sum(axis=1) * unit
        return cls(q.shape[1], np.matmul(across, across.swapaxes(-1, -2)), fq, q.sum(axis=1), f_sum)

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.count + other.count, self.qq + other.qq, self.fq + other.fq, self.q + other.q, self.f + other.f
        )

    def problem(self, weight: Reals) -> Problem:
        """What is to be made small for these float weights, ``(groups, rows, K)``, the bias being free."""
        n = max(self.count, 1)
        qq = self.qq / n - self.q[..., :, None] * self.q[..., None, :] / n**2
        fq = self.fq / n - self.f[..., :, None] * self.q[..., None, :] / n**2
        return Problem(weight, qq, product(weight, fq - qq))

    def shift(self, weight: Reals, rounded: Reals) -> Reals:
        """``mean(weight f - rounded q)`` of each row: what a bias has to make up for, over the input's scale."""
        n = max(self.count, 1)
        return np.asarray((weight * self.f[..., None, :] - rounded * self.q[..., None, :]).sum(axis=-1) / n)


@dataclass(frozen=True, eq=False)
class Problem:
    """Find weights v on a grid with the least variance of ``w f - v q`` for each row.

    Attributes
    ----------
    weight : float weights w, (groups, rows, K).
    h : covariance of q, (groups, K, K). drift : ``w (cov(f, q) - cov(q, q))``.
    """

    weight: Reals
    h: Reals
    drift: Reals

    def error(self, v: Reals) -> Reals:
        """Of each row, less what no v can change: that of ``v = w`` is 0."""
        e = v - self.weight
        return np.asarray((product(e, self.h) * e - 2 * e * self.drift).sum(axis=-1))
