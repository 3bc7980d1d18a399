"""The straight-through gradient of fake_quantize, and its masks at the edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from samples import PROFILES, SHAPE, shaped_params

import halfeven as he

torch = pytest.importorskip("torch", reason="torch is not installed: the torch backend is not tested")


def gradient(x: Any, params: Any, upstream: Any = None, profile: str = "journey6") -> Any:
    """Of x: a list or tensor; upstream gradients 1, 2, 3, ... unless given."""
    leaf = torch.as_tensor(x).clone().requires_grad_()
    y = he.fake_quantize(leaf, params, profile)
    y.backward(torch.arange(1.0, y.numel() + 1).reshape(y.shape) if upstream is None else upstream)
    return leaf.grad


def test_the_mask_is_on_the_rounded_code_before_the_clamp() -> None:
    s = 0.5
    x = [63.5, 63.74, 63.75, 63.8, 64.0, -64.0, -64.25, -64.26, -64.5, 0.0]  # 127.5 rounds to 128, -128.5 to -128
    assert_array_equal(gradient(x, he.AffineParams(s)), [1, 2, 0, 0, 0, 6, 7, 0, 0, 10])


def test_the_zero_point_shifts_the_mask_inside_and_outside_the_rounding() -> None:
    p = he.AffineParams(1.0, 3)
    x = [124.0, 124.5, 123.5, -131.0, -131.5, -130.5]
    assert_array_equal(gradient(x, p, profile="journey6"), [1, 0, 3, 4, 5, 6])  # 127.5 -> 128, -128.5 -> -128
    assert_array_equal(gradient(x, p, profile="onnxruntime"), [1, 2, 3, 4, 0, 6])  # 124 + 3, -132 + 3


def test_infinite_values_and_infinite_gradients_behind_the_mask_give_zero() -> None:
    x = [np.inf, -np.inf, 3e38, 1000.0, 1.0]
    upstream = torch.tensor([1.0, 1.0, 1.0, np.inf, 5.0])
    assert_array_equal(gradient(x, he.AffineParams(1.0), upstream), [0, 0, 0, 0, 5])


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("qtype", [he.int4, he.uint8, he.int16, he.int32], ids=str)
def test_every_kind_of_parameters_masks_by_its_own_codes(qtype: he.QType, profile: str) -> None:
    x = torch.linspace(-1, 1, 72).reshape(SHAPE) * 1.5 * qtype.levels * 0.37
    for p in shaped_params(qtype):
        # One step inside an end certainly passes, one step outside certainly does not: half codes are tested above.
        scale, zero = (torch.tensor(a, dtype=torch.float64) for a in p.expanded(SHAPE))
        code = x.double() / scale + zero
        inside = (code > qtype.qmin + 1) & (code < qtype.qmax - 1)
        outside = (code < qtype.qmin - 1 - abs(qtype.qmin) * 1e-6) | (code > qtype.qmax + 1 + qtype.qmax * 1e-6)
        got = gradient(x, p, torch.ones(SHAPE), profile)
        assert got[inside].eq(1).all()
        assert got[outside].eq(0).all()
        assert inside.any() or qtype is he.int4
        assert outside.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_gradient_has_the_type_of_the_input(dtype: Any) -> None:
    leaf = torch.tensor([1.0, 200.0, -3.0], dtype=dtype, requires_grad=True)
    y = he.fake_quantize(leaf, he.AffineParams(1.0))
    assert y.dtype == torch.float32
    y.sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.dtype == dtype
    assert leaf.grad.tolist() == [1, 0, 1]


def test_binary_passes_within_one() -> None:
    x = [0.0, 1.0, -1.0, 1.0000001, -2.0, np.inf]
    assert_array_equal(gradient(x, he.BinaryParams(0.3)), [1, 2, 3, 0, 0, 0])


def test_log2_passes_up_to_the_last_value_that_rounds_to_the_scale() -> None:
    edge = np.sqrt(np.float64(2.0)) * 3
    below, above = np.float32(edge), np.nextafter(np.float32(edge), np.float32(9))
    assert float(below) < edge < float(above)
    assert_array_equal(gradient([below, above, -below, 0.001, 50.0], he.Log2Params(3.0)), [1, 0, 3, 4, 0])
    x = [[1.0, 3.0], [1.0, 3.0]]
    assert_array_equal(gradient(x, he.Log2Params([1.0, 3.0], axis=0)), [[1, 0], [3, 4]])


def test_no_graph_where_none_is_wanted() -> None:
    x = torch.ones(3, requires_grad=True)
    for p in (he.AffineParams(1.0), he.BinaryParams(1.0), he.Log2Params(1.0)):
        assert he.fake_quantize(x, p).requires_grad
        assert not he.fake_quantize(x.detach(), p).requires_grad
        with torch.no_grad():
            assert not he.fake_quantize(x, p).requires_grad
        assert not he.dequantize(he.quantize(x, p), p).requires_grad


def test_a_training_step_moves_only_what_the_mask_lets_through() -> None:
    weight = torch.nn.Parameter(torch.tensor([0.4, 1.6, 300.0]))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    (he.fake_quantize(weight, he.AffineParams(1.0)) ** 2).sum().backward()
    optimizer.step()
    assert weight.tolist() == pytest.approx([0.4, 1.6 - 0.5 * 2 * 2, 300.0])
