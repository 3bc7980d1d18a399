"""Amounts in few characters, however large."""

from __future__ import annotations

LONGEST = 1e6  # from here on digits say less than the power of ten


def amount(value: float, digits: int = 1) -> str:
    """With so many digits behind the point; ``7.5e+39`` from a million on."""
    return f"{value:.{digits}f}" if abs(value) < LONGEST else f"{value:.2g}"
