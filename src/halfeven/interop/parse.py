"""Bytes of a file -> ModelProto, or one line that says what the file is instead."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped, unused-ignore]

from halfeven.errors import ModelError
from halfeven.interop.lines import model_error

PROTOBUF_LIMIT = 2**31 - 1  # bytes of one protobuf message; larger models keep their tensors in a file beside
FOREIGN = {
    b"PK\x03\x04": "a zip archive (a PyTorch checkpoint or a .npz?)",
    b"\x89HDF": "an HDF5 file (a Keras model?)",
    b"\x80\x02": "a Python pickle",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with 'git lfs pull'",
}


def parse_model(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """Read and parse one ONNX file; tensors kept in files beside it are not read.

    Raises
    ------
    ModelError
        If there is no such file, or it is a folder, unreadable, empty, text, another format, truncated or damaged.
    """
    file = Path(path)
    _check_file(file)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise model_error(
            f"{file}: cannot be read ({error.strerror}): check its permissions", source=str(file)
        ) from None
    return parse_bytes(data, str(file))


def parse_bytes(data: bytes, source: str) -> onnx.ModelProto:
    """Parse the bytes of one ONNX file; ``source`` names it in errors."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError):
        raise model_error(f"{source}: is {_what_it_is(data)}", source=source) from None
    if not model.HasField("graph"):
        raise model_error(f"{source}: is {_what_it_is(data)}", source=source)
    return model


def _check_file(file: Path) -> None:
    def refuse(problem: str) -> ModelError:
        return model_error(f"{file}: {problem}", source=str(file))

    try:
        size = file.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        raise refuse("no such file: an ONNX model was expected, check the path") from None
    except (OSError, ValueError) as error:
        raise refuse(f"cannot be read ({error}): an ONNX model was expected, check the path") from None
    if file.is_dir():
        raise refuse("is a folder: an ONNX file was expected, name the .onnx file in it")
    if not file.is_file():
        raise refuse("is not a regular file: an ONNX file was expected")
    if size == 0:
        raise refuse("is empty (0 bytes): an ONNX model was expected, export or download it again")
    if size > PROTOBUF_LIMIT:
        raise refuse(
            f"has {size} bytes, and one ONNX file holds at most {PROTOBUF_LIMIT}: save it with its tensors in an "
            "external data file"
        )


def _what_it_is(data: bytes) -> str:
    for magic, name in FOREIGN.items():
        if data.startswith(magic):
            return f"{name}, not an ONNX model: pass the .onnx file"
    if data[4:8] == b"TFL3":
        return "a TensorFlow Lite model: an ONNX model was expected, convert it first"
    if _is_text(data[:512]):
        return "a text file: an ONNX model (a binary protobuf) was expected, pass the .onnx file"
    if data[:1] == b"\x08":  # field 1 of ModelProto, ir_version, which every exporter writes first
        return "a truncated or damaged ONNX model: export or download it again"
    return "not an ONNX model, or damaged: a binary protobuf with a graph was expected, pass the .onnx file"


def _is_text(head: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # the cut may fall inside a character
    except UnicodeDecodeError:
        return False
    return bool(text) and all(c.isprintable() or c in "\t\n\r\f" for c in text)
