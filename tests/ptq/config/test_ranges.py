"""What a configuration asks of the ranges."""

from __future__ import annotations

from typing import Any

import pytest

from halfeven.ptq.choice import SYMMETRIC, BestModel, BestOf, Candidate
from halfeven.ptq.config import read_config
from halfeven.ptq.config.ranges import range_choice
from halfeven.ptq.difference import Measure
from halfeven.ranges import MAX, Kl, Method, Percentile


def asked(activation: dict[str, Any] | None = None, **searches: dict[str, Any]) -> BestOf | BestModel | None:
    model = {**({} if activation is None else {"activation": activation}), **searches}
    return range_choice(read_config({"model_config": model}))


def symmetric(*methods: Method) -> tuple[Candidate, ...]:
    return tuple(Candidate(m, symmetric=True) for m in methods)


def test_nothing_said_is_nothing_asked() -> None:
    assert asked() is None
    assert asked({}) is None


@pytest.mark.parametrize(
    ("activation", "method"),
    [
        ({"calibration_type": "max"}, MAX),
        ({"calibration_type": "max", "max_percentile": 0.9999}, Percentile(99.99)),
        ({"calibration_type": "max", "max_percentile": 0.5}, Percentile(50)),
        ({"calibration_type": "kl"}, Kl(1024)),
        ({"calibration_type": ["kl"], "num_bin": [512]}, Kl(512)),
    ],
)
def test_single_values_are_one_method(activation: dict[str, Any], method: Method) -> None:
    assert asked(activation) == BestOf(symmetric(method))
    found = asked({**activation, "asymmetric": True})
    assert found == BestOf((Candidate(method, symmetric=False),))


def test_lists_are_a_search_over_models() -> None:
    activation = {"calibration_type": ["max", "kl"], "max_percentile": [1.0, 0.999], "num_bin": [256, 512]}
    methods = MAX, Percentile(99.9), Kl(256), Kl(512)
    assert asked(activation) == BestModel(symmetric(*methods), Measure.COSINE)
    assert asked(activation, modelwise_search={"metric": "mse"}) == BestModel(symmetric(*methods), Measure.MSE)
    assert asked(activation, layerwise_search={"metric": "sqnr"}) == BestOf(symmetric(*methods), Measure.SQNR)


def test_symmetric_and_not_is_a_search_too() -> None:
    both = Candidate(MAX, symmetric=True), Candidate(MAX, symmetric=False)
    assert asked({"calibration_type": "max", "asymmetric": [False, True]}) == BestModel(both, Measure.COSINE)


def test_without_a_method_the_preset_ones_are_tried() -> None:
    preset = tuple(c.method for c in SYMMETRIC.candidates)
    assert asked({"asymmetric": True}) == BestOf(tuple(Candidate(m, symmetric=False) for m in preset))
    assert asked(modelwise_search={}) == BestModel(symmetric(*preset), Measure.COSINE)
    assert asked(layerwise_search={"metric": "mre"}) == BestOf(symmetric(*preset), Measure.MRE)
