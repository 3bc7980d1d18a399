"""A stretch of the Program that the engine runs in one call, while it is being built and afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from math import prod
from threading import current_thread, main_thread
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from halfeven import _native
from halfeven.errors import NotANumberError, ParameterError, ResourceError
from halfeven.execute.memory import available_bytes, check_memory
from halfeven.execute.plan.layout import Held, Shape, contiguous_strides, usual_axis
from halfeven.execute.plan.weights import Weights
from halfeven.ir.instructions import Conv, Instruction, Quantize

Array = NDArray[Any]
BYTES = (np.dtype(np.int8), np.dtype(np.uint8))
NO_TABLE = np.zeros(0, np.int32)
ITEM_SIZES = {1, 2, 4, 8}


@dataclass(frozen=True)
class Outer:
    """An array outside: its name, shape and type."""

    name: str
    shape: Shape
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return prod(self.shape) * self.dtype.itemsize


@dataclass
class Stage:
    """Steps being planned, from arrays that are there already.

    Attributes
    ----------
    arrays : what is outside: inputs of the model, results of other stages.
    weights : packed weights, by instruction; shared by every plan of the Program.
    constants : names of arrays that never change. fixed : those that were found out here.
    pending : convolutions that wait for the addition that they may be fused with, by result.
    images : quantized inputs that wait for the convolution that says what border they need.
    uses : how many instructions read each tensor, once more where it is wanted.
    """

    arrays: Mapping[str, Array]
    weights: Weights
    constants: AbstractSet[str]
    uses: Mapping[str, int]
    readers: Mapping[str, Instruction]
    plan: _native.Plan = field(default_factory=lambda: _native.Plan(isa=-1))
    held: dict[str, Held] = field(default_factory=dict)
    pending: dict[str, tuple[Conv, Shape]] = field(default_factory=dict)
    inputs: list[Outer] = field(default_factory=list)
    outputs: list[Outer] = field(default_factory=list)
    quantized: dict[int, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    emit_conv: Callable[[Stage, Conv, Held, None], Held] | None = None
    emit_quantize: Callable[[Stage, Quantize], Held] | None = None
    images: dict[str, tuple[Quantize, Shape]] = field(default_factory=dict)
    paddings: dict[tuple[Any, ...], int] = field(default_factory=dict)
    relaid: dict[tuple[Any, ...], Held] = field(default_factory=dict)
    fixed: dict[str, Array] = field(default_factory=dict)

    def tensor(self, shape: Shape, axis: int, dtype: Any) -> Held:
        """Room for a tensor."""
        held = Held(0, tuple(int(n) for n in shape), axis, np.dtype(dtype))
        check_memory(held.nbytes, "a tensor")
        return Held(self.plan.tensor(held.nbytes), held.shape, axis, held.dtype)

    def shape_of(self, name: str) -> Shape | None:
        """Shape of a tensor of 8-bit codes, not empty; else None."""
        shape = self.any_shape(name)
        return shape if shape is not None and self.dtype_of(name) in BYTES else None

    def any_shape(self, name: str) -> Shape | None:
        """Shape of a tensor that the engine can hold, not empty; else None."""
        if name in self.pending:
            return self.pending[name][1]
        if name in self.images:
            return self.images[name][1]
        if name in self.held:
            return self.held[name].shape
        a = self.arrays.get(name)
        return a.shape if a is not None and a.dtype.itemsize in ITEM_SIZES and a.size else None

    def known_shape(self, name: str) -> Shape:
        """Shape of any tensor that there is, empty ones too."""
        outer = next((o for o in self.outputs if o.name == name), None)
        if outer is not None:
            return outer.shape
        shape = self.any_shape(name)
        return self._outside(name).shape if shape is None else shape

    def _outside(self, name: str) -> Array:
        return self.fixed[name] if name in self.fixed else self.arrays[name]

    def fix(self, name: str, a: Array) -> None:
        """A tensor turned out to be constant."""
        self.fixed[name] = a

    def dtype_of(self, name: str) -> np.dtype[Any]:
        """Type of a tensor that the engine can hold."""
        if name in self.pending:
            return np.dtype(self.pending[name][0].rescale.target.qtype.storage)
        if name in self.images:
            return np.dtype(self.images[name][0].params.qtype.storage)
        return self.held[name].dtype if name in self.held else self._outside(name).dtype

    def view(self, name: str, axis: int | None = None) -> Held:
        """The tensor as it lies; brought in where it is outside, with its channels at ``axis``."""
        if name in self.pending and self.emit_conv is not None:
            conv, _ = self.pending.pop(name)
            self.held[name] = self.emit_conv(self, conv, self.get(conv.x, 1), None)
        if name in self.images and self.emit_quantize is not None:
            quantize, _ = self.images.pop(name)
            self.held[name] = self.emit_quantize(self, quantize)
        if name not in self.held:
            a = self.arrays[name]
            self.held[name] = self.brought_in(name, a, usual_axis(a.shape) if axis is None else axis)
        return self.held[name]

    def get(self, name: str, axis: int | None = None) -> Held:
        """The tensor as one of its own, no view, with its channels at ``axis`` (None: wherever they are)."""
        return self.laid_out(self.view(name, axis), axis)

    def laid_out(self, x: Held, axis: int | None) -> Held:
        """The same tensor with its channels at ``axis``."""
        if x.steps is None and axis in {None, x.axis}:
            return x
        axis = x.best_axis if axis is None else axis
        key = x.id, x.shape, x.steps, x.place, axis
        if key not in self.relaid:
            y = self.tensor(x.shape, axis, x.dtype)
            self.copy((True, x.id), (True, y.id), x, x.strides, y.strides, offsets=(x.place, 0))
            self.relaid[key] = y
        return self.relaid[key]

    def brought_in(self, name: str, a: Array, axis: int) -> Held:
        """An array from outside: constants are part of the plan, others are read at each run."""
        y = self.tensor(a.shape, axis, a.dtype)
        if name in self.constants:
            bits = np.dtype(f"u{y.itemsize}")
            room = np.zeros(y.nbytes // y.itemsize, bits)
            np.lib.stride_tricks.as_strided(room, a.shape, y.strides)[...] = a.view(bits) ^ bits.type(y.flip)
            return Held(self.plan.constant(room.view(np.uint8)), y.shape, axis, y.dtype)
        source = self.input(name, a.nbytes, a.dtype)
        place = contiguous_strides(a.shape, y.itemsize)
        self.copy((False, source), (True, y.id), y, place, y.strides, flip=y.flip)
        return y

    def copy(
        self,
        source: tuple[bool, int],
        target: tuple[bool, int],
        what: Held,
        strides_in: list[int],
        strides_out: list[int],
        *,
        offsets: tuple[int, int] = (0, 0),
        flip: int = 0,
    ) -> None:
        """Move the elements of ``what``, with the bits of ``flip`` turned.

        An end is (whether a tensor of the plan, its number).
        """
        axes = [axis for axis in zip(what.shape, strides_in, strides_out, strict=True) if axis[0] != 1]
        axes = axes or [(1, what.itemsize, what.itemsize)]
        merged = [axes[-1]]
        for n, a, b in axes[-2::-1]:
            size, inner_a, inner_b = merged[-1]
            if (a, b) == (size * inner_a, size * inner_b):
                merged[-1] = (n * size, inner_a, inner_b)
            else:
                merged.append((n, a, b))
        merged.reverse()
        order = sorted(merged, key=lambda axis: axis[2] == what.itemsize)  # what is contiguous out comes last
        counts, steps_in, steps_out = ([axis[k] for axis in order] for k in range(3))
        self.plan.copy(*source, *target, counts, steps_in, steps_out, *offsets, what.itemsize, flip)
        self.steps.append("Copy")

    def input(self, name: str, nbytes: int, dtype: Any) -> int:
        """Number of an array that each run reads, as elements of ``dtype``."""
        for k, outer in enumerate(self.inputs):
            if outer.name == name:
                return k
        self.inputs.append(Outer(name, self.arrays[name].shape, np.dtype(dtype)))
        return self.plan.input(nbytes)

    def output(self, name: str, shape: Shape, dtype: Any) -> int:
        """Number of an array that each run makes."""
        outer = Outer(name, shape, np.dtype(dtype))
        self.outputs.append(outer)
        return self.plan.output(outer.nbytes)

    def padding(self, zero: int, width: int, dtype: Any = np.uint8) -> int:
        """A pixel of zero points, as stored, ``width`` bytes."""
        key = zero, width, np.dtype(dtype)
        if key not in self.paddings:
            fill = np.full(-(-width // np.dtype(dtype).itemsize) + 64, zero, dtype)
            self.paddings[key] = self.plan.constant(fill.view(np.uint8))
        return self.paddings[key]

    def export(self, name: str) -> None:
        """Give a tensor out, as its codes."""
        x = self.view(name)
        target = self.output(name, x.shape, x.dtype)
        place = contiguous_strides(x.shape, x.itemsize)
        self.copy((True, x.id), (False, target), x, x.strides, place, offsets=(x.place, 0), flip=x.flip)


@dataclass(frozen=True)
class NativeStage:
    """A planned stretch."""

    plan: _native.Plan
    inputs: tuple[Outer, ...]
    outputs: tuple[Outer, ...]
    quantized: Mapping[int, str]
    steps: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """What a run takes beside the inputs and the packed weights."""
        return self.plan.arena_bytes + self.plan.table_bytes + sum(outer.nbytes for outer in self.outputs)

    def run(
        self, arrays: dict[str, Array], threads: int, into: Mapping[str, Array] | None = None, samples: int = 1
    ) -> None:
        """Add the results to ``arrays``.

        Parameters
        ----------
        into : arrays that take results, by name; used where they have the right shape and layout.
        samples : how many runs, on arrays whose first axis is so many times that of the plan.
        """
        watched = current_thread() is main_thread()
        try:
            inputs, outputs = self.ends(arrays, into or {}, samples)
            counts, failure = self.plan.run(inputs, outputs, threads, samples, watched, _native.LEAST_WORK_PER_THREAD)
        except MemoryError:
            raise ResourceError("a run", self.bytes, available_bytes() or 0) from None
        if failure is not None:
            self._refuse(*failure)
        for k, name in self.quantized.items():
            if counts[k]:
                raise NotANumberError(counts[k], name)
        arrays.update((outer.name, a) for outer, a in zip(self.outputs, outputs, strict=True))

    def _refuse(self, step: int, words: str, memory: bool) -> NoReturn:
        kind, _, name = self.steps[step].partition(" ")
        place = f"{kind} '{name}'" if name else kind
        if memory:
            raise ResourceError(place, self.bytes, available_bytes() or 0)
        raise ParameterError(f"{place}: {words}")

    def ends(
        self, arrays: Mapping[str, Array], into: Mapping[str, Array] | None = None, samples: int = 1
    ) -> tuple[list[Array], list[Array]]:
        """Arrays in and out of a run."""
        with np.errstate(over="ignore"):
            inputs = [np.asarray(arrays[outer.name], outer.dtype, order="C") for outer in self.inputs]
        return inputs, self.rooms(into or {}, samples)

    def rooms(self, into: Mapping[str, Array], samples: int = 1) -> list[Array]:
        """Arrays out of a run."""
        return [_room(outer, into.get(outer.name), samples) for outer in self.outputs]


def _room(outer: Outer, given: Array | None, samples: int) -> Array:
    shape = (samples * outer.shape[0], *outer.shape[1:]) if samples > 1 else outer.shape
    if given is not None and (given.shape, given.dtype) == (shape, outer.dtype) and given.flags.carray:
        return given
    return np.empty(shape, outer.dtype)
