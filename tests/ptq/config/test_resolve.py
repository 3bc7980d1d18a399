"""The setting of each node, and where it comes from."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest

from halfeven.errors import ParameterError
from halfeven.numerics.qtype import int4, int8, int16
from halfeven.ptq.config import NodeSetting, read_config, resolve
from halfeven.ptq.config.words import FLOAT32
from halfeven.ptq.plan import make_plan

ORIGINAL = frozenset({"Conv_0", "Relu_1", "HardSigmoid_2", "Mul_3", "MaxPool_4", "Flatten_5", "Add_6", "Gemm_7"})


def settings(model: ir.Model, config: dict[str, Any]) -> dict[str, NodeSetting]:
    return {s.node: s for s in resolve(read_config(config), model, original=ORIGINAL)}


def test_without_a_word_everything_is_the_default(model: ir.Model) -> None:
    found = settings(model, {})
    assert list(found) == [str(node.name) for node in model.graph]
    assert {(s.qtype, s.source) for s in found.values()} == {(int8, "default")}
    conv = found["Conv_0"]
    assert [(i.index, i.tensor, i.is_weight, i.qtype) for i in conv.inputs] == [
        (0, "x", False, int8),
        (1, "w", True, int8),
    ]
    assert conv.weight is int8
    assert found["Mul_3"].weight is None


def test_each_level_counts_more_than_the_one_before(model: ir.Model) -> None:
    config: dict[str, Any] = {"model_config": {"all_node_type": "int16"}}
    assert settings(model, config)["Mul_3"].source == "model_config"
    config["op_config"] = {"Mul": {"qtype": "int8"}}
    assert (settings(model, config)["Mul_3"].qtype, settings(model, config)["Conv_0"].qtype) == (int8, int16)
    assert settings(model, config)["Mul_3"].source == "op_config.Mul"
    config["subgraph_config"] = {"s": {"inputs": ["HardSigmoid_2"], "outputs": ["MaxPool_4"], "qtype": "float32"}}
    found = settings(model, config)
    assert {name for name, s in found.items() if s.qtype == FLOAT32} == {"HardSigmoid_2", "Mul_3", "MaxPool_4"}
    assert found["Mul_3"].source == "subgraph_config.s"
    config["node_config"] = {"Mul_3": {"qtype": "int16", "input1": "int8"}}
    mul = settings(model, config)["Mul_3"]
    assert (mul.qtype, mul.source) == (int16, "node_config.Mul_3")
    assert [(i.tensor, i.qtype, i.source) for i in mul.inputs] == [
        ("r", int16, "node_config.Mul_3"),
        ("s", int8, "node_config.Mul_3"),
    ]
    assert (mul.type_of("r"), mul.type_of("s")) == (int16, int8)


def test_a_node_without_a_word_of_its_type_keeps_the_lesser_level(model: ir.Model) -> None:
    found = settings(model, {"op_config": {"Mul": {"qtype": "int16"}}, "node_config": {"Mul_3": {"input0": "int8"}}})
    mul = found["Mul_3"]
    assert (mul.qtype, mul.source) == (int16, "op_config.Mul")
    assert [i.qtype for i in mul.inputs] == [int8, int16]


def test_weights_have_their_own_type(model: ir.Model) -> None:
    found = settings(model, {"model_config": {"all_node_type": "int16"}, "node_config": {"Gemm_7": {"input1": "int4"}}})
    assert (found["Conv_0"].weight, found["Gemm_7"].weight) == (int8, int4)
    assert [(i.qtype, i.source) for i in found["Gemm_7"].inputs] == [
        (int16, "model_config"),
        (int4, "node_config.Gemm_7"),
    ]
    assert resolve(read_config({}), model, weights=int16)[0].weight is int16


@pytest.mark.parametrize(
    ("inputs", "outputs", "inside"),
    [
        (["Conv_0"], ["HardSigmoid_2"], {"Conv_0", "Relu_1", "HardSigmoid_2"}),
        (["r"], ["m"], {"HardSigmoid_2", "Mul_3"}),
        (["s"], ["MaxPool_4"], {"Mul_3", "MaxPool_4"}),
        (["x"], ["y"], {"Conv_0", "Relu_1", "HardSigmoid_2", "Mul_3", "MaxPool_4", "Flatten_5", "Gemm_7"}),
        (["Mul_3"], ["Mul_3"], {"Mul_3"}),
    ],
)
def test_subgraphs_are_all_ways_between_their_ends(
    model: ir.Model, inputs: list[str], outputs: list[str], inside: set[str]
) -> None:
    found = settings(model, {"subgraph_config": {"s": {"inputs": inputs, "outputs": outputs, "qtype": "int16"}}})
    assert {name for name, s in found.items() if s.qtype is int16} == inside


WRONG = {
    "node that is not there": (
        {"node_config": {"Conv_1": {"qtype": "int8"}}},
        "node_config: the node 'Conv_1' is not there: names are those of the cleaned model, did you mean 'Conv_0'",
    ),
    "node that clean-up folded": (
        {"node_config": {"Add_6": {"qtype": "int16"}}},
        "node_config: the node 'Add_6' was simplified away: names are those of the cleaned model",
    ),
    "node name in small letters": ({"node_config": {"maxpool_4": {}}}, "did you mean 'MaxPool_4'"),
    "operator that is none": (
        {"op_config": {"conv": {"qtype": "int8"}}},
        "op_config: no operator is named 'conv': did you mean 'Conv'?",
    ),
    "operator like nothing": (
        {"op_config": {"zzz": {"qtype": "int8"}}},
        "no operator is named 'zzz': there are 'Conv', 'Flatten'",
    ),
    "input that is the bias": (
        {"node_config": {"Conv_0": {"input2": "int16"}}},
        "node_config.Conv_0.input2: input 2 of 'Conv_0' (Conv) ('b') carries no codes: input0, input1 may be set",
    ),
    "input beyond the last": (
        {"node_config": {"Relu_1": {"input1": "int16"}}},
        "node_config.Relu_1.input1: 'Relu_1' (Relu) has 1 inputs: input0 may be set",
    ),
    "four bits for an activation": (
        {"node_config": {"Mul_3": {"input0": "int4"}}},
        "node_config.Mul_3.input0: int4 is a type of weights, and 'r' is an activation: int8 or int16",
    ),
    "subgraph from nowhere": (
        {"subgraph_config": {"s": {"inputs": ["Conv0"], "outputs": ["y"], "qtype": "int8"}}},
        "subgraph_config.s.inputs: no node or tensor of the cleaned model is named 'Conv0': did you mean 'Conv_0'",
    ),
    "subgraph to nowhere": (
        {"subgraph_config": {"s": {"inputs": ["x"], "outputs": ["zzz"], "qtype": "int8"}}},
        "subgraph_config.s.outputs: no node or tensor of the cleaned model is named 'zzz'",
    ),
    "subgraph backwards": (
        {"subgraph_config": {"s": {"inputs": ["MaxPool_4"], "outputs": ["Conv_0"], "qtype": "int8"}}},
        "subgraph_config.s: no way leads from MaxPool_4 to Conv_0: inputs come before outputs",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_the_model_is_one_line(model: ir.Model, name: str) -> None:
    config, message = WRONG[name]
    with pytest.raises(ParameterError) as caught:
        settings(model, config)
    assert str(caught.value).startswith("the configuration: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_changes_nothing_is_remarked(model: ir.Model) -> None:
    config = {
        "op_config": {"Softmax": {"qtype": "int16"}},
        "node_config": {"Relu_1": {"qtype": "int16"}, "Mul_3": {"qtype": "float32"}},
    }
    assert make_plan(model, ORIGINAL, config=config).warnings == (
        "the configuration: op_config.Softmax: has no effect: the cleaned model has no Softmax",
        "the configuration: node_config.Relu_1: has no effect: it is computed inside 'Conv_0', with no codes between",
    )


def test_the_plan_prints_every_node(model: ir.Model) -> None:
    config = {
        "model_config": {"activation": {"calibration_type": "kl"}},
        "op_config": {"Mul": {"qtype": "float32"}},
        "node_config": {"Gemm_7": {"input1": "int4"}},
    }
    lines = str(make_plan(model, ORIGINAL, config=config)).splitlines()
    assert [line.split() for line in lines] == [
        ["ranges:", "kl", "1024", "bins", "(symmetric)"],
        [
            "algorithms:",
            "second-order-rounding(samples=64,",
            "damping=None),",
            "bias-correction(samples=32,",
            "metric=sqnr)",
        ],
        ["node", "operator", "reads", "weight", "from"],
        ["Conv_0", "Conv", "x", "int8", "int8", "default"],
        ["Relu_1", "Relu", "inside", "Conv_0", "-", "-"],
        ["HardSigmoid_2", "HardSigmoid", "r", "int8", "-", "default"],
        ["Mul_3", "Mul", "float32:", "op_config.Mul", "keeps", "it", "in", "float32", "-", "op_config.Mul"],
        ["MaxPool_4", "MaxPool", "m", "int8", "-", "default"],
        ["Flatten_5", "Flatten", "p", "int8", "-", "default"],
        ["Gemm_7", "Gemm", "f", "int8", "int4", "default,", "node_config.Gemm_7"],
    ]


def test_the_method_is_given_once(model: ir.Model) -> None:
    config = {"model_config": {"activation": {"calibration_type": "kl"}}}
    with pytest.raises(ParameterError, match="given twice, as mse and by the configuration"):
        make_plan(model, ORIGINAL, config=config, method="mse")
    assert str(make_plan(model, ORIGINAL, config={"op_config": {}}, method="mse").choice) == "mse"


def test_unsigned_activations_are_not_combined_with_a_configuration(model: ir.Model) -> None:
    with pytest.raises(ParameterError, match="int8 or int16 activations, not uint8: set 'asymmetric'"):
        make_plan(model, ORIGINAL, config={}, activations="uint8")
