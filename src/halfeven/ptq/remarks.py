"""Ranges and weights that are hardly meant so, each named: what a user should look at before trusting the model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from halfeven.ptq.choose_scales import TensorRange
from halfeven.ptq.placement import Product

NAMED = 6  # tensors that one remark lists
HUGE = 1e6
"""End of a range, beyond which an int8 step is 7,800: a mask, an overflow or a mark for "no value" has set it."""


def remarks_on(
    ranges: Sequence[TensorRange], products: Sequence[Product], arrays: Mapping[str, NDArray[np.float32]], samples: int
) -> Iterator[str]:
    """One line for each thing wrong, with the names of what has it.

    Parameters
    ----------
    ranges : one a scale. arrays : the model's constants by name. samples : on how many ranges were seen.
    """
    own = [row for row in ranges if not row.reads]
    on = "the one sample" if samples == 1 else f"all {samples} samples"
    never = [_named(row) for row in own if not math.isfinite(row.seen_lo)]
    if never:
        yield f"{_listed(never)}: no finite value on {on}: the range is a guess, check the data"
    constant = [f"{_named(row)} ({row.seen_lo:g})" for row in own if row.seen_lo == row.seen_hi]
    if constant:
        yield f"{_listed(constant)}: one value on {on}, where the range ends: check the data, or give more samples"
    huge = [f"{_named(row)} ([{row.lo:.3g}, {row.hi:.3g}])" for row in own if max(-row.lo, row.hi) > HUGE]
    if huge:
        yield (
            f"{_listed(huge)}: so wide a range leaves steps of {_step(own):.3g} and more to small values: clip it in "
            'the model, or keep its nodes in float32 (node_config: "qtype": "float32")'
        )
    empty = [f"'{p.weight}' of '{p.node}'" for p in products if not np.any(arrays[p.weight])]
    if empty:
        yield f"{_listed(empty)}: all weights are 0: what it computes does not depend on its input"


def _named(row: TensorRange) -> str:
    return f"'{row.tensors[0]}'"


def _step(rows: Sequence[TensorRange]) -> float:
    return min(float(row.params.scale) for row in rows if max(-row.lo, row.hi) > HUGE)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
