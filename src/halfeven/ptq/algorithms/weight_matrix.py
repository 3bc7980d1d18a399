"""Weights of Conv, Gemm and MatMul as matrices (groups, rows, K), and their inputs as the rows that they multiply."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.execute.windows import output_sizes
from halfeven.interop.values import is_op
from halfeven.ir.window import Window
from halfeven.lower.rules.window import read_window
from halfeven.lower.site import NotLowered, Site
from halfeven.numerics.params import AffineParams
from halfeven.ops.columns import Reals
from halfeven.ptq.draft import Draft
from halfeven.ptq.placement import Product
from halfeven.ptq.rounding.columns import conv_rows, matrix_rows
from halfeven.ptq.rounding.layer import LayerWeights, Rounded
from halfeven.ptq.weight_blocks import block_params
from halfeven.ptq.weights import Constant


@dataclass(frozen=True, eq=False)
class WeightMatrix:
    """How a product's weight is a matrix.

    Attributes
    ----------
    shape : of the weight. group : of a convolution. window : of a convolution, else None.
    axis : of the output channels.
    """

    shape: tuple[int, ...]
    group: int
    window: Window | None
    axis: int

    @property
    def channels(self) -> int:
        """Output channels."""
        return self.shape[self.axis]

    @property
    def columns(self) -> int:
        """K: the inputs of an output."""
        return math.prod(self.shape) // max(self.channels, 1)

    @property
    def moments(self) -> int:
        """Numbers in the second moments of its inputs: K x K for each group."""
        return self.group * self.columns**2

    def matrix(self, weight: NDArray[np.generic]) -> Reals:
        """(groups, rows, K) of an array of the weight's shape."""
        first = np.moveaxis(weight, self.axis, 0).astype(np.float64)
        return np.ascontiguousarray(first.reshape(self.group, self.channels // self.group, -1))

    def array(self, matrix: Reals) -> Reals:
        """Undo :meth:`matrix`."""
        others = [n for k, n in enumerate(self.shape) if k != self.axis]
        return np.moveaxis(matrix.reshape(self.channels, *others), 0, self.axis)

    def row_count(self, x: NDArray[Any]) -> int:
        """How many rows an input is."""
        if self.window is None:
            return math.prod(x.shape[:-1])
        return int(x.shape[0]) * math.prod(output_sizes(x.shape[2:], self.window))

    def rows(self, x: NDArray[Any], chosen: NDArray[np.int64] | None = None) -> NDArray[Any]:
        """(groups, rows, K) of an input: all rows, or those chosen."""
        return matrix_rows(x, chosen) if self.window is None else conv_rows(x, self.window, self.group, chosen)

    def layer_weights(self, weight: NDArray[np.float32], old: Constant, least: Reals) -> LayerWeights:
        """The weight to be rounded, whose codes are ``old`` now."""
        codes = old.params.qtype.qmin, old.params.qtype.qmax
        floor = np.broadcast_to(least, (self.channels,)).reshape(self._rows(1))
        return LayerWeights(self.matrix(weight), codes, self._scale(old.params), floor, self._block(old.params))

    def constant(self, rounded: Rounded, old: Constant) -> Constant:
        """The found codes, as the weight is stored."""
        qtype, block = old.params.qtype, old.params.block_size
        if block is None:
            params = AffineParams(rounded.scale.reshape(-1), 0, qtype, self.axis)
        else:
            scale = rounded.scale.reshape(self.channels, -1)
            params = block_params(scale, self.shape, self.axis, block, qtype)
        return Constant(np.ascontiguousarray(self.array(rounded.codes)).astype(old.codes.dtype), params)

    def _rows(self, count: int) -> tuple[int, int, int]:
        return self.group, self.channels // self.group, count

    def _block(self, params: AffineParams) -> int | None:
        """Columns that share a scale: so many inputs, and all taps of each."""
        return None if params.block_size is None else params.block_size * int(np.prod(self.shape[2:]))

    def _scale(self, params: AffineParams) -> Reals:
        """(groups, rows, 1 or blocks)."""
        if params.block_size is None:
            return np.broadcast_to(params.scale.astype(np.float64), (self.channels,)).reshape(self._rows(1))
        scale = np.moveaxis(params.scale.astype(np.float64), self.axis, 0)
        return scale.reshape(*scale.shape[:2], -1)[..., 0].reshape(self._rows(scale.shape[1]))


def weight_matrix(draft: Draft, product: Product) -> WeightMatrix | str:
    """How the product's weight is a matrix; or why it is none here."""
    node = next(n for n in draft.model.graph if n.name == product.node)
    shape = draft.arrays[product.weight].shape
    if is_op(node, "ConvTranspose"):
        return "a transposed convolution keeps the nearest codes"
    if not is_op(node, "Conv"):
        return WeightMatrix(shape, 1, None, product.axis)
    own = AffineParams(1.0)
    try:
        window = read_window(Site(node, None, "", own, None, None, draft.profile), shape[2:])
    except NotLowered as reason:
        return str(reason)
    return WeightMatrix(shape, node.attributes.get_int("group", 1), window, product.axis)
