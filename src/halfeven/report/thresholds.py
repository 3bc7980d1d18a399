"""From where on a number is worth a word. Each with its reason."""

from __future__ import annotations

POOR_DB = 20.0
"""SQNR below which a result is poor: the error has a hundredth of the energy, a tenth of the amplitude."""

WEAK_DB = 30.0
"""SQNR of a layer alone below which it is weak: ten of them, errors added up, make a poor result."""

FINE_DB = 40.0
"""SQNR of a layer alone from which it needs nothing: a hundred of them still do not make a poor result."""

HALF_DB = 3.0
"""A part whose own SQNR is within this of the whole's makes at least half of its error."""

CLIP_SHARE = 0.5
"""Of a layer's rounding error: from there on most of it is values cut off, not values rounded."""

OUTLIER_RATIO = 8.0
"""Largest channel over the median channel: the usual channel has 3 bits fewer than its codes."""

WIDE_USE = 0.5
"""Of the range of codes that the values reach: below it a bit of every code is wasted."""

ONE_SIDED_DB = 4.0
"""What asymmetric codes gain, ``20 log10(2 max(|lo|, hi) / (hi - lo))``, at most 6: two thirds of that."""

PINNED_SHARE = 0.01
PINNED_STEPS = 2.0
"""Share of an output's codes at one end, and their mean error: one step is what symmetric codes cost the value 1.0."""

LOST_SHARE = 0.05
"""Of channels whose codes never change though their values do: single ones are often of no use anyway."""

CONSTANT_SHARE = 0.5
"""Of the error's energy that is an offset for each channel: removing it halves the error."""

SCALED_DB = 10.0
SCALED_RATIO = 1.5
"""Gain in SQNR when each channel may have its own factor, and how much these differ: rounding does not do that."""

INPUT_EXCESS = 2.0
INPUT_CLIPPED = 0.01
"""Times the calibrated range, or share outside it: data like the calibration data stay inside but for single values."""

INPUT_USE = 1 / 8
"""Of the calibrated range: data like the calibration data fill it."""

BYTE_RANGE = (90.0, 600.0)
"""Factor between data and range that points at 0..255 against 0..1, -1..1 or mean and deviation (up to 2.6)."""
