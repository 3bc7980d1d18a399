"""Data that cannot be used: each gives one line that names the culprit, what was expected and what to do."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halfeven.errors import DataError
from halfeven.ptq.data import samples

GOOD = np.ones((3, 4), np.float32)


class In:
    """An input as the model declares it."""

    def __init__(self, name: str, shape: Any, dtype: str = "float32") -> None:
        self.name, self.shape, self.dtype = name, shape, np.dtype(dtype)


ONE = [In("x", ("N", 3, 4))]
TWO = [In("x", ("N", 3, 4)), In("mask", ("N", 3))]


def line(data: Any, inputs: list[In] = ONE) -> str:
    """The one line that these data end in."""
    with pytest.raises(DataError) as caught:
        list(samples(data, inputs))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    assert ":" in message
    return message


def says(message: str, *parts: str) -> None:
    for part in parts:
        assert part in message, message


def many(root: Path, bad: Any, at: int = 107, count: int = 200) -> Path:
    """A folder of good files with one bad among them."""
    root.mkdir(exist_ok=True)
    for k in range(count):
        np.save(root / f"{k}.npy", bad if k == at else GOOD, allow_pickle=True)
    return root


def test_one_file_of_the_wrong_shape_among_hundreds(tmp_path: Path) -> None:
    says(
        line(many(tmp_path, GOOD.T)), "107.npy", "'x'", "has shape [1, 4, 3]", "expected float32 [N, 3, 4]", "axis 1 3"
    )


def test_one_file_of_the_wrong_rank(tmp_path: Path) -> None:
    says(line(many(tmp_path, GOOD[0], count=120)), "107.npy", "has shape [4]", "give it 3 axes")


def test_ragged_samples() -> None:
    says(line([GOOD, GOOD[:2]]), "item 1", "has shape [1, 2, 4]", "expected float32 [N, 3, 4]")
    says(line({"x": [GOOD.tolist(), GOOD[:2].tolist()]}), "'x'", "unequal shapes")


@pytest.mark.parametrize(("value", "word"), [(np.nan, "1 NaN"), (np.inf, "1 infinite"), (-np.inf, "1 infinite")])
def test_values_that_are_no_numbers(tmp_path: Path, value: float, word: str) -> None:
    bad = GOOD.copy()
    bad[1, 2] = value
    says(line(many(tmp_path, bad)), "107.npy", "'x'", word, "replace")
    says(line(np.stack([GOOD, bad])), "sample 1", word)


def test_float64_beyond_float32() -> None:
    says(line(np.full((1, 3, 4), 1e300)), "12 infinite", "too large for the type")


def test_raw_images() -> None:
    says(line(np.ones((2, 3, 4), np.uint8)), "sample 0", "'x' is uint8", "expected float32", "preprocess")


@pytest.mark.parametrize("dtype", ["complex64", "bool", "U3", "datetime64[s]"])
def test_types_that_are_no_reals(dtype: str) -> None:
    says(line(np.zeros((2, 3, 4), dtype)), "expected float32 [N, 3, 4]", "astype")


def test_floats_for_tokens() -> None:
    says(line(np.ones((2, 4), np.float32), [In("ids", ("N", 4), "int64")]), "'ids' is float32", "expected int64")


def test_a_missing_input_names_the_nearest(tmp_path: Path) -> None:
    says(line({"X": GOOD[None]}), "'x' is missing", "found: X", "name")
    says(line([{"x": GOOD, "mask": GOOD[:, 0]}, {"x": GOOD, "masks": 1}], TWO), "item 1", "'mask'", "rename 'masks'")
    np.savez(tmp_path / "d.npz", x=GOOD[None], maks=GOOD[None])
    says(line(tmp_path / "d.npz", TWO), "d.npz", "'mask' is missing", "rename 'maks' to 'mask'")
    (tmp_path / "f" / "x").mkdir(parents=True)
    (tmp_path / "f" / "msk").mkdir()
    np.save(tmp_path / "f" / "x" / "0.npy", GOOD)
    says(line(tmp_path / "f", TWO), "sub-folder", "'mask' is missing", "rename 'msk'")


def test_one_array_for_two_inputs(tmp_path: Path) -> None:
    says(line(GOOD[None], TWO), "2 inputs (x, mask)", "dict")
    np.save(tmp_path / "a.npy", GOOD[None])
    says(line(tmp_path / "a.npy", TWO), "a.npy", "2 inputs (x, mask)")
    says(line([(GOOD,)], TWO), "item 0", "tuple of 1", "x, mask")


def test_a_flat_folder_for_two_inputs_shows_the_layout(tmp_path: Path) -> None:
    for k in range(5):
        np.save(tmp_path / f"{k}.npy", GOOD)
    layout = f"{tmp_path / 'x' / '0.npy'} and {tmp_path / 'mask' / '0.npy'}"
    says(line(tmp_path, TWO), "found: 0.npy, 1.npy, 2.npy, ...", "2 inputs (x, mask)", layout)
    (tmp_path / "empty").mkdir()
    says(line(tmp_path / "empty", TWO), "found: nothing", "a file a sample")


def test_unequal_numbers_of_samples() -> None:
    ragged = {"x": np.ones((4, 3, 4), np.float32), "mask": np.ones((3, 3), np.float32)}
    says(line(ragged, TWO), "4 sample(s) of input 'x'", "3 of input 'mask'")
    two = [In("x", (1, 3, 4)), In("mask", (1, 3))]
    says(line([ragged], two), "item 0", "3 sample(s) of input 'mask'", "4 of another")


def test_a_file_without_its_partner(tmp_path: Path) -> None:
    for name, array in (("x", GOOD), ("mask", GOOD[:, 0])):
        (tmp_path / name).mkdir()
        for k in range(3):
            np.save(tmp_path / name / f"{k}.npy", array)
    (tmp_path / "mask" / "1.npy").unlink()
    says(line(tmp_path, TWO), "mask/1.npy", "no such file", "input 'x' has one")


def test_an_array_too_many_is_named(tmp_path: Path) -> None:
    says(line({"x": GOOD[None], "labels": np.arange(1)}), "'labels' is no input", "has x", "leave it out")
    says(line([{"x": GOOD, "label": 1}]), "item 0", "'label' is no input")
    np.savez(tmp_path / "d.npz", x=GOOD[None], y=GOOD[None])
    says(line(tmp_path / "d.npz"), "d.npz", "'y' is no input of the model")


def test_an_empty_path_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many(tmp_path, GOOD, count=2)
    monkeypatch.chdir(tmp_path)
    says(line(""), "path of the data is empty", "'.'")


def test_a_text_file_named_npy_is_refused_in_our_own_words(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_text("1 2 3")
    message = line(tmp_path / "a.npy")
    says(message, "does not begin as a .npy file does")
    assert "pickle" not in message


def test_no_samples(tmp_path: Path) -> None:
    says(line([]), "no samples")
    says(line(np.ones((0, 3, 4), np.float32)), "no samples")
    says(line(tmp_path), "no .npy files", "found: nothing")
    (tmp_path / "cat.png").write_bytes(b"\x89PNG")
    says(line(tmp_path), "found: cat.png", "np.save")


def test_an_empty_axis() -> None:
    says(line([np.ones((0, 3, 4), np.float32)]), "item 0", "axis 0 is empty")


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    says(line(tmp_path / "nowhere"), "nowhere", "no such file or folder")
    (tmp_path / "a.csv").write_text("1,2")
    says(line(tmp_path / "a.csv"), "a.csv", "neither a .npz, a .npy nor a folder")


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"hello, this is text",
    "cut in its header": lambda b: b[:20],
    "cut in its data": lambda b: b[:-10],
    "a pickle": lambda _: pickle.dumps([1, 2]),
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_npy_files(tmp_path: Path, how: str) -> None:
    folder = many(tmp_path, GOOD, count=8)
    file = folder / "5.npy"
    file.write_bytes(BROKEN[how](file.read_bytes()))
    says(line(folder), "5.npy", "cannot be read as an array of numbers", "np.save")
    says(line(file), "5.npy", "cannot be read as an array of numbers")


@pytest.mark.parametrize("how", BROKEN)
def test_broken_npz_files(tmp_path: Path, how: str) -> None:
    file = tmp_path / "d.npz"
    np.savez(file, x=np.ones((40, 3, 4), np.float32))
    file.write_bytes(BROKEN[how](file.read_bytes()))
    says(line(file), "d.npz", "cannot be read as an array of numbers")


def test_damaged_bytes_inside_an_archive(tmp_path: Path) -> None:
    file = tmp_path / "d.npz"
    np.savez(file, x=np.ones((40, 3, 4), np.float32))
    data = bytearray(file.read_bytes())
    data[1000] ^= 0xFF  # the archive's checksum tells
    file.write_bytes(data)
    says(line(file), "d.npz", "cannot be read")


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "exploded",))

    bomb = np.array([Bomb()], object)
    says(line(many(tmp_path / "f", bomb, at=1, count=3)), "1.npy", "cannot be read")
    np.savez(tmp_path / "b.npz", x=bomb)
    says(line(tmp_path / "b.npz"), "b.npz", "objects")
    assert not (tmp_path / "exploded").exists()


def test_an_archive_named_npy(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=GOOD)
    (tmp_path / "d.npz").rename(tmp_path / "d.npy")
    says(line(tmp_path / "d.npy"), "d.npy", "is a .npz archive")


@pytest.mark.parametrize("data", [3, None, 2.5])
def test_things_that_are_no_data(data: Any) -> None:
    says(line(data), type(data).__name__, "a dict of arrays")


def test_items_that_are_no_arrays() -> None:
    says(line(["a", "b"]), "item 0", "str")
    says(line([None]), "item 0", "NoneType")


def test_a_missing_batch_axis_of_an_array() -> None:
    says(line(GOOD), "'x' has shape [3, 4]", "x[None]")
