"""Which library an array belongs to. torch is looked up, never imported: a tensor exists only where it is loaded."""

from __future__ import annotations

import sys

from halfeven.errors import ParameterError


def is_torch(x: object) -> bool:
    """Whether ``x`` is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def all_torch(**operands: object) -> bool:
    """Whether the operands are torch tensors; False where none is. None stands for an operand that is absent.

    Raises
    ------
    ParameterError
        If some are and some are not.
    """
    given = {name: is_torch(x) for name, x in operands.items() if x is not None}
    if len(set(given.values())) > 1:
        inside = ", ".join(name for name, torch in given.items() if torch)
        outside = ", ".join(name for name, torch in given.items() if not torch)
        raise ParameterError(f"operands must be of one library: torch tensors ({inside}), others not ({outside})")
    return any(given.values())
