"""LiteRT with XNNPACK: a network of `networks.py` built in Keras, made int8 by its converter, run whenever asked.

    python litert_peer.py NETWORK THREADS

In an interpreter of its own, with tensorflow-cpu. Random weights, random samples. A byte on standard input asks for a
run, a byte on standard output says that it is done; the first byte says that the model is ready.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

layers = tf.keras.layers
SHAPE = (1, 224, 224, 3)
SAMPLES = 2


def conv(x: Any, outputs: int, kernel: int = 1, stride: int = 1, clamp: str | None = None) -> Any:
    """A convolution with a bias, batch norm folded, and its activation."""
    return layers.Conv2D(outputs, kernel, stride, "same", activation=clamp, kernel_initializer="he_normal")(x)


def resnet50(x: Any) -> Any:
    """He et al. 2015, stride in the 3x3 convolutions."""
    x = layers.MaxPool2D(3, 2, "same")(conv(x, 64, 7, 2, "relu"))
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            step = 1 if block else stride
            y = conv(conv(conv(x, width, 1, 1, "relu"), width, 3, step, "relu"), 4 * width)
            x = layers.ReLU()(layers.Add()([y, x if block else conv(x, 4 * width, 1, step)]))
    return layers.Dense(1000)(layers.GlobalAveragePooling2D()(x))


def mobilenetv2(x: Any) -> Any:
    """Sandler et al. 2018."""
    x, inputs = conv(x, 32, 3, 2, "relu6"), 32
    rows = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for factor, outputs, blocks, stride in rows:
        for block in range(blocks):
            step = 1 if block else stride
            y = conv(x, inputs * factor, clamp="relu6") if factor > 1 else x
            y = conv(layers.DepthwiseConv2D(3, step, "same", activation="relu6")(y), outputs)
            x = layers.Add()([y, x]) if step == 1 and inputs == outputs else y
            inputs = outputs
    x = layers.GlobalAveragePooling2D()(conv(x, 1280, clamp="relu6"))
    return layers.Dense(1000)(x)


NETWORKS: dict[str, Callable[[Any], Any]] = {"resnet50": resnet50, "mobilenetv2": mobilenetv2}


def converted(name: str) -> bytes:
    """Int8 throughout, floats in and out."""
    rng = np.random.default_rng(1)

    def samples() -> Iterator[list[Any]]:
        for _ in range(SAMPLES):
            yield [rng.standard_normal(SHAPE).astype(np.float32)]

    tf.keras.utils.set_random_seed(0)
    x = tf.keras.Input(SHAPE[1:], batch_size=1)
    converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(x, NETWORKS[name](x)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return bytes(converter.convert())


def main() -> None:
    """Convert, then run until standard input ends."""
    name, threads = sys.argv[1], int(sys.argv[2])
    with os.fdopen(os.dup(1), "wb", 0) as answers:
        os.dup2(2, 1)  # what TensorFlow prints
        run = tf.lite.Interpreter(model_content=converted(name), num_threads=threads)
        run.allocate_tensors()
        place = run.get_input_details()[0]["index"]
        x = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)
        result = run.get_output_details()[0]["index"]
        answers.write(b"r")
        while sys.stdin.buffer.read(1):
            run.set_tensor(place, x)
            run.invoke()
            run.get_tensor(result)
            answers.write(b"d")


if __name__ == "__main__":
    main()
