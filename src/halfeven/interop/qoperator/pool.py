"""QLinearAveragePool, QLinearGlobalAveragePool, NhwcMaxPool, QLinearReduceMean (onnxruntime)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from halfeven.interop.qoperator.build import NotRewritten, Place, attributes_of, rank_of
from halfeven.interop.qoperator.layout import channels_first, channels_last, is_channels_last
from halfeven.interop.values import given


def average(op_type: str) -> Callable[[Place], None]:
    """``QLinear<op>(x, ..)`` -> ``Q(<op>(DQ(x)))``."""

    def rewrite(place: Place) -> None:
        node = place.node
        x, last = place.dequantized(0, axis=1), is_channels_last(node)
        rank = rank_of(given(node, 0)) if last else 0
        y = place.add(
            op_type,
            [channels_first(place, x, rank) if last else x],
            "",
            attributes_of(node, "channels_last"),
            None if last else node.outputs[0].shape,
        )
        place.finish(channels_last(place, y, rank) if last else y, 3)

    return rewrite


def nhwc_max(place: Place) -> None:
    """``NhwcMaxPool(x)`` of codes -> ``Transpose(MaxPool(Transpose(x)))``."""
    x = given(place.node, 0)
    if x is None:
        raise NotRewritten("it has no input")
    rank = rank_of(x)
    first = channels_first(place, x, rank)
    y = place.add("MaxPool", [first], "", attributes_of(place.node))
    last = channels_last(place, y, rank)
    for value in (first, y, last):
        value.dtype = x.dtype
    place.replace([last])


def reduce_mean(place: Place) -> None:
    """``QLinearReduceMean(x, ..)`` -> ``Q(ReduceMean(DQ(x)))``."""
    node = place.node
    x = place.dequantized(0, axis=1)
    axes = place.constant(np.asarray(node.attributes["axes"].as_ints(), np.int64), "axes")
    attributes = attributes_of(node, "axes")
    place.finish(place.add("ReduceMean", [x, axes], "", attributes, node.outputs[0].shape), 3)
