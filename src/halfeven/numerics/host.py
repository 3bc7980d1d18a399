"""Parameters are NumPy values: what comes as a torch tensor is brought to the host first."""

from __future__ import annotations

from typing import Any

import numpy as np


def to_host(value: Any) -> Any:
    """A torch tensor's values as a NumPy array (floats as float64, exactly); anything else as it is.

    Recognised by its methods, so that torch itself is not imported.
    """
    if isinstance(value, np.ndarray) or not hasattr(value, "detach") or not hasattr(value, "is_floating_point"):
        return value
    tensor = value.detach().cpu()
    return (tensor.double() if tensor.is_floating_point() else tensor).numpy()
