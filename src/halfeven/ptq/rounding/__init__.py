"""Rounding of a layer's weights so that its result, and not each weight, is nearest. Functions of arrays.

Source: docs/math/weight-rounding.md.
"""
