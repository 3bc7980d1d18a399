"""One-input operators as float64 functions: name -> (site -> function). Source: the ONNX operator of that name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.lower.site import NotLowered, Site

Reals = NDArray[np.float64]
Function = Callable[[Reals], Reals]


def _elementwise(f: Callable[[float], float]) -> Function:
    return lambda x: np.array([f(float(v)) for v in x], np.float64)


def _sigmoid(x: Reals) -> Reals:
    return np.asarray(np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), 1 - 1 / (1 + np.exp(-np.abs(x)))))


def _gelu(x: Reals, approximate: str) -> Reals:
    if approximate == "tanh":
        return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    return np.asarray(0.5 * x * (1 + _elementwise(math.erf)(x / math.sqrt(2))))


def _hard_sigmoid(x: Reals, alpha: float, beta: float) -> Reals:
    return np.asarray(np.clip(alpha * x + beta, 0, 1))


def _clip(site: Site) -> Function:
    low, high = site.constant(1), site.constant(2)
    lo = -np.inf if low is None else float(low)
    hi = np.inf if high is None else float(high)
    return lambda x: np.asarray(np.minimum(np.maximum(x, lo), hi))


def _elu(x: Reals, alpha: float) -> Reals:
    return np.asarray(np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x))


def _selu(x: Reals, alpha: float, gamma: float) -> Reals:
    return np.asarray(gamma * _elu(x, alpha))


def _softplus(x: Reals) -> Reals:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _plain(f: Callable[[Reals], Any]) -> Callable[[Site], Function]:
    return lambda _site: lambda x: np.asarray(f(x))


def _celu(x: Reals, alpha: float) -> Reals:
    return np.asarray(np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha)))


def _shrink(x: Reals, bias: float, lambd: float) -> Reals:
    return np.asarray(np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0)))


def _power(site: Site) -> Function:
    exponent = site.real_constant(1)
    if exponent is None or exponent.size != 1:
        raise NotLowered("its exponent is not one number")
    return lambda x: np.asarray(np.power(x, exponent.reshape(())))


FUNCTIONS: dict[str, Callable[[Site], Function]] = {
    "Abs": _plain(np.abs),
    "Acos": _plain(np.arccos),
    "Acosh": _plain(np.arccosh),
    "Asin": _plain(np.arcsin),
    "Asinh": _plain(np.arcsinh),
    "Atan": _plain(np.arctan),
    "Atanh": _plain(np.arctanh),
    "Ceil": _plain(np.ceil),
    "Celu": lambda s: lambda x: _celu(x, s.real("alpha", 1.0)),
    "Clip": _clip,
    "Cos": _plain(np.cos),
    "Cosh": _plain(np.cosh),
    "Elu": lambda s: lambda x: _elu(x, s.real("alpha", 1.0)),
    "Erf": _plain(_elementwise(math.erf)),
    "Exp": _plain(np.exp),
    "Floor": _plain(np.floor),
    "Gelu": lambda s: lambda x: _gelu(x, s.text("approximate", "none")),
    "HardSigmoid": lambda s: lambda x: _hard_sigmoid(x, s.real("alpha", 0.2), s.real("beta", 0.5)),
    "HardSwish": _plain(lambda x: x * _hard_sigmoid(x, 1 / 6, 0.5)),
    "LeakyRelu": lambda s: lambda x: np.asarray(np.where(x < 0, s.real("alpha", 0.01) * x, x)),
    "Log": _plain(np.log),
    "Mish": _plain(lambda x: x * np.tanh(_softplus(x))),
    "Neg": _plain(np.negative),
    "Pow": _power,
    "Reciprocal": _plain(np.reciprocal),
    "Relu": _plain(lambda x: np.maximum(x, 0)),
    "Round": _plain(np.rint),
    "Selu": lambda s: (
        lambda x: _selu(x, s.real("alpha", 1.67326319217681884765625), s.real("gamma", 1.05070102214813232421875))
    ),
    "Shrink": lambda s: lambda x: _shrink(x, s.real("bias", 0.0), s.real("lambd", 0.5)),
    "Sigmoid": _plain(_sigmoid),
    "Sign": _plain(np.sign),
    "Sin": _plain(np.sin),
    "Sinh": _plain(np.sinh),
    "Softplus": _plain(_softplus),
    "Softsign": _plain(lambda x: x / (1 + np.abs(x))),
    "Sqrt": _plain(np.sqrt),
    "Tan": _plain(np.tan),
    "Tanh": _plain(np.tanh),
    "ThresholdedRelu": lambda s: lambda x: np.asarray(np.where(x > s.real("alpha", 1.0), x, 0)),
}
