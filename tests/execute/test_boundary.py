"""What may be given and taken at a boundary; what may not is refused before anything runs, and harms nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import cnn, images, not_integer

import halfeven
from halfeven.errors import DataError, HalfevenError, NotANumberError, ParameterError, ResourceError
from halfeven.execute import memory
from halfeven.ir import instructions as ir


@pytest.fixture(scope="module")
def model() -> halfeven.QuantizedModel:
    return halfeven.quantize_model(cnn(), {"image": images(4)})


@pytest.fixture(scope="module")
def expected(model: halfeven.QuantizedModel) -> Any:
    return model.run({"image": images(3)}, backend="reference")["score"]


@contextmanager
def refused(model: halfeven.QuantizedModel, kind: type[HalfevenError], words: str) -> Iterator[None]:
    """Something is refused in these words, and the model still gives its answers."""
    with pytest.raises(kind, match=words):
        yield
    again = model.run({"image": images(3)})["score"]
    np.testing.assert_array_equal(again, model.run({"image": images(3)}, backend="reference")["score"])


LAYOUTS: list[Callable[[Any], Any]] = [
    lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),  # channels last
    lambda x: np.repeat(x, 2, axis=3)[..., ::2],
    lambda x: x[::-1, :, ::-1].copy()[::-1, :, ::-1],  # negative strides
    np.asfortranarray,
    lambda x: x.astype(np.float64),
    lambda x: x.astype(">f4"),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("count", [1, 3])
def test_any_layout_gives_the_same(
    model: halfeven.QuantizedModel, expected: Any, layout: Callable[[Any], Any], count: int
) -> None:
    found = model.run({"image": layout(images(3)[:count])})["score"]
    np.testing.assert_array_equal(found, expected[:count])


@pytest.mark.parametrize("backend", ["native", "reference", "torch", "onnxruntime"])
def test_tensors_of_torch_are_read_and_written_in_place(model: halfeven.QuantizedModel, backend: str) -> None:
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(images(3)).to(memory_format=torch.channels_last)
    room = torch.full((3, 5), float("nan"))
    found = model.run({"image": x}, backend=backend, into={"score": room})
    np.testing.assert_array_equal(room.numpy(), model.run({"image": images(3)}, backend=backend)["score"])
    assert np.shares_memory(found["score"], room.numpy())
    with refused(model, DataError, r"input 'image' cannot be read in place \(.*gradient"):
        model.run({"image": x.clone().requires_grad_()}, backend=backend)


def test_results_go_into_any_layout(model: halfeven.QuantizedModel, expected: Any) -> None:
    room = np.zeros((3, 10), np.float32)[:, ::2]
    model.run({"image": images(3)}, into={"score": room})
    np.testing.assert_array_equal(room, expected)
    with refused(model, DataError, "output 'score' is float32, not float64"):
        model.run({"image": images(3)}, into={"score": np.zeros((3, 5))})
    with refused(model, DataError, r"output 'score' has shape \(3, 5\), not \(4, 5\)"):
        model.run({"image": images(3)}, into={"score": np.zeros((4, 5), np.float32)})
    with refused(model, DataError, "there is no output 'scores': outputs are score"):
        model.run({"image": images(3)}, into={"scores": room})
    room.flags.writeable = False
    with refused(model, DataError, "output 'score' cannot be written in place: it is read-only"):
        model.run({"image": images(3)}, into={"score": room})


@pytest.mark.parametrize("backend", ["native", "reference", "torch", "onnxruntime"])
def test_wrong_inputs_are_named(model: halfeven.QuantizedModel, backend: str) -> None:
    good = images(3)
    for feeds, kind, words in (
        ({}, DataError, "inputs are image: 'image' is missing"),
        ({"image": good, "mask": good}, DataError, "there is no 'mask'"),
        ({"image": good[:, :2]}, DataError, r"input 'image' takes shape \(N, 3, 12, 12\), not \(3, 2, 12, 12\)"),
        ({"image": good[0]}, DataError, "takes shape"),
        ({"image": good.astype(np.int32)}, DataError, "input 'image' takes float32, not int32"),
        ({"image": np.full(good.shape, "a")}, DataError, "input 'image' takes float32"),
        ({"image": np.where(good > 1, np.nan, good)}, NotANumberError, "tensor 'image' has [0-9]+ NaN"),
    ):
        with refused(model, kind, words):
            model.run(feeds, backend=backend)
    with refused(model, DataError, "a dict of arrays by input name was expected, not ndarray: inputs are image"):
        model.run(good, backend=backend)
    with refused(
        model, DataError, "into: a dict of arrays by output name was expected, not ndarray: outputs are score"
    ):
        model.run({"image": good}, backend=backend, into=np.zeros((3, 5), np.float32))
    with refused(model, ParameterError, "threads must be from 1 to"):
        model.run({"image": good}, backend="torch", threads=0)


def test_codes_without_their_names_are_refused(model: halfeven.QuantizedModel) -> None:
    codes = np.zeros((3, 3, 12, 12), np.int8)
    for given in (codes, [codes], None):
        words = f"by input name was expected, not {type(given).__name__}: inputs are image"
        with refused(model, DataError, words):
            model.run_codes(given)


@pytest.mark.parametrize("backend", ["native", "reference", "torch"])
def test_an_empty_batch_has_empty_results(model: halfeven.QuantizedModel, backend: str) -> None:
    found = model.run({"image": images(3)[:0]}, backend=backend)["score"]
    assert (found.shape, found.dtype) == ((0, 5), np.float32)


def test_nan_is_looked_for_where_no_quantize_counts_it() -> None:
    x = np.random.default_rng(0).normal(0, 1, (8, 4)).astype(np.float32)
    model = halfeven.quantize_model(not_integer(), {"x": x})
    x[3, 1] = np.nan
    with pytest.raises(NotANumberError, match="tensor 'x' has 1 NaN"):
        model.run({"x": x})


def test_torch_runs_on_as_many_threads_as_it_is_told(model: halfeven.QuantizedModel, expected: Any) -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    for threads in (1, 2):
        np.testing.assert_array_equal(model.run({"image": images(3)}, "torch", threads)["score"], expected)
    assert torch.get_num_threads() == before


def test_what_memory_cannot_hold_is_refused_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    net = cnn()
    for k in (2, 3):
        net.graph.input[0].type.tensor_type.shape.dim[k].dim_param = f"S{k}"
    model = halfeven.quantize_model(net, {"image": images(4)})
    huge = np.broadcast_to(np.float32(0), (1, 3, 2**18, 2**18))
    with refused(model, ResourceError, r"(Conv|Quantize) '.*needs [0-9,]+ bytes, and [0-9,]+ bytes of memory are"):
        model.run({"image": huge})
    large = np.zeros((1, 3, 600, 600), np.float32)
    monkeypatch.setattr(memory, "ALWAYS_THERE", 0)
    monkeypatch.setattr(memory, "available_bytes", lambda: 3 << 20)
    with pytest.raises(ResourceError, match="bytes of memory are available: give smaller inputs") as caught:
        model.run({"image": large})
    assert caught.value.needed_bytes > caught.value.available_bytes == 3 << 20
    assert isinstance(caught.value, MemoryError)
    monkeypatch.undo()
    assert model.run({"image": large})["score"].shape == (1, 5)


def test_available_memory_is_what_the_system_says() -> None:
    found = memory.available_bytes()
    assert found is None or 1 << 20 < found < 1 << 50


def test_a_program_s_weights_are_the_graph_s_own(tmp_path: Path) -> None:
    halfeven.quantize_model(cnn(), {"image": images(4)}).save(tmp_path / "model.onnx")
    model = halfeven.load(tmp_path / "model.onnx")
    initializers = [
        v.const_value.numpy() for v in model._graph.graph.initializers.values() if v.const_value is not None
    ]
    weights = [i.weight for i in model.program if isinstance(i, ir.Conv)]
    assert weights
    for w in weights:
        assert any(np.shares_memory(w, a) for a in initializers)
