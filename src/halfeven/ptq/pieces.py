"""Some nodes of a float model as a session of their own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort

from halfeven.errors import ModelError
from halfeven.interop.inference import bare_proto
from halfeven.interop.structure import reads
from halfeven.ptq.shared_weights import SharedWeights

Array = np.ndarray
MOST_THREADS = 8  # each piece has a pool of its own
ARENA = {  # regions are never joined, so a large one; what is never used of it takes no memory
    "initial_chunk_size_bytes": 1 << 26,
    "max_dead_bytes_per_chunk": 1 << 16,  # what a tensor may take up and not fill: 128 MiB if nothing is said
}
SILENT = 4  # onnxruntime's log level for fatal errors alone


@dataclass(frozen=True, eq=False)
class Piece:
    """``outputs = session(inputs)``; ``weights`` are what the session reads, and does not keep alive."""

    session: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: SharedWeights

    def run(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Its results from ``values``, which hold its inputs among others.

        Raises
        ------
        ModelError
            If onnxruntime cannot run it.
        """
        try:
            arrays = self.session.run(self.outputs, {name: values[name] for name in self.inputs})
        except Exception as error:
            raise ModelError(f"onnxruntime cannot run the float model on this sample: {_words(error)}") from error
        return dict(zip(self.outputs, arrays, strict=True))


class Source:
    """A model that pieces are taken from; its constants are copied nowhere.

    Attributes
    ----------
    nodes : in the model's order.
    """

    def __init__(self, model: onnx.ModelProto | ir.Model) -> None:
        self._model, self._weights = _without_constants(model) if isinstance(model, ir.Model) else _constants(model)
        graph = self._model.graph
        self.nodes: Sequence[onnx.NodeProto] = graph.node
        self._types = {v.name: v for v in (*graph.value_info, *graph.input, *graph.output)}

    def open(self, nodes: Sequence[onnx.NodeProto], outputs: Sequence[str], threads: int | None = None) -> Piece:
        """A session of ``nodes``, in the model's order; with one thread it has no pool of its own.

        Raises
        ------
        ModelError
            If onnxruntime cannot load it.
        """
        inputs = self.inputs(nodes)
        weights = SharedWeights.of({n: self._weights[n] for n in _needed(nodes) if n in self._weights})
        graph = onnx.helper.make_graph(nodes, "piece", self._ports(inputs), self._ports(outputs), weights.initializers)
        opsets = self._model.opset_import
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=self._model.ir_version)
        options = _options(threads)
        weights.give_to(options)
        try:
            session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(f"onnxruntime cannot load the float model: {_words(error)}") from error
        weights.tidy()
        return Piece(session, inputs, tuple(outputs), weights)

    def with_constants(self, arrays: Mapping[str, Array]) -> Source:
        """The same model with these values for constants of these names; everything else is shared."""
        made = copy(self)
        made._weights = {**self._weights, **{n: ir.tensor(a, name=n) for n, a in arrays.items()}}  # noqa: SLF001
        return made

    def weight_bytes(self, nodes: Sequence[onnx.NodeProto]) -> int:
        """Of the constants that they read."""
        return sum(self._weights[name].nbytes for name in _needed(nodes) if name in self._weights)

    def shaped(self, shapes: Mapping[str, Sequence[int]]) -> onnx.ModelProto:
        """The model with these shapes of inputs, without inferred ones, and without the values of large constants."""
        made = onnx.ModelProto()
        made.CopyFrom(self._model)
        del made.graph.value_info[:], made.graph.initializer[:]
        for value in made.graph.input:
            if value.name in shapes:
                value.type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto())
                for size in shapes[value.name]:
                    value.type.tensor_type.shape.dim.add(dim_value=size)
        for value in made.graph.output:
            value.type.tensor_type.ClearField("shape")
        made.graph.initializer.extend(SharedWeights.of(self._weights).initializers)
        return made

    def inputs(self, nodes: Sequence[onnx.NodeProto]) -> tuple[str, ...]:
        """What ``nodes`` read and neither make nor find among the model's constants."""
        made = {name for node in nodes for name in node.output}
        return tuple(n for n in _needed(nodes) if n not in self._weights and n not in made)

    def _ports(self, names: Sequence[str]) -> list[onnx.ValueInfoProto]:
        return [self._types.get(n) or onnx.ValueInfoProto(name=n) for n in names]


def _constants(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, ir.TensorProtocol]]:
    return model, {tensor.name: ir.from_proto(tensor) for tensor in model.graph.initializer}


def _without_constants(model: ir.Model) -> tuple[onnx.ModelProto, dict[str, ir.TensorProtocol]]:
    constants = {n: v.const_value for n, v in model.graph.initializers.items() if v.const_value is not None}
    return bare_proto(model), constants


def _needed(nodes: Sequence[onnx.NodeProto]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for node in nodes for name in sorted(reads(node))))


def _options(threads: int | None) -> ort.SessionOptions:
    _share_memory()
    options = ort.SessionOptions()
    options.log_severity_level = SILENT
    options.intra_op_num_threads = threads or min(cores(), MOST_THREADS)
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # pieces take turns: waiting must be idle
    return options


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _share_memory() -> None:
    """One arena for all pieces: each would keep its own, and together hold what the cutting is to save."""
    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(info, ort.OrtArenaCfg(ARENA))


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
