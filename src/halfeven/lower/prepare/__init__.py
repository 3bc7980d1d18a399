"""Graphs of other tools, brought to where every operator ends in codes, before they are lowered.

Each pass says by what argument the codes stay the same, or how far they may move.
"""

from __future__ import annotations

import onnx_ir as ir

from halfeven.interop.qoperator.moves import wrap_moves
from halfeven.lower.prepare.before_moves import quantize_before_moves
from halfeven.lower.prepare.behind_moves import dequantize_behind_moves
from halfeven.lower.prepare.casts import casts_are_codes
from halfeven.lower.prepare.constant_moves import settle_constant_moves
from halfeven.lower.prepare.constants import settle_constants
from halfeven.lower.prepare.inner_codes import give_inner_codes
from halfeven.numerics.profile import Profile


def prepared(model: ir.Model, profile: Profile) -> ir.Model:
    """A copy of the model after every pass; the given one stays as it is."""
    copy = model.clone()
    casts_are_codes(copy)
    settle_constants(copy, profile)
    settle_constant_moves(copy, profile)
    wrap_moves(copy)
    dequantize_behind_moves(copy)
    quantize_before_moves(copy)
    if give_inner_codes(copy, profile):
        quantize_before_moves(copy)
    return copy
