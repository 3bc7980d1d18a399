"""How the engine holds a tensor: all the channels of a pixel side by side, codes as the kernels read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

Shape = tuple[int, ...]

CHANNEL_STEP = 4  # channels are padded to a multiple of this
OFFSET = 128  # a signed code of 8 bits is stored as code + 128
STORED_ABOVE = {np.dtype(np.int8): OFFSET, np.dtype(np.uint16): -0x8000}  # what is stored, less the code
FLIPS = {np.dtype(np.int8): 0x80, np.dtype(np.uint16): 0x8000}  # bits that differ between a code and what is stored


@dataclass(frozen=True)
class Held:
    """A tensor in the engine's memory.

    8-bit codes are stored as unsigned bytes, 16-bit codes as signed words, everything else as it is.

    Attributes
    ----------
    id : the plan's number for it. shape : as everyone else sees it.
    axis : the channels': 1 or the last; its elements are neighbours, the other axes follow each other in C order.
    dtype : what the stored elements mean.
    steps : bytes between neighbours along each axis, where the tensor is a view of another's memory; else None.
    place : byte of that memory where the view begins.
    """

    id: int
    shape: Shape
    axis: int
    dtype: np.dtype[Any]
    steps: tuple[int, ...] | None = None
    place: int = 0

    @property
    def channels(self) -> int:
        """Elements along the channel axis; 1 for a scalar."""
        return self.shape[self.axis] if self.shape else 1

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.dtype.itemsize

    @property
    def stride(self) -> int:
        """Bytes from one pixel to the next."""
        return -(-self.channels // CHANNEL_STEP) * CHANNEL_STEP * self.itemsize

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
        if self.steps is not None:
            return list(self.steps)
        strides, step = [0] * len(self.shape), self.stride
        for k in reversed(range(len(self.shape))):
            strides[k] = self.itemsize if k == self.axis else step
            step *= 1 if k == self.axis else self.shape[k]
        return strides

    @property
    def signed(self) -> bool:
        """Whether 8-bit codes are signed, so that bytes are codes + 128."""
        return self.dtype == np.int8

    @property
    def offset(self) -> int:
        """What a byte is above its code."""
        return OFFSET if self.signed else 0

    @property
    def flip(self) -> int:
        """The bits that differ between a code and what is stored."""
        return FLIPS.get(self.dtype, 0)

    @property
    def best_axis(self) -> int:
        """The channel axis that a copy of a view is best given: the one whose elements are neighbours already."""
        near = (k for k in (last_axis(self.shape), image_axis(self.shape)) if self.strides[k:][:1] == [self.itemsize])
        return next(near, usual_axis(self.shape))

    def seen_as(self, shape: Shape, strides: Sequence[int], place: int = 0) -> Held:
        """The same memory under another shape, from byte ``place`` of this on: whole tensor or view."""
        place += self.place
        for axis in (image_axis(shape), last_axis(shape)):
            whole = Held(self.id, shape, axis, self.dtype)
            steps = zip(shape, strides, whole.strides, strict=True)
            if not place and all(n == 1 or a == b for n, a, b in steps):
                return whole
        return replace(self, shape=shape, axis=last_axis(shape), steps=tuple(strides), place=place)


def last_axis(shape: Shape) -> int:
    """The channel axis of rows."""
    return max(len(shape) - 1, 0)


def image_axis(shape: Shape) -> int:
    """The channel axis of images (N, C, *spatial); of rows where there is no such axis."""
    return min(1, last_axis(shape))


def usual_axis(shape: Shape) -> int:
    """The channel axis of a tensor that nothing is known of: images have four axes and more."""
    return image_axis(shape) if len(shape) > 3 else last_axis(shape)  # noqa: PLR2004


def contiguous_strides(shape: Shape, itemsize: int = 1) -> list[int]:
    """Bytes between neighbours of an array in C order."""
    return [prod(shape[k + 1 :]) * itemsize for k in range(len(shape))]


def reshaped_strides(shape: Shape, strides: Sequence[int], new: Shape) -> list[int] | None:
    """Strides under which the same elements have shape ``new``; None where no strides do. Nothing is empty."""
    old = [(n, step) for n, step in zip(shape, strides, strict=True) if n != 1]
    result, i, k = [0] * len(new), 0, 0
    while i < len(old):
        j, last, size, wanted = i + 1, k + 1, old[i][0], new[k]
        while size != wanted:  # the fewest axes on both sides that hold the same elements
            if size < wanted:
                size, j = size * old[j][0], j + 1
            else:
                wanted, last = wanted * new[last], last + 1
        if any(old[m][1] != old[m + 1][0] * old[m + 1][1] for m in range(i, j - 1)):
            return None
        step = old[j - 1][1]
        for m in reversed(range(k, last)):
            result[m] = step
            step *= new[m]
        i, k = j, last
    return result
