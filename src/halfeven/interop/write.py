"""A model -> an ONNX file that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnx
import onnx_ir as ir

from halfeven.interop.inference import light_proto
from halfeven.interop.lines import model_error, one_line

PRODUCER = "halfeven"
EMBEDDED_LIMIT = 2**31 - 2**26  # bytes of tensors in one protobuf, with room for the graph itself


def producer_version() -> str:
    """The version of this package; "source" where it runs without being installed."""
    try:
        return version(PRODUCER)
    except PackageNotFoundError:
        return "source"


def sign(model: ir.Model) -> None:
    """Name this package and its version as what wrote the model."""
    model.producer_name, model.producer_version = PRODUCER, producer_version()


def write_model(
    model: ir.Model | onnx.ModelProto, path: str | os.PathLike[str], *, embedded_limit: int = EMBEDDED_LIMIT
) -> None:
    """Check the model and write it as one ONNX file; above 2 GB the tensors go to ``<name>.data`` beside it.

    The file is written under another name in the same folder and then renamed: a failure or an interruption leaves
    no part of it, and an existing file as it was. The model itself is not changed.

    Raises
    ------
    ModelError
        If the model is not valid ONNX, or the place cannot be written.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    made = ir.from_proto(model) if isinstance(model, onnx.ModelProto) else model.clone()
    sign(made)
    _check(made, target)
    size = sum(t.nbytes for graph in made.graphs() for v in graph.initializers.values() if (t := v.const_value))
    try:
        with _workshop(target) as folder:
            files = _save(made, folder, target.name, external=size > embedded_limit)
            for file in files:  # the data first: the model is there only when all of it is
                file.replace(target.parent / file.name)
    except OSError as error:
        raise model_error(f"{path}: cannot be written: {error.strerror or error}", source=str(path)) from None


def file_bytes(path: str | os.PathLike[str]) -> int:
    """Size of an ONNX file and of the files beside it that hold its tensors."""
    model = onnx.load(path, load_external_data=False)
    tensors = (*model.graph.initializer, *(a.t for node in model.graph.node for a in node.attribute if a.HasField("t")))
    beside = {entry.value for t in tensors for entry in t.external_data if entry.key == "location"}
    files = [Path(path), *(Path(path).parent / name for name in beside)]
    return sum(file.stat().st_size for file in files if file.is_file())


def to_bytes(model: ir.Model) -> bytes:
    """The model as the bytes of one ONNX file, the same for the same model; for models below 2 GB."""
    proto = ir.to_proto(ir.external_data.load_to_model(model.clone()))
    return bytes(proto.SerializeToString(deterministic=True))


def _check(model: ir.Model, target: Path) -> None:
    if target.is_dir():
        raise model_error(f"{target}: is a folder: name the file to write", source=str(target))
    if target.exists() and not target.is_file():
        raise model_error(f"{target}: is not a regular file: name another to write", source=str(target))
    if not target.parent.is_dir():
        raise model_error(f"{target}: the folder {target.parent} does not exist: create it first", source=str(target))
    light = light_proto(model)
    unranked = [v for v in light.graph.output if not v.type.tensor_type.HasField("shape")]
    for output in unranked:  # onnxruntime runs outputs of unknown rank, which the checker refuses
        light.graph.output.remove(output)
    try:
        onnx.checker.check_model(light)
    except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        text = one_line(error)
        raise model_error(f"{target}: not written, the model is not valid ONNX: {text}", source=str(target)) from None


@contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """A new folder beside the target (one file system, so that renaming is atomic), gone at the end."""
    folder = target.parent / f".{target.name}.{secrets.token_hex(8)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _save(model: ir.Model, folder: Path, name: str, *, external: bool) -> list[Path]:
    file = folder / name
    if external:
        data = f"{name}.data"
        ir.save(model, file, external_data=data)
        _flush(folder / data)
        files = [folder / data, file]
    else:
        file.write_bytes(to_bytes(model))
        files = [file]
    _flush(file)
    return files


def _flush(file: Path) -> None:
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())
