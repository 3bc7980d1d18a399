"""How many threads may be asked for, and how many there are where none are."""

from __future__ import annotations

import os

from halfeven import _native
from halfeven.errors import ParameterError

A_CORE, LEAST = 4, 16  # more than four a core only wait for each other, and spin while they do


def default_threads() -> int:
    """Every core of the process, or as many as HALFEVEN_NUM_THREADS says, cut to what this machine has a use for.

    An environment is set for hosts of any size, in a container's image say: too many is no error there.

    Raises
    ------
    ParameterError
        If the variable holds no positive integer.
    """
    try:
        return min(_native.default_threads(), _most())
    except ValueError as error:
        raise ParameterError(str(error)) from None


def check_threads(threads: int | None) -> None:
    """Refuse a number of threads that no machine of this size has a use for; None: what the environment says.

    Raises
    ------
    ParameterError
        If it is below 1, or above 4 a core (16 where these are fewer); if the environment's is no positive integer.
    """
    if threads is None:
        default_threads()
    elif not 1 <= threads <= _most():
        raise ParameterError(
            f"threads must be from 1 to {_most()} on this machine of {_cores()} cores, or left out for every core: "
            f"{threads}"
        )


def _most() -> int:
    return max(LEAST, A_CORE * _cores())


def _cores() -> int:
    return os.cpu_count() or 1
