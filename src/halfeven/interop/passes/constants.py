"""Constants become initializers."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import LiftConstantsToInitializersPass, RemoveInitializersFromInputsPass


def lift_constants(model: ir.Model) -> int:
    """Turn Constant nodes, and inputs that have a default, into initializers.

    1. ``input x = default`` -> initializer x (exporters before IR version 4 listed every weight as an input)
    2. ``Constant() -> x`` -> initializer x, unless x is an output of the graph
    """
    before = _places(model)
    RemoveInitializersFromInputsPass()(model)
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    return before - _places(model)


def _places(model: ir.Model) -> int:
    nodes = ir.traversal.RecursiveGraphIterator(model.graph)
    defaults = [value for graph in model.graphs() for value in graph.inputs if value.is_initializer()]
    return len(defaults) + len([node for node in nodes if node.op_type == "Constant"])
