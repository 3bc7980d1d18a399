"""Attention of opset 23 opened into products, masks and Softmax that compute the same; what is more than that stays."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx_build import cleaned, ops, reals, run

from halfeven.interop import to_bytes

B, H, L, M, D = 2, 3, 5, 5, 4
QKV = {name: reals(B, H, L, D, seed=k) for k, name in enumerate("qkv")}
PACKED = {name: a.transpose(0, 2, 1, 3).reshape(B, L, H * D) for name, a in QKV.items()}
KEEP = np.random.default_rng(3).random((B, 1, L, M)) < 0.6
KEEP[..., 0] = True
ADDED = reals(L, M, seed=9)


def model(call: str, mask: str = "", shape: str = f"{B},{H},{L},{D}", **constants: np.ndarray) -> onnx.ModelProto:
    ports = ", ".join(f"float[{shape}] {name}" for name in "qkv")
    text = f"""<ir_version: 11, opset_import: ["" : 23]>
      g ({ports}{mask}) => (float[{shape}] y) {{ y = Attention {call} }}"""
    made = onnx.parser.parse_model(text)
    made.graph.initializer.extend(onnx.numpy_helper.from_array(a, name) for name, a in constants.items())
    return made


def opened(proto: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, int]:
    found = cleaned(proto).model
    onnx.checker.check_model(onnx.load_from_string(to_bytes(found)), full_check=True)
    np.testing.assert_allclose(run(found, feeds)[0], run(proto, feeds)[0], rtol=1e-5, atol=1e-6)
    return ops(found)


PLAIN = {"Mul": 1, "Transpose": 1, "MatMul": 2, "Softmax": 1}
MASK = f", bool[{B},1,{L},{M}] m"


@pytest.mark.parametrize(
    ("call", "mask", "constants", "more"),
    [
        ("(q, k, v)", "", {}, {}),
        ("<scale = 0.3> (q, k, v)", "", {}, {}),
        ("<is_causal = 1> (q, k, v)", "", {}, {"Add": 1}),
        ("(q, k, v, m)", MASK, {}, {"Where": 2, "ReduceMax": 1}),
        ("<is_causal = 1> (q, k, v, m)", MASK, {}, {"Where": 2, "ReduceMax": 1, "And": 1}),
        ("(q, k, v, m)", f", float[{L},{M}] m", {}, {"Add": 1}),
        ("<is_causal = 1> (q, k, v, m)", f", float[{L},{M}] m", {}, {"Add": 2}),
        ("(q, k, v, m)", "", {"m": ADDED}, {"Add": 1}),
    ],
)
def test_it_is_opened(call: str, mask: str, constants: dict[str, np.ndarray], more: dict[str, int]) -> None:
    feeds = QKV | ({} if not mask else {"m": KEEP if "bool" in mask else ADDED})
    assert opened(model(call, mask, **constants), feeds) == PLAIN | more


def test_packed_heads_are_taken_apart() -> None:
    proto = model(f"<q_num_heads = {H}, kv_num_heads = {H}> (q, k, v)", shape=f"{B},{L},{H * D}")
    assert opened(proto, PACKED) == PLAIN | {"Transpose": 5, "Reshape": 4}


@pytest.mark.parametrize(
    "call",
    [
        "<softcap = 2.0> (q, k, v)",
        "(q, k, v, , k, v)",
    ],
)
def test_what_is_more_than_that_stays(call: str) -> None:
    assert ops(cleaned(model(call)).model)["Attention"] == 1


def test_lengths_that_are_not_known_leave_an_order_as_it_is() -> None:
    free = f"N,{H},L,{D}"
    assert ops(cleaned(model("<is_causal = 1> (q, k, v)", shape=free)).model) == {"Attention": 1}
    assert opened(model("(q, k, v)", shape=free), QKV) == PLAIN
