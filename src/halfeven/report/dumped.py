"""Outputs that were dumped elsewhere (a board, another run) against those of a run here, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from halfeven.errors import DataError
from halfeven.report.verify import same_bits

Array = NDArray[Any]


class Dumped:
    """The dumped outputs of consecutive samples, one array an output, samples along the first axis.

    Parameters
    ----------
    arrays : by output. names : of the model's outputs. source : for errors.

    Raises
    ------
    DataError
        If an output is missing, or there is one too many.
    """

    def __init__(self, arrays: Mapping[str, Array], names: Sequence[str], source: str) -> None:
        unknown = [name for name in arrays if name not in names]
        if unknown:
            raise DataError(f"{source}: the model has no output '{unknown[0]}' (it has {', '.join(names)})")
        missing = [name for name in names if name not in arrays]
        if missing:
            raise DataError(f"{source}: has no array '{missing[0]}': it must hold every output of the samples")
        self._expected, self._source = dict(arrays), source
        self._got: dict[str, list[Array]] = {name: [] for name in names}

    def add(self, outputs: Mapping[str, Array]) -> None:
        """One more sample's outputs."""
        for name, got in self._got.items():
            got.append(outputs[name])

    def mismatches(self) -> list[str]:
        """One line for each output that is not as dumped.

        Raises
        ------
        DataError
            If samples give outputs of different sizes, which one array cannot hold.
        """
        lines = (self._mismatch(name, parts) for name, parts in self._got.items())
        return [line for line in lines if line]

    def _mismatch(self, name: str, parts: Sequence[Array]) -> str | None:
        expected = self._expected[name]
        if len({(a.shape[1:], a.ndim) for a in parts}) > 1 or (len(parts) > 1 and not parts[0].ndim):
            raise DataError(
                f"{self._source}: output '{name}' of {len(parts)} samples is not one array, their shapes differ: "
                "compare one sample, --limit 1"
            )
        got = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if expected.shape != got.shape or expected.dtype != got.dtype:
            return (
                f"output '{name}' of {len(parts)} sample(s) is {got.dtype} {got.shape}, and {expected.dtype} "
                f"{expected.shape} in {self._source}"
            )
        unequal = ~same_bits(expected, got)
        if not unequal.any():
            return None
        index = tuple(int(k) for k in np.argwhere(unequal)[0])
        return (
            f"output '{name}': {np.count_nonzero(unequal)} of {got.size} elements differ from {self._source}, first at "
            f"{list(index)}: {got[index]:g}, expected {expected[index]:g}"
        )
