"""A region in float64, which its table rounds once to float32 (docs/math/table.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial, reduce

import numpy as np
import onnx_ir as ir

from halfeven.lower.compose import BINARY
from halfeven.lower.functions import FUNCTIONS
from halfeven.lower.regions.find import Region
from halfeven.lower.regions.layout import F32, Reals
from halfeven.lower.site import Site


def evaluate(
    site: Site, region: Region, feeds: Mapping[ir.Value, F32 | Reals], constants: Mapping[ir.Value, Reals]
) -> Reals:
    """The result, each operator as the function of its name."""
    known: dict[ir.Value, Reals] = {**constants, **{v: a.astype(np.float64) for v, a in feeds.items()}}
    with np.errstate(all="ignore"):
        for node in region.nodes:
            known[node.outputs[0]] = _value(site, node, [known[v] for v in node.inputs if v is not None])
    return known[region.result]


def _value(site: Site, node: ir.Node, inputs: list[Reals]) -> Reals:
    if node.op_type == "BatchNormalization":
        return _normalized(replace(site, node=node), *inputs)
    if node.op_type in FUNCTIONS and node.op_type not in BINARY:
        function, x = FUNCTIONS[node.op_type](replace(site, node=node)), inputs[0]
        return function(x.reshape(-1)).reshape(x.shape)
    return reduce(partial(_combined, node.op_type), inputs)


def _combined(op_type: str, a: Reals, b: Reals) -> Reals:
    return np.asarray(BINARY[op_type](a, b), np.float64)


def _normalized(site: Site, x: Reals, scale: Reals, bias: Reals, mean: Reals, variance: Reals) -> Reals:
    """``scale (x - mean) / sqrt(variance + epsilon) + bias`` along axis 1."""
    channels = [1, -1, *[1] * (x.ndim - 2)]
    factor = scale / np.sqrt(variance + site.real("epsilon", 1e-5))
    return np.asarray((x - mean.reshape(channels)) * factor.reshape(channels) + bias.reshape(channels))
