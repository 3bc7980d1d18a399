"""Every form of data gives the same samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from halfeven.errors import DataError
from halfeven.ptq.data import count_samples, samples
from halfeven.ptq.data.folders import natural_key


class In:
    """An input as the model declares it."""

    def __init__(self, name: str, shape: Any, dtype: str = "float32") -> None:
        self.name, self.shape, self.dtype = name, shape, np.dtype(dtype)


X = np.arange(5 * 3 * 4, dtype=np.float32).reshape(5, 3, 4)
ONE = [In("x", ("N", 3, 4))]


def shapes(data: Any, inputs: list[In]) -> list[tuple[int, ...]]:
    return [next(iter(s.values())).shape for s in samples(data, inputs)]


def stacked(data: Any, inputs: list[In] = ONE, name: str = "x") -> np.ndarray:
    """All samples, one after the other."""
    return np.concatenate([s[name] for s in samples(data, inputs)])


def folder_of(root: Path, name: str, arrays: Any) -> Path:
    (root / name).mkdir(parents=True)
    for k, a in enumerate(arrays):
        np.save(root / name / f"{k}.npy", a)
    return root


def test_an_array_a_dict_and_files_give_the_same(tmp_path: Path) -> None:
    np.savez(tmp_path / "named.npz", x=X)
    np.savez(tmp_path / "unnamed.npz", X)
    np.savez_compressed(tmp_path / "packed.npz", x=X)
    np.savez(tmp_path / "fortran.npz", x=np.asfortranarray(X))
    np.save(tmp_path / "x.npy", X)
    files = ["named.npz", "unnamed.npz", "packed.npz", "fortran.npz", "x.npy"]
    for data in (X, {"x": X}, {"x": list(X)}, *(tmp_path / f for f in files), str(tmp_path / "x.npy")):
        got = list(samples(data, ONE))
        assert [s["x"].shape for s in got] == [(1, 3, 4)] * 5
        assert_array_equal(np.concatenate([s["x"] for s in got]), X)
        assert count_samples(data, ONE) == 5


@pytest.mark.parametrize("batch", [1, "N", None])
def test_files_may_have_the_batch_axis_or_not(tmp_path: Path, batch: Any) -> None:
    inputs = [In("x", (batch, 3, 4))]
    with_axis, without = folder_of(tmp_path / "a", "x", X[:, None]), folder_of(tmp_path / "b", "x", X)
    for data in (with_axis, without, with_axis / "x", without / "x"):
        assert shapes(data, inputs) == [(1, 3, 4)] * 5
        assert_array_equal(stacked(data, inputs), X)
        assert count_samples(data, inputs) == 5


def test_files_come_in_natural_order(tmp_path: Path) -> None:
    for k in (10, 9, 100, 1, 2):
        np.save(tmp_path / f"img{k}_a.npy", np.full((3, 4), k, np.float32))
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "readme.txt").write_text("samples")
    assert [float(s["x"][0, 0, 0]) for s in samples(tmp_path, ONE)] == [1, 2, 9, 10, 100]
    names = ["a", "a1", "a01", "1", "b", "a10", "a2"]
    assert sorted(names, key=natural_key) == ["1", "a", "a01", "a1", "a2", "a10", "b"]


def test_a_folder_with_two_inputs(tmp_path: Path) -> None:
    inputs = [In("x", ("N", 3, 4)), In("ids", (1, 2), "int64")]
    folder_of(tmp_path, "x", X)
    folder_of(tmp_path, "ids", np.arange(10, dtype=np.int64).reshape(5, 2))
    got = list(samples(tmp_path, inputs))
    assert [s["ids"].tolist() for s in got] == [[[2 * k, 2 * k + 1]] for k in range(5)]
    assert_array_equal(np.concatenate([s["x"] for s in got]), X)


def test_a_fixed_batch_takes_blocks() -> None:
    inputs = [In("x", (2, 3, 4))]
    assert_array_equal(stacked(X[:4], inputs), X[:4])
    assert shapes(X[:4], inputs) == [(2, 3, 4)] * 2
    with pytest.raises(DataError, match="5 rows, expected a multiple of the model's batch size 2"):
        list(samples(X, inputs))


def test_one_axis_more_is_the_sample_axis() -> None:
    assert shapes(X.reshape(5, 1, 3, 4), ONE) == [(1, 3, 4)] * 5
    assert shapes(np.ones((6, 2, 3, 4), np.float32), [In("x", (2, 3, 4))]) == [(2, 3, 4)] * 6


def test_a_scalar_input() -> None:
    assert shapes(np.ones(3, np.float32), [In("t", ())]) == [()] * 3


def test_iterables_of_dicts_arrays_and_tuples() -> None:
    def generator() -> Iterator[dict[str, np.ndarray]]:
        for x in X:
            yield {"x": x[None]}

    for data in (generator(), [{"x": x} for x in X], list(X), [(x[None], 3) for x in X], [[x, x] for x in X]):
        assert_array_equal(stacked(data), X)
    assert count_samples(generator(), ONE) is None


def test_batches_of_an_iterable_are_cut_where_the_batch_is_fixed() -> None:
    batches = [X[:4], X[4:]]
    assert shapes(batches, [In("x", (1, 3, 4))]) == [(1, 3, 4)] * 5
    assert shapes(batches, ONE) == [(4, 3, 4), (1, 3, 4)]
    two = [In("x", (1, 3, 4)), In("m", ("N", 2))]
    got = list(samples([{"x": X, "m": np.eye(5, 2, dtype=np.float32)}], two))
    assert [s["m"].tolist() for s in got] == [[[1, 0]], [[0, 1]], [[0, 0]], [[0, 0]], [[0, 0]]]


def test_a_torch_loader_and_torch_tensors() -> None:
    torch = pytest.importorskip("torch")
    data = pytest.importorskip("torch.utils.data")
    x = torch.from_numpy(X)
    loader = data.DataLoader(data.TensorDataset(x, torch.arange(5)), batch_size=2)
    assert_array_equal(stacked(loader), X)
    assert_array_equal(stacked(x.clone().requires_grad_()), X)
    assert_array_equal(stacked({"x": x.to(torch.bfloat16)}), X)
    assert count_samples(x, ONE) == 5


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_floats_become_float32(dtype: str) -> None:
    got = stacked(X.astype(dtype))
    assert got.dtype == np.float32
    assert_array_equal(got, X)


def test_integers_are_converted_where_they_fit() -> None:
    inputs = [In("ids", ("N", 2), "int64")]
    got = stacked(np.array([[1, 2]], np.uint8), inputs, "ids")
    assert got.dtype == np.int64
    assert_array_equal(got, [[1, 2]])
    with pytest.raises(DataError, match="holds 7 to 3000000000, expected int32"):
        list(samples(np.array([[7, 3_000_000_000]]), [In("ids", (1, 2), "int32")]))


def test_layouts_do_not_matter() -> None:
    sample = next(samples(np.asfortranarray(X), ONE))["x"]
    assert sample.flags.c_contiguous
    assert_array_equal(sample, X[:1])


def test_equal_symbols_are_equal_sizes() -> None:
    inputs = [In("a", ("N", "T")), In("b", ("N", "T"))]
    a, b = np.ones((1, 3), np.float32), np.ones((1, 4), np.float32)
    assert len(list(samples([{"a": a, "b": a}, {"a": b, "b": b}], inputs))) == 2
    with pytest.raises(DataError, match="make 'T', 3 in 'a' and 4 here, equal"):
        list(samples([{"a": a, "b": b}], inputs))


def test_only_the_samples_asked_for_are_read(tmp_path: Path) -> None:
    folder_of(tmp_path, "x", X)
    (tmp_path / "x" / "4.npy").write_bytes(b"not an array")
    stream = samples(tmp_path, ONE)
    for k in range(4):
        assert_array_equal(next(stream)["x"], X[k : k + 1])
    with pytest.raises(DataError, match=r"4\.npy"):
        next(stream)
