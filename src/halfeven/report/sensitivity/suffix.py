"""The rest of a float model from some node on, so that a changed tensor costs no more than what follows it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.structure import reads
from halfeven.ptq.pieces import Piece, Source

Array = NDArray[Any]


class Suffixes:
    """A float model, cut before any of its nodes.

    Attributes
    ----------
    outputs : of the model. position : of the node that makes a tensor.
    """

    def __init__(self, model: ir.Model) -> None:
        self._proto = ir.to_proto(model)
        self._nodes = list(self._proto.graph.node)
        self._source = Source(self._proto)
        self.outputs = tuple(v.name for v in self._proto.graph.output)
        self.position = {name: k for k, node in enumerate(self._nodes) for name in node.output if name}
        self.node_position = {node.name: k for k, node in enumerate(self._nodes)}
        self._last_read = {name: k for k, node in enumerate(self._nodes) for name in reads(node)}

    def __len__(self) -> int:
        return len(self._nodes)

    def open(self, first: int, weights: Mapping[str, Array] | None = None) -> Piece | None:
        """The model from its node number ``first`` on, one thread; None where nothing of it makes an output.

        ``weights`` stand for constants of these names.
        """
        outputs = [name for name in self.outputs if self.position.get(name, -1) >= first]
        if not outputs:
            return None
        given = weights or {}
        nodes = self._needed(first, outputs, given)
        return self._source.with_constants(given).open(nodes, outputs, threads=1) if nodes else None

    def _needed(self, first: int, outputs: Iterable[str], given: Collection[str]) -> list[onnx.NodeProto]:
        """The nodes from ``first`` on that the outputs depend on and that make nothing given, in order."""
        wanted, found = set(outputs), []
        for node in reversed(self._nodes[first:]):
            if wanted.intersection(node.output) and not set(given).intersection(node.output):
                found.append(node)
                wanted |= set(reads(node))
        return found[::-1]

    def between(self, first: int, last: int, wanted: Iterable[str]) -> Piece | None:
        """Nodes ``first`` to ``last`` (not included), with every result that a later node or the caller wants."""
        nodes = self._nodes[first:last]
        kept = set(wanted)
        made = [name for node in nodes for name in node.output if name]
        outputs = [name for name in made if name in kept or self._last_read.get(name, -1) >= last]
        return self._source.open(nodes, outputs, threads=1) if outputs else None

    def is_done(self, name: str, position: int) -> bool:
        """Whether no node from ``position`` on reads the tensor."""
        return self._last_read.get(name, -1) < position

    def constant(self, node: str, index: int) -> str:
        """Name of a node's input."""
        return str(self._nodes[self.node_position[node]].input[index])
