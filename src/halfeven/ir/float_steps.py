"""Instructions whose meaning is a sequence of float32 operations, each rounded once, in a stated order.

They stand where a profile is another runtime's arithmetic and that runtime computes so between codes
(docs/guide/onnxruntime.md). Integer profiles never use them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.rescale import Target
from halfeven.ir.window import Window

LARGEST = np.finfo(np.float32).max
RESERVED = 5.0  # of the exponent: what keeps a sum of exponentials within float32


@dataclass(frozen=True, eq=False)
class FloatAveragePool:
    """``q = clamp(rhe(f32(f32(f32(sum / count) / Sy) + added)) - added + Z)``, of ``reals[x - first]`` in each window.

    The sum is made in float32, element after element in the order of the window's rows; what lies outside is left out.

    Attributes
    ----------
    reals : float32, one a code of x: ``f32(Sx (q - Zx))``.
    count_include_pad : ``count`` is the size of the kernel, else the elements inside.
    y_scale : Sy, float32.
    added : the zero point inside the rounding; that of the target but for what is held in another type.
    """

    name: str
    x: str
    y: str
    window: Window
    count_include_pad: bool
    first: int
    reals: NDArray[np.float32]
    y_scale: float
    added: int
    target: Target


@dataclass(frozen=True, eq=False)
class FloatSoftmax:
    """``q = clamp(rhe(f32(f32(E_i steps) / sum E_j)) + Z)`` along ``axis``, ``E_i = E[max - q_i]``.

    The sum is made in float32, element after element. E is :meth:`exponentials` of the axis' length.

    Attributes
    ----------
    x_scale : Sx, float32.
    levels : of the codes of x.
    steps : ``floor(f32(1 / Sy))``.
    """

    name: str
    x: str
    y: str
    axis: int
    x_scale: float
    levels: int
    steps: float
    target: Target

    def exponentials(self, length: int) -> NDArray[np.float32]:
        """``E[d] = f32(exp((offset - d) Sx))``: the largest value of a row as large as a sum of ``length`` allows."""
        room = math.log(float(np.float32(LARGEST) / np.float32(length)))
        offset = max(0.0, room - RESERVED) / self.x_scale
        distance = np.arange(self.levels, dtype=np.float64)
        return np.exp((offset - distance) * self.x_scale).astype(np.float32)
