"""MaxPool (ONNX MaxPool-12) and AveragePool (ONNX AveragePool-19)."""

from __future__ import annotations

from halfeven.ir.instructions import AveragePool, Instruction, MaxPool
from halfeven.lower.rules.move import moved
from halfeven.lower.rules.window import read_window
from halfeven.lower.scaling import mean_rescale
from halfeven.lower.site import NotLowered, Site


def lower_max(site: Site) -> list[Instruction]:
    """``Q(MaxPool(DQ(x)))``: codes are ordered as their reals, so the codes themselves are compared."""
    if len(site.node.outputs) > 1 and site.node.outputs[1].uses():
        raise NotLowered("its indices are used")
    if site.integer("storage_order", 0):
        raise NotLowered("its storage_order is column major")
    window = read_window(site, tuple(site.integers("kernel_shape", [])))
    return moved(site, lambda x, y: MaxPool(site.name, x, y, window))


def lower_average(site: Site) -> list[Instruction]:
    """``Q(act(AveragePool(DQ(x))))``."""
    x = site.activation(0)
    window = read_window(site, tuple(site.integers("kernel_shape", [])))
    include = bool(site.integer("count_include_pad", 0))
    return [AveragePool(site.name, x.name, site.y, window, include, x.zero, mean_rescale(site, x.params.scale))]
