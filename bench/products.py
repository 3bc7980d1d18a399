"""Products alone, exact rescale included: GEMM 1024^3 and the convolutions of ResNet-50, as a share of the peak.

Each shape is a network of one layer with random weights; what is timed is its step in the plan, the caches warm. The
peak is that of registers alone, measured between the steps: a share is the median of those of short rounds, because
clocks drift and machines are shared. ``HALFEVEN_ISA=avx512_vnni`` forces an instruction set.

    python bench/products.py [--threads 1] [--seconds 0.5]
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass

import numpy as np
import onnx
from networks import Network

import halfeven
from halfeven import _native

OPERATIONS_A_MAC = 2
STEPS_A_ROUND = 15


@dataclass(frozen=True)
class Shape:
    """A convolution on a square image, or (size 0) a product of 1024 rows."""

    inputs: int
    outputs: int
    size: int
    kernel: int = 1
    stride: int = 1

    @property
    def product(self) -> tuple[int, int, int]:
        """Rows, columns, depth."""
        rows = (self.size // self.stride) ** 2 if self.size else 1024
        return rows, self.outputs, self.inputs * self.kernel**2

    def network(self) -> tuple[onnx.ModelProto, list[int]]:
        """The layer alone, and the shape of its input."""
        net = Network("product")
        if not self.size:
            y, inputs, outputs = net.linear("x", self.inputs, self.outputs), [1024, self.inputs], [1024, self.outputs]
            return net.finished(y, inputs, outputs), inputs
        y, size = net.conv("x", self.inputs, self.outputs, self.kernel, self.stride), self.size // self.stride
        inputs = [1, self.inputs, self.size, self.size]
        return net.finished(y, inputs, [1, self.outputs, size, size]), inputs


SHAPES = [
    Shape(1024, 1024, 0),
    *(Shape(64, 64, 56), Shape(64, 64, 56, 3), Shape(64, 256, 56), Shape(256, 64, 56), Shape(256, 128, 56)),
    *(Shape(128, 128, 56, 3, 2), Shape(128, 512, 28), Shape(256, 512, 56, 1, 2), Shape(512, 128, 28)),
    *(Shape(128, 128, 28, 3), Shape(512, 256, 28), Shape(256, 256, 28, 3, 2), Shape(256, 1024, 14)),
    *(Shape(512, 1024, 28, 1, 2), Shape(1024, 256, 14), Shape(256, 256, 14, 3), Shape(1024, 512, 14)),
    *(Shape(512, 512, 14, 3, 2), Shape(512, 2048, 7), Shape(1024, 2048, 14, 1, 2), Shape(2048, 512, 7)),
    Shape(512, 512, 7, 3),
]


@dataclass(frozen=True)
class Found:
    """What was measured of a shape: medians."""

    seconds: float
    peak: float
    share: float


def measure(shape: Shape, threads: int, seconds: float) -> Found:
    """The layer's step and the peak in turn, for so long."""
    model, sizes = shape.network()
    x = np.random.default_rng(2).standard_normal(sizes).astype(np.float32)
    ours = halfeven.quantize_model(model, {"x": x}, method="max")
    planned = ours._engine.plan_for({"x": x}, [p.name for p in ours.outputs], threads)  # noqa: SLF001
    (stage,) = planned.stages
    step = next(k for k, name in enumerate(stage.steps) if name.startswith(("Conv", "Linear")))
    ends = stage.ends(dict(ours.program.constants) | {"x": x})
    rows, columns, depth = shape.product
    operations = OPERATIONS_A_MAC * rows * columns * depth
    rounds = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        peak = _native.peak_operations_per_second(-1, threads, rounds=1)
        spent = float(np.median([stage.plan.profile(*ends, threads)[step] for _ in range(STEPS_A_ROUND)]))
        rounds.append((spent, peak, operations / spent / peak))
    return Found(*np.median(rounds, axis=0))


def main() -> None:
    """Print a line for each shape."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.5, help="of timing for each shape")
    arguments = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f}, {_native.active_isa()}")
    for shape in SHAPES:
        rows, columns, depth = shape.product
        found = measure(shape, arguments.threads, arguments.seconds)
        speed = OPERATIONS_A_MAC * rows * columns * depth / found.seconds
        print(
            f"  {rows:5} x {columns:4} x {depth:4}  {found.seconds * 1e6:8.1f} us  {speed / 1e9:6.0f} GOPS"
            f"  of {found.peak / 1e9:6.0f}: {found.share:.2f}"
        )


if __name__ == "__main__":
    main()
