"""Write the corpus from the reference, or with ``--check`` say whether the files are what it gives (exit status 1)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import bulk
import by_hand
import numpy as np
from corpus import FOLDER, encode, json_bytes, npz_write
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from replay import RESULTS, replay

HAND = (
    by_hand.quantize,
    by_hand.dequantize,
    by_hand.requantize,
    by_hand.multiplier,
    by_hand.choose_params,
    by_hand.nonlinear,
    by_hand.packing,
    by_hand.products,
)


def hand_files() -> dict[str, bytes]:
    """One file an operation; every case checked against the reference."""
    grouped: dict[str, list[Any]] = {}
    for case in (case for maker in HAND for case in maker()):
        results = replay(case)
        for name in RESULTS[case["operation"]]:
            assert_array_equal(results[name], case[name], f"{case['operation']}: {case['name']}")
        grouped.setdefault(case["operation"], []).append(encode(case, "", None))
    return {f"{operation}.json": json_bytes(operation, cases) for operation, cases in grouped.items()}


def bulk_files() -> tuple[bytes, dict[str, NDArray[Any]]]:
    """The index and the arrays."""
    arrays: dict[str, NDArray[Any]] = {}
    cases = [encode(case, f"{k:04d}", arrays) for k, case in enumerate(bulk.cases())]
    return json_bytes("several", cases), arrays


def is_current(files: dict[str, bytes], arrays: dict[str, NDArray[Any]]) -> list[str]:
    """Names of the files that differ; the archive is compared by its arrays."""
    wrong = [n for n, b in files.items() if not (FOLDER / n).exists() or (FOLDER / n).read_bytes() != b]
    wrong += [p.name for p in FOLDER.glob("*.json") if p.name not in files]
    try:
        with np.load(FOLDER / "bulk.npz") as stored:
            same = sorted(stored.files) == sorted(arrays) and all(
                stored[n].dtype == a.dtype and np.array_equal(stored[n], a) for n, a in arrays.items()
            )
    except FileNotFoundError:
        same = False
    return wrong if same else [*wrong, "bulk.npz"]


def main(arguments: list[str]) -> int:
    """Write, or check."""
    if arguments not in ([], ["--check"]):
        print(f"usage: python {Path(sys.argv[0]).name} [--check]", file=sys.stderr)
        return 2
    index, arrays = bulk_files()
    files = {**hand_files(), "bulk.json": index}
    if arguments:
        wrong = is_current(files, arrays)
        print(f"not what the reference gives: {', '.join(wrong)}" if wrong else "the corpus is current")
        return 1 if wrong else 0
    for name, content in files.items():
        (FOLDER / name).write_bytes(content)
    npz_write(FOLDER / "bulk.npz", arrays)
    cases = sum(len(json.loads(content)["cases"]) for content in files.values())
    size = sum(p.stat().st_size for p in FOLDER.iterdir() if p.suffix in (".json", ".npz"))
    print(f"{cases} cases, {sum(a.size for a in arrays.values())} numbers, {size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
