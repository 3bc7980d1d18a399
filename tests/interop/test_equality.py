"""The check that clean-up changed nothing: what it measures, and what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_build import INT64, cleaned, model, node, port, reals, run

from halfeven.errors import DataError, ModelError
from halfeven.interop import Equality, check_equal, read_model
from halfeven.interop.equality import largest_difference

X = {"x": ["n", 3]}
Y = {"y": ["n", 3]}


def times(factor: float) -> onnx.ModelProto:
    return model([node("Mul", "x k", "y")], X, Y, {"k": np.float32(factor)})


def test_a_model_equals_itself_in_every_form(tmp_path: Path) -> None:
    onnx.save(times(2), tmp_path / "m.onnx")
    for other in (times(2), tmp_path / "m.onnx", str(tmp_path / "m.onnx"), read_model(times(2))):
        found = check_equal(times(2), other, [{"x": reals(2, 3)}, {"x": reals(1, 3)}])
        assert found == Equality(0.0, 1e-5, "y", 2)
        assert found.equal


def test_the_difference_is_relative_to_the_largest_value_over_all_samples() -> None:
    samples = [{"x": np.full((1, 3), v, np.float32)} for v in (1e-6, 1, 4)]
    found = check_equal(times(1), times(1.25), samples)
    assert found.max_relative == 0.25
    assert not found.equal
    assert str(found) == (
        "DIFFERENT from the original on 3 samples: largest relative difference 2.5e-01 at output 'y' (tolerance 1e-05)"
    )


def test_the_worst_output_is_named() -> None:
    def both(factor: float) -> onnx.ModelProto:
        nodes = [node("Mul", "x one", "y"), node("Mul", "x k", "z")]
        return model(nodes, X, {**Y, "z": ["n", 3]}, {"one": np.float32(1), "k": np.float32(factor)})

    assert check_equal(both(1), both(2), [{"x": reals(2, 3)}]).output == "z"


def test_what_float32_rounding_does_anyway_is_no_difference() -> None:
    """The output is what is left of a sum after its first four digits are taken away: rounding errors loom large."""
    ones = np.ones(8, np.float32)
    constants = {"w": reals(8, 8, 1, 1), "g": ones * 3, "b": reals(8), "m": reals(8, seed=1), "v": ones * 0.7}
    nodes = [node("Conv", "x w", "c"), node("BatchNormalization", "c g b m v", "n")]
    shape = {"x": [1, 8, 8, 8]}
    x = reals(1, 8, 8, 8, seed=2)
    (known,) = run(model(nodes, shape, {"n": [None] * 4}, constants), {"x": x})
    constants["k"] = np.round(known, 4)
    proto = model([*nodes, node("Sub", "n k", "y")], shape, {"y": [None] * 4}, constants)
    found = check_equal(proto, cleaned(proto).model, [{"x": x}])
    assert found.max_relative > 1e-3
    assert found.rounding > 1e-3
    assert found.equal


def test_the_verdict_weighs_tolerance_and_rounding() -> None:
    assert Equality(1.5e-5, 1e-5, "y", 1, rounding=1e-5).equal
    assert not Equality(2.5e-5, 1e-5, "y", 1, rounding=1e-5).equal
    assert "float32 rounding alone 1.0e-05" in str(Equality(1.5e-5, 1e-5, "y", 1, rounding=1e-5))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1.0, np.nan, np.inf], [1.0, np.nan, np.inf], (0.0, 1.0)),
        ([1.0, np.nan], [1.0, 2.0], (np.inf, 1.0)),
        ([1.0, 2.0], [1.0, np.inf], (np.inf, 1.0)),
        ([np.inf], [-np.inf], (np.inf, 1.0)),
        ([-4.0, 2.0], [-4.0, 1.0], (1.0, 4.0)),
        ([], [], (0.0, 0.0)),
        ([1.0], [1.0, 1.0], (np.inf, 1.0)),
    ],
)
def test_places_of_nan_and_infinity_count(a: list[float], b: list[float], expected: tuple[float, float]) -> None:
    assert largest_difference(np.array(a), np.array(b)) == expected


def test_types_and_words_are_compared_exactly() -> None:
    assert largest_difference(np.zeros(2, np.float32), np.zeros(2)) == (np.inf, 1.0)
    assert largest_difference(np.array(["a"], object), np.array(["b"], object)) == (np.inf, 1.0)
    assert largest_difference(np.array(["a"], object), np.array(["a"], object)) == (0.0, 1.0)
    assert largest_difference(np.array([2, 4]), np.array([2, 3])) == (1.0, 4.0)


def test_without_samples_nothing_is_claimed() -> None:
    assert str(check_equal(times(1), times(1), [])) == "not compared: no samples"


def test_wrong_samples_are_named() -> None:
    with pytest.raises(DataError, match="sample 2 has no array for the input 'x'"):
        check_equal(times(1), times(1), [{"x": reals(1, 3)}, {"z": reals(1, 3)}])
    with pytest.raises(DataError, match="sample 1 does not fit"):
        check_equal(times(1), times(1), [{"x": reals(1, 4)}])


def test_other_outputs_and_models_that_do_not_load_are_errors(tmp_path: Path) -> None:
    other = model([node("Relu", "x", "z")], X, {"z": ["n", 3]})
    with pytest.raises(ModelError, match="other outputs"):
        check_equal(times(1), other, [])
    with pytest.raises(ModelError, match="cannot load the original"):
        check_equal(tmp_path / "none.onnx", other, [])


def test_integer_inputs_and_outputs_are_compared() -> None:
    proto = model([node("Add", "i i", "y")], {}, {})
    proto.graph.input.append(port("i", [2], INT64))
    proto.graph.output.append(port("y", [2], INT64))
    assert check_equal(proto, proto, [{"i": np.array([1, 2])}]).max_relative == 0
