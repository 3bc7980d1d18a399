"""A region in float32, by ONNX Runtime's own operators."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from halfeven.errors import ModelError
from halfeven.execute.float_part import open_session, run_session
from halfeven.interop.region_model import region_model
from halfeven.lower.regions.find import Region
from halfeven.lower.regions.layout import F32, Reals
from halfeven.lower.site import NotLowered


def evaluate(region: Region, feeds: Mapping[ir.Value, F32], constants: Mapping[ir.Value, Reals]) -> F32:
    """The result, with the optimizations that ONNX Runtime would make in the whole graph."""
    if not region.nodes:
        return next(iter(feeds.values()))
    inputs = {str(v.name): a.shape for v, a in feeds.items()}
    stored = {str(v.name): a.astype(np.float32) for v, a in constants.items()}
    model = region_model(region.nodes, inputs, str(region.result.name), stored)
    try:
        session = open_session(model, threads=1)
        (found,) = run_session(session, {str(v.name): a for v, a in feeds.items()}).values()
    except ModelError as error:
        raise NotLowered(str(error)) from error
    return np.asarray(found, np.float32)
