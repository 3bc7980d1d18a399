"""State dicts are read exactly; a pickle that is anything else is refused before it acts."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from halfeven.demo.torch_weights import read_state_dict
from halfeven.errors import ModelError

VALUES = np.arange(12, dtype="<f4")
STORAGE_BYTES = VALUES.tobytes()


# A pickle, opcode by opcode (protocol 0 and BINPERSID): what torch.save writes, and what an attacker could.
def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    return f"V{value}\n".encode()


def number(value: int) -> bytes:
    return f"I{value}\n".encode()


def sequence(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def storage(key: str = "0", kind: bytes = name("torch", "FloatStorage")) -> bytes:
    return sequence(text("storage"), kind, text(key), text("cpu"), number(VALUES.size)) + b"Q"


def tensor(offset: int, shape: tuple[int, ...], strides: tuple[int, ...], key: str = "0") -> bytes:
    sizes = (sequence(*map(number, numbers)) for numbers in (shape, strides))
    hooks = name("collections", "OrderedDict") + b")R"
    arguments = sequence(storage(key), number(offset), *sizes, b"I00\n", hooks)
    return name("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


def state_dict(**entries: bytes) -> bytes:
    items = b"".join(text(key) + value for key, value in entries.items())
    return name("collections", "OrderedDict") + b")R(" + items + b"u."


def write_zip(path: Path, pickled: bytes, storages: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickled)
        for key, content in ({"0": STORAGE_BYTES} if storages is None else storages).items():
            archive.writestr(f"model/data/{key}", content)
    return path


def write_legacy(path: Path, pickled: bytes) -> Path:
    header = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    keys = pickle.dumps(["0"], 2)
    path.write_bytes(header + pickled + keys + struct.pack("<q", VALUES.size) + STORAGE_BYTES)
    return path


Writer = Callable[[Path, bytes], Path]
WRITERS: list[Writer] = [write_zip, write_legacy]


@pytest.mark.parametrize("write", WRITERS)
def test_shape_strides_and_offset_choose_the_elements(tmp_path: Path, write: Writer) -> None:
    pickled = state_dict(
        whole=tensor(0, (3, 4), (4, 1)), turned=tensor(0, (4, 3), (1, 4)), part=tensor(5, (2, 2), (4, 2))
    )
    loaded = read_state_dict(write(tmp_path / "m.pth", pickled))
    assert list(loaded) == ["whole", "turned", "part"]
    assert_array_equal(loaded["whole"], VALUES.reshape(3, 4))
    assert_array_equal(loaded["turned"], VALUES.reshape(3, 4).T)
    assert_array_equal(loaded["part"], [[5, 7], [9, 11]])
    assert all(value.flags.c_contiguous and value.flags.writeable for value in loaded.values())


@pytest.mark.parametrize("new_layout", [True, False])
def test_what_torch_saves_is_read_equal(tmp_path: Path, new_layout: bool) -> None:
    torch = pytest.importorskip("torch")
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    saved = {
        "plain": base,
        "turned": base.T,
        "slice": base[1:3, ::2],
        "parameter": torch.nn.Parameter(torch.randn(3, generator=torch.Generator().manual_seed(0))),
        "scalar": torch.tensor(7, dtype=torch.int64),
        "empty": torch.zeros(0, 3),
        **{
            str(dtype): torch.tensor([0, 1, 2]).to(dtype)
            for dtype in (torch.float64, torch.float16, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
        },
    }
    torch.save(saved, tmp_path / "m.pth", _use_new_zipfile_serialization=new_layout)
    loaded = read_state_dict(tmp_path / "m.pth")
    assert list(loaded) == list(saved)
    for key, value in saved.items():
        expected = value.detach().numpy()
        assert loaded[key].dtype == expected.dtype
        assert_array_equal(loaded[key], expected, strict=True)


class Attack:
    """Pickles as a call of os.system."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.marker}'",)


@pytest.mark.parametrize("write", WRITERS)
def test_a_pickle_that_calls_a_program_is_refused(tmp_path: Path, write: Writer) -> None:
    marker = tmp_path / "ran"
    path = write(tmp_path / "m.pth", pickle.dumps({"weight": Attack(marker)}, 2))
    with pytest.raises(ModelError, match=r"m\.pth.*refused '\w+\.system'") as caught:
        read_state_dict(path)
    assert not marker.exists()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "attribute"),
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("__builtin__", "exec"),
        ("subprocess", "Popen"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_device_tensor_from_numpy"),
        ("torch.storage", "_load_from_bytes"),
        ("collections", "OrderedDict.__init__"),
        ("collections", "defaultdict"),
        ("numpy", "load"),
    ],
)
def test_every_name_that_is_no_tensor_is_refused(tmp_path: Path, module: str, attribute: str) -> None:
    pickled = state_dict(weight=name(module, attribute) + sequence(text("1")) + b"R")
    with pytest.raises(ModelError, match=f"refused '{module}.{attribute}'"):
        read_state_dict(write_zip(tmp_path / "m.pth", pickled))


@pytest.mark.parametrize("victim", [("torch._utils", "_rebuild_tensor_v2"), ("collections", "OrderedDict")])
@pytest.mark.parametrize("slots", [False, True])
def test_a_pickle_cannot_alter_the_reader(tmp_path: Path, victim: tuple[str, str], slots: bool) -> None:
    attributes = b"(" + text("__call__") + name("collections", "OrderedDict") + b"d"
    state = sequence(b"N", attributes) if slots else attributes
    altering = state_dict(weight=name(*victim) + state + b"b")
    with pytest.raises(ModelError):
        read_state_dict(write_zip(tmp_path / "evil.pth", altering))
    good = write_zip(tmp_path / "good.pth", state_dict(weight=tensor(0, (12,), (1,))))
    assert_array_equal(read_state_dict(good)["weight"], VALUES)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (1, (12,), (1,)),
        (0, (13,), (1,)),
        (12, (), ()),
        (0, (2,), (12,)),
        (-1, (2,), (1,)),
        (4, (2,), (-1,)),
        (0, (-2,), (1,)),
        (0, (1 << 40,), (0,)),
        (0, (1 << 62, 1 << 62), (0, 0)),
        (1 << 70, (1,), (1,)),
        (0, (3, 4), (1,)),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(
    tmp_path: Path, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    path = write_zip(tmp_path / "m.pth", state_dict(weight=tensor(offset, shape, strides)))
    with pytest.raises(ModelError, match=r"m\.pth.*(outside storage|impossible shape)"):
        read_state_dict(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"just a text file\n", b"PK\x03\x04", pickle.dumps(3), pickle.dumps({"epoch": 3}, 2)],
    ids=["empty", "text", "cut zip", "number", "one pickle"],
)
def test_other_files_are_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.pth' is not a PyTorch state dict") as caught:
        read_state_dict(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"missing\.pth"):
        read_state_dict(tmp_path / "missing.pth")


@pytest.mark.parametrize("cut", [1, 20, 60, 200])
def test_a_legacy_file_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    path = write_legacy(tmp_path / "m.pth", state_dict(weight=tensor(0, (12,), (1,))))
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ModelError, match=r"m\.pth"):
        read_state_dict(path)


def test_a_zip_without_its_storage_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "m.pth", state_dict(weight=tensor(0, (12,), (1,))), storages={})
    with pytest.raises(ModelError, match="model/data/0"):
        read_state_dict(path)


@pytest.mark.parametrize("entry", [number(3), text("x"), sequence(), name("torch", "FloatStorage"), storage()])
def test_an_entry_that_is_no_tensor_is_refused(tmp_path: Path, entry: bytes) -> None:
    with pytest.raises(ModelError, match="entry 'epoch' is not a tensor"):
        read_state_dict(write_zip(tmp_path / "m.pth", state_dict(epoch=entry)))
