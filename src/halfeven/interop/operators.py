"""Which operators exist: those of the ONNX standard, of onnxruntime, and the file's own functions."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache

import onnx
import onnx.defs

from halfeven.interop.lines import model_error
from halfeven.interop.structure import node_label, subgraphs

OLDEST_OPSET = 9
OPTIONAL = onnx.defs.OpSchema.FormalParameterOption.Optional
ONNX_NAMES = ("", "ai.onnx")  # one domain, written in two ways


def check_operators(model: onnx.ModelProto, source: str) -> int:
    """Check that every operator is one that exists; return the opset of the ONNX domain.

    Raises
    ------
    ModelError
        For a missing, too old or too new opset, an unknown operator or domain: named, with the nearest known one.
    """
    opset = _onnx_opset(model, source)
    domains = {entry.domain for entry in model.opset_import}
    functions = {(f.domain, f.name) for f in model.functions}
    for node in _all_nodes(model.graph):
        if (node.domain, node.op_type) in functions:
            continue
        problem = _problem(node, opset, domains)
        if problem:
            label = node_label(node)
            raise model_error(f"{source}: node '{label}' ({node.op_type}) {problem}", source=source, node=label)
    return opset


def shorten_domains(model: onnx.ModelProto) -> None:
    """Write the ONNX domain as "" everywhere; some exporters write "ai.onnx", which the checker does not know."""
    nodes = [*_all_nodes(model.graph), *(node for function in model.functions for node in function.node)]
    imports = [*model.opset_import, *(entry for function in model.functions for entry in function.opset_import)]
    for part in (*nodes, *imports):
        if part.domain in ONNX_NAMES:
            part.domain = ""


def _onnx_opset(model: onnx.ModelProto, source: str) -> int:
    versions = {entry.version for entry in model.opset_import if entry.domain == ""}
    if len(versions) != 1:
        found = "two" if versions else "none"
        raise model_error(
            f"{source}: names {found} versions of the ONNX operator set, and one was expected: the file is truncated "
            "or damaged, export it again",
            source=source,
        )
    version = int(versions.pop())
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= version <= newest:
        raise model_error(
            f"{source}: uses opset {version}, and opsets {OLDEST_OPSET} to {newest} are read: export it again with "
            f"one of these{'' if version < OLDEST_OPSET else ', or install a newer onnx package'}",
            source=source,
        )
    return version


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for body in subgraphs(node):
            yield from _all_nodes(body)


def _problem(node: onnx.NodeProto, opset: int, domains: set[str]) -> str | None:
    if node.domain != "":
        return _foreign_problem(node, domains)
    if onnx.defs.has(node.op_type, opset):
        return _misuse(node, onnx.defs.get_schema(node.op_type, opset), opset)
    if onnx.defs.has(node.op_type):
        since = min(s.since_version for s in _standard_schemas()[node.op_type])
        return f"exists from opset {since} on, and the file says opset {opset}: export it again with that opset"
    near = get_close_matches(node.op_type, _standard_schemas(), 1)
    hint = f" (is '{near[0]}' meant?)" if near else ""
    return f"is no operator of the ONNX standard{hint}: replace it by standard operators when exporting"


def _misuse(node: onnx.NodeProto, schema: onnx.defs.OpSchema, opset: int) -> str | None:
    if schema.deprecated:
        return f"is deprecated in opset {opset}: export it again with a newer opset"
    for index, name in enumerate(node.input):
        formal = schema.inputs[min(index, len(schema.inputs) - 1)] if schema.inputs else None
        if not name and formal is not None and formal.option != OPTIONAL:  # kernels of onnxruntime crash on these
            return f"leaves out its input {index + 1}, which is required: export it again"
    return None


@cache
def _standard_schemas() -> dict[str, list[onnx.defs.OpSchema]]:
    schemas: dict[str, list[onnx.defs.OpSchema]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            schemas.setdefault(schema.name, []).append(schema)
    return schemas


def _foreign_problem(node: onnx.NodeProto, domains: set[str]) -> str | None:
    if node.domain not in domains:
        return f"belongs to the domain '{node.domain}', which the file does not import: export it again"
    if onnx.defs.has(node.op_type, domain=node.domain) or (node.domain, node.op_type) in _runtime_operators():
        return None
    return (
        f"is an operator of the unknown domain '{node.domain}': replace it by standard operators when exporting, or "
        "define it as a function in the file"
    )


@cache
def _runtime_operators() -> frozenset[tuple[str, str]]:
    """(domain, name) of the operators that onnxruntime adds to the standard."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 - loads the whole runtime

    return frozenset((schema.domain, schema.name) for schema in state.get_all_operator_schema())
