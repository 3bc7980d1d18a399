"""What a layer's weights meet: second moments of its float inputs and of the codes that it reads instead.

Source: docs/math/weight-rounding.md eq. 2, 3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.ops import columns
from halfeven.ops.columns import Panels, Reals, product


@dataclass(eq=False)
class Moments:
    """Sums over rows of inputs, in steps of the codes' scale; those without weights are exact, being of integers.

    Attributes
    ----------
    weight : float weights w, (groups, rows, K). count : of rows of inputs.
    qq : ``sum q q^T``, (groups, K, K), q the codes that the layer reads. q, f : ``sum q`` and ``sum f``, (groups, K), f
        its float inputs.
    wdq : ``sum w d q^T``, (groups, rows, K), ``d = f - q``: no second matrix of K x K is held for it.
    """

    weight: Reals
    count: int
    qq: Reals
    wdq: Reals
    q: Reals
    f: Reals

    @classmethod
    def none(cls, weight: Reals) -> Moments:
        """Of no rows."""
        groups, _, size = weight.shape
        line = (groups, size)
        return cls(weight, 0, np.zeros((groups, size, size)), np.zeros(weight.shape), np.zeros(line), np.zeros(line))

    @classmethod
    def of(cls, q: NDArray[Any], f: NDArray[Any], fraction: int, weight: Reals) -> Moments:
        """As :meth:`add` does, of these rows alone."""
        found = cls.none(weight)
        found.add(q, f, fraction)
        return found

    def add(self, q: NDArray[Any], f: NDArray[Any], fraction: int) -> None:
        """Rows ``(groups, rows, K)``: codes less their zero point, and float inputs over the scale.

        ``fraction``: bits that are kept of f below 1, so that its sums are exact too.
        """
        unit = np.float32(2.0**-fraction)
        codes, rounded = (np.ascontiguousarray(a.swapaxes(-1, -2), np.float32) for a in (q, f))
        rounded = np.rint(rounded / unit) * unit
        self.count += q.shape[1]
        self.q += codes.sum(axis=-1, dtype=np.float64)
        self.f += rounded.sum(axis=-1, dtype=np.float64)
        columns.add_moments(codes, codes, self.qq)
        shifted = product(self.weight, (rounded - codes).astype(np.float64))
        self.wdq += product(shifted, codes.swapaxes(-1, -2).astype(np.float64))

    def problem(self) -> Problem:
        """What is to be made small for the float weights, the bias being free."""
        return Problem(self.weight, self.count, self.qq, self.q, self.f, self.wdq)


@dataclass(frozen=True, eq=False)
class Problem:
    """Find weights v on a grid with the least variance of ``w f - v q`` for each row.

    Attributes
    ----------
    weight : float weights w, (groups, rows, K).
    count, qq, q, f : as of :class:`Moments`. wdq : ``sum (w d) q^T``, (groups, rows, K).
    """

    weight: Reals
    count: int
    qq: Reals
    q: Reals
    f: Reals
    wdq: Reals

    @cached_property
    def mean(self) -> Reals:
        """Of q, (groups, K)."""
        return np.asarray(self.q / max(self.count, 1))

    @cached_property
    def diagonal(self) -> Reals:
        """Variances of q, (groups, K)."""
        return np.asarray(np.diagonal(self.qq, axis1=-2, axis2=-1) / max(self.count, 1) - np.square(self.mean))

    @cached_property
    def drift(self) -> Reals:
        """``w (cov(f, q) - cov(q, q))``."""
        n = max(self.count, 1)
        shift = (self.weight * ((self.f - self.q) / n)[..., None, :]).sum(axis=-1, keepdims=True)
        return np.asarray(self.wdq / n - shift * self.mean[..., None, :])

    def covariance(self, order: NDArray[np.int64], added: Reals) -> Panels:
        """Of q, columns in an order (groups, K), with something on the diagonal (groups,)."""
        return columns.covariance(self.qq, max(self.count, 1), self.mean, order, added)

    def error(self, v: Reals) -> Reals:
        """Of each row, less what no v can change: that of ``v = w`` is 0."""
        e = v - self.weight
        along = (e * self.mean[..., None, :]).sum(axis=-1)
        squares = (product(e, self.qq) * e).sum(axis=-1) / max(self.count, 1) - np.square(along)
        return np.asarray(squares - 2 * (e * self.drift).sum(axis=-1))

    def shift(self, rounded: Reals) -> Reals:
        """``mean(w f - rounded q)`` of each row: what a bias has to make up for, over the input's scale."""
        n = max(self.count, 1)
        return np.asarray((self.weight * self.f[..., None, :] - rounded * self.q[..., None, :]).sum(axis=-1) / n)

    def of_rows(self, rows: NDArray[np.int64]) -> Problem:
        """Of some rows of the weights."""
        return replace(self, weight=self.weight[:, rows], wdq=self.wdq[:, rows])

    def taking(self, other: Problem) -> Problem:
        """Of the samples of both; the matrix of this one becomes that of the result."""
        np.add(self.qq, other.qq, out=self.qq)
        q, f, wdq = (a + b for a, b in ((self.q, other.q), (self.f, other.f), (self.wdq, other.wdq)))
        return replace(self, count=self.count + other.count, q=q, f=f, wdq=wdq)


class Halves:
    """Problems of two halves of the samples, which may be the same one."""

    def __init__(self, first: Problem, second: Problem) -> None:
        self._first: Problem = first
        self._second: Problem | None = second

    @property
    def count(self) -> int:
        """Of rows."""
        return sum(half.count for half in self.both)

    @property
    def both(self) -> tuple[Problem, ...]:
        """The halves; the whole alone, once they were joined."""
        return (self._first,) if self._second is None else (self._first, self._second)

    @property
    def diagonal(self) -> Reals:
        """Variances of the codes on all samples, (groups, K)."""
        n = max(self.count, 1)
        squares = sum(np.diagonal(half.qq, axis1=-2, axis2=-1) for half in self.both)
        return np.asarray(squares / n - np.square(sum(half.q for half in self.both) / n))

    def whole(self) -> Problem:
        """Of all samples. The halves are gone then: their matrices are the largest things there are."""
        if self._second is not None:
            self._first, self._second = self._first.taking(self._second), None
        return self._first
