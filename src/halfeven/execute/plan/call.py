"""The way in to the engine for what has no step of its own: one call an instruction."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from halfeven.execute.plan import call_codes, call_pairs, call_products, calls
from halfeven.execute.plan.stage import Stage
from halfeven.ir import instructions as ir
from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.normalize import Normalize
from halfeven.ir.select import Extreme, Mask, ReduceExtreme, ReduceSum, ResizeLinear, Where
from halfeven.ir.slopes import Divide, Slopes
from halfeven.ir.sums import AddSums
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.ir.transposed import ConvTranspose


@singledispatch
def call(instruction: Any, stage: Stage) -> bool:  # noqa: ARG001  the rules below read it
    """Whether the instruction is now part of the stage, as a call of a kernel over whole arrays."""
    return False


call.register(ir.Softmax)(calls.call_softmax)
call.register(Normalize)(calls.call_normalize)
call.register(ir.Linear)(call_products.call_linear)
call.register(ir.Conv)(call_products.call_conv)
call.register(ConvTranspose)(call_products.call_conv_transpose)
call.register(ir.Quantize)(call_codes.call_quantize)
call.register(ir.Dequantize)(call_codes.call_dequantize)
call.register(ir.Requantize)(call_codes.call_requantize)
call.register(ir.Table)(call_codes.call_table)
call.register(Slopes)(call_codes.call_slopes)
call.register(ChannelTable)(call_codes.call_channel_table)
call.register(PairTable)(call_codes.call_pair_table)
call.register(ir.ReduceMean)(calls.call_reduce)
call.register(ReduceSum)(calls.call_reduce)
call.register(ReduceExtreme)(calls.call_reduce_extreme)
call.register(ir.MaxPool)(calls.call_max_pool)
call.register(ir.AveragePool)(calls.call_average_pool)
call.register(FloatAveragePool)(calls.call_float_average_pool)
call.register(ResizeLinear)(calls.call_resize_linear)
call.register(ir.Add)(call_pairs.call_add)
call.register(ir.Mul)(call_pairs.call_mul)
call.register(Divide)(call_pairs.call_divide)
call.register(Extreme)(call_pairs.call_extreme)
call.register(Where)(call_pairs.call_where)
call.register(Mask)(call_pairs.call_mask)
call.register(AddSums)(call_pairs.call_add_sums)
