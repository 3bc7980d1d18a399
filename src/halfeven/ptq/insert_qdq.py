"""A float model, a placement and parameters -> the same model with QuantizeLinear and DequantizeLinear nodes."""

from __future__ import annotations

from itertools import pairwise

import onnx_ir as ir

from halfeven.interop.marks import RESCALED
from halfeven.interop.names import fresh_name
from halfeven.interop.qdq import codes_value, dequantize_linear, insert, quantize_linear
from halfeven.numerics.params import AffineParams
from halfeven.ptq.activations import Activations
from halfeven.ptq.operators import operator_of
from halfeven.ptq.placement import Placement, Product
from halfeven.ptq.weights import Constant, Constants

BIAS = 2  # its place among the inputs of Conv, ConvTranspose and Gemm
SUFFIXES = ("_scale", "_zero_point", "_quantized", "_dequantized", "_quantize", "_dequantize")


def insert_qdq(model: ir.Model, placement: Placement, activations: Activations, constants: Constants) -> ir.Model:
    """Write Q and DQ nodes into a copy of ``model``.

    - An activation that carries codes has one QuantizeLinear and one DequantizeLinear behind it. Everything that reads
      it reads the latter; where a float node makes it, only integer operators do.
    - A block that reads an activation in fewer bits has another pair before it, behind the first.
    - Weights, biases (int32) and constant operands are codes in initializers, each with one DequantizeLinear.
    - Inputs and outputs keep their names and stay float32. Those of ``placement.open_outputs`` are read before Q.
    """
    writer = _Writer(model.clone(), placement)
    for name in placement.tensors:
        writer.activation(name, activations.own[name], handed_out=name not in placement.open_outputs)
    for (node, name), params in activations.narrower.items():
        writer.narrower(node, name, params)
    for name in placement.constants:
        writer.operand(name, constants.others[name])
    for product in placement.products:
        writer.product(product, constants.weights[product], constants.biases.get(product))
    writer.remove_unread_constants()
    writer.rename_rescaled()
    return writer.model


class _Writer:
    """The model being written, and its values and nodes by name."""

    def __init__(self, model: ir.Model, placement: Placement) -> None:
        self.model = model
        self._graph: ir.Graph = model.graph
        nodes = list(self._graph)
        self._nodes = {str(node.name): node for node in nodes}
        self._integer = {self._nodes[name] for block in placement.blocks for name in block.nodes}
        self._first = nodes[0]
        self._next = dict(pairwise(nodes))
        self._values = {str(v.name): v for v in self._graph.inputs} | dict(self._graph.initializers)
        self._values |= {str(v.name): v for node in nodes for v in node.outputs}
        self._reals: dict[Constant, ir.Value] = {}
        self._activations: dict[str, ir.Value] = {}  # the reals behind their codes
        self._narrowed: dict[tuple[str, AffineParams], ir.Value] = {}
        self._taken = {*self._values, *self._nodes}

    def activation(self, name: str, params: AffineParams, *, handed_out: bool) -> None:
        """Put Q and DQ behind the value; ``handed_out``: an output of the model is what DQ makes."""
        value = self._values[name]
        label = self._label(_shown(value))
        producer, behind = value.producer(), self._behind(value)
        uses = list(value.uses())
        codes = insert(self._graph, quantize_linear(value, params, label), before=behind)
        real = insert(self._graph, dequantize_linear(codes, params, label), before=behind)
        self._activations[name] = real
        everywhere = producer is None or producer in self._integer
        for use in uses:
            if everywhere or self._reads_codes(use.node, use.idx):
                use.node.replace_input_with(use.idx, real)
        if handed_out and everywhere and producer is not None and value.is_graph_output():
            self._hand_out(value, real)

    def narrower(self, node: str, name: str, params: AffineParams) -> None:
        """Let one operator read the activation in other codes."""
        reader, real = self._nodes[node], self._activations[name]
        if (name, params) not in self._narrowed:
            label, behind = self._label(f"{name}_{params.qtype}"), self._behind(self._values[name])
            codes = insert(self._graph, quantize_linear(real, params, label), before=behind)
            self._narrowed[name, params] = insert(self._graph, dequantize_linear(codes, params, label), before=behind)
        for index, value in enumerate(reader.inputs):
            if value is real and self._reads_codes(reader, index):
                reader.replace_input_with(index, self._narrowed[name, params])

    def rename_rescaled(self) -> None:
        """Let tensors that hold other reals than the model as given go by other names; ports keep theirs."""
        for value in self._values.values():
            port = value.is_graph_input() or value.is_graph_output()
            if RESCALED in value.metadata_props and not port:
                value.name = fresh_name(_shown(value), self._taken)
                self._taken.add(value.name)

    def _behind(self, value: ir.Value) -> ir.Node | None:
        """The node before which something stands behind the value."""
        producer = value.producer()
        return self._first if producer is None else self._next.get(producer)

    def _hand_out(self, value: ir.Value, real: ir.Value) -> None:
        """Make ``real`` the output, under the name that it has always had."""
        name = str(value.name)
        value.name = fresh_name(f"{name}_unquantized", self._taken)
        real.name, real.type = name, value.type
        for k, output in enumerate(self._graph.outputs):
            if output is value:
                self._graph.outputs[k] = real

    def operand(self, name: str, constant: Constant) -> None:
        """Let integer operators read the constant from codes."""
        uses = [use for use in self._values[name].uses() if self._reads_codes(use.node, use.idx)]
        first = min((use.node for use in uses), key=list(self._nodes.values()).index)
        for use in uses:
            use.node.replace_input_with(use.idx, self._real(name, constant, first))

    def _reads_codes(self, node: ir.Node, index: int) -> bool:
        """Whether the node reads codes there, and not a bound, a shape or a bias."""
        operator = operator_of(node)
        if node not in self._integer or operator is None:
            return False
        return operator.operands is None or index < operator.operands

    def product(self, product: Product, weight: Constant, bias: Constant | None) -> None:
        """Let the product read its weight and bias from codes."""
        node = self._nodes[product.node]
        node.replace_input_with(1, self._real(product.weight, weight, node))
        if bias is None:
            return
        if product.bias is None:
            self._new_bias(node, bias)
            return
        reader = self._nodes[product.bias_node]
        index = next(k for k, v in enumerate(reader.inputs) if v is self._values[str(product.bias)])
        reader.replace_input_with(index, self._real(product.bias, bias, reader))

    def _new_bias(self, node: ir.Node, bias: Constant) -> None:
        """Give the product a bias that the float model has not: MatMul, which takes none, by an Add behind it."""
        real = self._real(f"{node.name}_bias", bias, node)
        if node.op_type != "MatMul":
            node.resize_inputs(BIAS + 1)
            node.replace_input_with(BIAS, real)
            return
        product, uses = node.outputs[0], list(node.outputs[0].uses())
        name = fresh_name(f"{node.name}_biased", self._taken)
        self._taken.add(name)
        add = ir.node("Add", [product, real], name=name)
        self._graph.insert_after(node, add)
        total = add.outputs[0]
        total.name, total.type, total.shape = name, product.type, product.shape
        for use in uses:
            use.node.replace_input_with(use.idx, total)

    def _real(self, name: str, constant: Constant, reader: ir.Node) -> ir.Value:
        """The reals of a constant: codes in an initializer, and a DequantizeLinear before its first reader."""
        if constant not in self._reals:
            label = self._label(name)
            codes = codes_value(constant.codes, constant.params.qtype, f"{label}_quantized")
            self._graph.register_initializer(codes)
            self._reals[constant] = insert(self._graph, dequantize_linear(codes, constant.params, label), before=reader)
        return self._reals[constant]

    def _label(self, wanted: str) -> str:
        """``wanted``, or with the first number behind it to which the suffixes of Q and DQ can be put."""
        label, count = wanted, 0
        while self._taken & {label + suffix for suffix in SUFFIXES}:
            count += 1
            label = f"{wanted}_{count}"
        self._taken |= {label + suffix for suffix in SUFFIXES}
        return label

    def remove_unread_constants(self) -> None:
        """Drop the float constants that codes have replaced."""
        for name, value in list(self._graph.initializers.items()):
            if not value.uses() and not value.is_graph_output():
                del self._graph.initializers[name]


def _shown(value: ir.Value) -> str:
    """The value's name, or another one where it holds other reals than in the model as given."""
    return f"{value.name}_rescaled" if RESCALED in value.metadata_props else str(value.name)
