"""Replay a case of the corpus: the same inputs through any implementation of the five functions of ``Arithmetic``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from corpus import Case

from halfeven.numerics import affine, nonlinear, product, requantize
from halfeven.numerics.multiplier import Multiplier
from halfeven.numerics.nonlinear import BinaryParams, Log2Params
from halfeven.numerics.params import AffineParams, choose_params
from halfeven.numerics.qtype import pack_int4

RESULTS = {
    "quantize": ("codes",),
    "dequantize": ("reals",),
    "requantize": ("codes",),
    "multiplier": ("m0", "shift"),
    "multiplier_from_scales": ("m0", "shift"),
    "matmul": ("codes",),
    "conv2d": ("codes",),
    "binary": ("codes", "reals"),
    "log2": ("codes", "reals"),
    "choose_params": ("scale", "zero_point"),
    "pack_int4": ("packed",),
}


@dataclass(frozen=True)
class Arithmetic:
    """One implementation: the functions of the package's public face, of the same arguments, over NumPy arrays."""

    quantize: Callable[..., Any]
    dequantize: Callable[..., Any]
    requantize: Callable[..., Any]
    quantized_matmul: Callable[..., Any]
    quantized_conv2d: Callable[..., Any]


def _quantize(x: Any, params: Any, profile: str) -> Any:
    if isinstance(params, BinaryParams):
        return nonlinear.quantize_binary(x, params)
    if isinstance(params, Log2Params):
        return nonlinear.quantize_log2(x, params)
    return affine.quantize(x, params, profile)


def _dequantize(codes: Any, params: Any) -> Any:
    if isinstance(params, BinaryParams):
        return nonlinear.dequantize_binary(codes, params)
    if isinstance(params, Log2Params):
        return nonlinear.dequantize_log2(codes, params)
    return affine.dequantize(codes, params)


REFERENCE = Arithmetic(
    _quantize, _dequantize, requantize.requantize, product.quantized_matmul, product.quantized_conv2d
)


def params_of(p: Case) -> AffineParams:
    """Parameters as the package holds them."""
    return AffineParams(p["scale"], p["zero_point"], p["qtype"], p["axis"], p["block_size"])


def _nonlinear(c: Case, arithmetic: Arithmetic, params: BinaryParams | Log2Params) -> Case:
    codes = arithmetic.quantize(c["x"], params, "journey6")
    return {"codes": codes, "reals": arithmetic.dequantize(codes, params)}


def _requantize(c: Case, arithmetic: Arithmetic) -> Case:
    m = Multiplier(**c["multiplier"])
    return {"codes": arithmetic.requantize(c["acc"], m, c["params"], c["profile"], c["axis"])}


def _matmul(c: Case, arithmetic: Arithmetic) -> Case:
    operands = (c["a"], c["a_params"], c["b"], c["b_params"], c["out_params"], c["bias"])
    return {"codes": arithmetic.quantized_matmul(*operands, c["profile"])}


def _conv2d(c: Case, arithmetic: Arithmetic) -> Case:
    operands = (c["x"], c["x_params"], c["w"], c["w_params"], c["out_params"], c["bias"])
    window = (c["stride"], c["padding"], c["dilation"], c["groups"])
    return {"codes": arithmetic.quantized_conv2d(*operands, *window, c["profile"])}


COMPUTED: dict[str, Callable[[Case, Arithmetic], Case]] = {
    "quantize": lambda c, a: {"codes": a.quantize(c["x"], c["params"], c["profile"])},
    "dequantize": lambda c, a: {"reals": a.dequantize(c["codes"], c["params"])},
    "requantize": _requantize,
    "matmul": _matmul,
    "conv2d": _conv2d,
    "binary": lambda c, a: _nonlinear(c, a, BinaryParams(c["scale"], c["axis"])),
    "log2": lambda c, a: _nonlinear(c, a, Log2Params(c["scale"], c["bits"], c["axis"])),
}


def _multiplier(m: Multiplier) -> Case:
    return {"m0": m.m0, "shift": m.shift}


def _choose_params(c: Case) -> Case:
    p = choose_params(c["lo"], c["hi"], c["qtype"], symmetric=c["symmetric"], narrow=c["narrow"], axis=c["axis"])
    return {"scale": p.scale, "zero_point": p.zero_point}


PREPARED: dict[str, Callable[[Case], Case]] = {
    "multiplier": lambda c: _multiplier(Multiplier.from_real(c["value"], c["bits"], half_away=c["half_away"])),
    "multiplier_from_scales": lambda c: _multiplier(Multiplier.from_scales((c["s1"], c["s2"]), c["s3"], c["profile"])),
    "choose_params": _choose_params,
    "pack_int4": lambda c: {"packed": pack_int4(c["codes"])},
}


def replay(case: Case, arithmetic: Arithmetic = REFERENCE) -> Case:
    """The results of a case's inputs, with the keys of ``RESULTS``.

    Operations on tensors (``COMPUTED``) go through ``arithmetic``; those that prepare parameters (``PREPARED``) are the
    same code for every implementation in this package.
    """
    c = {k: params_of(v) if k == "params" or k.endswith("_params") else v for k, v in case.items()}
    operation = c["operation"]
    return COMPUTED[operation](c, arithmetic) if operation in COMPUTED else PREPARED[operation](c)
