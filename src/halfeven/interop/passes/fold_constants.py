"""What depends on constants alone is computed once."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import onnx_ir as ir

from halfeven.interop.lines import model_error, one_line
from halfeven.interop.rewrite import bodies

FREE_SIZE = 2**16  # elements: a result up to this is always folded, a larger one only if it does not outgrow its inputs
KEPT = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})  # they say what is quantized
FOLDED = frozenset(  # by onnxscript, whatever they read
    ("Abs", "CastLike", "ConcatFromSequence", "SequenceAt", "SequenceConstruct", "Size", "SplitToSequence")
)
UNBOUNDED = frozenset({"Range", "Expand", "Tile", "ConstantOfShape", "Resize", "OneHot", "EyeLike", "Pad"})


def fold_constants(model: ir.Model) -> int:
    """Evaluate every node that reads constants alone, with the onnx package's reference operators.

    Weights behind Cast, Transpose, Reshape, Identity, and Shape chains of static sizes become initializers. A result
    that would outgrow its inputs (Expand, Tile, Range of millions) stays a node; so do Quantize and Dequantize.
    """
    if not any(map(_may_fold, model.graph)):
        return 0
    from onnxscript.optimizer import fold_constants as fold  # noqa: PLC0415 - half a second and 24 MB, needed here alone

    before = len(model.graph)
    try:
        with _quietly():
            fold(model, onnx_shape_inference=True, output_size_limit=2**31, should_fold=_worth_it)
    except (RuntimeError, ValueError) as error:
        raise model_error(f"constants cannot be folded: {one_line(error)}") from None
    return max(0, before - len(model.graph))


@contextmanager
def _quietly() -> Iterator[None]:
    """Constants that cannot be evaluated simply stay: neither onnxscript nor NumPy need tell."""
    logger = logging.getLogger("onnxscript")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        logger.setLevel(level)


def _may_fold(node: ir.Node) -> bool:
    """Whether it reads constants alone, or onnxscript has a rule of its own for it.

    What its rules for Shape, Gather, Reshape, Cast, Concat and Dropout find, the passes before have settled.
    """
    if node.op_type in FOLDED or any(bodies(node)):
        return True
    read = [value for value in node.inputs if value is not None]
    return bool(read) and all(value.const_value is not None for value in read) and _worth_it(node)


def _worth_it(node: ir.Node) -> bool:
    if node.op_type in KEPT or len(node.outputs) != 1:
        return False
    size = _size(node.outputs[0])
    if size is None:
        return node.op_type not in UNBOUNDED
    return size <= max(FREE_SIZE, sum(_size(value) or 0 for value in node.inputs))


def _size(value: ir.Value | None) -> int | None:
    """Elements of a value of static shape."""
    if value is None or value.shape is None or not value.shape.is_static():
        return None
    return int(math.prod(value.shape.numpy()))
