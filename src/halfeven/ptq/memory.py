"""How much memory calibration takes, from the graph and the shapes of a sample, before anything has run."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from halfeven.interop.structure import reads
from halfeven.ptq.algorithms.second_order import layer_bytes
from halfeven.ptq.algorithms.walk import COPIES, MOST_HELD
from halfeven.ptq.calibrate import runs_at_once
from halfeven.ptq.pieces import Source
from halfeven.ptq.segments import pieces_of
from halfeven.ranges import Histogram, MinMax
from halfeven.ranges.histogram import SIDE

Shapes = Mapping[str, Sequence[int]]
ARENA, PACKING, SESSION_BYTES = 1.5, 2, 600_000  # what onnxruntime 1.32 was seen to take
POINTER = 8
GATHERED_BYTES = {MinMax: 0, Histogram: 4 * 2 * SIDE}  # while counting; what comes of it is less than the sessions were


@dataclass(frozen=True)
class CalibrationMemory:
    """Bytes that calibration takes beside what the process holds before, at its peak; however many samples there are.

    Attributes
    ----------
    weights : laid out again for the processor, and what doing so takes for the largest piece. sessions : of all pieces.
    tensors : of one run, where most of them live; onnxruntime's arena holds half as much again in fragments.
    at_once : runs.
    statistics : of all tensors. kept : samples for a second look. shapes : of the inputs that this is for.
    unknown : tensors whose size the graph does not tell; they are not counted.
    """

    weights: int
    sessions: int
    tensors: int
    at_once: int
    statistics: int
    kept: int
    shapes: Mapping[str, tuple[int, ...]]
    unknown: int = 0

    @property
    def arena(self) -> int:
        """For the tensors of one run."""
        return round(ARENA * self.tensors)

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.sessions + self.at_once * self.arena + self.statistics + self.kept

    def __str__(self) -> str:
        shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in self.shapes.items())
        lower = f"; {self.unknown} tensors of unknown size not counted" if self.unknown else ""
        return (
            f"calibration takes about {_size(self.total)} more memory, for any number of samples of {shapes}: tensors "
            f"{self.at_once} x {_size(self.arena)}, weights {_size(self.weights)}, "
            f"sessions {_size(self.sessions)}, statistics {_size(self.statistics)}, kept samples "
            f"{_size(self.kept)}{lower}"
        )


@dataclass(frozen=True)
class RefiningMemory:
    """Bytes that algorithms on codes take beside what the process holds, once calibration is over; for any data.

    Attributes
    ----------
    tensors : of both runs of the samples that are walked through. weights : in sessions of single blocks, and once more
        where outputs are compared. matrices : of the widest layer that is rounded, and its weights in float64.
    names : of the algorithms.
    """

    tensors: int
    weights: int
    matrices: int
    names: tuple[str, ...]

    @property
    def total(self) -> int:
        """All of it."""
        return self.tensors + self.weights + self.matrices

    def __str__(self) -> str:
        return (
            f"{' and '.join(self.names)} then take about {_size(self.total)} more: tensors of samples "
            f"{_size(self.tensors)}, weights {_size(self.weights)}, matrices of one layer {_size(self.matrices)}"
        )


def refining_memory(
    model: ir.Model, shapes: Shapes, products: Sequence[tuple[Sequence[int], int, int]], samples: Mapping[str, int]
) -> RefiningMemory:
    """What weight rounding and bias correction take.

    Parameters
    ----------
    products : shape of the weight, its axis of channels and its groups, of each that is rounded by second order.
    samples : on how many each algorithm looks, by its name.
    """
    source = Source(model)
    sizes = _sizes(source.shaped(shapes))
    one_by_one = [[node] for node in source.nodes]
    made = frozenset(name for node in source.nodes for name in node.output if name)
    live = max(_live(one_by_one, made, sizes), default=0)
    return RefiningMemory(
        tensors=max(min(MOST_HELD, COPIES * live * max(samples.values())), COPIES * live),
        weights=2 * source.weight_bytes(source.nodes),
        matrices=max((layer_bytes(*product) for product in products), default=0),
        names=tuple(samples),
    )


def calibration_memory(
    model: ir.Model,
    tensors: Collection[str],
    shapes: Shapes,
    *,
    kind: type[MinMax | Histogram] = Histogram,
    kept_bytes: int = 0,
) -> CalibrationMemory:
    """What :func:`~halfeven.ptq.calibrate.calibrate` takes for these tensors.

    Parameters
    ----------
    shapes : of each input. kept_bytes : of the samples that are kept beside.
    """
    source = Source(model)
    sizes = _sizes(source.shaped(shapes))
    made = {name for node in source.nodes for name in node.output if name}
    pieces = pieces_of(source.nodes, frozenset(tensors))
    return CalibrationMemory(
        weights=source.weight_bytes(source.nodes) + PACKING * max(map(source.weight_bytes, pieces)),
        sessions=SESSION_BYTES * len(pieces),
        tensors=max(_live(pieces, frozenset(tensors), sizes), default=0),
        at_once=runs_at_once(),
        statistics=len(tensors) * GATHERED_BYTES[kind],
        kept=kept_bytes,
        shapes={name: tuple(shape) for name, shape in shapes.items()},
        unknown=len(made - sizes.keys()),
    )


def _live(
    pieces: Sequence[Sequence[onnx.NodeProto]], wanted: frozenset[str], sizes: Mapping[str, int]
) -> Iterator[int]:
    """Bytes in the tensors that exist while each node runs, by the life they have in ``TappedModel.run``."""
    last = {name: k for k, piece in enumerate(pieces) for node in piece for name in reads(node)}
    across: set[str] = set()  # made by an earlier piece or given, and read from here on
    for k, piece in enumerate(pieces):
        made = {name for node in piece for name in node.output if name}
        shown = {name for name in made if name in wanted or last.get(name, -1) > k}
        across |= {name for node in piece for name in reads(node) if name not in made}
        held = sum(sizes.get(name, 0) for name in across)
        for inside in _inside(piece, made, shown):
            yield held + sum(sizes.get(name, 0) for name in inside)
        across = {name for name in across | shown if last.get(name, -1) > k}


def _inside(piece: Sequence[onnx.NodeProto], made: set[str], shown: set[str]) -> Iterator[set[str]]:
    """What a piece has made and still needs, node by node."""
    last = {name: k for k, node in enumerate(piece) for name in reads(node) if name in made}
    there: set[str] = set()
    for k, node in enumerate(piece):
        there |= {name for name in node.output if name}
        yield there
        there = {name for name in there if name in shown or last.get(name, -1) > k}


def _sizes(model: onnx.ModelProto) -> dict[str, int]:
    """Bytes of each value whose shape the graph tells."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    known = {value.name: value.type.tensor_type for value in (*inferred.value_info, *inferred.input, *inferred.output)}
    return {
        name: math.prod(dim.dim_value for dim in kind.shape.dim) * _item_bytes(kind.elem_type)
        for name, kind in known.items()
        if kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim)
    }


def _item_bytes(element: int) -> int:
    kind = ir.DataType(element)
    return POINTER if kind in (ir.DataType.UNDEFINED, ir.DataType.STRING) else math.ceil(kind.itemsize)


def _size(size: int) -> str:
    kilo, mega = 1000, 1_000_000
    if size < mega:
        return f"{size} B" if size < kilo else f"{size / kilo:.0f} KB"
    return f"{size / mega:.0f} MB"
