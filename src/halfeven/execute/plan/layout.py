"""How the engine holds a tensor: codes as unsigned bytes, all the channels of a pixel side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

Shape = tuple[int, ...]

CHANNEL_STEP = 4  # channels are padded to a multiple of this
OFFSET = 128  # a signed code is stored as code + 128


@dataclass(frozen=True)
class Held:
    """A tensor in the engine's memory.

    Attributes
    ----------
    id : the plan's number for it. shape : as everyone else sees it.
    axis : the channels': 1 or the last; its elements are neighbours, the other axes follow each other in C order.
    dtype : int8 or uint8, what the stored bytes mean.
    """

    id: int
    shape: Shape
    axis: int
    dtype: np.dtype[Any]

    @property
    def channels(self) -> int:
        """Elements along the channel axis; 1 for a scalar."""
        return self.shape[self.axis] if self.shape else 1

    @property
    def stride(self) -> int:
        """Bytes from one pixel to the next."""
        return -(-self.channels // CHANNEL_STEP) * CHANNEL_STEP

    @property
    def pixel_shape(self) -> Shape:
        """Sizes of the other axes."""
        return tuple(n for k, n in enumerate(self.shape) if k != self.axis)

    @property
    def rows(self) -> int:
        """Number of pixels, of all images."""
        return prod(self.pixel_shape)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.rows * self.stride

    @property
    def planes(self) -> list[int]:
        """(images, channels, pixels, stride): outside, the pixels of a channel follow each other."""
        images = prod(self.shape[: self.axis])
        return [images, self.channels, self.rows // max(images, 1), self.stride]

    @property
    def strides(self) -> list[int]:
        """Bytes between neighbours along each axis of ``shape``."""
        strides, step = [0] * len(self.shape), self.stride
        for k in reversed(range(len(self.shape))):
            strides[k] = 1 if k == self.axis else step
            step *= 1 if k == self.axis else self.shape[k]
        return strides

    @property
    def signed(self) -> bool:
        """Whether codes are signed, so that bytes are codes + 128."""
        return self.dtype == np.int8

    @property
    def offset(self) -> int:
        """What a byte is above its code."""
        return OFFSET if self.signed else 0

    def seen_as(self, shape: Shape, axis: int) -> Held:
        """The same bytes under another shape."""
        return replace(self, shape=shape, axis=axis)


def last_axis(shape: Shape) -> int:
    """The channel axis of rows."""
    return max(len(shape) - 1, 0)


def image_axis(shape: Shape) -> int:
    """The channel axis of images (N, C, *spatial); of rows where there is no such axis."""
    return min(1, last_axis(shape))


def contiguous_strides(shape: Shape) -> list[int]:
    """Elements between neighbours of an array in C order."""
    return [prod(shape[k + 1 :]) for k in range(len(shape))]
