"""An array of any layout as the kernels see it: contiguous, (outer, channels, inner)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.numerics.params import AffineParams

Array = NDArray[Any]
Order = tuple[int, ...]


@dataclass(frozen=True)
class KernelView:
    """``data`` is the array with its axes in some order, C-contiguous: a view where there is one, else a copy.

    Attributes
    ----------
    data : seen as (outer, channels, inner).
    order : ``order[k]`` is the axis of the original that lies at place ``k``.
    outer, inner : elements before and after the channels.
    """

    data: Array
    order: Order
    outer: int
    inner: int

    def empty(self, dtype: np.dtype[Any]) -> Array:
        """A result to fill, in the same order."""
        return np.empty(self.data.shape, dtype)

    def restore(self, result: Array) -> Array:
        """``result`` with the axes of the original."""
        return result.transpose(np.argsort(self.order)) if result.ndim > 1 else result


def whole(a: Array) -> KernelView:
    """One channel that holds everything."""
    data, order = dense(a)
    return KernelView(data, order, 1, data.size)


def by_channel(a: Array, axis: int) -> KernelView:
    """Channels along ``axis`` (not negative)."""
    data, order = dense(a)
    place = order.index(axis)
    return KernelView(data, order, prod(data.shape[:place]), prod(data.shape[place + 1 :]))


def view(a: Array, params: AffineParams) -> tuple[KernelView, NDArray[np.float32], NDArray[np.int32]]:
    """The array as ``params`` divide it, with the scale and zero point of every channel."""
    if params.axis is None:
        return whole(a), params.scale.reshape(1), params.zero_point.reshape(1)
    axis = params.normalized_axis(a.shape)
    if params.block_size is None:
        return by_channel(a, axis), params.scale, params.zero_point
    return _by_block(a, axis, params)


def _by_block(a: Array, axis: int, params: AffineParams) -> tuple[KernelView, NDArray[np.float32], NDArray[np.int32]]:
    # With the axis last each block is a run of block_size elements. A shorter last block: one scale an element instead.
    order = (*(k for k in range(a.ndim) if k != axis), axis)
    data = np.asarray(a.transpose(order), order="C")
    even = a.shape[axis] % (params.block_size or 1) == 0
    scale, zero = (params.scale, params.zero_point) if even else params.expanded(a.shape)
    inner = (params.block_size or 1) if even else 1
    return KernelView(data, order, 1, inner), _flat(scale, order), _flat(zero, order)


def _flat(a: Array, order: Order) -> Array:
    return np.ascontiguousarray(a.transpose(order)).reshape(-1)


def dense(a: Array) -> tuple[Array, Order]:
    """The array with its axes in the order of memory where that is contiguous (NumPy's order "K"), else a copy."""
    if a.ndim and not a.flags.c_contiguous:
        order = tuple(sorted(range(a.ndim), key=lambda k: -a.strides[k]))
        turned = a.transpose(order)
        if turned.flags.c_contiguous:
            return turned, order
    return np.asarray(a, order="C"), tuple(range(a.ndim))
