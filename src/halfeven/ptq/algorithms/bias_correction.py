"""Bias correction: what codes shift on the average, taken back at the biases. Source: docs/math/bias-correction.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.passes.clips import clip_bounds
from halfeven.ops import fake_quantize
from halfeven.ptq.algorithms.report import Change
from halfeven.ptq.algorithms.stages import Refined, Tick
from halfeven.ptq.algorithms.walk import Layer, Walk
from halfeven.ptq.difference import Difference, Measure
from halfeven.ptq.draft import Draft, bias_of
from halfeven.ptq.keep import Sample

Array = NDArray[np.float32]
F64 = NDArray[np.float64]


@dataclass(frozen=True)
class BiasCorrection:
    """Shift each product's bias so that its result in the integer run is, on the average, the float result.

    Layer by layer: each one is measured on what the corrected layers before it give. A channel's shift is kept where it
    lessens the squared error of the integer result, a layer's where it lessens ``metric``.

    Attributes
    ----------
    samples : on how many. Twice the live float32 tensors of that many samples are held at a time.
    metric : of a layer's result.
    """

    name: ClassVar[str] = "bias-correction"
    samples: int = 32
    metric: Measure = Measure.SQNR

    def correct_biases(self, draft: Draft, samples: Sequence[Sample], tick: Tick) -> Refined:
        """Source: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019."""
        nodes = {str(node.name): node for node in draft.model.graph}
        walk = Walk(draft, samples)
        changes: list[Change] = []
        left: list[str] = []
        for layer in walk if samples else ():
            results = layer.results(walk.draft)
            tried, channels = _corrected(walk.draft, layer, results, nodes)
            was, now = (_difference(layer, found) for found in (results, layer.results(tried)))
            if self.metric.of(now) < self.metric.of(was):
                walk.draft = tried
                what = f"bias shifted in {channels} channel{'' if channels == 1 else 's'}"
                changes.append(Change(layer.product.node, what, Measure.SQNR.of(was), Measure.SQNR.of(now)))
            else:
                left.append(f"{layer.product.node}: no shift brings its result nearer")
            tick()
        return Refined(walk.draft, tuple(changes), tuple(left))


def _corrected(draft: Draft, layer: Layer, results: Sequence[Array], nodes: Mapping[str, ir.Node]) -> tuple[Draft, int]:
    """The draft with the layer's bias shifted, and in how many channels."""
    axis = -1 if nodes[layer.product.node].op_type == "MatMul" else 1
    low, high = _clamps(draft, layer, nodes[layer.block.nodes[-1]])
    shift = least_squares_shift(_pairs(layer.expected, results, axis), low, high)
    bias = bias_of(draft, layer.product, shift.size)
    tried = draft.with_biases({layer.product: (bias + shift).astype(np.float32)})
    worse = _energies(layer, layer.results(tried), axis) >= _energies(layer, results, axis)
    if worse.any():
        shift[worse] = 0
        tried = draft.with_biases({layer.product: (bias + shift).astype(np.float32)})
    return tried, int(np.count_nonzero(shift))


def least_squares_shift(pairs: Iterable[tuple[Array, Array]], low: float, high: float) -> F64:
    """``d = mean(f - q)`` of each channel, over the elements where ``low < q < high`` (bias-correction.md eq. 2).

    Parameters
    ----------
    pairs : ``f, q`` (elements, channels). low, high : where the result is clamped.
    """
    total, count = np.float64(0), np.int64(0)
    for f, q in pairs:
        free = (q > low) & (q < high)
        total = total + np.where(free, f.astype(np.float64) - q, 0).sum(axis=0)
        count = count + free.sum(axis=0)
    return np.asarray(total / np.maximum(count, 1))


def _clamps(draft: Draft, layer: Layer, last: ir.Node) -> tuple[float, float]:
    """The least and the greatest real that the block's result can be: of its codes, if any, or of its Relu or Clip."""
    bounds = np.array(clip_bounds(last) or (-np.inf, np.inf), np.float32)
    params = draft.activations.own.get(layer.block.results[0])
    least, greatest = bounds if params is None else np.asarray(fake_quantize(bounds, params, draft.profile))
    return float(least), float(greatest)


def _energies(layer: Layer, results: Sequence[Array], axis: int) -> F64:
    """``sum (f - q)^2`` of each channel."""
    parts = (((f.astype(np.float64) - q) ** 2).sum(axis=0) for f, q in _pairs(layer.expected, results, axis))
    return np.asarray(sum(parts))


def _pairs(expected: Sequence[Array], results: Sequence[Array], axis: int) -> Iterable[tuple[Array, Array]]:
    return ((_by_channel(f, axis), _by_channel(q, axis)) for f, q in zip(expected, results, strict=True))


def _by_channel(a: Array, axis: int) -> Array:
    return np.moveaxis(a, axis, -1).reshape(-1, a.shape[axis])


def _difference(layer: Layer, results: Sequence[Array]) -> Difference:
    return reduce(Difference.__add__, map(Difference.between, layer.expected, results))
