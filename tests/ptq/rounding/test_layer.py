"""Codes and scales of a layer: never worse than nearest rounding, also on inputs that were not seen."""

from __future__ import annotations

import numpy as np
import pytest

from halfeven.ptq.rounding.layer import LayerWeights, Rounded, round_layer
from halfeven.ptq.rounding.scales import by_diagonal, covering, refitted, stored
from halfeven.ptq.rounding.statistics import Halves, Moments

INT4 = (-8, 7)


class Inputs:
    """Correlated inputs, none negative, and codes that are off by some steps."""

    def __init__(self, seed: int, groups: int, columns: int, noise: float = 1.0) -> None:
        self.rng, self.noise = np.random.default_rng(seed), noise
        self.mix = self.rng.normal(size=(groups, columns, columns)) * 12 / np.sqrt(columns)

    def rows(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Codes and float inputs."""
        f = np.maximum(self.rng.normal(size=(len(self.mix), count, self.mix.shape[-1])) @ self.mix + 20, 0)
        f = np.rint(f * 256) / 256  # as moments see it
        return np.clip(np.rint(f + self.noise * self.rng.normal(size=f.shape)), -128, 127), f


Rows = tuple[np.ndarray, np.ndarray]


def halves(layer: LayerWeights, first: Rows, second: Rows) -> Halves:
    return Halves(*(Moments.of(*rows, 8, layer.weight).problem() for rows in (first, second)))


def weights(inputs: Inputs, rows: int, block: int | None = None) -> LayerWeights:
    groups, columns, _ = inputs.mix.shape
    w = inputs.rng.normal(size=(groups, rows, columns))
    scale = stored(covering(w, *INT4, block), 1e-30)
    return LayerWeights(w, INT4, scale, np.full((groups, rows, 1), 1e-30), block)


def measured(layer: LayerWeights, codes: np.ndarray, scale: np.ndarray, rows: tuple[np.ndarray, np.ndarray]) -> float:
    """Energy of the error at the result, with the best bias."""
    q, f = rows
    e = f @ layer.weight.swapaxes(-1, -2) - q @ (layer.grid(scale).scale * codes).swapaxes(-1, -2)
    return float(np.square(e - e.mean(axis=1, keepdims=True)).mean())


def test_the_problem_is_the_measured_error() -> None:
    inputs = Inputs(0, 2, 5)
    layer, rows = weights(inputs, 3), inputs.rows(50)
    grid = layer.grid(layer.scale)
    codes = grid.nearest(layer.weight)
    problem = Moments.of(*rows, 8, layer.weight).problem()
    off = problem.error(grid.scale * codes).sum() - problem.error(grid.scale * (codes - 1)).sum()
    differ = measured(layer, codes, layer.scale, rows) - measured(layer, codes - 1, layer.scale, rows)
    assert off == pytest.approx(differ * 6, rel=1e-6)  # a mean over 2 groups of 3 rows


def test_moments_add_up_exactly() -> None:
    inputs = Inputs(1, 2, 6)
    q, f = inputs.rows(90)
    weight = weights(inputs, 3).weight
    whole = Moments.of(q, f, 8, weight)
    parts = Moments.of(q[:, :33], f[:, :33], 8, weight)
    parts.add(q[:, 33:], f[:, 33:], 8)
    for name in ("count", "qq", "q", "f"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    np.testing.assert_allclose(whole.wdq, parts.wdq, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(whole.wdq, weight @ (f - q).swapaxes(-1, -2) @ q, rtol=1e-9, atol=1e-9)


def test_the_shift_is_the_mean_error() -> None:
    inputs = Inputs(2, 1, 6)
    layer, (q, f) = weights(inputs, 3), inputs.rows(40)
    codes = layer.grid(layer.scale).nearest(layer.weight) * layer.scale
    e = f @ layer.weight.swapaxes(-1, -2) - q @ codes.swapaxes(-1, -2)
    np.testing.assert_allclose(
        Moments.of(q, f, 8, layer.weight).problem().shift(codes), e.mean(axis=1), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(("groups", "columns", "block"), [(1, 40, None), (6, 9, None), (1, 100, 32), (1, 66, 16)])
def test_less_error_than_nearest_on_inputs_that_were_not_seen(groups: int, columns: int, block: int | None) -> None:
    inputs = Inputs(columns, groups, columns)
    layer = weights(inputs, 8, block)
    found = round_layer(halves(layer, inputs.rows(1500), inputs.rows(1500)), layer)
    unseen = inputs.rows(2000)
    nearest = layer.grid(layer.scale).nearest(layer.weight)
    assert found.damping is not None
    assert measured(layer, found.codes, found.scale, unseen) < 0.8 * measured(layer, nearest, layer.scale, unseen)
    np.testing.assert_array_equal(found.codes, np.clip(np.rint(found.codes), *INT4))
    np.testing.assert_array_equal(found.scale, found.scale.astype(np.float32))
    assert found.scale.shape == layer.scale.shape


@pytest.mark.parametrize("seed", range(6))
def test_few_inputs_do_not_mislead(seed: int) -> None:
    inputs = Inputs(seed, 1, 64)
    layer = weights(inputs, 6)
    found = round_layer(halves(layer, inputs.rows(8), inputs.rows(8)), layer)
    unseen = inputs.rows(2000)
    nearest = layer.grid(layer.scale).nearest(layer.weight)
    assert measured(layer, found.codes, found.scale, unseen) < 1.25 * measured(layer, nearest, layer.scale, unseen)


@pytest.mark.parametrize("damping", [None, 1e-3, 10.0])
def test_no_row_is_worse_than_nearest_on_the_samples(damping: float | None) -> None:
    inputs = Inputs(8, 3, 12)
    layer = weights(inputs, 4)
    seen = halves(layer, inputs.rows(40), inputs.rows(40))
    found = round_layer(seen, layer, damping)
    problem = seen.whole()
    nearest = problem.error(layer.scale * layer.grid(layer.scale).nearest(layer.weight))
    assert (problem.error(found.scale * found.codes) <= nearest).all()


def test_inputs_that_are_always_zero_and_rows_of_zeros() -> None:
    inputs = Inputs(9, 1, 6)
    q, f = inputs.rows(100)
    q[..., 2] = f[..., 2] = 0
    seen = q, f
    layer = weights(inputs, 3)
    layer.weight[:, 1] = 0
    least = np.full(layer.least.shape, 0.5)
    found = round_layer(
        halves(layer, seen, seen), LayerWeights(layer.weight, INT4, np.maximum(layer.scale, least), least)
    )
    assert not found.codes[:, 1].any()
    assert (found.scale >= 0.5).all()
    nothing = q * 0, f * 0
    found = round_layer(halves(layer, nothing, nothing), layer)
    np.testing.assert_array_equal(found.codes, layer.grid(layer.scale).nearest(layer.weight))


def test_scales() -> None:
    w = np.array([[[-1.0, 0.35], [0.0, 0.7], [0.0, 0.0]]])
    np.testing.assert_allclose(covering(w, *INT4)[0, :, 0], [0.125, 0.1, 0])
    np.testing.assert_allclose(covering(w, *INT4, 1)[0], [[0.125, 0.05], [0, 0.1], [0, 0]])
    many = np.random.default_rng(0).normal(size=(1, 4, 400))
    many[..., 0] = 9
    importance = np.ones((1, 400))
    assert (by_diagonal(many, importance, 0.0, INT4, None) < covering(many, *INT4)).all()
    importance[..., 0] = 1e6
    assert (by_diagonal(many, importance, 0.0, INT4, None) >= 9 / 7 - 0.01).all()
    codes, h = np.array([[[1.0, 2.0], [0.0, 0.0]]]), np.eye(2)[None]
    np.testing.assert_allclose(refitted(codes, codes * 3, h, np.ones((1, 2, 1)))[0, :, 0], [3, 1])


def eight_bits(inputs: Inputs, rows: int) -> LayerWeights:
    groups, columns, _ = inputs.mix.shape
    w = inputs.rng.normal(size=(groups, rows, columns))
    return LayerWeights(w, (-128, 127), stored(covering(w, -128, 127), 1e-30), np.full((groups, rows, 1), 1e-30))


def found_for(inputs: Inputs, rows: int, damping: float) -> tuple[LayerWeights, Rounded]:
    layer = eight_bits(inputs, rows)
    return layer, round_layer(halves(layer, inputs.rows(400), inputs.rows(400)), layer, damping)


def test_scales_tried_at_once_give_the_codes_of_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    _, together = found_for(Inputs(21, 3, 9), 5, 0.03)
    monkeypatch.setattr("halfeven.ptq.rounding.layer.TRIED_AT_ONCE", 1)
    _, one_by_one = found_for(Inputs(21, 3, 9), 5, 0.03)
    np.testing.assert_array_equal(together.codes, one_by_one.codes)
    np.testing.assert_array_equal(together.scale, one_by_one.scale)


def test_more_scales_bring_other_inputs_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = []
    for _ in range(2):
        inputs = Inputs(22, 24, 9, noise=0.0)
        layer, found = found_for(inputs, 1, 0.003)
        q, _ = inputs.rows(400)
        errors.append(measured(layer, found.codes, found.scale, (q, q)))
        monkeypatch.setattr("halfeven.ptq.rounding.layer.TRIED", (13, 13))
    assert errors[0] < 0.8 * errors[1]


def test_wide_layers_try_fewer_scales() -> None:
    wide = LayerWeights(np.ones((1, 4000, 300)), INT4, np.full((1, 4000, 1), 1 / 7), np.full((1, 4000, 1), 1e-30))
    for layer, count, least in ((eight_bits(Inputs(23, 1, 4), 1), 64, 0.8), (wide, 13, 0.4)):
        whole = covering(layer.weight, *layer.codes)
        parts = np.array([scale / whole for scale in layer.scales()])
        assert len(parts) == count
        np.testing.assert_allclose([parts.min(), parts.max()], [least, 1.1], rtol=1e-6)
