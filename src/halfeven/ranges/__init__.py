"""Streaming, mergeable statistics of tensors, and the choice of a range from them. Pure NumPy."""

from halfeven.ranges.choose import MAX, PERCENTILE, Method, choose_range, get_method, percentile
from halfeven.ranges.histogram import Histogram
from halfeven.ranges.min_max import MinMax

Statistics = MinMax | Histogram

__all__ = [
    "MAX",
    "PERCENTILE",
    "Histogram",
    "Method",
    "MinMax",
    "Statistics",
    "choose_range",
    "get_method",
    "percentile",
]
