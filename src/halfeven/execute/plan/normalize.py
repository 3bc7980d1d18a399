"""Normalization by mean and variance."""

from __future__ import annotations

import numpy as np

from halfeven.execute.normalize import rows_of
from halfeven.execute.plan.folded import stored
from halfeven.execute.plan.layout import last_axis
from halfeven.execute.plan.stage import BYTES, Stage
from halfeven.ir.normalize import Normalize


def take_normalize(i: Normalize, stage: Stage) -> bool:
    """Emit the normalization of rows that are the channels of a pixel."""
    shape, to = stage.shape_of(i.x), i.target
    if not shape or to.qtype.storage not in BYTES or i.axis % len(shape) + i.span != len(shape) or i.groups != 1:
        return False
    rows = rows_of(i, shape)
    if i.span != 1:
        return False
    x = stage.get(i.x, last_axis(shape))
    y = stage.tensor(shape, x.axis, to.qtype.storage)
    bounds = [stored(q, to.qtype.storage) for q in (to.zero_point, to.qmin, to.qmax)]
    fixed = [rows.half_fraction, rows.epsilon, i.fraction, i.shift]
    gain, offset = (np.ascontiguousarray(a, np.int64).reshape(-1) for a in (i.gain, i.offset))
    stage.plan.normalize(x.id, y.id, [y.rows, y.channels, y.stride], fixed, gain, offset, *bounds)
    stage.steps.append(f"Normalize {i.name}")
    stage.held[i.y] = y
    return True
