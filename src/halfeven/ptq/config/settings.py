"""What a quant_config.json says, after every check that needs no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from halfeven.numerics.qtype import QType
from halfeven.ptq.config.words import NumberType
from halfeven.ptq.difference import Measure


@dataclass(frozen=True)
class TypeSetting:
    """Types that one entry gives to nodes.

    Attributes
    ----------
    qtype : of the activations that a node reads; None where the entry leaves it to a lesser one.
    inputs : of single inputs, by their index.
    """

    qtype: NumberType | None = None
    inputs: Mapping[int, QType] = field(default_factory=dict)


@dataclass(frozen=True)
class Subgraph:
    """The nodes from ``inputs`` to ``outputs``, names of nodes or tensors, both ends included."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    types: TypeSetting


@dataclass(frozen=True)
class Activation:
    """How ranges of activations are chosen. More than one value: candidates of a search.

    Attributes
    ----------
    calibration_type : "max", "kl"; empty where nothing is said.
    num_bin : of kl. max_percentile : of max, as a share. asymmetric : whether zero's code may be another than 0;
        empty where nothing is said.
    """

    calibration_type: tuple[str, ...] = ()
    num_bin: tuple[int, ...] = (1024,)
    max_percentile: tuple[float, ...] = (1.0,)
    asymmetric: tuple[bool, ...] = ()


@dataclass(frozen=True)
class WeightCorrection:
    """``weight.bias_correction``: on how many samples, and by which measure of a layer's result."""

    num_sample: int = 1
    metric: Measure = Measure.COSINE


@dataclass(frozen=True)
class QuantConfig:
    """The whole file.

    Attributes
    ----------
    all_node_type, model_output_type : None where nothing is said.
    modelwise, layerwise : the measures of the searches that are asked for.
    source : the file, for messages.
    warnings : what was read with a remark, one line each.
    bias_correction : None where it is not asked for.
    """

    source: str
    all_node_type: QType | None = None
    model_output_type: QType | None = None
    activation: Activation = Activation()
    modelwise: Measure | None = None
    layerwise: Measure | None = None
    ops: Mapping[str, TypeSetting] = field(default_factory=dict)
    subgraphs: tuple[Subgraph, ...] = ()
    nodes: Mapping[str, TypeSetting] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    bias_correction: WeightCorrection | None = None
