"""Files appear whole or not at all, the same bytes for the same model, with what they say about themselves."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import onnx
import onnx_ir as ir
import pytest
from onnx_build import model, node, reals

import halfeven.interop.write
from halfeven.errors import ModelError
from halfeven.interop import metadata, producer_version, read_model, set_metadata, source_of, to_bytes, write_model

X = {"x": ["n", 3]}


def gemm() -> onnx.ModelProto:
    return model([node("Gemm", "x w", "y")], X, {"y": ["n", 5]}, {"w": reals(3, 5)})


def test_a_written_file_passes_the_full_checker_and_names_its_producer(tmp_path: Path) -> None:
    write_model(read_model(gemm()), tmp_path / "m.onnx")
    proto = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(proto, full_check=True)
    assert (proto.producer_name, proto.producer_version) == ("halfeven", producer_version())
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_a_proto_is_written_as_it_is(tmp_path: Path) -> None:
    proto = gemm()
    write_model(proto, tmp_path / "m.onnx")
    written = onnx.load(tmp_path / "m.onnx")
    assert (list(written.graph.node), list(written.graph.initializer)) == (
        list(proto.graph.node),
        list(proto.graph.initializer),
    )
    assert written.opset_import == proto.opset_import
    assert proto.producer_name == ""


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        write_model(read_model(gemm()), tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert to_bytes(read_model(gemm())) == to_bytes(read_model(gemm()))


def test_the_model_itself_is_not_changed(tmp_path: Path) -> None:
    found = read_model(gemm())
    write_model(found, tmp_path / "m.onnx", embedded_limit=0)
    assert found.producer_name in (None, "")
    assert not isinstance(found.graph.initializers["w"].const_value, ir.ExternalTensor)


def test_a_model_may_overwrite_the_file_it_was_read_from(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    write_model(gemm(), path, embedded_limit=0)
    found = read_model(path)
    write_model(found, path, embedded_limit=0)
    assert read_model(path).graph.initializers["w"].const_value is not None
    write_model(found, path)
    (tmp_path / "m.onnx.data").unlink()
    onnx.checker.check_model(onnx.load(path), full_check=True)


@pytest.mark.parametrize("limit", [0, 2**30])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"precious")

    def fail(_file: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(halfeven.interop.write, "_flush", fail)
    with pytest.raises(ModelError, match="No space left"):
        write_model(gemm(), path, embedded_limit=limit)
    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_an_interruption_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"precious")

    def interrupt(_file: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(halfeven.interop.write, "_flush", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_model(gemm(), path)
    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_an_invalid_model_is_not_written(tmp_path: Path) -> None:
    proto = gemm()
    proto.graph.node[0].op_type = "Gem"
    with pytest.raises(ModelError, match=r"m\.onnx: not written.*Gem"):
        write_model(proto, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        write_model(gemm(), tmp_path / "no" / "m.onnx")
    with pytest.raises(ModelError, match="is a folder"):
        write_model(gemm(), tmp_path)


def test_a_link_stays_a_link_and_permissions_are_those_of_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "m.onnx"
    link.symlink_to(tmp_path / "real" / "m.onnx")
    write_model(gemm(), link)
    assert link.is_symlink()
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "real" / "m.onnx").stat().st_mode) == 0o666 & ~mask


def test_metadata_is_kept_set_and_read_back(tmp_path: Path) -> None:
    proto = gemm()
    onnx.helper.set_model_props(proto, {"characters": "abc"})
    found = read_model(proto)
    assert metadata(found) == {}
    set_metadata(found, profile="journey6", version="0.1.0")
    set_metadata(found, source="m.onnx sha256:00")
    expected = {"halfeven.profile": "journey6", "halfeven.version": "0.1.0", "halfeven.source": "m.onnx sha256:00"}
    write_model(found, tmp_path / "m.onnx")
    written = onnx.load(tmp_path / "m.onnx")
    assert metadata(written) == metadata(read_model(written)) == expected
    assert {e.key: e.value for e in written.metadata_props} == {"characters": "abc", **expected}


def test_the_source_is_a_name_and_a_digest(tmp_path: Path) -> None:
    (tmp_path / "float.onnx").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert source_of(tmp_path / "float.onnx") == f"float.onnx sha256:{digest}"
