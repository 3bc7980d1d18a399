"""Which tensors and weights get how many bits: found by sensitivity, judged by the integer program."""

from halfeven.search.found import Judged, MixedPrecisionResult
from halfeven.search.run import mixed_precision
from halfeven.search.settings import MixedPrecision

__all__ = ["Judged", "MixedPrecision", "MixedPrecisionResult", "mixed_precision"]
