"""What hypothesis draws: parameters, floats and multipliers, with the awkward ones well represented."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import Profile, profiles
from halfeven.numerics.qtype import QTYPES, QType

FLOAT32 = np.finfo(np.float32)
SMALLEST, LARGEST = float(FLOAT32.smallest_normal), float(FLOAT32.max)

any_profile: st.SearchStrategy[Profile] = st.sampled_from(list(profiles.values()))
integer_profile: st.SearchStrategy[Profile] = st.sampled_from(
    [p for p in profiles.values() if p.requantize is not None]
)
any_qtype: st.SearchStrategy[QType] = st.sampled_from(list(QTYPES.values()))
narrow_qtype: st.SearchStrategy[QType] = st.sampled_from([q for q in QTYPES.values() if q.bits <= 16])

usual_scale = st.floats(2.0**-20, 2.0**10, width=32)
power_of_two_scale = st.integers(-126, 127).map(lambda k: 2.0**k)
any_scale = st.one_of(usual_scale, power_of_two_scale, st.floats(SMALLEST, LARGEST, width=32))

any_real = st.floats(allow_nan=False, width=32)


def zero_points(qtype: QType) -> st.SearchStrategy[int]:
    """Any Z of the type; the ends, 0 and small odd numbers are likely."""
    likely = [z for z in (qtype.qmin, qtype.qmax, 0, 1, 3, -1, -3, 128) if qtype.qmin <= z <= qtype.qmax]
    return st.one_of(st.sampled_from(likely), st.integers(qtype.qmin, qtype.qmax))


@st.composite
def params(
    draw: st.DrawFn,
    qtypes: st.SearchStrategy[QType] = any_qtype,
    scales: st.SearchStrategy[float] = any_scale,
    zero: int | None = None,
) -> AffineParams:
    """Parameters of a whole tensor."""
    qtype = draw(qtypes)
    return AffineParams(draw(scales), draw(zero_points(qtype)) if zero is None else zero, qtype)


@st.composite
def reals_near_codes(draw: st.DrawFn, p: AffineParams, count: int = 24) -> NDArray[np.float32]:
    """Values at and beside the ties and codes of ``p``, beside arbitrary ones; float32 (count,)."""
    steps = st.one_of(st.integers(-600, 600), st.integers(p.qtype.qmin - p.qtype.qmax, p.qtype.qmax - p.qtype.qmin))
    near = draw(st.lists(st.tuples(steps, st.integers(-2, 2)), min_size=count // 2, max_size=count // 2))
    halves = np.array([k for k, _ in near], np.float64) / 2
    with np.errstate(over="ignore", under="ignore"):
        centre = (halves * float(p.scale)).astype(np.float32)
        for step in (1, 2):
            for sign in (1, -1):
                move = np.array([sign * d >= step for _, d in near])
                centre = np.where(move, np.nextafter(centre, np.float32(sign * np.inf)), centre)
    other = draw(st.lists(any_real, min_size=count // 2, max_size=count // 2))
    return np.concatenate([centre, np.array(other, np.float32)])


@st.composite
def multipliers(draw: st.DrawFn, bits: int = 31) -> Multiplier:
    """A multiplier: any M0, or one with few bits, so that ties occur; shifts from left to far right."""
    full = st.integers(1 << (bits - 1), (1 << bits) - 1)
    sparse = st.integers(1, min(bits, 6)).flatmap(
        lambda kept: st.integers(1 << (kept - 1), (1 << kept) - 1).map(lambda top: top << (bits - kept))
    )
    shift = draw(st.one_of(st.integers(bits - 4, bits + 20), st.integers(-8, 80)))
    return Multiplier(np.int64(draw(st.one_of(full, sparse))), np.int64(shift), bits)


accumulators = st.one_of(
    st.integers(-(2**31), 2**31 - 1), st.integers(-70000, 70000), st.sampled_from([-(2**31), 2**31 - 1, 2**24 + 1, 0])
)


def accumulators_near_ties(m: Multiplier) -> NDArray[Any]:
    """Sums whose scaled value lies at or beside ``k + 1/2``, int64, within int32."""
    real = int(m.m0) / 2.0 ** int(m.shift)
    halves = np.concatenate([np.arange(-20, 20), np.array([-32769, -256, 254, 32766])]) + 0.5
    sums = np.rint(np.clip(halves / real, -(2.0**31), 2.0**31 - 1)).astype(np.int64)
    return np.clip(np.concatenate([sums - 1, sums, sums + 1]), -(2**31), 2**31 - 1)
