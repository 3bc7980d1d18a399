"""Graphs of other tools, brought to where every operator ends in codes, before they are lowered.

Each pass says by what argument the codes stay the same, or how far they may move.
"""

from __future__ import annotations

import onnx_ir as ir

from halfeven.interop.qoperator.moves import wrap_moves
from halfeven.lower.prepare.before_moves import quantize_before_moves
from halfeven.lower.prepare.casts import casts_are_codes

PASSES = (casts_are_codes, wrap_moves, quantize_before_moves)


def prepared(model: ir.Model) -> ir.Model:
    """A copy of the model after every pass; the given one stays as it is."""
    copy = model.clone()
    for change in PASSES:
        change(copy)
    return copy
