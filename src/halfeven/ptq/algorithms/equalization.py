"""Cross-layer equalization and SmoothQuant: channels of one tensor brought to like sizes.

Both divide the channels of a tensor by factors that the weights behind it take up; equalization where products make the
tensor, SmoothQuant where a normalization does. Source: docs/math/equalization.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.ptq.algorithms.channels import FIXED, ChannelSets, channel_sets
from halfeven.ptq.algorithms.report import Change
from halfeven.ptq.algorithms.rescale import columns, rescale
from halfeven.ptq.algorithms.stages import Error, Rewritten
from halfeven.ptq.keep import Sample
from halfeven.ptq.placement import place
from halfeven.ptq.segments import tap

F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
WORTH = 0.9  # of the error is left at most, or nothing is scaled: half a decibel on a few samples is chance
FARTHEST = 8.0  # exponents from the median of its tensor: a channel that hardly moves is not blown up


@dataclass(frozen=True)
class Equalization:
    """Scale channels between products, so that one scale a tensor serves them all; weights take the factors up.

    Factors are powers of two: the float model computes the same to the last bit.

    Attributes
    ----------
    strengths : what to try: 1 makes the activations' channels alike, 0 the weights' columns; the least error counts.
    samples : on which the activations and the error are measured.
    """

    name: ClassVar[str] = "equalization"
    strengths: tuple[float, ...] = (0.5, 0.75)
    samples: int = 32

    def rewrite(self, model: ir.Model, samples: Sequence[Sample], error: Error) -> Rewritten:
        """Source: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019."""
        return _best(model, samples, self.strengths, error, behind_norms=False)


@dataclass(frozen=True)
class SmoothQuant:
    """Scale the channels of normalized activations down, and the rows of the weights behind them up.

    Attributes
    ----------
    alphas : what to try: 1 leaves nothing of the activations' outlier channels, 0 those of the weights; the least error
        counts. samples : on which the activations and the error are measured.
    """

    name: ClassVar[str] = "smoothquant"
    alphas: tuple[float, ...] = (0.5, 0.75)
    samples: int = 32

    def rewrite(self, model: ir.Model, samples: Sequence[Sample], error: Error) -> Rewritten:
        """Source: G. Xiao et al., "SmoothQuant", ICML 2023, eq. 4."""
        return _best(model, samples, self.alphas, error, behind_norms=True)


def _best(
    model: ir.Model, samples: Sequence[Sample], strengths: Sequence[float], error: Error, *, behind_norms: bool
) -> Rewritten:
    seen = channel_sizes(model, samples)
    tried = [_equalized(model, seen, strength, behind_norms=behind_norms) for strength in strengths]
    left = tried[0].left if tried else ()
    scaled = [one for one in tried if one.changes]
    errors = [error(one.model) for one in scaled]
    if scaled and min(errors) < WORTH * error(model):
        return scaled[errors.index(min(errors))]
    few = (f"{len(scaled[0].changes)} nodes could be scaled: the integer program gains too little",) if scaled else ()
    return Rewritten(model, (), (*left, *few))


def _equalized(model: ir.Model, seen: dict[str, F64], strength: float, *, behind_norms: bool) -> Rewritten:
    made = model.clone()
    sets = channel_sets(made.graph)
    factors = factors_of(sets, seen, strength, behind_norms=behind_norms)
    changes, left = tuple(_changes(sets, factors, strength)), tuple(_left(sets, behind_norms=behind_norms))
    rescale(sets, factors)
    return Rewritten(made, changes, left)


def channel_sizes(model: ir.Model, samples: Sequence[Sample]) -> dict[str, F64]:
    """``max |x|`` over the samples of each channel of the tensors that will carry codes and have channel sets."""
    sets, coded = channel_sets(model.graph), set(place(model).tensors)
    axes = {str(v.name): axis for v, axis in sets.axes.items() if v.name in coded}
    sizes = {name: np.zeros(axis.ids.size) for name, axis in axes.items()}

    def see(name: str, array: NDArray[np.float32]) -> None:
        by_channel = np.abs(np.moveaxis(array, axes[name].axis, 0)).reshape(len(sizes[name]), -1)
        sizes[name] = np.maximum(sizes[name], by_channel.max(axis=1, initial=0))

    tapped = tap(model, axes)
    for sample in samples:
        tapped.run(sample, see)
    return sizes


def factors_of(sets: ChannelSets, seen: dict[str, F64], strength: float, *, behind_norms: bool) -> F64:
    """``s = a^t / r^(1 - t)`` of each set, the nearest power of two (equalization.md eq. 2); 1 where it has to be.

    ``a``: the greatest ``|x|`` of the set's channels. ``r``: the greatest share that its columns have of a weight's
    row; where nothing but depthwise products reads it, whose rows are one column, ``s = a``.
    """
    sizes, shares, read = np.zeros(sets.count), np.zeros(sets.count), np.zeros(sets.count, bool)
    for value in sets.axes:
        if value.name in seen:
            np.maximum.at(sizes, sets.roots(value), seen[str(value.name)])
    for _, roots, w in columns(sets):
        read[roots] = True
        rows = w.max(axis=1, keepdims=True, initial=0)
        if np.count_nonzero(w, axis=1).max(initial=0) > 1:
            np.maximum.at(shares, roots, (w / np.where(rows > 0, rows, 1)).max(axis=0, initial=0))
    free = _begun(sets, behind_norms=behind_norms) & read & (sizes > 0)
    balanced = np.where(free, sizes, 1) ** strength / np.where(shares > 0, shares, 1) ** (1 - strength)
    exponents = np.rint(np.log2(np.where(free, np.where(shares > 0, balanced, sizes), 1)))
    return np.where(free, 2.0 ** _within(sets, free, exponents), 1.0)


def _begun(sets: ChannelSets, *, behind_norms: bool) -> Mask:
    """The sets that a normalization begins, or those that products alone do."""
    normed, made = np.zeros(sets.count, bool), np.zeros(sets.count, bool)
    for node in sets.norms:
        normed[sets.roots(node.outputs[0])] = True
    for linear in sets.linears:
        made[sets.roots(linear.node.outputs[0])] = True
    found = normed if behind_norms else made & ~normed
    found[FIXED] = False
    return found


def _within(sets: ChannelSets, free: Mask, exponents: F64) -> F64:
    """The exponents, those that are far from the middle of their tensor's brought nearer."""
    found = exponents.copy()
    for value in sets.axes:
        roots = sets.roots(value)
        there = roots[free[roots]]
        if there.size:
            middle = np.rint(np.median(exponents[there]))
            found[there] = np.clip(found[there], middle - FARTHEST, middle + FARTHEST)
    return found


def _changes(sets: ChannelSets, factors: F64, strength: float) -> Iterator[Change]:
    """One for each node whose channels are scaled, with the products that take the factors up."""
    readers: dict[int, dict[str, None]] = {}
    for linear, roots, _ in columns(sets):
        for root in set(roots.tolist()):
            readers.setdefault(root, {})[str(linear.node.name)] = None
    for node in (*sets.norms, *(linear.node for linear in sets.linears)):
        roots = sets.roots(node.outputs[0])
        s = factors[roots]
        if (s != 1).any():
            behind = dict.fromkeys(name for root in roots.tolist() for name in readers.get(root, ()))
            low, high = (f"2^{int(np.log2(x))}" for x in (s.min(), s.max()))
            what = f"{np.count_nonzero(s != 1)} channels divided by {low} to {high}, taken up by {', '.join(behind)}"
            yield Change(str(node.name), f"{what} (strength {strength:g})")


def _left(sets: ChannelSets, *, behind_norms: bool) -> Iterator[str]:
    """Nodes none of whose channels can be scaled."""
    nodes = sets.norms if behind_norms else [linear.node for linear in sets.linears]
    for node in nodes:
        if not sets.roots(node.outputs[0]).any():
            yield f"{node.name}: its result goes where no factor passes: an output, or an operator that is not linear"
