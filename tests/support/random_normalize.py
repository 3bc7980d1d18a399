"""Random normalizations."""

from __future__ import annotations

from math import prod

from draw import ACTIVATIONS, Case, Draw

from halfeven.ir.normalize import Normalize
from halfeven.numerics.multiplier import Multiplier


def normalize(d: Draw) -> Case:
    """Over the last axes, over planes, over groups of planes; constant rows, rows of one, gains of either sign."""
    qtype, target = d.one(ACTIVATIONS), d.target(d.one(ACTIVATIONS))
    shape, axis, span, groups = d.one(
        [
            ((3, 17), 1, 1, 1),
            ((2, 3, 120), 2, 1, 1),
            ((4, 3, 5), 1, 2, 1),
            ((6, 1), 1, 1, 1),
            ((1, 9_000), 1, 1, 1),
            ((2, 4, 5, 7), 1, 1, 0),
            ((1, 2, 1), 1, 1, 0),
            ((2, 6, 3, 3), 1, 1, 2),
            ((2, 6, 11), 1, 1, 3),
            ((0, 4), 1, 1, 1),
        ]
    )
    x = d.codes(qtype, shape)
    if d.chance(0.3):
        x[:1] = d.code(qtype)
    channels = prod(shape[axis : axis + span])
    length = prod(shape[axis:]) // (groups or channels)
    fraction = d.between(15, 30 - (max(length - 1, 0).bit_length() + 1) // 2)
    gain = d.rng.integers(-(2 ** d.between(1, 31)) + 1, 2 ** d.between(1, 31), channels)
    offset = d.rng.integers(-(2 ** d.between(0, 61)), 2 ** d.between(1, 61), channels)
    shift = d.one([0, 1, d.between(20, 50), d.between(30, 61), 61])
    epsilon = Multiplier.from_real(d.one([0.0, 1e-12, 1e-5, 0.004, 1.0, 300.0]))
    levels = 1 << 8 * qtype.storage.itemsize
    made = Normalize("n", "x", "y", axis, span, groups, levels, epsilon, fraction, gain, offset, shift, target)
    return made, [d.laid_out(x)]
