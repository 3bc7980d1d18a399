"""Small QDQ models, one operator each, and the real-number answer that its codes must round to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from halfeven.numerics.params import AffineParams

Array = NDArray[Any]
ELEMENT = {
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int16": TensorProto.INT16,
    "uint16": TensorProto.UINT16,
    "int32": TensorProto.INT32,
}


@dataclass(frozen=True)
class Weight:
    """A constant operand as codes."""

    codes: Array
    params: AffineParams


@dataclass(frozen=True)
class OneOperator:
    """``y = Q(activation(op(DQ(Q(x))...)))``; ``inputs`` are shapes and parameters, ``constants`` codes or arrays."""

    op: str
    inputs: Sequence[tuple[Sequence[int], AffineParams]]
    output: AffineParams
    constants: Sequence[Weight | Array] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    activation: str | None = None

    def qdq(self) -> ir.Model:
        """The QDQ model."""
        nodes: list[onnx.NodeProto] = []
        initializers: list[onnx.TensorProto] = []
        names = []
        for k, (_, params) in enumerate(self.inputs):
            nodes.append(_linear("QuantizeLinear", f"x{k}", f"x{k}.q", params, initializers))
            nodes.append(_linear("DequantizeLinear", f"x{k}.q", f"x{k}.d", params, initializers))
            names.append(f"x{k}.d")
        for k, constant in enumerate(self.constants):
            names.append(f"c{k}")
            if isinstance(constant, Weight):
                initializers.append(numpy_helper.from_array(constant.codes, f"c{k}.q"))
                nodes.append(_linear("DequantizeLinear", f"c{k}.q", f"c{k}", constant.params, initializers))
            else:
                initializers.append(numpy_helper.from_array(constant, f"c{k}"))
        nodes.append(helper.make_node(self.op, names, ["r"], name="the_operator", **self.attributes))
        last = "r"
        if self.activation:
            nodes.append(helper.make_node(self.activation, ["r"], ["a"], name="the_activation"))
            last = "a"
        nodes.append(_linear("QuantizeLinear", last, "y.q", self.output, initializers))
        nodes.append(_linear("DequantizeLinear", "y.q", "y", self.output, initializers))
        shapes = [
            helper.make_tensor_value_info(f"x{k}", TensorProto.FLOAT, list(s)) for k, (s, _) in enumerate(self.inputs)
        ]
        shape = self.inputs[0][0] if self.op == "GroupNormalization" else None  # onnx infers none there
        out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)]
        model = helper.make_model(
            helper.make_graph(nodes, "g", shapes, out, initializers), opset_imports=[helper.make_opsetid("", 21)]
        )
        model.ir_version = 10
        model = onnx.shape_inference.infer_shapes(model)
        onnx.checker.check_model(model)
        return ir.from_proto(model)

    def codes(self, seed: int = 0) -> dict[str, Array]:
        """Random codes for each input, the extremes among them, keyed by the tensor inside the boundary."""
        rng = np.random.default_rng(seed)
        feeds = {}
        for k, (shape, params) in enumerate(self.inputs):
            q = rng.integers(params.qtype.qmin, params.qtype.qmax + 1, shape)
            flat = q.reshape(-1)
            flat[: min(2, flat.size)] = [params.qtype.qmin, params.qtype.qmax][: flat.size]
            feeds[f"x{k}.q"] = q.astype(params.qtype.storage)
        return feeds

    def real(self, feeds: Mapping[str, Array]) -> Array:
        """``op`` on the reals behind the codes, in float64 (the onnx package's reference operator)."""
        values = [_reals(feeds[f"x{k}.q"], params) for k, (_, params) in enumerate(self.inputs)]
        values += [_reals(c.codes, c.params) if isinstance(c, Weight) else c for c in self.constants]
        names = [f"i{k}" for k in range(len(values))]
        infos = [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in zip(names, values, strict=True)
        ]
        nodes = [helper.make_node(self.op, names, ["r"], **self.attributes)]
        if self.activation:
            nodes.append(helper.make_node(self.activation, ["r"], ["a"]))
        if self._reference_is_wrong():
            return _in_float32(nodes, infos, dict(zip(names, values, strict=True)))
        last = helper.make_tensor_value_info("a" if self.activation else "r", TensorProto.DOUBLE, None)
        model = helper.make_model(
            helper.make_graph(nodes, "g", infos, [last]), opset_imports=[helper.make_opsetid("", 21)]
        )
        return np.asarray(ReferenceEvaluator(model).run(None, dict(zip(names, values, strict=True)))[0])

    def _reference_is_wrong(self) -> bool:
        """Whether the package's reference has bugs there: asymmetric pads of pools, groups of ConvTranspose."""
        grouped = self.op == "ConvTranspose" and {"group", "output_shape"} & set(self.attributes)
        return self.op.endswith("Pool") or bool(grouped)


def _in_float32(nodes: list[onnx.NodeProto], infos: list[onnx.ValueInfoProto], values: dict[str, Array]) -> Array:
    """The last result, by ONNX Runtime in float32."""
    for info in infos:
        info.type.tensor_type.elem_type = TensorProto.FLOAT
    out = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    model = helper.make_model(helper.make_graph(nodes, "g", infos, [out]), opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {name: a.astype(np.float32) for name, a in values.items()}
    return np.asarray(session.run(None, feeds)[0], np.float64)


def _reals(codes: Array, params: AffineParams) -> Array:
    scale, zero = params.expanded(codes.shape)
    return (codes.astype(np.float64) - zero) * scale.astype(np.float64)


def _linear(op: str, x: str, y: str, params: AffineParams, initializers: list[onnx.TensorProto]) -> onnx.NodeProto:
    initializers.append(numpy_helper.from_array(params.scale, f"{op}.{y}.scale"))
    zero = helper.make_tensor(
        f"{op}.{y}.zero", ELEMENT[params.qtype.name], params.scale.shape, params.zero_point.reshape(-1).tolist()
    )
    initializers.append(zero)
    attributes = {} if params.axis is None else {"axis": params.axis}
    return helper.make_node(op, [x, f"{op}.{y}.scale", f"{op}.{y}.zero"], [y], name=f"{op}.{y}", **attributes)
