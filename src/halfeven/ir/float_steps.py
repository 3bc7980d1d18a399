"""Instructions whose meaning is a sequence of float32 operations, each rounded once, in a stated order.

They stand where a profile is another runtime's arithmetic and that runtime computes so between codes
(docs/guide/onnxruntime.md). Integer profiles never use them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halfeven.ir.rescale import Target
from halfeven.ir.window import Window


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
