"""ResNet-50 and MobileNetV2 with random weights, as float ONNX: batch normalization folded, as in deployed files."""

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

    def model(self, x: str, features: int) -> onnx.ModelProto:
        """Everything, behind a global mean, with a classifier of 1000 classes."""
        flat = self.node("Flatten", [self.node("GlobalAveragePool", [x])])
        w = self.rng.normal(0, np.sqrt(1 / features), (1000, features))
        constants = [self.weight(w), self.weight(np.zeros(1000))]
        y = self.node("Gemm", [flat, *constants], transB=1)
        image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 224, 224])
        score = helper.make_tensor_value_info(y, TensorProto.FLOAT, [1, 1000])
        graph = helper.make_graph(self.nodes, self.name, [image], [score], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
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


NETWORKS = {"resnet50": resnet50, "mobilenetv2": mobilenetv2}
