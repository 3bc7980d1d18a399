"""torch.compile and torch.export: one graph, the bits of NumPy, NaN gives the zero point."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from samples import PROFILES, bits_equal, reals, rng

import halfeven as he
from halfeven.numerics import affine

torch = pytest.importorskip("torch", reason="torch is not installed: the torch backend is not tested")

# torch.compile instantiates autograd.Function, and inductor uses torch.jit: both warn, inside torch, of each other.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

PARAMS = (
    he.AffineParams(0.37, 7),
    he.AffineParams(2.0**-126),
    he.AffineParams([0.1, 0.2, 0.3, 0.4], [1, 0, 0, -3], he.int16, axis=0),
    he.AffineParams(0.1, 40000, he.uint16),
    he.AffineParams(0.1, 2**30 + 1, he.int32),
)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def compiled(function: Callable[..., Any], backend: str = "aot_eager", **options: Any) -> Callable[..., Any]:
    return torch.compile(function, fullgraph=True, backend=backend, **options)


def samples() -> Any:
    x = reals(0.37, 7, he.int8)
    return x[: x.size // 4 * 4].reshape(4, -1)


def check_bits(params: he.AffineParams, profile: str, backend: str) -> None:
    x = samples()

    def both(t: Any) -> Any:
        return he.fake_quantize(t, params, profile), he.quantize(t, params, profile)

    values, codes = compiled(both, backend)(torch.from_numpy(x))
    assert_array_equal(codes.numpy(), affine.quantize(x, params, profile))
    bits_equal(values.numpy(), affine.fake_quantize(x, params, profile))


@pytest.mark.parametrize("profile", ["journey6", "journey6-legacy", "pytorch", "tflite"])
@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_one_graph_with_the_references_bits(params: he.AffineParams, profile: str) -> None:
    check_bits(params, profile, "aot_eager")


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_generated_code_has_the_references_bits(params: he.AffineParams, profile: str) -> None:
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("no C++ compiler: inductor cannot generate code for the CPU")
    check_bits(params, profile, "inductor")


@pytest.mark.parametrize("profile", ["journey6", "journey6-legacy", "pytorch", "xnnpack"])
def test_the_float64_steps_of_accelerators_have_the_references_bits(
    monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    monkeypatch.setattr("halfeven.ops.torch_float._wide_steps", lambda _: True)
    for params in (*PARAMS, he.AffineParams(3e38), he.AffineParams(2.0**127), he.AffineParams(1e-3, 0, he.int16)):
        x = reals(float(params.scale.reshape(-1)[0]), int(params.zero_point.reshape(-1)[0]), params.qtype)
        x = x[: x.size // 4 * 4].reshape(4, -1)
        bits_equal(
            he.fake_quantize(torch.from_numpy(x), params, profile).numpy(), affine.fake_quantize(x, params, profile)
        )
    check_bits(PARAMS[0], profile, "aot_eager")


@pytest.mark.parametrize(
    "params", [he.AffineParams(0.5, 3), he.BinaryParams(0.5), he.Log2Params([1.0, 2, 3, 4], axis=0)]
)
def test_the_gradient_is_that_of_eager_mode(params: Any) -> None:
    a = (torch.linspace(-1, 1, 80).reshape(4, 20) ** 3 * 100).requires_grad_()
    b = a.detach().clone().requires_grad_()
    upstream = torch.arange(80.0).reshape(4, 20)
    y = compiled(lambda t: he.fake_quantize(t, params))(a)
    y.backward(upstream)
    he.fake_quantize(b, params).backward(upstream)
    assert torch.equal(y, he.fake_quantize(b, params))
    assert a.grad is not None
    assert 0 < a.grad.count_nonzero() < 79
    assert torch.equal(a.grad, b.grad)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats(dtype: Any) -> None:
    x = torch.from_numpy(samples()).to(dtype)
    for params in (PARAMS[0], PARAMS[-1]):
        y = compiled(lambda t, p=params: he.fake_quantize(t, p))(x)
        bits_equal(y.numpy(), affine.fake_quantize(x.float().numpy(), params))


def test_nan_gives_the_zero_point_and_no_gradient() -> None:
    x = torch.tensor([torch.nan, 1.0], requires_grad=True)
    p = he.AffineParams(0.5, 3)
    codes, values = compiled(lambda t: (he.quantize(t, p), he.fake_quantize(t, p)))(x)
    values.sum().backward()
    assert codes.tolist() == [3, 5]
    assert values.tolist() == [0, 1]
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1]


def test_blocks_and_changing_shapes() -> None:
    p = he.AffineParams(rng().uniform(0.1, 1, (4, 3)), axis=-1, block_size=4)
    x = torch.from_numpy((rng().normal(size=(4, 10)) * 30).astype(np.float32))
    assert torch.equal(compiled(lambda t: he.fake_quantize(t, p))(x), he.fake_quantize(x, p))
    channels = he.AffineParams(rng().uniform(0.1, 1, 8), axis=1)
    f = compiled(lambda t: he.fake_quantize(t, channels), dynamic=True)
    for shape in ((4, 8, 6), (7, 8, 3), (9, 8, 11)):
        t = torch.from_numpy((rng().normal(size=shape) * 30).astype(np.float32))
        assert torch.equal(f(t), he.fake_quantize(t, channels))


def test_two_parameters_in_turn_are_not_confused() -> None:
    f = compiled(he.fake_quantize)
    x = torch.linspace(-9, 9, 50)
    for p in (he.AffineParams(0.5), he.AffineParams(0.25, 3), he.AffineParams(0.5), he.AffineParams(0.5, 1, he.int4)):
        assert torch.equal(f(x, p), he.fake_quantize(x, p))


def test_integer_sums_are_called_from_compiled_code() -> None:
    w = torch.randint(-128, 128, (6, 4, 3, 3), dtype=torch.int8)
    x = torch.randint(-128, 128, (2, 4, 8, 8), dtype=torch.int8)
    pw, p = he.AffineParams(np.full(6, 0.01), axis=0), he.AffineParams(0.1, 5)
    m = he.Multiplier.from_real(rng().uniform(0.001, 1, 6))

    def network(t: Any) -> Any:
        q = he.quantized_conv2d(t, p, w, pw, p, padding=1)
        return he.requantize(q.to(torch.int32) * 5, m, p, axis=1) + 1

    assert torch.equal(torch.compile(network, backend="aot_eager")(x), network(x))


def test_export() -> None:
    p = he.AffineParams([0.1, 0.2, 0.3, 0.4], axis=0)

    class Model(torch.nn.Module):  # type: ignore[misc]
        def forward(self, t: Any) -> Any:
            return he.fake_quantize(t, p) + he.dequantize(he.quantize(t, p), p)

    x = torch.randn(4, 5) * 10
    program = torch.export.export(Model(), (x,), strict=False)
    assert torch.equal(program.module()(x), Model()(x))
