"""MatMul (ONNX MatMul-13): with a constant matrix as Linear, of two activations as MatMul."""

from __future__ import annotations

from halfeven.ir.instructions import Instruction, MatMul
from halfeven.lower.rules.gemm import linear
from halfeven.lower.scaling import rescale
from halfeven.lower.site import NotLowered, Site
from halfeven.lower.weights import weight_of


def lower(site: Site) -> list[Instruction]:
    """``Q(act(DQ(a) @ DQ(b) [+ bias]))``."""
    b = site.operand(1)
    if b.constant is not None and b.constant.ndim == 2:  # noqa: PLR2004
        w, codes = weight_of(site, 1, axis=1)
        return linear(site, w, codes, site.bias)
    if site.bias is not None:
        raise NotLowered("a product of two activations takes no bias")
    a, b = site.activation(0), site.activation(1)
    how = rescale(site, a.params.scale, b.params.scale)
    return [MatMul(site.name, a.name, b.name, site.y, a.zero, b.zero, how)]
