"""One model for each defect, with the defect put in; the report must name it, and not another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import small_models
from defects import build, times

import halfeven as he
from halfeven.report.comparison import Comparison
from halfeven.report.finding import REMEDIES, Finding, Kind, Severity

Compared = Callable[..., Comparison]
RNG = np.random.default_rng(5)
IMAGES = RNG.normal(0, 1, (8, 8, 6, 6)).astype(np.float32)
MIX = RNG.normal(0, 0.4, (8, 8, 1, 1)).astype(np.float32)


def mixing(weight: np.ndarray = MIX) -> onnx.ModelProto:
    return build("g (float[N,8,6,6] x) => (float[N,8,6,6] y) { a = Conv (x, w) y = Neg (a) }", w=weight)


def found(comparison: Comparison, name: str) -> dict[Kind, Finding]:
    index = next(row.index for row in comparison.rows if row.name == name)
    return {f.kind: f for f in comparison.findings[index]}


def kinds(comparison: Comparison) -> set[Kind]:
    return {f.kind for findings in comparison.findings.values() for f in findings if f.severity > Severity.NOTE}


def test_nothing_is_said_of_a_good_model(compared: Compared) -> None:
    comparison = compared(mixing(), IMAGES)
    assert kinds(comparison) == set()
    assert any("stays above 20 dB" in str(s) for s in comparison.summary)


def test_truncation(compared: Compared) -> None:
    comparison = compared(mixing(), IMAGES, changes={"a_scale": times(1 / 6)})
    said = found(comparison, "a")
    assert next(iter(said)) is Kind.TRUNCATION
    assert said[Kind.TRUNCATION].severity is Severity.PROBLEM
    assert "are cut off" in said[Kind.TRUNCATION].text
    assert "raise the range" in said[Kind.TRUNCATION].remedy


def test_a_range_too_wide(compared: Compared) -> None:
    comparison = compared(mixing(), IMAGES, changes={"a_scale": times(30)})
    assert set(found(comparison, "a")) == {Kind.WIDE}


def test_rounding(compared: Compared) -> None:
    heavy = (RNG.standard_t(2, (8, 8, 6, 6)) * 3).astype(np.float32)
    comparison = compared(mixing(), heavy)
    said = found(comparison, "x")
    assert set(said) == {Kind.ROUNDING}
    assert "the range fits" in said[Kind.ROUNDING].text
    assert said[Kind.ROUNDING].remedy == "int16 activations"


def test_outlier_channels(compared: Compared) -> None:
    """The loud channel makes the layer's SQNR good, and the others' bad."""
    loud = np.array([1, 1, 1, 60, 1, 1, 1, 1], np.float32).reshape(8, 1, 1)
    model = build("g (float[N,8,6,6] x) => (float[N,8,6,6] y) { s = Mul (x, c) y = Neg (s) }", c=loud)
    comparison = compared(model, IMAGES)
    assert next(row for row in comparison.rows if row.name == "s").sqnr_db > 30
    said = found(comparison, "s")
    assert set(said) == {Kind.OUTLIERS}
    assert said[Kind.OUTLIERS].severity is Severity.PROBLEM
    assert said[Kind.OUTLIERS].text.startswith("the largest of 8 channels reaches")
    assert "equalize" in said[Kind.OUTLIERS].remedy


def test_one_sided_range(compared: Compared) -> None:
    model = build("g (float[N,8,6,6] x) => (float[N,8,6,6] y) { a = Conv (x, w) b = Relu (a) y = Neg (b) }", w=MIX)
    said = found(compared(model, IMAGES**3, method="symmetric"), "b")
    assert said[Kind.ASYMMETRY].severity is Severity.NOTE
    assert "asymmetric ones gain 6.0 dB" in said[Kind.ASYMMETRY].text
    assert Kind.ASYMMETRY not in found(compared(model, IMAGES**3, activations="uint8"), "b")


def test_weights(compared: Compared) -> None:
    weight = RNG.standard_t(3, (8, 8, 1, 1)).astype(np.float32)
    comparison = compared(mixing(weight), IMAGES, weights="int4")
    said = found(comparison, "a")
    assert set(said) == {Kind.WEIGHTS}
    assert "4-bit codes" in said[Kind.WEIGHTS].text


def test_coarse_inputs(compared: Compared) -> None:
    """Differences of nearly equal channels: rounding that is small beside the operands is large beside the result."""
    base = RNG.normal(0, 1, (8, 1, 6, 6))
    alike = (base + RNG.normal(0, 0.01, (8, 8, 6, 6))).astype(np.float32)
    pairs = (np.eye(8) - np.roll(np.eye(8), 1, axis=1)).astype(np.float32).reshape(8, 8, 1, 1)
    said = found(compared(mixing(pairs), alike), "a")
    assert set(said) == {Kind.OPERANDS}
    assert said[Kind.OPERANDS].severity is Severity.PROBLEM
    assert "'x'" in said[Kind.OPERANDS].text


def test_dead_channels(compared: Compared) -> None:
    weight = MIX.copy()
    weight[[2, 5]] = 0
    said = found(compared(mixing(weight), IMAGES), "a")
    assert said[Kind.DEAD].text.startswith("2 of 8 channels are constant in the float model")


def test_lost_channels(compared: Compared) -> None:
    weight = MIX.copy()
    weight[4] /= 2000
    said = found(compared(mixing(weight), IMAGES), "a")
    assert said[Kind.LOST].text.startswith("1 of 8 channels are one code throughout")


def test_a_constant_error(compared: Compared) -> None:
    bias = np.zeros(8, np.float32)
    model = build("g (float[N,8,6,6] x) => (float[N,8,6,6] y) { a = Conv (x, w, b) y = Neg (a) }", w=MIX, b=bias)
    comparison = compared(model, IMAGES, changes={"b_quantized": lambda codes: codes + 3000})
    said = found(comparison, "a")
    assert Kind.BIAS in said
    assert said[Kind.BIAS].remedy == "bias correction"


def test_an_equalized_model(compared: Compared) -> None:
    factors = np.array([1, 2, 4, 8, 0.5, 0.25, 1, 3], np.float32)
    text = "g (float[N,8,6,6] x) => (float[N,8,6,6] y) { a = Conv (x, w) b = Relu (a) y = Conv (b, v) }"
    second = RNG.normal(0, 0.4, (8, 8, 1, 1)).astype(np.float32)
    model = build(text, w=MIX, v=second)
    equalized = build(text, w=MIX * factors.reshape(8, 1, 1, 1), v=second / factors.reshape(8, 1, 1))
    comparison = compared(equalized, IMAGES, against=model)
    assert set(found(comparison, "b")) == {Kind.SCALED}
    assert found(comparison, "b")[Kind.SCALED].severity is Severity.NOTE
    assert Kind.SCALED not in found(comparison, "y")


@pytest.mark.parametrize(
    ("data", "words"),
    [(IMAGES * 255, "0..255 where 0..1"), (IMAGES / 255, "0..1 where 0..255"), (IMAGES * 4, "scale or mean missing")],
)
def test_preprocessing_of_another_scale(compared: Compared, data: np.ndarray, words: str) -> None:
    said = found(compared(mixing(), IMAGES, data.astype(np.float32)), "x")
    assert set(said) == {Kind.PREPROCESSING}
    assert words in said[Kind.PREPROCESSING].text


def test_preprocessing_without_the_mean(compared: Compared) -> None:
    model = build("g (float[N,3,6,6] x) => (float[N,3,6,6] y) { y = Abs (x) }")
    calibration = RNG.uniform(-2, 2.5, (4, 3, 6, 6)).astype(np.float32)
    data = RNG.uniform(0, 1, (4, 3, 6, 6)).astype(np.float32)
    text = found(compared(model, calibration, data, activations="uint8"), "x")[Kind.PREPROCESSING].text
    assert "a mean is not subtracted" in text
    assert "(RGB or BGR?)" in text


def test_an_output_pinned_at_its_range(compared: Compared) -> None:
    model = build("g (float[N,8,6,6] x) => (float[N,8,6,6] y) { a = Conv (x, w) y = Exp (a) }", w=MIX)
    comparison = compared(model, IMAGES, changes={"y_scale": times(1 / 20)})
    said = found(comparison, "y")
    assert next(iter(said)) is Kind.PINNED
    assert "are the highest one" in said[Kind.PINNED].text


def test_inherited(compared: Compared) -> None:
    comparison = compared(mixing(), IMAGES, changes={"x_scale": times(40), "b_quantized": times(1)})
    assert Kind.INHERITED in found(comparison, "y")
    assert "layers before" in found(comparison, "y")[Kind.INHERITED].text


def test_float32(compared: Compared) -> None:
    data = RNG.normal(0, 1, (5, 4)).astype(np.float32)
    comparison = compared(small_models.not_integer(), data)
    said = found(comparison, "b")
    assert "CumSum" in said[Kind.FLOAT].text


def test_every_kind_has_a_remedy() -> None:
    assert set(REMEDIES) == set(Kind)


def test_inputs_beyond_the_calibrated_range_are_cut_off_and_not_scaled() -> None:
    """Saturated, every channel is a fraction of itself: that must not pass for an equalized model."""
    model, images = small_models.cnn(), small_models.images(32)
    quantized = he.quantize_model(model, images)
    for data in (images * 8, images + 6):
        comparison = quantized.compare(model, data, speed=False)
        assert set(found(comparison, "image")) == {Kind.PREPROCESSING}
        assert Kind.TRUNCATION in found(comparison, "s")
        assert not any(f.kind is Kind.SCALED for findings in comparison.findings.values() for f in findings)


def test_what_reads_something_cut_off_says_so(compared: Compared) -> None:
    """The sum of a difference is small; what is cut off of its operands is large beside it."""
    base = RNG.normal(0, 1, (8, 1, 6, 6))
    alike = (base + RNG.normal(0, 0.3, (8, 8, 6, 6))).astype(np.float32)
    pairs = (np.eye(8) - np.roll(np.eye(8), 1, axis=1)).astype(np.float32).reshape(8, 8, 1, 1)
    said = found(compared(mixing(pairs), alike, changes={"x_scale": times(1 / 4)}), "a")
    assert set(said) == {Kind.CUT_OPERANDS}
    assert "because what it reads is cut off: of 'x' values reach" in said[Kind.CUT_OPERANDS].text
    assert "raise the range of what it reads" in said[Kind.CUT_OPERANDS].remedy
