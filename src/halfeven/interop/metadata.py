"""What a file of ours says about itself: profile, version, the float model that it came from, what was done to it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import onnx
import onnx_ir as ir

PROFILE = "halfeven.profile"
VERSION = "halfeven.version"
SOURCE = "halfeven.source"
ALGORITHMS = "halfeven.algorithms"


def metadata(model: ir.Model | onnx.ModelProto) -> dict[str, str]:
    """The ``halfeven.*`` entries of the model's metadata; empty for a file that is not ours."""
    if isinstance(model, onnx.ModelProto):
        entries = {entry.key: entry.value for entry in model.metadata_props}
    else:
        entries = dict(model.metadata_props)
    return {key: value for key, value in entries.items() if key.startswith("halfeven.")}


def set_metadata(
    model: ir.Model,
    *,
    profile: str | None = None,
    version: str | None = None,
    source: str | None = None,
    algorithms: str | None = None,
) -> None:
    """Write the given entries into the model; those left out, and entries of others, stay as they are."""
    given = {PROFILE: profile, VERSION: version, SOURCE: source, ALGORITHMS: algorithms}
    model.metadata_props.update({key: value for key, value in given.items() if value is not None})


def source_of(path: str | os.PathLike[str]) -> str:
    """``<file name> sha256:<digest>`` of a file, the value of ``halfeven.source``."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return f"{Path(path).name} sha256:{digest.hexdigest()}"
