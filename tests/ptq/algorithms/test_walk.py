"""A walk is the float model on one side and, bit for bit, the written program on the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import small_models

from halfeven.execute.float_part import open_session, run_session
from halfeven.execute.run import reference_backend, run_program
from halfeven.lower import lower
from halfeven.ptq.algorithms.walk import Walk
from halfeven.ptq.draft import Draft
from halfeven.ptq.quantize import quantize
from halfeven.ptq.weights import Constant

RNG = np.random.default_rng(11)
MANY = """
<ir_version: 9, opset_import: ["" : 20]>
net (float[N, 3, 16, 16] x) => (float[N, 4] y, float[N, 8] z, float[N, 8, 8, 8] k) {
  a = Conv <pads = [1,1,1,1], strides = [2,2]> (x, w0, b0)
  s = Sigmoid (a)
  h = Mul (a, s)
  i = InstanceNormalization (h, g0, o0)
  k = Conv <group = 8> (i, w1)
  u = ConvTranspose <strides = [2,2]> (k, t0, o0)
  r = Relu (u)
  p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
  c = Concat <axis = 1> (p, k)
  l, m = Split <axis = 1, num_outputs = 2> (c)
  d = Sub (l, m)
  e = CumSum (d, one)
  f = Relu (e)
  yes = Greater (f, half)
  w = Where (yes, f, d)
  q = ReduceMean <keepdims = 0> (w, axes)
  shape = Shape (q)
  v = Reshape (q, shape)
  z = MatMul (v, m0)
  n = Add (z, o0)
  y = Gemm (n, f0, c0)
}"""
SHAPES = {
    "w0": (8, 3, 3, 3), "b0": (8,), "g0": (8,), "o0": (8,), "w1": (8, 1, 1, 1), "t0": (8, 8, 2, 2), "m0": (8, 8),
    "f0": (8, 4), "c0": (4,),
}  # fmt: skip
CONSTANTS = {"one": np.array(1), "half": np.array(0.5, np.float32), "axes": np.array([2, 3])}


def many() -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    model = onnx.parser.parse_model(MANY)
    arrays = {n: (RNG.normal(size=s) / np.sqrt(s[-1] + 4)).astype(np.float32) for n, s in SHAPES.items()} | CONSTANTS
    model.graph.initializer.extend(onnx.numpy_helper.from_array(a, n) for n, a in arrays.items())
    return model, {"x": RNG.normal(size=(5, 3, 16, 16)).astype(np.float32)}


def cnn() -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    return small_models.cnn(), {"image": small_models.images(5)}


MIXED = {"op_config": {"Mul": {"qtype": "int16"}, "Concat": {"qtype": "int16"}}}


def drafted(
    make: Callable[[], tuple[onnx.ModelProto, dict[str, np.ndarray]]], **options: Any
) -> tuple[onnx.ModelProto, Draft, list[dict[str, np.ndarray]]]:
    model, data = make()
    samples = [{name: array[k : k + 1] for name, array in data.items()} for k in range(5)]
    return model, quantize(model, data, algorithms=(), **options).draft, samples


def written_outputs(draft: Draft, samples: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    program = lower(draft.write(), draft.profile)
    wanted = [port.name for port in program.outputs]
    return [run_program(program, dict(s), wanted, reference_backend()) for s in samples]


def assert_same(found: list[dict[str, np.ndarray]], expected: list[dict[str, np.ndarray]]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.keys() == b.keys()
        for name, array in a.items():
            np.testing.assert_array_equal(array, b[name])


@pytest.mark.parametrize("options", [{}, {"activations": "uint8"}, {"activations": "int16"}, {"config": MIXED}])
@pytest.mark.parametrize("make", [many, cnn])
def test_it_ends_at_the_outputs_of_the_written_program(make: Any, options: dict[str, Any]) -> None:
    _, draft, samples = drafted(make, **options)
    walk = Walk(draft, samples)
    met = [layer.product for layer in walk]
    assert met == list(draft.placement.products)
    assert len(met) > 2
    assert_same(walk.outputs(), written_outputs(draft, samples))


@pytest.mark.parametrize("make", [many, cnn])
def test_it_goes_on_with_what_was_changed(make: Any) -> None:
    _, draft, samples = drafted(make, method="max")
    walk = Walk(draft, samples)
    for k, layer in enumerate(walk):
        before = layer.results(walk.draft)
        if k % 2:
            nearest = layer.weight(walk.draft)
            np.testing.assert_array_equal(nearest.codes, walk.draft.constants.weights[layer.product].codes)
            walk.draft = walk.draft.with_weights({layer.product: Constant(nearest.codes // 2, nearest.params)})
        else:
            channels = before[0].shape[1]
            walk.draft = walk.draft.with_biases({layer.product: np.linspace(-1, 1, channels).astype(np.float32)})
        assert any((a != b).any() for a, b in zip(before, layer.results(walk.draft), strict=True))
    assert_same(walk.outputs(), written_outputs(walk.draft, samples))
    assert any(
        (a["y" if "y" in a else "score"] != b["y" if "y" in b else "score"]).any()
        for a, b in zip(walk.outputs(), written_outputs(draft, samples), strict=True)
    )


def test_a_layer_has_the_float_runs_tensors() -> None:
    model, draft, samples = drafted(cnn)
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in ("a1", "c2", "d"))
    session = open_session(model.SerializeToString())
    layers = {layer.block.results[0]: layer for layer in Walk(draft, samples)}
    for k, sample in enumerate(samples):
        real = run_session(session, sample)
        for name in ("a1", "c2", "d"):
            np.testing.assert_allclose(layers[name].expected[k], real[name], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(layers["c2"].float_reads[k], real["a1"], rtol=1e-4, atol=1e-5)
        step = float(draft.activations.own["a1"].scale)
        codes = layers["c2"].reads[k] / step
        np.testing.assert_allclose(codes, np.rint(codes), atol=1e-3)


def test_nothing_is_kept_that_nobody_reads() -> None:
    _, draft, samples = drafted(cnn)
    walk = Walk(draft, samples)
    held = [len(walk._run[0]) for _ in walk]
    assert max(held) <= 2
    assert set(walk._run[0]) == {"score"}


def test_a_sample_may_have_its_own_size() -> None:
    _, draft, _ = drafted(cnn)
    batches = [{"image": small_models.images(n)} for n in (1, 3)]
    walk = Walk(draft, batches)
    assert [layer.expected[1].shape[0] for layer in walk] == [3, 3, 3]
    assert_same(walk.outputs(), written_outputs(draft, batches))
