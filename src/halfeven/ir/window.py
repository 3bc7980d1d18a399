"""The sliding window of convolutions and pooling."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Window:
    """Sliding window over the spatial axes. ``pads`` is (begin, end) for each axis."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilations: tuple[int, ...]
    ceil_mode: bool = False

    def __str__(self) -> str:
        text = "x".join(map(str, self.kernel))
        text += f" stride {self.strides}" if set(self.strides) - {1} else ""
        text += f" pads {self.pads}" if any(map(any, self.pads)) else ""
        return text + (f" dilation {self.dilations}" if set(self.dilations) - {1} else "")
