"""Scales and codes of constants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from halfeven.errors import ModelError, ParameterError
from halfeven.numerics.affine import dequantize
from halfeven.numerics.qtype import int4, int8, int16, uint8
from halfeven.ptq.placement import Product
from halfeven.ptq.weights import MOST_BIAS, Reader, Widened, bias_constant, quantize_constant, weight_params

PRODUCT = Product("conv", "x", "w", 0, 1, "b", "conv")
NORMAL = float(np.finfo(np.float32).smallest_normal)


def reader(s_in: float, *bias: float, group: int = 1) -> Reader:
    product = Product("conv", "x", "w", 0, group, "b", "conv")
    return Reader(product, float(np.float32(s_in)), np.array(bias, np.float32))


def test_one_scale_a_channel() -> None:
    w = np.array([[-1.28, 1.0], [0.64, 0.0]], np.float32)
    params, widened = weight_params(w, 0, int8, [])
    assert_array_equal(
        params.scale, np.float32([np.float64(np.float32(1.28)) / 128, np.float64(np.float32(0.64)) / 128])
    )
    assert (params.axis, widened) == (0, None)
    assert_array_equal(weight_params(w, 1, int4, [])[0].scale, np.float32([np.float64(np.float32(1.28)) / 8, 1 / 8]))
    assert_array_equal(weight_params(w, 1, int16, [])[0].scale[1], np.float32(2.0**-15))


def test_a_bias_that_fits_changes_nothing() -> None:
    w = np.ones((2, 3), np.float32)
    assert weight_params(w, 0, int8, [reader(0.1, 5, -7)]) == weight_params(w, 0, int8, [])


def test_a_channel_without_weights_serves_its_bias() -> None:
    w = np.zeros((3, 4), np.float32)
    w[0] = 1
    params, widened = weight_params(w, 0, int8, [reader(0.5, 1, 3.0, 0)])
    assert widened is None
    assert_array_equal(params.scale[[0, 2]], np.float32([1 / 128, 1]))
    constant = bias_constant(reader(0.5, 1, 3.0, 0), params, (3,))
    assert constant.codes[1] == pytest.approx(MOST_BIAS, rel=1e-6)
    assert dequantize(constant.codes, constant.params)[1] == pytest.approx(3.0, rel=1e-6)
    assert_array_equal(weight_params(w, 0, int8, [])[0].scale[1:], np.float32([1, 1]))


def test_a_weight_too_fine_for_its_bias_gets_a_wider_scale_and_is_reported() -> None:
    w = np.array([[1e-20], [1.0]], np.float32)
    biased = reader(0.25, 2.0, 2.0)
    params, widened = weight_params(w, 0, int8, [biased])
    assert params.scale[1] == np.float32(1 / 128)
    least = 2.0 / (0.25 * MOST_BIAS)
    assert least <= params.scale[0] <= least * (1 + 2.0**-22)
    assert isinstance(widened, Widened)
    assert (widened.node, widened.channels) == ("conv", 1)
    assert widened.factor == pytest.approx(least / (1e-20 / 128), rel=1e-5)
    assert "'conv'" in str(widened)
    assert np.abs(bias_constant(biased, params, (2,)).codes.astype(np.int64)).max() <= MOST_BIAS


def test_a_weight_shared_by_two_serves_both_biases() -> None:
    w = np.full((1, 1), 1e-9, np.float32)
    params, _ = weight_params(w, 0, int8, [reader(0.25, 2.0), reader(0.25, 64.0)])
    assert params.scale[0] >= 64.0 / (0.25 * MOST_BIAS)


def test_groups_of_a_transposed_convolution_share_their_scales() -> None:
    w = np.zeros((4, 2, 1, 1), np.float32)
    w[0, 0], w[0, 1] = 1, 0.5
    biased = reader(0.1, 1, 2, 3, 4, group=2)  # channels (g0 c0, g0 c1, g1 c0, g1 c1)
    params, _ = weight_params(w, 1, int8, [biased])
    assert params.scale.shape == (2,)
    constant = bias_constant(biased, params, (4,))
    expected = np.float32(0.1).astype(np.float64) * params.scale[[0, 1, 0, 1]].astype(np.float64)
    assert_array_equal(constant.params.scale, expected.astype(np.float32))
    assert_array_equal(constant.codes, np.rint(np.array([1, 2, 3, 4]) / expected))


def test_bias_codes_use_the_float64_product_of_the_scales() -> None:
    # S_in S = 0.1f * 0.3f: rounded to float32 it is another number, and 2e7 divided by that another code
    params, _ = weight_params(np.full((1, 1), 0.3 * 128, np.float32), 0, int8, [])
    biased = reader(0.1, 2e7)
    constant = bias_constant(biased, params, (1, 1))
    exact = float(np.float32(0.1)) * float(params.scale[0])
    assert constant.codes.tolist() == [[round(2e7 / exact)]]
    assert constant.codes[0, 0] != round(2e7 / float(np.float32(exact)))
    assert constant.params.axis == 1


FINITE = st.floats(-1e6, 1e6, width=32)


@given(
    st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=5),
    st.floats(NORMAL, 1e6, width=32),
    st.sampled_from([int4, int8, int16]),
)
def test_no_bias_leaves_int32_and_each_is_exact_to_half_a_code(
    channels: list[tuple[float, float]], s_in: float, qtype: object
) -> None:
    w = np.array([[c[0]] for c in channels], np.float32)
    biased = reader(s_in, *(c[1] for c in channels))
    try:
        params, _ = weight_params(w, 0, qtype, [biased])
        constant = bias_constant(biased, params, (len(channels),))
    except ParameterError as error:  # scales that float32 cannot hold: said so
        assert "'conv'" in str(error)  # noqa: PT017
        return
    step = biased.s_in * params.scale.astype(np.float64)
    assert np.abs(constant.codes.astype(np.int64)).max() <= MOST_BIAS
    assert (np.abs(constant.codes * step - biased.bias) <= step / 2 * (1 + 1e-9)).all()
    assert_array_equal(constant.params.scale, step.astype(np.float32))
    assert (np.abs(w[:, 0]) <= params.scale.astype(np.float64) * -qtype.qmin * (1 + 1e-6)).all()


def test_scales_beyond_float32_name_the_node() -> None:
    with pytest.raises(ParameterError, match=r"'conv'.*no product in float32"):
        weight_params(np.ones((1, 1), np.float32), 0, int8, [reader(NORMAL, 1e30)])
    params, _ = weight_params(np.full((1, 1), 1e30, np.float32), 0, int8, [])
    with pytest.raises(ParameterError, match=r"'conv'.*no product in float32"):
        bias_constant(reader(1e20, 0.0), params, (1,))


@pytest.mark.parametrize("value", [0.5, -0.5, 1 / 3, 6.0])
def test_a_constant_keeps_its_largest_value(value: float) -> None:
    constant = quantize_constant("k", np.array([value, value / 127], np.float32), int8)
    assert constant.codes.tolist() == ([127, 1] if value > 0 else [-127, -1])
    assert dequantize(constant.codes, constant.params)[0] == pytest.approx(value, rel=2e-7)
    asymmetric = quantize_constant("k", np.array([value], np.float32), uint8)
    assert dequantize(asymmetric.codes, asymmetric.params)[0] == pytest.approx(value, rel=2e-7)


def test_infinite_constants_saturate_and_set_no_range() -> None:
    constant = quantize_constant("mask", np.array([-np.inf, 0, 1.27], np.float32), int8)
    assert constant.codes.tolist() == [-128, 0, 127]
    assert quantize_constant("mask", np.array([-np.inf, 0], np.float32), int8).params.scale == 1


def test_a_constant_that_is_not_a_number_is_named() -> None:
    with pytest.raises(ModelError, match="'k' holds 1 NaN"):
        quantize_constant("k", np.array([np.nan, 1], np.float32), int8)


def test_an_empty_constant() -> None:
    assert quantize_constant("k", np.zeros((0, 3), np.float32), int8).codes.shape == (0, 3)
