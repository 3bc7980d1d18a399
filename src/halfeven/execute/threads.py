"""How many threads may be asked for, and how many there are where none are."""

from __future__ import annotations

import os
from numbers import Integral

from halfeven import _native
from halfeven.errors import ParameterError


def default_threads() -> int:
    """Every core of the process, or as many as HALFEVEN_NUM_THREADS says, cut to what this machine has a use for.

    Raises
    ------
    ParameterError
        If the variable holds no positive integer.
    """
    try:
        return _native.default_threads()
    except ValueError as error:
        raise ParameterError(str(error)) from None


def check_threads(threads: int | None) -> None:
    """Refuse a number of threads that no machine of this size has a use for; None: what the environment says.

    Raises
    ------
    ParameterError
        If it is no integer from 1 to 4 a core (16 where these are fewer); if the environment's is no positive one.
    """
    most = _native.most_threads()
    if threads is None:
        default_threads()
    elif not isinstance(threads, Integral) or not 1 <= threads <= most:
        raise ParameterError(
            f"threads must be from 1 to {most} on this machine of {os.cpu_count()} cores, or left out for every core: "
            f"{threads!r}"
        )
