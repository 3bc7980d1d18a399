"""PP-OCR's three networks as exported (opset 11 and 12): what clean-up leaves of them, equal in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_build import ops

from halfeven.demo.ppocr import cls_model, det_model, line_input, page_input, rec_model
from halfeven.demo.text_images import text_lines, text_pages
from halfeven.errors import ModelError, UnavailableError
from halfeven.interop import check_equal, clean_up, describe, read_model, to_bytes

Feeds = list[dict[str, np.ndarray]]


def lines(width: int | None) -> Feeds:
    return [{"x": line_input(line.image, width)} for line in text_lines(3, seed=1)]


def pages() -> Feeds:
    return [{"x": page_input(page.image)} for page in text_pages(1, seed=1)]


MODELS: dict[str, tuple[Callable[[], Path], Callable[[], Feeds], dict[str, int]]] = {
    "cls": (cls_model, lambda: lines(192), {"Conv": 53, "HardSwish": 18, "HardSigmoid": 9, "Gemm": 1, "Softmax": 1}),
    "det": (det_model, pages, {"Conv": 62, "ConvTranspose": 2, "HardSwish": 24, "HardSigmoid": 10}),
    "rec": (rec_model, lambda: lines(None), {"Conv": 38, "HardSwish": 28, "LayerNormalization": 5, "Softmax": 3}),
}


@pytest.fixture(params=MODELS)
def case(request: pytest.FixtureRequest) -> tuple[Path, Callable[[], Feeds], dict[str, int]]:
    load, feeds, expected = MODELS[request.param]
    try:
        return load(), feeds, expected
    except UnavailableError as error:
        pytest.skip(str(error))


def test_clean_up_of_a_real_model(case: tuple[Path, Callable[[], Feeds], dict[str, int]]) -> None:
    path, feeds, expected = case
    original = read_model(path)
    found = clean_up(original)
    counts = ops(found.model)
    assert {name: counts.get(name) for name in expected} == expected
    gone = {"BatchNormalization", "Constant", "Identity", "Shape", "Cast", "Clip", "Div", "Dropout", "Flatten", "Pow"}
    assert not gone & set(counts)
    onnx.checker.check_model(onnx.load_from_string(to_bytes(found.model)), full_check=True)
    equality = check_equal(path, found.model, feeds())
    assert equality.equal, str(equality)
    assert equality.max_relative < 2e-5
    assert all(value.shape is not None for node in found.model.graph for value in node.outputs)
    assert [p.name for p in describe(found.model).inputs] == ["x"]
    assert not isinstance((describe(found.model).inputs[0].shape or (0,))[0], int)


def test_a_real_model_cut_short_is_refused(
    case: tuple[Path, Callable[[], Feeds], dict[str, int]], tmp_path: Path
) -> None:
    data = case[0].read_bytes()
    for cut in (1, 100, len(data) // 3, len(data) // 2, len(data) - 1):
        (tmp_path / "m.onnx").write_bytes(data[:cut])
        with pytest.raises(ModelError, match="truncated or damaged"):
            read_model(tmp_path / "m.onnx")
