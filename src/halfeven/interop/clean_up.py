"""A model as exported -> the same function in the operators that quantization knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir

from halfeven.interop.inference import infer_shapes
from halfeven.interop.names import name_nodes
from halfeven.interop.passes.attention import open_attention
from halfeven.interop.passes.clips import unify_clips
from halfeven.interop.passes.constants import lift_constants
from halfeven.interop.passes.fold_affine import fold_batch_norm, fold_scale_and_bias
from halfeven.interop.passes.fold_constants import fold_constants
from halfeven.interop.passes.gelu import recognise_gelu
from halfeven.interop.passes.hard_swish import recognise_hard_swish
from halfeven.interop.passes.layer_norm import recognise_layer_norm
from halfeven.interop.passes.masks import settle_masks
from halfeven.interop.passes.matmul_bias import join_matmul_bias
from halfeven.interop.passes.no_ops import remove_no_ops
from halfeven.interop.passes.remaining_batch_norm import rewrite_batch_norm
from halfeven.interop.passes.shape_values import settle_shapes
from halfeven.interop.passes.softmax import unwrap_softmax
from halfeven.interop.passes.swish import mark_swish
from halfeven.interop.passes.unused import remove_unused

Pass = Callable[[ir.Model], int]

MOST_ROUNDS = 20

SIMPLIFY: tuple[tuple[str, Pass], ...] = (
    ("constants lifted", lift_constants),
    ("no-ops removed", remove_no_ops),
    ("shapes inferred", infer_shapes),
    ("computed shapes settled", settle_shapes),
    ("unused removed", remove_unused),
    ("constants folded", fold_constants),
    ("Attention opened", open_attention),
    ("Softmax unwrapped", unwrap_softmax),
    ("unused removed", remove_unused),
)
"""Repeated until nothing changes: each may open the way for another."""

FUSE: tuple[tuple[str, Pass], ...] = (
    ("clips unified", unify_clips),
    ("masks settled", settle_masks),
    ("HardSwish and HardSigmoid recognised", recognise_hard_swish),
    ("Gelu recognised", recognise_gelu),
    ("LayerNormalization recognised", recognise_layer_norm),
    ("BatchNormalization folded", fold_batch_norm),
    ("scales and biases folded", fold_scale_and_bias),
    ("unused removed", remove_unused),
)
"""Then these, until nothing changes: functions before biases, which would swallow the +3 of a HardSigmoid."""

FINISH: tuple[tuple[str, Pass], ...] = (
    ("BatchNormalization rewritten", rewrite_batch_norm),
    ("MatMul and bias joined", join_matmul_bias),
    ("Swish marked", mark_swish),
    ("unused removed", remove_unused),
    ("shapes inferred", infer_shapes),
    ("nodes named", name_nodes),
)
"""Once, at the end."""


@dataclass(frozen=True)
class Step:
    """One pass of the clean-up and the number of places that it changed."""

    name: str
    count: int

    def __str__(self) -> str:
        return f"{self.name}: {self.count}"


@dataclass(frozen=True)
class CleanUp:
    """A cleaned model and what was done to it."""

    model: ir.Model
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "\n".join(str(step) for step in self.steps if step.count)


def clean_up(model: ir.Model) -> CleanUp:
    """Simplify a model without changing what it computes beyond float rounding; the given model stays as it is.

    Dynamic sizes stay dynamic, bodies of If, Loop and Scan stay as they are, inputs and outputs keep their names.

    Raises
    ------
    ModelError
        If the model contradicts itself: its constants cannot be evaluated, its shapes do not fit.
    """
    cleaned = model.clone()
    changes: dict[str, int] = {}
    _repeat(SIMPLIFY, cleaned, changes)
    _repeat(FUSE, cleaned, changes)
    _run(FINISH, cleaned, changes)
    return CleanUp(cleaned, tuple(Step(name, count) for name, count in changes.items()))


def simplify(model: ir.Model) -> int:
    """Do in place what changes no real number: constants and shapes are settled, no-ops and unused nodes go."""
    changes: dict[str, int] = {}
    _repeat(SIMPLIFY, model, changes)
    return sum(changes.values())


def _repeat(passes: tuple[tuple[str, Pass], ...], model: ir.Model, changes: dict[str, int]) -> None:
    for _ in range(MOST_ROUNDS):
        if not _run(passes, model, changes):
            return


def _run(passes: tuple[tuple[str, Pass], ...], model: ir.Model, changes: dict[str, int]) -> int:
    total = 0
    for name, change in passes:
        count = change(model)
        changes[name] = changes.get(name, 0) + count
        total += count
    return total
