"""What no output needs is removed."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass, RemoveUnusedOpsetsPass


def remove_unused(model: ir.Model) -> int:
    """Remove nodes and initializers that nothing reads, and operator sets that no node uses."""
    before = _size(model)
    RemoveUnusedNodesPass()(model)
    RemoveUnusedOpsetsPass()(model)
    return before - _size(model)


def _size(model: ir.Model) -> int:
    return sum(graph.num_nodes() + len(graph.initializers) for graph in model.graphs())
