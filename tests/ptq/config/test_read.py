"""quant_config.json: what is read, and one line for each thing that is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfeven.errors import HalfevenError, ParameterError, UnsupportedError
from halfeven.numerics.qtype import int4, int8, int16
from halfeven.ptq.config import Activation, QuantConfig, Subgraph, TypeSetting, read_config
from halfeven.ptq.config.settings import WeightCorrection
from halfeven.ptq.config.words import FLOAT32, OTHER_CALIBRATION_TYPES, OTHER_TYPES
from halfeven.ptq.difference import Measure

WHOLE: dict[str, Any] = {
    "model_config": {
        "all_node_type": "int16",
        "model_output_type": "int8",
        "activation": {
            "calibration_type": ["max", "kl"],
            "num_bin": [1024, 2048],
            "max_num_bin": 16384,
            "max_percentile": [1.0, 0.99995],
            "per_channel": False,
            "asymmetric": [True, False],
        },
        "modelwise_search": {"metric": "mse"},
    },
    "op_config": {"Conv": {"qtype": "int8"}, "Softmax": {"qtype": "float32"}},
    "subgraph_config": {"head": {"inputs": ["a"], "outputs": ["b", "c"], "qtype": "int16"}},
    "node_config": {"Conv_0": {"qtype": "int16", "input0": "int16", "input1": "int4"}, "Add_1": {"input1": "int8"}},
}


def test_everything_that_is_documented_is_read(tmp_path: Path) -> None:
    path = tmp_path / "quant_config.json"
    path.write_text(json.dumps(WHOLE))
    read = read_config(path)
    assert read == QuantConfig(
        str(path),
        int16,
        int8,
        Activation(("max", "kl"), (1024, 2048), (1.0, 0.99995), (True, False)),
        Measure.MSE,
        None,
        {"Conv": TypeSetting(int8), "Softmax": TypeSetting(FLOAT32)},
        (Subgraph("head", ("a",), ("b", "c"), TypeSetting(int16)),),
        {"Conv_0": TypeSetting(int16, {0: int16, 1: int4}), "Add_1": TypeSetting(None, {1: int8})},
        read.warnings,
    )
    (remark,) = read.warnings
    assert remark.startswith(f"{path}: model_config.activation.max_num_bin: has no effect: the histogram here")
    assert read_config(str(path)).nodes == read_config(WHOLE).nodes


@pytest.mark.parametrize("empty", [{}, {"model_config": {}}, {"model_config": {"activation": {}}, "node_config": {}}])
def test_everything_may_be_left_out(empty: dict[str, Any]) -> None:
    assert read_config(empty) == QuantConfig("the configuration")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert read_config(path) == QuantConfig(str(path))


@pytest.mark.parametrize("metric", ["cosine-similarity", "mse", "mre", "sqnr", "chebyshev"])
@pytest.mark.parametrize("kind", ["modelwise", "layerwise"])
def test_searches_have_a_metric(kind: str, metric: str) -> None:
    read = read_config({"model_config": {f"{kind}_search": {"metric": metric}}})
    assert getattr(read, kind) is Measure(metric)
    assert getattr(read_config({"model_config": {f"{kind}_search": {}}}), kind) is Measure.COSINE


@pytest.mark.parametrize("key", ["type", "ON"])
def test_other_spellings_of_qtype_are_read_with_a_remark(key: str) -> None:
    read = read_config({"node_config": {"Conv_0": {key: "int16"}}})
    assert read.nodes == {"Conv_0": TypeSetting(int16)}
    assert read.warnings == (
        f"the configuration: node_config.Conv_0.{key}: read as 'qtype', which is the documented key",
    )


@pytest.mark.parametrize(
    ("activation", "remark"),
    [
        ({"num_bin": 2048}, "num_bin: has no effect without calibration_type 'kl'"),
        (
            {"calibration_type": "kl", "max_percentile": 0.9},
            "max_percentile: has no effect without calibration_type 'max'",
        ),
        ({"calibration_type": "max", "num_bin": 512}, "num_bin: has no effect without calibration_type 'kl'"),
    ],
)
def test_settings_without_effect_are_remarked(activation: dict[str, Any], remark: str) -> None:
    (found,) = read_config({"model_config": {"activation": activation}}).warnings
    assert found == f"the configuration: model_config.activation.{remark}"


def test_values_that_come_again_count_once() -> None:
    activation = {"calibration_type": ["kl", "max", "kl"], "asymmetric": [False, False]}
    read = read_config({"model_config": {"activation": activation}}).activation
    assert (read.calibration_type, read.asymmetric) == (("kl", "max"), (False,))


def inside(*path: str, value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


ACT = "model_config", "activation"
WRONG = {
    "not an object": ([], "expected an object {...}, got []"),
    "null": (None, "expected an object {...}, got null"),
    "misspelt section": ({"nodes_config": {}}, "unknown key 'nodes_config': did you mean 'node_config'?"),
    "key one level up": ({"activation": {}}, "unknown key 'activation': it belongs to model_config"),
    "key of the yaml": (
        {"calibration_parameters": {}},
        "unknown key 'calibration_parameters': there are 'model_config', 'node_config', 'op_config', 'subgraph_config'",
    ),
    "section of the wrong type": ({"node_config": ["Conv_0"]}, 'node_config: expected an object {...}, got ["Conv_0"]'),
    "empty model_config": ({"model_config": None}, "model_config: expected an object {...}, got null"),
    "misspelt key": (
        inside(*ACT, "calibratoin_type", value="max"),
        "model_config.activation: unknown key 'calibratoin_type': did you mean 'calibration_type'?",
    ),
    "upper case": (inside(*ACT, "num_Bin", value=512), "unknown key 'num_Bin': did you mean 'num_bin'?"),
    "unknown calibration": (
        inside(*ACT, "calibration_type", value="maximum"),
        "model_config.activation.calibration_type: expected one of 'max', 'kl', got \"maximum\"",
    ),
    "calibration in capitals": (
        inside(*ACT, "calibration_type", value="KL"),
        "expected one of 'max', 'kl', got \"KL\"",
    ),
    "one wrong of two": (
        inside(*ACT, "calibration_type", value=["max", 3]),
        "model_config.activation.calibration_type[1]: expected one of 'max', 'kl', got 3",
    ),
    "no values": (inside(*ACT, "calibration_type", value=[]), "expected a value, or a list with at least one, got []"),
    "list in a list": (
        inside(*ACT, "num_bin", value=[[1024]]),
        "num_bin[0]: expected an integer from 129 to 16384, got [1024]",
    ),
    "few bins": (inside(*ACT, "num_bin", value=128), "num_bin: expected an integer from 129 to 16384, got 128"),
    "bins as text": (inside(*ACT, "num_bin", value="1024"), 'expected an integer from 129 to 16384, got "1024"'),
    "bins as a float": (inside(*ACT, "num_bin", value=1024.0), "expected an integer from 129 to 16384, got 1024.0"),
    "bins true": (inside(*ACT, "num_bin", value=True), "expected an integer from 129 to 16384, got true"),
    "bins without end": (inside(*ACT, "num_bin", value=10**9000), "expected an integer from 129 to 16384, got"),
    "bins beyond their most": (
        inside(*ACT, value={"calibration_type": "kl", "num_bin": [512, 4096], "max_num_bin": 2048}),
        "max_num_bin: expected at least num_bin, 4096, got 2048",
    ),
    "most bins too few": (inside(*ACT, "max_num_bin", value=257), "max_num_bin: expected an integer from 258, got 257"),
    "percentile in percent": (
        inside(*ACT, "max_percentile", value=99.99),
        "max_percentile: expected a number from 0.5 to 1.0, got 99.99",
    ),
    "percentile too small": (
        inside(*ACT, "max_percentile", value=[1, 0.49]),
        "max_percentile[1]: expected a number from 0.5",
    ),
    "percentile not a number": (inside(*ACT, "max_percentile", value=float("nan")), "0.5 to 1.0, got nan"),
    "percentile true": (inside(*ACT, "max_percentile", value=True), "0.5 to 1.0, got true"),
    "flag as text": (inside(*ACT, "asymmetric", value="true"), 'asymmetric: expected true or false, got "true"'),
    "flag as a number": (inside(*ACT, "per_channel", value=0), "per_channel: expected true or false, got 0"),
    "all in float32": (
        inside("model_config", "all_node_type", value="float32"),
        "model_config.all_node_type: expected one of 'int8', 'int16', got \"float32\"",
    ),
    "outputs of another type": (
        inside("model_config", "model_output_type", value="uint8"),
        "model_config.model_output_type: expected one of 'int8', 'int16', got \"uint8\"",
    ),
    "two searches": (
        {"model_config": {"modelwise_search": {}, "layerwise_search": {}}},
        "model_config.layerwise_search: stands beside modelwise_search: keep one of them",
    ),
    "unknown metric": (
        inside("model_config", "modelwise_search", "metric", value="cosine"),
        "modelwise_search.metric: expected one of 'sqnr', 'cosine-similarity', 'mse', 'mre', 'chebyshev', got",
    ),
    "unknown search key": (
        inside("model_config", "layerwise_search", "metrics", value="mse"),
        "unknown key 'metrics': did you mean 'metric'?",
    ),
    "type of an operator": (
        inside("op_config", "Conv", "qtype", value="int32"),
        "op_config.Conv.qtype: expected one of 'int8', 'int16', 'float32', got \"int32\"",
    ),
    "operator with a bare type": (
        inside("op_config", "Conv", value="int16"),
        'op_config.Conv: expected an object {...}, got "int16"',
    ),
    "input in op_config": (
        inside("op_config", "Conv", value={"qtype": "int8", "input0": "int16"}),
        "op_config.Conv: unknown key 'input0': it belongs to node_config",
    ),
    "misspelt qtype": (
        inside("node_config", "Conv_0", "qtyp", value="int8"),
        "node_config.Conv_0: unknown key 'qtyp': did you mean 'qtype'?",
    ),
    "misspelt input": (
        inside("node_config", "Conv_0", "inputs0", value="int8"),
        "unknown key 'inputs0': did you mean 'input0'?",
    ),
    "input with a leading zero": (inside("node_config", "Conv_0", "input01", value="int8"), "unknown key 'input01'"),
    "two types": (
        inside("node_config", "Conv_0", value={"qtype": "int8", "type": "int16"}),
        "node_config.Conv_0: 'qtype' and 'type' both name the type: keep 'qtype'",
    ),
    "odd node names in the path": (
        inside("node_config", "/features/0/Conv", "qtype", value=8),
        "node_config['/features/0/Conv'].qtype: expected one of",
    ),
    "subgraph without ends": (
        inside("subgraph_config", "s", "qtype", value="int8"),
        "subgraph_config.s: 'inputs' is missing: name the first nodes",
    ),
    "subgraph without outputs": (
        inside("subgraph_config", "s", value={"inputs": ["a"], "qtype": "int8"}),
        "'outputs' is missing: name the last nodes",
    ),
    "subgraph without type": (
        inside("subgraph_config", "s", value={"inputs": ["a"], "outputs": ["b"]}),
        "subgraph_config.s: 'qtype' is missing",
    ),
    "subgraph ends as text": (
        inside("subgraph_config", "s", value={"inputs": "a", "outputs": ["b"], "qtype": "int8"}),
        'subgraph_config.s.inputs: expected a list of names with at least one, got "a"',
    ),
    "subgraph with empty ends": (
        inside("subgraph_config", "s", value={"inputs": [], "outputs": ["b"], "qtype": "int8"}),
        "expected a list of names with at least one, got []",
    ),
    "subgraph with an empty name": (
        inside("subgraph_config", "s", value={"inputs": [""], "outputs": ["b"], "qtype": "int8"}),
        'inputs[0]: expected a text, got ""',
    ),
    "bias correction of nothing": (
        inside("model_config", "weight", "bias_correction", "num_sample", value=0),
        "model_config.weight.bias_correction.num_sample: expected an integer from 1, got 0",
    ),
    "unknown weight key": (
        inside("model_config", "weight", "bias_corection", value={}),
        "did you mean 'bias_correction'?",
    ),
    "key that is no text": ({"node_config": {3: {}}}, "node_config: its keys are texts, and 3 is not"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_line_with_its_place(name: str) -> None:
    config, message = WRONG[name]
    with pytest.raises(ParameterError) as caught:
        read_config(config) if isinstance(config, dict) else _read_text(config)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("the configuration: ")
    assert len(str(caught.value)) < 300


def _read_text(value: Any) -> None:
    from halfeven.ptq.config.read import _Reader  # noqa: PLC0415

    _Reader("the configuration").config(value)


@pytest.mark.parametrize(
    ("entry", "read"),
    [
        ({}, WeightCorrection(1, Measure.COSINE)),
        ({"num_sample": 4, "metric": "mse"}, WeightCorrection(4, Measure.MSE)),
    ],
)
def test_bias_correction(entry: dict[str, Any], read: WeightCorrection) -> None:
    assert read_config(inside("model_config", "weight", "bias_correction", value=entry)).bias_correction == read
    assert read_config(inside("model_config", "weight", value={})).bias_correction is None


NOT_HERE = {
    "all float16": (inside("model_config", "all_node_type", value="float16"), "all_node_type: 'float16' is known"),
    "scales a channel": (
        inside(*ACT, "per_channel", value=True),
        "per_channel: one scale a channel of an activation is known",
    ),
    "scales a channel, tried": (inside(*ACT, "per_channel", value=[False, True]), "one scale a channel"),
    "activations of four bits": (
        inside("node_config", "a", "qtype", value="int4"),
        "'int4' for activations is known, but not supported here: for 4-bit weights write 'input1'",
    ),
    "an input in float": (inside("node_config", "a", "input0", value="float32"), "'float32' for one input is known"),
    "a processor": (inside("node_config", "a", "ON", value="CPU"), "a choice of processor is known"),
    **{t: (inside("node_config", "a", "qtype", value=t), f"node_config.a.qtype: '{t}' is known") for t in OTHER_TYPES},
    **{
        f"input {t}": (inside("node_config", "a", "input1", value=t), f"node_config.a.input1: '{t}' is known")
        for t in OTHER_TYPES
    },
    **{t: (inside(*ACT, "calibration_type", value=t), f"'{t}' is known") for t in OTHER_CALIBRATION_TYPES},
}


@pytest.mark.parametrize("name", NOT_HERE)
def test_what_is_known_and_not_done_here_says_so(name: str) -> None:
    config, message = NOT_HERE[name]
    with pytest.raises(UnsupportedError) as caught:
        read_config(config)
    assert message in str(caught.value)
    assert "not supported here: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON (Expecting value"),
        (b'{"node_config": }', "is not JSON (Expecting value: line 1 column 17"),
        (b"{} // comment", "is not JSON (Extra data"),
        (b'{"model_config": {"activation": {"max_percentile": NaN}}}', "is not JSON (NaN is no number of JSON)"),
        (b'{"node_config": {"a": {}, "a": {}}}', "the key 'a' stands twice in one object: keep one of them"),
        (b"\xff\xfe{}", "is not UTF-8 (byte 0): save it as UTF-8"),
        (b"[" * 100_000, "its objects are nested too deeply"),
        (b"[1]", "expected an object {...}, got [1]"),
    ],
    ids=["empty", "cut", "comment", "nan", "twice", "utf-16", "deep", "list"],
)
def test_files_that_are_no_json(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "quant_config.json"
    path.write_bytes(content)
    with pytest.raises(ParameterError) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"nowhere.json: no such file: a quant_config.json was expected"):
        read_config(tmp_path / "nowhere.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PATHS = [
    (),
    ("model_config",),
    ("op_config",),
    ("op_config", "Conv"),
    ("subgraph_config", "s"),
    ("node_config", "a"),
    ("node_config", "a", "qtype"),
    ("node_config", "a", "input0"),
    (*ACT,),
    *((*ACT, k) for k in ("calibration_type", "num_bin", "max_num_bin", "max_percentile", "per_channel", "asymmetric")),
    ("model_config", "weight"),
    ("model_config", "modelwise_search"),
]


@given(st.sampled_from(PATHS), JSON)
def test_anything_anywhere_is_read_or_refused_in_one_line(path: tuple[str, ...], value: Any) -> None:
    config = inside(*path, value=value)
    if not isinstance(config, dict):
        return
    line = refusal(config)
    assert line is None or ("\n" not in line and len(line) < 500)


def refusal(config: dict[str, Any]) -> str | None:
    try:
        read_config(config)
    except HalfevenError as error:
        return str(error)
    return None


def test_keys_with_line_breaks_stay_on_one_line() -> None:
    for config in ({"a\nb": 1}, inside("node_config", "a\nb", "c\nd", value=1), inside("op_config", "\n", value=1)):
        line = refusal(config)
        assert line is not None
        assert "\n" not in line


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"is a folder: a quant_config.json was expected, name the file"):
        read_config(tmp_path)
