"""Random transposed convolutions."""

from __future__ import annotations

import numpy as np
from draw import ACTIVATIONS, WEIGHTS, Case, Draw, bias, farthest, weight_zero

from halfeven.execute.transposed import output_sizes
from halfeven.ir import instructions as ir
from halfeven.ir.rescale import Accumulator

MOST_CUT = 4


def conv_transpose(d: Draw) -> Case:
    """Grouped, strided, dilated, cut; 1 to 3 spatial axes; where strides exceed the kernel, outputs without a tap."""
    rank = d.one([1, 2, 2, 2, 3])
    groups, inputs, outputs = d.one([(1, d.between(1, 20), d.between(1, 20)), (d.between(2, 4), 3, 2), (5, 1, 1)])
    sizes = [d.one([1, 2, 5, 8]) for _ in range(rank)]
    kernel = tuple(d.one([1, 2, 2, 3, 4]) for _ in range(rank))
    strides = tuple(d.one([1, 2, 2, 3, 4]) for _ in range(rank))
    dilations = tuple(d.one([1, 1, 1, 2, 3]) for _ in range(rank))
    extra = tuple(d.between(0, s - 1) for s in strides)
    pads = tuple((d.between(0, 2), d.between(0, 2)) if d.chance(0.6) else (0, 0) for _ in range(rank))
    window = ir.Window(kernel, strides, ((0, 0),) * rank, dilations)
    if min(output_sizes(sizes, window, extra)) > MOST_CUT:
        window = ir.Window(kernel, strides, pads, dilations)
    qx, qw, channels = d.one(ACTIVATIONS), d.one(WEIGHTS), groups * outputs
    x = d.laid_out(d.codes(qx, (d.between(1, 2), groups * inputs, *sizes)))
    w = d.codes(qw, (groups * inputs, outputs, *kernel))
    x_zero, w_zero, b = d.zero(qx), weight_zero(d, qw, channels), bias(d, channels)
    far_weight = int(np.abs(w.astype(np.int64)).max(initial=0)) + int(np.abs(w_zero).max())
    bound = Accumulator.of(inputs * int(np.prod(kernel)) * far_weight * farthest(qx, x_zero) + np.abs(b))
    how = d.rescale(int(bound.bound.max()), channels)
    return ir.ConvTranspose("n", "x", "y", w, w_zero, b, x_zero, window, extra, groups, bound, how), [x]
