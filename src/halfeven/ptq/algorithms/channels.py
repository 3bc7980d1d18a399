"""Which channels of a network must be scaled together, if what it computes is to stay.

Every channel of every tensor between products is an element of a set. Operators that commute with a positive factor a
channel unite the elements that they pair; all others, and the ends of the network, fix theirs at 1. A product ends the
sets that it reads, and begins one for each channel that it writes: its weights can take up both factors. So does a
normalization with a scale and a bias a channel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.passes.affine import Channels, per_channel
from halfeven.interop.passes.clips import clip_bounds
from halfeven.interop.passes.linear import Linear, linear_of
from halfeven.interop.single_node import reads
from halfeven.interop.values import constant, given, is_op, rank

Ids = NDArray[np.int64]
FIXED = 0  # the element that is never scaled

SPATIAL = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Resize")
"""Operators on the axes behind the channels, which are on axis 1."""

FLATTENING = ("Flatten", "Reshape", "Squeeze")
NORMS = ("GroupNormalization", "InstanceNormalization", "LayerNormalization")
GATES = ("Sigmoid", "HardSigmoid", "Softmax")


@dataclass(frozen=True)
class Axis:
    """The elements of a tensor's channels, which lie along ``axis``, counted from the front."""

    ids: Ids
    axis: int


@dataclass(frozen=True, eq=False)
class Shift:
    """An Add or Sub whose constant has to be scaled with its result: which input, and the channels' values."""

    node: ir.Node
    index: int
    constant: NDArray[np.float64]


@dataclass(eq=False)
class ChannelSets:
    """The sets of a graph.

    Attributes
    ----------
    axes : of each tensor that has elements; those of others are fixed.
    linears : the products that can take up factors. norms : the normalizations. shifts : the constants that have to.
    """

    axes: dict[ir.Value, Axis] = field(default_factory=dict)
    linears: list[Linear] = field(default_factory=list)
    norms: list[ir.Node] = field(default_factory=list)
    shifts: list[Shift] = field(default_factory=list)
    _parent: list[int] = field(default_factory=lambda: [FIXED])

    def roots(self, value: ir.Value) -> Ids:
        """The set of each channel of a tensor that has elements."""
        return np.array([self._root(k) for k in self.axes[value].ids.tolist()], np.int64)

    def read_by(self, linear: Linear) -> Ids | None:
        """The set of each channel that a product reads; None where it reads none."""
        x = linear.node.inputs[0]
        if x is None or x not in self.axes or self.axes[x].ids.size != linear.inputs.count:
            return None
        return self.roots(x)

    @property
    def count(self) -> int:
        """How many elements there are."""
        return len(self._parent)

    def _root(self, k: int) -> int:
        while self._parent[k] != k:
            self._parent[k] = k = self._parent[self._parent[k]]
        return k

    def _unite(self, a: Ids, b: Ids) -> None:
        for i, j in zip(a.tolist(), b.tolist(), strict=True):
            p, q = sorted((self._root(i), self._root(j)))  # the fixed element is the least
            self._parent[q] = p

    def _fresh(self, count: int) -> Ids:
        first = len(self._parent)
        self._parent += range(first, first + count)
        return np.arange(first, first + count)

    def fix(self, value: ir.Value | None) -> None:
        """Leave the tensor's channels as they are."""
        if value is not None and value in self.axes:
            ids = self.axes[value].ids
            self._unite(ids, np.zeros_like(ids))

    def add(self, node: ir.Node) -> None:
        """Take in the next node of the graph."""
        linear = linear_of(node)
        if linear is not None and self._linear(node, linear):
            return
        passed = self._passed(node) if linear is None else None
        if passed is not None:
            self.axes[node.outputs[0]] = passed
            return
        for value in reads(node):
            self.fix(value)
        normed = norm_axis(node)
        if normed is not None:
            self.norms.append(node)
            self.axes[node.outputs[0]] = Axis(self._fresh(normed[0]), normed[1])

    def _linear(self, node: ir.Node, linear: Linear) -> bool:
        axis = _front(linear.outputs)
        if axis is None:
            return False
        x = self.axes.get(node.inputs[0]) if node.inputs[0] is not None else None
        if x is not None and (x.axis != _front(linear.inputs) or x.ids.size != linear.inputs.count):
            self.fix(node.inputs[0])
        self.linears.append(linear)
        self.axes[node.outputs[0]] = Axis(self._fresh(linear.outputs.count), axis)
        return True

    def _passed(self, node: ir.Node) -> Axis | None:
        """The channels of the node's result, if factors pass through it."""
        x = self.axes.get(node.inputs[0]) if node.inputs and node.inputs[0] is not None else None
        if is_op(node, "Add", "Sub"):
            return self._sum(node)
        if is_op(node, "Mul", "Div"):
            return self._scaled(node)
        if is_op(node, "Concat"):
            return self._concat(node)
        return x if x is not None and len(node.outputs) == 1 and _passes(node, x) else None

    def _sum(self, node: ir.Node) -> Axis | None:
        a, b = (None if v is None else self.axes.get(v) for v in node.inputs)
        if a is not None and b is not None:
            if a.axis != b.axis or a.ids.size != b.ids.size or rank(node.inputs[0]) != rank(node.inputs[1]):
                return None
            self._unite(a.ids, b.ids)
            return a
        index = 1 if a is not None else 0
        x, shift = node.inputs[1 - index], constant(node.inputs[index])
        axis = a or b
        if axis is None or x is None or shift is None or shift.dtype.kind != "f":
            return None
        found = per_channel(shift, Channels(axis.ids.size, axis.axis, rank(x)))
        if found is None:
            return None
        self.shifts.append(Shift(node, index, found))
        return axis

    def _scaled(self, node: ir.Node) -> Axis | None:
        """A product with what is itself never scaled: constants a channel, the gates of squeeze-and-excite."""
        for x, other in ((node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])):
            axis = None if x is None else self.axes.get(x)
            if axis is None or x is None or other is None or (is_op(node, "Div") and x is not node.inputs[0]):
                continue
            known, maker = constant(other), other.producer()
            if known is not None and per_channel(known, Channels(axis.ids.size, axis.axis, rank(x))) is not None:
                return axis
            widened = _size(node.outputs[0], axis.axis) != axis.ids.size
            if is_op(maker, *GATES) and rank(other) == rank(x) is not None and not widened:
                return axis
        return None

    def _concat(self, node: ir.Node) -> Axis | None:
        axes = [None if v is None else self.axes.get(v) for v in node.inputs]
        known = [a for a in axes if a is not None]
        r = rank(node.outputs[0])
        if not known or len(known) < len(axes) or r is None:
            return None
        along = node.attributes.get_int("axis", 0) % r
        if any(a.axis != along for a in known):
            return None
        return Axis(np.concatenate([a.ids for a in known]), along)


def channel_sets(graph: ir.Graph) -> ChannelSets:
    """The sets of a cleaned-up graph."""
    found = ChannelSets()
    for node in graph:
        found.add(node)
    for value in graph.outputs:
        found.fix(value)
    return found


def norm_axis(node: ir.Node) -> tuple[int, int] | None:
    """Channels and their axis of a normalization with a constant scale (and bias) a channel; None for anything else."""
    if not is_op(node, *NORMS) or any(v.uses() or v.is_graph_output() for v in node.outputs[1:]):
        return None
    arrays = [constant(v) for v in node.inputs[1:3] if v is not None]
    shapes = {None if a is None else a.shape for a in arrays}
    shape, r = next(iter(shapes), None), rank(node.inputs[0])
    if r is None or len(shapes) != 1 or shape is None or len(shape) != 1:
        return None
    count = shape[0]
    if not is_op(node, "LayerNormalization"):
        return (count, 1) if _size(node.inputs[0], 1) == count else None
    last = node.attributes.get_int("axis", -1) % r == r - 1
    return (count, r - 1) if last and _size(node.inputs[0], r - 1) == count else None


def _passes(node: ir.Node, x: Axis) -> bool:
    """Whether a positive factor a channel passes through this operator of one operand."""
    if is_op(node, "Identity", "Relu", "LeakyRelu"):
        return True
    if is_op(node, *SPATIAL):
        return x.axis == 1
    if is_op(node, "PRelu"):
        return constant(given(node, 1)) is not None
    if is_op(node, "Clip"):
        return clip_bounds(node) in ((0.0, math.inf), (-math.inf, math.inf))
    if is_op(node, *FLATTENING):
        return _drops_ones(node, x)
    return False


def _size(value: ir.Value | None, axis: int) -> int | None:
    sizes = _sizes(value)
    return None if sizes is None else sizes[axis]


def _front(channels: Channels) -> int | None:
    if channels.axis >= 0:
        return channels.axis
    return None if channels.rank is None else channels.axis % channels.rank


def _drops_ones(node: ir.Node, x: Axis) -> bool:
    """``(N, C, 1, ...) -> (N, C)``."""
    before, after = _sizes(node.inputs[0]), _sizes(node.outputs[0])
    if before is None or after is None or x.axis != 1:
        return False
    return len(after) == 2 and after[1] == x.ids.size == before[1] and all(n == 1 for n in before[2:])  # noqa: PLR2004


def _sizes(value: ir.Value | None) -> Sequence[int | None] | None:
    if value is None or value.shape is None:
        return None
    return [n if isinstance(n, int) else None for n in value.shape]
