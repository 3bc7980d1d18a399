"""Attention of opset 23 and later as the products, mask and Softmax that it stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from halfeven.interop.names import add_constant
from halfeven.interop.rewrite import graph_of, replace
from halfeven.interop.values import constant, given, is_op, rank

PACKED, APART = 3, 4  # axes: (N, length, heads * size), (N, heads, length, size)
MASK = 3


def open_attention(model: ir.Model) -> int:
    """``Attention(q, k, v, mask)`` -> ``Softmax(scale q k^T + mask) v``, where lengths and sizes say all.

    It stays whole with past keys, softcap, fewer heads of keys than of queries, or outputs beside the first. A row that
    is masked whole is 0.
    """
    return sum(_open(node) for node in list(model.graph) if is_op(node, "Attention"))


@dataclass(frozen=True)
class _Place:
    """New nodes before the one that they replace."""

    node: ir.Node

    def add(
        self, operator: str, *inputs: ir.Value | None, dtype: ir.DataType = ir.DataType.FLOAT, **attributes: Any
    ) -> ir.Value:
        made = ir.node(operator, inputs, attributes)
        made.outputs[0].dtype = dtype
        graph_of(self.node).insert_before(self.node, made)
        return made.outputs[0]

    def constant(self, role: str, array: Any) -> ir.Value:
        return add_constant(graph_of(self.node), f"{self.node.outputs[0].name}_{role}", ir.tensor(np.asarray(array)))


def _open(node: ir.Node) -> bool:
    q, k, v = node.inputs[:3]
    heads = node.attributes.get_int("q_num_heads", 0)
    if not _is_plain(node) or not _have_equal_heads(node):
        return False
    width = _size(q, -1)
    if width is None or q is None or q.dtype != ir.DataType.FLOAT:
        return False
    place, packed = _Place(node), rank(q) == PACKED
    causal = _causal(node, q, k)
    if causal is None:
        return False
    scale = node.attributes.get_float("scale", 1 / math.sqrt(width // heads if packed else width))
    if packed:
        q, k, v = (_apart(place, x, heads, role) for x, role in ((q, "q"), (k, "k"), (v, "v")))
    scaled = place.add("Mul", q, place.constant("scale", np.float32(scale)))
    s = place.add("MatMul", scaled, place.add("Transpose", k, perm=[0, 1, 3, 2]))
    y = place.add("MatMul", _weights(place, s, given(node, MASK), causal), v)
    if packed:
        y = place.add("Transpose", y, perm=[0, 2, 1, 3])
        replace(node, "Reshape", [y, place.constant("packed", np.array([0, 0, -1]))])
    else:
        replace(node, "Identity", [y])
    return True


def _is_plain(node: ir.Node) -> bool:
    """Whether nothing but queries, keys, values and a mask enters, and nothing but the result is read."""
    more = any(value is not None for value in node.inputs[MASK + 1 :])
    read = any(o.uses() or o.is_graph_output() for o in node.outputs[1:])
    return not more and not read and node.attributes.get_float("softcap", 0.0) == 0


def _have_equal_heads(node: ir.Node) -> bool:
    ranks = {rank(x) for x in node.inputs[:3]}
    if ranks == {PACKED}:
        ours, theirs = (node.attributes.get_int(name, 0) for name in ("q_num_heads", "kv_num_heads"))
        return bool(ours == theirs and ours > 0)
    heads = {_size(x, 1) for x in node.inputs[:3]}
    return ranks == {APART} and len(heads) == 1 and None not in heads


def _size(value: ir.Value | None, axis: int) -> int | None:
    size = None if value is None or value.shape is None else value.shape[axis]
    return size if isinstance(size, int) else None


def _causal(node: ir.Node, q: ir.Value | None, k: ir.Value | None) -> np.ndarray | bool | None:
    """What each query may see; True for all, None where lengths are not known."""
    if not node.attributes.get_int("is_causal", 0):
        return True
    lengths = [_size(x, -2) for x in (q, k)]
    return None if lengths[0] is None or lengths[1] is None else np.tri(lengths[0], lengths[1]) > 0


def _apart(place: _Place, x: ir.Value | None, heads: int, role: str) -> ir.Value:
    split = place.add("Reshape", x, place.constant(role, np.array([0, 0, heads, -1])))
    return place.add("Transpose", split, perm=[0, 2, 1, 3])


def _weights(place: _Place, s: ir.Value, mask: ir.Value | None, causal: np.ndarray | bool) -> ir.Value:
    """``Softmax(s)`` of the scores that mask and order leave; rows of which they leave none are 0."""
    guarded = mask is not None and (mask.dtype == ir.DataType.BOOL or constant(mask) is not None)
    if mask is not None and mask.dtype == ir.DataType.BOOL:
        if not isinstance(causal, bool):
            mask = place.add("And", mask, place.constant("causal", causal), dtype=ir.DataType.BOOL)
        s = place.add("Where", mask, s, place.constant("low", np.float32(-np.inf)))
    else:
        if not isinstance(causal, bool):
            s = place.add("Add", s, place.constant("causal", np.where(causal, 0, -np.inf).astype(np.float32)))
        s = s if mask is None else place.add("Add", s, mask)
    p = place.add("Softmax", s, axis=-1)
    if not guarded:
        return p
    return place.add("Where", place.add("IsNaN", p, dtype=ir.DataType.BOOL), place.constant("zero", np.float32(0)), p)
