"""int4 weights with one scale a group of inputs: quantized, written, lowered, and run by every backend alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import halfeven as he
from halfeven.errors import ParameterError
from halfeven.ir.instructions import Conv, Linear
from halfeven.numerics.blocks import exact_factors
from halfeven.ptq.quantize import quantize
from halfeven.ptq.weight_blocks import block_params, covering_blocks, snapped

Build = Callable[..., onnx.ModelProto]
NET = """
net (float[N, 20, 7, 6] x) => (float[N, 4] y) {
  a = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
  r = Relu (a)
  d = Conv <group = 12> (r, w1)
  t = Conv <group = 2> (d, w2, b2)
  g = GlobalAveragePool (t)
  f = Flatten (g)
  m = MatMul (f, w3)
  n = Add (m, b3)
  y = Gemm <transB = 1> (n, w4)
}"""
SHAPES = {
    "w0": (12, 20, 3, 3), "b0": (12,), "w1": (12, 1, 2, 2), "w2": (18, 6, 1, 1), "b2": (18,), "w3": (18, 9), "b3": (9,),
    "w4": (4, 9),
}  # fmt: skip


def network(build: Build, opset: int = 21) -> tuple[onnx.ModelProto, np.ndarray]:
    rng = np.random.default_rng(5)
    arrays = {
        n: (rng.standard_t(3, size=s) / np.sqrt(np.prod(s[1:]) + 1)).astype(np.float32) for n, s in SHAPES.items()
    }
    return build(NET, opset, **arrays), rng.normal(size=(40, 20, 7, 6)).astype(np.float32)


def sqnr(model: onnx.ModelProto, made: he.QuantizedModel, x: np.ndarray) -> float:
    f = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    return float(10 * np.log10(np.square(f).sum() / np.square(f - made.run({"x": x})["y"]).sum()))


@pytest.mark.parametrize("algorithms", [(), "second-order-rounding"])
@pytest.mark.parametrize("activations", ["int8", "uint8", "int16"])
def test_every_backend_gives_the_same_codes(build: Build, tmp_path: Path, activations: str, algorithms: str) -> None:
    model, x = network(build, 13)
    made = he.quantize_model(
        model, x[:24], weights="int4", weight_group=5, activations=activations, algorithms=algorithms
    )
    layers = [i for i in made.program if isinstance(i, (Conv, Linear))]
    assert [i.weight.dtype for i in layers] == [np.int8] * 5
    assert not made.program.float_parts
    assert all(i.accumulator.bits == 32 or activations == "int16" for i in layers)
    made.save(tmp_path / "m.onnx")
    again = he.load(tmp_path / "m.onnx")
    expected = made.run({"x": x}, backend="reference")["y"]
    for one in (made, again):
        for backend in ("native", "torch"):
            np.testing.assert_array_equal(one.run({"x": x}, backend=backend)["y"], expected)
    kinds = {
        n.op_type: [a.i for a in n.attribute if a.name == "block_size"]
        for n in onnx.load(tmp_path / "m.onnx").graph.node
        if "w0" in n.name
    }
    assert kinds["DequantizeLinear"] == [5]


def test_a_lowered_weight_is_the_files_weight(build: Build) -> None:
    model, x = network(build)
    made = quantize(model, x[:8], weights="int4", weight_group=4)
    program = he.quantize_model(model, x[:8], weights="int4", weight_group=4).program
    layers = {i.name: i for i in program if isinstance(i, (Conv, Linear))}
    for product, weight in made.draft.constants.weights.items():
        if weight.params.block_size is None:
            continue
        layer = layers[product.node]
        scale, _ = weight.params.expanded(weight.codes.shape)
        real = weight.codes * scale.astype(np.float64)
        real = real.T if isinstance(layer, Linear) and product.axis == 0 else real
        codes = layer.weight.astype(np.float64)
        axis = 0 if isinstance(layer, Conv) else 1
        size = np.moveaxis(real, axis, 0).reshape(codes.shape[axis], -1)
        rows = np.moveaxis(codes, axis, 0).reshape(codes.shape[axis], -1)
        unit = np.abs(size).max(axis=1) / np.abs(rows).max(axis=1)
        np.testing.assert_array_equal(rows * unit[:, None], size)
    blocks = {p.node: w.params.block_size for p, w in made.draft.constants.weights.items()}
    assert blocks == {"a": 4, "d": None, "t": 4, "m": 4, "y": 4}


def test_groups_bring_int4_nearer(build: Build) -> None:
    model, x = network(build)
    plain, groups = (
        he.quantize_model(model, x[:24], weights="int4", weight_group=n, activations="int16", algorithms=())
        for n in (None, 4)
    )
    assert sqnr(model, groups, x[24:]) > sqnr(model, plain, x[24:]) + 1
    rounded = he.quantize_model(
        model, x[:24], weights="int4", weight_group=4, activations="int16", algorithms="second-order-rounding"
    )
    assert sqnr(model, rounded, x[24:]) > sqnr(model, groups, x[24:]) + 1


def test_onnxruntime_reads_the_same_reals(build: Build) -> None:
    model, x = network(build)
    made = he.quantize_model(model, x[:24], weights="int4", weight_group=5)
    a, b = made.run({"x": x})["y"], made.run({"x": x}, backend="onnxruntime")["y"]
    step = float(made.outputs[0].params.scale)
    assert np.abs(a - b).max() <= 2.01 * step  # computed in float32 there
    assert (a == b).mean() > 0.9


def test_scales_are_multiples_and_serve_the_bias() -> None:
    rng = np.random.default_rng(1)
    w = rng.normal(size=(5, 11, 3)).astype(np.float32)
    w[2] = 0
    w[3, :4] = 0
    cover = covering_blocks(w, 0, 4, he.int4)
    assert cover.shape == (5, 3)
    assert cover[0, 2] == np.abs(w[0, 8:].astype(np.float64)).max() / 8
    least = np.array([1e-30, 2.0, 0.5, 1e-30, 1e-30])
    scale = snapped(cover, least)
    found = exact_factors(scale.astype(np.float32), 0)
    assert (found.unit >= least).all()
    assert found.factor.max() <= 15
    params = block_params(scale, w.shape, 0, 4, he.int4)
    assert (params.scale.shape, params.axis, params.block_size) == ((5, 3, 3), 1, 4)
    np.testing.assert_array_equal(params.scale[:, :, 0], scale)


def test_what_is_refused(build: Build) -> None:
    model, x = network(build)
    with pytest.raises(ParameterError, match="a weight group is for int4 weights"):
        he.quantize_model(model, x, weight_group=32)
    for wrong in (0, 1, 2.5, True):
        with pytest.raises(ParameterError, match="2 or more"):
            he.quantize_model(model, x, weights="int4", weight_group=wrong)  # type: ignore[arg-type]
