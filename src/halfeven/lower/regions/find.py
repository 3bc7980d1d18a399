"""The elementwise operators between one or two tensors of codes and a QuantizeLinear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.values import is_op
from halfeven.lower.functions import FUNCTIONS
from halfeven.lower.match import is_biased_product
from halfeven.lower.site import NotLowered, Operand, Site, operand_of, real_constant
from halfeven.numerics.profile import Profile

TWO_INPUTS = ("Add", "Div", "Max", "Min", "Mul", "PRelu", "Pow", "Sub")
A_CHANNEL = ("BatchNormalization",)  # constants along axis 1, whatever their shape
MOST_NODES = 64


@dataclass(frozen=True)
class Region:
    """``result = f(operands)``, element by element.

    Attributes
    ----------
    nodes : in the order of computation.
    leaves : the real values that enter, with the codes behind each; several may be of one tensor.
    constants : real values of the constant inputs, as they stand.
    """

    nodes: tuple[ir.Node, ...]
    leaves: dict[ir.Value, Operand]
    constants: dict[ir.Value, NDArray[np.float64]]
    result: ir.Value

    @property
    def codes(self) -> tuple[str, ...]:
        """Names of the tensors of codes, in the order of first use."""
        return tuple(dict.fromkeys(o.name for o in self.leaves.values()))


Leaf = Callable[["ir.Value", Profile], Operand]


def codes_behind(value: ir.Value, profile: Profile) -> Operand:
    """The codes of a real value; NotLowered where it has none, or one scale a channel."""
    operand = operand_of(value, profile)
    if not operand.per_tensor:
        raise NotLowered(f"its input '{value.name}' has one scale a channel")
    return operand


def find_region(site: Site, result: ir.Value, leaf: Leaf = codes_behind) -> Region:
    """The elementwise operators that compute ``result`` from leaves, by default from codes.

    Raises
    ------
    NotLowered
        If something else takes part: a product, a value that is not quantized, codes of one scale a channel.
    """
    finder = _Finder(site, leaf)
    finder.visit(result)
    return Region(tuple(finder.nodes), finder.leaves, finder.constants, result)


class _Finder:
    """Walks up from the result; each value once."""

    def __init__(self, site: Site, leaf: Leaf) -> None:
        self.site, self.leaf = site, leaf
        self.nodes: list[ir.Node] = []
        self.leaves: dict[ir.Value, Operand] = {}
        self.constants: dict[ir.Value, NDArray[np.float64]] = {}
        self._seen: set[ir.Value] = set()

    def visit(self, value: ir.Value) -> None:
        if value in self._seen:
            return
        self._seen.add(value)
        if self._is_constant(value):
            return
        node = value.producer()
        if (
            is_biased_product(value, self.site.profile)
            or not is_op(node, *FUNCTIONS, *TWO_INPUTS, *A_CHANNEL)
            or node is None
            or (value.index() or 0) != 0
        ):
            self.leaves[value] = self.leaf(value, self.site.profile)
            return
        for operand in node.inputs:
            if operand is not None:
                self.visit(operand)
        self.nodes.append(node)
        if len(self.nodes) > MOST_NODES:
            raise NotLowered(f"more than {MOST_NODES} operators without codes lead to it")

    def _is_constant(self, value: ir.Value) -> bool:
        known = real_constant(value, self.site.profile)
        if known is not None:
            self.constants[value] = known
        return known is not None
