"""A float model in consecutive pieces, so that its inner tensors can be seen without being held all at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx
import onnx_ir as ir

from halfeven.interop.structure import reads
from halfeven.ptq.pieces import Piece, Source
from halfeven.ptq.shared_weights import trim_heap

Array = np.ndarray
TAPS = 4  # wanted tensors a piece: what is held at once (and the nearer caches), against the cost of one more session


@dataclass(frozen=True, eq=False)
class Segment:
    """A piece, those of its results that are looked at, and ``done``: tensors that no later piece reads."""

    piece: Piece
    outputs: tuple[str, ...]
    done: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TappedModel:
    """A float model that shows its inner tensors; made by :func:`tap`."""

    segments: tuple[Segment, ...]
    wanted: frozenset[str]

    def run(self, feeds: Mapping[str, Array], see: Callable[[str, Array], None]) -> None:
        """Run one sample; ``see`` is given each wanted tensor once, inputs included, and must not keep it.

        Raises
        ------
        ModelError
            If onnxruntime cannot run it.
        """
        live = dict(feeds)
        for name in self.wanted & live.keys():
            see(name, live[name])
        for segment in self.segments:
            live.update(segment.piece.run(live))
            for name in segment.done:
                if name not in segment.outputs:
                    del live[name]
            for name in segment.outputs:
                if name in self.wanted:
                    see(name, live[name])
                if name in segment.done:
                    del live[name]


def tap(model: ir.Model, wanted: Collection[str], threads: int | None = None) -> TappedModel:
    """Open the model in pieces of :data:`TAPS` wanted tensors each. Memory is that of one piece, whatever the model.

    ``threads``: of each piece; with one it has no pool of its own, and may run for several callers at once.

    Raises
    ------
    ModelError
        If onnxruntime cannot load it.
    """
    source, kept = Source(model), frozenset(wanted)
    pieces = pieces_of(source.nodes, kept)
    last = {name: k for k, piece in enumerate(pieces) for node in piece for name in reads(node)}
    open_piece = partial(source.open, threads=threads)
    segments = tuple(_segment(open_piece, k, piece, kept, last) for k, piece in enumerate(pieces))
    trim_heap()  # of what onnxruntime made on the way from each graph to a session
    return TappedModel(segments, kept)


def _segment(
    open_piece: Callable[..., Piece],
    k: int,
    nodes: Sequence[onnx.NodeProto],
    wanted: frozenset[str],
    last: Mapping[str, int],
) -> Segment:
    made = [name for node in nodes for name in node.output if name]
    outputs = tuple(n for n in made if n in wanted or last.get(n, -1) > k)
    piece = open_piece(nodes, outputs or made[-1:])
    done = tuple(n for n in (*piece.inputs, *outputs) if last.get(n, -1) <= k)
    return Segment(piece, outputs, done)


def pieces_of(nodes: Sequence[onnx.NodeProto], wanted: frozenset[str]) -> list[list[onnx.NodeProto]]:
    """The nodes, cut behind every :data:`TAPS` wanted tensors."""
    pieces: list[list[onnx.NodeProto]] = [[]]
    taps = 0
    for node in nodes:
        if taps >= TAPS:
            pieces.append([])
            taps = 0
        pieces[-1].append(node)
        taps += sum(name in wanted for name in node.output)
    return pieces
