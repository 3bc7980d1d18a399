"""The golden corpus through the board headers, each case in two floating-point modes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from halfeven.numerics.params import AffineParams
from halfeven.numerics.profile import profiles
from halfeven.numerics.qtype import get_qtype

Program = Callable[..., NDArray[Any]]
Case = dict[str, Any]

CORPUS = Path(__file__).parents[3] / "golden" / "corpus.py"
ELSEWHERE = {"matmul", "conv2d", "choose_params"}  # not functions of the headers
MODES = ["nearest", "up+flush"]


def load() -> list[Case]:
    spec = importlib.util.spec_from_file_location("corpus", CORPUS)
    assert spec is not None
    assert spec.loader is not None
    corpus = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(corpus)
    return list(corpus.load())


CASES = load()


def of(*operations: str) -> Any:
    """The cases of some operations, as the test's parameter; at least one of each is there."""
    chosen = [case for case in CASES if case["operation"] in operations]
    assert {case["operation"] for case in chosen} == set(operations)
    return pytest.mark.parametrize("case", chosen, ids=lambda c: f"{c['operation']}: {c['name']}")


def words(x: Any) -> list[str]:
    """float32 as bit patterns in hex."""
    return [f"{bits:08x}" for bits in np.atleast_1d(np.asarray(x, np.float32)).view(np.uint32)]


def bits(x: Any) -> NDArray[np.uint32]:
    return np.ascontiguousarray(x, np.float32).view(np.uint32)


def channels(params: Case, shape: tuple[int, ...]) -> tuple[int, Any, Any, tuple[int, ...]]:
    """Axis, scales, zero points and shape for the tensor functions; blocks become one channel an element."""
    scale, zero = params["scale"], params["zero_point"]
    if params["block_size"] is None:
        return (-1 if params["axis"] is None else params["axis"] % len(shape)), scale, zero, shape
    one_each = AffineParams(scale, zero, params["qtype"], params["axis"], params["block_size"]).expanded(shape)
    return 0, one_each[0].reshape(-1), one_each[1].reshape(-1), (int(np.prod(shape)),)


def whole_tensor(tensors: Program, numbers: Any, params: Case, result: Any, *operation: str, mode: str) -> Any:
    qtype = get_qtype(params["qtype"])
    axis, scale, zero, shape = channels(params, numbers.shape)
    data = np.float32(scale).tobytes() + np.int32(zero).tobytes() + np.ascontiguousarray(numbers).tobytes()
    options = (*operation, qtype.storage, qtype.qmin, qtype.qmax, axis, np.size(scale), *shape)
    return tensors(data, result, *options, mode=mode).reshape(numbers.shape)


def test_every_operation_of_the_corpus_is_known() -> None:
    affine = {"quantize", "dequantize", "requantize", "multiplier", "multiplier_from_scales"}
    handled = affine | {"binary", "log2", "pack_int4"}
    assert {case["operation"] for case in CASES} == ELSEWHERE | handled


@pytest.mark.parametrize("mode", MODES)
@of("quantize")
def test_quantize(tensors: Program, case: Case, mode: str) -> None:
    storage = get_qtype(case["params"]["qtype"]).storage
    got = whole_tensor(tensors, case["x"], case["params"], storage, "quantize", case["profile"], mode=mode)
    np.testing.assert_array_equal(got, case["codes"], case.get("why", ""))


@pytest.mark.parametrize("mode", MODES)
@of("dequantize")
def test_dequantize(tensors: Program, case: Case, mode: str) -> None:
    got = whole_tensor(tensors, case["codes"], case["params"], np.uint32, "dequantize", mode=mode)
    np.testing.assert_array_equal(got, bits(case["reals"]), case.get("why", ""))


@of("requantize")
def test_requantize(codes: Program, case: Case) -> None:
    qtype, acc, m = get_qtype(case["params"]["qtype"]), case["acc"], case["multiplier"]
    axis = 0 if case["axis"] is None else case["axis"]
    rows = np.moveaxis(acc, axis, 0) if case["axis"] is not None else acc[None]
    expected = np.moveaxis(case["codes"], axis, 0) if case["axis"] is not None else case["codes"][None]
    zero = np.broadcast_to(case["params"]["zero_point"], (len(rows),))
    m0, shift = np.broadcast_to(m["m0"], (len(rows),)), np.broadcast_to(m["shift"], (len(rows),))
    method = profiles[case["profile"]].requantize
    assert method is not None
    for k, row in enumerate(rows):
        options = ("requantize", int(method), acc.dtype, qtype.storage, m0[k], shift[k], m["bits"], zero[k])
        got = codes(row, qtype.storage, *options, qtype.qmin, qtype.qmax).reshape(row.shape)
        np.testing.assert_array_equal(got, expected[k], case.get("why", ""))


@of("multiplier")
def test_multiplier(codes: Program, case: Case) -> None:
    got = codes(case["value"], np.int64, "from_real", case["bits"], int(case["half_away"])).reshape(-1, 2)
    np.testing.assert_array_equal(got, np.stack([case["m0"], case["shift"]], 1), case.get("why", ""))


@of("multiplier_from_scales")
def test_multiplier_from_scales(codes: Program, case: Case) -> None:
    scales = np.stack([case["s1"], case["s2"], case["s3"]], 1)
    got = codes(scales, np.int64, "from_scales", case["profile"]).reshape(-1, 2)
    np.testing.assert_array_equal(got, np.stack([case["m0"], case["shift"]], 1))


@pytest.mark.parametrize("mode", MODES)
@of("binary", "log2")
def test_nonlinear(codes: Program, case: Case, mode: str) -> None:
    assert case["axis"] is None
    name, (scale,) = case["operation"], words(case["scale"])
    options = (scale, case["bits"]) if name == "log2" else ()
    np.testing.assert_array_equal(codes(case["x"], np.int8, name, *options, mode=mode), case["codes"])
    reals = codes(case["codes"], np.uint32, f"dequantize_{name}", scale, mode=mode)
    np.testing.assert_array_equal(reals, bits(case["reals"]))


@of("pack_int4")
def test_pack_int4(tensors: Program, case: Case) -> None:
    np.testing.assert_array_equal(tensors(case["codes"], np.uint8, "pack"), case["packed"])
