"""Sections of a model, what is learned from them, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import small_models

import halfeven as he
from halfeven.errors import ParameterError, UnavailableError
from halfeven.execute.run import reference_backend, run_program
from halfeven.interop import to_bytes
from halfeven.lower import lower
from halfeven.ptq.algorithms import reconstruction
from halfeven.ptq.algorithms.reconstruction import BlockReconstruction, judging
from halfeven.ptq.algorithms.sections import SectionWalk
from halfeven.ptq.draft import Draft
from halfeven.ptq.quantize import quantize
from halfeven.ptq.weights import Constant

torch = pytest.importorskip("torch")
from halfeven.ptq.algorithms import torch_reconstruction  # noqa: E402  it needs torch

Build = Callable[..., onnx.ModelProto]
RESIDUAL = """
net (float[N, 6, 9, 9] x) => (float[N, 5] y) {
  a = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
  ra = Clip (a, zero, six)
  b = Conv <group = 8, pads = [1, 1, 1, 1], strides = [2, 2]> (ra, w1)
  rb = Relu (b)
  c = Conv (rb, w2, b2)
  d = Conv <pads = [0, 1, 2, 1], auto_pad = "NOTSET"> (c, w3)
  s = Add (c, d)
  k = MaxPool <kernel_shape = [2, 2]> (s)
  h = Conv (k, w4)
  t = Sigmoid (h)
  m = Mul (h, t)
  g = GlobalAveragePool (m)
  f = Flatten (g)
  p = MatMul (f, w5)
  q = Add (p, b5)
  y = Gemm <transB = 1> (q, w6, b6)
}"""
SHAPES = {
    "w0": (8, 6, 3, 3), "b0": (8,), "w1": (8, 1, 3, 3), "w2": (7, 8, 1, 1), "b2": (7,), "w3": (7, 7, 3, 3),
    "w4": (6, 7, 1, 1), "w5": (6, 9), "b5": (9,), "w6": (5, 9), "b6": (5,),
}  # fmt: skip


def residual(build: Build) -> tuple[onnx.ModelProto, np.ndarray]:
    rng = np.random.default_rng(5)
    arrays = {n: (rng.normal(size=s) / np.sqrt(np.prod(s[1:]) + 1)).astype(np.float32) for n, s in SHAPES.items()}
    arrays |= {"zero": np.float32(0), "six": np.float32(2)}
    mix = rng.normal(size=(6, 6))
    x = np.einsum("nchw,dc->ndhw", rng.normal(size=(48, 6, 9, 9)), mix).astype(np.float32)
    return build(RESIDUAL, **arrays), x


def drafted(build: Build, count: int = 6, **options: Any) -> tuple[Draft, list[dict[str, np.ndarray]]]:
    model, x = residual(build)
    return quantize(model, x[:count], weights="int4", algorithms=(), **options).draft, [
        {"x": a[None]} for a in x[:count]
    ]


def walk_of(draft: Draft, samples: list[dict[str, np.ndarray]]) -> SectionWalk:
    return SectionWalk(draft, samples, torch_reconstruction.is_unknown)


def test_sections_end_where_one_tensor_goes_on(build: Build) -> None:
    draft, samples = drafted(build)
    found = [tuple(p.node for p in s.products) for s in walk_of(draft, samples).sections()]
    assert found == [("a", "b", "c"), ("d",), ("h", "p", "y")]  # MaxPool is not learned through


@pytest.mark.parametrize(
    "options", [{}, {"activations": "int16"}, {"config": {"op_config": {"Add": {"qtype": "int16"}}}}]
)
def test_a_walk_by_sections_ends_at_the_outputs_of_the_program(build: Build, options: dict[str, Any]) -> None:
    if "config" in options:
        model, x = residual(build)
        draft, samples = quantize(model, x[:6], algorithms=(), **options).draft, [{"x": a[None]} for a in x[:6]]
    else:
        draft, samples = drafted(build, **options)
    walk = walk_of(draft, samples)
    for section in walk.sections():
        first = section.products[0]
        old = walk.draft.constants.weights[first]
        walk.draft = walk.draft.with_weights({first: Constant(old.codes // 2, old.params)})
    program = lower(walk.draft.write(), draft.profile)
    for sample, found in zip(samples, walk.outputs(), strict=True):
        expected = run_program(program, dict(sample), ["y"], reference_backend())
        np.testing.assert_array_equal(found["y"], expected["y"])


@pytest.mark.parametrize("activations", ["int8", "uint8", "int16"])
def test_the_network_that_learns_is_the_integer_program(build: Build, activations: str) -> None:
    draft, samples = drafted(build, activations=activations)
    for section in walk_of(draft, samples).sections():
        network = torch_reconstruction._Network(draft, section)
        weights = {}
        for product in section.products:
            stored = draft.constants.weights[product]
            scale, _ = stored.params.expanded(stored.codes.shape)
            weights[product.node] = torch.tensor(stored.codes * scale)
        everyone = list(range(len(samples)))
        found, results = float(network.error(everyone, weights)), section.run(draft)
        expected = sum(
            np.mean([np.square(section.expected[k][n] - results[k][n]).mean() for k in everyone])
            for n in section.expected[0]
        )
        assert found == pytest.approx(expected, rel=0.02)


def error(model: onnx.ModelProto, made: he.QuantizedModel, x: np.ndarray) -> float:
    f = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    return float(np.square(f - made.run({"x": x})["y"]).sum() / np.square(f).sum())


def test_the_program_comes_nearer_on_other_samples(build: Build) -> None:
    model, x = residual(build)
    learned = BlockReconstruction(steps=150)
    plain, made = (he.quantize_model(model, x[:32], weights="int4", algorithms=a) for a in ([], [learned]))
    assert error(model, made, x[32:]) < 0.6 * error(model, plain, x[32:])
    (report,) = made.ptq.algorithms
    assert report.changes
    assert all(change.after < change.before for change in report.changes)
    scales = [{p.node: w.params for p, w in m.ptq.draft.constants.weights.items()} for m in (plain, made)]
    assert scales[0] == scales[1]
    for product, weight in made.ptq.draft.constants.weights.items():
        real = plain.ptq.draft.arrays[product.weight] / weight.params.expanded(weight.codes.shape)[0]
        assert np.abs(weight.codes - np.clip(real, -8, 7)).max() < 1.001  # one of the two codes around
    np.testing.assert_array_equal(made.run({"x": x})["y"], made.run({"x": x}, backend="reference")["y"])


def test_what_is_no_better_is_not_taken(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = residual(build)

    def spoiled(draft: Draft, section: Any, *_: Any) -> dict[Any, np.ndarray]:
        return {p: -draft.constants.weights[p].codes.clip(-7) for p in section.products}

    monkeypatch.setattr(torch_reconstruction, "learn", spoiled)
    plain = quantize(model, x[:8], weights="int4", algorithms=())
    made = quantize(model, x[:8], weights="int4", algorithms=[BlockReconstruction()])
    assert not made.algorithms[0].changes
    assert len(made.algorithms[0].left) == 3
    assert all("no nearer" in line for line in made.algorithms[0].left)
    for product, weight in plain.draft.constants.weights.items():
        np.testing.assert_array_equal(weight.codes, made.draft.constants.weights[product].codes)


def test_the_same_file_whatever_the_number_of_threads(build: Build) -> None:
    model, x = residual(build)
    before, files = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        files.append(
            to_bytes(quantize(model, x[:12], weights="int4", algorithms=[BlockReconstruction(steps=20)]).model)
        )
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert files[0] == files[1]


def test_samples_of_several_sizes_and_a_single_one() -> None:
    model = small_models.cnn()
    batches = [{"image": small_models.images(n)} for n in (1, 3, 2, 1)]
    draft = quantize(model, batches, weights="int4", algorithms=()).draft
    for count in (3, 1):
        made = BlockReconstruction(steps=5).round_weights(draft, batches[:count], lambda: None)
        assert len(made.changes) + len(made.left) == 2
    assert judging(3) == [0, 1, 2]
    assert judging(9) == [3, 7]


def test_inputs_without_a_common_first_axis(build: Build) -> None:
    rng = np.random.default_rng(1)
    model = build(
        "g (float[4,6] x, float[1,6] r) => (float[4,3] y) "
        "{ s = Add (x, r)  t = MatMul (s, w)  u = Relu (t)  y = MatMul (u, v) }",
        w=rng.normal(size=(6, 5)).astype(np.float32),
        v=rng.normal(size=(5, 3)).astype(np.float32),
    )
    data = [{"x": rng.normal(size=(4, 6)), "r": rng.normal(size=(1, 6))} for _ in range(9)]
    samples = [{n: a.astype(np.float32) for n, a in sample.items()} for sample in data]
    made = quantize(model, samples, weights="int4", algorithms=[BlockReconstruction(steps=60)])
    (report,) = made.algorithms
    assert len(report.changes) + len(report.left) == 1


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ({"steps": 0}, {"batch": 0}, {"samples": 0}, {"rate": 0.0}):
        with pytest.raises(ParameterError, match="block-reconstruction"):
            BlockReconstruction(**wrong)  # type: ignore[arg-type]
    monkeypatch.setattr(reconstruction, "find_spec", lambda _: None)
    with pytest.raises(UnavailableError, match="needs PyTorch: pip install"):
        BlockReconstruction()
