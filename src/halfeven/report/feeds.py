"""Samples for a program whose inputs may be codes: given as codes, or as the float model's values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import DataError
from halfeven.ir.program import Program
from halfeven.ops import numpy_native
from halfeven.ptq.data import samples

Sample = dict[str, NDArray[Any]]


def codes_or_reals(data: str | PathLike[str], program: Program) -> Iterator[Sample]:
    """Samples of a file or folder as the program takes them; values become codes where it takes codes.

    The first sample tells which of both the data are.

    Raises
    ------
    DataError
        As of :func:`halfeven.ptq.data.samples`, for values where the data are neither.
    """
    if not any(p.takes_codes for p in program.inputs):
        return samples(data, program.inputs)
    reals = [replace(p, dtype=np.dtype(np.float32)) if p.takes_codes else p for p in program.inputs]
    try:
        next(samples(data, reals))
    except DataError:
        if _fits(data, program):
            return samples(data, program.inputs)
        raise
    return (_quantized(sample, program) for sample in samples(data, reals))


def _fits(data: str | PathLike[str], program: Program) -> bool:
    try:
        next(samples(data, program.inputs))
    except DataError:
        return False
    return True


def _quantized(sample: Sample, program: Program) -> Sample:
    codes = {
        p.name: numpy_native.quantize(sample[p.name], p.params, program.profile)
        for p in program.inputs
        if p.takes_codes and p.params is not None
    }
    return sample | codes
