"""The value of a region for every code, in float32 by ONNX Runtime's own operators.

Each leaf is laid out along an axis of its own, so that one run gives the whole table. Constants of one element become
numbers; others lie along the channel axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.errors import ModelError
from halfeven.execute.float_part import open_session, run_session
from halfeven.interop.region_model import region_model
from halfeven.lower.float_steps.region import A_CHANNEL, Region
from halfeven.lower.site import NotLowered, Operand
from halfeven.numerics import affine

F32 = NDArray[np.float32]


def all_codes(operand: Operand) -> NDArray[Any]:
    """Every code of the operand, ascending."""
    qtype = operand.params.qtype
    return np.arange(qtype.qmin, qtype.qmax + 1).astype(qtype.storage)


def table_of_one(region: Region) -> F32:
    """``f(DQ(q))`` of a region of one tensor of codes and numbers: (codes,)."""
    feeds = {v: affine.dequantize(all_codes(o), o.params) for v, o in region.leaves.items()}
    return _run(region, feeds, _numbers(region)).reshape(-1)


def table_of_channels(region: Region, axis: int, channels: int, rank: int) -> F32:
    """The same for each channel of ``axis``: (channels, codes)."""
    other = next((k for k in range(rank) if k != axis), None)
    if other is None:
        raise NotLowered("its constants vary along its only axis")
    shape = [channels if k == axis else 1 for k in range(rank)]
    feeds = {}
    for value, operand in region.leaves.items():
        real = affine.dequantize(all_codes(operand), operand.params)
        shape[other] = real.size
        feeds[value] = np.ascontiguousarray(
            np.broadcast_to(real.reshape([-1 if k == other else 1 for k in range(rank)]), shape)
        )
    found = _run(region, feeds, _numbers(region))
    return np.ascontiguousarray(np.moveaxis(found, (axis, other), (0, 1)).reshape(channels, -1))


def table_of_pairs(region: Region) -> F32:
    """``f(DQ(a), DQ(b))`` of a region of two tensors of codes and numbers: (codes of a, codes of b)."""
    first, _ = region.codes
    feeds = {
        v: affine.dequantize(all_codes(o), o.params).reshape((-1, 1) if o.name == first else (1, -1))
        for v, o in region.leaves.items()
    }
    return _run(region, feeds, _numbers(region))


def _numbers(region: Region) -> dict[ir.Value, NDArray[Any]]:
    """The constants, those of one element without axes; BatchNormalization's keep theirs."""
    listed = {v for n in region.nodes if n.op_type in A_CHANNEL for v in n.inputs[1:]}
    return {v: a.reshape(()) if a.size == 1 and v not in listed else a for v, a in region.constants.items()}


def _run(region: Region, feeds: dict[ir.Value, F32], constants: dict[ir.Value, NDArray[Any]]) -> F32:
    if not region.nodes:
        return next(iter(feeds.values()))
    inputs = {str(v.name): a.shape for v, a in feeds.items()}
    model = region_model(region.nodes, inputs, str(region.result.name), {str(v.name): a for v, a in constants.items()})
    try:
        session = open_session(model, threads=1)
        (found,) = run_session(session, {str(v.name): a for v, a in feeds.items()}).values()
    except ModelError as error:
        raise NotLowered(str(error)) from error
    return np.asarray(found, np.float32)
