"""Second-order weight rounding: codes and scales with which a layer's result, on the codes it reads, is nearest.

Source: docs/math/weight-rounding.md. Frantar et al. 2022 (GPTQ, OBQ); Li et al. 2025 (GPTAQ) for the float target.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.numerics.params import AffineParams
from halfeven.ops.columns import Reals
from halfeven.ptq.algorithms.report import Change
from halfeven.ptq.algorithms.stages import Refined, Tick
from halfeven.ptq.algorithms.walk import Layer, Walk
from halfeven.ptq.algorithms.weight_matrix import WeightMatrix, weight_matrix
from halfeven.ptq.difference import Difference, Measure
from halfeven.ptq.draft import Draft, bias_of
from halfeven.ptq.in_turn import in_turn
from halfeven.ptq.keep import Sample
from halfeven.ptq.pieces import cores
from halfeven.ptq.placement import Product
from halfeven.ptq.rounding.columns import spread_evenly
from halfeven.ptq.rounding.layer import SMALL, Rounded, round_layer
from halfeven.ptq.rounding.statistics import Halves, Moments, Problem
from halfeven.ptq.weight_blocks import channel_scale
from halfeven.ptq.weights import MOST_BIAS, Constant, Reader, least_scales

MOST_MOMENTS = 5120**2  # numbers in a layer's matrix of moments; three such matrices are held at once
MOST_ROWS = 1 << 12  # of a layer's inputs that moments are taken from, or ROWS_A_COLUMN for each column if that is more
ROWS_A_COLUMN = 4
GATHERED = 1 << 21  # numbers that are gathered before moments are taken
MATRICES, FORMS, REAL_BYTES = 3, 10, 8  # that are held at once, of moments and of weights, in float64
RUN_S, PRODUCTS_A_S = 0.3, 5e10  # of a layer: its runs, and multiplications of its rounding a second
GOLDEN = 40_503  # where the rows of one sample begin after those of another: 2^16 / golden ratio
FRACTION = 8  # bits below 1 that are kept of float inputs in steps of 8-bit codes; of wider codes none


@dataclass(frozen=True)
class SecondOrderRounding:
    """Round each layer's weights for the least error at its result, in the integer run so far.

    Attributes
    ----------
    samples : on how many.
    damping : of the second moments, relative to their mean; None: what is best on the half of the samples that did not
        choose the codes.
    """

    name: ClassVar[str] = "second-order-rounding"
    samples: int = 64
    damping: float | None = None

    def __post_init__(self) -> None:
        if self.samples < 1 or not (self.damping is None or 0 < self.damping < float("inf")):
            raise ParameterError(
                f"{self.name}: samples of at least 1 and damping above 0, or None, were expected: {self}"
            )

    def round_weights(self, draft: Draft, samples: Sequence[Sample], tick: Tick) -> Refined:
        """Layer by layer; a layer whose result in the integer run does not come nearer keeps the codes that it has."""
        walk = Walk(draft, samples)
        changes, left = [], []
        for layer in walk:
            try:
                walk.draft, change = self._round(walk.draft, layer)
                changes.append(change)
            except _Left as reason:
                left.append(f"{layer.product.node}: {reason}")
            tick()
        return Refined(walk.draft, tuple(changes), tuple(left))

    def works(self, draft: Draft) -> Sequence[float]:
        """About the seconds that each product takes, in the order of the walk."""
        place = {str(node.name): k for k, node in enumerate(draft.model.graph)}
        return [_seconds(draft, product) for product in sorted(draft.placement.products, key=lambda p: place[p.node])]

    def _round(self, draft: Draft, layer: Layer) -> tuple[Draft, Change]:
        product, old = layer.product, layer.weight(draft)
        if sum(p.weight == product.weight for p in draft.placement.products) > 1:
            raise _Left("its weight is read by more than one product")
        matrix = weight_matrix(draft, product)
        if isinstance(matrix, str):
            raise _Left(matrix)
        if matrix.moments > MOST_MOMENTS:
            raise _Left(f"moments of its inputs would be {matrix.moments:,} numbers, more than {MOST_MOMENTS:,}")
        halves = _halves(draft, layer, matrix)
        if not halves.count:
            raise _Left("it computes nothing on the samples")
        reader = _reader(draft, product, matrix.channels)
        rounded = round_layer(
            halves, matrix.layer_weights(draft.arrays[product.weight], old, least_scales(reader)), self.damping
        )
        weight, bias = _storable(reader, matrix, halves.whole(), old, matrix.constant(rounded, old))
        made = draft.with_weights({product: weight}).with_biases({product: bias})
        errors = [_error(layer, d) for d in (draft, made)]
        if errors[1] >= errors[0]:
            raise _Left(f"other codes bring its result no nearer ({errors[1]:.3g} of its energy, not {errors[0]:.3g})")
        return made, Change(product.node, _words(old, weight, rounded), *errors)


def _seconds(draft: Draft, product: Product) -> float:
    """Estimated, for a bar that moves evenly: a layer's runs, factors with K^3, codes with rows times K^2."""
    matrix = weight_matrix(draft, product)
    if isinstance(matrix, str) or matrix.moments > MOST_MOMENTS:
        return RUN_S
    k = matrix.columns
    return RUN_S + (matrix.group * k**2 * (2.5 * k + MOST_ROWS) + 30 * matrix.channels * k**2) / PRODUCTS_A_S


def layer_bytes(shape: Sequence[int], axis: int, group: int) -> int:
    """What the rounding of a weight holds: three matrices of moments, and its numbers in a few forms."""
    matrix = WeightMatrix(tuple(shape), group, None, axis)
    moments = matrix.moments if matrix.moments <= MOST_MOMENTS else 0
    return REAL_BYTES * (MATRICES * moments + FORMS * math.prod(shape))


class _Left(Exception):  # noqa: N818  a decision, not an error
    """Why a layer keeps its codes."""


def _halves(draft: Draft, layer: Layer, matrix: WeightMatrix) -> Halves:
    """The samples at even places and those at odd ones; of a single one both are the same."""
    if not layer.reads:
        raise _Left("there are no samples")
    count = len(layer.reads)
    places = [range(k, count, 2) for k in range(min(count, 2))]
    at_once = 2 if matrix.moments <= SMALL else 1
    first, *second = in_turn(partial(_problem_of, draft, layer, matrix), places, at_once)
    return Halves(first, second[0] if second else first)


def _problem_of(draft: Draft, layer: Layer, matrix: WeightMatrix, samples: Sequence[int]) -> Problem:
    """Of rows spread over the samples, some at a time; neighbours of an image are alike, so a part tells enough."""
    params = draft.activations.read_by(layer.product.node, layer.product.x)
    step = np.float32(params.scale)
    fraction = FRACTION if params.qtype.bits <= FRACTION else 0
    most = -(-max(MOST_ROWS, ROWS_A_COLUMN * matrix.columns) // len(layer.reads))
    found = Moments.none(matrix.matrix(draft.arrays[layer.product.weight]))
    gathered: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for k in samples:
        rows = matrix.row_count(layer.reads[k])
        chosen = spread_evenly(rows, most, k * GOLDEN % max(rows, 1)) if rows > most else None
        gathered.append((matrix.rows(layer.reads[k], chosen), matrix.rows(layer.float_reads[k], chosen)))
        count = sum(q.shape[1] for q, _ in gathered)
        if count * matrix.group * matrix.columns >= GATHERED or k == samples[-1]:
            q, f = (_together(side, step) for side in zip(*gathered, strict=True))
            found.add(np.rint(q, out=q), f, fraction)
            gathered.clear()
    return found.problem()


def _together(rows: Sequence[NDArray[np.float32]], step: np.float32) -> NDArray[np.float32]:
    """All rows, in steps; columns lie apart in memory, as they come."""
    columns = np.concatenate([part.swapaxes(-1, -2) for part in rows], axis=-1)
    return np.asarray((columns / step).swapaxes(-1, -2))


def _reader(draft: Draft, product: Product, channels: int) -> Reader:
    step = float(draft.activations.read_by(product.node, product.x).scale)
    return Reader(product, step, bias_of(draft, product, channels))


def _storable(
    reader: Reader, matrix: WeightMatrix, seen: Problem, old: Constant, new: Constant
) -> tuple[Constant, NDArray[np.float32]]:
    """The new codes with the bias that they need; of channels whose bias would not fit int32, all that they had.

    With 16-bit inputs the bias sets the scale of channels whose weights are nearly 0: there is nothing left to gain.
    """
    bias = _bias(reader, matrix, seen, new)
    over = _too_large(bias, reader, new)
    if over.any():
        new = _keeping(over, old, new, matrix.axis)
        bias = np.where(over, reader.bias, bias).astype(np.float32)
        if _too_large(bias, reader, new).any():
            raise _Left("the bias that its new codes need does not fit int32")
    return new, bias


def _bias(reader: Reader, matrix: WeightMatrix, seen: Problem, weight: Constant) -> NDArray[np.float32]:
    """The bias that takes out the mean error."""
    scale, _ = weight.params.expanded(weight.codes.shape)
    rounded: Reals = matrix.matrix(weight.codes * scale.astype(np.float64))
    bias = reader.bias + reader.s_in * seen.shift(rounded).reshape(-1)
    return np.asarray(bias.astype(np.float32))


def _too_large(bias: NDArray[np.float32], reader: Reader, weight: Constant) -> NDArray[np.bool_]:
    """The channels whose bias has no int32 code."""
    most = MOST_BIAS * reader.s_in * channel_scale(weight.params, reader.product.axis)
    return np.asarray(np.abs(bias.astype(np.float64)) > most)


def _keeping(channels: NDArray[np.bool_], old: Constant, new: Constant, axis: int) -> Constant:
    """The new constant with the old codes and scales of some channels."""
    there = np.expand_dims(channels, [k for k in range(new.codes.ndim) if k != axis])
    params = new.params
    scale = np.where(channels if params.block_size is None else there, old.params.scale, params.scale)
    kept = AffineParams(scale, 0, params.qtype, params.axis, params.block_size)
    return Constant(np.where(there, old.codes, new.codes), kept)


def _error(layer: Layer, draft: Draft) -> float:
    results = layer.results(draft)
    parts = in_turn(lambda k: Difference.between(layer.expected[k], results[k]), range(len(results)), cores())
    return Measure.SQNR.of(reduce(Difference.__add__, parts))


def _words(old: Constant, new: Constant, rounded: Rounded) -> str:
    scales = new.params.scale.astype(np.float64) / old.params.scale
    moved = float(np.mean(np.abs(new.codes.astype(np.int64) - old.codes) > 0))
    how = "nearest codes on other scales" if rounded.damping is None else f"damping {rounded.damping:g}"
    return f"{moved:.0%} of its codes changed, scales {float(np.median(scales)):.2f} times as large, {how}"
