"""What read_model makes of files that are fine: external data, unsorted nodes, unnamed sizes, models in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.testing import assert_array_equal
from onnx import TensorProto, helper
from onnx_build import model, node, ops, port, reals, run

from halfeven.interop import describe, read_model, write_model
from halfeven.interop.parse import parse_model

X = {"x": ["n", 3, "h", "w"]}
Y = {"y": [None] * 4}


def conv() -> onnx.ModelProto:
    return model([node("Conv", "x w", "y")], X, Y, {"w": reals(20, 3, 5, 5)})


def test_a_path_and_a_model_in_memory_read_alike(tmp_path: Path) -> None:
    onnx.save(conv(), tmp_path / "m.onnx")
    for found in (read_model(tmp_path / "m.onnx"), read_model(str(tmp_path / "m.onnx")), read_model(conv())):
        assert ops(found) == {"Conv": 1}
        assert_array_equal(run(found, {"x": reals(1, 3, 8, 8)})[0], run(conv(), {"x": reals(1, 3, 8, 8)})[0])


def test_a_given_model_is_left_as_it_is() -> None:
    proto = model(
        [node("Relu", "a", "y"), node("Clip", "x", "a", min=0.0)], {"x": [-1, "?", None]}, {"y": [None] * 3}, opset=9
    )
    before = proto.SerializeToString(deterministic=True)
    read_model(proto)
    assert proto.SerializeToString(deterministic=True) == before


def test_external_data_is_read_from_beside_the_model(tmp_path: Path) -> None:
    onnx.save(conv(), tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    assert (tmp_path / "m.data").stat().st_size > 0
    found = read_model(tmp_path / "m.onnx")
    assert_array_equal(run(found, {"x": reals(1, 3, 8, 8)})[0], run(conv(), {"x": reals(1, 3, 8, 8)})[0])


def test_unsorted_nodes_are_brought_into_order() -> None:
    proto = model([node("Neg", "b", "y"), node("Relu", "a", "b"), node("Abs", "x", "a")], X, Y)
    found = read_model(proto)
    assert [n.op_type for n in found.graph] == ["Abs", "Relu", "Neg"]


def test_every_unknown_size_of_an_input_is_one_of_its_own() -> None:
    proto = model([node("Relu", "x", "y")], {"x": [-1, "?", "?", None, 4, "w"]}, {"y": [-1] * 6})
    assert describe(read_model(proto)).inputs[0].shape == ("x_0", "x_1", "x_2", "x_3", 4, "w")


def test_inferred_shapes_stand_on_values() -> None:
    proto = model([node("Relu", "x", "a"), node("MaxPool", "a", "y", kernel_shape=[2, 2])], {"x": [1, 3, 6, 8]}, Y)
    found = read_model(proto)
    assert [v.shape for n in found.graph for v in n.outputs if v.shape is not None] == [[1, 3, 6, 8], [1, 3, 5, 7]]


def test_an_output_of_unknown_rank_is_fine() -> None:
    proto = model([node("Reshape", "x s", "y")], {**X}, {"y": None})
    proto.graph.input.append(port("s", ["k"], TensorProto.INT64))
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    assert describe(read_model(proto)).outputs[0].shape is None


def test_operators_of_onnxruntime_are_known() -> None:
    proto = model([node("FusedMatMul", "x x", "y", domain="com.microsoft", transB=1)], {"x": [2, 3]}, {"y": [2, 2]})
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert ops(read_model(proto)) == {"FusedMatMul": 1}


def test_the_long_name_of_the_onnx_domain_is_the_short_one() -> None:
    proto = model([node("Relu", "x", "y", domain="ai.onnx")], X, Y)
    proto.opset_import[0].domain = "ai.onnx"
    found = read_model(proto)
    assert [n.domain for n in found.graph] == [""]
    assert found.opset_imports == {"": 21}


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8, np.uint8, np.int64, np.bool_])
@pytest.mark.parametrize("raw", [True, False])
def test_tensors_of_every_storage_are_read(dtype: type, raw: bool) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    onnx_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    values = array.tobytes() if raw else array.reshape(-1)
    tensor = helper.make_tensor("k", onnx_type, array.shape, values, raw=raw)
    proto = model([node("Cast", "k", "c", to=TensorProto.FLOAT), node("Add", "x c", "y")], {"x": [2, 3]}, {"y": [2, 3]})
    proto.graph.initializer.append(tensor)
    x = reals(2, 3)
    assert_array_equal(run(read_model(proto), {"x": x})[0], x + array.astype(np.float32))


def test_four_bit_tensors_are_read() -> None:
    tensor = helper.make_tensor("k", TensorProto.INT4, [3], [-8, 7, 1])
    nodes = [node("DequantizeLinear", "k s", "c"), node("Add", "x c", "y")]
    proto = model(nodes, {"x": [3]}, {"y": [3]}, {"s": np.float32(0.5)}, opset=21)
    proto.graph.initializer.append(tensor)
    found = read_model(proto)
    x = reals(3)
    assert_array_equal(run(found, {"x": x})[0], x + np.array([-4, 3.5, 0.5], np.float32))


def test_a_model_of_more_than_2_gb_is_read(tmp_path: Path) -> None:
    """The tensors of 2.1 GB are a hole in a sparse file: nothing is held in memory but what is asked for."""
    count = 2**31 // 4 + 2**24
    proto = model([node("Gather", "k i", "g"), node("Add", "x g", "y")], {"x": [1]}, {"y": [1]}, {"i": np.array([0])})
    tensor = TensorProto(name="k", data_type=TensorProto.FLOAT, dims=[count])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "k.bin", "offset": "0", "length": str(4 * count)}.items():
        tensor.external_data.add(key=key, value=value)
    proto.graph.initializer.append(tensor)
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    with (tmp_path / "k.bin").open("wb") as file:
        file.truncate(4 * count)
    found = read_model(tmp_path / "m.onnx")
    kept = found.graph.initializers["k"].const_value
    assert kept is not None
    assert kept.nbytes == 4 * count


def test_writing_above_the_limit_puts_tensors_beside(tmp_path: Path) -> None:
    write_model(conv(), tmp_path / "m.onnx", embedded_limit=100)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    found = read_model(tmp_path / "m.onnx")
    assert_array_equal(run(found, {"x": reals(1, 3, 8, 8)})[0], run(conv(), {"x": reals(1, 3, 8, 8)})[0])
    assert parse_model(tmp_path / "m.onnx").producer_name == "halfeven"
