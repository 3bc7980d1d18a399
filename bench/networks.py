"""ResNet-50, MobileNetV2 and ViT-S/16 with random weights, as float ONNX: what exporters write, batch norms folded."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Network:
    """A model that grows node by node."""

    def __init__(self, name: str, seed: int = 0) -> None:
        self.name = name
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Append a node; the name of its result."""
        y = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [y], name=y, **attributes))
        return y

    def weight(self, values: Any) -> str:
        """A constant; its name."""
        name = f"w_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def conv(self, x: str, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, group: int = 1) -> str:
        """A convolution that keeps the variance of what it reads."""
        shape = (outputs, inputs // group, kernel, kernel)
        w = self.rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        b = self.rng.normal(0, 0.1, outputs)
        pad = kernel // 2
        constants = [self.weight(w), self.weight(b)]
        return self.node("Conv", [x, *constants], strides=[stride] * 2, pads=[pad] * 4, group=group)

    def relu6(self, x: str) -> str:
        """A clamp to [0, 6]."""
        return self.node("Clip", [x, self.weight(0.0), self.weight(6.0)])

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        """A matrix product and its bias on the last axis, as exporters write them."""
        w = self.rng.normal(0, np.sqrt(1 / inputs), (inputs, outputs))
        b = self.rng.normal(0, 0.1, outputs)
        return self.node("Add", [self.node("MatMul", [x, self.weight(w)]), self.weight(b)])

    def shape(self, sizes: list[int]) -> str:
        """A shape as a constant; its name."""
        name = f"w_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(sizes, np.int64), name))
        return name

    def index(self, place: int) -> str:
        """A single index as a constant; its name."""
        name = f"w_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(place, np.int64), name))
        return name

    def layer_norm(self, x: str, features: int) -> str:
        """LayerNormalization on the last axis."""
        gain, offset = self.rng.normal(1, 0.2, features), self.rng.normal(0, 0.2, features)
        return self.node("LayerNormalization", [x, self.weight(gain), self.weight(offset)], axis=-1, epsilon=1e-6)

    def model(self, x: str, features: int) -> onnx.ModelProto:
        """Everything, behind a global mean, with a classifier."""
        return self.classifier(self.node("Flatten", [self.node("GlobalAveragePool", [x])]), features)

    def classifier(self, x: str, features: int, opset: int = 17) -> onnx.ModelProto:
        """Everything, with a product for 1000 classes behind it."""
        w = self.rng.normal(0, np.sqrt(1 / features), (1000, features))
        constants = [self.weight(w), self.weight(np.zeros(1000))]
        return self.finished(self.node("Gemm", [x, *constants], transB=1), [1, 3, 224, 224], [1, 1000], opset)

    def finished(self, y: str, inputs: list[int], outputs: list[int], opset: int = 17) -> onnx.ModelProto:
        """Everything, from an input x to a result y of these shapes."""
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, inputs)
        result = helper.make_tensor_value_info(y, TensorProto.FLOAT, outputs)
        graph = helper.make_graph(self.nodes, self.name, [x], [result], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnx.checker.check_model(model)
        return model


def resnet50() -> onnx.ModelProto:
    """He et al. 2015, stride in the 3x3 convolutions."""
    n = Network("resnet50")
    x = n.node("Relu", [n.conv("x", 3, 64, 7, 2)])
    x = n.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    inputs = 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            step = 1 if block else stride
            a = n.node("Relu", [n.conv(x, inputs, width)])
            b = n.node("Relu", [n.conv(a, width, width, 3, step)])
            c = n.conv(b, width, 4 * width)
            x = n.node("Relu", [n.node("Add", [c, x if block else n.conv(x, inputs, 4 * width, 1, step)])])
            inputs = 4 * width
    return n.model(x, inputs)


def mobilenetv2() -> onnx.ModelProto:
    """Sandler et al. 2018."""
    n = Network("mobilenetv2")
    x, inputs = n.relu6(n.conv("x", 3, 32, 3, 2)), 32
    rows = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for factor, outputs, blocks, stride in rows:
        for block in range(blocks):
            step, hidden = 1 if block else stride, inputs * factor
            y = n.relu6(n.conv(x, inputs, hidden)) if factor > 1 else x
            y = n.relu6(n.conv(y, hidden, hidden, 3, step, hidden))
            y = n.conv(y, hidden, outputs)
            x = n.node("Add", [y, x]) if step == 1 and inputs == outputs else y
            inputs = outputs
    return n.model(n.relu6(n.conv(x, inputs, 1280)), 1280)


def vit_s16() -> onnx.ModelProto:
    """Dosovitskiy et al. 2020 with the sizes of DeiT-S: 12 blocks of 384 features in 6 heads over 197 tokens."""
    n, features, heads, tokens = Network("vit_s16"), 384, 6, 197
    patches = n.node("Conv", ["x", n.weight(n.rng.normal(0, 0.04, (features, 3, 16, 16)))], strides=[16] * 2)
    rows = n.node("Transpose", [n.node("Reshape", [patches, n.shape([1, features, -1])])], perm=[0, 2, 1])
    first = n.weight(n.rng.normal(0, 1, (1, 1, features)))
    places = n.weight(n.rng.normal(0, 0.5, (1, tokens, features)))
    x = n.node("Add", [n.node("Concat", [first, rows], axis=1), places])
    for _ in range(12):
        x = n.node("Add", [x, _attention(n, n.layer_norm(x, features), features, heads, tokens)])
        hidden = n.node("Gelu", [n.linear(n.layer_norm(x, features), features, 4 * features)])
        x = n.node("Add", [x, n.linear(hidden, 4 * features, features)])
    token = n.node("Gather", [n.layer_norm(x, features), n.index(0)], axis=1)
    return n.classifier(token, features, opset=20)


def _attention(n: Network, x: str, features: int, heads: int, tokens: int) -> str:
    """Self-attention as exporters write it: one product for q, k and v, then slices of it, a head each."""
    width = features // heads
    split = n.node("Reshape", [n.linear(x, features, 3 * features), n.shape([1, tokens, 3, heads, width])])
    moved = n.node("Transpose", [split], perm=[2, 0, 3, 1, 4])
    q, k, v = (n.node("Gather", [moved, n.index(part)], axis=0) for part in range(3))
    scaled = n.node("Mul", [q, n.weight(width**-0.5)])
    scores = n.node("MatMul", [scaled, n.node("Transpose", [k], perm=[0, 1, 3, 2])])
    mixed = n.node("MatMul", [n.node("Softmax", [scores], axis=-1), v])
    joined = n.node("Transpose", [mixed], perm=[0, 2, 1, 3])
    return n.linear(n.node("Reshape", [joined, n.shape([1, tokens, features])]), features, features)


NETWORKS = {"vit_s16": vit_s16, "resnet50": resnet50, "mobilenetv2": mobilenetv2}
