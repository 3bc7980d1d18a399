"""Means and Softmax of 8-bit codes, as ONNX Runtime's operators on codes compute them.

    QLinearGlobalAveragePool, and QLinearAveragePool whose window is the whole image without padding:
                       M = f32(Sx / f32(Sy count)),  y = clamp(rhe(f32(f32(sum) M)) + Zy),  sum exact
    QLinearAveragePool:  halfeven.ir.float_steps.FloatAveragePool
    QLinearSoftmax:      steps = floor(f32(1 / Sy)), and y = clamp(rhe(softmax steps) + Zy): 1 / Sy rounded down

What QLinearSoftmax adds up depends on the processor, so the sum is exact here: one code in a million differs.
Source: measured, docs/guide/onnxruntime.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.instructions import Instruction, ReduceMean, Softmax
from halfeven.ir.rescale import MeanRescale
from halfeven.lower.float_steps.runtime import BYTE, offset, runs_on_codes
from halfeven.lower.regions.layout import all_codes
from halfeven.lower.rules import softmax
from halfeven.lower.rules.window import read_window
from halfeven.lower.scaling import method_of
from halfeven.lower.site import NotLowered, Operand, Site
from halfeven.numerics import affine
from halfeven.numerics.multiplier import Multiplier


def _operand(site: Site) -> Operand:
    x = site.activation(0)
    if max(x.params.qtype.bits, site.params.qtype.bits) > BYTE:
        raise NotLowered("the runtime computes codes of over 8 bits in float32")
    return x


def mean_rescale(site: Site, x: Operand) -> MeanRescale:
    """M formed in float32 steps."""
    s1, s3, profile = float(x.params.scale), float(site.params.scale), site.profile
    bits, away = profile.multiplier_bits, profile.multiplier_half_away
    return MeanRescale(s1 / s3, bits, away, site.target, method_of(site), (s1, s3))


def lower_global(site: Site, quantize: ir.Node) -> list[Instruction]:
    """``QLinearGlobalAveragePool(x)``."""
    del quantize
    x = _operand(site)
    if x.rank is None:
        raise NotLowered("the rank of its input is unknown")
    return [ReduceMean(site.name, x.name, site.y, tuple(range(2, x.rank)), True, x.zero, mean_rescale(site, x))]


def lower_average(site: Site, quantize: ir.Node) -> list[Instruction]:
    """``QLinearAveragePool(x)``."""
    x = _operand(site)
    kernel = tuple(site.integers("kernel_shape", []))
    window = read_window(site, kernel)
    if set(window.dilations) != {1}:
        raise NotLowered("the runtime has no dilated average of codes")
    value = site.node.inputs[0]
    shape = None if value is None or value.shape is None else tuple(value.shape)[2:]
    if shape == kernel and not any(map(any, window.pads)):
        return lower_global(site, quantize)
    shift = offset(site, quantize.outputs[0], site.params)
    zero = int(site.params.zero_point) + shift if runs_on_codes(site, quantize, (x,)) else 0
    include = bool(site.integer("count_include_pad", 0))
    reals = affine.dequantize(all_codes(x), x.params)
    first, scale = x.params.qtype.qmin, float(site.params.scale)
    return [FloatAveragePool(site.name, x.name, site.y, window, include, first, reals, scale, zero, site.target)]


def lower_softmax(site: Site, quantize: ir.Node) -> list[Instruction]:
    """``QLinearSoftmax(x)``."""
    x = _operand(site)
    if not runs_on_codes(site, quantize, (x,)):
        raise NotLowered("the runtime leaves it in float32")
    (exact,) = softmax.lower(site)
    if not isinstance(exact, Softmax):
        raise NotLowered("its integer form is another")
    steps = float(np.floor(np.float32(1) / np.float32(site.params.scale)))
    return [replace(exact, multiplier=Multiplier.from_real(steps, exact.multiplier.bits))]
