"""What is to be done to a model, before any data are seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from halfeven import interop
from halfeven.errors import ParameterError
from halfeven.numerics.qtype import QType, get_qtype, int4, int8, int16, int32
from halfeven.ptq.algorithms.bias_correction import BiasCorrection
from halfeven.ptq.algorithms.names import algorithms_of
from halfeven.ptq.algorithms.report import described
from halfeven.ptq.algorithms.stages import Algorithm
from halfeven.ptq.boundary import Boundary, Edge, edges_of
from halfeven.ptq.choice import RangeChoice, get_choice
from halfeven.ptq.code_types import CodeTypes, resolved_types
from halfeven.ptq.config import NodeSetting, QuantConfig, read_config, resolve
from halfeven.ptq.config.ranges import range_choice
from halfeven.ptq.config.resolve import DEFAULT
from halfeven.ptq.config.words import FLOAT32
from halfeven.ptq.options import Config
from halfeven.ptq.placement import Placement, place

LEAST_GROUP = 2


@dataclass(frozen=True, eq=False)
class Plan:
    """Where codes go, of which types, and how their ranges are chosen.

    Attributes
    ----------
    settings : of every node, and where each comes from.
    warnings : what of the configuration was read with a remark, or changes nothing; one line each.
    algorithms : that act, in their order.
    original : names of the nodes before the clean-up.
    edges : inputs and outputs that are not float behind codes.
    memory : that the work is expected to take, one line a part, where the model's shapes tell.
    """

    placement: Placement
    types: CodeTypes
    choice: RangeChoice
    settings: tuple[NodeSetting, ...]
    warnings: tuple[str, ...]
    algorithms: tuple[Algorithm, ...]
    original: frozenset[str]
    edges: Mapping[str, Edge]
    memory: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line a node: what it reads in which type, its weight, the entry that says so."""
        inside = {name: block.node for block in self.placement.blocks for name in block.nodes[1:]}
        in_float = {node.name: node.reason for node in self.placement.float_nodes}
        rows = [("node", "operator", "reads", "weight", "from")]
        for s in self.settings:
            if s.node in inside:
                rows.append((s.node, s.operator, f"inside {inside[s.node]}", "-", "-"))
            elif s.node in in_float:
                rows.append((s.node, s.operator, f"float32: {in_float[s.node]}", "-", s.source))
            elif s.inputs:
                reads = ", ".join(f"{i.tensor} {i.qtype}" for i in s.inputs if not i.is_weight)
                said = (i.source for i in s.inputs if not (i.is_weight and i.source == DEFAULT))
                places = dict.fromkeys([s.source, *said])
                rows.append((s.node, s.operator, reads, str(s.weight or "-"), ", ".join(places)))
            else:
                rows.append((s.node, s.operator, "no codes", "-", "-"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        algorithms = [f"algorithms: {', '.join(map(described, self.algorithms))}"] if self.algorithms else []
        edges = ", ".join(f"{name} {edge.value}" for name, edge in self.edges.items())
        boundary = [f"boundary: {edges}"] if edges else []
        memory = [f"memory: {line}" for line in self.memory]
        return "\n".join([f"ranges: {self.choice}", *algorithms, *boundary, *memory, *lines])


def make_plan(
    cleaned: ir.Model,
    original: Collection[str],
    *,
    activations: QType | str = int8,
    weights: QType | str = int8,
    weight_group: int | None = None,
    method: RangeChoice | str | None = None,
    config: Config | None = None,
    algorithms: Iterable[Algorithm | str] | str | None = None,
    boundary: Boundary = Edge.FLOAT,
) -> Plan:
    """The plan for a cleaned-up model.

    Parameters
    ----------
    original : names of the nodes before the clean-up.
    activations, weights, ... : see :class:`~halfeven.ptq.options.Options`.

    Raises
    ------
    ParameterError, UnsupportedError, OSError
        If a type, a method or the configuration cannot be.
    """
    read = QuantConfig("") if config is None else read_config(config)
    codes, weight = _activation_type(activations), _weight_type(weights)
    if config is not None and not codes.signed:
        raise ParameterError(f"a configuration is for int8 or int16 activations, not {codes}: set 'asymmetric' in it")
    settings = resolve(read, cleaned, activations=codes, weights=weight, original=original)
    keep = {s.node: f"{s.source} keeps it in float32" for s in settings if s.qtype == FLOAT32}
    ports = interop.describe(cleaned)
    names = [p.name for p in ports.outputs]
    edges = edges_of(boundary, [p.name for p in ports.inputs], names)
    _check_output_type(read, [name for name in names if edges.get(name) is Edge.UNQUANTIZED])
    placement = place(cleaned, keep, edges)
    outputs = dict.fromkeys(names, read.model_output_type)
    types = resolved_types(placement, settings, outputs, symmetric=codes.signed)
    types = replace(types, weight_group=_weight_group(weight_group, types))
    warnings = (*read.warnings, *_without_effect(read, settings, placement))
    return Plan(
        placement,
        types,
        _choice(method, read),
        settings,
        warnings,
        _algorithms(algorithms, read),
        frozenset(original),
        edges,
    )


def _check_output_type(config: QuantConfig, unquantized: Sequence[str]) -> None:
    if config.model_output_type is not None and unquantized:
        raise ParameterError(
            f"output '{unquantized[0]}' is to be unquantized, and {config.source} gives outputs codes of "
            f"{config.model_output_type}: leave model_output_type out"
        )


def _choice(method: RangeChoice | str | None, config: QuantConfig) -> RangeChoice:
    asked = range_choice(config)
    if asked is None:
        return get_choice("default" if method is None else method)
    if method is not None:
        raise ParameterError(
            f"the ranges' method is given twice, as {method} and by {config.source}: leave one of them out"
        )
    return asked


def _algorithms(asked: Iterable[Algorithm | str] | str | None, config: QuantConfig) -> tuple[Algorithm, ...]:
    given, wanted = algorithms_of(asked), config.bias_correction
    if wanted is None:
        return given
    others = [one for one in given if not isinstance(one, BiasCorrection)]
    if asked is not None and len(others) < len(given):
        raise ParameterError(
            f"bias correction is asked for twice, as an algorithm and by {config.source}: leave one of them out"
        )
    return algorithms_of([*others, BiasCorrection(wanted.num_sample, wanted.metric)])


def _activation_type(activations: QType | str) -> QType:
    qtype = _known(activations, "activations can be int8, uint8, int16 or uint16")
    if qtype is int32 or qtype.bits < int8.bits:
        raise ParameterError(f"activations can be int8, uint8, int16 or uint16, not {qtype}")
    return qtype


def _weight_type(weights: QType | str) -> QType:
    qtype = _known(weights, "weights can be int4, int8 or int16")
    if not qtype.signed or qtype.bits > int16.bits:
        raise ParameterError(f"weights can be int4, int8 or int16, not {qtype}")
    return qtype


def _known(qtype: QType | str, allowed: str) -> QType:
    try:
        return get_qtype(qtype)
    except ParameterError:
        raise ParameterError(f"{allowed}, not {qtype}") from None


def _weight_group(group: int | None, types: CodeTypes) -> int | None:
    if group is None:
        return None
    if isinstance(group, bool) or not isinstance(group, int) or group < LEAST_GROUP:
        raise ParameterError(f"a weight group is a number of inputs, {LEAST_GROUP} or more, not {group!r}")
    if int4 not in types.weights.values():
        raise ParameterError("a weight group is for int4 weights, and none was asked for: give 'int4' for the weights")
    return group


def _without_effect(config: QuantConfig, settings: Sequence[NodeSetting], placement: Placement) -> Iterator[str]:
    """Entries of the configuration that name something to which they do nothing."""
    operators = {s.operator for s in settings}
    for operator in config.ops:
        if operator not in operators:
            yield f"{config.source}: op_config.{operator}: has no effect: the cleaned model has no {operator}"
    inside = {name: block.node for block in placement.blocks for name in block.nodes[1:]}
    in_float = {node.name: node.reason for node in placement.float_nodes}
    kept = {s.node for s in settings if s.qtype == FLOAT32}
    for name in config.nodes:
        where = f"{config.source}: node_config.{name}: has no effect"
        if name in inside:
            yield f"{where}: it is computed inside '{inside[name]}', with no codes between"
        elif name in in_float and name not in kept:
            yield f"{where}: the node runs in float32, {in_float[name]}"
