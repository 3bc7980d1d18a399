"""Streaming, mergeable statistics of tensors, and the choice of a range from them. Pure NumPy."""

from halfeven.ranges.choose import (
    KL,
    MAX,
    MSE,
    PERCENTILE,
    Fixed,
    Max,
    Method,
    Range,
    Statistics,
    choose_range,
    get_method,
)
from halfeven.ranges.codes import Codes
from halfeven.ranges.histogram import Histogram
from halfeven.ranges.kl import Kl
from halfeven.ranges.min_max import MinMax
from halfeven.ranges.mse import Mse
from halfeven.ranges.percentile import Percentile

__all__ = [
    "KL",
    "MAX",
    "MSE",
    "PERCENTILE",
    "Codes",
    "Fixed",
    "Histogram",
    "Kl",
    "Max",
    "Method",
    "MinMax",
    "Mse",
    "Percentile",
    "Range",
    "Statistics",
    "choose_range",
    "get_method",
]
