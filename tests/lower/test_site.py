"""What rules read of a node."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from halfeven.lower.site import constant_of


def test_a_constant_is_the_graphs_own_and_cannot_be_written_to() -> None:
    weight = np.arange(6, dtype=np.int8)
    found = constant_of(ir.Value(name="w", const_value=ir.tensor(weight, name="w")))
    assert found is not None
    assert np.shares_memory(found, weight)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1
    weight[0] = 5  # who gave the array still owns it
    assert found[0] == 5
    assert constant_of(ir.Value(name="x")) is None
