"""Models quantized by a configuration: types in the file, the same bits on every backend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from halfeven.api import quantize_model
from halfeven.errors import ParameterError
from halfeven.execute import run as execute
from halfeven.interop import to_bytes
from halfeven.interop.qdq import read_quantize
from halfeven.ir.instructions import Conv, Linear, Requantize
from halfeven.lower import lower
from halfeven.ptq.keep import Keeper
from halfeven.ptq.quantize import PtqResult, quantize
from halfeven.ranges import Percentile
from halfeven.report.verify import verify

MAX = {"activation": {"calibration_type": "max"}}


def with_types(**nodes: Any) -> dict[str, Any]:
    return {
        "model_config": MAX,
        "node_config": {n: t if isinstance(t, dict) else {"qtype": t} for n, t in nodes.items()},
    }


def types_read(result: PtqResult, node: str) -> list[str]:
    """Types of the codes behind a node's inputs."""
    found = next(n for n in result.model.graph if n.name == node)
    behind = [v.producer() for v in found.inputs if v is not None]
    return [read_quantize(n).qtype.name for n in behind if n is not None and n.op_type == "DequantizeLinear"]


def own_types(result: PtqResult) -> dict[str, str]:
    return {name: params.qtype.name for name, params in result.params.items()}


def check_backends(model: ir.Model, x: np.ndarray) -> Any:
    program = lower(model, "journey6", strict=True)
    backends = [execute.native_backend(), execute.torch_backend()]
    assert verify(program, [{"x": x[:3]}], execute.reference_backend(), backends).differences == ()
    return program


def test_sixteen_bits_everywhere(proto: onnx.ModelProto, data: np.ndarray) -> None:
    result = quantize(proto, data, config={"model_config": {**MAX, "all_node_type": "int16"}})
    assert set(own_types(result).values()) == {"int16"}
    assert types_read(result, "Conv_0") == ["int16", "int8", "int32"]
    program = check_backends(result.model, data)
    assert not any(isinstance(i, Requantize) for i in program)


def test_a_tensor_is_as_wide_as_its_widest_reader(proto: onnx.ModelProto, data: np.ndarray) -> None:
    result = quantize(proto, data, config=with_types(Mul_3="int16"))
    # Mul_3 reads r and s; HardSigmoid_2 reads r too, in int8; s is an output as well
    assert own_types(result) == {
        "x": "int8",
        "r": "int16",
        "s": "int16",
        "m": "int8",
        "p": "int8",
        "f": "int8",
        "y": "int8",
    }
    assert types_read(result, "Mul_3") == ["int16", "int16"]
    assert types_read(result, "HardSigmoid_2") == ["int8"]
    program = check_backends(result.model, data)
    assert sum(isinstance(i, Requantize) for i in program) == 1
    narrow = next(row for row in result.ranges if row.reads)
    assert narrow.reads == (("HardSigmoid_2", "r"),)
    assert narrow.params.scale == np.float32(max(-narrow.lo, narrow.hi) / 128)


def test_a_product_reads_requantized_codes_and_its_bias_follows(proto: onnx.ModelProto, data: np.ndarray) -> None:
    types = with_types(MaxPool_4="int16", Gemm_7="int8")
    result = quantize(proto, data, config=types)
    assert own_types(result)["f"] == "int16"
    assert types_read(result, "Gemm_7") == ["int8", "int8", "int32"]
    gemm = next(n for n in result.model.graph if n.name == "Gemm_7")
    x, w, b = (read_quantize(v.producer()) for v in gemm.inputs)
    np.testing.assert_array_equal(b.scale, np.float32(np.float64(x.scale) * w.scale.astype(np.float64)))
    check_backends(result.model, data)


def test_inputs_of_one_node_differ(proto: onnx.ModelProto, data: np.ndarray) -> None:
    result = quantize(proto, data, config=with_types(Mul_3={"input0": "int16", "input1": "int8"}))
    assert types_read(result, "Mul_3") == ["int16", "int8"]
    check_backends(result.model, data)


@pytest.mark.parametrize(("weight", "least", "most"), [("int4", -8, 7), ("int16", -(2**15), 2**15 - 1)])
def test_weights_of_one_node(proto: onnx.ModelProto, data: np.ndarray, weight: str, least: int, most: int) -> None:
    result = quantize(proto, data, config=with_types(Gemm_7={"input1": weight}))
    program = check_backends(result.model, data)
    conv, gemm = (next(i for i in program if isinstance(i, kind)) for kind in (Conv, Linear))
    assert types_read(result, "Gemm_7")[1] == weight
    assert least <= gemm.weight.min() < (least + 1) / 2
    assert gemm.weight.max() <= most
    assert conv.weight.min() >= -128


@pytest.mark.parametrize(("given", "expected"), [({}, "int8"), ({"model_output_type": "int16"}, "int16")])
def test_the_type_of_outputs(proto: onnx.ModelProto, data: np.ndarray, given: dict[str, str], expected: str) -> None:
    result = quantize(proto, data, config={"model_config": {**MAX, **given}})
    assert {own_types(result)[name] for name in ("y", "s")} == {expected}
    assert types_read(result, "Mul_3") == ["int8", "int8"]
    check_backends(result.model, data)


def test_an_output_has_the_type_of_the_node_that_makes_it(proto: onnx.ModelProto, data: np.ndarray) -> None:
    assert own_types(quantize(proto, data, config=with_types(Gemm_7="int16")))["y"] == "int16"


def test_asymmetric_codes_are_int8_with_a_zero_point(proto: onnx.ModelProto, data: np.ndarray) -> None:
    config = {"model_config": {"activation": {"calibration_type": "max", "asymmetric": True}}}
    result = quantize(proto, data, config=config)
    r = result.params["r"]
    assert (r.qtype.name, int(r.zero_point)) == ("int8", -128)
    check_backends(result.model, data)


def test_a_node_that_stays_in_float32(proto: onnx.ModelProto, data: np.ndarray) -> None:
    result = quantize(proto, data, config=with_types(Gemm_7="float32"))
    assert [(n.name, n.reason) for n in result.placement.float_nodes] == [
        ("Gemm_7", "node_config.Gemm_7 keeps it in float32")
    ]
    assert types_read(result, "Gemm_7") == ["int8"]  # its input alone: weight and bias stay as they are
    program = lower(result.model, "journey6")
    assert [part.name for part in program.float_parts] == ["Gemm_7"]


def test_a_relu_that_stays_in_float32_is_not_fused(proto: onnx.ModelProto, data: np.ndarray) -> None:
    result = quantize(proto, data, config=with_types(Relu_1="float32"))
    assert "c" in result.params
    assert next(b for b in result.placement.blocks if b.node == "Conv_0").nodes == ("Conv_0",)


def test_calibration_is_as_the_configuration_says(proto: onnx.ModelProto, data: np.ndarray) -> None:
    activation = {"calibration_type": "max", "max_percentile": 0.99}
    result = quantize(proto, data, config={"model_config": {"activation": activation}})
    assert {row.method for row in result.ranges} == {"percentile 99 (symmetric)"}
    assert [r.params for r in result.ranges] == [r.params for r in quantize(proto, data, method=Percentile(99)).ranges]


def test_the_best_model_is_chosen_by_its_integers(proto: onnx.ModelProto, data: np.ndarray) -> None:
    data = data.copy()
    data[3, 0, 2, 2] = 80  # one pixel: max spoils every other sample
    activation = {"calibration_type": "max", "max_percentile": [1.0, 0.98]}
    config = {"model_config": {"activation": activation, "modelwise_search": {"metric": "mre"}}}
    chosen = quantize(proto, data, config=config)
    methods = {row.method for row in chosen.ranges}
    assert len(methods) == 1
    single = [
        quantize(proto, data, config={"model_config": {"activation": {**activation, "max_percentile": p}}})
        for p in (1.0, 0.98)
    ]
    assert to_bytes(chosen.model) in {to_bytes(s.model) for s in single}
    errors = [mean_error(s.model, proto, kept(data)) for s in single]
    assert to_bytes(chosen.model) == to_bytes(single[int(np.argmin(errors))].model)


def kept(data: np.ndarray) -> np.ndarray:
    """The samples that ranges are compared on."""
    keeper = Keeper(8)
    assert len(list(keeper.watch({"x": x[None]} for x in data))) == len(data)
    return np.concatenate([sample["x"] for sample in keeper.samples])


def mean_error(model: ir.Model, proto: onnx.ModelProto, data: np.ndarray) -> float:
    import onnxruntime as ort  # noqa: PLC0415

    expected = ort.InferenceSession(proto.SerializeToString()).run(["y", "s"], {"x": data})
    program = lower(model, "journey6")
    found = execute.run_program(program, {"x": data}, ["y", "s"], execute.native_backend())
    pairs = [(e, found[n]) for e, n in zip(expected, ("y", "s"), strict=True)]
    return sum(float(np.abs(f - e).sum() / np.abs(e).sum()) for e, f in pairs)


def test_each_scale_is_chosen_by_a_layerwise_search(proto: onnx.ModelProto, data: np.ndarray) -> None:
    activation = {"calibration_type": "max", "asymmetric": [False, True]}
    config = {"model_config": {"activation": activation, "layerwise_search": {"metric": "sqnr"}}}
    methods = {row.tensors[0]: row.method for row in quantize(proto, data, config=config).ranges}
    assert methods["r"] == "max (asymmetric)"  # no negative value: twice the steps


def test_the_same_twice_and_in_any_order(proto: onnx.ModelProto, data: np.ndarray) -> None:
    config = with_types(Mul_3="int16")
    config["model_config"] = {"activation": {"calibration_type": ["max", "kl"]}, "modelwise_search": {}}
    first, again = (to_bytes(quantize(proto, d, config=config).model) for d in (data, data[::-1].copy()))
    assert first == again


def test_a_configuration_of_defaults_changes_nothing(proto: onnx.ModelProto, data: np.ndarray) -> None:
    assert to_bytes(quantize(proto, data, config={}).model) == to_bytes(quantize(proto, data).model)


def test_symmetric_where_the_configuration_says_so(proto: onnx.ModelProto, data: np.ndarray) -> None:
    said = quantize(proto, data, config={"model_config": {"activation": {"asymmetric": False}}})
    assert to_bytes(said.model) == to_bytes(quantize(proto, data, method="symmetric").model)
    assert to_bytes(said.model) != to_bytes(quantize(proto, data).model)


def test_from_a_file(proto: onnx.ModelProto, data: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "quant_config.json"
    path.write_text(json.dumps(with_types(Conv_0="int16")))
    model = quantize_model(proto, data, config=path)
    assert model.inputs[0].params is not None
    assert model.inputs[0].params.qtype.name == "int16"
    assert model.ptq is not None
    assert model.ptq.settings[0].source == "node_config.Conv_0"
    path.write_text('{"node_config": {"Conv_9": {"qtype": "int16"}}}')
    with pytest.raises(ParameterError, match="Conv_9"):
        quantize_model(proto, data, config=path)
