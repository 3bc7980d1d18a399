"""How many threads may be asked for."""

from __future__ import annotations

import os

from halfeven import _native
from halfeven.errors import ParameterError

A_CORE, LEAST = 4, 16  # more than four a core only wait for each other, and spin while they do


def check_threads(threads: int | None) -> None:
    """Refuse a number of threads that no machine of this size has a use for; None: what the environment says.

    Raises
    ------
    ParameterError
        If it is below 1, or above 4 a core (16 where these are fewer).
    """
    cores = os.cpu_count() or 1
    most = max(LEAST, A_CORE * cores)
    try:
        asked = _native.default_threads() if threads is None else threads
    except ValueError as error:
        raise ParameterError(str(error)) from None
    if not 1 <= asked <= most:
        name = "HALFEVEN_NUM_THREADS" if threads is None else "threads"
        raise ParameterError(
            f"{name} must be from 1 to {most} on this machine of {cores} cores, or left out for every core: {asked}"
        )
