"""Tables of two inputs or one a channel, and float32 steps: native and torch give the reference's codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from draw import Draw
from numpy.typing import NDArray

from halfeven.errors import ParameterError
from halfeven.execute import native, reference, torch_backend
from halfeven.execute.engine import Engine
from halfeven.ir import instructions as ir
from halfeven.ir.float_steps import FloatAveragePool
from halfeven.ir.program import Program
from halfeven.ir.rescale import MeanRescale, Target
from halfeven.ir.tables import ChannelTable, PairTable
from halfeven.ir.window import Window
from halfeven.numerics import affine
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import JOURNEY6, Requantize
from halfeven.numerics.qtype import int8, int16, uint8

Array = NDArray[Any]
SEEDS = range(25)


def assert_alike(instruction: ir.Instruction, arrays: list[Array]) -> Array:
    (expected,) = reference.step(instruction, arrays)
    (compiled,) = native.step(instruction, arrays, threads=2)
    (in_torch,) = torch_backend.step(instruction, [torch_backend.from_numpy(a) for a in arrays])
    engine = Engine(Program("p", JOURNEY6, (), (), {}, {}, (instruction,)))
    names = ir.results(instruction)
    planned = engine.run(dict(zip(ir.operands(instruction), arrays, strict=True)), names, 3)[names[0]]
    for got in (compiled, torch_backend.to_numpy(in_torch), planned):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
    return expected


@pytest.mark.parametrize("seed", SEEDS)
def test_pair_table(seed: int) -> None:
    d = Draw(np.random.default_rng(seed))
    qa, qb, qy = d.one([int8, uint8]), d.one([int8, uint8]), d.one([int8, uint8, int16])
    shapes = d.one([((2, 5, 7), (5, 1)), ((3, 1), (1, 4)), ((), (6,)), ((0, 3), (3,)), ((4, 300), (4, 300))])
    a, b = (d.laid_out(d.codes(q, s)) for q, s in zip((qa, qb), shapes, strict=True))
    table = d.codes(qy, (256, 256))
    got = assert_alike(PairTable("n", "a", "b", "y", "f", qa.qmin, qb.qmin, table), [a, b])
    wide = np.broadcast_arrays(a.astype(int) - qa.qmin, b.astype(int) - qb.qmin)
    np.testing.assert_array_equal(got, table[wide[0], wide[1]])


@pytest.mark.parametrize("seed", SEEDS)
def test_channel_table(seed: int) -> None:
    d = Draw(np.random.default_rng(seed))
    qx, qy = d.one([int8, uint8]), d.one([int8, uint8, int16])
    shape, axis = d.one([((2, 5, 7, 3), 1), ((4, 6), 1), ((4, 6), 0), ((0, 5, 2), 1), ((1, 2, 300), 2)])
    x, table = d.laid_out(d.codes(qx, shape)), d.codes(qy, (shape[axis], 256))
    got = assert_alike(ChannelTable("n", "x", "y", "f", qx.qmin, axis, table), [x])
    for c in range(shape[axis]):
        expected = table[c][x.take(c, axis).astype(int) - qx.qmin]
        np.testing.assert_array_equal(got.take(c, axis), expected)


def test_a_code_without_an_entry_and_a_channel_without_a_table_are_refused() -> None:
    pair = PairTable("n", "a", "b", "y", "f", -8, -128, np.zeros((16, 256), np.int8))
    with pytest.raises(ParameterError, match="code 9 has no entry in a table of the codes -8 to 7"):
        reference.step(pair, [np.int8([-8, 9]), np.int8([0, 0])])
    channel = ChannelTable("n", "x", "y", "f", -128, 1, np.zeros((5, 256), np.int8))
    for step in (reference.step, native.step):
        with pytest.raises(ParameterError, match=r"5 tables do not fit axis 1 of codes of shape \(2, 6\)"):
            step(channel, [np.zeros((2, 6), np.int8)])


@pytest.mark.parametrize("seed", SEEDS)
def test_float_average_pool(seed: int) -> None:
    d = Draw(np.random.default_rng(seed))
    rank = d.one([1, 2, 2, 3])
    sizes = [d.one([1, 2, 5, 7, 13]) for _ in range(rank)]
    window = d.window(rank, sizes, pool=True)
    window = Window(window.kernel, window.strides, window.pads, (1,) * rank, window.ceil_mode)
    qx, target = d.one([int8, uint8]), d.target(d.one([int8, uint8]))
    x = d.laid_out(d.codes(qx, (d.between(0, 2), d.between(1, 5), *sizes)))
    px = AffineParams(float(d.rng.choice([0.1, 0.3, 0.0123])), d.zero(qx), qx)
    reals = affine.dequantize(np.arange(qx.qmin, qx.qmax + 1).astype(qx.storage), px)
    added = target.zero_point + d.one([0, 128])
    scale, include = float(d.rng.choice([0.1, 0.05, 0.7])), d.chance(0.4)
    pool = FloatAveragePool("n", "x", "y", window, include, qx.qmin, reals, scale, added, target)
    assert_alike(pool, [x])


def test_float_average_pool_rounds_after_every_step() -> None:
    # Three codes of real 0.1: f32 sums 0.1, 0.2, 0.3 + 2^-25 (0.1f + 0.2f = 0.3f + 2^-25), a third of it, over 0.1.
    reals = np.arange(256, dtype=np.float32) * np.float32(0.1)
    window = Window((3,), (1,), ((0, 0),), (1,))
    pool = FloatAveragePool("n", "x", "y", window, False, 0, reals, 0.1, 0, Target(uint8, 0, 0, 255))
    x = np.uint8([[[1, 1, 1, 2, 3]]])
    total = np.float32(0)
    for v in x[0, 0, 2:]:
        total = np.float32(total + reals[v])
    expected = np.rint(np.float32(np.float32(total / np.float32(3)) / np.float32(0.1)))
    assert assert_alike(pool, [x])[0, 0].tolist() == [1, 1, int(expected)]


def test_a_mean_s_multiplier_in_float32_steps() -> None:
    # f32(S1 / f32(S3 count)): three roundings, where the exact ratio has one.
    target = Target(uint8, 0, 0, 255)
    s1, s3 = (float(np.float32(v)) for v in (0.3, 0.7))
    stepwise = MeanRescale(s1 / s3, 24, False, target, Requantize.FLOAT32, (s1, s3))
    once = MeanRescale(s1 / s3, 24, False, target, Requantize.FLOAT32)
    different = 0
    for count in range(1, 400):
        m = np.float32(s1) / (np.float32(s3) * np.float32(count))
        assert stepwise.multiplier(count) == Multiplier.from_real(float(m), 24)
        different += stepwise.multiplier(count) != once.multiplier(count)
    assert different > 50
