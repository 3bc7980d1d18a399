"""A transposed convolution as plain convolutions: one for each residue of the output position modulo the stride.

Output p meets tap t where ``p + pad - t dilation`` is a multiple of the stride. All outputs with one residue of p meet
the same taps, at inputs that move on by one from output to output: a convolution of stride 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from halfeven.errors import ParameterError
from halfeven.ir.window import Window


def output_sizes(spatial: Sequence[int], window: Window, extra: Sequence[int]) -> tuple[int, ...]:
    """``(size - 1) stride + dilation (kernel - 1) + 1 - pads + extra`` along each axis (ONNX ConvTranspose-11)."""
    sizes = tuple(
        (n - 1) * s + d * (k - 1) + 1 - sum(pads) + more
        for n, s, d, k, pads, more in zip(
            spatial, window.strides, window.dilations, window.kernel, window.pads, extra, strict=True
        )
    )
    if min(sizes) < 1:
        raise ParameterError(f"a transposed window {window} over an input of {tuple(spatial)} leaves no output")
    return sizes


@dataclass(frozen=True)
class Phase:
    """Outputs ``first``, ``first + stride``, ... of one axis, as a convolution of stride 1.

    Attributes
    ----------
    taps : of the kernel, in the order of the inputs that they meet; may be empty.
    dilation : inputs from tap to tap.
    begin : padding before the input; negative where the first inputs are not met.
    count : outputs.
    """

    first: int
    taps: tuple[int, ...]
    dilation: int
    begin: int
    count: int


def phases(window: Window, axis: int, out: int) -> list[Phase]:
    """The phases of one spatial axis, whose result has ``out`` elements."""
    stride, dilation, kernel = window.strides[axis], window.dilations[axis], window.kernel[axis]
    pad = window.pads[axis][0]
    found = []
    for first in range(min(stride, out)):
        taps = tuple(t for t in range(kernel)[::-1] if (first + pad - t * dilation) % stride == 0)
        begin = (taps[0] * dilation - first - pad) // stride if taps else 0
        found.append(Phase(first, taps, dilation // gcd(stride, dilation), begin, -(-(out - first) // stride)))
    return found
