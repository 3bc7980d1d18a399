"""A quantized model before it is written: float model, scales, and what was chosen for single weights and biases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from halfeven.interop.values import constant
from halfeven.numerics.profile import Profile
from halfeven.ptq.activations import Activations
from halfeven.ptq.code_types import CodeTypes
from halfeven.ptq.insert_qdq import insert_qdq
from halfeven.ptq.placement import Placement, Product
from halfeven.ptq.weights import Constant, Constants, quantize_constants

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Draft:
    """Everything that the file is made from. A change gives a new draft.

    Attributes
    ----------
    model : the float model. placement : of codes in it. types : of those codes.
    activations : the chosen parameters.
    weights : codes by product, where they are not the nearest ones.
    biases : by product, float32 (channels,), where they are not the model's; also of products without one.
    """

    model: ir.Model
    placement: Placement
    types: CodeTypes
    activations: Activations
    profile: Profile
    weights: Mapping[Product, Constant] = field(default_factory=dict)
    biases: Mapping[Product, Array] = field(default_factory=dict)

    def with_weights(self, weights: Mapping[Product, Constant]) -> Draft:
        """These codes instead; those of other products stay."""
        return replace(self, weights={**self.weights, **weights})

    def with_biases(self, biases: Mapping[Product, Array]) -> Draft:
        """These biases instead; those of other products stay."""
        return replace(self, biases={**self.biases, **biases})

    @cached_property
    def arrays(self) -> Mapping[str, NDArray[np.float32]]:
        """The float model's constants that its nodes read, by name."""
        values = {str(v.name): constant(v) for node in self.model.graph for v in node.inputs if v is not None}
        return {name: array for name, array in values.items() if array is not None}

    @cached_property
    def constants(self) -> Constants:
        """Codes of every weight, bias and constant operand."""
        return self.constants_in(self.placement)

    def constants_in(self, placement: Placement) -> Constants:
        """Codes of the constants that a part of the placement has."""
        return quantize_constants(
            self.arrays,
            placement,
            self.activations,
            self.types,
            self.weights,
            self.biases,
            blocks=self.placement.blocks,
        )

    def write(self) -> ir.Model:
        """The QDQ model."""
        return insert_qdq(self.model, self.placement, self.activations, self.constants)


def bias_of(draft: Draft, product: Product, channels: int) -> Array:
    """The bias that a product has in the draft, one value a channel; zeros where it has none."""
    if product in draft.biases:
        return draft.biases[product]
    if product.bias is None:
        return np.zeros(channels, np.float32)
    return np.broadcast_to(draft.arrays[product.bias].reshape(-1), (channels,))
