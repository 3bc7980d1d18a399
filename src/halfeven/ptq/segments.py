"""A float model in consecutive pieces, so that its inner tensors can be seen without being held all at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort

from halfeven.errors import ModelError
from halfeven.interop.structure import reads

Array = np.ndarray
TAPS = 8  # wanted tensors a piece: what is held at once, against the cost of one more session
MOST_THREADS = 8  # each piece has a pool of its own
SILENT = 4  # onnxruntime's log level for fatal errors alone


@dataclass(frozen=True, eq=False)
class Segment:
    """One piece: ``outputs = session(inputs)``. ``done`` are tensors that no later piece reads."""

    session: Any
    inputs: tuple[str, ...]
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
            live.update(self._step(segment, live))
            for name in segment.outputs:
                if name in self.wanted:
                    see(name, live[name])
            for name in segment.done:
                live.pop(name, None)

    def _step(self, segment: Segment, live: Mapping[str, Array]) -> dict[str, Array]:
        try:
            arrays = segment.session.run(segment.outputs, {name: live[name] for name in segment.inputs})
        except Exception as error:
            raise ModelError(f"onnxruntime cannot run the float model on this sample: {_words(error)}") from error
        return dict(zip(segment.outputs, arrays, strict=True))


def tap(model: ir.Model, wanted: Collection[str]) -> TappedModel:
    """Open the model in pieces of :data:`TAPS` wanted tensors each. Memory is that of one piece, whatever the model.

    Raises
    ------
    ModelError
        If onnxruntime cannot load it.
    """
    proto = ir.to_proto(model)
    pieces = _pieces(proto.graph.node, frozenset(wanted))
    last = {name: k for k, piece in enumerate(pieces) for node in piece for name in reads(node)}
    open_one = _Opener(proto, frozenset(wanted), last)
    return TappedModel(tuple(open_one(k, piece) for k, piece in enumerate(pieces)), frozenset(wanted))


def _pieces(nodes: Sequence[onnx.NodeProto], wanted: frozenset[str]) -> list[list[onnx.NodeProto]]:
    pieces: list[list[onnx.NodeProto]] = [[]]
    taps = 0
    for node in nodes:
        if taps >= TAPS:
            pieces.append([])
            taps = 0
        pieces[-1].append(node)
        taps += sum(name in wanted for name in node.output)
    return pieces


class _Opener:
    def __init__(self, model: onnx.ModelProto, wanted: frozenset[str], last: Mapping[str, int]) -> None:
        graph = model.graph
        self._model = model
        self._wanted = wanted
        self._last = last
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._types = {v.name: v for v in (*graph.value_info, *graph.input, *graph.output)}

    def __call__(self, k: int, nodes: list[onnx.NodeProto]) -> Segment:
        made = [name for node in nodes for name in node.output if name]
        needed = [name for node in nodes for name in sorted(reads(node))]
        inputs = tuple(dict.fromkeys(n for n in needed if n not in self._weights and n not in made))
        outputs = tuple(n for n in made if n in self._wanted or self._last.get(n, -1) > k)
        done = tuple(n for n in (*inputs, *outputs) if self._last.get(n, -1) <= k)
        return Segment(self._open(nodes, needed, inputs, outputs or made[-1:]), inputs, outputs, done)

    def _open(
        self, nodes: list[onnx.NodeProto], needed: Sequence[str], inputs: Sequence[str], outputs: Sequence[str]
    ) -> Any:
        weights = [self._weights[n] for n in dict.fromkeys(needed) if n in self._weights]
        graph = onnx.helper.make_graph(nodes, "piece", self._ports(inputs), self._ports(outputs), weights)
        opsets = self._model.opset_import
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=self._model.ir_version)
        try:
            return ort.InferenceSession(model.SerializeToString(), _options(), providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(f"onnxruntime cannot load the float model: {_words(error)}") from error

    def _ports(self, names: Sequence[str]) -> list[onnx.ValueInfoProto]:
        return [self._types.get(n) or onnx.ValueInfoProto(name=n) for n in names]


def _options() -> ort.SessionOptions:
    _share_memory()
    options = ort.SessionOptions()
    options.log_severity_level = SILENT
    options.intra_op_num_threads = min(_cores(), MOST_THREADS)
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # pieces take turns: waiting must be idle
    return options


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _share_memory() -> None:
    """One arena for all pieces: each would keep its own, and together hold what the cutting is to save."""
    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(info, None)


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
