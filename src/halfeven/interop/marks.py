"""Marks that clean-up leaves on nodes, in their ``metadata_props``."""

from __future__ import annotations

BIAS_OF = "halfeven.bias_of"
"""On an Add: the name of the MatMul whose bias it adds."""

ON_CODES = "halfeven.on_codes"
"""On an operator that the file gives as one on codes: the name of that operator (QLinearAdd and the like)."""

FUNCTION = "halfeven.function"
"""On each node of a group that spells out one function: the name of that function."""

RESCALED = "halfeven.rescaled"
"""On a value whose channels hold other reals than in the model as given: it goes by another name in the file."""
