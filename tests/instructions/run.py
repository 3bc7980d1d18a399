"""Instructions that key kernels execute, counted by callgrind: a slowdown shows on the noisiest machine.

``python tests/instructions/run.py PROGRAM [--record]``. PROGRAM is the build's ``kernel_instructions``. Counts are
compared with ``counts.json``: more than a twentieth above is a failure, named; more than that below asks to record
again, as ``--record`` does. They hold for one compiler. Valgrind has no AVX-512: what runs is portable and AVX2.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RECORDED = Path(__file__).with_name("counts.json")
TOLERANCE = 0.05
Counts = dict[str, int]


def count(program: Path) -> Counts:
    """Instructions of each kernel, by its name."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "-q", "--tool=callgrind", "--collect-atstart=no"]
        command += [f"--callgrind-out-file={folder}/out", str(program)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found = (_read(file.read_text()) for file in sorted(Path(folder).glob("out.*")))
        return dict(sorted(pair for pair in found if pair is not None))


def _read(dump: str) -> tuple[str, int] | None:
    name = re.search(r"^desc: Trigger: Client Request: (.*)$", dump, re.MULTILINE)
    total = re.search(r"^(?:summary|totals): (\d+)$", dump, re.MULTILINE)
    return (name[1], int(total[1])) if name and total else None


def compiler(program: Path) -> str:
    """Who made the program, as it says itself."""
    found = subprocess.run(["strings", "-n", "8", str(program)], check=True, capture_output=True, text=True).stdout
    made = sorted({line for line in found.splitlines() if re.match(r"(GCC: |clang version )", line)})
    return made[-1] if made else "unknown"


def differences(found: Counts, recorded: Counts) -> tuple[list[str], list[str]]:
    """Lines that are failures, and lines that ask to record again."""
    worse = [f"{name}: not counted any more" for name in recorded if name not in found]
    other = [f"{name}: not recorded yet" for name in found if name not in recorded]
    for name in sorted(set(found) & set(recorded)):
        ratio = found[name] / recorded[name]
        line = f"{name}: {recorded[name]} -> {found[name]} instructions, {ratio - 1:+.1%}"
        if ratio > 1 + TOLERANCE:
            worse.append(line)
        elif ratio < 1 - TOLERANCE:
            other.append(line)
    return worse, other


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--record", action="store_true", help="write counts.json")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        parser.error("valgrind is not installed: apt-get install valgrind")
    found, made_by = count(arguments.program), compiler(arguments.program)
    if arguments.record:
        RECORDED.write_text(json.dumps({"compiler": made_by, "instructions": found}, indent=2) + "\n")
        print(f"{len(found)} counts recorded, {made_by}")
        return 0
    recorded = json.loads(RECORDED.read_text())
    if recorded["compiler"] != made_by:
        print(f"counts.json was made by {recorded['compiler']}, this program by {made_by}: nothing was compared")
        return 0
    worse, other = differences(found, recorded["instructions"])
    for line in worse + other:
        print(line)
    print(f"{len(found)} kernels counted, {len(worse)} slower by more than {TOLERANCE:.0%}")
    if other and not worse:
        print(f"record again: {sys.argv[0]} {arguments.program} --record")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
