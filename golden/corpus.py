"""Read and write the corpus: cases as dictionaries of arrays (golden/README.md gives the format).

Needs NumPy alone. A float32 array is stored as its bit patterns: 8 hex digits in JSON, uint32 in npz; float64 as 16
digits and uint64.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

FORMAT = "halfeven-golden/1"
FOLDER = Path(__file__).parent
PATTERNS = {"float32": (np.uint32, 8), "float64": (np.uint64, 16)}

Case = dict[str, Any]


def encode(value: Any, name: str, bulk: dict[str, NDArray[Any]] | None) -> Any:
    """Arrays as JSON, or as a reference into ``bulk`` where that is given and they are large; the rest as it is."""
    if isinstance(value, dict):
        return {k: encode(v, f"{name}/{k}", bulk) for k, v in value.items()}
    if not isinstance(value, (np.ndarray, np.generic)):
        return value
    a = np.asarray(value)
    kind = a.dtype.name
    stored = np.ascontiguousarray(a).reshape(a.shape)
    stored = stored.view(PATTERNS[kind][0]) if kind in PATTERNS else stored
    if bulk is not None and a.size > 16:  # small ones read better in place
        shared = next((k for k, v in bulk.items() if v.dtype == stored.dtype and np.array_equal(v, stored)), name)
        bulk[shared] = stored
        return {"npz": shared, "type": kind}
    flat = stored.reshape(-1).tolist()
    return {"shape": list(a.shape), kind: [f"{v:0{PATTERNS[kind][1]}x}" for v in flat] if kind in PATTERNS else flat}


def decode(value: Any, bulk: dict[str, NDArray[Any]]) -> Any:
    """Undo :func:`encode`."""
    if isinstance(value, list):
        return [decode(v, bulk) for v in value]
    if not isinstance(value, dict):
        return value
    if "npz" in value:
        stored = bulk[value["npz"]]
        return stored.view(value["type"]) if value["type"] in PATTERNS else stored
    if "shape" not in value:
        return {k: decode(v, bulk) for k, v in value.items()}
    (kind,) = (k for k in value if k != "shape")
    if kind in PATTERNS:
        patterns = np.array([int(v, 16) for v in value[kind]], PATTERNS[kind][0])
        return patterns.view(kind).reshape(value["shape"])
    return np.array(value[kind], kind).reshape(value["shape"])


def load() -> Iterator[Case]:
    """Every case of the corpus, in the order of its files."""
    with np.load(FOLDER / "bulk.npz") as archive:
        bulk = {name: archive[name] for name in archive.files}
    for path in sorted(FOLDER.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"{path} has format {document['format']!r}, and this reads {FORMAT!r}")
        for case in document["cases"]:
            yield decode(case, bulk)


def json_bytes(operation: str, cases: list[Any]) -> bytes:
    """One file: a case is an object, each of its fields on a line of its own."""
    lines = [f'{{"format": "{FORMAT}", "operation": "{operation}", "cases": [']
    for k, case in enumerate(cases):
        fields = [f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in case.items()]
        lines.append("{\n" + ",\n".join(fields) + "\n}" + ("," if k + 1 < len(cases) else ""))
    return ("\n".join([*lines, "]}"]) + "\n").encode()


def npz_write(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """An npz whose bytes depend on the arrays alone: no dates."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, a in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as entry:
                npy.write_array(entry, a, version=(1, 0))
