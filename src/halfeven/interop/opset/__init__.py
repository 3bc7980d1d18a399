"""Raise a model to the working opset: operators whose inputs, attributes or meaning changed are rewritten."""

from __future__ import annotations

import onnx_ir as ir

from halfeven.interop.lines import model_error
from halfeven.interop.opset.adapters import ADAPTERS, CannotConvertError

WORKING_OPSET = 21  # the first with int4, int16 and blocked QuantizeLinear
WORKING_IR_VERSION = 10  # the first that carries them
ADOPTED = ("QuantizeLinear", "DequantizeLinear")  # onnxruntime's own until opset 21 had their 4 and 16-bit types


def convert_opset(model: ir.Model, source: str) -> int:
    """Bring the graph, its subgraphs and the file's own functions to opset 21; return how many nodes changed.

    A model above opset 21 stays where it is. ``onnx.version_converter`` does the same on paper, but turns linear
    Resize-10 and Hardmax-11 into other functions, drops metadata, and cannot hold models above 2 GB.

    Raises
    ------
    ModelError
        Naming a node that means something which opset 21 cannot say.
    """
    changed = sum(_convert(part, source) for part in (model.graph, *model.functions.values()))
    model.ir_version = max(model.ir_version, WORKING_IR_VERSION)
    return changed


def _convert(part: ir.Graph | ir.Function, source: str) -> int:
    version = part.opset_imports.get("", WORKING_OPSET)
    part.opset_imports[""] = max(version, WORKING_OPSET)
    changed = 0
    for node in list(ir.traversal.RecursiveGraphIterator(part)):
        if node.domain == "com.microsoft" and node.op_type in ADOPTED:
            node.domain = ""
            changed += 1
        elif node.domain == "":
            changed += _raise(node, version, source)
    return changed


def _raise(node: ir.Node, version: int, source: str) -> bool:
    changed = False
    for step in range(version + 1, WORKING_OPSET + 1):
        adapter = ADAPTERS.get((node.op_type, step))  # looked up anew: a step may rename the operator
        if adapter is None:
            continue
        try:
            adapter(node)
        except CannotConvertError as error:
            label = node.name or node.outputs[0].name or ""
            raise model_error(
                f"{source}: node '{label}' ({node.op_type}) cannot go from opset {step - 1} to {step}: {error}",
                source=source,
                node=label,
            ) from None
        changed = True
    return changed
