"""A region laid out so that one evaluation gives its whole table.

Each tensor of codes lies along an axis of its own. Constants of one element become numbers; others lie along the
channel axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.lower.regions.find import A_CHANNEL, Region
from halfeven.lower.site import NotLowered, Operand
from halfeven.numerics import affine

F32: TypeAlias = NDArray[np.float32]
Reals: TypeAlias = NDArray[np.float64]
Evaluate: TypeAlias = Callable[[Region, Mapping[ir.Value, F32], Mapping[ir.Value, Reals]], NDArray[Any]]
"""(region, reals of its leaves, its constants) -> its result, float32 or float64."""


def all_codes(operand: Operand) -> NDArray[Any]:
    """Every code of the operand, ascending."""
    qtype = operand.params.qtype
    return np.arange(qtype.qmin, qtype.qmax + 1).astype(qtype.storage)


def of_one(region: Region, evaluate: Evaluate) -> NDArray[Any]:
    """``f(DQ(q))`` of a region of one tensor of codes and numbers: (codes,)."""
    return evaluate(region, _reals(region), _numbers(region)).reshape(-1)


def of_channels(region: Region, evaluate: Evaluate, axis: int, channels: int, rank: int) -> NDArray[Any]:
    """The same for each channel of ``axis``: (channels, codes)."""
    other = next((k for k in range(rank) if k != axis), None)
    if other is None:
        raise NotLowered("its constants vary along its only axis")
    feeds = {}
    for value, real in _reals(region).items():
        shape = [channels if k == axis else real.size if k == other else 1 for k in range(rank)]
        spread = np.broadcast_to(real.reshape([-1 if k == other else 1 for k in range(rank)]), shape)
        feeds[value] = np.ascontiguousarray(spread)
    found = evaluate(region, feeds, _numbers(region))
    return np.ascontiguousarray(np.moveaxis(found, (axis, other), (0, 1)).reshape(channels, -1))


def of_pairs(region: Region, evaluate: Evaluate) -> NDArray[Any]:
    """``f(DQ(a), DQ(b))`` of a region of two tensors of codes and numbers: (codes of a, codes of b)."""
    first, _ = region.codes
    feeds = {
        value: real.reshape((-1, 1) if region.leaves[value].name == first else (1, -1))
        for value, real in _reals(region).items()
    }
    return evaluate(region, feeds, _numbers(region))


def _reals(region: Region) -> dict[ir.Value, F32]:
    return {value: affine.dequantize(all_codes(o), o.params) for value, o in region.leaves.items()}


def _numbers(region: Region) -> dict[ir.Value, Reals]:
    """The constants, those of one element without axes; BatchNormalization's keep theirs."""
    listed = {v for n in region.nodes if n.op_type in A_CHANNEL for v in n.inputs[1:]}
    return {v: a.reshape(()) if a.size == 1 and v not in listed else a for v, a in region.constants.items()}
